"""``fsck`` of deliveries: each that must be acknowledged is, or waits for it, as the leaves have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from broker.journal import Delivery
from broker.model import EntryKind
from broker.receipt.acknowledgements import delivery_of
from broker.receipt.finding import Finding, row_name
from broker.receipt.indexed import Indexed
from broker.store.rows import microseconds
from broker.store.snapshot import Row, Snapshot

SAID = frozenset(
    {
        EntryKind.ACKNOWLEDGEMENT,
        EntryKind.ACKNOWLEDGEMENT_DISPUTED,
        EntryKind.ACKNOWLEDGEMENT_MISSING,
    }
)
"""What is said of a delivery after it."""


class Deliveries:
    """Told of the statements in the order of the log; then :meth:`findings` compares the table ``delivery``.

    Holds those that wait, which are few where consumers do their duty.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._waiting: dict[int, Delivery] = {}

    def heard(self, index: int, said: Indexed) -> None:
        """Keeps deliveries until their acknowledgement; other statements are of none."""
        content = said.content
        if "acknowledge_by" in content:
            self._waiting[index] = Delivery(index, datetime.fromisoformat(content["acknowledge_by"]))
        elif said.kind is EntryKind.ACKNOWLEDGEMENT:
            self._waiting.pop(delivery_of(content), None)
        elif said.kind is EntryKind.ACKNOWLEDGEMENT_DISPUTED:
            known = self._known(delivery_of(content))
            self._waiting[known.leaf_index] = replace(known, disputed=index)
        elif said.kind is EntryKind.ACKNOWLEDGEMENT_MISSING:
            known = self._known(delivery_of(content), datetime.fromisoformat(content["due_at"]))
            self._waiting[known.leaf_index] = replace(known, missing=index)

    def _known(self, leaf_index: int, due_at: datetime | None = None) -> Delivery:
        return self._waiting.get(leaf_index) or Delivery(leaf_index, due_at)

    def findings(self, *, erased: bool) -> Iterator[Finding]:
        """Rows that the leaves contradict and, unless one of :data:`SAID` was ``erased``, missing rows."""
        for row in self._snapshot.rows("delivery"):
            known = self._waiting.pop(row["leaf_index"], None)
            if known is None and not self._is_erased(row["leaf_index"]):
                zh, en = "所指存证不在等待确认", "is of no delivery that waits to be acknowledged"
                yield Finding("delivery", _name(row["leaf_index"]), "", zh, en)
            elif known is not None:
                for column in _wrong(row, known, erased=erased):
                    zh, en = "与有关此次交付的存证不一致", "contradicts the leaves about the delivery"
                    yield Finding("delivery", _name(row["leaf_index"]), column, zh, en)
        for leaf_index in () if erased else sorted(self._waiting):
            zh, en = "缺失：此次交付仍待确认", "is missing: the delivery still waits to be acknowledged"
            yield Finding("delivery", _name(leaf_index), "", zh, en)

    def _is_erased(self, index: Any) -> bool:
        leaves = self._snapshot.leaves(index, index + 1) if isinstance(index, int) else []
        return any(leaf["content"] is None for leaf in leaves)


def _wrong(row: Row, known: Delivery, *, erased: bool) -> Iterator[str]:
    due_at = None if known.due_at is None else microseconds(known.due_at)
    if row["due_at"] != due_at:
        yield "due_at"
    for name in ("missing", "disputed"):
        told = getattr(known, name)
        if row[name] != told and not (told is None and erased):
            yield name


def _name(leaf_index: object) -> str:
    return row_name({"leaf_index": leaf_index})
