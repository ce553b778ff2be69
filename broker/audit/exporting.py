"""Receipts as they come to an export: its first line says how many there are, so they wait in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from broker.audit import jsonl
from broker.audit.files import write_export
from broker.audit.form import Form, Header, Line
from broker.model import Receipt
from broker.receipt.note import claimed_checkpoint
from broker.receipt.statement import instant

Progress = Callable[[str, int, int], None]
Head = tuple[str, tuple[str, ...]]
"""A signed head, and the signed successions of the log's key."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for what."""

    made_by: str
    """SPIFFE id."""
    made_at: datetime
    filters: Mapping[str, Any]
    proofs: bool


def export_receipts(
    path: Path,
    form: Form,
    asked: Asked,
    receipts: Iterable[Receipt],
    head: Callable[[], Head],
    progress: Progress,
) -> Header:
    """Writes receipts, newest first and all proved against one head or all unproved, to a file; gives what
    stands in its header. ``head`` tells a signed head where there is no receipt to tell one.

    Raises:
        OSError: it cannot be written; what was there before is there still.
    """
    with TemporaryFile(dir=path.parent) as waiting:
        count, (note, successions) = _gather(waiting, receipts, progress)
        if asked.proofs and not count:
            note, successions = head()
        header = Header(
            made_at=instant(asked.made_at),
            made_by=asked.made_by,
            count=count,
            filters=asked.filters,
            tree_size=claimed_checkpoint(note).size if note else 0,
            checkpoint=note,
            successions=successions if note else (),
        )
        waiting.seek(0)
        write_export(path, form, header, _lines(waiting))
    return header


def _gather(file: IO[bytes], receipts: Iterable[Receipt], progress: Progress) -> tuple[int, Head]:
    count, first = 0, 0
    head: Head = ("", ())
    for receipt in receipts:
        if not count:
            first, head = receipt.leaf_index, (receipt.checkpoint, receipt.successions)
        line = Line(receipt.leaf_index, receipt.statement, receipt.proof)
        file.write(jsonl.dumped(line, proofs=True).encode() + b"\n")
        count += 1
        progress("export", first - receipt.leaf_index, first)
    progress("export", first, first)
    return count, head


def _lines(file: IO[bytes]) -> Iterator[Line]:
    return (jsonl.parsed(row, proofs=True) for row in file)
