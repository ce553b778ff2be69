"""A receipt as a COSE Receipt of inclusion: RFC 9942, verifiable data structure RFC9162_SHA256.

A COSE_Sign1 with detached payload, which is the root that the proof leads to. What is signed is therefore
not what the checkpoint's signature covers: the log's key signs the root a second time. The two kinds of
signed bytes cannot be mistaken for each other: a Sig_structure begins with 0x84, and no UTF-8 text does.

RFC 9942 leaves tree size and leaf index unsigned. So the checkpoint travels along, in the unprotected
header beside the statement, and is authoritative: here both signatures must hold, and for the same root.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from broker.errors import VerificationFailed
from broker.keys.cose import ALG, EDDSA, Cbor, decode, encode
from broker.model import Receipt
from broker.receipt.bundle import MAX_BYTES, MAX_PROOF, MAX_SIZE
from broker.receipt.log_keys import Trust, led
from broker.receipt.merkle import HASH_SIZE
from broker.receipt.note import SIGNATURE_SIZE, VerifierKey
from broker.receipt.verify import Verified, verify_receipt

KID = 4
"""Header label (RFC 9052 §3.1): the key id of signed-note, 4 bytes."""
VDS, VDP = 395, 396
"""Verifiable data structure, verifiable data proofs: header labels (RFC 9942, IANA Considerations)."""
RFC9162_SHA256 = 1
INCLUSION = -1
"""Key of the inclusion proofs in ``vdp`` (RFC 9942, Proofs)."""
STATEMENT, CHECKPOINT = "statement", "checkpoint"
"""Labels of this project's own, in the unprotected header; verifiers that do not know them pass over them."""

MAGIC = b"\xd2\x84"
"""Tag 18 (COSE_Sign1), and an array of four."""
_DETACHED = b"\xf6\x58\x40"
"""Payload nil, and the head of a byte string of 64 bytes: the signature, which ends the message."""


def sign_root(root: bytes, private_key: Ed25519PrivateKey, key: VerifierKey) -> bytes:
    """The signature of a receipt whose proof leads to ``root``, 64 bytes."""
    return private_key.sign(_signed(root, key))


def verify_root(signature: bytes, root: bytes, key: VerifierKey) -> None:
    """Checks what :func:`sign_root` signed.

    Raises:
        VerificationFailed: it is not by this key over this root.
    """
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, _signed(root, key))
    except InvalidSignature:
        raise VerificationFailed("COSE 签名不符 / COSE signature: not by the trust key") from None


def export(receipt: Receipt, signature: bytes, key_id: bytes) -> bytes:
    """The COSE Receipt: CBOR, deterministic (RFC 8949 §4.2.1).

    Args:
        signature: by the log's key over the root of the receipt's tree, 64 bytes.
        key_id: of the log's key, 4 bytes.

    Raises:
        ValueError: it would be longer than :func:`parse` reads, or the proof is empty, as that of a log's
            only leaf is: RFC 9942 (Inclusion Proof) asks for one hash at least.
    """
    if not receipt.proof:
        raise ValueError("a COSE receipt has at least one hash in its proof")
    proof = encode([receipt.tree_size, receipt.leaf_index, list(receipt.proof)])
    unprotected: Cbor = {
        VDP: {INCLUSION: [proof]},
        STATEMENT: receipt.statement,
        CHECKPOINT: receipt.checkpoint,
    }
    data = MAGIC + encode(_protected(key_id)) + encode(unprotected) + _DETACHED + signature
    if len(data) > MAX_BYTES:
        raise ValueError("a COSE receipt is at most 1 MiB long")
    return data


def parse(data: bytes) -> tuple[Receipt, bytes, bytes]:
    """Receipt, signature and key id of a COSE Receipt; nothing is verified yet.

    Raises:
        VerificationFailed: too long, without statement or checkpoint, or not exactly what :func:`export`
            writes.
    """
    if len(data) > MAX_BYTES:
        raise VerificationFailed("COSE 回执过长 / COSE receipt: longer than 1 MiB")
    end = len(data) - len(_DETACHED) - SIGNATURE_SIZE
    signature = data[-SIGNATURE_SIZE:]
    match decode(b"\x82" + data[len(MAGIC) : max(end, 0)]):
        case [
            bytes(protected),
            {396: {-1: [bytes(proof)]}, "statement": bytes(statement), "checkpoint": str(checkpoint)},
        ]:
            key_id = _key_id(protected)
            size, index, path = _proof(proof)
        case _:
            raise _malformed()
    receipt = Receipt(statement, index, size, path, checkpoint)
    if not path or export(receipt, signature, key_id) != data:
        raise _malformed()
    return receipt, signature, key_id


def verify(data: bytes, trust: Trust, successions: tuple[str, ...] = ()) -> Verified:
    """What a COSE Receipt proves, once both signatures and the proof hold.

    Raises:
        VerificationFailed: a link broke; says which.
    """
    receipt, signature, key_id = parse(data)
    keys = led(trust, successions)
    if not any(key.id == key_id for key in keys.keys):
        raise VerificationFailed("COSE 密钥编号不符 / COSE key id: not that of the trust key")
    verified = verify_receipt(receipt, keys)
    key = keys.at(verified.checkpoint.size)
    if key is None or key.id != key_id:
        raise VerificationFailed(
            "COSE 密钥编号不符 / COSE key id: not that of the key which signs such a tree"
        )
    verify_root(signature, verified.checkpoint.root, key)
    return verified


def _protected(key_id: bytes) -> bytes:
    return encode({ALG: EDDSA, KID: key_id, VDS: RFC9162_SHA256})


def _signed(root: bytes, key: VerifierKey) -> bytes:
    """Sig_structure (RFC 9052 §4.4) over the detached root."""
    return encode(["Signature1", _protected(key.id), b"", root])


def _key_id(protected: bytes) -> bytes:
    match decode(protected):
        case {4: bytes(key_id)}:
            return key_id
    raise _malformed()


def _proof(proof: bytes) -> tuple[int, int, tuple[bytes, ...]]:
    match decode(proof):
        case [int(size), int(index), list(path)] if 0 <= index <= MAX_SIZE and 0 <= size <= MAX_SIZE:
            hashes = tuple(each for each in path if isinstance(each, bytes) and len(each) == HASH_SIZE)
            if len(hashes) == len(path) <= MAX_PROOF:
                return size, index, hashes
    raise _malformed()


def _malformed() -> VerificationFailed:
    return VerificationFailed("COSE 回执格式不符 / COSE receipt: malformed")
