"""A receipt as a COSE Receipt: by RFC 9942, under both signatures, and refused whatever byte is altered."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from broker.acknowledge.signed import CONTENT_TYPE
from broker.errors import VerificationFailed
from broker.keys import cose
from broker.model import Receipt
from broker.receipt import cose_receipt
from broker.receipt.bundle import MAX_BYTES
from broker.receipt.merkle import EMPTY_ROOT, leaf_entry, leaf_hash
from broker.receipt.note import Checkpoint, VerifierKey, parse_checkpoint, sign_note, verify_note
from broker.receipt.tiles import Tree

NAME = "xinghe.example/receipts"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUST = VerifierKey.of(NAME, PRIVATE)
STATEMENTS = ['{"purpose":"公积金提取","n":%d}'.encode() % n for n in range(9)]


def receipt_of(size: int, index: int) -> tuple[Receipt, bytes]:
    """A receipt and the root it leads to."""
    leaves = [leaf_hash(leaf_entry(each)) for each in STATEMENTS[:size]]
    tree = Tree(0, lambda level, index: b"").append(leaves)[0]
    note = sign_note(Checkpoint(NAME, size, tree.root()).text(), NAME, PRIVATE)
    return Receipt(STATEMENTS[index], index, size, tree.inclusion_proof(index), note), tree.root()


def cose_of(receipt: Receipt, root: bytes, private: Ed25519PrivateKey = PRIVATE) -> bytes:
    return cose_receipt.export(receipt, cose_receipt.sign_root(root, private, TRUST), TRUST.id)


RECEIPT, ROOT = receipt_of(7, 5)
ROOT_FOLDER = Path(__file__).parents[2]
VERIFIERS = ROOT_FOLDER / ".venv-verifiers"
PACKAGE = Path("node_modules/@auth0/cose")
COSE = cose_of(RECEIPT, ROOT)


def by_the_rfc(data: bytes, entry: bytes, public: bytes) -> Any:
    """RFC 9942, Receipt of Inclusion, from its text alone: a plain CBOR reader, hashes by recursion."""
    message = cbor2.loads(data)
    protected, unprotected, payload, signature = message.value
    header = cbor2.loads(protected)
    assert (message.tag, header[1], header[395], payload) == (18, -8, 1, None)
    [proof] = unprotected[396][-1]
    size, index, path = cbor2.loads(proof)
    hashes = list(path)

    def climb(m: int, n: int) -> bytes:
        if n == 1:
            return sha256(b"\x00" + entry).digest()
        k = 1 << ((n - 1).bit_length() - 1)
        sibling = hashes.pop()
        if m < k:
            return sha256(b"\x01" + climb(m, k) + sibling).digest()
        return sha256(b"\x01" + sibling + climb(m - k, n - k)).digest()

    root = climb(index, size)
    assert not hashes
    signed = cbor2.dumps(["Signature1", protected, b"", root])
    Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    return index, size


@pytest.mark.parametrize("size", [2, 3, 7, 9])
def test_it_verifies_here_and_by_the_rfc(size: int) -> None:
    """Every leaf of logs of several sizes; the two verifiers share no code."""
    for index in range(size):
        receipt, root = receipt_of(size, index)
        data = cose_of(receipt, root)
        assert cose_receipt.parse(data)[0] == receipt
        assert cose_receipt.verify(data, TRUST).statement["n"] == index
        entry = b"\x01" + sha256(receipt.statement).digest()
        assert by_the_rfc(data, entry, TRUST.public_key) == (index, size)


def test_a_verifier_of_another_make_agrees() -> None:
    """One that nobody here wrote accepts the receipt for its entry, and for no other, nor when altered."""
    scitt = pytest.importorskip("scitt_cose.receipt")
    pem = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def accepts(data: bytes, statement: bytes) -> bool:
        entry = leaf_entry(statement).hex()
        return bool(scitt.verify_receipt(data, leaf_entry_hex=entry, log_public_key_pem=pem).ok)

    for size in (2, 3, 7, 9):
        for index in range(size):
            receipt, root = receipt_of(size, index)
            data = cose_of(receipt, root)
            assert accepts(data, receipt.statement)
            assert not accepts(data, STATEMENTS[index - 1])
            assert not accepts(data[:-1] + bytes([data[-1] ^ 1]), receipt.statement)


JAVASCRIPT = next((at for at in (VERIFIERS, ROOT_FOLDER) if (at / PACKAGE).is_dir()), None)


def signed_act() -> tuple[PublicKeyTypes, bytes]:
    """An acknowledgement, and the key of its signer."""
    private = ec.generate_private_key(ec.SECP256R1())
    message = cose.sign1(cose.encode({"leaf": bytes(32)}), CONTENT_TYPE, private, [b"certificate"])
    return private.public_key(), message


@pytest.mark.skipif(
    JAVASCRIPT is None or shutil.which("node") is None,
    reason="@auth0/cose is not installed: make verifiers",
)
def test_a_verifier_in_javascript_agrees(tmp_path: Path) -> None:
    """The program of docs/verify-without-us.md accepts a receipt for its statement and no other, and signed
    acts."""
    assert JAVASCRIPT is not None
    (tmp_path / "node_modules").symlink_to(JAVASCRIPT / "node_modules")
    shutil.copy(ROOT_FOLDER / "docs/verify-without-us/cose.mjs", tmp_path)
    pem = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    files = {"key.pem": pem, "receipt.cose": COSE, "statement": RECEIPT.statement, "other": STATEMENTS[0]}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def holds(*words: str) -> bool:
        done = subprocess.run(["node", "cose.mjs", *words], cwd=tmp_path, capture_output=True)
        assert done.returncode in (0, 3), done.stderr
        return done.returncode == 0

    assert holds("key.pem", "receipt.cose", "statement")
    assert not holds("key.pem", "receipt.cose", "other")
    signer, act = signed_act()
    pem = signer.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for name, content in {"signer.pem": pem, "act": act, "bent": act[:-1] + bytes([act[-1] ^ 1])}.items():
        (tmp_path / name).write_bytes(content)
    assert holds("signer.pem", "act")
    assert not holds("signer.pem", "bent")
    assert not holds("key.pem", "act")


@given(st.integers(0, len(COSE) - 1), st.integers(1, 255))
def test_any_altered_byte_is_refused(place: int, change: int) -> None:
    """In the headers nobody signed too: they are checked against what somebody did."""
    altered = bytearray(COSE)
    altered[place] ^= change
    with pytest.raises(VerificationFailed):
        cose_receipt.verify(bytes(altered), TRUST)


@given(st.binary(max_size=300), st.integers(0, len(COSE)), st.integers(0, len(COSE)))
def test_any_bytes_are_refused_and_nothing_crashes(inserted: bytes, start: int, end: int) -> None:
    """Cut, doubled, or with anything in between."""
    altered = COSE[:start] + inserted + COSE[end:]
    if altered != COSE:
        with pytest.raises(VerificationFailed):
            cose_receipt.verify(altered, TRUST)


OTHER, _ = receipt_of(8, 5)
EMPTY = sign_note(Checkpoint(NAME, 0, EMPTY_ROOT).text(), NAME, PRIVATE)
LONG = (bytes(32),) * 65


@pytest.mark.parametrize(
    "forged",
    [
        replace(RECEIPT, leaf_index=4),
        replace(RECEIPT, leaf_index=7),
        replace(RECEIPT, tree_size=8),
        replace(RECEIPT, tree_size=0),
        replace(RECEIPT, tree_size=0, leaf_index=0, checkpoint=EMPTY),
        replace(RECEIPT, proof=LONG),
        replace(RECEIPT, proof=(*RECEIPT.proof, bytes(32))),
        replace(RECEIPT, proof=RECEIPT.proof[:-1]),
        replace(RECEIPT, proof=(b"", *RECEIPT.proof)),
        replace(RECEIPT, checkpoint=OTHER.checkpoint),
        replace(RECEIPT, leaf_index=2**63),
        OTHER,
    ],
)
def test_what_rfc_9942_leaves_unsigned_is_checked(forged: Receipt) -> None:
    """Place, size, path or checkpoint of another leaf, another head or none, under a genuine signature."""
    with pytest.raises(VerificationFailed):
        cose_receipt.verify(cose_of(forged, ROOT), TRUST)


def test_both_signatures_must_hold() -> None:
    """One by another key fails, and neither of the log's two signatures stands for the other."""
    with pytest.raises(VerificationFailed, match="COSE signature"):
        cose_receipt.verify(cose_of(RECEIPT, ROOT, Ed25519PrivateKey.generate()), TRUST)
    as_note = PRIVATE.sign(parse_checkpoint(verify_note(RECEIPT.checkpoint, TRUST)).text().encode())
    with pytest.raises(VerificationFailed, match="COSE signature"):
        cose_receipt.verify(cose_receipt.export(RECEIPT, as_note, TRUST.id), TRUST)
    signature = cose_receipt.sign_root(ROOT, PRIVATE, TRUST)
    with pytest.raises(VerificationFailed, match="COSE key id"):
        cose_receipt.verify(cose_receipt.export(RECEIPT, signature, b"abcd"), TRUST)


def test_what_cannot_be_read_back_is_not_written() -> None:
    """A statement too long, and the only leaf of a log, for which RFC 9942 has no form."""
    with pytest.raises(ValueError, match="at most 1 MiB"):
        cose_of(replace(RECEIPT, statement=bytes(MAX_BYTES)), ROOT)
    with pytest.raises(ValueError, match="at least one hash"):
        cose_of(*receipt_of(1, 0))
    with pytest.raises(VerificationFailed):
        cose_receipt.parse(COSE + bytes(MAX_BYTES))
