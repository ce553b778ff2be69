"""Statements about corrections: reported, answered or overdue, and who was told.

The key is the leaf of the report (docs/corrections.md), with the provider and the dataset, which every
statement about it repeats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache

from cryptography import x509

from broker.audit.verify.remarks import Nature, Remark, of_statement
from broker.audit.verify.said import Said
from broker.audit.verify.ties import End, Known, Relation, key_of
from broker.correction.evidence import verified
from broker.errors import VerificationFailed
from broker.model import EntryKind, Settlement
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.store.rows import microseconds

REPORT, ANSWER, CORRECTED, OVERDUE, NOTICE = range(5)
"""Roles. The number is the deadline, of a notice the leaf of the answer that it names."""

_ANSWERS = (ANSWER, CORRECTED)


def report(said: Said) -> Iterator[Remark | End]:
    """An error is reported, to be answered by a time."""
    content, recorded = said.content, microseconds(said.told.recorded_at)
    due = _time(content["due_at"])
    yield _end(said, said.index, REPORT, due, _bits(leaf_hash(leaf_entry(said.statement))))
    if not 0 <= content["of"] < said.index or due <= recorded:
        zh, en = "所涉回执或期限不成立", "is about a later receipt, or was due before it was reported"
        yield of_statement(Nature.CONTRADICTORY, said.index, "of", zh, en)


def answer(said: Said) -> Iterator[Remark | End]:
    """The provider's officer has signed an answer."""
    content = said.content
    due = _time(content["due_at"])
    if content["late"] is not (microseconds(said.told.recorded_at) > due):
        zh, en = "是否逾期与其时间不符", "is late or not, contrary to its own times"
        yield of_statement(Nature.CONTRADICTORY, said.index, "late", zh, en)
    role = CORRECTED if content["settlement"] == Settlement.CORRECTED else ANSWER
    try:
        signed = verified(content, _authority(said.anchors.authority))
    except VerificationFailed as failure:
        zh, _, en = str(failure).partition(" / ")
        zh, en = f"所含签名不成立：{zh}", f"holds a signature that does not hold: {en or zh}"
        yield of_statement(Nature.FORGED, said.index, "answer", zh, en)
        return
    yield _end(said, content["correction"], role, due, _bits(signed.said.report))


def overdue(said: Said) -> Iterator[Remark | End]:
    """A deadline has passed."""
    due = _time(said.content["due_at"])
    yield _end(said, said.content["correction"], OVERDUE, due)
    if microseconds(said.told.recorded_at) < due:
        zh, en = "期限未到", "says so before the time"
        yield of_statement(Nature.CONTRADICTORY, said.index, "due_at", zh, en)


def notice(said: Said) -> Iterator[Remark | End]:
    """A consumer is told of earlier deliveries."""
    content = said.content
    leaves = [*content["receipts"], *content["streams"]]
    if not leaves or not all(0 <= leaf < said.index for leaf in leaves):
        zh, en = "所告知的不是此前的交付", "tells of no earlier delivery"
        yield of_statement(Nature.CONTRADICTORY, said.index, "receipts", zh, en)
    yield _end(said, content["correction"], NOTICE, content["answered"])


def judge(ends: Sequence[End], known: Known) -> Iterator[Remark]:
    """All that is said of one correction."""
    reported = next((end for end in ends if end.role == REPORT), None)
    answers = [end for end in ends if end.role in _ANSWERS]
    missed = [end for end in ends if end.role == OVERDUE]
    for end in ends:
        if end.role != REPORT and reported is None and not known.hides(-1, EntryKind.CORRECTION_REPORT):
            yield _contradictory(end.leaf, "correction", "没有这项校核", "is about no reported correction")
    for end in (*answers, *missed) if reported is not None else ():
        if reported is not None and end.number != reported.number:
            zh, en = "不是该校核的期限", "names another deadline than the report"
            yield _contradictory(end.leaf, "due_at", zh, en)
    for end in answers:
        if reported is not None and end.fact != reported.fact:
            yield _contradictory(end.leaf, "answer", "所签的是另一校核", "was signed for another report")
    for again in (*answers[1:], *missed[1:]):
        yield _contradictory(again.leaf, "correction", "已有这样的存证", "says again what was said")
    for end in missed:
        if any(answered.leaf < end.leaf for answered in answers):
            zh, en = "此前已经答复", "says that an answer is missing which came before"
            yield _contradictory(end.leaf, "correction", zh, en)
    yield from _told(ends, answers, known)
    if reported is not None and not answers:
        yield from _unanswered(reported, known)


CORRECTION = Relation(judge)


def _told(ends: Sequence[End], answers: Sequence[End], known: Known) -> Iterator[Remark]:
    corrected = {end.leaf for end in answers if end.role == CORRECTED}
    notices = [end for end in ends if end.role == NOTICE]
    for end in notices:
        if end.number not in corrected and not known.hidden(end.number):
            zh, en = "所指答复并非更正", "follows no answer that the data were corrected"
            yield _contradictory(end.leaf, "answered", zh, en)
    for leaf in sorted(corrected - {end.number for end in notices}):
        if not known.hides(leaf, EntryKind.CORRECTION_NOTICE):
            zh, en = "已更正，而无人被告知", "corrected data, and nobody was told yet"
            yield of_statement(Nature.OVERDUE, leaf, "settlement", zh, en)


def _unanswered(reported: End, known: Known) -> Iterator[Remark]:
    if known.hides(reported.leaf, EntryKind.CORRECTION_ANSWER):
        zh, en = "其答复可能在缺失或已删除的陈述中", "may be answered among the statements that are not there"
        yield of_statement(Nature.ERASED, reported.leaf, "due_at", zh, en)
    elif reported.number < known.as_of:
        zh, en = "此项校核逾期未答复", "was not answered in time"
        yield of_statement(Nature.OVERDUE, reported.leaf, "due_at", zh, en)


@lru_cache(maxsize=4)
def _authority(der: bytes) -> x509.Certificate | None:
    return x509.load_der_x509_certificate(der) if der else None


def _bits(digest: bytes) -> int:
    """64 bits of it."""
    return int.from_bytes(digest[:8], "big")


def _time(text: str) -> int:
    return microseconds(datetime.fromisoformat(text))


def _end(said: Said, correction: int, role: int, number: int = 0, fact: int = 0) -> End:
    key = key_of(correction, said.told.provider, said.told.dataset)
    return End("correction", key, said.index, role, number, fact)


def _contradictory(index: int, member: str, zh: str, en: str) -> Remark:
    return of_statement(Nature.CONTRADICTORY, index, member, zh, en)
