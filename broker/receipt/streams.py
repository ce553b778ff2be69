"""``fsck`` of streams: each that was opened has its outcome or its lease, and each lease its stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from broker.model import EntryKind
from broker.receipt.finding import Finding, row_name
from broker.receipt.indexed import Indexed, indexed
from broker.store.snapshot import Row, Snapshot


class Streams:
    """Told of the statements in the order of the log; then :meth:`findings` compares the table ``lease``."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._open: dict[int, Indexed] = {}
        """Opening leaf → its statement, of streams without outcome so far."""

    def heard(self, index: int, said: Indexed) -> None:
        """Keeps openings until their outcome; other statements are none."""
        if said.opens:
            self._open[index] = said
        elif said.kind is EntryKind.STREAM_OUTCOME:
            self._open.pop(said.content.get("decision_leaf", -1), None)

    def findings(self, *, erased_outcomes: bool) -> Iterator[Finding]:
        """Rows that the leaves contradict and, unless an outcome may have been erased, rows that are gone."""
        for row in self._snapshot.rows("lease"):
            said = self._open.pop(row["opening"], None)
            if said is None and not self._is_erased(row["opening"]):
                zh, en = "所指存证没有开启尚未结束的流", "is of no stream that is under way"
                yield Finding("lease", _name(row["opening"]), "", zh, en)
            elif said is not None:
                for column in _wrong(row, said):
                    zh, en = "与开启此流的存证不一致", "contradicts the leaf that opened the stream"
                    yield Finding("lease", _name(row["opening"]), column, zh, en)
        for opening in () if erased_outcomes else sorted(self._open):
            zh, en = "缺失：此流既无租约也无结束存证", "is missing: the stream has neither lease nor outcome"
            yield Finding("lease", _name(opening), "", zh, en)

    def _is_erased(self, opening: Any) -> bool:
        leaves = self._snapshot.leaves(opening, opening + 1) if isinstance(opening, int) else []
        return any(leaf["content"] is None for leaf in leaves)


def _wrong(row: Row, said: Indexed) -> Iterator[str]:
    yield from (name for name in ("request_id", "consumer_uri") if row[name] != getattr(said, name))
    if row["milliseconds"] != round(said.content["lease_seconds"] * 1000):
        yield "milliseconds"
    if not isinstance(row["renewals"], int) or row["renewals"] < 0:
        yield "renewals"
    unfinished = indexed(row["unfinished"]) if isinstance(row["unfinished"], bytes) else None
    if unfinished is None or _of(unfinished) != (EntryKind.STREAM_OUTCOME, *_of(said)[1:]):
        yield "unfinished"


def _of(said: Indexed) -> tuple[object, ...]:
    return said.kind, said.request_id, said.consumer_uri, said.provider, said.dataset, said.purpose


def _name(opening: object) -> str:
    return row_name({"opening": opening})
