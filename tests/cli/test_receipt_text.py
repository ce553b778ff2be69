"""What statements say, in words: of every kind."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from broker.cli.receipt_text import lines
from broker.model import EntryKind
from tests.receipt.test_statement_schema import examples

DECIDED = {
    EntryKind.EXCHANGE,
    EntryKind.VALIDATION,
    EntryKind.STREAM_DECISION,
    EntryKind.STREAM_OUTCOME,
    EntryKind.REDELIVERED,
    EntryKind.DETOKENIZATION,
}
"""Kinds with a decision, which are told alike."""
EXAMPLES = [orjson.loads(statement) for statement in examples()]
ALL_ALIKE = {"kind", "recorded", "origin"}


def test_there_is_an_example_of_every_other_kind() -> None:
    """So that a new kind is told in words, too."""
    assert {said["kind"] for said in EXAMPLES} | DECIDED == set(EntryKind)


@pytest.mark.parametrize("said", EXAMPLES, ids=lambda said: said["kind"])
def test_a_statement_says_what_it_is_about(said: dict[str, Any]) -> None:
    """In both languages, with labels of its own beside those that every statement has."""
    for zh in (True, False):
        told = {label for _, label, text in lines(said, zh) if text}
        assert said["kind"] == EntryKind.GENESIS or told - ALL_ALIKE
    if said.get("reason"):
        assert any(text == said["reason"] for _, _, text in lines(said, zh=True))
