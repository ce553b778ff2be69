"""``fsck`` of the list of needs: each row is what the statements that entered it say, and none is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from broker.model import Need
from broker.reasons import Reason
from broker.receipt.finding import Finding, row_name
from broker.receipt.indexed import Indexed
from broker.store.rows import microseconds
from broker.store.snapshot import Row, Snapshot


@dataclass(frozen=True, slots=True)
class _Heard:
    """What the statements say of one need; times in microseconds since 1970-01-01 UTC."""

    need: Need
    applications: int
    first_leaf: int
    first_at: int
    last_leaf: int
    last_at: int


class Needs:
    """Told of the statements in the order of the log; then :meth:`findings` compares the table ``need``.

    Needs are few (their number is bounded for each department and day), so all of them are held.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._heard: dict[str, _Heard] = {}

    def heard(self, index: int, said: Indexed) -> None:
        """Keeps what is said of needs; other statements say nothing."""
        need = _need_in(said)
        if need is None:
            return
        at, before = microseconds(said.recorded_at), self._heard.get(need.key)
        if before is None:
            self._heard[need.key] = _Heard(need, 1, index, at, index, at)
        else:
            count = before.applications + 1
            self._heard[need.key] = replace(
                before, need=need, applications=count, last_leaf=index, last_at=at
            )

    def findings(self, *, erased: int) -> Iterator[Finding]:
        """Rows that the leaves contradict, or no leaf entered, and rows that are gone; ``erased`` is the
        number of leaves that can no longer say what they entered."""
        for row in self._snapshot.rows("need"):
            heard = self._heard.pop(row["key"], None)
            if heard is None and not self._is_erased(row["first_leaf"]):
                yield Finding("need", _name(row["key"]), "", "没有对应的存证", "no leaf has entered it")
            elif heard is not None:
                for column in self._wrong(row, heard, erased):
                    zh, en = "与记入此需求的存证不一致", "contradicts the leaves that entered the need"
                    yield Finding("need", _name(row["key"]), column, zh, en)
        for key, heard in sorted(self._heard.items()):
            zh = f"缺失：第 {heard.first_leaf} 条存证已记入此需求"
            yield Finding("need", _name(key), "", zh, f"is missing: leaf {heard.first_leaf} has entered it")

    def _wrong(self, row: Row, heard: _Heard, erased: int) -> Iterator[str]:
        need = heard.need
        for column, value in (
            ("consumer", need.consumer),
            ("dataset", need.dataset),
            ("purpose", need.purpose),
            ("field_names", " ".join(need.fields)),
        ):
            if row[column] != value:
                yield column
        count = row["applications"]
        if not (isinstance(count, int) and heard.applications <= count <= heard.applications + erased):
            yield "applications"
        yield from self._wrong_end(row, {"first_leaf": heard.first_leaf, "first_at": heard.first_at})
        last = {"last_leaf": heard.last_leaf, "last_at": heard.last_at, "cause": need.cause.value}
        yield from self._wrong_end(row, last)

    def _wrong_end(self, row: Row, expected: Mapping[str, object]) -> Iterator[str]:
        """Columns about the first or the last leaf (named first), unless that is another, since erased."""
        leaf = next(iter(expected))
        if row[leaf] == expected[leaf] or not self._is_erased(row[leaf]):
            yield from (name for name, value in expected.items() if row[name] != value)

    def _is_erased(self, index: Any) -> bool:
        leaves = self._snapshot.leaves(index, index + 1) if isinstance(index, int) else []
        return any(leaf["content"] is None for leaf in leaves)


def _need_in(said: Indexed) -> Need | None:
    reasons = [reason["code"] for reason in said.content.get("decision", {}).get("reasons", ())]
    if Reason.NEED_RECORDED not in reasons:
        return None
    fields = tuple(sorted(said.content["fields"]))
    return Need(said.consumer, said.dataset, said.purpose, fields, Reason(reasons[0]))


def _name(key: object) -> str:
    return row_name({"key": key})
