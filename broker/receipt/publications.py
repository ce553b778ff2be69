"""``fsck`` of proposals, approvals and publications: what officers signed, and what the acts' leaves say.

Signatures are verified under the certificate that comes with them, which finds whatever was changed since;
whether its holder may sign is not asked here, but whenever a bundle is put in force.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from broker.errors import VerificationFailed
from broker.keys import cose
from broker.model import EntryKind
from broker.receipt.finding import Finding, row_name
from broker.receipt.indexed import Indexed
from broker.store.rows import microseconds
from broker.store.snapshot import Row, Snapshot

MANIFEST_FORMAT = "share-manifest/v1"
_SECOND = 1_000_000
_MOST_BYTES = 1 << 20


class Publications:
    """Told of the statements in the order of the log; then :meth:`findings` compares the tables."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._published: dict[int, dict[str, Any]] = {}
        """Place in the history → what its leaf says."""

    def heard(self, said: Indexed) -> None:
        """Keeps what puts a bundle in force; other statements do not, and older ones name no place."""
        act = said.content
        if said.kind is not EntryKind.EPOCH or act["act"] not in ("begin", "policy"):
            return
        told = act.get("publication", {"sequence": 1} if act["act"] == "begin" else {})
        if "sequence" in told:
            self._published[told["sequence"]] = {
                "bundle_hash": act["bundle"],
                "epoch": act["epoch"],
                "published_at": microseconds(said.recorded_at),
                "actor": act["actor"],
                "reason": act["reason"],
                "proposal": told.get("proposal"),
            }

    def proposed(self) -> set[Any]:
        """Hashes of the bundles that officers proposed, in force or not."""
        return {
            _payload(row["signed"]).get("bundle", row["bundle_hash"])
            for row in self._snapshot.rows("proposal")
        }

    def findings(self) -> Iterator[Finding]:
        """Rows that signatures or leaves contradict, and rows that are gone."""
        yield from self._proposals()
        yield from self._approvals()
        yield from self._publications()

    def _proposals(self) -> Iterator[Finding]:
        bundles = {row["hash"]: row["content"] for row in self._snapshot.rows("bundle")}
        rows = list(self._snapshot.rows("proposal"))
        yield from _gaps("proposal", "number", rows)
        for row in rows:
            payload = _payload(row["signed"])
            said = {
                "bundle_hash": payload.get("bundle"),
                "proposed_at": _microseconds(payload.get("proposed")),
                "reason": payload.get("reason"),
                "proposer": _signer(row["signed"]),
                **_placed(bundles.get(payload.get("bundle")), row),
            }
            yield from _unlike("proposal", "number", row, said if payload else {"signed": None})

    def _approvals(self) -> Iterator[Finding]:
        proposed = self.proposed()
        for row in self._snapshot.rows("approval"):
            payload = _payload(row["signed"])
            said = {
                "digest": sha256(row["signed"]).hexdigest(),
                "bundle_hash": payload.get("bundle") if payload.get("bundle") in proposed else None,
                "expires": _microseconds(payload.get("expires")),
            }
            yield from _unlike("approval", "digest", row, said if payload else {"signed": None})

    def _publications(self) -> Iterator[Finding]:
        rows = list(self._snapshot.rows("publication"))
        yield from _gaps("publication", "sequence", rows)
        for row in rows:
            if row["sequence"] == 1 and not row["actor"]:
                continue  # the history began with what was in force then, and the leaf is another's
            if told := self._published.get(row["sequence"]):
                yield from _unlike("publication", "sequence", row, told)
        there = {row["sequence"] for row in rows}
        for sequence in sorted(self._published.keys() - there if rows else ()):
            yield _finding("publication", "sequence", sequence, "", "缺失", "is missing")


def _placed(content: object, row: Row) -> Mapping[str, object]:
    """Sequence and previous bundle, if the bundle's manifest says otherwise or is not there."""
    said = {"format": MANIFEST_FORMAT, "previous": row["previous"], "sequence": row["sequence"]}
    written = orjson.dumps(said, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
    if isinstance(content, bytes) and written in content:
        return {}
    return {"sequence": None, "previous": None}


def _payload(signed: object) -> Mapping[int | str, cose.Cbor]:
    """What was signed; nothing if it was not, or not by the certificate that comes with it."""
    try:
        message = cose.parse(bytes(signed), _MOST_BYTES) if isinstance(signed, bytes) else None
        key = _certificate(message).public_key() if message else None
        if message and isinstance(key, ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey):
            message.verify(key)
            payload = cose.decode(message.payload)
            return payload if isinstance(payload, dict) else {}
    except (VerificationFailed, ValueError, IndexError):
        pass
    return {}


def _signer(signed: bytes) -> str | None:
    """The SPIFFE id in the certificate."""
    try:
        names = _certificate(cose.parse(signed, _MOST_BYTES)).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (VerificationFailed, ValueError, IndexError, x509.ExtensionNotFound):
        return None
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    return uris[0] if uris else None


def _certificate(message: cose.Sign1) -> x509.Certificate:
    return x509.load_der_x509_certificate(message.chain[0])


def _microseconds(seconds: object) -> int | None:
    return seconds * _SECOND if isinstance(seconds, int) else None


def _gaps(table: str, key: str, rows: list[Row]) -> Iterator[Finding]:
    """Numbers are given out from 1, one after the other."""
    for row in rows:
        if not (isinstance(row[key], int) and 1 <= row[key] <= len(rows)):
            yield _finding(table, key, row[key], key, "编号不连续", "leaves a gap in the numbers")


def _unlike(table: str, key: str, row: Row, said: Mapping[str, object]) -> Iterator[Finding]:
    for column, value in said.items():
        if row[column] != value:
            zh, en = "与签名或日志不一致", "contradicts what was signed or logged"
            yield _finding(table, key, row[key], column, zh, en)


def _finding(table: str, key: str, value: object, column: str, zh: str, en: str) -> Finding:
    return Finding(table, row_name({key: value}), column, zh, en)
