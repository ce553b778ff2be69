"""``fsck`` of the table that finds receipts by subjects' tags: it has those of the statements, no others."""

from __future__ import annotations

from collections.abc import Iterator

from broker.particulars import particulars_of
from broker.receipt.finding import Finding, row_name
from broker.receipt.indexed import Indexed, indexed
from broker.receipt.merkle import leaf_entry
from broker.store.snapshot import Row, Snapshot

AT_ONCE = 4096
"""Tags that are looked up together."""


class Tags:
    """Told of the statements in the order of the log; then :meth:`findings` compares the table."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._waiting: set[tuple[bytes, int]] = set()
        self._missing: list[tuple[bytes, int]] = []
        self._found = 0

    def heard(self, index: int, said: Indexed) -> None:
        """Keeps the statement's tags, until there are enough to look them up."""
        self._waiting.update((tag, index) for tag in particulars_of(said.content).subject_tags)
        if len(self._waiting) >= AT_ONCE:
            self._look_up()

    def findings(self) -> Iterator[Finding]:
        """Rows that are missing, and rows that their leaf's statement has not; of an erased one none is left
        to tell."""
        self._look_up()
        for tag, index in self._missing:
            yield Finding("subject_tag", _name(tag, index), "", "缺失", "is missing")
        if self._snapshot.count("subject_tag") == self._found:
            return  # each of them has been seen beside its leaf
        for row in self._snapshot.tagged():
            if _is_stray(row):
                zh, en = "不是该条存证的", "is none of the leaf's"
                yield Finding("subject_tag", _name(row["tag"], row["leaf_index"]), "", zh, en)

    def _look_up(self) -> None:
        found = self._waiting & self._snapshot.tags({tag for tag, _ in self._waiting})
        self._missing += sorted(self._waiting - found)
        self._found += len(found)
        self._waiting.clear()


def _is_stray(row: Row) -> bool:
    entry, content = row["log_entry"], row["content"]
    if entry is None:
        return True
    if not isinstance(content, bytes) or leaf_entry(content) != entry or not (said := indexed(content)):
        return False  # erased; or a finding of its own, which contradicts nothing
    return row["tag"] not in particulars_of(said.content).subject_tags


def _name(tag: bytes, index: int) -> str:
    return row_name({"tag": tag, "leaf_index": index})
