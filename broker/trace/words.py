"""The words of a leaked file that may be tokens, whatever the file is and whatever was done to it.

Columns may be mixed, renamed or cut: a token is looked for wherever it stands. Memory is bounded: of each
length so many different words are kept, chosen by their hash, so that they are a fair sample.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile, is_zipfile
from zlib import crc32

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.sources.contract import SourceError
from adapters.sources.spreadsheet import sheet_names, sheet_rows
from broker.errors import SetUpError
from broker.transmit.watermark import watermark_of

SHORTEST, LONGEST = 6, 400
"""Characters of a word that can be one."""
MOST_OF_A_LENGTH = 250_000
LONG = 40
"""Of longer words only a twenty-fifth as many are kept of each length."""
MOST_UNPACKED = 1 << 30
"""Bytes of a workbook."""
_CHUNK = 1 << 20
_ROWS = 8192
_WORD = re.compile(rb"[0-9A-Za-z_-]{6,400}")
_END_OF_WORD = re.compile(rb"[^0-9A-Za-z_-]")
_PSEUDONYM = re.compile("[0-9A-F]{32}")
_HASHES = 1 << 32


class Sample:
    """At most ``most`` different words: those of the smallest hashes."""

    def __init__(self, most: int) -> None:
        self._most, self._below = most, _HASHES
        self.words: set[str] = set()

    @property
    def is_whole(self) -> bool:
        """Whether it has all words that were added."""
        return self._below == _HASHES

    def add(self, word: str) -> None:
        if self.is_whole or crc32(word.encode()) < self._below:
            self.words.add(word)
            while len(self.words) > self._most:
                self._below //= 2
                self.words = {one for one in self.words if crc32(one.encode()) < self._below}


@dataclass(frozen=True, slots=True)
class Leaked:
    """What is in the file."""

    sha256: str
    size: int
    """Bytes."""
    words: tuple[str, ...]
    """In an order that has nothing to do with what they are: any first part is a fair sample."""
    is_whole: bool
    """Whether these are all of its words, or a sample."""
    marks: Mapping[str, str]
    """Its watermark, if it has one."""


def read_leaked(path: Path) -> Leaked:
    """The words of a CSV, text, Parquet, Arrow or Excel file.

    Raises:
        SetUpError: it cannot be read.
    """
    samples: dict[int, Sample] = {}
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            file.seek(0)
            chunks, marks = _texts(path, file)
            for chunk in chunks:
                for word in _words(chunk):
                    if (sample := samples.get(len(word))) is None:
                        few = MOST_OF_A_LENGTH // (25 if len(word) > LONG else 1)
                        sample = samples[len(word)] = Sample(few)
                    sample.add(word)
    except (OSError, BadZipFile, pa.ArrowException, SourceError):
        raise SetUpError(
            f"无法读取文件 {path}：须为文本、CSV、Parquet、Arrow 或 Excel 文件。",
            f"{path} cannot be read; it must be a text, CSV, Parquet, Arrow or Excel file.",
        ) from None
    words = sorted((word for sample in samples.values() for word in sample.words), key=_place)
    return Leaked(sha256, size, tuple(words), all(sample.is_whole for sample in samples.values()), marks)


def _place(word: str) -> tuple[int, str]:
    return crc32(word.encode()), word


def _words(chunk: bytes) -> Iterator[str]:
    """Those that stand there, and their parts: a hyphen may have joined two."""
    for found in _WORD.findall(chunk):
        word = found.decode("ascii")
        yield from _spellings(word)
        if "-" in word or "_" in word:
            for part in re.split("[-_]", word):
                if len(part) >= SHORTEST:
                    yield from _spellings(part)


def _spellings(word: str) -> Iterator[str]:
    """As it stands, and as it was before somebody changed its case."""
    yield word
    if word.endswith("x"):
        yield word[:-1] + "X"
    if _PSEUDONYM.fullmatch(word):
        yield word.lower()


def _texts(path: Path, file: BinaryIO) -> tuple[Iterator[bytes], Mapping[str, str]]:
    """The file's text in parts that begin and end between words, and its marks."""
    head = file.read(8)
    file.seek(0)
    if head.startswith(b"PAR1"):
        parquet = pq.ParquetFile(file)
        return _of_batches(parquet.iter_batches(_ROWS)), watermark_of(parquet.schema_arrow)
    if head.startswith(b"ARROW1"):
        reader = pa.ipc.open_file(file)
        batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
        return _of_batches(batches), watermark_of(reader.schema)
    if head.startswith(b"\xff\xff\xff\xff"):
        stream = pa.ipc.open_stream(file)
        return _of_batches(stream), watermark_of(stream.schema)
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return _of_sheets(path), {}
    return _of_text(file, head), {}


def _of_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    for batch in batches:
        batch.validate(
            full=True
        )  # Arrow believes a file's offsets and indices, and would read beyond its memory
        for column in batch.columns:
            values = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
            if pa.types.is_string(values.type) or pa.types.is_integer(values.type) or _is_text(values.type):
                texts = values.cast(pa.large_string()).unique().to_pylist()
                yield "\n".join(text for text in texts if text is not None).encode()


def _is_text(type_: pa.DataType) -> bool:
    return type_ in (pa.large_string(), pa.string_view())


def _of_sheets(path: Path) -> Iterator[bytes]:
    _require_not_too_large(path)
    for sheet in sheet_names(path, hidden=True):
        for row in sheet_rows(path, sheet):
            yield "\n".join(cell for cell in row if cell).encode()


def _require_not_too_large(path: Path) -> None:
    """A workbook is unpacked in memory, and a few kilobytes can be packed that would fill it.

    Raises:
        SetUpError: it says itself that it is larger.
    """
    if not is_zipfile(path):
        return
    with ZipFile(path) as packed:
        size = sum(part.file_size for part in packed.infolist())
    if size > MOST_UNPACKED:
        raise SetUpError(
            f"文件 {path} 解压后有 {size:,} 字节，太大：请另存为 CSV 后再查。",
            f"{path} has {size:,} bytes when unpacked, too many: save it as CSV and trace that.",
        )


def _of_text(file: BinaryIO, head: bytes) -> Iterator[bytes]:
    """Words are ASCII in UTF-8 as in GB 18030; UTF-16 is written anew."""
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoder = codecs.getincrementaldecoder("utf-16")("replace") if wide else None
    rest = b""
    while chunk := file.read(_CHUNK):
        text = rest + (chunk if decoder is None else decoder.decode(chunk).encode())
        cut = next((at for at in range(len(text), 0, -1) if _END_OF_WORD.match(text, at - 1)), 0)
        if not cut and len(text) < 2 * _CHUNK:
            rest = text
            continue
        yield text[: cut or None]
        rest = text[cut:] if cut else b""
    yield rest
