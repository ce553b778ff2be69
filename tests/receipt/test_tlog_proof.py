"""A receipt as C2SP tlog-proof text: read in one way only, and refused whatever byte of it is altered."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import VerificationFailed
from broker.model import Receipt
from broker.receipt import tlog_proof
from broker.receipt.bundle import MAX_BYTES
from broker.receipt.merkle import EMPTY_ROOT, leaf_entry, leaf_hash
from broker.receipt.note import Checkpoint, VerifierKey, sign_note
from broker.receipt.tiles import Tree
from broker.receipt.verify import verify_receipt

NAME = "xinghe.example/receipts"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUST = VerifierKey.of(NAME, PRIVATE)
STATEMENTS = ['{"purpose":"公积金提取","n":%d}'.encode() % n for n in range(9)]


def receipt_of(size: int, index: int) -> Receipt:
    leaves = [leaf_hash(leaf_entry(each)) for each in STATEMENTS[:size]]
    tree = Tree(0, lambda level, index: b"").append(leaves)[0]
    note = sign_note(Checkpoint(NAME, size, tree.root()).text(), NAME, PRIVATE)
    return Receipt(STATEMENTS[index], index, size, tree.inclusion_proof(index), note)


RECEIPT = receipt_of(7, 5)
PROOF = tlog_proof.export(RECEIPT)


@pytest.mark.parametrize("size", [1, 2, 7, 9])
def test_it_says_what_the_receipt_says(size: int) -> None:
    """Every leaf of logs of several sizes, the only leaf of a log included, is read back and verifies."""
    for index in range(size):
        receipt = receipt_of(size, index)
        assert tlog_proof.parse(tlog_proof.export(receipt)) == receipt
        verify_receipt(receipt, TRUST)


@given(st.integers(0, len(PROOF) - 1), st.integers(1, 255))
def test_any_altered_byte_is_refused(place: int, change: int) -> None:
    """There is no second spelling of it, and no part that the signature does not reach."""
    altered = bytearray(PROOF)
    altered[place] ^= change
    with pytest.raises(VerificationFailed):
        verify_receipt(tlog_proof.parse(bytes(altered)), TRUST)


@given(st.binary(max_size=300), st.integers(0, len(PROOF)), st.integers(0, len(PROOF)))
def test_any_bytes_are_refused_and_nothing_crashes(inserted: bytes, start: int, end: int) -> None:
    """Cut, doubled, or with anything in between."""
    altered = PROOF[:start] + inserted + PROOF[end:]
    if altered != PROOF:
        with pytest.raises(VerificationFailed):
            verify_receipt(tlog_proof.parse(altered), TRUST)


EXTRA = b"extra " + b64encode(RECEIPT.statement) + b"\n"


@pytest.mark.parametrize(
    "altered",
    [
        b"",
        b"\n\n",
        b"c2sp.org/tlog-proof@v1",
        b"c2sp.org/tlog-proof@v1\n\n",
        PROOF.replace(b"@v1", b"@v2"),
        PROOF.replace(EXTRA, b""),
        PROOF.replace(EXTRA, EXTRA * 2),
        PROOF.replace(b"index 5", b"index 05"),
        PROOF.replace(b"index 5", b"index +5"),
        PROOF.replace(b"index 5", b"index -1"),
        PROOF.replace(b"index 5", b"index 7"),
        PROOF.replace(b"index 5", b"index %d" % 2**63),
        PROOF.replace(b"index 5", b"index " + b"9" * 5000),
        PROOF.replace(b"index 5", "index ５".encode()),
        PROOF.replace(b"index 5\n", b"index 5\n" + b64encode(bytes(31)) + b"\n"),
        PROOF.replace(b"index 5\n", b"index 5\n" + (b64encode(bytes(32)) + b"\n") * 65),
        PROOF.replace(b"index 5\n", b"index 5\n" + (b64encode(bytes(32)) + b"\n")),
        PROOF.replace(b"\n", b"\r\n"),
        PROOF + b"\n",
        PROOF + bytes(MAX_BYTES),
        PROOF.partition(b"\n\n")[0] + b"\n\n" + sign_note(f"{NAME}\n0\n", NAME, PRIVATE).encode(),
    ],
)
def test_other_forms_are_refused(altered: bytes) -> None:
    """Without a statement, with numbers or hashes out of bounds, too long, or with other line ends."""
    with pytest.raises(VerificationFailed):
        verify_receipt(tlog_proof.parse(altered), TRUST)


def test_an_empty_log_holds_nothing() -> None:
    """A proof against a signed head of size 0 is refused, whatever index it names."""
    empty = sign_note(Checkpoint(NAME, 0, EMPTY_ROOT).text(), NAME, PRIVATE)
    for proof in (RECEIPT.proof, ()):
        forged = replace(RECEIPT, leaf_index=0, tree_size=0, proof=proof, checkpoint=empty)
        with pytest.raises(VerificationFailed, match="leaf index outside the tree"):
            verify_receipt(tlog_proof.parse(tlog_proof.export(forged)), TRUST)


def test_what_cannot_be_read_back_is_not_written() -> None:
    """A statement too long for a proof is an error of the writer."""
    with pytest.raises(ValueError, match="at most 1 MiB"):
        tlog_proof.export(replace(RECEIPT, statement=bytes(MAX_BYTES)))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_it_verifies_with_a_reader_that_shares_nothing(tmp_path: Path) -> None:
    """From the specification alone: lines, hashes of RFC 6962 by recursion, and openssl for the signature."""
    header, extra, index, *path = PROOF.split(b"\n\n")[0].decode().split("\n")
    text, signature = PROOF.split(b"\n\n", 1)[1].rsplit(b"\n\n", 1)
    origin, size, root = text.decode().split("\n")
    entry = b"\x01" + sha256(b64decode(extra.split(" ")[1])).digest()
    reached = sha256(b"\x00" + entry).digest()
    for bit_of, sibling in zip(_turns(int(index.split(" ")[1]), int(size)), path, strict=True):
        pair = (b64decode(sibling), reached) if bit_of == "left" else (reached, b64decode(sibling))
        reached = sha256(b"\x01" + b"".join(pair)).digest()
    assert (header, origin, reached) == ("c2sp.org/tlog-proof@v1", NAME, b64decode(root))
    (tmp_path / "text").write_bytes(text + b"\n")
    (tmp_path / "signature").write_bytes(b64decode(signature.split(b" ")[2])[4:])
    (tmp_path / "key.pem").write_bytes(
        PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key.pem"]
    subprocess.run([*command, "-sigfile", "signature", "-in", "text"], cwd=tmp_path, check=True)


def _turns(index: int, size: int) -> list[str]:
    """On which side the sibling stands, from the leaf upwards (RFC 6962 §2.1.1, read as it is written)."""
    if size == 1:
        return []
    half = 1
    while half * 2 < size:
        half *= 2
    if index < half:
        return [*_turns(index, half), "right"]
    return [*_turns(index - half, size - half), "left"]
