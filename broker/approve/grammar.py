"""The grammar of a bundle's files: every key, whether it must be there, what its value may be, what it means.

The one description: the reader takes keys, closed words and forms of text from it, and the JSON Schema for
editors is made of it. What the grammar cannot say (whether a name exists, who may write about what) the
reader checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from broker.approve import problem
from broker.approve.catalog_grammar import (
    CALENDAR,
    CATALOG,
    CITY,
    COMMITMENT,
    DEPARTMENTS,
    LINK_DOMAINS,
    MASKING,
    MASKING_PROFILES,
    SERVICE_ITEMS,
    TIME_LIMITS,
)
from broker.approve.problem import CATEGORY, DATASET, DEPARTMENT, FIELD, GROUP, LEVEL, PURPOSE
from broker.approve.rule import Effect
from broker.approve.shapes import (
    COUNT,
    DAY,
    EXPRESSION,
    FLAG,
    HOURS,
    PERCENT,
    REGION,
    SEVERAL,
    SLUG,
    SYSTEM_NAME,
    TEXT,
    ZONE,
    ByEffect,
    Constant,
    Key,
    Keys,
    ListOf,
    MapOf,
    Name,
    OneMask,
    OneWord,
    option,
)
from broker.model import Below, Measure, Scope

# ── closed words ─────────────────────────────────────────────────────────────────────────────────

ALL = "all"
"""Written where everything is meant: nothing is meant by leaving it out."""
WORKING = "working"
"""Working days of the calendar."""


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

_MASK = OneMask(or_word=True)
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
        option(
            "matches_per_subject_per_day",
            COUNT,
            "对同一人同一数据项每日最多比对几次（match），不写为 5",
            "claims compared on one subject and field in a day (match), 5 by default",
        ),
    )
)
K_ANONYMITY = Keys(
    (
        Key(
            "quasi_identifiers",
            ListOf(Name(FIELD)),
            "准标识符：合起来能认出人的数据项",
            "fields that together tell who it is",
        ),
        Key("k", SEVERAL, "至少多少人相同", "how many must look alike"),
        option(
            "below",
            OneWord(Below),
            "不足 k 的：suppress 略去这些行（默认），refuse 全部不给",
            "rows below k are left out, or nothing is released",
        ),
    )
)
MEASURES = ListOf(OneWord(Measure))
"""What is told of a field over a group."""
AGGREGATE = Keys(
    (
        Key("by", ListOf(Name(FIELD)), "按哪些数据项分组", "the fields that make the groups"),
        option(
            "measures",
            MapOf(Name(FIELD), MEASURES),
            "数据项 → 给出 sum 合计、mean 平均、count 有值的行数",
            "field → sum, mean, count of its values",
        ),
        Key("smallest_group", SEVERAL, "不足这么多人的组不给", "a group of fewer people is left out"),
        option(
            "largest_share",
            PERCENT,
            "一人占合计超过百分之几的组不给",
            "a group in which one makes up more percent of a sum is left out",
        ),
        option("named_subjects", FLAG, "也可写明查询对象（默认只能整体汇总）", "also over named subjects"),
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
        option("signed_application", FLAG, "须附签名申请", "a signed application is demanded"),
        option(
            "commitment",
            Name(problem.COMMITMENT),
            "须签的数据使用责任状：模板编号",
            "the use commitment that must be signed: its template",
        ),
        option("acknowledge_hours", COUNT, "须在多少小时内确认收到", "hours to acknowledge the delivery in"),
        option("no_onward_sharing", FLAG, "不得转供", "not to be passed on"),
        option("watermark", FLAG, "加水印：写明需求方和申请", "marked with consumer and request"),
        option("notify_subject", FLAG, "须告知当事人", "the citizen must be told"),
        option("countersignature", FLAG, "须提供部门逐件会签", "the provider must countersign"),
        option(
            "k_anonymity", K_ANONYMITY, "k-匿名：每行至少与 k 人相同", "each row looks like those of k people"
        ),
        option("aggregate", AGGREGATE, "只给汇总，不给明细", "only totals of groups, never a row"),
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
            Key("effect", OneWord(Effect), "许可、审核、禁止或授权下级", "permit, review, deny or delegate"),
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
LIMITS_FILE = FileForm("limits.yaml", TIME_LIMITS, "办理时限", "time limits", optional=True)
MASKING_FILE = FileForm("masking.yaml", MASKING, "脱敏强弱", "which masks are stricter", optional=True)
PROFILES_FILE = FileForm(
    "masking-profiles.yaml", MASKING_PROFILES, "脱敏方案", "what the words for masks mean", optional=True
)
LINKS_FILE = FileForm(
    "link-domains.yaml", LINK_DOMAINS, "关联域", "whose tokens may be joined", optional=True
)
COMMITMENT_FILES = FileForm(
    "commitments/", COMMITMENT, "数据使用责任状模板", "templates of use commitments", optional=True
)
CATALOG_FILES = FileForm("catalog/", CATALOG, "数据目录", "a department's catalog", optional=True)
POLICY_FILES = FileForm("sharing/", POLICY, "共享规则", "sharing rules", optional=True)
FILES = (
    CITY_FILE,
    DEPARTMENTS_FILE,
    SERVICE_ITEMS_FILE,
    CALENDAR_FILE,
    LIMITS_FILE,
    MASKING_FILE,
    PROFILES_FILE,
    LINKS_FILE,
    COMMITMENT_FILES,
    CATALOG_FILES,
    POLICY_FILES,
)


def form_of(file: str) -> FileForm | None:
    """What kind of file ``file`` is, by its path in the folder; None for one that is not read."""
    return next((form for form in FILES if form.holds(file)), None)
