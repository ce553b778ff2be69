"""Statements of use commitments: what rests on a lodged one comes after it, and not after its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from broker.audit.verify.remarks import Nature, Remark, of_statement
from broker.audit.verify.said import Said
from broker.audit.verify.ties import End, Known, Relation, key_of

LODGED, USED, WITHDRAWN = range(3)
"""Roles. All have the leaf that lodged it; the first two what it says and binds to."""

_SAID = ("template", "version", "digest", "signer", "expires")


def lodged(said: Said) -> Iterator[Remark | End]:
    """One commitment stands from here on."""
    (told,) = said.content["commitments"]
    yield _end(said, LODGED, said.index, _fact(said, told))


def used(said: Said) -> Iterator[Remark | End]:
    """A decision rests on these, which had not expired; those that came with it are held beside it."""
    for told in said.content.get("commitments", ()):
        if said.told.recorded_at >= datetime.fromisoformat(told["expires"]):
            zh, en = "所依据的责任状当时已过期", "rests on a use commitment that had expired"
            yield of_statement(Nature.CONTRADICTORY, said.index, "commitments", zh, en)
        if "lodged" in told:
            yield _end(said, USED, told["lodged"], _fact(said, told))


def withdrawn(said: Said) -> Iterator[Remark | End]:
    """An act may end one."""
    if "commitment" in said.content:
        yield _end(said, WITHDRAWN, said.content["commitment"]["leaf"], 0)


def judge(ends: Sequence[End], known: Known) -> Iterator[Remark]:
    """All that is about one lodged commitment."""
    first: End | None = None
    gone = False
    for end in ends:
        if end.role == LODGED:
            first = end
        elif gone:
            yield _wrong(end, "所指的责任状已撤回", "names a commitment that had been withdrawn")
        elif first is None:
            if not known.hidden(end.number):
                zh, en = "所指的责任状此前没有登记", "names a commitment that was not lodged before it"
                yield _wrong(end, zh, en)
        elif end.role == USED and end.fact != first.fact:
            zh, en = "与所登记的责任状不一致", "contradicts the commitment that was lodged"
            yield _wrong(end, zh, en)
        gone = gone or end.role == WITHDRAWN


COMMITMENT = Relation(judge, quiet=frozenset({LODGED}))


def _wrong(end: End, zh: str, en: str) -> Remark:
    return of_statement(Nature.CONTRADICTORY, end.leaf, "commitments", zh, en)


def _end(said: Said, role: int, leaf: int, fact: int) -> End:
    return End("commitment", key_of("commitment", leaf), said.index, role, leaf, fact)


def _fact(said: Said, told: Mapping[str, object]) -> int:
    """64 bits of what was signed, and of whom it binds to what."""
    bound = (said.told.consumer, said.told.dataset, said.told.purpose)
    parts = [*(str(told[name]) for name in _SAID), *bound]
    return int.from_bytes(sha256("\n".join(parts).encode()).digest()[:8], "big")
