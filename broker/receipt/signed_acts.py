"""Verifies, offline and at any time, what was signed by certificates that have long expired.

The rule (``docs/signed-acts.md``): an act counts if its leaf comes after the leaf of its certificate's chain,
the certificate was within its dates when the act's leaf was recorded, and was not revoked by the list then in
force. What the log says is to be believed already: whoever calls has verified that it holds the statements.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from cryptography import x509

from broker.errors import VerificationFailed
from broker.keys import cose
from broker.keys.certificates import UNREADABLE, only_uri
from broker.keys.revocation import Revocations, read_revocations
from broker.keys.signers import check_issued, public_key
from broker.keys.spiffe import DepartmentId, parse
from broker.model import EntryKind, Receipt, Role
from broker.receipt.bundle import read_json
from broker.receipt.log_keys import Trust
from broker.receipt.named_acts import MAX_ACT, certificates_of, committed_in, parties_of, require_named
from broker.receipt.statement import instant
from broker.receipt.verify import STATEMENT, verify_receipt
from broker.use_commitment.signed import read


@dataclass(frozen=True, slots=True)
class LoggedChain:
    """A certificate's chain, as a leaf of kind ``certificate_chain`` has it; nothing of it is verified."""

    leaf_index: int
    certificate: x509.Certificate
    authority: x509.Certificate
    fingerprint: str
    """SHA-256 of the certificate in hexadecimal: how statements name it."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where and when an act was recorded, as its leaf and statement say."""

    leaf_index: int
    at: datetime


def read_chain(leaf_index: int, statement: bytes) -> LoggedChain:
    """The chain in a statement.

    Raises:
        VerificationFailed: it is no statement of a chain, or its digests or holder are not the certificates'.
    """
    content: dict[str, Any] = read_json(statement, STATEMENT)
    try:
        ders = [b64decode(link["der"], validate=True) for link in content["chain"]]
        sums = [link["sha256"] for link in content["chain"]]
        certificate, authority = (x509.load_der_x509_certificate(der) for der in ders)
        sound = content["kind"] == EntryKind.CERTIFICATE_CHAIN and content["holder"] == only_uri(certificate)
    except (KeyError, TypeError, binascii.Error, *UNREADABLE):
        raise _malformed() from None
    if not sound or sums != [sha256(der).hexdigest() for der in ders]:
        raise _malformed()
    return LoggedChain(leaf_index, certificate, authority, sums[0])


def read_crl(content: Mapping[str, Any], pem: bytes, authority: x509.Certificate) -> Revocations:
    """The revocation list that the statement of an epoch, or of a chain, names; it may be outside its dates.

    Raises:
        VerificationFailed: ``pem`` is another list, or not the authority's.
    """
    named = content.get("crl")
    found = read_revocations(pem, authority)
    if named != {"number": str(found.number), "digest": sha256(pem).hexdigest()}:
        raise VerificationFailed("吊销列表不是当时生效的 / revocation list: not the one then in force")
    return found


def verify_certificate(
    chain: LoggedChain,
    recorded: Recorded,
    authority: x509.Certificate,
    revocations: Revocations | None = None,
) -> DepartmentId:
    """Who acted in a leaf by the certificate of the chain.

    Args:
        authority: the city's, obtained another way than with the log.
        revocations: the list in force at the leaf, see :func:`read_crl`; None: whoever calls cannot tell what
            was revoked, and must say so.

    Raises:
        VerificationFailed: the chain came later, the certificate is not the authority's or a department's, or
            it was outside its dates or revoked.
    """
    if chain.leaf_index >= recorded.leaf_index:
        raise VerificationFailed("证书链的存证不在此前 / certificate: its chain does not come before the act")
    check_issued(chain.certificate, authority, recorded.at)
    if revocations is not None and chain.certificate.serial_number in revocations.serials:
        raise VerificationFailed("证书当时已被吊销 / certificate: revoked at that time")
    try:
        who = parse(only_uri(chain.certificate))
    except UNREADABLE:
        who = None
    if not isinstance(who, DepartmentId):
        raise VerificationFailed("不是部门的证书 / certificate: not a department's")
    return who


def verify_act(
    message: bytes,
    chain: LoggedChain,
    recorded: Recorded,
    authority: x509.Certificate,
    revocations: Revocations | None = None,
) -> tuple[DepartmentId, cose.Sign1]:
    """Who signed a message that a leaf's statement names by its digest, and what; the arguments are those of
    :func:`verify_certificate`.

    Raises:
        VerificationFailed: as there; or the message is malformed, by another certificate, or its signature
            does not hold.
    """
    who = verify_certificate(chain, recorded, authority, revocations)
    signed = cose.parse(message, MAX_ACT)
    if [sha256(der).hexdigest() for der in signed.chain] != [chain.fingerprint]:
        raise VerificationFailed("签名所附证书不是这一张 / act: signed by another certificate")
    signed.verify(public_key(chain.certificate))
    return who, signed


def verify_acts(
    receipt: Receipt, trust: Trust, authority: x509.Certificate | None = None
) -> tuple[DepartmentId, ...]:
    """Who signed the messages that a verified receipt comes with, each by a chain that it comes with too; and
    that who asked held the certificate that the statement names.

    Args:
        authority: None: the one in the chains, which nobody vouches for.

    Raises:
        VerificationFailed: a message or chain is missing, not the statement's, or does not hold.
    """
    content: dict[str, Any] = read_json(receipt.statement, STATEMENT)
    try:
        require_named(content, receipt.acts)
        recorded = Recorded(receipt.leaf_index, datetime.fromisoformat(content["recorded_at"]))
        chains = {chain.fingerprint: chain for chain in _chains(receipt, trust)}
        if chains.keys() != certificates_of(content, receipt.acts):
            raise VerificationFailed("证书链缺失或多余 / certificate chains: missing or too many")
        holders = {
            fingerprint: verify_certificate(chain, recorded, authority or chain.authority)
            for fingerprint, chain in chains.items()
        }
        for party in parties_of(content):
            if str(holders[party["certificate"]]) != party["uri"]:
                raise VerificationFailed("证书持有者不是存证所记 / certificate: another holder than is said")
        return tuple(_signer(act, content, chains, recorded, authority) for act in receipt.acts)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise VerificationFailed("存证内容格式不符 / statement: not of the documented form") from None


def _chains(receipt: Receipt, trust: Trust) -> Iterator[LoggedChain]:
    for chain in receipt.chains:
        verify_receipt(chain, trust)
        yield read_chain(chain.leaf_index, chain.statement)


def _signer(
    act: bytes,
    content: Mapping[str, Any],
    chains: Mapping[str, LoggedChain],
    recorded: Recorded,
    authority: x509.Certificate | None,
) -> DepartmentId:
    chain = chains[sha256(cose.parse(act, MAX_ACT).chain[0]).hexdigest()]
    who, _ = verify_act(act, chain, recorded, authority or chain.authority)
    digest = sha256(act).hexdigest()
    officers = {
        approval["digest"]: approval["officer"]
        for approval in (content.get("approval"), *content.get("publication", {}).get("approvals", ()))
        if approval
    }
    committed = {one["digest"]: one for one in committed_in(content)}
    if digest in officers:
        right = officers[digest] == str(who)
    elif digest in committed:
        right = _is_committed(act, committed[digest], content, who)
    else:  # an application: by a system of the department that asked
        right = (content["consumer"]["department"], Role.SYSTEM) == (who.department, who.role)
    if not right:
        raise VerificationFailed("签署者不是存证所记 / act: signed by another than is said")
    return who


def _is_committed(act: bytes, told: Mapping[str, Any], content: Mapping[str, Any], who: DepartmentId) -> bool:
    """Whether a use commitment is by who is said, of the consumer's department, and binds it to what the
    statement is about."""
    signed = read(act).said
    said = (signed.template, signed.version, instant(signed.expires), signed.request_id)
    about = (signed.consumer, signed.dataset, signed.purpose, signed.case_no)
    return (
        str(who) == told["signer"]
        and who.department == content["consumer"]["department"]
        and said == (told["template"], told["version"], told["expires"], content.get("request_id", ""))
        and about == (who.department, content["dataset"], content["purpose"], content.get("case_no", ""))
    )


def _malformed() -> VerificationFailed:
    return VerificationFailed("证书链的陈述格式不符 / chain: the statement is malformed")
