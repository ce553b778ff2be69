"""An export as Parquet: typed columns, the header in the file's metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from broker.audit.columns import COLUMNS, columns_of
from broker.audit.form import Export, Header, Line, in_order, natural
from broker.errors import VerificationFailed
from broker.receipt.bundle import MAX_PROOF
from broker.receipt.merkle import HASH_SIZE

METADATA = b"sharebroker.audit"
"""Key of the header in the metadata."""
ROWS = 4096
_PROOF = pa.list_(pa.binary(HASH_SIZE))


def schema_of(header: Header) -> pa.Schema:
    """Its columns, each with its Chinese title in the field's metadata, and the header."""
    fields = [
        pa.field("leaf_index", pa.int64(), nullable=False, metadata={"title": "序号"}),
        *(pa.field(column.name, column.type, metadata={"title": column.zh}) for column in COLUMNS),
        pa.field("statement", pa.string(), nullable=False, metadata={"title": "存证内容"}),
    ]
    if header.proofs:
        fields.append(pa.field("proof", _PROOF, nullable=False, metadata={"title": "证明"}))
    return pa.schema(fields, {METADATA: header.dump()})


def write(path: Path, header: Header, lines: Iterable[Line]) -> None:
    """Writes a new file."""
    schema = schema_of(header)
    rest = iter(lines)
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        while some := list(islice(rest, ROWS)):
            rows = [_row(line, proofs=header.proofs) for line in some]
            file.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))


def read(path: Path) -> Export:
    """Opens a file.

    Raises:
        VerificationFailed: it is no Parquet, has no header or other columns; or later a line is malformed or
            contradicts its statement.
    """
    with _sound():
        file = pq.ParquetFile(path)
    header = Header.parse((file.schema_arrow.metadata or {}).get(METADATA, b""))
    if not file.schema_arrow.equals(schema_of(header), check_metadata=False):
        raise VerificationFailed("导出文件的列不符 / export: other columns")
    return Export(header, in_order(header, _lines(file, proofs=header.proofs)))


def _lines(file: pq.ParquetFile, *, proofs: bool) -> Iterator[Line]:
    number = 0
    batches = file.iter_batches(ROWS)
    while True:
        with _sound():
            batch = next(batches, None)
            if batch is None:
                return
            batch.validate(full=True)
            rows = batch.to_pylist()
        for row in rows:
            number += 1
            yield _line(row, number, proofs=proofs)


def _row(line: Line, *, proofs: bool) -> dict[str, object]:
    known = {"leaf_index": line.leaf_index, "statement": line.statement.decode("utf-8")}
    return {**known, **columns_of(line.statement), **({"proof": list(line.proof)} if proofs else {})}


def _line(row: dict[str, object], number: int, *, proofs: bool) -> Line:
    statement, proof = row["statement"], row.get("proof", [])
    if not isinstance(statement, str) or not isinstance(proof, list) or len(proof) > MAX_PROOF:
        raise VerificationFailed(
            "导出文件 statement 或 proof 格式不符 / export: malformed statement or proof"
        )
    if not all(isinstance(value, bytes) for value in proof):
        raise _damaged()
    line = Line(natural(row["leaf_index"], "leaf_index"), statement.encode("utf-8"), tuple(proof))
    if _row(line, proofs=proofs) != row:
        raise VerificationFailed(
            f"第 {number} 行与其存证内容不一致 / export: line {number} contradicts its statement"
        )
    return line


@contextmanager
def _sound() -> Iterator[None]:
    """What Arrow raises of a damaged file is said as such; what the system raises goes on."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged() from None
    except (pa.ArrowException, ValueError, OverflowError):
        raise _damaged() from None


def _damaged() -> VerificationFailed:
    return VerificationFailed("导出文件不是完好的 Parquet / export: not a sound Parquet file")
