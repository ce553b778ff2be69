"""What an export holds, whatever the form of its file (``docs/audit-export.md``)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NoReturn

from broker.errors import VerificationFailed
from broker.model import Receipt
from broker.reasons import Sentence
from broker.receipt.bundle import HEX_HASH, MAX_PROOF, MAX_SIZE, read_json

FORMAT = "share-audit-export/v1"
MAX_HEADER = 1 << 20
HEADER = Sentence("导出文件的说明", "export header")


class Form(StrEnum):
    """Kinds of file."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Header:
    """What stands once in an export: which receipts it holds, and the log head that all proofs lead to."""

    made_at: str
    """RFC 3339, UTC."""
    made_by: str
    """SPIFFE id of who read."""
    count: int
    """Number of lines."""
    filters: Mapping[str, Any] = field(default_factory=dict)
    """As asked for; what is not there was not filtered by."""
    tree_size: int = 0
    checkpoint: str = ""
    """C2SP signed note over ``tree_size`` leaves; "" in an export without proofs."""
    successions: tuple[str, ...] = ()
    """Where the log has had several keys: signed notes by which each leads to the next, the oldest first."""

    @property
    def proofs(self) -> bool:
        """Whether every line can be proved."""
        return bool(self.checkpoint)

    def dump(self) -> str:
        """As JSON, on one line."""
        content = {
            "format": FORMAT,
            "made_at": self.made_at,
            "made_by": self.made_by,
            "count": self.count,
            "filters": dict(self.filters),
            "tree_size": self.tree_size,
            "checkpoint": self.checkpoint,
        }
        if self.successions:
            content["successions"] = list(self.successions)
        return json.dumps(content, ensure_ascii=False)

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Reads what :meth:`dump` wrote, in any spelling of JSON.

        Raises:
            VerificationFailed: it is no header of this format.
        """
        if len(data) > MAX_HEADER:
            raise VerificationFailed("导出文件的说明过长 / export header: longer than 1 MiB")
        content = read_json(data, HEADER)
        if content.get("format") != FORMAT:
            _malformed("format")
        successions = content.setdefault("successions", [])
        if content.keys() != {"format", *cls.__dataclass_fields__}:
            raise VerificationFailed(
                "导出文件的说明成员缺失或多余 / export header: members missing or unknown"
            )
        filters = content["filters"]
        if not isinstance(filters, dict):
            _malformed("filters")
        if not isinstance(successions, list) or not all(isinstance(note, str) for note in successions):
            _malformed("successions")
        return cls(
            made_at=_text(content, "made_at"),
            made_by=_text(content, "made_by"),
            count=natural(content["count"], "count"),
            filters=filters,
            tree_size=natural(content["tree_size"], "tree_size"),
            checkpoint=_text(content, "checkpoint"),
            successions=tuple(successions),
        )


@dataclass(frozen=True, slots=True)
class Line:
    """One receipt of an export, without what stands in the header."""

    leaf_index: int
    statement: bytes
    """Its exact bytes; empty for one that had been erased, of which nothing can be proved."""
    proof: tuple[bytes, ...] = ()
    """RFC 6962 §2.1.1 audit path to the header's checkpoint, from the leaf upwards."""

    def receipt(self, header: Header) -> Receipt:
        """The receipt, which :func:`broker.receipt.verify.verify_receipt` takes."""
        return Receipt(
            self.statement,
            self.leaf_index,
            header.tree_size,
            self.proof,
            header.checkpoint,
            header.successions,
        )


@dataclass(frozen=True, slots=True)
class Export:
    """An export that is being read. ``lines`` comes once, newest first, and checks the form as it goes."""

    header: Header
    lines: Iterator[Line]
    """Raises :class:`~broker.errors.VerificationFailed` for what no export has."""


def in_order(header: Header, lines: Iterator[Line]) -> Iterator[Line]:
    """The lines, of which there are as many as the header says, each of an older leaf than the one before.

    Raises:
        VerificationFailed: lines are missing, too many, repeated or in another order, or outside the tree.
    """
    before = header.tree_size if header.proofs else MAX_SIZE
    count = 0
    for line in lines:
        if line.leaf_index >= before:
            raise VerificationFailed(
                f"第 {count + 1} 行重复、乱序或超出日志 / export: line {count + 1} is repeated, out of order "
                "or outside the log"
            )
        before, count = line.leaf_index, count + 1
        yield line
    if count != header.count:
        raise VerificationFailed(
            f"导出文件应有 {header.count} 行，实有 {count} 行 / export: has {count} lines instead of "
            f"{header.count}"
        )


def natural(value: object, member: str) -> int:
    """A natural number of at most 63 bits; raises VerificationFailed for anything else."""
    if type(value) is not int or not 0 <= value <= MAX_SIZE:
        _malformed(member)
    return value


def hashes(values: object) -> tuple[bytes, ...]:
    """A proof, from hashes in hexadecimal; raises VerificationFailed for anything else."""
    if not isinstance(values, list) or len(values) > MAX_PROOF:
        _malformed("proof")
    if not all(isinstance(value, str) and HEX_HASH.fullmatch(value) for value in values):
        _malformed("proof")
    return tuple(bytes.fromhex(value) for value in values)


def _text(content: Mapping[str, object], member: str) -> str:
    value = content[member]
    if not isinstance(value, str):
        _malformed(member)
    return value


def _malformed(member: str) -> NoReturn:
    raise VerificationFailed(f"导出文件 {member} 格式不符 / export: malformed {member}")
