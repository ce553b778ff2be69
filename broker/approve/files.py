"""A bundle's files: in a folder, in memory, and as the one run of bytes that its hash covers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from broker.approve.grammar import FILES, POLICY_FILES, form_of
from broker.approve.problem import Code, Position, Problems
from broker.errors import SetUpError, VerificationFailed

SHARING_FOLDER = POLICY_FILES.path.rstrip("/")
CASES_FOLDER = "cases"
"""Policy cases stand beside what they test, and are no part of the bundle: a case decides nothing."""
MANIFEST = "manifest.json"
"""Put among the files when they are proposed; holds nothing of the policies, see ``broker.publication``."""
BASE_FILES = tuple(form.path for form in FILES if not form.optional)
HASH_DOMAIN = b"share-bundle/v1\n"
"""Stands before everything hashed, so that a bundle's hash is never another thing's."""

_LENGTH_BYTES = 8

Files = Mapping[str, bytes]
"""Path in the folder, with ``/`` → content."""


def pack(files: Files) -> bytes:
    """The bytes whose SHA-256 is the bundle's hash: path and content of every file, by path, each preceded by
    its length in bytes (8 bytes, big-endian), so that no two sets of files give the same."""
    parts = [HASH_DOMAIN]
    for file in sorted(files):
        for part in (file.encode(), files[file]):
            parts += [len(part).to_bytes(_LENGTH_BYTES, "big"), part]
    return b"".join(parts)


def unpack(packed: bytes, hash_: str) -> dict[str, bytes]:
    """The files of the bundle ``hash_``.

    Raises:
        VerificationFailed: ``packed`` is not that bundle.
    """
    if hashlib.sha256(packed).hexdigest() != hash_:
        raise VerificationFailed("策略包与其散列不符 / bundle: not the one that its hash names")
    parts = list(_parts(packed))
    return {path.decode(): content for path, content in zip(parts[::2], parts[1::2], strict=True)}


def bundle_hash(files: Files) -> str:
    """SHA-256 of :func:`pack` in hexadecimal."""
    return hashlib.sha256(pack(files)).hexdigest()


def read_folder(folder: Path, problems: Problems) -> dict[str, bytes]:
    """The files in ``folder``; read once, so that what is hashed is what is parsed.

    Raises:
        SetUpError: there is no such folder.
    """
    if not folder.is_dir():
        raise SetUpError(f"没有策略文件夹：{folder}", f"there is no policy folder: {folder}")
    files: dict[str, bytes] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".yaml", ".yml")):
        file = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in Path(file).parts):
            continue  # what editors and file managers leave behind
        if is_case_file(file):
            continue
        if form_of(file) is None:
            # A rule in a file that nobody reads is worse than none: somebody relies on it.
            zh = "此处的文件不会被读取；规则放 sharing/，目录放 catalog/，用例放 cases/，后缀为 .yaml"
            en = (
                "a file here is not read; rules belong in sharing/, catalogs in catalog/, cases in cases/, "
                "ending in .yaml"
            )
            problems.add(Position(file), Code.FILE_UNEXPECTED, zh, en)
            continue
        try:
            files[file] = path.read_bytes()
        except OSError as error:
            zh, en = "文件无法读取，请检查权限", f"cannot be read: {error.strerror}"
            problems.add(Position(file), Code.FILE_UNREADABLE, zh, en)
    for file in BASE_FILES:
        if file not in files:
            problems.add(Position(file), Code.FILE_MISSING, "缺少此文件", "this file is missing")
    return files


def is_policy(file: str) -> bool:
    """Whether the file holds rules; all others make the catalog."""
    return POLICY_FILES.holds(file)


def is_case_file(file: str) -> bool:
    """Whether the file holds policy cases, which are read by who tests."""
    folder, _, name = file.rpartition("/")
    return folder == CASES_FOLDER and name.endswith(".yaml")


def _parts(packed: bytes) -> Iterator[bytes]:
    at = len(HASH_DOMAIN)
    while at < len(packed):
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(packed[at:begin], "big")
        yield packed[begin:at]
