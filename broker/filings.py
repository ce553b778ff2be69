"""A filed application as it is kept: canonical JSON, whose digest the log has, and back.

Every member of :class:`~broker.model.FiledApplication` stands in it under its own name, so that one which is
added later needs nothing here; one that a record of before lacks has its default.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson

from broker.model import FiledApplication
from broker.reasons import Reason


def dumped(filed: FiledApplication) -> bytes:
    """The record: UTF-8 JSON with sorted keys; times are RFC 3339, bytes hexadecimal. Of the last step it
    lacks the leaf, which names the record by its digest."""
    if filed.steps:
        filed = replace(filed, steps=(*filed.steps[:-1], replace(filed.steps[-1], receipt=None)))
    return orjson.dumps(_plain(filed), option=orjson.OPT_SORT_KEYS)


def loaded(record: bytes, receipt: int | None = None) -> FiledApplication:
    """The application of a record; ``receipt`` is the leaf of its last step.

    Raises:
        KeyError, TypeError, ValueError: it is no such record.
    """
    filed: FiledApplication = _made(FiledApplication, orjson.loads(record))
    if receipt is None or not filed.steps:
        return filed
    return replace(filed, steps=(*filed.steps[:-1], replace(filed.steps[-1], receipt=receipt)))


def digest(record: bytes) -> bytes:
    """What a leaf says of the record that it left: SHA-256."""
    return sha256(record).digest()


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case bytes():
            return value.hex()
        case frozenset():
            return sorted(value)
        case tuple():
            return [_plain(one) for one in value]
        case _ if dataclasses.is_dataclass(value):
            return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def _made(kind: Any, value: Any) -> Any:
    """``value``, as JSON has it, as the type that ``kind`` is."""
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [one for one in get_args(kind) if one is not type(None)]
        return None if value is None else _made(kinds[0], value)
    if get_origin(kind) is tuple:
        return tuple(_made(get_args(kind)[0], one) for one in value)
    if get_origin(kind) is frozenset:
        return frozenset(value)
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is bytes:
        return bytes.fromhex(value)
    if issubclass(kind, StrEnum):
        return kind(value)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _made(hints[name], one) for name, one in value.items()})
    if not isinstance(value, kind):
        raise TypeError("not of the kind that the record says")
    return value


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind, localns={"Reason": Reason})
