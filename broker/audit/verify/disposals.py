"""Statements about disposal: what had to be disposed of is ordered, once, and each order is certified.

Two relations. A ``holding`` is all that one consumer holds of a dataset, for a purpose, under a grant, with
one last day: each delivery is in one set of one order, whose digest says which. A ``disposal`` is an order
with what came of it, under its leaf (docs/disposal.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509

from broker.audit.verify.remarks import Nature, Remark, of_statement
from broker.audit.verify.said import Said
from broker.audit.verify.ties import End, Known, Relation, key_of
from broker.disposal.evidence import verified
from broker.errors import VerificationFailed
from broker.model import DisposalCause, EntryKind
from broker.receipt.disposals import digest_of, digest_of_sets, holding_of, retained_of, sets_of
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.store.rows import microseconds

DELIVERED, FIRST, LAST, ORDERED, CERTIFIED, MISSING = range(6)
"""Roles. In ``holding``: ``DELIVERED`` has the last day, ``FIRST`` and ``LAST`` the first and last leaf of a
set. In ``disposal``: all have the deadline, the first two what is signed for."""

SLACK = timedelta(days=1) // timedelta(microseconds=1)
"""Microseconds. A broker that does not run orders nothing; one that does, within a minute."""


def delivered(said: Said) -> Iterator[Remark | End]:
    """Records were handed over that must be disposed of one day."""
    retained = retained_of(said.content)
    if retained is None:
        return
    yield _end(said, "holding", _holding(said, retained.dispose_by), DELIVERED, _time(retained.dispose_by))
    days = said.content["obligations"]["retain_days"] or 0
    kept = (retained.dispose_by - datetime.fromisoformat(said.content["recorded_at"])) / timedelta(days=1)
    if not days or kept > days + 1 + 1 / 12 or not said.content["outcome"]["rows"]["released"]:
        zh, en = "销毁期限与保存天数或提供的行数不符", "is not the time that its days and rows make"
        yield of_statement(Nature.CONTRADICTORY, said.index, "dispose_by", zh, en)


def order(said: Said) -> Iterator[Remark | End]:
    """The consumer is told to dispose of sets of deliveries."""
    content, sets = said.content, sets_of(said.content)
    for one in sets:
        key, fact = _holding(said, one.dispose_by), _half(one.digest)
        yield _end(said, "holding", key, FIRST, one.first, fact)
        yield _end(said, "holding", key, LAST, one.last, fact)
        if content["cause"] == DisposalCause.RETENTION and _time(one.dispose_by) > _now(said):
            zh, en = "期限未到", "orders before the time what it says to be over"
            yield of_statement(Nature.CONTRADICTORY, said.index, "cause", zh, en)
    if not sets or (content["count"], content["digest"]) != (
        sum(one.count for one in sets),
        digest_of_sets(one.digest for one in sets).hex(),
    ):
        yield of_statement(
            Nature.CONTRADICTORY, said.index, "sets", "与其所列各批不符", "contradicts the sets that it names"
        )
    due, leaf = _time(datetime.fromisoformat(content["due_at"])), leaf_hash(leaf_entry(said.statement))
    yield _end(said, "disposal", _disposal(said, said.index), ORDERED, due, _signed_for(leaf, content))


def certificate(said: Said) -> Iterator[Remark | End]:
    """The consumer has signed that it did."""
    content = said.content
    due = _time(datetime.fromisoformat(content["due_at"]))
    try:
        signed = verified(content, _authority(said.anchors.authority))
    except VerificationFailed as failure:
        zh, _, en = str(failure).partition(" / ")
        zh, en = f"所含签名不成立：{zh}", f"holds a signature that does not hold: {en or zh}"
        yield of_statement(Nature.FORGED, said.index, "certificate", zh, en)
        return
    fact = _signed_for(signed.said.order, content)
    yield _end(said, "disposal", _disposal(said, content["of"]), CERTIFIED, due, fact)
    if content["late"] is not (_now(said) > due):
        zh, en = "是否逾期与其时间不符", "is late or not, contrary to its own times"
        yield of_statement(Nature.CONTRADICTORY, said.index, "late", zh, en)


def missing(said: Said) -> Iterator[Remark | End]:
    """It has not, in time."""
    due = _time(datetime.fromisoformat(said.content["due_at"]))
    yield _end(said, "disposal", _disposal(said, said.content["of"]), MISSING, due)
    if _now(said) < due:
        zh, en = "期限未到", "says so before the time"
        yield of_statement(Nature.CONTRADICTORY, said.index, "due_at", zh, en)


def judge_holding(ends: Sequence[End], known: Known) -> Iterator[Remark]:
    """All deliveries with one last day, and the sets that take them."""
    waiting = [end for end in ends if end.role == DELIVERED]
    firsts, lasts = ([end for end in ends if end.role == role] for role in (FIRST, LAST))
    for first, last in zip(firsts, lasts, strict=True):
        taken = [end.leaf for end in waiting if first.number <= end.leaf <= last.number]
        waiting = [end for end in waiting if not first.number <= end.leaf <= last.number]
        sound = _half(digest_of(taken)) == first.fact and last.number < first.leaf
        if not sound and not any(known.hidden(leaf) for leaf in range(first.number, last.number + 1)):
            zh, en = "所列交付与日志不符", "does not name the deliveries that the log has"
            yield _contradictory(first.leaf, "sets", zh, en)
    for end in waiting:
        if end.number + SLACK < known.as_of:
            yield _unordered(end, known)


def judge_disposal(ends: Sequence[End], known: Known) -> Iterator[Remark]:
    """An order, and what came of it."""
    of = {role: [end for end in ends if end.role == role] for role in (ORDERED, CERTIFIED, MISSING)}
    ordered = next(iter(of[ORDERED]), None)
    for end in (*of[CERTIFIED], *of[MISSING]):
        yield from _fits(end, ordered)
    for again in (*of[CERTIFIED][1:], *of[MISSING][1:]):
        yield _contradictory(again.leaf, "of", "同一指令已有这样的存证", "says again what was said")
    for end in of[MISSING]:
        if any(certified.leaf < end.leaf for certified in of[CERTIFIED]):
            zh, en = "此前已有销毁证明", "says that a certificate is missing which came before"
            yield _contradictory(end.leaf, "of", zh, en)
    if ordered is not None and not of[CERTIFIED] and ordered.number < known.as_of:
        if known.hides(ordered.leaf, EntryKind.DISPOSAL_CERTIFICATE):
            zh, en = (
                "其销毁证明可能在缺失或已删除的陈述中",
                "may be certified among the statements that are not there",
            )
            yield of_statement(Nature.ERASED, ordered.leaf, "due_at", zh, en)
        else:
            zh, en = "逾期没有销毁证明", "was not certified in time"
            yield of_statement(Nature.OVERDUE, ordered.leaf, "due_at", zh, en)


HOLDING = Relation(judge_holding)
DISPOSAL = Relation(judge_disposal)


def _unordered(end: End, known: Known) -> Remark:
    if known.hides(end.leaf, EntryKind.DISPOSAL_ORDER):
        zh, en = (
            "其销毁指令可能在缺失或已删除的陈述中",
            "may be ordered to be disposed of among the statements that are not there",
        )
        return of_statement(Nature.ERASED, end.leaf, "dispose_by", zh, en)
    zh, en = "保存期满未下达销毁指令", "was not ordered to be disposed of when its time was over"
    return of_statement(Nature.OVERDUE, end.leaf, "dispose_by", zh, en)


def _fits(end: End, ordered: End | None) -> Iterator[Remark]:
    """What is said of an order is of one that there is, with that deadline, and signed for it."""
    if ordered is None or ordered.leaf > end.leaf:
        yield _contradictory(end.leaf, "of", "所指不是在先的销毁指令", "is about no earlier order")
    elif ordered.number != end.number:
        yield _contradictory(end.leaf, "due_at", "不是该指令的期限", "names another deadline than the order")
    elif end.role == CERTIFIED and ordered.fact != end.fact:
        yield _contradictory(end.leaf, "certificate", "所签不是该指令", "is not signed for that order")


@lru_cache(maxsize=4)
def _authority(der: bytes) -> x509.Certificate | None:
    return x509.load_der_x509_certificate(der) if der else None


def _holding(said: Said, dispose_by: datetime) -> bytes:
    of = holding_of(said.content)
    return key_of(of.consumer, of.provider, of.dataset, of.purpose, of.grant, _time(dispose_by))


def _disposal(said: Said, order: int) -> bytes:
    """Under the order and whose it is: what others have signed about it is of no order."""
    of = holding_of(said.content)
    return key_of(order, of.consumer, of.provider, of.dataset, of.purpose, of.grant)


def _signed_for(leaf: bytes, content: dict[str, str]) -> int:
    """64 bits of order and digest."""
    return _half(digest_of_sets((leaf, bytes.fromhex(content["digest"]))))


def _half(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big")


def _time(time: datetime) -> int:
    return microseconds(time)


def _now(said: Said) -> int:
    return microseconds(said.told.recorded_at)


def _end(said: Said, relation: str, key: bytes, role: int, number: int = 0, fact: int = 0) -> End:
    return End(relation, key, said.index, role, number, fact)


def _contradictory(index: int, member: str, zh: str, en: str) -> Remark:
    return of_statement(Nature.CONTRADICTORY, index, member, zh, en)
