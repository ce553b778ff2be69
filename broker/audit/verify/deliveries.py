"""Statements about deliveries: who acknowledged what, who did not, who says that it was something else.

The key is the leaf that tells of the delivery (docs/acknowledgement.md), with its parties and its matter,
which every statement about it repeats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

from cryptography import x509

from broker.acknowledge.evidence import verified
from broker.audit.verify.remarks import Nature, Remark, of_statement
from broker.audit.verify.said import Said
from broker.audit.verify.ties import End, Known, Relation, key_of
from broker.errors import VerificationFailed
from broker.model import EntryKind
from broker.receipt.acknowledgements import Delivered, delivery_of
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.store.rows import microseconds

DELIVERED, DUE, REPEATED, SIGNED, DISPUTED, SETTLES, SETTLED, MISSING = range(8)
"""Roles. A delivery is ``DUE`` by its number, ``REPEATED`` after the one that its number names, or neither.
``SIGNED`` and ``DISPUTED`` stand under the leaf that was signed for; ``SETTLES`` beside it names another,
whose deadline is met: ``SETTLED`` stands under that."""

_DELIVERING = (DELIVERED, DUE, REPEATED)
_SAID = (EntryKind.ACKNOWLEDGEMENT, EntryKind.ACKNOWLEDGEMENT_MISSING)
NO_DEADLINE = -1


def delivered(said: Said) -> Iterator[Remark | End]:
    """What went out whole can be acknowledged, and must be if it says by when."""
    delivery = Delivered.of(said.index, said.content)
    due_at = said.content.get("acknowledge_by")
    if delivery is None:
        return
    fact = _signed_for(leaf_hash(leaf_entry(said.statement)), delivery.digest)
    if delivery.first != said.index:
        yield _end(said, said.index, REPEATED, delivery.first, fact)
    elif due_at is not None:
        yield _end(said, said.index, DUE, _time(due_at), fact)
    else:
        yield _end(said, said.index, DELIVERED, NO_DEADLINE, fact)


def acknowledgement(said: Said) -> Iterator[Remark | End]:
    """The consumer has signed for a delivery, and so met its deadline, or come late."""
    content = said.content
    yield from _signed(said, SIGNED)
    of, delivery, due = content["of"], delivery_of(content), content.get("due_at")
    if delivery != of:
        yield _end(said, of, SETTLES, delivery)
    yield _end(said, delivery, SETTLED, NO_DEADLINE if due is None else _time(due), delivery)
    if due is not None and content["late"] is not (microseconds(said.told.recorded_at) > _time(due)):
        zh, en = "是否逾期与其时间不符", "is late or not, contrary to its own times"
        yield of_statement(Nature.CONTRADICTORY, said.index, "late", zh, en)


def dispute(said: Said) -> Iterator[Remark | End]:
    """The consumer has signed that it received something else."""
    yield from _signed(said, DISPUTED)


def missing(said: Said) -> Iterator[Remark | End]:
    """A deadline has passed."""
    due = _time(said.content["due_at"])
    yield _end(said, said.content["of"], MISSING, due, said.content["of"])
    if microseconds(said.told.recorded_at) < due:
        zh, en = "期限未到", "says so before the time"
        yield of_statement(Nature.CONTRADICTORY, said.index, "due_at", zh, en)


def judge(ends: Sequence[End], known: Known) -> Iterator[Remark]:
    """All that is said of one delivery."""
    of = {role: [end for end in ends if end.role == role] for role in range(MISSING + 1)}
    delivery = next((end for end in ends if end.role in _DELIVERING), None)
    for end in (*of[SIGNED], *of[DISPUTED]):
        yield from _fits(end, delivery, of[SETTLES], known)
    for end in (*of[SETTLED], *of[MISSING]):
        yield from _when(end, delivery, known)
    for again in (*of[SETTLED][1:], *of[MISSING][1:]):
        yield _contradictory(again.leaf, "of", "同一交付已有这样的存证", "says again what was said")
    for end in of[MISSING]:
        if any(settled.leaf < end.leaf for settled in of[SETTLED]):
            zh, en = "此前已经确认", "says that an acknowledgement is missing which came before"
            yield _contradictory(end.leaf, "of", zh, en)
    if delivery is not None and delivery.role == DUE and not of[SETTLED]:
        yield from _unacknowledged(delivery, known)


DELIVERY = Relation(judge, quiet=frozenset({DELIVERED, REPEATED}))


def _signed(said: Said, role: int) -> Iterator[Remark | End]:
    """That the signature holds, and what it is for."""
    try:
        signed = verified(said.content, _authority(said.anchors.authority))
    except VerificationFailed as failure:
        zh, _, en = str(failure).partition(" / ")
        zh, en = f"所含签名不成立：{zh}", f"holds a signature that does not hold: {en or zh}"
        yield of_statement(Nature.FORGED, said.index, "acknowledgement", zh, en)
        return
    # The leaf is in the number: it tells whether what was signed for is there at all.
    yield _end(
        said, said.content["of"], role, said.content["of"], _signed_for(signed.said.leaf, signed.said.digest)
    )


def _fits(end: End, delivery: End | None, settles: Sequence[End], known: Known) -> Iterator[Remark]:
    if delivery is None:
        if not known.hidden(end.number):
            zh, en = "所指存证没有这样的完整交付", "is about a leaf that tells of no such complete delivery"
            yield _contradictory(end.leaf, "of", zh, en)
        return
    if delivery.leaf > end.leaf:
        yield _contradictory(end.leaf, "of", "所指存证在其后", "is about a later leaf")
    if (end.fact == delivery.fact) is not (end.role == SIGNED):
        zh, en = (
            "所签与该交付不符（争议则不应相符）",
            "is not signed for that delivery, or disputes what it confirms",
        )
        yield _contradictory(end.leaf, "acknowledgement", zh, en)
    wanted = [delivery.number] if delivery.role == REPEATED else []
    if end.role == SIGNED and [one.number for one in settles if one.leaf == end.leaf] != wanted:
        zh, en = "所了结的不是首次交付", "does not settle the delivery that came first"
        yield _contradictory(end.leaf, "delivery", zh, en)


def _when(end: End, delivery: End | None, known: Known) -> Iterator[Remark]:
    """The deadline is the delivery's."""
    if delivery is None and not known.hidden(end.fact):
        zh, en = "所指存证没有这样的完整交付", "is about a leaf that tells of no such complete delivery"
        yield _contradictory(end.leaf, "of", zh, en)
    elif delivery is not None and delivery.number != end.number:
        yield _contradictory(
            end.leaf, "due_at", "不是该交付的期限", "names another deadline than the delivery"
        )


def _unacknowledged(delivery: End, known: Known) -> Iterator[Remark]:
    if known.hides(delivery.leaf, *_SAID):
        zh, en = (
            "其确认可能在缺失或已删除的陈述中",
            "may be acknowledged among the statements that are not there",
        )
        yield of_statement(Nature.ERASED, delivery.leaf, "acknowledge_by", zh, en)
    elif delivery.number < known.as_of:
        zh, en = "此次交付逾期未确认", "was not acknowledged in time"
        yield of_statement(Nature.OVERDUE, delivery.leaf, "acknowledge_by", zh, en)


@lru_cache(maxsize=4)
def _authority(der: bytes) -> x509.Certificate | None:
    return x509.load_der_x509_certificate(der) if der else None


def _signed_for(leaf: bytes, digest: bytes) -> int:
    """64 bits of both."""
    return int.from_bytes(sha256(leaf + digest).digest()[:8], "big")


def _time(text: str) -> int:
    return microseconds(datetime.fromisoformat(text))


def _end(said: Said, delivery: int, role: int, number: int = 0, fact: int = 0) -> End:
    """Under the delivery and whose it was, of what: what others have signed about it is of no delivery."""
    told = said.told
    key = key_of(delivery, told.consumer, told.consumer_uri, told.provider, told.dataset, told.purpose)
    return End("delivery", key, said.index, role, number, fact)


def _contradictory(index: int, member: str, zh: str, en: str) -> Remark:
    return of_statement(Nature.CONTRADICTORY, index, member, zh, en)
