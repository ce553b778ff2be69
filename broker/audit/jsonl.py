"""An export as JSON Lines: the header on the first line, then one receipt a line. UTF-8."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from broker.audit.form import Export, Header, Line, hashes, in_order, natural
from broker.errors import VerificationFailed
from broker.reasons import Sentence
from broker.receipt.bundle import MAX_BYTES, read_json

LINE = Sentence("导出的一行", "export line")


def write(path: Path, header: Header, lines: Iterable[Line]) -> None:
    """Writes a new file."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(header.dump() + "\n")
        for line in lines:
            file.write(dumped(line, proofs=header.proofs) + "\n")


def read(path: Path) -> Export:
    """Opens a file.

    Raises:
        VerificationFailed: its first line is no header; or, later, a line is malformed.
    """
    rows = _rows(path)
    header = Header.parse(next(rows, b""))
    return Export(header, in_order(header, (parsed(row, proofs=header.proofs) for row in rows)))


def dumped(line: Line, *, proofs: bool) -> str:
    """One line, without its end."""
    content: dict[str, object] = {"leaf_index": line.leaf_index, "statement": line.statement.decode("utf-8")}
    if proofs:
        content["proof"] = [value.hex() for value in line.proof]
    return json.dumps(content, ensure_ascii=False)


def parsed(row: bytes, *, proofs: bool) -> Line:
    """The receipt on a line.

    Raises:
        VerificationFailed: it is none.
    """
    content = read_json(row, LINE)
    if content.keys() != {"leaf_index", "statement", *(["proof"] if proofs else [])}:
        raise VerificationFailed("导出的一行成员缺失或多余 / export line: members missing or unknown")
    statement = content["statement"]
    if not isinstance(statement, str):
        raise VerificationFailed("导出文件 statement 格式不符 / export: malformed statement")
    return Line(
        natural(content["leaf_index"], "leaf_index"),
        statement.encode("utf-8"),
        hashes(content["proof"]) if proofs else (),
    )


def _rows(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while row := file.readline(2 * MAX_BYTES):
            if not row.endswith(b"\n"):
                raise VerificationFailed("导出文件不完整或一行过长 / export: cut off, or a line is too long")
            yield row
