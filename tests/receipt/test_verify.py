"""A receipt proves itself under the trusted key, and no alteration of it does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import VerificationFailed
from broker.model import Receipt
from broker.receipt import bundle
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.receipt.note import Checkpoint, VerifierKey, sign_note
from broker.receipt.tiles import Tree
from broker.receipt.verify import verify_checkpoint, verify_receipt

NAME = "xinghe.example/receipts"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUST = VerifierKey.of(NAME, PRIVATE)
FORMAT_DOC = Path(__file__).parents[2] / "docs" / "receipt-format.md"

STATEMENTS = [
    json.dumps({"format": "share-statement/v1", "kind": "exchange", "purpose": "公积金提取", "n": n}).encode()
    for n in range(11)
]


def log_of(statements: list[bytes]) -> Tree:
    return Tree(0, lambda level, index: b"").append([leaf_hash(leaf_entry(each)) for each in statements])[0]


def receipt_of(
    statements: list[bytes], index: int, private: Ed25519PrivateKey = PRIVATE, name: str = NAME
) -> Receipt:
    """The receipt of one statement from a log that holds just these."""
    tree = log_of(statements)
    checkpoint = sign_note(Checkpoint(name, tree.size, tree.root()).text(), name, private)
    return Receipt(statements[index], index, tree.size, tree.inclusion_proof(index), checkpoint)


RECEIPT = receipt_of(STATEMENTS, 6)


def test_a_receipt_verifies() -> None:
    """Every statement of logs of several sizes verifies, through the exported file."""
    for size in (1, 2, 3, 8, 11):
        for index in range(size):
            receipt = bundle.parse(bundle.export(receipt_of(STATEMENTS[:size], index)))
            verified = verify_receipt(receipt, TRUST)
            assert verified.statement["n"] == index
            assert verified.checkpoint.size == size


def flips(data: bytes) -> Iterator[bytes]:
    """The data with each byte altered: every one of its bits flipped, and the byte set to a few others."""
    for i, byte in enumerate(data):
        for other in {*(byte ^ (1 << bit) for bit in range(8)), 0, 0x20, 0x22, 0x30, 0x5C, 0xFF} - {byte}:
            yield data[:i] + bytes([other]) + data[i + 1 :]


@pytest.mark.parametrize("member", ["statement", "proof", "checkpoint", "leaf_index", "tree_size"])
def test_any_altered_byte_of_an_exported_file_fails(member: str) -> None:
    """Each byte of each part is altered in the file, as a thief of the file could, and it never verifies."""
    data = bundle.export(RECEIPT)
    match = re.search(rb'"%s": (".*"|\d+|\[[^]]*\])' % member.encode(), data)
    assert match is not None
    assert bundle.parse(data) == RECEIPT
    for part in flips(match[1]):
        altered = data[: match.start(1)] + part + data[match.end(1) :]
        if member == "proof" and b"".join(part.split()) == b"".join(match[1].split()):
            continue  # white space between the hashes is no part of the proof
        with pytest.raises(VerificationFailed):
            verify_receipt(bundle.parse(altered), TRUST)


def test_any_altered_byte_of_the_values_fails() -> None:
    """The same on the values themselves, as they come over the wire."""
    for statement in flips(RECEIPT.statement):
        with pytest.raises(VerificationFailed, match="inclusion proof"):
            verify_receipt(replace(RECEIPT, statement=statement), TRUST)
    for i, value in enumerate(RECEIPT.proof):
        for other in flips(value):
            proof = (*RECEIPT.proof[:i], other, *RECEIPT.proof[i + 1 :])
            with pytest.raises(VerificationFailed, match="inclusion proof"):
                verify_receipt(replace(RECEIPT, proof=proof), TRUST)


def test_any_altered_byte_of_the_trust_key_fails() -> None:
    """A slip in the trust root is seen, and is never taken as another key."""
    for text in flips(str(TRUST).encode()):
        try:
            key = text.decode()
        except UnicodeDecodeError:
            continue
        with pytest.raises(VerificationFailed):
            verify_receipt(RECEIPT, VerifierKey.parse(key))


@given(st.data())
def test_any_two_altered_places_fail(data: st.DataObject) -> None:
    """Alterations do not make up for each other."""
    exported = bytearray(bundle.export(RECEIPT))
    for _ in range(2):
        exported[data.draw(st.integers(0, len(exported) - 1))] = data.draw(st.integers(0, 255))
    try:
        receipt = bundle.parse(bytes(exported))
        verify_receipt(receipt, TRUST)
    except VerificationFailed:
        return
    assert receipt == RECEIPT  # only white space between members was touched


def test_an_attackers_key_is_never_trusted() -> None:
    """A receipt forged and signed anew fails, under the attacker's name, the log's, and with both lines."""
    attacker = Ed25519PrivateKey.generate()
    forged = [*STATEMENTS[:6], b'{"purpose":"forged"}', *STATEMENTS[7:]]
    for name in (NAME, "attacker.example/receipts"):
        with pytest.raises(VerificationFailed, match="signature"):
            verify_receipt(receipt_of(forged, 6, attacker, name), TRUST)
    resigned = receipt_of(forged, 6, attacker)
    genuine_line = RECEIPT.checkpoint.rpartition("\n\n")[2]
    with pytest.raises(VerificationFailed, match="signature"):
        verify_receipt(replace(resigned, checkpoint=resigned.checkpoint + genuine_line), TRUST)
    verify_receipt(resigned, VerifierKey.of(NAME, attacker))  # it is well made, only not by the log


def test_the_key_id_alone_does_not_make_a_key_trusted() -> None:
    """A line that bears the trusted name and key id over another key's signature fails."""
    tree = log_of(STATEMENTS)
    text = Checkpoint(NAME, tree.size, tree.root()).text()
    signature = TRUST.id + Ed25519PrivateKey.generate().sign(text.encode())
    note = f"{text}\n— {NAME} {b64encode(signature).decode()}\n"
    with pytest.raises(VerificationFailed, match="signature: does not verify"):
        verify_receipt(replace(RECEIPT, checkpoint=note), TRUST)


@given(st.integers(0, 9), st.sampled_from(["swapped", "dropped", "repeated"]))
def test_a_rearranged_log_gives_other_receipts(i: int, how: str) -> None:
    """Swapped, dropped or repeated leaves move the root, so an old receipt does not fit the new head."""
    rearranged = {
        "swapped": [*STATEMENTS[:i], STATEMENTS[i + 1], STATEMENTS[i], *STATEMENTS[i + 2 :]],
        "dropped": [*STATEMENTS[:i], *STATEMENTS[i + 1 :]],
        "repeated": [*STATEMENTS[: i + 1], *STATEMENTS[i:]],
    }[how]
    head = receipt_of(rearranged, 0).checkpoint
    for index, statement in enumerate(STATEMENTS):
        old = receipt_of(STATEMENTS, index)
        with pytest.raises(VerificationFailed):
            verify_receipt(replace(old, checkpoint=head), TRUST)
        if index < len(rearranged) and rearranged[index] != statement:
            with pytest.raises(VerificationFailed, match="inclusion proof"):
                verify_receipt(replace(receipt_of(rearranged, index), statement=statement), TRUST)


def broken(**parts: object) -> Receipt:
    return replace(RECEIPT, **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("receipt", "link"),
    [
        (broken(checkpoint="x"), "checkpoint: not a signed note"),
        (broken(checkpoint=sign_note("x\n", NAME, PRIVATE)), "checkpoint: malformed"),
        (
            broken(checkpoint=sign_note(RECEIPT.checkpoint.split("\n\n")[0] + "\n", "other", PRIVATE)),
            "signature: none by the trust key",
        ),
        (
            broken(checkpoint=sign_note(Checkpoint("other", 11, bytes(32)).text(), NAME, PRIVATE)),
            "checkpoint: origin",
        ),
        (broken(tree_size=12), "tree size"),
        (broken(leaf_index=11), "inclusion proof: leaf index outside"),
        (broken(leaf_index=-1), "inclusion proof: size or index no natural number"),
        (broken(leaf_index=5), "inclusion proof: does not lead"),
        (broken(proof=RECEIPT.proof[:-1]), "inclusion proof: too short"),
        (broken(proof=(*RECEIPT.proof, bytes(32))), "inclusion proof: too long"),
        (broken(proof=(b"", *RECEIPT.proof[1:])), "inclusion proof: bad hash length"),
        (broken(statement=STATEMENTS[5]), "inclusion proof: does not lead"),
        (receipt_of([b"not JSON"], 0), "statement: not well-formed JSON"),
        (receipt_of([b'{"a":1,"a":2}'], 0), "statement: not well-formed JSON"),
        (receipt_of([b'["list"]'], 0), "statement: not a JSON object"),
        (receipt_of([b'{"a":"\xff"}'], 0), "statement: not well-formed JSON"),
    ],
)
def test_the_broken_link_is_named(receipt: Receipt, link: str) -> None:
    """An auditor is told which link of the chain broke, in Chinese and English."""
    with pytest.raises(VerificationFailed, match=re.escape(link)) as failure:
        verify_receipt(receipt, TRUST)
    assert re.search(r"[\u4e00-\u9fff].* / ", str(failure.value))


def test_an_entry_of_another_version_is_another_leaf() -> None:
    """A leaf whose entry begins with another version byte does not prove a statement of this one."""
    leaf = leaf_hash(b"\x02" + sha256(STATEMENTS[0]).digest())
    tree = Tree(0, lambda level, index: b"").append([leaf])[0]
    checkpoint = sign_note(Checkpoint(NAME, 1, tree.root()).text(), NAME, PRIVATE)
    with pytest.raises(VerificationFailed, match="inclusion proof"):
        verify_receipt(Receipt(STATEMENTS[0], 0, 1, (), checkpoint), TRUST)


def test_a_checkpoint_verifies_on_its_own() -> None:
    """A witness or the broker's start can check a head without a receipt."""
    assert verify_checkpoint(RECEIPT.checkpoint, TRUST).root == log_of(STATEMENTS).root()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_agrees_about_the_signature(tmp_path: Path) -> None:
    """The signature is plain Ed25519: a tool of another make accepts it, and rejects it over another text."""
    text, _, line = RECEIPT.checkpoint.rpartition("\n\n")
    public = Ed25519PublicKey.from_public_bytes(TRUST.public_key)
    (tmp_path / "key.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "signature").write_bytes(b64decode(line.split(" ")[2])[4:])
    (tmp_path / "text").write_text(text + "\n")
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key.pem"]
    command += ["-sigfile", "signature", "-in", "text"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "text").write_text(text + " \n")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_the_documented_example_verifies() -> None:
    """Key, receipt and values in the documentation are true, for second verifiers are tried on them."""
    document = FORMAT_DOC.read_text()
    vkey, exported = re.findall(
        r"```(?:text|json)\n(.*?)```", document.partition("## Worked example")[2], re.S
    )
    trust = VerifierKey.parse(vkey.strip())
    receipt = bundle.parse(exported.encode())
    verified = verify_receipt(receipt, trust)
    for value in (
        leaf_entry(receipt.statement),
        leaf_hash(leaf_entry(receipt.statement)),
        verified.checkpoint.root,
        trust.id,
    ):
        assert f"`{value.hex()}`" in document


def second_verifier(data: bytes, vkey: str) -> dict[str, object]:
    """Written from docs/receipt-format.md, but by the recursive definition of RFC 6962, not by its loop."""
    receipt = json.loads(data)
    name, _, public = vkey.split("+", 2)
    text, _, line = receipt["checkpoint"].rpartition("\n\n")
    text += "\n"
    assert line.startswith(f"— {name} ")
    Ed25519PublicKey.from_public_bytes(b64decode(public)[1:]).verify(
        b64decode(line.split(" ")[2])[4:], text.encode()
    )
    origin, size, root, _ = text.split("\n")
    assert (origin, int(size)) == (name, receipt["tree_size"])
    statement = receipt["statement"].encode()
    hashed = sha256(b"\x00\x01" + sha256(statement).digest()).digest()
    proof = [bytes.fromhex(each) for each in receipt["proof"]]

    def climb(m: int, n: int, path: list[bytes]) -> bytes:
        if n == 1:
            assert not path
            return hashed
        k = 1 << (n - 1).bit_length() - 1
        if m < k:
            return sha256(b"\x01" + climb(m, k, path[:-1]) + path[-1]).digest()
        return sha256(b"\x01" + path[-1] + climb(m - k, n - k, path[:-1])).digest()

    assert climb(receipt["leaf_index"], receipt["tree_size"], proof) == b64decode(root)
    content: dict[str, object] = json.loads(statement)
    return content


@given(st.integers(1, 11), st.data())
def test_a_second_verifier_agrees(size: int, data: st.DataObject) -> None:
    """What this program exports, a verifier that shares no code with it accepts."""
    index = data.draw(st.integers(0, size - 1))
    exported = bundle.export(receipt_of(STATEMENTS[:size], index))
    assert second_verifier(exported, str(TRUST))["n"] == index
