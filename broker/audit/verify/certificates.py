"""Which certificate acted in a statement: its chain stands in an earlier leaf, and it was within its dates.

Whether it was revoked by then, only the revocation lists tell, which are no part of the evidence
(docs/signed-acts.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import sha256

from cryptography import x509

from broker.audit.verify.remarks import Nature, Remark, of_statement
from broker.audit.verify.said import Said
from broker.audit.verify.ties import End, Known, Relation, key_of
from broker.errors import VerificationFailed
from broker.keys.signers import check_issued
from broker.model import EntryKind
from broker.receipt.leaves import ORDER_TOLERANCE
from broker.receipt.signed_acts import read_chain
from broker.store.rows import microseconds

CHAIN, UNTIL, USED = range(3)
"""Roles. ``CHAIN`` has the time from which a certificate is valid, ``UNTIL`` that up to which it is, both in
the leaf of its chain; ``USED`` when it acted."""

_KEY = key_of("certificate")


def chain(said: Said) -> Iterator[Remark | End]:
    """A certificate acts from here on."""
    try:
        logged = read_chain(said.index, said.statement)
    except VerificationFailed as failure:
        zh, _, en = str(failure).partition(" / ")
        yield of_statement(Nature.FORGED, said.index, "chain", zh, en)
        return
    if said.anchors.authority:
        try:
            check_issued(logged.certificate, authority(said.anchors.authority), said.told.recorded_at)
        except VerificationFailed:
            zh, en = (
                "不是所信任的主管机构签发，或当时无效",
                "is not by the trusted authority, or not then in force",
            )
            yield of_statement(Nature.FORGED, said.index, "chain", zh, en)
    fact = _fact(said.content["holder"], logged.fingerprint)
    for role, at in (
        (CHAIN, logged.certificate.not_valid_before_utc),
        (UNTIL, logged.certificate.not_valid_after_utc),
    ):
        yield End("certificate", _KEY, said.index, role, microseconds(at), fact)


def consumer(said: Said) -> Iterator[Remark | End]:
    """Who asked did so by a certificate."""
    yield _used(said, said.content["consumer"])


def signer(said: Said) -> Iterator[Remark | End]:
    """Who acknowledged did so by a certificate."""
    yield _used(said, said.content["signer"])


def caller(said: Said) -> Iterator[Remark | End]:
    """Who acted did so by a certificate; what the broker does by itself has nobody's."""
    if "caller" in said.content:
        yield _used(said, said.content["caller"])


def judge(ends: Sequence[End], known: Known) -> Iterator[Remark]:
    """All chains and uses. Logs of before have no chains: what is older than the first is not judged."""
    since: dict[int, End] = {}
    until: dict[int, int] = {}
    unknown: set[int] = set()
    for end in ends:
        if end.role == CHAIN:
            if since.setdefault(end.fact, end) is not end:
                zh, en = "证书链已存证过", "has a chain that the log has already"
                yield of_statement(Nature.CONTRADICTORY, end.leaf, "chain", zh, en)
        elif end.role == UNTIL:
            until.setdefault(end.fact, end.number)
        elif end.fact in since:
            if not since[end.fact].number <= end.number <= until[end.fact] + ORDER_TOLERANCE:
                zh, en = "证书当时不在有效期内", "names a certificate that was outside its dates"
                yield of_statement(Nature.CONTRADICTORY, end.leaf, "certificate", zh, en)
        elif since and end.fact not in unknown and not known.hides(-1, EntryKind.CERTIFICATE_CHAIN):
            unknown.add(end.fact)
            zh, en = "此前没有该证书的证书链", "names a certificate whose chain is not in an earlier leaf"
            yield of_statement(Nature.CONTRADICTORY, end.leaf, "certificate", zh, en)


CERTIFICATE = Relation(judge, bounds=True)


@lru_cache(maxsize=4)
def authority(der: bytes) -> x509.Certificate:
    """The certificate of an authority, DER."""
    return x509.load_der_x509_certificate(der)


def _used(said: Said, who: dict[str, str]) -> End:
    at = microseconds(said.told.recorded_at)
    return End("certificate", _KEY, said.index, USED, at, _fact(who["uri"], who["certificate"]))


@lru_cache(maxsize=4096)
def _fact(holder: str, fingerprint: str) -> int:
    """64 bits of both."""
    return int.from_bytes(sha256(f"{fingerprint}\n{holder}".encode()).digest()[:8], "big")
