"""Statements of exchanges: what belongs to one request id belongs together.

The key is that of idempotence: caller and request id (docs/exchange-cycle.md, What makes a retry safe).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

from broker.audit.verify.remarks import Nature, Remark, of_statement
from broker.audit.verify.said import Said
from broker.audit.verify.ties import End, Known, Relation, key_of
from broker.model import EntryKind
from broker.store.rows import microseconds

ANSWER, OPENED, REOPENED, REDELIVERED, OUTCOME, INTERRUPTED, UNLEASED = range(7)
"""Roles. What opens a stream is ``OPENED`` the first time and ``REOPENED`` again; ``OUTCOME`` is complete."""

LONGEST_STREAM = timedelta(hours=24) // timedelta(microseconds=1)
"""Microseconds after which a stream without outcome is no longer taken to be under way."""

_CLAIMS = (ANSWER, OPENED)
_OPENINGS = (OPENED, REOPENED, UNLEASED)
_REPEATED = (ANSWER, OPENED, UNLEASED, OUTCOME)


def answer(said: Said) -> Iterator[Remark | End]:
    """A unary answer claims its request id; a refusal does not."""
    if said.told.claims:
        yield _end(said, ANSWER)


def opening(said: Said) -> Iterator[Remark | End]:
    """A stream's decision opens it, and claims its request id; in older logs streams had no lease."""
    yield _end(said, OPENED if said.told.leased else UNLEASED, fact=microseconds(said.told.recorded_at))


def redelivered(said: Said) -> Iterator[Remark | End]:
    """A retry points to what was answered first; of a stream it opens another attempt."""
    role = REOPENED if said.told.leased else REDELIVERED
    yield _end(said, role, said.content["of"], microseconds(said.told.recorded_at))


def outcome(said: Said) -> Iterator[Remark | End]:
    """A stream's outcome points to what opened it."""
    if "decision_leaf" not in said.content:
        yield of_statement(
            Nature.CONTRADICTORY,
            said.index,
            "decision_leaf",
            "流的结束存证没有指明其开启",
            "names no leaf that opened it",
        )
        return
    complete = not said.content["outcome"]["interrupted"]
    role = OUTCOME if complete else INTERRUPTED
    yield _end(said, role, said.content["decision_leaf"], int("of" in said.content))


def judge(ends: Sequence[End], known: Known) -> Iterator[Remark]:
    """All leaves of one request id."""
    for again in [end for end in ends if end.role in _CLAIMS][1:]:
        yield _contradictory(
            again.leaf, "request_id", "此请求号已由另一存证占用", "answers a request id that was used before"
        )
    for again in [end for end in ends if end.role == OUTCOME and not end.fact][1:]:
        yield _contradictory(
            again.leaf, "outcome", "同一请求的流已有完整结束", "completes a stream that was complete"
        )
    roles = {end.leaf: end.role for end in ends}
    for end in ends:
        if end.role in (REOPENED, REDELIVERED):
            yield from _pointing(end, "of", roles, _REPEATED, known)
        elif end.role in (OUTCOME, INTERRUPTED):
            yield from _pointing(end, "decision_leaf", roles, _OPENINGS, known)
    yield from _streams(ends, known)


REQUEST = Relation(judge, quiet=frozenset({ANSWER, UNLEASED}))


def _pointing(
    end: End, member: str, roles: dict[int, int], wanted: Sequence[int], known: Known
) -> Iterator[Remark]:
    if end.number < end.leaf and (roles.get(end.number) in wanted or known.hidden(end.number)):
        return
    yield _contradictory(
        end.leaf,
        member,
        "所指存证不是同一请求在先的存证",
        "does not point to an earlier leaf of the same request",
    )


def _streams(ends: Sequence[End], known: Known) -> Iterator[Remark]:
    """Each attempt has one outcome."""
    outcomes = Counter(end.number for end in ends if end.role in (OUTCOME, INTERRUPTED))
    for end in ends:
        if end.role not in (OPENED, REOPENED):
            continue
        if outcomes[end.leaf] > 1:
            zh, en = "此流有不止一份结束存证", "is of a stream with more than one outcome"
            yield _contradictory(end.leaf, "", zh, en)
        elif not outcomes[end.leaf]:
            yield from _without_outcome(end, known)


def _without_outcome(end: End, known: Known) -> Iterator[Remark]:
    if known.hides(end.leaf, EntryKind.STREAM_OUTCOME):
        zh = "此流的结束存证可能在缺失或已删除的陈述中"
        en = "opened a stream whose outcome may be among the statements that are not there"
        yield of_statement(Nature.ERASED, end.leaf, "", zh, en)
    elif end.fact + LONGEST_STREAM < known.as_of:
        zh, en = "此流没有结束存证", "opened a stream that has no outcome"
        yield of_statement(Nature.OVERDUE, end.leaf, "", zh, en)


def _end(said: Said, role: int, number: int = -1, fact: int = 0) -> End:
    key = key_of(said.told.consumer_uri, said.told.request_id)
    return End("request", key, said.index, role, number, fact)


def _contradictory(index: int, member: str, zh: str, en: str) -> Remark:
    return of_statement(Nature.CONTRADICTORY, index, member, zh, en)
