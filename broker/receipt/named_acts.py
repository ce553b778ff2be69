"""Which signed messages and certificates a statement names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from broker.errors import VerificationFailed
from broker.keys import cose
from broker.model import EntryKind

MAX_ACT = 256 * 1024
"""Bytes of the largest signed message that is held."""

_APPLIED = frozenset(
    {EntryKind.EXCHANGE, EntryKind.VALIDATION, EntryKind.STREAM_DECISION, EntryKind.REDELIVERED}
)
_COMMITTED = _APPLIED | {EntryKind.COMMITMENT}


def acts_of(content: Mapping[str, Any]) -> tuple[str, ...]:
    """The digests (hexadecimal) of the signed messages that are held beside a statement's leaf: the signed
    application, use commitments, an officer's approval of a detokenization, and what officers sign about an
    application that people decide."""
    applied = content.get("signed_application", "") if content.get("kind") in _APPLIED else ""
    committed = [one["digest"] for one in committed_in(content)]
    approved = content["approval"]["digest"] if "approval" in content else ""
    signed = content.get("signed", ()) if content.get("kind") == EntryKind.APPLICATION else ()
    return tuple(digest for digest in (applied, *committed, approved, *signed) if digest)


def committed_in(content: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What a statement says of the use commitments that are held beside its leaf."""
    if content.get("kind") not in _COMMITTED:
        return ()
    return [one for one in content.get("commitments", ()) if "lodged" not in one]


def approvals_of(content: Mapping[str, Any]) -> tuple[str, ...]:
    """The digests of the officers' approvals of a policy that an act puts in force."""
    approvals = content.get("publication", {}).get("approvals", ())
    return tuple(approval["digest"] for approval in approvals)


def parties_of(content: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """Who acted, each with ``uri`` and ``certificate``: who asked, signed, or gave an order."""
    parties = (content.get(role, {}) for role in ("consumer", "signer", "caller"))
    return [party for party in parties if "certificate" in party]


def certificates_of(content: Mapping[str, Any], acts: Sequence[bytes]) -> frozenset[str]:
    """Fingerprints (SHA-256, hexadecimal) of the certificates that acted: of who asked, acknowledged or
    gave an order, and of who signed ``acts``.

    Raises:
        VerificationFailed: an act is malformed.
    """
    named = {party["certificate"] for party in parties_of(content)}
    signed = {sha256(der).hexdigest() for act in acts for der in cose.parse(act, MAX_ACT).chain[:1]}
    return frozenset(named | signed)


def require_named(content: Mapping[str, Any], acts: Sequence[bytes]) -> None:
    """That these are the messages that the statement names.

    Raises:
        VerificationFailed: one is missing, altered or too many.
    """
    named = {*acts_of(content), *approvals_of(content)}
    if sorted(sha256(act).hexdigest() for act in acts) != sorted(named):
        raise VerificationFailed("签署原文与存证所记散列不符 / acts: not those that the statement names")
