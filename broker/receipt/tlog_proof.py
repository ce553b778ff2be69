"""A receipt as a C2SP tlog-proof: text that any verifier of transparency logs reads (c2sp.org/tlog-proof).

::

    c2sp.org/tlog-proof@v1
    extra eyJj…                   the statement, base64: what the leaf's hash is made of
    index 5
    piDNz7bN…=                    audit path, from the leaf upwards; no line for the only leaf of a log
                                  blank line
    xinghe.example/receipts       the checkpoint, word for word
    …

Extra data are optional and not authenticated in the specification. Here they must be there, and the proof
authenticates them. As for notes, what was read is printed again and must give the same bytes.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

from broker.errors import VerificationFailed
from broker.model import Receipt
from broker.receipt.bundle import MAX_BYTES, MAX_PROOF, MAX_SIZE
from broker.receipt.merkle import HASH_SIZE
from broker.receipt.note import claimed_checkpoint

HEADER = "c2sp.org/tlog-proof@v1"


def export(receipt: Receipt) -> bytes:
    """The proof, UTF-8.

    Raises:
        ValueError: the text would be longer than :func:`parse` reads.
    """
    data = _text(receipt).encode("utf-8")
    if len(data) > MAX_BYTES:
        raise ValueError("a tlog-proof is at most 1 MiB long")
    return data


def parse(data: bytes) -> Receipt:
    """Reads a tlog-proof. It is well-formed then, and not yet verified; the tree size is the checkpoint's.

    Raises:
        VerificationFailed: too long, without a statement, or not exactly what :func:`export` writes.
    """
    if len(data) > MAX_BYTES:
        raise VerificationFailed("证明文本过长 / tlog-proof: longer than 1 MiB")
    try:
        text = data.decode("utf-8")
        proof, _, checkpoint = text.partition("\n\n")
        header, *lines = proof.split("\n")
        if lines and not lines[0].startswith("extra "):
            raise VerificationFailed("证明文本不含存证内容 / tlog-proof: holds no statement")
        receipt = _receipt(lines, checkpoint)
    except ValueError:
        raise _malformed() from None
    if header != HEADER or _text(receipt) != text:
        raise _malformed()
    return receipt


def _text(receipt: Receipt) -> str:
    extra = b64encode(receipt.statement).decode()
    path = [b64encode(value).decode() for value in receipt.proof]
    lines = [HEADER, f"extra {extra}", f"index {receipt.leaf_index}", *path]
    return "\n".join(lines) + "\n\n" + receipt.checkpoint


def _receipt(lines: list[str], checkpoint: str) -> Receipt:
    """The receipt in the lines after the header; whether they are spelt rightly is seen by printing it."""
    extra, index, *path = lines
    statement = b64decode(extra.removeprefix("extra "), validate=True)
    proof = tuple(b64decode(line, validate=True) for line in path)
    leaf_index = int(index.removeprefix("index "))
    if not 0 <= leaf_index <= MAX_SIZE or len(proof) > MAX_PROOF or any(len(p) != HASH_SIZE for p in proof):
        raise _malformed()
    return Receipt(statement, leaf_index, claimed_checkpoint(checkpoint).size, proof, checkpoint)


def _malformed() -> VerificationFailed:
    return VerificationFailed("证明文本格式不符 / tlog-proof: malformed")
