"""The JSON Schema of statements, and whether all in a database are as it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
from jsonschema import Draft202012Validator

from broker.store.snapshot import open_snapshot

FILE = Path(__file__).parents[1] / "docs" / "receipt-statement.schema.json"
SCHEMA: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def wrong_in(statement: bytes) -> list[str]:
    """What the schema has against a statement; no value is repeated."""
    found = VALIDATOR.iter_errors(orjson.loads(statement))
    return [f"{error.json_path}: {error.validator} {error.schema_path}" for error in found]


def require_documented(url: str) -> None:
    """That every statement in a database is; of those that are built alike, one is looked at."""
    seen: set[object] = set()
    with open_snapshot(url) as snapshot:
        for row in snapshot.rows("statement"):
            shape = _shape(orjson.loads(row["content"]))
            if shape not in seen:
                seen.add(shape)
                assert wrong_in(row["content"]) == []
    assert seen


def _shape(value: Any, name: str = "") -> object:
    if isinstance(value, dict):
        return frozenset((key, _shape(each, key)) for key, each in value.items())
    if isinstance(value, list):
        return frozenset(_shape(each) for each in value)
    return value if name in ("kind", "act") else type(value)
