"""``fsck`` of applications that people decide: each record is the one that the leaf of its last act names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from broker.filings import digest, loaded
from broker.model import EntryKind
from broker.receipt.finding import Finding, leaf_name, row_name
from broker.receipt.indexed import Indexed
from broker.store.applications import row as columns_of
from broker.store.snapshot import Row, Snapshot


@dataclass(frozen=True, slots=True)
class _Last:
    """The last act upon an application."""

    leaf_index: int
    version: int
    state: str
    record: str


class Filings:
    """Told of the statements in the order of the log; then :meth:`findings` compares the table
    ``application``. Holds a line for each application."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._last: dict[int, _Last] = {}

    def heard(self, index: int, said: Indexed) -> Iterator[Finding]:
        """Whether an act leads on from the one before it; other statements are none."""
        if said.kind is not EntryKind.APPLICATION:
            return
        content = said.content
        number, version = content["application"], content["version"]
        before = self._last.get(number)
        follows = (before.version, before.state) if before else (0, None)
        if (version - 1, content["before"]) != follows:
            zh, en = "与该申请前一存证不连贯", "does not lead on from the act before it"
            yield Finding("statement", leaf_name(index), "content", zh, en)
        self._last[number] = _Last(index, version, content["after"], content["record"])

    def findings(self) -> Iterator[Finding]:
        """Rows that the leaves contradict, and rows that are missing."""
        for row in self._snapshot.rows("application"):
            last = self._last.pop(row["number"], None)
            if last is None:
                zh, en = "日志中没有此申请", "no leaf tells of it"
                yield Finding("application", _name(row["number"]), "", zh, en)
            else:
                for column in _wrong(row, last):
                    zh, en = "与该申请最后的存证不一致", "contradicts the leaf of its last act"
                    yield Finding("application", _name(row["number"]), column, zh, en)
        for number in sorted(self._last):
            yield Finding("application", _name(number), "", "缺失", "is missing")


def _wrong(row: Row, last: _Last) -> Iterator[str]:
    content = row["content"]
    if row["leaf_index"] != last.leaf_index:
        yield "leaf_index"
    if not isinstance(content, bytes) or digest(content).hex() != last.record:
        yield "content"
        return
    told: dict[str, Any] = columns_of(loaded(content))
    yield from (name for name, value in told.items() if row[name] != value)


def _name(number: object) -> str:
    return row_name({"number": number})
