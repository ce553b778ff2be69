"""Exports as files: each form's writer and reader, and how a file is told to be of one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from broker.audit import csv_file, jsonl, parquet
from broker.audit.form import Export, Form, Header, Line
from broker.durable import sync_folder
from broker.errors import SetUpError

Write = Callable[[Path, Header, Iterable[Line]], None]
Read = Callable[[Path], Export]
_FORMS: dict[Form, tuple[Write, Read]] = {
    Form.JSONL: (jsonl.write, jsonl.read),
    Form.CSV: (csv_file.write, csv_file.read),
    Form.PARQUET: (parquet.write, parquet.read),
}
_BOM = b"\xef\xbb\xbf"


def write_export(path: Path, form: Form, header: Header, lines: Iterable[Line]) -> None:
    """Writes an export. The file has its name once it is whole and on disk; one of that name is replaced.

    Raises:
        OSError: it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.new")
    try:
        write, _ = _FORMS[form]
        write(unfinished, header, lines)
        if form is Form.CSV:
            _put(csv_file.beside(path), (header.dump() + "\n").encode())
        _sync(unfinished)
        unfinished.replace(path)
        sync_folder(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def read_export(path: Path) -> Export:
    """Opens an export of any form. Nothing in it is verified but that it is well-formed.

    Raises:
        SetUpError: the file is missing, or of no form that an export has.
        VerificationFailed: it is malformed; also while the lines are read.
    """
    _, read = _FORMS[form_of(path)]
    return read(path)


def form_of(path: Path) -> Form:
    """By its first bytes.

    Raises:
        SetUpError: the file is missing, or its header, or it is none of the forms.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(4)
    except OSError as error:
        raise SetUpError(
            f"无法读取导出文件 {path}（{error.strerror}）。",
            f"The export {path} cannot be read ({error.strerror}).",
        ) from None
    if begin == b"PAR1":
        return Form.PARQUET
    if begin.startswith(b"{"):
        return Form.JSONL
    if begin.startswith(_BOM) and csv_file.beside(path).is_file():
        return Form.CSV
    if begin.startswith(_BOM):
        raise SetUpError(
            f"缺少 {csv_file.beside(path).name}：它与 {path.name} 一同导出，请放回同一目录。",
            f"{csv_file.beside(path).name} is missing: it was exported with {path.name}; put it beside it.",
        )
    raise SetUpError(
        f"{path.name} 不是 sharebroker audit export 写出的文件。",
        f"{path.name} is no file that `sharebroker audit export` has written.",
    )


def _put(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_bytes(content)
    _sync(unfinished)
    unfinished.replace(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
