"""The grammar of a bundle's files: every key, whether it must be there, what its value may be, what it means.

The one description: the reader takes keys, closed words and forms of text from it, and the JSON Schema for
editors is made of it. What the grammar cannot say (whether a name exists, who may write about what) the
reader checks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from broker.approve.problem import (
    CATEGORY,
    DATASET,
    DEPARTMENT,
    FIELD,
    FORMAT,
    GROUP,
    LEVEL,
    OPERATOR,
    PURPOSE,
    Code,
    Kind,
)
from broker.approve.rule import Effect
from broker.formats import REGION_PATTERN
from broker.model import DepartmentKind, FieldType, Scope, SharingAttribute

# ── shapes ───────────────────────────────────────────────────────────────────────────────────────


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
"""Of a mask: a text, a whole number, true or false, or a list of them."""

# ── closed words ─────────────────────────────────────────────────────────────────────────────────

ALL = "all"
"""Written where everything is meant: nothing is meant by leaving it out."""
WORKING = "working"
"""Working days of the calendar."""


class SharingMode(StrEnum):
    """共享方式: service call, batch exchange, file download."""

    API = "api"
    BATCH = "batch"
    FILE = "file"


class Subjects(StrEnum):
    """Whether a permit needs subjects to be named."""

    NAMED = "named"
    ALL = "all"


class Whose(StrEnum):
    """Whose region or grid a row scope compares with."""

    CALLER = "caller"


class CallerRole(StrEnum):
    """Roles that can ask for data; officers and auditors never can."""

    SYSTEM = "system"


class Reviewer(StrEnum):
    """Reviewers told by their part in the exchange."""

    PROVIDER = "provider"
    AUTHORITY = "authority"


class Weekday(StrEnum):
    """Days of the week, from Monday."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


# ── policy files ─────────────────────────────────────────────────────────────────────────────────

_MASK = OneMask()
VALUES = ListOf(TEXT)
"""Values that a field may have."""

WHO = Keys(
    (
        option("departments", ListOf(Name(DEPARTMENT), ALL), "哪些部门", "departments"),
        option("groups", ListOf(Name(GROUP)), "哪些部门组", "groups of departments"),
        option(
            "levels", ListOf(OneWord(Scope)), "仅限这些行政层级的部门", "only departments of these levels"
        ),
        option("regions", ListOf(REGION), "仅限这些区划之内的部门", "only departments within these regions"),
        option(
            "systems",
            ListOf(SYSTEM_NAME),
            "仅限这些系统（证书里的名称）",
            "only these systems, by certificate",
        ),
        option("roles", ListOf(OneWord(CallerRole)), "角色：只有系统能查询", "roles: only systems can ask"),
    ),
    at_least_one=("departments", "groups"),
)
WHAT = Keys(
    (
        option("dataset", Name(DATASET), "哪个数据资源", "the dataset"),
        option("category", Name(CATEGORY), "哪一类数据资源", "all datasets of a category"),
        Key("fields", ListOf(Name(FIELD), ALL), "哪些数据项", "its fields"),
        option("level", Name(LEVEL), "只含不高于此级的数据项", "only fields of at most this level"),
    ),
    exactly_one=("dataset", "category"),
)
ROWS = Keys(
    (
        option("district", OneWord(Whose), "只给需求方本辖区的行", "only rows of the caller's own region"),
        option("grid", OneWord(Whose), "只给需求系统本网格的行", "only rows of the calling system's grids"),
        option(
            "lists",
            MapOf(Name(FIELD), VALUES),
            "数据项 → 只给取这些值的行",
            "field → only rows with one of these values",
        ),
        option("subjects", OneWord(Subjects), "是否须写明查询对象", "whether subjects must be named"),
    )
)
LIMITS = Keys(
    (
        option("rows_per_call", COUNT, "每次最多行数", "rows in one call"),
        option("subjects_per_call", COUNT, "每次最多查询对象数", "subjects in one call"),
        option("calls_per_day", COUNT, "每日最多次数", "calls in a day"),
        option("rows_per_day", COUNT, "每日最多行数", "rows in a day"),
        option("calls_per_month", COUNT, "每月最多次数", "calls in a month"),
        option("rows_per_month", COUNT, "每月最多行数", "rows in a month"),
        option(
            "minimum_group_size",
            COUNT,
            "少于这么多人的结果不给",
            "an answer about fewer subjects is kept back",
        ),
    )
)
OBLIGATIONS = Keys(
    (
        option(
            "mask_levels",
            MapOf(Name(LEVEL), _MASK),
            "分级 → 该级数据项的脱敏方式；数据项另有写明的从其写明",
            "level → mask of its fields, unless a field has its own",
        ),
        option("mask", MapOf(Name(FIELD), _MASK, may_be_empty=True), "数据项 → 脱敏方式", "field → mask"),
        option("retain_days", COUNT, "最多保存天数", "days the data may be kept"),
        option(
            "signed_application", FLAG, "须附签名申请（数据使用责任状）", "a signed application is demanded"
        ),
        option("acknowledge_hours", COUNT, "须在多少小时内确认收到", "hours to acknowledge the delivery in"),
        option("no_onward_sharing", FLAG, "不得转供", "not to be passed on"),
        option("watermark", FLAG, "加水印：写明需求方和申请", "marked with consumer and request"),
        option("notify_subject", FLAG, "须告知当事人", "the citizen must be told"),
        option("countersignature", FLAG, "须提供部门逐件会签", "the provider must countersign"),
    )
)
CONSENT = Keys(
    (
        Key("application_no", TEXT, "共享申请编号", "number of the application"),
        Key("consumer_head", TEXT, "需求部门共享工作机构负责人", "head of the consumer's sharing office"),
        Key("provider_head", TEXT, "提供部门共享工作机构负责人", "head of the provider's sharing office"),
    )
)
REVIEW = Keys(
    (
        option(
            "by",
            ListOf(Name(DEPARTMENT, Reviewer)),
            "由谁审核：provider、authority 或部门",
            "who reviews: provider, authority or departments",
        ),
        option("count", COUNT, "须几人同意", "how many must agree"),
        option("within_working_days", COUNT, "几个工作日内", "within how many working days"),
        option("never_own", FLAG, "需求部门的人不得审核", "nobody of the consumer's may review"),
    )
)


def _why(*, stated: bool) -> Keys:
    return Keys(
        (
            Key(
                "purposes",
                ListOf(Name(PURPOSE), ALL),
                "使用场景",
                "purposes",
                optional=not stated,
            ),
            Key(
                "legal_basis",
                ListOf(TEXT, ALL),
                "使用依据，与申请一字不差",
                "legal bases, character by character",
                optional=not stated,
            ),
        )
    )


def _when(*, stated: bool) -> Keys:
    return Keys(
        (
            Key("from", DAY, "起始日，含当日", "first day", optional=not stated),
            Key("until", DAY, "截止日，含当日", "last day, included", optional=not stated),
            option(
                "days",
                ListOf(OneWord(Weekday), WORKING),
                "星期几，或 working 工作日",
                "days of the week, or working days",
            ),
            option("hours", ListOf(HOURS), "每天的时段", "hours of the day"),
            option("zone", ZONE, "时区，默认为城市的", "time zone, by default the city's"),
        )
    )


def _rule(*, stated: bool, more: tuple[Key, ...]) -> Keys:
    """A rule's keys; ``stated``: why and when must be written, if need be as ``all``."""
    return Keys(
        (
            Key("id", SLUG, "规则编号，本文件内不重复", "the rule's id, unique in the file"),
            Key("effect", OneWord(Effect), "许可、审核、禁止或下放", "permit, review, deny or delegate"),
            Key("who", WHO, "谁", "who"),
            Key("what", WHAT, "看什么", "what"),
            Key("why", _why(stated=stated), "为什么", "why", optional=not stated),
            Key("when", _when(stated=stated), "什么时候", "when", optional=not stated),
            option("when_expr", EXPRESSION, "另一个条件（CEL）", "a further condition, in CEL"),
            *more,
        )
    )


_RELEASING = _rule(
    stated=True,
    more=(
        option("rows", ROWS, "哪些行", "which rows"),
        option("limits", LIMITS, "上限", "upper bounds"),
        option("obligations", OBLIGATIONS, "脱敏和用后处置", "masks and duties"),
        option(
            "consent",
            CONSENT,
            "申请编号和双方负责人同意；有条件共享必写",
            "application and both heads' consent",
        ),
    ),
)
RULE = ByEffect(
    MappingProxyType(
        {
            Effect.PERMIT: _RELEASING,
            Effect.REVIEW: _rule(
                stated=False, more=(option("review", REVIEW, "由谁、怎样审核", "who reviews, and how"),)
            ),
            Effect.DENY: _rule(stated=False, more=()),
            Effect.DELEGATE: _RELEASING,
        }
    ),
    Effect.PERMIT,
)
POLICY = Keys(
    (
        Key("format", Constant("share-policy/v1"), "文件格式", "the file's format"),
        Key("id", SLUG, "策略编号，全市不重复", "the policy's id, unique in the city"),
        Key("owner", Name(DEPARTMENT), "制定策略的部门", "the department that makes the policy"),
        option("scope", OneWord(Scope), "层级，默认为制定部门的", "its scope, by default the owner's"),
        Key("rules", ListOf(RULE), "规则", "the rules"),
    )
)

# ── the catalog ──────────────────────────────────────────────────────────────────────────────────

CATALOG_FIELD = Keys(
    (
        Key("title", TEXT, "名称", "title"),
        Key("type", OneWord(FieldType), "类型", "type"),
        option("format", Name(FORMAT), "格式，逐行检查，仅限 text", "format checked on every row, text only"),
        Key("level", Name(LEVEL), "分级", "classification level"),
        option("column", TEXT, "源表列名，默认同名", "the source's column"),
        option("required", FLAG, "缺失即为坏数据", "a null makes the row bad"),
        option("shared", FLAG, "false：任何规则都不能给出", "false: no rule can release it"),
        option("domain", TEXT, "假名域", "equal values of one domain get equal pseudonyms"),
        option("item", TEXT, "国家数据项代码，只由权威来源写", "national data item code, by its source only"),
    )
)
CATALOG_DATASET = Keys(
    (
        Key("title", TEXT, "名称", "title"),
        Key("catalog_code", TEXT, "国家目录代码", "national catalog code"),
        option("category", Name(CATEGORY), "数据分类", "category"),
        Key("sharing_attribute", OneWord(SharingAttribute), "共享属性", "sharing attribute"),
        option(
            "attribute_basis", TEXT, "共享条件，或不予共享的依据", "conditions, or the law that withholds"
        ),
        Key("sharing_modes", ListOf(OneWord(SharingMode)), "共享方式", "sharing modes"),
        Key("use_conditions", TEXT, "使用条件", "conditions of use"),
        Key("update_cycle", DURATION, "更新频率", "update cycle"),
        Key(
            "subject",
            Keys(
                (
                    Key("format", Name(FORMAT), "查询对象的格式", "format of the subjects asked for"),
                    Key("fields", ListOf(Name(FIELD)), "按哪些数据项找", "fields that hold them"),
                )
            ),
            "按谁查",
            "whom one asks about",
        ),
        Key("as_of", Name(FIELD), "数据时点，日期或时间", "the field that dates a row"),
        option("region", Name(FIELD), "本辖区按它判断", "the field that row scopes by region compare"),
        option("grid", Name(FIELD), "本网格按它判断", "the field that row scopes by grid compare"),
        Key("source", MapOf(TEXT, TEXT, required=("kind",)), "来源", "where the rows are read"),
        Key("fields", MapOf(NAME, CATALOG_FIELD), "数据项", "fields"),
    )
)
CATALOG = Keys(
    (
        Key("format", Constant("share-catalog/v1"), "文件格式", "the file's format"),
        Key("department", Name(DEPARTMENT), "提供部门，与文件名相同", "the provider, as in the file's name"),
        Key("datasets", MapOf(NAME, CATALOG_DATASET), "数据资源", "datasets"),
    )
)
CITY = Keys(
    (
        Key("format", Constant("share-city/v1"), "文件格式", "the file's format"),
        Key("city", TRUST_DOMAIN, "证书信任域", "trust domain of the certificates"),
        Key("title", TEXT, "名称", "title"),
        Key("zone", ZONE, "时区", "time zone"),
        Key("levels", ListOf(TEXT), "数据分级，从低到高", "levels, least to most sensitive"),
        option("categories", MapOf(NAME, TEXT), "数据分类 → 名称", "category → title"),
    )
)
SYSTEM = Keys(
    (
        option("region", REGION, "系统的辖区，默认为部门的", "its region, by default the department's"),
        option("grids", ListOf(TEXT), "系统服务的网格", "codes of the grids it serves"),
    )
)
DEPARTMENT_ENTRY = Keys(
    (
        Key("title", TEXT, "名称", "title"),
        Key("title_en", TEXT, "英文名称", "English title"),
        Key("kind", OneWord(DepartmentKind), "类别", "kind"),
        Key("region", REGION, "行政区划代码", "GB/T 2260 code"),
        Key("sharing_office", TEXT, "政务数据共享工作机构", "the office responsible for sharing"),
        option(
            "systems", MapOf(SYSTEM_NAME, SYSTEM), "另有辖区或网格的系统", "systems with a region or grids"
        ),
        option(
            "delegate",
            Name(DEPARTMENT),
            "可代为审批策略的部门",
            "department that may approve its policies too",
        ),
    )
)
GROUP_MEMBERS = ListOf(Name(DEPARTMENT))
DEPARTMENTS = Keys(
    (
        Key("format", Constant("share-departments/v1"), "文件格式", "the file's format"),
        Key("departments", MapOf(NAME, DEPARTMENT_ENTRY), "部门", "departments"),
        option("groups", MapOf(NAME, GROUP_MEMBERS), "部门组 → 部门", "group → its departments"),
    )
)
SERVICE_ITEM = Keys(
    (
        Key("title", TEXT, "名称", "title"),
        Key("department", Name(DEPARTMENT), "办理部门", "the department whose it is"),
        Key("purpose", Name(PURPOSE), "服务的使用场景", "the purpose it serves"),
    )
)
SERVICE_ITEMS = Keys(
    (
        Key("format", Constant("share-service-items/v1"), "文件格式", "the file's format"),
        Key("purposes", MapOf(NAME, TEXT), "使用场景 → 名称", "purpose → title"),
        Key("service_items", MapOf(ITEM_CODE, SERVICE_ITEM), "事项", "service items"),
    )
)
CALENDAR_YEAR = Keys(
    (
        Key("holidays", ListOf(DAYS), "放假日，周末可写可不写", "days off; weekends need not be written"),
        option("makeup_days", ListOf(DAYS), "调休上班的周六、周日", "Saturdays and Sundays worked"),
    )
)
CALENDAR = Keys(
    (
        Key("format", Constant("share-calendar/v1"), "文件格式", "the file's format"),
        Key("years", MapOf(YEAR, CALENDAR_YEAR), "年份 → 国务院办公厅当年的放假安排", "year → its notice"),
    )
)
MASKING = Keys(
    (
        Key("format", Constant("share-masking/v1"), "文件格式", "the file's format"),
        Key("order", ListOf(NAME), "脱敏方式，从弱到强", "operators, weakest first"),
        option(
            "floors", MapOf(Name(LEVEL), Name(OPERATOR)), "分级 → 最弱可用的脱敏方式", "level → weakest mask"
        ),
    )
)

# ── the folder ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class FileForm:
    """A kind of file: a path in the folder, or a folder whose ``.yaml`` files are of this kind."""

    path: str
    keys: Keys
    zh: str
    en: str
    optional: bool = False

    @property
    def is_folder(self) -> bool:
        return self.path.endswith("/")

    @property
    def format(self) -> str:
        """What stands after ``format:``, e.g. ``share-policy/v1``."""
        shape = self.keys.shapes["format"]
        return shape.text if isinstance(shape, Constant) else ""

    def holds(self, file: str) -> bool:
        """Whether ``file``, a path in the folder, is of this kind."""
        folder, _, name = file.rpartition("/")
        return f"{folder}/" == self.path and name.endswith(".yaml") if self.is_folder else file == self.path


CITY_FILE = FileForm("city.yaml", CITY, "城市", "the city")
DEPARTMENTS_FILE = FileForm("departments.yaml", DEPARTMENTS, "部门", "departments")
SERVICE_ITEMS_FILE = FileForm(
    "service-items.yaml", SERVICE_ITEMS, "使用场景与事项", "purposes and service items"
)
CALENDAR_FILE = FileForm("calendar.yaml", CALENDAR, "工作日历", "working days", optional=True)
MASKING_FILE = FileForm("masking.yaml", MASKING, "脱敏强弱", "which masks are stricter", optional=True)
CATALOG_FILES = FileForm("catalog/", CATALOG, "数据目录", "a department's catalog", optional=True)
POLICY_FILES = FileForm("sharing/", POLICY, "共享规则", "sharing rules", optional=True)
FILES = (
    CITY_FILE,
    DEPARTMENTS_FILE,
    SERVICE_ITEMS_FILE,
    CALENDAR_FILE,
    MASKING_FILE,
    CATALOG_FILES,
    POLICY_FILES,
)


def form_of(file: str) -> FileForm | None:
    """What kind of file ``file`` is, by its path in the folder; None for one that is not read."""
    return next((form for form in FILES if form.holds(file)), None)
