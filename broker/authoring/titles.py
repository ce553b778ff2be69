"""What each code of the reader's problems stands for, as in ``docs/policy-format.md`` (a test compares)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from broker.approve.problem import Code

TITLES: Mapping[Code, tuple[str, str]] = MappingProxyType(
    {
        Code.FILE_MISSING: ("缺少必需的文件", "a required file is not there"),
        Code.FILE_UNREADABLE: ("文件无法读取", "a file cannot be read"),
        Code.FILE_UNEXPECTED: (
            "文件放错位置或后缀不对，不会被读取",
            "a file in the wrong place or with the wrong ending",
        ),
        Code.NOT_UTF8: ("不是 UTF-8 编码", "not UTF-8"),
        Code.SYNTAX: ("YAML 语法有误", "not valid YAML"),
        Code.SEVERAL_DOCUMENTS: ("一个文件里有多份文档（`---`）", "several documents in one file"),
        Code.EMPTY_DOCUMENT: ("文件没有内容", "nothing in the file"),
        Code.TOO_DEEP: ("嵌套过深", "nested too deeply"),
        Code.TAB: ("用了制表符", "a tab"),
        Code.FULL_WIDTH: ("用全角标点作分隔符", "full-width punctuation used to separate"),
        Code.CURLY_QUOTE: ("用中文引号作引号", "typographic quotes used to quote"),
        Code.INVISIBLE_CHARACTER: (
            "含不可见字符、全角空格，或首尾空格",
            "an invisible character, a full-width space, or spaces at an end",
        ),
        Code.SEVERAL_LINES: ("不加引号的文字跨行", "unquoted text over several lines"),
        Code.ANCHOR: ("用了锚点或别名", "an anchor or alias"),
        Code.TAG: ("用了类型标签", "a tag"),
        Code.MERGE: ("用了合并键", "a merge key"),
        Code.DUPLICATE_KEY: ("同一处有两个相同的键", "a key written twice"),
        Code.UNKNOWN_KEY: ("此处没有这个键", "no such key here"),
        Code.MISSING_KEY: ("缺少必需的键", "a required key is missing"),
        Code.EXPECTED_MAPPING: ("此处须为“键: 值”", "a mapping is expected"),
        Code.EXPECTED_LIST: ("此处须为列表", "a list is expected"),
        Code.EXPECTED_TEXT: ("此处须为文字", "text is expected"),
        Code.EMPTY_LIST: ("列表为空", "an empty list"),
        Code.EMPTY_VALUE: ("值为空", "an empty value"),
        Code.DUPLICATE_VALUE: ("列表中有重复", "a value listed twice"),
        Code.BAD_ID: ("编号不合规", "an id of the wrong form"),
        Code.BAD_BOOLEAN: ("只能写 `true` 或 `false`", "neither `true` nor `false`"),
        Code.BAD_COUNT: ("须为 1 以上的整数", "not a whole number of at least 1"),
        Code.BAD_DATE: ("不是存在的日期", "not an existing day"),
        Code.BAD_DURATION: ("不是 ISO 8601 时长", "not an ISO 8601 duration"),
        Code.BAD_PERIOD: ("截止早于起始", "ends before it begins"),
        Code.BAD_REGION: ("不是六位行政区划代码", "not a GB/T 2260 code"),
        Code.BAD_ZONE: ("没有此时区", "no such time zone"),
        Code.BAD_HOURS: ("不是时段，或止不晚于起", "not hours of the day, or they end before they begin"),
        Code.CONFLICTING_KEYS: ("只能写其一的键写了两个", "two keys of which only one may be written"),
        Code.UNKNOWN_WORD: ("此处不能取这个值", "not one of the values possible here"),
        Code.UNKNOWN_DEPARTMENT: ("没有此部门", "no such department"),
        Code.UNKNOWN_DATASET: ("没有此数据资源", "no such dataset"),
        Code.UNKNOWN_FIELD: ("没有此数据项", "no such field"),
        Code.UNKNOWN_PURPOSE: ("没有此使用场景", "no such purpose"),
        Code.UNKNOWN_FORMAT: ("没有此格式", "no such format"),
        Code.UNKNOWN_LEVEL: ("没有此分级", "no such level"),
        Code.UNKNOWN_GROUP: ("没有此部门组", "no such group of departments"),
        Code.UNKNOWN_CATEGORY: ("没有此数据分类", "no such category"),
        Code.UNKNOWN_OPERATOR: ("没有此脱敏方式", "no such masking operator"),
        Code.UNKNOWN_DOMAIN: ("没有此假名域", "no field has this field domain"),
        Code.UNKNOWN_COMMITMENT: ("没有此责任状模板", "no such commitment template"),
        Code.UNKNOWN_VARIABLE: ("表达式里没有此变量", "no such variable in an expression"),
        Code.ENTERPRISE_REFUSED: ("企业不能参与", "an enterprise may not take part"),
        Code.WRONG_FILE_NAME: (
            "文件名与其中的部门或编号不符",
            "the file is not named after the department or id in it",
        ),
        Code.BASIS_MISSING: (
            "有条件共享未写条件，或不予共享未引用法律",
            "conditions not stated, or no law cited",
        ),
        Code.WRONG_FIELD_TYPE: ("数据项类型不适合此用途", "a field of the wrong type for this use"),
        Code.SUBJECT_FORMAT: ("查询对象的数据项格式不符", "a subject field of another format"),
        Code.CATALOG_CODE_REPEATED: ("本部门目录代码重复", "a catalog code used twice in one department"),
        Code.TWO_SOURCES: ("一个数据项有两个来源部门", "two source departments for one data item"),
        Code.RESERVED_LEVEL: (
            "重要、核心不列入城市的分级",
            "important and core are not listed among the levels",
        ),
        Code.REGION_OUTSIDE: (
            "系统的区划不在部门的区划之内",
            "a system's region is not within its department's",
        ),
        Code.LINK_EMPTY: ("关联域没有列出可关联的两方", "a link domain that joins nothing"),
        Code.LINKS_OVERLAP: ("两个关联域有重叠", "two link domains about one exchange"),
        Code.BAD_BLANK: (
            "责任状模板里的空格无从填写",
            "a blank of a commitment template that nothing fills",
        ),
        Code.COMMITMENT_TOO_LONG: ("责任状模板过长", "a commitment template that is too long"),
        Code.BAD_CALENDAR: (
            "日历的日期不属于该年，或调休日不是周末",
            "a day of another year, or a make-up day that is no weekend",
        ),
        Code.LIMIT_TOO_LONG: (
            "办理时限长于上级或国家的规定",
            "a time limit longer than the wider jurisdiction's or the national one",
        ),
        Code.DUPLICATE_POLICY: ("策略编号重复", "a policy id used twice"),
        Code.DUPLICATE_RULE: ("规则编号重复", "a rule id used twice"),
        Code.NOT_THE_PROVIDER: (
            "不是提供部门，不能制定此规则",
            "only the provider makes rules for a dataset",
        ),
        Code.SCOPE_TOO_HIGH: ("策略层级高于制定部门", "a scope above the owner's own"),
        Code.CONSENT_MISSING: (
            "有条件共享的许可未写双方同意",
            "a permit of a conditional dataset without consent",
        ),
        Code.NOBODY: ("没有部门符合，或没有主管部门", "nobody fits who is written"),
        Code.NOTHING: ("没有数据资源或数据项符合", "no dataset or field fits what is written"),
        Code.DATASET_WITHHELD: ("不予共享的数据资源不能许可", "a withheld dataset cannot be permitted"),
        Code.FIELD_NOT_SHARED: (
            "不对外共享的数据项不能许可",
            "a field with `shared: false` cannot be permitted",
        ),
        Code.FIELD_CORE: ("核心数据不能许可", "a core field cannot be permitted"),
        Code.FIELD_OUTSIDE_RULE: (
            "规则未列出要脱敏的数据项",
            "a mask for a field that the rule does not name",
        ),
        Code.REGION_MISSING: (
            "目录未写 `region`，不能按辖区限定",
            "a row scope without a `region` in the catalog",
        ),
        Code.GRID_MISSING: ("目录未写 `grid`，不能按网格限定", "a row scope without a `grid` in the catalog"),
        Code.NO_CALENDAR: (
            "没有 `calendar.yaml`，不知道哪天是工作日",
            "working days without `calendar.yaml`",
        ),
        Code.BAD_MASK: ("脱敏方式或参数不可用", "a mask that cannot be applied"),
        Code.BAD_EXPRESSION: ("表达式写法有误", "an expression that is none"),
        Code.EXPRESSION_TOO_LONG: ("表达式超过 512 个字符", "an expression of more than 512 characters"),
        Code.EXPRESSION_MACRO: (
            "表达式用了宏（`has` `all` `exists` `map` `filter`…）",
            "an expression with a macro",
        ),
        Code.EXPRESSION_NOT_BOOLEAN: ("表达式的结果不是真或假", "an expression that is not true or false"),
    }
)
"""Code → title in Chinese and English."""
