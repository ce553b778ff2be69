"""The files to mask: found, looked through once, and cut into parts that are masked one by one.

A part is a row group of a Parquet file, or some megabytes of whole rows of a CSV file; what the parts of a
file are depends on its bytes alone. Messages never quote a file's content.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from broker.bulk.grammar import Encoding
from broker.bulk.recipe import BATCH_ROWS
from broker.errors import SetUpError

SUFFIXES = (".parquet", ".csv")
CSV_BLOCK = 8 * 1024 * 1024
"""Bytes of a CSV file in one part, as far as whole rows go."""
BATCH_BYTES = 64 * 1024 * 1024
"""Bytes of a Parquet file to read at a time, all its columns counted."""
MAX_ROW = 256 * 1024 * 1024
"""Bytes; a CSV row longer than that is a quotation mark that nobody closed."""
_PAGES = 1024 * 1024
"""Bytes of a Parquet column read ahead: whole column chunks may not fit into memory."""
_UTF8 = "utf-8-sig"
_CODECS = {Encoding.UTF8: _UTF8, Encoding.GB18030: "gb18030"}
_STRAY_QUOTE = re.compile(rb'[^,\r\n"]"[^,\r\n"]')


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file to mask, and its state when the run began."""

    name: str
    """Path from IN on, with ``/``; for a single file its name."""
    path: Path
    state: tuple[int, int]
    """Size, and time of modification in ns."""
    encoding: str = _UTF8
    """Of a CSV file."""

    @property
    def is_csv(self) -> bool:
        return self.path.suffix.lower() == ".csv"

    def check_unchanged(self) -> None:
        """
        Raises:
            SetUpError: the file has changed since the run began.
        """
        if _state(self.path) != self.state:
            raise SetUpError(
                f"文件 {self.name} 在处理期间有改动，请待其写完后重新运行。",
                f"{self.name} changed while it was masked; run again once it is complete.",
            )


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a file: row group ``start`` of ``length`` rows, or the ``length`` bytes from ``start`` on."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What one look through a file tells."""

    sha256: str
    parts: tuple[Part, ...]
    places: tuple[int, ...]
    """CSV: for each column asked for its place in the header, from 0."""
    width: int
    """CSV: number of columns."""


def find_inputs(where: Path, encoding: Encoding = Encoding.UTF8) -> tuple[InputFile, ...]:
    """The Parquet and CSV files in ``where``, or the one that it is, by name. What begins with ``.`` or ``_``
    is left out: Spark and file managers leave such files behind.

    Raises:
        SetUpError: there is none, or another kind of file among them, or two would have one name when masked.
    """
    if where.is_file():
        names = {where.name: where}
    else:
        found = sorted(path for path in where.rglob("*") if path.is_file())
        named = {path.relative_to(where).as_posix(): path for path in found}
        names = {name: path for name, path in named.items() if not re.search(r"(^|/)[._]", name)}
    if not names:
        raise SetUpError(
            f"{where} 中没有 Parquet 或 CSV 文件。", f"There is no Parquet or CSV file in {where}."
        )
    for name in names:
        if not name.lower().endswith(SUFFIXES):
            raise SetUpError(
                f"{name} 既不是 .parquet 也不是 .csv，请移走或转换。",
                f"{name} is neither .parquet nor .csv; move it away or convert it.",
            )
    stems = [name.rpartition(".")[0] for name in names]
    for name, stem in zip(names, stems, strict=True):
        if stems.count(stem) > 1:
            raise SetUpError(
                f"{name} 与另一文件只有后缀不同，输出会同名，请改名。",
                f"{name} differs from another file by its ending only; rename one.",
            )
    return tuple(InputFile(name, path, _state(path), _CODECS[encoding]) for name, path in names.items())


def survey(file: InputFile, columns: Sequence[str]) -> Surveyed:
    """The file's digest and parts.

    Raises:
        SetUpError: it cannot be read as what it is, or a column of ``columns`` is missing or there twice.
    """
    found = _survey_csv(file, columns) if file.is_csv else _survey_parquet(file, columns)
    file.check_unchanged()
    return found


def batches(
    file: InputFile, part: Part, columns: Sequence[str], surveyed: Surveyed
) -> Iterator[pa.RecordBatch]:
    """The rows of a part, ``columns`` only, in batches of :data:`~broker.bulk.recipe.BATCH_ROWS`.

    Raises:
        SetUpError: the part cannot be read.
    """
    try:
        if file.is_csv:
            yield from _csv_batches(file, part, columns, surveyed)
        else:
            with _opened(file) as opened:
                rows = _batch_rows(opened.metadata.row_group(part.start))
                for batch in opened.iter_batches(rows, [part.start], list(columns), use_threads=False):
                    yield batch.select(list(columns))  # "a.b" may be a column and a part of another
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not the file's
        cause = type(error).__name__  # not chained: Arrow's messages quote the file
    else:
        return
    where = f"字节 {part.start:,}" if file.is_csv else f"行组 {part.start}"
    where_en = f"bytes from {part.start:,} on" if file.is_csv else f"row group {part.start}"
    raise SetUpError(
        f"文件 {file.name} 在{where}处无法读取（{cause}）：可能损坏，或某行的列数与表头不同。",
        f"{file.name} cannot be read ({where_en}, {cause}): it is damaged, or a row has another number of "
        "cells than the header.",
    )


# ── Parquet ──────────────────────────────────────────────────────────────────────────────────────


def _opened(file: InputFile) -> pq.ParquetFile:
    return pq.ParquetFile(file.path, buffer_size=_PAGES, pre_buffer=False)


def _batch_rows(group: pq.RowGroupMetaData) -> int:
    """Rows to read at a time, fewer where they are long."""
    rows: int = BATCH_BYTES * group.num_rows // max(1, group.total_byte_size)
    return max(1, min(BATCH_ROWS, rows))


def _survey_parquet(file: InputFile, columns: Sequence[str]) -> Surveyed:
    try:
        with _opened(file) as opened:
            names = opened.schema_arrow.names
            rows = [opened.metadata.row_group(n).num_rows for n in range(opened.num_row_groups)]
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        rows = None
    if rows is None:
        raise SetUpError(
            f"文件 {file.name} 不是完整的 Parquet 文件，请重新导出。",
            f"{file.name} is no complete Parquet file; export it again.",
        )
    _check_columns(file, names, columns)
    with file.path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return Surveyed(sha256, tuple(Part(n, length) for n, length in enumerate(rows) if length), (), len(names))


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────────


def _survey_csv(file: InputFile, columns: Sequence[str]) -> Surveyed:
    digest = hashlib.sha256()
    with file.path.open("rb") as stream:
        lengths = list(_blocks(file, stream, digest))
    with file.path.open("rb") as stream:
        head = stream.read(lengths[0]) if lengths else b""
    names, end = _header(file, head)
    _check_columns(file, names, columns)
    parts, start = [], 0
    for length in lengths:
        first = end if start == 0 else start
        if start + length > first:
            parts.append(Part(first, start + length - first))
        start += length
    return Surveyed(digest.hexdigest(), tuple(parts), tuple(map(names.index, columns)), len(names))


def _blocks(file: InputFile, stream: IO[bytes], digest: hashlib._Hash) -> Iterator[int]:
    """Lengths of runs of whole rows, one after the other; each byte is hashed and decoded on the way."""
    decoder = codecs.getincrementaldecoder(file.encoding)()
    rest = b""
    while chunk := stream.read(CSV_BLOCK):
        digest.update(chunk)
        _check_text(file, decoder, chunk)
        rest += chunk
        if end := _last_row_end(rest):
            yield end
            rest = rest[end:]
        elif len(rest) > MAX_ROW:
            raise _unclosed(file)
    _check_text(file, decoder, b"", final=True)
    if rest.count(b'"') % 2:
        raise _unclosed(file)
    if rest:
        yield len(rest)


def _last_row_end(data: bytes) -> int:
    """Where the last row that ends in ``data`` ends, which begins with a row; 0 if none does.

    A line break ends a row unless an odd number of quotation marks precedes it (RFC 4180 §2). No byte of a
    character of UTF-8 or GB 18030 looks like either.
    """
    end = len(data)
    while (at := data.rfind(b"\n", 0, end)) >= 0:
        if data.count(b'"', 0, at) % 2 == 0:
            return at + 1
        end = data.rfind(b'"', 0, at)
    return 0


def _check_text(
    file: InputFile, decoder: codecs.IncrementalDecoder, chunk: bytes, final: bool = False
) -> None:
    try:
        decoder.decode(chunk, final)
        return
    except UnicodeDecodeError:
        pass
    written = "UTF-8" if file.encoding == _UTF8 else "GB 18030"
    other = "gb18030" if file.encoding == _UTF8 else "utf8"
    raise SetUpError(
        f"文件 {file.name} 不是 {written} 编码；请在计划中写 encoding: {other}，或另存为 UTF-8。",
        f"{file.name} is not {written}; write encoding: {other} in the plan, or save it as UTF-8.",
    )


def _header(file: InputFile, head: bytes) -> tuple[list[str], int]:
    """The column names, and where the rows begin."""
    end = 0
    while (end := head.find(b"\n", end) + 1) and head.count(b'"', 0, end) % 2:
        pass
    end = end or len(head)
    text = head[:end].decode(file.encoding)
    names = next(csv.reader(io.StringIO(text, newline="")), [])
    if not names:
        raise SetUpError(
            f"文件 {file.name} 没有表头，第一行须为列名。",
            f"{file.name} has no header; the first row names the columns.",
        )
    return names, end


def _csv_batches(
    file: InputFile, part: Part, columns: Sequence[str], surveyed: Surveyed
) -> Iterator[pa.RecordBatch]:
    with file.path.open("rb") as stream:
        stream.seek(part.start)
        data = stream.read(part.length)
    if b'"' in data and _STRAY_QUOTE.search(data):
        raise SetUpError(
            f"文件 {file.name} 有单元格中间带未成对的双引号（字节 {part.start:,} 之后），"
            "请按 RFC 4180 重新导出。",
            f"{file.name} has a quotation mark within a cell that is not doubled (after byte "
            f"{part.start:,}); export it again by RFC 4180.",
        )
    if file.encoding != _UTF8:
        data = data.decode(file.encoding).encode()
    names = [str(place) for place in range(surveyed.width)]
    wanted = [str(place) for place in surveyed.places]
    table = pyarrow.csv.read_csv(
        pa.BufferReader(data),
        pyarrow.csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
        pyarrow.csv.ParseOptions(newlines_in_values=True),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=list(dict.fromkeys(wanted)),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    arrays = [table[place] for place in wanted]
    yield from pa.Table.from_arrays(arrays, list(columns)).to_batches(BATCH_ROWS)


# ── both ─────────────────────────────────────────────────────────────────────────────────────────


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _check_columns(file: InputFile, names: Sequence[str], columns: Sequence[str]) -> None:
    for column in columns:
        if column not in names:
            raise SetUpError(
                f"文件 {file.name} 没有列“{column}”，请核对计划中的 column。",
                f"{file.name} has no column “{column}”; check the plan's column.",
            )
        if names.count(column) > 1:
            raise SetUpError(
                f"文件 {file.name} 有多列名为“{column}”，无法判断用哪一列，请改名。",
                f"{file.name} has several columns “{column}”, and nobody can tell which is meant; rename "
                "them.",
            )


def _unclosed(file: InputFile) -> SetUpError:
    return SetUpError(
        f"文件 {file.name} 有未闭合的双引号。", f"{file.name} has a quotation mark that is never closed."
    )
