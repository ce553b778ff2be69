"""Certificate chains, put into the log the first time a certificate acts, before what it acts in.

So a signature by a certificate of thirty days verifies years later: its leaf comes after that of the chain,
and says when it was. The rule is in ``docs/signed-acts.md``.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

import orjson

from broker.journal import AppendTransaction, CrlInForce
from broker.model import CertificateChain, Entry, EntryKind, Identity
from broker.receipt.statement import FORMAT, SALT_BYTES, instant


def chain_of(identity: Identity, authority: bytes) -> CertificateChain:
    """The chain of a proven identity, which ends with the certificate of the authority (DER)."""
    if not identity.certificate:
        raise ValueError("who acts has a certificate")
    return CertificateChain(identity.uri, identity.fingerprint, (identity.certificate, authority))


def certificate_chain(chain: CertificateChain, recorded_at: datetime, crl: CrlInForce | None) -> bytes:
    """The statement that a certificate acts from here on, with all that is needed to verify it."""
    content: dict[str, object] = {
        "format": FORMAT,
        "kind": EntryKind.CERTIFICATE_CHAIN,
        "recorded_at": instant(recorded_at),
        "salt": secrets.token_hex(SALT_BYTES),
        "holder": chain.holder,
        "chain": [
            {"der": b64encode(der).decode(), "sha256": sha256(der).hexdigest()} for der in chain.certificates
        ],
    }
    if crl is not None:
        content["crl"] = {"number": str(crl.number), "digest": crl.digest.hex()}
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


@dataclass(slots=True)
class Chains:
    """Which of the certificates that act in a batch have no leaf yet, and which get one with it."""

    missing: set[bytes] = field(default_factory=set)
    """By fingerprint."""
    crl: CrlInForce | None = None
    begun: dict[bytes, int] = field(default_factory=dict)
    """Fingerprint → the leaf that the batch adds."""

    @classmethod
    def of(cls, transaction: AppendTransaction, acting: Collection[bytes]) -> Chains:
        """What the log lacks of the certificates that act, by fingerprint."""
        if missing := set(acting) - transaction.chains.known(acting) if acting else set():
            return cls(missing, transaction.chains.crl())
        return cls()

    def before(self, entry: Entry, index: int) -> Iterator[Entry]:
        """What goes into the log before ``entry``, from leaf ``index`` on."""
        for chain in entry.chains:
            if chain.fingerprint in self.missing:
                self.missing.remove(chain.fingerprint)
                self.begun[chain.fingerprint] = index
                statement = certificate_chain(chain, entry.recorded_at, self.crl)
                yield Entry(EntryKind.CERTIFICATE_CHAIN, statement, entry.recorded_at)
                index += 1

    def settle(self, transaction: AppendTransaction) -> None:
        """Write down which leaves were added."""
        if self.begun:
            transaction.chains.record(self.begun)
