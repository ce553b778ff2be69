"""The exported receipt: one JSON file that proves itself offline (``docs/receipt-format.md``).

The statement stands in it as a string, its exact text, because its bytes are what the log has hashed.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from broker.errors import VerificationFailed
from broker.model import Receipt
from broker.reasons import Sentence

FORMAT = "share-receipt/v1"
MAX_BYTES = 1 << 20
MAX_PROOF = 64
"""Hashes in a proof: more than any tree of 64-bit size has levels."""
MAX_SIZE = (1 << 63) - 1

FILE = Sentence("回执文件", "receipt file")
MEMBERS = ("format", "leaf_index", "tree_size", "statement", "proof", "checkpoint")
HEX_HASH = re.compile(r"[0-9a-f]{64}")


def export(receipt: Receipt) -> bytes:
    """The receipt as a UTF-8 JSON file, members in the order of the documentation.

    Raises:
        ValueError: the statement is not UTF-8, or the file would be longer than :func:`parse` reads.
    """
    content = {
        "format": FORMAT,
        "leaf_index": receipt.leaf_index,
        "tree_size": receipt.tree_size,
        "statement": receipt.statement.decode("utf-8"),
        "proof": [value.hex() for value in receipt.proof],
        "checkpoint": receipt.checkpoint,
    }
    data = json.dumps(content, ensure_ascii=False, indent=2).encode("utf-8") + b"\n"
    if len(data) > MAX_BYTES:
        raise ValueError("an exported receipt is at most 1 MiB long")
    return data


def parse(data: bytes) -> Receipt:
    """Reads an exported receipt. It is well-formed then, and not yet verified.

    Raises:
        VerificationFailed: too long, no JSON, members unknown, missing or twice, or a member malformed;
            says which.
    """
    if len(data) > MAX_BYTES:
        raise VerificationFailed("回执文件过长 / receipt file: longer than 1 MiB")
    content = read_json(data, FILE)
    if content.keys() != set(MEMBERS):
        raise VerificationFailed("回执文件成员缺失或多余 / receipt file: members missing or unknown")
    if content["format"] != FORMAT:
        _malformed("format")
    return Receipt(
        statement=_text(content, "statement").encode("utf-8"),
        leaf_index=_natural(content, "leaf_index"),
        tree_size=_natural(content, "tree_size"),
        proof=_hashes(content, "proof"),
        checkpoint=_text(content, "checkpoint"),
    )


def read_json(data: bytes, what: Sentence) -> dict[str, object]:
    """A JSON object all readers read alike (I-JSON, RFC 7493): UTF-8, no name twice, no lone surrogate.

    Raises:
        VerificationFailed: it is none; the message begins with ``what``.
    """
    try:
        content = json.loads(
            data.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_not_a_number
        )
        # Lone surrogates and numbers beyond a double can be read in Python, but not written again.
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise VerificationFailed(f"{what.zh}：不是合格的 JSON / {what.en}: not well-formed JSON") from None
    if not isinstance(content, dict):
        raise VerificationFailed(f"{what.zh}：不是 JSON 对象 / {what.en}: not a JSON object")
    return content


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("duplicate names")
    return content


def _not_a_number(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _text(content: dict[str, object], member: str) -> str:
    value = content[member]
    if not isinstance(value, str):
        _malformed(member)
    return value


def _natural(content: dict[str, object], member: str) -> int:
    value = content[member]
    if type(value) is not int or not 0 <= value <= MAX_SIZE:
        _malformed(member)
    return value


def _hashes(content: dict[str, object], member: str) -> tuple[bytes, ...]:
    values = content[member]
    if not isinstance(values, list) or len(values) > MAX_PROOF:
        _malformed(member)
    if not all(isinstance(value, str) and HEX_HASH.fullmatch(value) for value in values):
        _malformed(member)
    return tuple(bytes.fromhex(value) for value in values)


def _malformed(member: str) -> NoReturn:
    raise VerificationFailed(f"回执文件 {member} 格式不符 / receipt file: malformed {member}")
