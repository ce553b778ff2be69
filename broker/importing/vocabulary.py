"""What a column's name says: the data item it usually is, how sensitive, and how it is usually masked.

Names come as Chinese headers (``男方身份证号``), as initials of their pinyin in old systems (``sfzh``) and in
English (``id_card``). What no word explains counts as personal: of two readings the careful one is drafted.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum


class Care(IntEnum):
    """How careful one must be, whatever the city calls its levels (GB/T 45574-2025 for SENSITIVE)."""

    PUBLIC = 0
    INTERNAL = 1
    PERSONAL = 2
    SENSITIVE = 3

    def level(self, levels: Collection[str]) -> str:
        """The corresponding one of ``levels``, which ascend.

        Persons get the two highest of three and more, or the higher of two.
        """
        ordered = tuple(levels)
        highest = len(ordered) - 1
        personal = highest - 1 if highest > 1 else highest
        internal = min(1, personal) if highest > 1 else 0
        return ordered[(0, internal, personal, highest)[self]]


@dataclass(frozen=True, slots=True)
class Word:
    """One kind of column. ``format`` is what its values should have; ``mask`` is YAML of an operator."""

    field: str
    care: Care
    mask: str = ""
    format: str = ""
    is_code: bool = False
    """Digits of it are no number, leading zeros count."""


TRUTH, DATE, AMOUNT = "yes or no", "date or time", "amount"
"""Kinds of value beside the formats of :mod:`broker.formats`, for :attr:`Word.format`."""

_FIRST_AND_LAST = "{partial: {keep_start: 1, keep_end: 1}}"
_WORDS: tuple[tuple[str, Word], ...] = (
    (
        "更新时间|更新日期|修改时间|修改日期|变更时间|数据时间|数据日期|gxsj|gxrq|xgsj|update|modif|last_",
        Word("updated_at", Care.PUBLIC, "", DATE),
    ),
    ("序号|行号|^xh$|^seq|^row", Word("row_no", Care.PUBLIC)),
    ("^是否|^有无|^sf(?!z(?:h|j|$))|^is_|^has_|flag$", Word("flag", Care.PERSONAL, "", TRUTH)),
    (
        "疾病|病种|病历|诊断|残疾|健康|血型|体检|遗传|传染|disease|diagnos|disab|health",
        Word("health", Care.SENSITIVE, "{redact: {}}"),
    ),
    ("宗教|信仰|政治面貌|党员|religion|politic", Word("belief", Care.SENSITIVE, "{redact: {}}")),
    ("犯罪|前科|处罚|违法|吸毒|刑|crim", Word("offence", Care.SENSITIVE, "{redact: {}}")),
    ("照片|头像|指纹|人脸|虹膜|声纹|photo|face|finger", Word("biometric", Care.SENSITIVE, "{redact: {}}")),
    (
        "银行卡|卡号|银行账|银行帐|开户账|yhkh|yhzh|bank_?(?:card|account)|card_?no",
        Word("bank_card", Care.SENSITIVE, "{partial: {keep_start: 0, keep_end: 4}}", "bank_card", True),
    ),
    (
        "身份证|身份号|公民身份|证件号|社会保障号|社保号|sfz(?!z)|zjhm|shbzh|id_?card|id_?no|resident_?id|identity",
        Word("resident_id", Care.PERSONAL, "{pseudonym: {}}", "resident_id", True),
    ),
    (
        "信用代码|信用码|xydm|uscc|credit_?code",
        Word("uscc", Care.INTERNAL, "", "uscc", True),
    ),
    ("组织机构代码|机构代码|zzjgdm", Word("organisation_code", Care.INTERNAL, "", "organisation_code", True)),
    (
        "手机|移动电话|联系电话|联系方式|电话|sjh|lxdh|lxfs|mobile|phone|^tel",
        Word("mobile", Care.PERSONAL, "{partial: {keep_start: 3, keep_end: 4}}", "mobile", True),
    ),
    ("邮政编码|邮编|yzbm|postal|zip", Word("postal_code", Care.INTERNAL, "", "postal_code", True)),
    ("邮箱|email|e_mail", Word("email", Care.PERSONAL, "{redact: {}}")),
    ("性别|^xb$|gender|^sex$", Word("sex", Care.INTERNAL, "", "gender", True)),
    ("民族|籍贯|国籍|nation|ethnic", Word("origin", Care.PERSONAL, "{redact: {}}")),
    ("出生|生日|csrq|csny|birth|^born", Word("born_on", Care.PERSONAL, "{year: {}}", DATE)),
    ("年龄|^nl$|^age$", Word("age", Care.PERSONAL, "{redact: {}}")),
    (
        "区划|行政区|辖区|所属区|所在区|所属县|xzqh|qhdm|^qh$|region|district",
        Word("district", Care.PUBLIC, "", "region", True),
    ),
    (
        "地址|住址|住所|坐落|户籍地|居住地|现住|经度|纬度|坐标|address|^dz$|dz$|^zz$",
        Word("address", Care.PERSONAL, "{truncate: {keep: 6}}", "address"),
    ),
    ("登记日期|登记时间|注册日期|djrq|djsj|regist", Word("registered_on", Care.INTERNAL, "", DATE)),
    ("创建|录入|cjsj|create", Word("created_at", Care.INTERNAL, "", DATE)),
    ("日期|时间|年月|rq$|sj$|_on$|_at$|date|time", Word("day", Care.INTERNAL, "", DATE)),
    (
        "纳税人识别号|税号|nsrsbh",
        Word("taxpayer_no", Care.PERSONAL, "{pseudonym: {}}", is_code=True),
    ),
    (
        "金额|收入|工资|薪|余额|补助|补贴|津贴|救助金|养老金|保险金|公积金|保障金|税|费|价|元|amount|income|"
        "salary|balance|pension|price|fee|^je$|je$|ye$",
        Word("amount", Care.SENSITIVE, "{predicate: {op: ge, value: 1}}", AMOUNT),
    ),
    (
        "姓名|名字|xm$|^name$|_name$|户主$|当事人$|申请人$|监护人$|权利人$|法定代表人$",
        Word("name", Care.PERSONAL, "{partial: {keep_start: 1}}", "name"),
    ),
    ("学生|学籍|儿童|未成年|student|child", Word("minor", Care.SENSITIVE, "{redact: {}}")),
    ("婚姻|hyzk|marri|marital", Word("marital_status", Care.PERSONAL)),
    ("备注|说明|意见|原因|^bz$|remark|note|comment", Word("remark", Care.SENSITIVE, "{redact: {}}")),
    ("状态|zt$|status|state", Word("status", Care.INTERNAL)),
    ("类型|类别|种类|等级|级别|lx$|lb$|type|class|grade", Word("kind", Care.INTERNAL, is_code=True)),
    (
        "单位|企业|公司|机构|部门|学校|医院|名称|mc$|company|organi[sz]ation|office",
        Word("organisation", Care.INTERNAL),
    ),
    (
        "编号|证号|号码|案号|档案|户号|账号|帐号|代码|号$|bh$|dm$|hm$|(?:^|_)(?:no|code|id|number)$",
        Word("number", Care.PERSONAL, _FIRST_AND_LAST, is_code=True),
    ),
    ("年度|年份|nd$|^year", Word("year", Care.INTERNAL)),
    ("人数|次数|数量|个数|面积|count|area|sl$|mj$", Word("quantity", Care.INTERNAL, "", AMOUNT)),
)
MASKS = {word.format: word.mask for _, word in reversed(_WORDS) if word.format and word.mask}
"""The usual mask by what the values are."""
_COMPILED = tuple((re.compile(pattern), word) for pattern, word in _WORDS)
UNKNOWN = Word("", Care.PERSONAL)
YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Texts that some reader of YAML takes for something else."""

_PARTIES = (
    ("男方|丈夫|^nan_", "husband"),
    ("女方|妻子|^nv_", "wife"),
    ("配偶|爱人|^po_|spouse", "spouse"),
    ("父亲|father", "father"),
    ("母亲|mother", "mother"),
    ("监护人|guardian", "guardian"),
    ("新生儿|子女|儿童|孩子|child", "child"),
    ("户主", "head"),
    ("申请人|applicant", "applicant"),
    ("权利人|owner", "owner"),
    ("法定代表人|法人代表|法人", "legal_representative"),
    ("经办人|operator", "operator"),
)
_WHOSE = tuple((re.compile(pattern), party) for pattern, party in _PARTIES)
_ASCII_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ -]*")


def word_for(column: str) -> Word:
    """What a column of this name usually is; :data:`UNKNOWN` when no word explains it.

    Of a name over several header rows (``申请人_是否在职``) the last part says what it is.
    """
    names = [column] if column.isascii() else [column.rpartition("_")[2], column]
    found = (word for name in names for pattern, word in _COMPILED if pattern.search(name.lower()))
    return next(found, UNKNOWN)


def field_id(column: str, number: int, word: Word, taken: Collection[str]) -> str:
    """A free id for the data item: the column's own name where that can be one, else what the word says,
    else its place (``number``, from 1)."""
    if _ASCII_NAME.fullmatch(column):
        base = re.sub("[ -]+", "_", column.lower())
    else:
        party = next((party for pattern, party in _WHOSE if pattern.search(column)), "")
        base = "_".join(part for part in (party, word.field) if part) if word.field else f"field_{number}"
    if base in YAML_WORDS:
        base = f"field_{base}"
    free, repeat = base, 1
    while free in taken:
        repeat += 1
        free = f"{base}_{repeat}"
    return free
