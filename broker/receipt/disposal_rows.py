"""``fsck`` of disposal: what waits for an order, and what came of each, as the leaves have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from broker.model import EntryKind
from broker.receipt.disposals import holding_of, ordered_of, retained_of, sets_of
from broker.receipt.finding import Finding, row_name
from broker.receipt.indexed import Indexed
from broker.store.rows import microseconds
from broker.store.snapshot import Row, Snapshot
from broker.store.tables import RETAINED

_KEY = tuple(column.name for column in RETAINED.primary_key)
_Key = tuple[object, ...]

MOST_LOOKED_AT = 1 << 12
"""Leaves that are looked at at a time."""


class Disposals:
    """Told of the statements in the order of the log; then :meth:`retained` and :meth:`orders` compare the
    tables of these names.

    Holds a row for each day of each consumer's holdings, and one for each order.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._waiting: dict[_Key, dict[str, int]] = {}
        """Key of a row → its other columns."""
        self._orders: dict[int, dict[str, object]] = {}
        """Order → the columns of its row."""

    def heard(self, index: int, said: Indexed) -> None:
        """Keeps deliveries until they are ordered, and orders with what came of them."""
        content = said.content
        if (retained := retained_of(content)) is not None:
            row = self._waiting.setdefault(
                _key(content, retained.dispose_by), {"first_leaf": index, "last_leaf": index, "deliveries": 0}
            )
            row["last_leaf"] = index
            row["deliveries"] += 1
        elif said.kind is EntryKind.DISPOSAL_ORDER:
            self._ordered(index, content)
        elif said.kind is EntryKind.DISPOSAL_CERTIFICATE:
            kept = sum(len(one["deliveries"]) for one in content["exceptions"])
            self._known(content).update(certificate=index, exceptions=kept)
        elif said.kind is EntryKind.DISPOSAL_MISSING:
            self._known(content).update(missing=index)

    def _known(self, content: Mapping[str, Any]) -> dict[str, object]:
        return self._orders.setdefault(content["of"], {})

    def _ordered(self, index: int, content: Mapping[str, Any]) -> None:
        disposal = ordered_of(content, index)
        of = disposal.of
        self._orders[index] = {
            "consumer": of.consumer,
            "provider": of.provider,
            "dataset": of.dataset,
            "purpose": of.purpose,
            "grant_number": of.grant,
            "cause": disposal.cause.value,
            "method": disposal.method.value,
            "deliveries": disposal.count,
            "ordered_at": microseconds(disposal.ordered_at),
            "due_at": microseconds(disposal.due_at),
            "certificate": None,
            "exceptions": 0,
            "missing": None,
        }
        for one in sets_of(content):
            key = _key(content, one.dispose_by)
            row = self._waiting.get(key)
            if row is not None and row["last_leaf"] > one.last:
                row["first_leaf"] = one.last + 1
                row["deliveries"] -= one.count
            else:
                self._waiting.pop(key, None)

    # ── the rows ─────────────────────────────────────────────────────────────────────────────────

    def retained(self) -> Iterator[Finding]:
        """Rows of ``retained`` that the leaves contradict, and those that are missing. Deliveries whose
        statement was erased may be among what a row counts."""
        for row in self._snapshot.rows("retained"):
            known = self._waiting.pop(tuple(row[name] for name in _KEY), None)
            name = row_name({name: row[name] for name in _KEY})
            if known is None:
                if row["deliveries"] != self._erased(row):
                    zh, en = "没有这样的待销毁交付", "is of no deliveries that wait for an order"
                    yield Finding("retained", name, "", zh, en)
                continue
            wrong = [column for column, value in known.items() if row[column] != value]
            if wrong and row["deliveries"] - known["deliveries"] == self._erased(row) > 0:
                continue
            for column in wrong:
                zh, en = "与有关这些交付的存证不一致", "contradicts the leaves about these deliveries"
                yield Finding("retained", name, column, zh, en)
        for key in self._waiting:
            zh, en = "缺失：这些交付尚待销毁指令", "is missing: the deliveries still wait for an order"
            yield Finding("retained", row_name(dict(zip(_KEY, key, strict=True))), "", zh, en)

    def orders(self) -> Iterator[Finding]:
        """Rows of ``disposal`` that the leaves contradict, and those that are missing."""
        for row in self._snapshot.rows("disposal"):
            index = row["leaf_index"]
            known = self._orders.pop(index, {})
            if not known and not self._is_erased(index):
                zh, en = "没有这份销毁指令", "is of no order"
                yield Finding("disposal", row_name({"leaf_index": index}), "", zh, en)
            for column, value in known.items():
                if row[column] != value and not self._hidden(column, row, value):
                    zh, en = "与有关此指令的存证不一致", "contradicts the leaves about the order"
                    yield Finding("disposal", row_name({"leaf_index": index}), column, zh, en)
        for index in self._orders:
            zh, en = "缺失：有这份销毁指令的存证", "is missing: there is such an order"
            yield Finding("disposal", row_name({"leaf_index": index}), "", zh, en)

    def _hidden(self, column: str, row: Row, value: object) -> bool:
        """Whether what the row says may be said by a statement that was erased."""
        leaf = row["certificate"] if column == "exceptions" else row[column]
        return column in ("certificate", "exceptions", "missing") and not value and self._is_erased(leaf)

    def _is_erased(self, index: Any) -> bool:
        leaves = self._snapshot.leaves(index, index + 1) if isinstance(index, int) else []
        return any(leaf["content"] is None for leaf in leaves)

    def _erased(self, row: Row) -> int:
        """How many leaves in the range of a row, of its parties and matter, have no statement any more."""
        names = ("consumer", "provider", "dataset", "purpose")
        first, last = row["first_leaf"], row["last_leaf"]
        return sum(
            leaf["content"] is None and all(leaf[name] == row[name] for name in names)
            for start in range(first, min(last + 1, self._snapshot.leaf_count()), MOST_LOOKED_AT)
            for leaf in self._snapshot.leaves(start, min(start + MOST_LOOKED_AT, last + 1))
        )


def _key(content: Mapping[str, Any], dispose_by: datetime) -> _Key:
    """As :data:`_KEY` names the columns."""
    of = holding_of(content)
    told = {
        "consumer": of.consumer,
        "dataset": of.dataset,
        "dispose_by": microseconds(dispose_by),
        "purpose": of.purpose,
        "grant_number": of.grant,
        "provider": of.provider,
    }
    return tuple(told[name] for name in _KEY)
