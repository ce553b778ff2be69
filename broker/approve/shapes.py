"""Shapes of the values in a bundle's files, and forms of text: what the grammar is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from broker.approve.problem import Code, Kind
from broker.approve.rule import Effect
from broker.formats import REGION_PATTERN


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text of a certain form."""

    name: str
    zh: str
    """What to write, after “须为”."""
    en: str
    """What to write, after “write”."""
    code: Code = Code.EMPTY_VALUE
    """Of a text that has not this form."""
    pattern: re.Pattern[str] | None = None
    """What the whole text must match; None: any that is not empty."""

    def fits(self, text: str) -> bool:
        return self.pattern is None or self.pattern.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Constant:
    """This text and no other."""

    text: str


@dataclass(frozen=True, slots=True)
class OneWord:
    """One of a closed list of words."""

    words: type[StrEnum]


@dataclass(frozen=True, slots=True)
class Name:
    """The name of something in the catalog."""

    kind: Kind
    or_words: type[StrEnum] | None = None
    """Words that may stand in its place."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of at least one, none twice."""

    item: Scalar | OneWord | Name | Keys | ByEffect | MapOf
    instead: str = ""
    """A word that may be written in place of the list."""


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping whose keys the writer chooses."""

    key: Scalar | Name
    value: Shape
    required: tuple[str, ...] = ()
    """Keys that must be among them."""
    may_be_empty: bool = False


@dataclass(frozen=True, slots=True)
class OneMask:
    """A mapping with one key, an operator; its value maps the operator's parameters."""

    or_word: bool = False
    """The word of a treatment may stand in its place."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a mapping."""

    name: str
    shape: Shape
    zh: str
    en: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Keys:
    """A mapping with these keys and no others."""

    entries: tuple[Key, ...]
    exactly_one: tuple[str, ...] = ()
    """Of these optional keys one must be written, and only one."""
    at_least_one: tuple[str, ...] = ()
    """Of these optional keys one must be written."""
    shapes: Mapping[str, Shape] = field(init=False, repr=False)
    """Key → what its value may be."""
    required: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shapes = MappingProxyType({key.name: key.shape for key in self.entries})
        object.__setattr__(self, "shapes", shapes)
        object.__setattr__(self, "required", frozenset(key.name for key in self.entries if not key.optional))


@dataclass(frozen=True, slots=True)
class ByEffect:
    """A mapping whose keys depend on the effect written in it."""

    cases: Mapping[Effect, Keys]
    otherwise: Effect
    """Taken where the effect is missing or none."""


Shape = Scalar | Constant | OneWord | Name | ListOf | MapOf | OneMask | Keys | ByEffect


def option(name: str, shape: Shape, zh: str, en: str) -> Key:
    """A key that may be left out."""
    return Key(name, shape, zh, en, optional=True)


# ── forms of text ────────────────────────────────────────────────────────────────────────────────


def _id(name: str, pattern: str, zh: str, en: str, example: str) -> Scalar:
    return Scalar(name, f"{zh}，如 {example}", f"{en}, such as {example}", Code.BAD_ID, re.compile(pattern))


_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
_DAY = "(19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}"

TEXT = Scalar("text", "文字", "text")
NAME = _id(
    "name",
    "[a-z][a-z0-9_]*",
    "小写字母、数字、下划线组成的编号，以字母开头",
    "an id of small letters, digits and _, a letter first",
    "civil_affairs",
)
"""Ids that stand in requests and resource names: departments, datasets, fields, purposes."""
SLUG = _id(
    "slug",
    "[a-z0-9]+(-[a-z0-9]+)*",
    "小写字母、数字、连字符组成的编号",
    "an id of small letters, digits and single -",
    "civil-affairs-001",
)
"""Ids of policies and rules."""
ITEM_CODE = _id(
    "item_code",
    "[0-9A-Za-z][0-9A-Za-z-]*",
    "字母、数字、连字符组成的事项编码",
    "a code of letters, digits and -",
    "990100-MZ-0021",
)
TRUST_DOMAIN = _id(
    "trust_domain",
    "[a-z0-9._-]{1,255}",
    "证书信任域，用小写字母、数字、点、连字符、下划线",
    "a trust domain of small letters, digits, dots, - and _",
    "xinghe",
)
"""SPIFFE-ID §2.1."""
SYSTEM_NAME = _id(
    "system",
    "[a-z][a-z0-9_-]{0,62}",
    "证书里的系统名，用小写字母、数字、连字符、下划线",
    "a system's name as in its certificate: small letters, digits, - and _",
    "counter-1",
)
COUNT = Scalar(
    "count", " 1 以上的整数", "a whole number of at least 1", Code.BAD_COUNT, re.compile("[1-9][0-9]{0,8}")
)
SEVERAL = Scalar(
    "several",
    " 2 至 99999 的整数",
    "a whole number from 2 to 99999",
    Code.BAD_COUNT,
    re.compile("[2-9]|[1-9][0-9]{1,4}"),
)
TERM = Scalar(
    "term",
    " 1 至 9999 的整数",
    "a whole number from 1 to 9999",
    Code.BAD_COUNT,
    re.compile("[1-9][0-9]{0,3}"),
)
"""Days."""
PERCENT = Scalar(
    "percent", " 1 至 99 的整数", "a whole number from 1 to 99", Code.BAD_COUNT, re.compile("[1-9][0-9]?")
)
FLAG = Scalar("flag", " true 或 false", "true or false", Code.BAD_BOOLEAN, re.compile("true|false"))
DAY = Scalar(
    "day",
    "存在的日期，形如 2026-01-31",
    "an existing day such as 2026-01-31",
    Code.BAD_DATE,
    re.compile(_DAY),
)
"""GB/T 7408.1 calendar date, extended form, of the years 1900 to 2999."""
DAYS = Scalar(
    "days",
    "存在的日期或起止日期，形如 2026-10-01/2026-10-07",
    "an existing day or two with a slash between, such as 2026-10-01/2026-10-07",
    Code.BAD_DATE,
    re.compile(f"{_DAY}(/{_DAY})?"),
)
"""A day, or the interval of GB/T 7408.1 from one to another, both included."""
YEAR = Scalar(
    "year", "年份，形如 2026", "a year such as 2026", Code.BAD_DATE, re.compile("(19|2[0-9])[0-9]{2}")
)
HOURS = Scalar(
    "hours",
    "时段，形如 08:30-12:00，止须晚于起（最晚 24:00）",
    "hours such as 08:30-12:00, ending later than they begin (24:00 at the latest)",
    Code.BAD_HOURS,
    re.compile(f"{_CLOCK}-({_CLOCK}|24:00)"),
)
DURATION = Scalar(
    "duration",
    " ISO 8601 时长，如 P1D、P2W、PT6H",
    "an ISO 8601 duration such as P1D, P2W or PT6H",
    Code.BAD_DURATION,
    re.compile(r"P(?=[0-9T])(?:([0-9]{1,4})W|(?:([0-9]{1,5})D)?(?:T([0-9]{1,5})H)?)"),
)
"""ISO 8601-1 §5.5.2, weeks, or days and hours: months and years have no fixed length."""
REGION = Scalar(
    "region",
    "六位行政区划代码（GB/T 2260），如 990100",
    "a six-digit GB/T 2260 code such as 990100",
    Code.BAD_REGION,
    re.compile(f"000000|{REGION_PATTERN}"),
)
"""``000000`` is the whole country."""
ZONE = Scalar("zone", " IANA 时区名称，如 Asia/Shanghai", "an IANA zone such as Asia/Shanghai", Code.BAD_ZONE)
EXPRESSION = Scalar("expression", " CEL 表达式", "an expression in CEL", Code.BAD_EXPRESSION)
PARAMETER = Scalar("parameter", "参数", "a parameter")
"""Of a mask: a text, a whole number, true or false, or a list or mapping of them."""
