"""How a batch judges its entries."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.journal import QuotaExceeded
from broker.model import Charge, Entry, EntryKind, Need
from broker.reasons import Reason
from broker.receipt.batch import Batch

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def entry(*charges: Charge) -> Entry:
    return Entry(EntryKind.EXCHANGE, b"{}", NOW, charges=charges)


def test_an_entry_with_one_charge_too_much_is_charged_nothing() -> None:
    """Charges of an entry settle together or not at all, two on one counter included."""
    batch = Batch(0, 1, NOW, {}, {"a": 1})
    with pytest.raises(QuotaExceeded) as caught:
        batch.admit(entry(Charge("a", 9, 1), Charge("b", 5, 3), Charge("b", 5, 3)), rows=0)
    assert caught.value.charge.counter == "b"
    assert (batch.used, batch.leaves) == ({"a": 1}, [])


@given(st.lists(st.integers(0, 5)), st.integers(0, 20))
def test_a_quota_is_used_up_to_its_limit_and_never_beyond(rows: list[int], limit: int) -> None:
    """Whatever the order of amounts, each is admitted exactly when it still fits."""
    batch = Batch(7, 1, NOW, {}, {})
    admitted = 0
    for amount in rows:
        try:
            batch.admit(entry(Charge("rows/x", limit)), amount)
        except QuotaExceeded:
            assert admitted + amount > limit
        else:
            admitted += amount
    assert batch.used.get("rows/x", 0) == admitted <= limit
    assert [leaf.index for leaf in batch.leaves] == list(range(7, 7 + len(batch.leaves)))


def needing(dataset: str) -> Entry:
    need = Need("tax", dataset, "p", ("a",), Reason.DATASET_UNKNOWN)
    return replace(entry(Charge("needs/tax/2026-11-23", 2, 1)), need=need)


def test_new_needs_are_limited_and_those_on_record_are_not() -> None:
    """A need is charged when it is entered; asked for again it is only counted, in this batch or later."""
    batch = Batch(0, 1, NOW, {}, {}, needs={needing("known").need.key})  # type: ignore[union-attr]
    for dataset in ("known", "one", "two", "one", "known"):
        batch.admit(needing(dataset), rows=0)
    with pytest.raises(QuotaExceeded):
        batch.admit(needing("three"), rows=0)
    assert (batch.used, len(batch.leaves)) == ({"needs/tax/2026-11-23": 2}, 5)
    assert needing("three").need.key not in batch.needs  # type: ignore[union-attr]
