"""The grammar of a mask plan (``share-mask-plan/v1``): what may be written in the file."""

from __future__ import annotations

from enum import StrEnum

from broker.approve.problem import DATASET, FIELD, FORMAT
from broker.approve.shapes import (
    COUNT,
    NAME,
    TEXT,
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
from broker.model import Below, FieldType

AS_IS, DROP = "as_is", "drop"
"""Words in place of a mask: released as it is; read, as the subject must be, but not released."""


class BadValues(StrEnum):
    """What becomes of a value that is not of its field's type or format."""

    EMPTY = "empty"
    """It becomes null, and is counted."""
    REFUSE = "refuse"
    """The whole run is refused."""


class Encoding(StrEnum):
    """Of CSV files."""

    UTF8 = "utf8"
    GB18030 = "gb18030"
    """GBK and GB 2312 are parts of it."""


FIELD_OF_PLAN = Keys(
    (
        option(
            "type", OneWord(FieldType), "类型；写了 dataset 的取自目录", "type; the catalog's with dataset"
        ),
        option("format", Name(FORMAT), "格式，逐个检查", "format, checked on every value"),
        option("level", TEXT, "分级", "classification level"),
        option(
            "domain", TEXT, "假名域，默认为格式名或数据项名", "equal values of one domain get equal tokens"
        ),
        option("column", TEXT, "文件的列名，默认同名", "the file's column, by default of the same name"),
        Key(
            "mask",
            OneMask(or_word=True),
            "脱敏方式；as_is 原样，drop 只读不给",
            "mask; as_is, or drop: read, not given",
        ),
    )
)
GATE = Keys(
    (
        Key("quasi_identifiers", ListOf(Name(FIELD)), "准标识符", "fields that together may single out"),
        Key("k", COUNT, "每组至少几行", "rows that each class must have"),
        option(
            "below", OneWord(Below), "不足时：suppress 删去（默认）或 refuse", "suppress (default) or refuse"
        ),
    )
)
PLAN = Keys(
    (
        Key("format", Constant("share-mask-plan/v1"), "文件格式", "the file's format"),
        Key("provider", NAME, "提供部门", "department whose data they are"),
        Key("consumer", NAME, "需求部门", "department that gets them"),
        Key("purpose", NAME, "使用场景", "what for"),
        option("policies", TEXT, "策略文件夹，从本文件所在处起", "folder of policies, from this file on"),
        option("dataset", Name(DATASET), "目录中的数据资源", "a dataset of its catalog"),
        option("zone", ZONE, "无时差的时间所在时区", "zone of times without offset"),
        option(
            "bad_values",
            OneWord(BadValues),
            "不合类型的值：empty（默认）或 refuse",
            "empty (default) or refuse",
        ),
        option(
            "encoding",
            OneWord(Encoding),
            "CSV 编码：utf8（默认）或 gb18030",
            "of CSV: utf8 (default), gb18030",
        ),
        option("subject", Name(FIELD), "每行所关于的人", "field that says whom a row is about"),
        option("k_anonymity", GATE, "k-匿名门槛", "gate of k-anonymity"),
        Key(
            "fields", MapOf(NAME, FIELD_OF_PLAN), "数据项；未列的列不给出", "fields; no other column is given"
        ),
    )
)
