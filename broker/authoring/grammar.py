"""The grammar of case files (``share-cases/v1``), in the terms of :mod:`broker.approve.grammar`."""

from __future__ import annotations

import re

from broker.approve.grammar import AGGREGATE, ALL, K_ANONYMITY, FileForm
from broker.approve.problem import DATASET, DEPARTMENT, FIELD, PURPOSE, Code
from broker.approve.shapes import (
    COUNT,
    FLAG,
    NAME,
    PARAMETER,
    SLUG,
    TEXT,
    Constant,
    Key,
    Keys,
    ListOf,
    MapOf,
    Name,
    OneMask,
    OneWord,
    Scalar,
    option,
)
from broker.model import Verdict

NONE = "none"
"""Written where nothing is expected: nothing is meant by leaving it out."""

SUBJECTS = Scalar(
    "subjects",
    f" 1 以上的整数，或 {ALL}",
    f"a whole number of at least 1, or {ALL}",
    Code.BAD_COUNT,
    re.compile(f"[1-9][0-9]{{0,8}}|{ALL}"),
)

_REQUIRED = (
    Key("department", TEXT, "需求部门", "the consumer"),
    Key("dataset", TEXT, "数据资源", "the dataset"),
    Key("fields", ListOf(TEXT), "数据项", "the fields asked"),
    Key("purpose", TEXT, "使用场景", "the purpose"),
)
_OPTIONAL = (
    option("service_item", TEXT, "事项编码", "the service item"),
    option("case_no", TEXT, "办件编号", "the case number"),
    option("legal_basis", TEXT, "使用依据", "the legal basis"),
    option("operator", TEXT, "经办人", "the person behind the call"),
    option("system", TEXT, "调用的系统", "the calling system"),
    option("subjects", SUBJECTS, "查询对象数，或整体", "how many subjects, or the whole dataset"),
    option("grant", SLUG, "共享授权，见 grants", "a grant, of those under grants"),
    option("signed_application", FLAG, "是否附签名申请", "whether a signed application came"),
    option("commitments", ListOf(TEXT), "已签责任状的模板", "templates of which a commitment is signed"),
    option("claims", ListOf(TEXT), "写明所称的值的数据项", "the fields of which something is claimed"),
)
APPLICATION = Keys((*_REQUIRED, *_OPTIONAL))
CHANGES = Keys(tuple(option(key.name, key.shape, key.zh, key.en) for key in APPLICATION.entries))
"""Parts of an application, which fill in or replace those of another."""
GRANT = Keys(
    (
        Key("department", Name(DEPARTMENT), "需求部门", "the consumer"),
        Key("dataset", Name(DATASET), "数据资源", "the dataset"),
        Key("fields", ListOf(Name(FIELD)), "数据项", "its fields"),
        Key("purpose", Name(PURPOSE), "使用场景", "the purpose"),
        Key("from", TEXT, "起始时刻", "first instant"),
        Key("until", TEXT, "截止时刻", "first instant no longer valid"),
        option("whole", FLAG, "可以不列明对象", "may be asked without naming subjects"),
        option("rows_per_call", COUNT, "每次最多行数", "most rows of a call"),
        option("approved_by", MapOf(Name(DEPARTMENT), COUNT), "审核部门 → 人数", "department → approvers"),
    )
)
REVIEW = Keys(
    (
        Key("departments", ListOf(Name(DEPARTMENT)), "由哪些部门审核", "whose officers review"),
        option("count", COUNT, "须几人同意", "how many must agree"),
        option("within_working_days", COUNT, "几个工作日内", "within how many working days"),
        option("never_own", FLAG, "需求部门的人不得审核", "nobody of the consumer's may review"),
    )
)
NEAR = Keys(
    (
        Key("rule", TEXT, "最接近的规则", "a near rule"),
        Key(
            "lacks",
            MapOf(TEXT, ListOf(TEXT, NONE)),
            "不符的条件 → 规则接受什么",
            "condition that is not met → what would have been accepted",
        ),
    )
)
_VALUES = MapOf(TEXT, PARAMETER, may_be_empty=True)
EXPECT = Keys(
    (
        Key("decision", OneWord(Verdict), "结论", "the verdict"),
        option("rules", ListOf(TEXT, NONE), "决定的规则", "the deciding rules"),
        option("reasons", ListOf(TEXT, NONE), "理由代码", "codes of the reasons"),
        option("missing", ListOf(TEXT, NONE), "缺的材料", "codes of the papers that are missing"),
        option("masks", MapOf(NAME, OneMask(), may_be_empty=True), "数据项 → 脱敏方式", "field → mask"),
        option("retain_days", COUNT, "最多保存天数", "days the data may be kept"),
        option("acknowledge_hours", COUNT, "确认收到的时限", "hours to acknowledge in"),
        option("duties", ListOf(TEXT, NONE), "义务", "duties"),
        option("commitments", ListOf(TEXT, NONE), "责任状", "use commitments"),
        option("rows_per_call", COUNT, "每次最多行数", "rows in one call"),
        option("minimum_group_size", COUNT, "最小人数", "the smallest group"),
        option("matches_per_day", COUNT, "每人每日比对次数", "comparisons of one subject a day"),
        option("k_anonymity", K_ANONYMITY, "k-匿名", "k-anonymity"),
        option("aggregate", AGGREGATE, "只给汇总", "totals only"),
        option("row_scopes", ListOf(_VALUES, NONE), "行的范围", "which rows"),
        option("quotas", _VALUES, "额度", "quotas"),
        option("reviews", ListOf(REVIEW, NONE), "审核", "who must review"),
        option(
            "near", ListOf(NEAR, NONE), "最接近的规则和差在哪里", "the nearest rules, and what is missing"
        ),
    )
)
SUSPENDED = Keys(
    (
        option("consumer", Name(DEPARTMENT), "需求部门", "a consumer"),
        option("dataset", Name(DATASET), "数据资源", "a dataset"),
        option("purpose", Name(PURPOSE), "使用场景", "a purpose"),
    )
)
CASE = Keys(
    (
        Key("id", SLUG, "用例编号，本文件内不重复", "the case's id, unique in the file"),
        Key("application", SLUG, "申请，见 applications", "an application, of those above"),
        Key("expect", EXPECT, "应有的结论", "what is expected"),
        option("with", CHANGES, "改动", "changes to the application"),
        option("without", ListOf(TEXT), "删去", "what is taken from the application"),
        option("at", TEXT, "时刻", "the instant"),
        option("suspended", SUSPENDED, "暂停共享的", "what is suspended; everything in place of it"),
    )
)
CASES = Keys(
    (
        Key("format", Constant("share-cases/v1"), "文件格式", "the file's format"),
        Key("at", TEXT, "时刻，形如 2026-11-23 10:30", "the instant, such as 2026-11-23 10:30"),
        Key("applications", MapOf(SLUG, CHANGES), "申请", "applications"),
        Key("cases", ListOf(CASE), "用例", "the cases"),
        option("zone", TEXT, "时区，默认为城市的", "time zone, by default the city's"),
        option("defaults", CHANGES, "各申请共有的", "what the applications have in common"),
        option("grants", MapOf(SLUG, GRANT), "共享授权", "grants"),
        option(
            "approvals",
            MapOf(SLUG, TEXT),
            "策略 → 预先审核同意到期的时刻；写了就要求每个策略都有",
            "policy → first instant at which its approval has expired; if given, every policy needs one",
        ),
    )
)

CASE_FILES = FileForm("cases/", CASES, "用例", "cases", optional=True)
