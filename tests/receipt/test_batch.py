"""How a batch judges its entries."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.journal import QuotaExceeded
from broker.model import Charge, Entry, EntryKind
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
