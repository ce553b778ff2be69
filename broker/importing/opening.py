"""Opening what somebody wants to share, a file or a table, with the options that serve it again."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from adapters.sources.contract import SourceError
from adapters.sources.files import MOST_RESIDENT_BYTES, FileSource
from adapters.sources.layout import Layout, layout_of
from adapters.sources.spreadsheet import Row, csv_rows, sheet_names, sheet_rows
from adapters.sources.sql import SqlSource, table_names
from broker.errors import SetUpError
from broker.importing.sheet import Found, find_table
from broker.reasons import Sentence

_MAGIC = ((b"PAR1", "parquet"), (b"PK\x03\x04", "xlsx"), (b"\xd0\xcf\x11\xe0", "xls"))
_MARKS = ((codecs.BOM_UTF8, "utf8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PLAIN_ENCODINGS = ("utf8", "gb18030")
"""Those in which the fast reader of CSV can be left to itself."""
_FOREIGN = re.compile("[^\x00-\x7f]")
_CHUNK = 1 << 20
_SMALL = 16 << 20
"""In bytes; a description of a catalog is not longer."""
_MOST_TABLES = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the person importing says beside the file or URL; empty means: find out."""

    table: str = ""
    schema: str = ""
    sheet: str = ""
    header_row: str = ""
    encoding: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open table and the catalog's ``source`` for it."""

    source: FileSource | SqlSource
    kind: str
    options: Mapping[str, str]
    columns: Mapping[str, str]
    """Column → its title: the database's comment, or the column's own name."""
    title: str
    notes: tuple[Sentence, ...] = field(default=())
    """What was found on the way and is cleaned, or should be known."""


def open_table(target: str, base: Path, wanted: Wanted) -> Opened:
    """The table in the file or database ``target``. Paths are written as seen from ``base``, the data folder.

    Raises:
        SetUpError: it cannot be read as a table; what is to be done stands in it.
    """
    with _failures():
        if "://" in target:
            return _open_database(target, base, wanted)
        return _open_file(Path(target), base, wanted)


def few_rows(path: Path, wanted: Wanted) -> list[Row]:
    """The rows of a small CSV or workbook as they stand there; none of a larger file or one of another kind.

    Raises:
        SetUpError: it cannot be read.
    """
    with _failures():
        format_ = _format(path)
        if format_ == "parquet" or path.stat().st_size > _SMALL:
            return []
        if format_ == "csv":
            return list(csv_rows(path, wanted.encoding or _encoding(path)[0]))
        return list(sheet_rows(path, wanted.sheet or None))


def without_password(url: str) -> tuple[str, str]:
    """A database URL without its password, and the password, empty when there is none.

    Raises:
        SetUpError: it is no URL of a database.
    """
    parsed = _url(url)
    bare = sa.URL.create(
        parsed.drivername, parsed.username, None, parsed.host, parsed.port, parsed.database, parsed.query
    )
    return bare.render_as_string(hide_password=False), str(parsed.password or "")


def _url(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except ArgumentError:
        raise SetUpError(
            "不是数据库地址，应形如 mysql://用户@主机/库名。",
            "Not a database URL; it looks like mysql://user@host/database.",
        ) from None


# ── databases ────────────────────────────────────────────────────────────────────────────────────


def _open_database(url: str, base: Path, wanted: Wanted) -> Opened:
    options = {"url": _placed(url, base)} | ({"schema": wanted.schema} if wanted.schema else {})
    tables = table_names(options, str(base))
    if wanted.table not in tables:
        names = ", ".join(tables[:_MOST_TABLES]) or "—"
        raise SetUpError(
            f"请用 --table 指定其中一张表：{names}", f"Name one of these tables with --table: {names}"
        )
    options["table"] = wanted.table
    source = SqlSource(options, str(base))
    titles = {name: comment.strip() or name for name, comment in source.columns().items()}
    return Opened(source, "sql", options, titles, wanted.table)


def _placed(url: str, base: Path) -> str:
    """A SQLite file is named from where the command runs, and in the catalog from ``base``."""
    parsed = _url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return url
    return parsed.set(database=_from(base, Path(parsed.database))).render_as_string(hide_password=False)


# ── files ────────────────────────────────────────────────────────────────────────────────────────


def _open_file(path: Path, base: Path, wanted: Wanted) -> Opened:
    format_ = _format(path)
    options = {"path": _from(base, path), "format": format_}
    if format_ == "parquet":
        return _opened(options, base, path.stem, ())
    encoding, damage = (wanted.encoding, 0) if wanted.encoding else ("utf8", 0)
    if format_ == "csv" and not wanted.encoding:
        encoding, damage = _encoding(path)
    if format_ == "csv" and encoding != "utf8":
        options["encoding"] = encoding
    sheets = [] if format_ == "csv" else sheet_names(path)
    if wanted.sheet or len(sheets) > 1:
        options["sheet"] = wanted.sheet or sheets[0]  # named, lest another one comes first next time
    notes = list(_encoding_notes(encoding, damage))
    if format_ == "csv" and path.stat().st_size > MOST_RESIDENT_BYTES:
        return _opened(options, base, path.stem, notes)
    found = _find(path, format_, encoding, wanted)
    is_plain = format_ == "csv" and found.is_regular and not damage and encoding in _PLAIN_ENCODINGS
    if not is_plain:
        options |= found.layout.options()
    notes += [*_sheet_notes([] if wanted.sheet else sheets[1:]), *_layout_notes(found)]
    return _opened(options, base, found.title or path.stem, notes)


def _opened(options: dict[str, str], base: Path, title: str, notes: list[Sentence] | tuple[()]) -> Opened:
    source = FileSource(options, str(base))
    columns = {name: name for name in source.columns()}
    return Opened(source, "files", options, columns, title, tuple(notes))


def _find(path: Path, format_: str, encoding: str, wanted: Wanted) -> Found:
    header: Layout | None = layout_of({"header_row": wanted.header_row}) if wanted.header_row else None
    rows = csv_rows(path, encoding) if format_ == "csv" else sheet_rows(path, wanted.sheet or None)
    found = find_table(rows, path.name, header)
    if found is None and not path.stat().st_size:
        raise SetUpError(f"{path.name} 是空文件。", f"{path.name} is empty.")
    if found is None:
        raise SetUpError(
            f"在 {path.name} 中找不到表头，请用 --header-row 指定行号，如 3 或 2-3。",
            f"No header was found in {path.name}; give its row with --header-row, such as 3 or 2-3.",
        )
    if len(found.names) == 1 and any(mark in found.names[0] for mark in ";|\t"):
        raise SetUpError(
            f"{path.name} 不是以逗号分隔的，请另存为逗号分隔的 CSV 或 xlsx。",
            f"{path.name} is not separated by commas; save it as comma-separated CSV or as xlsx.",
        )
    return found


def _format(path: Path) -> str:
    with path.open("rb") as file:
        begin = file.read(512)
    for magic, format_ in _MAGIC:
        if begin.startswith(magic):
            return format_
    if begin.lstrip().lower().startswith((b"<html", b"<!doctype", b"<table", b"<?xml")):
        raise SetUpError(
            f"{path.name} 实为网页，并非表格，请用 Excel 或 WPS 打开后另存为 xlsx。",
            f"{path.name} is a web page and no table; open it in a spreadsheet and save it as xlsx.",
        )
    return "csv"


def _from(base: Path, path: Path) -> str:
    """Relative where the file lies in the data folder, which may then move."""
    whole, folder = path.resolve(), base.resolve()
    return str(whole.relative_to(folder)) if whole.is_relative_to(folder) else str(whole)


def _encoding(path: Path) -> tuple[str, int]:
    """The encoding, and how many characters of the file it cannot explain."""
    with path.open("rb") as file:
        begin = file.read(4)
    for mark, encoding in _MARKS:
        if begin.startswith(mark):
            return encoding, _decoded(path, encoding)[1]
    sound, damage = _decoded(path, "utf8")
    # GB18030 finds a character in nearly everything, so a file that is mostly UTF-8 counts as damaged UTF-8.
    if sound >= damage:
        return "utf8", damage
    return "gb18030", _decoded(path, "gb18030")[1]


def _decoded(path: Path, encoding: str) -> tuple[int, int]:
    """How many characters beyond ASCII the encoding finds in the file, and how many it cannot explain."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    foreign = damage = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            text = decoder.decode(chunk)
            damage += text.count("\ufffd")
            foreign += 0 if text.isascii() else len(_FOREIGN.findall(text))
    damage += len(decoder.decode(b"", True))
    return foreign - damage, damage


# ── what to tell ─────────────────────────────────────────────────────────────────────────────────


def _encoding_notes(encoding: str, damage: int) -> Iterator[Sentence]:
    if encoding != "utf8":
        yield Sentence(f"编码：{encoding}", f"encoding: {encoding}")
    if damage:
        yield Sentence(
            f"有 {damage} 处乱码，所在的行按坏数据处理",
            f"{damage} damaged characters; rows that hold one are bad",
        )


def _sheet_notes(others: Sequence[str]) -> Iterator[Sentence]:
    if others:
        names = ", ".join(others)
        yield Sentence(f"只读第一张工作表；其他：{names}", f"only the first sheet is read; others: {names}")


def _layout_notes(found: Found) -> Iterator[Sentence]:
    layout = found.layout
    if layout.first > 1 or layout.last > layout.first:
        rows = layout.options()["header_row"]
        yield Sentence(f"表头在第 {rows} 行，以上是标题", f"header in row {rows}, titles above it")
    if found.blank_rows:
        yield Sentence(f"略去 {found.blank_rows} 个空行", f"{found.blank_rows} blank rows left out")
    if found.total_rows:
        yield Sentence(
            f"略去末尾 {found.total_rows} 行合计、签字",
            f"{found.total_rows} rows of totals at the end left out",
        )
    if found.untidy_cells:
        yield Sentence(
            f"{found.untidy_cells} 个单元格有空格、撇号或全角字符，读取时整理",
            f"{found.untidy_cells} cells with blanks, apostrophes or full-width signs, tidied on reading",
        )


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        said = str(error)
    except OSError as error:
        said = f"{Path(error.filename or '').name}: {error.strerror}"
    else:
        return
    raise SetUpError(f"无法读取：{said}", f"It cannot be read: {said}")
