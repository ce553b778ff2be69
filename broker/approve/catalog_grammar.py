"""The grammar of the catalog's files; continued from :mod:`broker.approve.grammar`."""

from __future__ import annotations

from enum import StrEnum

from broker.approve.problem import (
    CATEGORY,
    DEPARTMENT,
    DOMAIN,
    FIELD,
    FORMAT,
    FORMAT_OR_TYPE,
    LEVEL,
    OPERATOR,
    PURPOSE,
)
from broker.approve.shapes import (
    COUNT,
    DAY,
    DAYS,
    DURATION,
    FLAG,
    ITEM_CODE,
    NAME,
    REGION,
    SLUG,
    SYSTEM_NAME,
    TERM,
    TEXT,
    TRUST_DOMAIN,
    YEAR,
    ZONE,
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
from broker.model import DepartmentKind, FieldType, SharingAttribute, Signer


class SharingMode(StrEnum):
    """共享方式: service call, batch exchange, file download."""

    API = "api"
    BATCH = "batch"
    FILE = "file"


CATALOG_FIELD = Keys(
    (
        Key("title", TEXT, "名称", "title"),
        Key("type", OneWord(FieldType), "类型", "type"),
        option("format", Name(FORMAT), "格式，逐行检查", "format, checked on every row"),
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
        option(
            "provisional",
            FLAG,
            "true：通知未发布，只列法定节假日；期限照算，标明待定",
            "true: no notice yet, only statutory days; limits are computed and called provisional",
        ),
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
STAGES = Keys(
    (
        Key("conformity", COUNT, "主管部门符合性审查", "the authority's conformity check"),
        Key("answer", COUNT, "提供部门答复", "the provider's answer after it"),
    )
)
JURISDICTION = Keys(
    (
        option("unconditional_reply", COUNT, "无条件共享的答复", "answer about unconditional data"),
        option("conditional_reply", COUNT, "有条件共享的答复", "answer about conditional data"),
        option(
            "stages",
            STAGES,
            "有条件共享分两段：主管部门先审查，提供部门再答复",
            "conditional data in two parts: the authority checks, then the provider answers",
        ),
        option("extension", COUNT, "最多延长", "the one extension, at most"),
        option("delivery", COUNT, "同意后提供数据", "delivery after consent"),
        option("correction", COUNT, "校核答复", "answer to a reported error"),
        option("catalog_update", COUNT, "目录更新", "a changed catalog entry"),
        option("catalog_update_extension", COUNT, "目录更新最多延长", "the extension of that, at most"),
        option("catalog_publication", COUNT, "目录审核并发布", "review and publication of the entry"),
        option("supplement", COUNT, "补正材料；不写则不限", "missing papers; no limit when absent"),
        option(
            "remind_before",
            ListOf(COUNT),
            "到期前几个工作日提醒，默认 [3, 1]",
            "reminders so long before a limit, [3, 1] by default",
        ),
    )
)
TIME_LIMITS = Keys(
    (
        Key("format", Constant("share-limits/v1"), "文件格式", "the file's format"),
        Key(
            "jurisdictions",
            MapOf(REGION, JURISDICTION),
            "区划代码 → 办理时限（工作日），不得长于国家规定",
            "GB/T 2260 code → its limits in working days, never longer than the national ones",
        ),
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
MASKING_PROFILE = Keys(
    (
        Key("treatments", MapOf(NAME, OneMask()), "做法 → 脱敏方式", "word → mask"),
        option(
            "levels",
            MapOf(Name(LEVEL), NAME),
            "分级 → 至少须用的做法",
            "level → the least treatment of its fields",
        ),
    )
)
MASKING_PROFILES = Keys(
    (
        Key("format", Constant("share-masking-profiles/v1"), "文件格式", "the file's format"),
        Key(
            "profiles",
            MapOf(Name(FORMAT_OR_TYPE), MASKING_PROFILE),
            "格式或类型 → 此类数据项的方案",
            "format or type → how such fields are masked",
        ),
    )
)
COMMITMENT = Keys(
    (
        Key("format", Constant("share-commitment/v1"), "文件格式", "the file's format"),
        Key("id", SLUG, "模板编号，与文件名相同", "the template's id, as the file is named"),
        Key("version", COUNT, "版本，改动文字即加一", "its version, one more with each change of the text"),
        Key("owner", Name(DEPARTMENT), "制定模板的部门", "the department that makes it"),
        Key("title", TEXT, "标题", "title"),
        Key("text", TEXT, "正文，空格写作 {dataset}", "the text, with blanks such as {dataset}"),
        Key("duties", ListOf(TEXT), "责任，逐条", "the duties, one by one"),
        option("title_en", TEXT, "英文标题", "title in English"),
        option("text_en", TEXT, "英文正文", "the text in English"),
        option("duties_en", ListOf(TEXT), "英文责任", "the duties in English"),
        option(
            "signer",
            OneWord(Signer),
            "由谁签：system 系统（默认），officer 管理员",
            "who signs: a system (by default), or an officer",
        ),
        option(
            "valid_days",
            TERM,
            "可一次签署、多次使用的最多天数；不写则逐次签署",
            "days that one may stand for all calls; else one is signed for each",
        ),
        option("retain_days", TERM, "空格 {retain_days} 的天数", "what fills {retain_days}"),
    )
)
LINK_DOMAIN = Keys(
    (
        Key("field_domain", Name(DOMAIN), "哪个假名域", "the field domain whose tokens join"),
        Key("providers", ListOf(Name(DEPARTMENT)), "哪些提供部门的数据", "whose data"),
        option("consumers", ListOf(Name(DEPARTMENT)), "哪些需求部门之间可关联", "consumers that may join"),
        option("purposes", ListOf(Name(PURPOSE)), "哪些使用场景之间可关联", "purposes that may be joined"),
        Key("legal_basis", TEXT, "依据", "the law that it rests on"),
        Key("until", DAY, "最后一天，含当日", "its last day"),
    ),
    at_least_one=("consumers", "purposes"),
)
LINK_DOMAINS = Keys(
    (
        Key("format", Constant("share-link-domains/v1"), "文件格式", "the file's format"),
        Key("link_domains", MapOf(NAME, LINK_DOMAIN), "关联域 → 范围", "link domain → what it joins"),
    )
)
