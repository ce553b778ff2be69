"""What lint finds: problems that the reader refuses, and what is allowed but hardly meant, in one list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from broker.approve.problem import Position, Problem


class Severity(StrEnum):
    """What a finding does to the exit code: an error always fails, a warning with ``--strict``."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


SEVERITIES: Mapping[Severity, tuple[str, str]] = MappingProxyType(
    {
        Severity.ERROR: ("错误", "error"),
        Severity.WARNING: ("警告", "warning"),
        Severity.NOTE: ("提示", "note"),
    }
)


class Lint(StrEnum):
    """Codes of findings beyond the reader's; ``docs/policy-format.md`` explains each (a test compares)."""

    # rules that do nothing
    SHADOWED = "SHADOWED"
    PARTLY_SHADOWED = "PARTLY_SHADOWED"
    REDUNDANT = "REDUNDANT"
    EXPIRED = "EXPIRED"
    NEVER_APPLIES = "NEVER_APPLIES"
    MOOT = "MOOT"
    NOT_DELEGATED = "NOT_DELEGATED"
    UNUSED_DELEGATE = "UNUSED_DELEGATE"
    NO_SERVICE_ITEM = "NO_SERVICE_ITEM"
    # rules that defeat themselves or one another
    MASKS_CONTRADICT = "MASKS_CONTRADICT"
    DEFAULT_CONTRADICTS = "DEFAULT_CONTRADICTS"
    ROWS_CONTRADICT = "ROWS_CONTRADICT"
    NEVER_RELEASES = "NEVER_RELEASES"
    REVIEWER_ASKS = "REVIEWER_ASKS"
    CONSTANT_EXPRESSION = "CONSTANT_EXPRESSION"
    LIMIT_UNREACHABLE = "LIMIT_UNREACHABLE"
    # rules that give more than the catalog means
    WIDER_THAN_MODES = "WIDER_THAN_MODES"
    WIDER_THAN_CONDITIONS = "WIDER_THAN_CONDITIONS"
    ALWAYS_REVIEWED = "ALWAYS_REVIEWED"
    MASK_TOO_WEAK = "MASK_TOO_WEAK"
    RETENTION_MISSING = "RETENTION_MISSING"
    QUOTA_MISSING = "QUOTA_MISSING"
    COMMITMENT_DIFFERS = "COMMITMENT_DIFFERS"
    # what the authority says of masks
    ORDER_UNKNOWN = "ORDER_UNKNOWN"
    PROFILE_TOO_WEAK = "PROFILE_TOO_WEAK"
    PROFILE_UNUSED = "PROFILE_UNUSED"
    # what time brings, and what is missing
    ENDS_SOON = "ENDS_SOON"
    CALENDAR_MISSING = "CALENDAR_MISSING"
    CALENDAR_PROVISIONAL = "CALENDAR_PROVISIONAL"
    UNKNOWN_SYSTEM = "UNKNOWN_SYSTEM"
    NEVER_RELEASED = "NEVER_RELEASED"


class About(NamedTuple):
    """What a code stands for, wherever it is found."""

    severity: Severity
    zh: str
    en: str


_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
ABOUT: Mapping[Lint, About] = MappingProxyType(
    {
        Lint.SHADOWED: About(_WARNING, "禁止规则处处盖过此规则", "a deny rule always outweighs this rule"),
        Lint.PARTLY_SHADOWED: About(
            _NOTE, "许可的数据项总被禁止规则盖过", "a field permitted is always denied by another rule"
        ),
        Lint.REDUNDANT: About(_WARNING, "另一条规则已说了同样的话", "another rule says the same already"),
        Lint.EXPIRED: About(_WARNING, "有效期已过", "its validity is over"),
        Lint.NEVER_APPLIES: About(_WARNING, "规则永远不会适用", "the rule can never apply"),
        Lint.MOOT: About(_NOTE, "目录已不许共享，规则不起作用", "the catalog forbids it already"),
        Lint.NOT_DELEGATED: About(
            _WARNING, "下级许可没有上级授权", "a permit of a lower scope that nothing delegates"
        ),
        Lint.UNUSED_DELEGATE: About(_NOTE, "授权没有下级规则使用", "a delegate that no rule relies on"),
        Lint.NO_SERVICE_ITEM: About(
            _WARNING, "需求部门没有服务于该场景的事项", "no department has a service item for the purposes"
        ),
        Lint.MASKS_CONTRADICT: About(
            _ERROR, "两条许可的脱敏方式互相矛盾", "two permits demand masks that contradict"
        ),
        Lint.DEFAULT_CONTRADICTS: About(
            _WARNING, "脱敏与默认许可的矛盾", "a mask that contradicts that of the default permit"
        ),
        Lint.ROWS_CONTRADICT: About(
            _ERROR, "两条许可的行范围没有交集", "two permits whose rows have nothing in common"
        ),
        Lint.NEVER_RELEASES: About(_ERROR, "要求无法满足，什么也给不出", "its demands can never be met"),
        Lint.REVIEWER_ASKS: About(
            _WARNING, "只有申请部门自己能审核", "only the department that asks could review"
        ),
        Lint.CONSTANT_EXPRESSION: About(_WARNING, "when_expr 总是真", "when_expr is always true"),
        Lint.LIMIT_UNREACHABLE: About(_NOTE, "上限达不到", "a limit that cannot be reached"),
        Lint.WIDER_THAN_MODES: About(
            _ERROR, "目录没有登记批量共享方式", "whole dataset permitted, but the catalog offers calls only"
        ),
        Lint.WIDER_THAN_CONDITIONS: About(
            _WARNING, "有条件共享，许可却没有条件", "conditional dataset permitted without conditions"
        ),
        Lint.ALWAYS_REVIEWED: About(
            _NOTE, "重要数据不会自动给出", "important data is never released without a review"
        ),
        Lint.MASK_TOO_WEAK: About(
            _WARNING, "脱敏弱于分级的要求", "a mask weaker than the level demands, or none"
        ),
        Lint.COMMITMENT_DIFFERS: About(
            _WARNING,
            "责任状写的保存天数与规则不同",
            "a commitment that says another retention than the rule",
        ),
        Lint.RETENTION_MISSING: About(
            _WARNING, "有条件共享未限定保存期限", "conditional data permitted without a retention"
        ),
        Lint.QUOTA_MISSING: About(_WARNING, "整体共享没有额度", "whole dataset permitted without a quota"),
        Lint.ORDER_UNKNOWN: About(
            _WARNING, "强弱次序里有不能用的脱敏方式", "the order of masks names an operator that is not there"
        ),
        Lint.PROFILE_TOO_WEAK: About(
            _WARNING, "脱敏方案弱于分级的要求", "a profile's treatment weaker than the level demands"
        ),
        Lint.PROFILE_UNUSED: About(_NOTE, "没有数据项用到的脱敏方案", "a profile that no field has"),
        Lint.ENDS_SOON: About(_WARNING, "三十天内到期", "ends within 30 days"),
        Lint.CALENDAR_MISSING: About(
            _WARNING, "有的年份没有工作日历", "no calendar for a year in which the rule needs one"
        ),
        Lint.CALENDAR_PROVISIONAL: About(
            _WARNING, "临近的年份放假安排待定", "a year that is near and whose notice is not in"
        ),
        Lint.UNKNOWN_SYSTEM: About(
            _NOTE, "部门没有登记此系统", "a system that its department does not describe"
        ),
        Lint.NEVER_RELEASED: About(_NOTE, "没有规则能给出的数据项", "a field that no rule can release"),
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at: where (counted from 1), its code, a sentence in both languages, how grave."""

    file: str
    line: int
    column: int
    code: str
    zh: str
    en: str
    severity: Severity

    @classmethod
    def of(cls, at: Position, code: Lint, zh: str, en: str) -> Finding:
        return cls(*at, code, zh, en, ABOUT[code].severity)

    @classmethod
    def of_problem(cls, problem: Problem) -> Finding:
        """What the reader refuses is an error."""
        place = problem.file, problem.line, problem.column
        return cls(*place, problem.code, problem.zh, problem.en, Severity.ERROR)

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def __str__(self) -> str:
        """As the reader's problems are written; what is no error says so."""
        if self.severity is Severity.ERROR:
            return f"{self.place} {self.code} {self.zh} / {self.en}"
        zh, en = SEVERITIES[self.severity]
        return f"{self.place} {self.code} {zh}：{self.zh} / {en}: {self.en}"
