"""What is wrong with the policy files: every problem, with its place, a code, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from broker.errors import SetUpError
from broker.reasons import Sentence

MAX_LISTED = 12
"""Up to so many known names are listed for one that does not exist."""
POLICY_FILES = Sentence("策略文件", "policy files")


class Code(StrEnum):
    """Codes of problems; each is explained in ``docs/policy-format.md`` (a test compares the two)."""

    # the file as YAML
    FILE_MISSING = "FILE_MISSING"
    FILE_UNREADABLE = "FILE_UNREADABLE"
    FILE_UNEXPECTED = "FILE_UNEXPECTED"
    NOT_UTF8 = "NOT_UTF8"
    SYNTAX = "SYNTAX"
    SEVERAL_DOCUMENTS = "SEVERAL_DOCUMENTS"
    EMPTY_DOCUMENT = "EMPTY_DOCUMENT"
    TOO_DEEP = "TOO_DEEP"
    TAB = "TAB"
    FULL_WIDTH = "FULL_WIDTH"
    CURLY_QUOTE = "CURLY_QUOTE"
    INVISIBLE_CHARACTER = "INVISIBLE_CHARACTER"
    SEVERAL_LINES = "SEVERAL_LINES"
    ANCHOR = "ANCHOR"
    TAG = "TAG"
    MERGE = "MERGE"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    # shape and type
    UNKNOWN_KEY = "UNKNOWN_KEY"
    MISSING_KEY = "MISSING_KEY"
    EXPECTED_MAPPING = "EXPECTED_MAPPING"
    EXPECTED_LIST = "EXPECTED_LIST"
    EXPECTED_TEXT = "EXPECTED_TEXT"
    EMPTY_LIST = "EMPTY_LIST"
    EMPTY_VALUE = "EMPTY_VALUE"
    DUPLICATE_VALUE = "DUPLICATE_VALUE"
    BAD_ID = "BAD_ID"
    BAD_BOOLEAN = "BAD_BOOLEAN"
    BAD_COUNT = "BAD_COUNT"
    BAD_DATE = "BAD_DATE"
    BAD_DURATION = "BAD_DURATION"
    BAD_PERIOD = "BAD_PERIOD"
    BAD_REGION = "BAD_REGION"
    BAD_ZONE = "BAD_ZONE"
    BAD_HOURS = "BAD_HOURS"
    CONFLICTING_KEYS = "CONFLICTING_KEYS"
    UNKNOWN_WORD = "UNKNOWN_WORD"
    # names
    UNKNOWN_DEPARTMENT = "UNKNOWN_DEPARTMENT"
    UNKNOWN_DATASET = "UNKNOWN_DATASET"
    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    UNKNOWN_PURPOSE = "UNKNOWN_PURPOSE"
    UNKNOWN_FORMAT = "UNKNOWN_FORMAT"
    UNKNOWN_LEVEL = "UNKNOWN_LEVEL"
    UNKNOWN_GROUP = "UNKNOWN_GROUP"
    UNKNOWN_CATEGORY = "UNKNOWN_CATEGORY"
    UNKNOWN_OPERATOR = "UNKNOWN_OPERATOR"
    UNKNOWN_VARIABLE = "UNKNOWN_VARIABLE"
    UNKNOWN_DOMAIN = "UNKNOWN_DOMAIN"
    UNKNOWN_COMMITMENT = "UNKNOWN_COMMITMENT"
    # the catalog
    ENTERPRISE_REFUSED = "ENTERPRISE_REFUSED"
    WRONG_FILE_NAME = "WRONG_FILE_NAME"
    BASIS_MISSING = "BASIS_MISSING"
    WRONG_FIELD_TYPE = "WRONG_FIELD_TYPE"
    SUBJECT_FORMAT = "SUBJECT_FORMAT"
    CATALOG_CODE_REPEATED = "CATALOG_CODE_REPEATED"
    TWO_SOURCES = "TWO_SOURCES"
    RESERVED_LEVEL = "RESERVED_LEVEL"
    REGION_OUTSIDE = "REGION_OUTSIDE"
    BAD_CALENDAR = "BAD_CALENDAR"
    LIMIT_TOO_LONG = "LIMIT_TOO_LONG"
    LINK_EMPTY = "LINK_EMPTY"
    LINKS_OVERLAP = "LINKS_OVERLAP"
    BAD_BLANK = "BAD_BLANK"
    COMMITMENT_TOO_LONG = "COMMITMENT_TOO_LONG"
    # the rules
    DUPLICATE_POLICY = "DUPLICATE_POLICY"
    DUPLICATE_RULE = "DUPLICATE_RULE"
    NOT_THE_PROVIDER = "NOT_THE_PROVIDER"
    SCOPE_TOO_HIGH = "SCOPE_TOO_HIGH"
    CONSENT_MISSING = "CONSENT_MISSING"
    NOBODY = "NOBODY"
    NOTHING = "NOTHING"
    DATASET_WITHHELD = "DATASET_WITHHELD"
    FIELD_NOT_SHARED = "FIELD_NOT_SHARED"
    FIELD_CORE = "FIELD_CORE"
    FIELD_OUTSIDE_RULE = "FIELD_OUTSIDE_RULE"
    REGION_MISSING = "REGION_MISSING"
    GRID_MISSING = "GRID_MISSING"
    NO_CALENDAR = "NO_CALENDAR"
    BAD_MASK = "BAD_MASK"
    BAD_EXPRESSION = "BAD_EXPRESSION"
    EXPRESSION_TOO_LONG = "EXPRESSION_TOO_LONG"
    EXPRESSION_MACRO = "EXPRESSION_MACRO"
    EXPRESSION_NOT_BOOLEAN = "EXPRESSION_NOT_BOOLEAN"


class Position(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1


class Kind(NamedTuple):
    """A kind of name that must exist, and the code for one that does not."""

    code: Code
    zh: str
    en: str


DEPARTMENT = Kind(Code.UNKNOWN_DEPARTMENT, "部门", "department")
DATASET = Kind(Code.UNKNOWN_DATASET, "数据资源", "dataset")
FIELD = Kind(Code.UNKNOWN_FIELD, "数据项", "field")
PURPOSE = Kind(Code.UNKNOWN_PURPOSE, "使用场景", "purpose")
FORMAT = Kind(Code.UNKNOWN_FORMAT, "格式", "format")
FORMAT_OR_TYPE = Kind(Code.UNKNOWN_FORMAT, "格式或类型", "format or type")
LEVEL = Kind(Code.UNKNOWN_LEVEL, "分级", "level")
COMMITMENT = Kind(Code.UNKNOWN_COMMITMENT, "责任状模板", "commitment template")
GROUP = Kind(Code.UNKNOWN_GROUP, "部门组", "group")
CATEGORY = Kind(Code.UNKNOWN_CATEGORY, "数据分类", "category")
OPERATOR = Kind(Code.UNKNOWN_OPERATOR, "脱敏方式", "masking operator")
VARIABLE = Kind(Code.UNKNOWN_VARIABLE, "变量", "variable")
DOMAIN = Kind(Code.UNKNOWN_DOMAIN, "假名域", "field domain")
KEY = Kind(Code.UNKNOWN_KEY, "键", "key")
WORD = Kind(Code.UNKNOWN_WORD, "取值", "value")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to change: where (counted from 1), its code, a sentence in both languages."""

    file: str
    line: int
    column: int
    code: Code
    zh: str
    en: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def __str__(self) -> str:
        return f"{self.place} {self.code} {self.zh} / {self.en}"


class PolicyProblems(SetUpError):
    """The policy files are refused; ``problems`` holds every reason, ordered by place."""

    def __init__(self, problems: tuple[Problem, ...], what: Sentence = POLICY_FILES) -> None:
        self.problems = problems
        self._heading = (
            f"{what.zh}有 {len(problems)} 处问题，未予加载：",
            f"{len(problems)} problem(s) in the {what.en}, nothing was loaded:",
        )
        super().__init__(
            "\n".join([self._heading[0], *(f"{p.place} {p.code} {p.zh}" for p in problems)]),
            "\n".join([self._heading[1], *(f"{p.place} {p.code} {p.en}" for p in problems)]),
        )

    def __str__(self) -> str:
        return "\n".join([*self._heading, *map(str, self.problems)])


class Problems:
    """Collects problems while files are read, so that an officer sees all of them at once.

    ``what`` says of which files, in the heading.
    """

    def __init__(self, what: Sentence = POLICY_FILES) -> None:
        self._found: set[Problem] = set()
        self._what = what

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, at: Position, code: Code, zh: str, en: str) -> None:
        self._found.add(Problem(*at, code, zh, en))

    def unknown(self, at: Position, kind: Kind, name: str, known: Collection[str]) -> None:
        """Report a name that does not exist, with the nearest one that does, or all when they are few."""
        zh, en = f"没有{kind.zh}“{name}”", f"there is no {kind.en} “{name}”"
        if near := difflib.get_close_matches(name, known, n=1):
            zh, en = f"{zh}，是否指“{near[0]}”？", f"{en}; did you mean “{near[0]}”?"
        elif not known:
            zh, en = f"{zh}：目录中一个也没有", f"{en}: the catalog has none"
        elif len(known) <= MAX_LISTED:
            zh, en = f"{zh}，可用：{'、'.join(known)}", f"{en}; possible: {', '.join(known)}"
        self.add(at, kind.code, zh, en)

    def refuse(self) -> None:
        """Raise what was found, if anything.

        Raises:
            PolicyProblems: there is at least one problem.
        """
        if self._found:
            raise PolicyProblems(tuple(sorted(self._found)), self._what)
