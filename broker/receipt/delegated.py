"""``fsck`` of delegations: each row says what the last leaf about it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from broker.model import EntryKind
from broker.receipt.delegations import DELEGATE, REVOKE
from broker.receipt.finding import Finding, leaf_name, row_name
from broker.receipt.indexed import Indexed
from broker.store.rows import microseconds
from broker.store.snapshot import Snapshot


class Delegated:
    """Told of the statements in the order of the log; then :meth:`findings` compares the table
    ``delegation``. Holds a line for each delegation."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._known: dict[int, dict[str, object]] = {}

    def heard(self, index: int, said: Indexed) -> Iterator[Finding]:
        """Whether it is given once, and taken back once at most; other statements are none."""
        if said.kind is not EntryKind.DELEGATION:
            return
        told = _row(index, said.content)
        before = self._known.get(said.content["delegation"])
        given = {name: value for name, value in told.items() if name not in ("revoked_at", "leaf_index")}
        first = before is None and told["revoked_at"] is None
        taken_back = before is not None and before == given | {
            "revoked_at": None,
            "leaf_index": before["leaf_index"],
        }
        if not first and not (taken_back and told["revoked_at"] is not None):
            zh, en = "与该委托前一存证不连贯", "does not lead on from the act before it"
            yield Finding("statement", leaf_name(index), "content", zh, en)
        self._known[said.content["delegation"]] = told

    def findings(self, *, erased: bool) -> Iterator[Finding]:
        """Rows that the leaves contradict and, unless one of the kind was ``erased``, what is too many or
        missing."""
        for row in self._snapshot.rows("delegation"):
            known = self._known.pop(row["number"], None)
            name = row_name({"number": row["number"]})
            if known is None and not erased:
                yield Finding("delegation", name, "", "日志中没有此委托", "no leaf tells of it")
            for column, value in (known or {}).items():
                if row[column] != value:
                    zh, en = "与该委托最后的存证不一致", "contradicts the leaf of its last act"
                    yield Finding("delegation", name, column, zh, en)
        for number in sorted(self._known):
            yield Finding("delegation", row_name({"number": number}), "", "缺失", "is missing")


def _row(index: int, content: Mapping[str, Any]) -> dict[str, object]:
    officer, delegate = content["officer"], content["delegate"]
    revoked = {DELEGATE: None, REVOKE: _at(content["recorded_at"])}[content["act"]]
    return {
        "officer": officer["uri"],
        "department": officer["department"],
        "delegate": delegate["uri"],
        "delegate_department": delegate["department"],
        "serial": content["serial"],
        "valid_from": _at(content["valid_from"]),
        "valid_until": _at(content["valid_until"]),
        "revoked_at": revoked,
        "leaf_index": index,
    }


def _at(text: str) -> int:
    return microseconds(datetime.fromisoformat(text))
