"""A chunk: some lines of an export that one process verifies in one go, each by its proof to the one head."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from broker.audit.form import Line
from broker.audit.verify.packing import pack
from broker.audit.verify.remarks import Nature, Remark, of_statement
from broker.audit.verify.said import Anchors
from broker.audit.verify.spans import Checked, Ends, keep, lengthen, take_statement
from broker.errors import VerificationFailed
from broker.receipt.merkle import leaf_entry, leaf_hash, verify_inclusion
from broker.receipt.note import Checkpoint


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines as they stand in an export, the newest leaf first."""

    number: int
    lines: tuple[Line, ...]
    head: Checkpoint

    @property
    def name(self) -> str:
        """Of the chunk, the same for each run."""
        return f"lines {self.number}"

    @property
    def leaves(self) -> int:
        """Number of lines."""
        return len(self.lines)

    def digest(self) -> bytes:
        """SHA-256 of all that the lines say."""
        digest = sha256()
        for line in self.lines:
            digest.update(line.leaf_index.to_bytes(8, "big") + len(line.statement).to_bytes(8, "big"))
            digest.update(line.statement + b"".join((bytes([len(line.proof)]), *line.proof)))
        return digest.digest()


def check_chunk(chunk: Chunk, anchors: Anchors) -> Checked:
    """Verifies the lines, oldest first."""
    checked, ends, head = Checked(digest=chunk.digest()), Ends(), chunk.head
    for line in reversed(chunk.lines):
        remarks: list[Remark] = []
        if not line.statement:
            lengthen(checked.erased, line.leaf_index)
            lengthen(checked.emptied, line.leaf_index)
        elif (broken := _broken(line, head)) is not None:
            remarks.append(broken)
        else:
            remarks += take_statement(line.leaf_index, line.statement, anchors, checked, ends)
        keep(checked, remarks)
    checked.ends = pack(ends.kept)
    return checked


def _broken(line: Line, head: Checkpoint) -> Remark | None:
    """What is wrong with a line's proof; None when it holds."""
    leaf = leaf_hash(leaf_entry(line.statement))
    try:
        verify_inclusion(leaf, line.leaf_index, head.size, line.proof, head.root)
    except VerificationFailed as error:
        zh, _, en = str(error).partition(" / ")
        return of_statement(Nature.FORGED, line.leaf_index, "proof", zh, en)
    return None
