"""COSE_Sign1 by hand: one signer, one signature, deterministic bytes.

Sources: RFC 9052 §4.2–4.4 (COSE_Sign1, Sig_structure), RFC 9053 §2.1–2.2 (ES256, EdDSA), RFC 9360 §2
(x5chain), RFC 8949 §4.2.1 (deterministic encoding). Stricter than RFC 9052 on purpose: the message must
be tagged and encoded deterministically as a whole, so one signed content has one spelling per signature,
and a digest over the message means something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from broker.errors import VerificationFailed

Cbor: TypeAlias = "int | bytes | str | Sequence[Cbor] | Mapping[int | str, Cbor]"
"""The part of CBOR that is used: integers of up to 64 bits, byte and text strings, arrays, maps."""

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

ES256 = -7
"""ECDSA over P-256 with SHA-256 (RFC 9053 §2.1)."""
EDDSA = -8
"""EdDSA over Ed25519 (RFC 9053 §2.2); -19 means the same but libraries refuse it."""

ALG, CRIT, CONTENT_TYPE, X5CHAIN = 1, 2, 3, 33
"""Header labels (RFC 9052 §3.1, RFC 9360 §2)."""

_UNDERSTOOD = frozenset({ALG, CONTENT_TYPE, X5CHAIN})
_TAG_18 = b"\xd2"
"""CBOR tag 18, COSE_Sign1_Tagged (RFC 9052 §4.2)."""
_COORDINATE = 32
"""Bytes of each half of a P-256 signature."""
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Sign1:
    """A well-formed COSE_Sign1 whose signature has **not** been verified yet."""

    protected: bytes
    """The protected header as signed."""
    protected_header: Mapping[int | str, Cbor]
    unprotected_header: Mapping[int | str, Cbor]
    payload: bytes
    signature: bytes

    @property
    def content_type(self) -> Cbor | None:
        """Protected header 3."""
        return self.protected_header.get(CONTENT_TYPE)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Protected header 33: DER certificates, the signer's first; empty when there is none.

        Raises:
            VerificationFailed: it is neither a byte string nor an array of two or more (RFC 9360 §2).
        """
        value = self.protected_header.get(X5CHAIN)
        if value is None:
            return ()
        if isinstance(value, bytes):
            return (value,)
        if not isinstance(value, list) or len(value) < 2 or not all(isinstance(c, bytes) for c in value):
            raise VerificationFailed("x5chain is malformed")
        return tuple(value)

    @property
    def bare(self) -> Sign1:
        """The same without what is not signed: its signature holds as before."""
        return replace(self, unprotected_header={})

    def encoded(self) -> bytes:
        """The message."""
        return _TAG_18 + encode([self.protected, self.unprotected_header, self.payload, self.signature])

    def verify(self, key: PublicKey) -> None:
        """Check the signature by ``key``, whose kind must fit the algorithm named in the protected header.

        Raises:
            VerificationFailed: another algorithm or kind of key, or the signature does not hold.
        """
        if self.protected_header.get(ALG) != _algorithm(key):
            raise VerificationFailed("the algorithm is not that of the key")
        signed = _sig_structure(self.protected, self.payload)
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(self.signature, signed)
            else:
                key.verify(_to_der(self.signature), signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise VerificationFailed("the signature does not hold") from None


def sign1(
    payload: bytes,
    content_type: str,
    key: PrivateKey,
    chain: Sequence[bytes],
    unprotected: Mapping[int | str, Cbor] | None = None,
) -> bytes:
    """A tagged COSE_Sign1 over ``payload`` with protected header {alg, content type, x5chain}.

    Args:
        chain: DER certificates, the signer's first; one at least.
        unprotected: header that is not signed; none by default.
    """
    x5chain: Cbor = chain[0] if len(chain) == 1 else list(chain)
    protected = encode({ALG: _algorithm(key.public_key()), CONTENT_TYPE: content_type, X5CHAIN: x5chain})
    signed = _sig_structure(protected, payload)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        signature = key.sign(signed)
    else:
        signature = _from_der(key.sign(signed, ec.ECDSA(hashes.SHA256())))
    return _TAG_18 + encode([protected, unprotected or {}, payload, signature])


def parse(message: bytes, limit: int) -> Sign1:
    """Read a tagged COSE_Sign1 of at most ``limit`` bytes; verifies nothing.

    Raises:
        VerificationFailed: too long, not tagged 18, not deterministic, bytes after the end, a payload or
            header of another shape, a label in both headers, or a critical header that is not understood.
    """
    if len(message) > limit:
        raise VerificationFailed("the message is too long")
    if not message.startswith(_TAG_18):
        raise VerificationFailed("the message is not a tagged COSE_Sign1")
    match decode(message[1:]):
        case [bytes(protected), dict(unprotected), bytes(payload), bytes(signature)]:
            header = _protected_header(protected, unprotected)
            return Sign1(protected, header, unprotected, payload, signature)
    raise VerificationFailed("the message is not a COSE_Sign1")


def encode(value: Cbor) -> bytes:
    """Deterministic CBOR (RFC 8949 §4.2.1): shortest lengths, definite, map keys in bytewise order.

    Raises:
        TypeError: a value outside :data:`Cbor`.
    """
    return cbor2.dumps(_ordered(value))


def decode(data: bytes) -> Cbor:
    """The inverse of :func:`encode`.

    Raises:
        VerificationFailed: anything that :func:`encode` would have written differently.
    """
    try:
        value = cbor2.loads(
            data,
            semantic_decoders=_REFUSE_TAGS,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            max_depth=_MAX_DEPTH,
        )
        same = encode(value) == data
    except (cbor2.CBORError, TypeError, ValueError, OverflowError, RecursionError):
        raise VerificationFailed("not the CBOR expected") from None
    if not same:
        raise VerificationFailed("the CBOR is not deterministic, or bytes follow it")
    return value  # type: ignore[no-any-return]  # encode() accepted it, so it is Cbor


class _RefuseTags(dict[int, Callable[[object, bool], object]]):
    """A decoder for every tag: cbor2 would make dates, patterns, shared references … of them."""

    def __missing__(self, tag: int) -> Callable[[object, bool], object]:
        raise VerificationFailed("a CBOR tag stands where none may")


_REFUSE_TAGS = _RefuseTags()


def _ordered(value: Cbor) -> Cbor:
    # cbor2's own canonical mode orders by length first (RFC 7049), so maps are ordered here.
    if isinstance(value, bytes | str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and -(2**64) <= value < 2**64:
        return value
    if isinstance(value, Mapping):
        if not all(isinstance(key, int | str) and not isinstance(key, bool) for key in value):
            raise TypeError("map keys must be integers or text")
        return {key: _ordered(value[key]) for key in sorted(value, key=cbor2.dumps)}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    raise TypeError(f"no CBOR for {type(value).__name__} here")


def _protected_header(protected: bytes, unprotected: Mapping[int | str, Cbor]) -> Mapping[int | str, Cbor]:
    header = decode(protected)
    if not isinstance(header, dict):
        raise VerificationFailed("the protected header is no map")
    if header.keys() & unprotected.keys():
        raise VerificationFailed("a header stands in both the protected and the unprotected part")
    if CRIT in unprotected:
        raise VerificationFailed("crit must be protected")  # RFC 9052 §3.1
    critical = header.get(CRIT, [])
    if not isinstance(critical, list) or (CRIT in header and not critical):
        raise VerificationFailed("crit is malformed")
    if not all(isinstance(label, int) and label in _UNDERSTOOD & header.keys() for label in critical):
        raise VerificationFailed("a critical header is not understood")
    return header


def _sig_structure(protected: bytes, payload: bytes) -> bytes:
    """What is signed (RFC 9052 §4.4), without external data."""
    return encode(["Signature1", protected, b"", payload])


def _algorithm(key: PublicKey) -> int:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return EDDSA
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return ES256
    raise VerificationFailed("the key is neither P-256 nor Ed25519")


def _to_der(raw: bytes) -> bytes:
    if len(raw) != 2 * _COORDINATE:
        raise VerificationFailed("the signature does not hold")
    return encode_dss_signature(
        int.from_bytes(raw[:_COORDINATE], "big"), int.from_bytes(raw[_COORDINATE:], "big")
    )


def _from_der(der: bytes) -> bytes:
    r, s = decode_dss_signature(der)
    return r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")
