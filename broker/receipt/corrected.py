"""``fsck`` of corrections: the table has what the leaves say, and nothing of a person that is not needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from broker.model import Correction, EntryKind, Settlement
from broker.receipt.corrections import correction_in
from broker.receipt.finding import Finding, row_name
from broker.receipt.indexed import Indexed
from broker.store.rows import microseconds
from broker.store.snapshot import Row, Snapshot

SAID = frozenset({EntryKind.CORRECTION_ANSWER, EntryKind.CORRECTION_OVERDUE, EntryKind.CORRECTION_NOTICE})
"""What is said of a correction after its report."""


class Corrected:
    """Told of the statements in the order of the log; then :meth:`findings` compares the table
    ``correction``. Corrections are few, so all of them are held."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._told: dict[int, Correction] = {}

    def heard(self, index: int, said: Indexed) -> None:
        """Keeps what is said of corrections; other statements say nothing."""
        content = said.content
        if said.kind is EntryKind.CORRECTION_REPORT:
            self._told[index] = correction_in(index, content)
            return
        known = self._told.get(content["correction"]) if said.kind in SAID else None
        if known is None:
            return
        if said.kind is EntryKind.CORRECTION_ANSWER:
            known = replace(known, answered=index, settlement=Settlement(content["settlement"]))
        elif said.kind is EntryKind.CORRECTION_OVERDUE:
            known = replace(known, overdue=index)
        else:
            known = replace(known, told=index)
        self._told[known.leaf_index] = known

    def findings(self, *, erased: bool) -> Iterator[Finding]:
        """Rows that the leaves contradict, rows that are missing and rows that hold too much; ``erased``:
        one of :data:`SAID` was, and cannot be asked any more."""
        for row in self._snapshot.rows("correction"):
            known = self._told.pop(row["leaf_index"], None)
            if known is None and not self._is_erased(row["leaf_index"]):
                yield _finding(row["leaf_index"], "", "没有对应的存证", "no leaf reports it")
            for column in () if known is None else _wrong(row, known, erased=erased):
                zh, en = "与有关此次校核的存证不一致", "contradicts the leaves about the correction"
                yield _finding(row["leaf_index"], column, zh, en)
            for column in _needless(row):
                zh, en = "已无须保存而未删除", "is needed no more and was not erased"
                yield _finding(row["leaf_index"], column, zh, en)
        for leaf_index in sorted(self._told):
            yield _finding(leaf_index, "", "缺失", "is missing")

    def _is_erased(self, index: Any) -> bool:
        leaves = self._snapshot.leaves(index, index + 1) if isinstance(index, int) else []
        return any(leaf["content"] is None for leaf in leaves)


def _wrong(row: Row, known: Correction, *, erased: bool) -> Iterator[str]:
    for column, value in (
        ("receipt", known.receipt),
        ("error", known.error.value),
        ("field_names", " ".join(known.fields)),
        ("due_at", microseconds(known.due_at)),
    ):
        if row[column] != value:
            yield column
    settlement = None if known.settlement is None else known.settlement.value
    for column, said in (
        ("settlement", settlement),
        ("answered", known.answered),
        ("overdue", known.overdue),
        ("told", known.told),
    ):
        if row[column] != said and not (said is None and erased):
            yield column


def _needless(row: Row) -> Iterator[str]:
    """Once it is answered, and those who received the value are told, nobody needs to know whose it was."""
    if row["answered"] is None or (row["settlement"] == Settlement.CORRECTED.value and row["told"] is None):
        return
    yield from (column for column in ("held", "request_mac") if row[column] is not None)


def _finding(leaf_index: object, column: str, zh: str, en: str) -> Finding:
    return Finding("correction", row_name({"leaf_index": leaf_index}), column, zh, en)
