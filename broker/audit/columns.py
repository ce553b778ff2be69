"""A statement as columns of a table, for people and their spreadsheets: told from the statement alone.

A statement of a kind or form that is unknown here gives what members it has; the others are empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

Value = str | int | bool | datetime | list[str] | None
TEXT, WHOLE, TRUTH, TEXTS = pa.string(), pa.int64(), pa.bool_(), pa.list_(pa.string())
TIME = pa.timestamp("us", "UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table."""

    name: str
    zh: str
    type: pa.DataType
    read: Callable[[Mapping[str, Any]], object]
    """From a statement; what is not of ``type`` counts as nothing."""


def _at(*path: str) -> Callable[[Mapping[str, Any]], object]:
    def read(statement: Mapping[str, Any]) -> object:
        value: object = statement
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return read


def _tags(statement: Mapping[str, Any]) -> object:
    tags = statement.get("subject_tags")
    return len(tags) if isinstance(tags, list) else None


def reasons_of(statement: Mapping[str, Any]) -> list[str]:
    """Codes of all reasons in a statement: of the decision, what is missing, why a stream broke off."""
    decision, outcome = _at("decision")(statement), _at("outcome")(statement)
    said = [
        *_listed(_at("reasons")(decision) if isinstance(decision, dict) else None),
        *_listed(_at("missing")(decision) if isinstance(decision, dict) else None),
        *_listed(_at("reasons")(outcome) if isinstance(outcome, dict) else None),
    ]
    return [why["code"] for why in said if isinstance(why, dict) and isinstance(why.get("code"), str)]


COLUMNS = (
    Column("kind", "类别", TEXT, _at("kind")),
    Column("recorded_at", "时间", TIME, _at("recorded_at")),
    Column("consumer", "需求部门", TEXT, _at("consumer", "department")),
    Column("caller", "调用者", TEXT, _at("consumer", "uri")),
    Column("operator", "经办人", TEXT, _at("operator")),
    Column("case_no", "办件编号", TEXT, _at("case_no")),
    Column("service_item", "事项编码", TEXT, _at("service_item")),
    Column("purpose", "使用场景", TEXT, _at("purpose")),
    Column("legal_basis", "使用依据", TEXT, _at("legal_basis")),
    Column("provider", "提供部门", TEXT, _at("provider")),
    Column("dataset", "数据资源", TEXT, _at("dataset")),
    Column("fields", "数据项", TEXTS, _at("fields")),
    Column("subjects", "对象数", WHOLE, _tags),
    Column("verdict", "结论", TEXT, _at("decision", "verdict")),
    Column("rules", "规则", TEXTS, _at("decision", "rules")),
    Column("reasons", "理由", TEXTS, reasons_of),
    Column("status", "状态", TEXT, _at("outcome", "status")),
    Column("rows_read", "读出行数", WHOLE, _at("outcome", "rows", "read")),
    Column("rows_bad", "不合格行数", WHOLE, _at("outcome", "rows", "bad")),
    Column("rows_released", "提供行数", WHOLE, _at("outcome", "rows", "released")),
    Column("interrupted", "中断", TRUTH, _at("outcome", "interrupted")),
    Column("decision_leaf", "所属决定", WHOLE, _at("decision_leaf")),
    Column("of", "针对", WHOLE, _at("of")),
    Column("request_id", "请求号", TEXT, _at("request_id")),
)


def columns_of(statement: bytes) -> dict[str, Value]:
    """What the columns hold of a statement, by name; None for what it does not tell."""
    content = object_of(statement)
    return {column.name: _typed(column.type, column.read(content)) for column in COLUMNS}


def object_of(statement: bytes) -> dict[str, Any]:
    """The statement, or an empty object when it is none or was erased."""
    try:
        content = orjson.loads(statement)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def _typed(kind: pa.DataType, value: object) -> Value:
    if kind == TEXT and isinstance(value, str):
        return value
    if kind == TIME and isinstance(value, str):
        return _time(value)
    if kind == WHOLE and type(value) is int and abs(value) < 1 << 63:
        return value
    if kind == TRUTH and isinstance(value, bool):
        return value
    if kind == TEXTS and isinstance(value, list):
        return [each for each in value if isinstance(each, str)]
    return None


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
