"""The bundle: one folder of catalog and policy files, loaded whole or not at all, known by its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from broker.approve.catalog import CATALOG_FOLDER, CITY, DEPARTMENTS, SERVICE_ITEMS, load_catalog
from broker.approve.document import parse
from broker.approve.policy import CheckMask, PolicyReader
from broker.approve.problem import Code, Position, Problems
from broker.approve.rule import Rule
from broker.errors import SetUpError
from broker.model import Catalog

SHARING_FOLDER = "sharing"
HASH_DOMAIN = b"share-bundle/v1\n"
"""Stands before everything hashed, so that a bundle's hash is never another thing's."""

_BASE_FILES = (CITY, DEPARTMENTS, SERVICE_ITEMS)
_FOLDERS = (CATALOG_FOLDER, SHARING_FOLDER)
_ANY = None

ByPurpose = Mapping[str | None, tuple[Rule, ...]]
_NO_RULES: ByPurpose = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Bundle:
    """Catalog and rules that decide together; made by :func:`load_bundle` or :func:`compile_bundle`."""

    catalog: Catalog
    rules: tuple[Rule, ...]
    """Ordered by id."""
    hash: str
    """SHA-256 of all files in hexadecimal; stands in every decision."""
    zone: ZoneInfo
    index: Mapping[tuple[str, str | None], ByPurpose] = field(repr=False)
    """(dataset, department) → purpose → rules; None stands for rules that say ``all``."""

    def rules_for(self, dataset: str, department: str, purpose: str) -> tuple[Rule, ...]:
        """Rules that speak about this dataset, department and purpose, whatever else they ask."""
        found: tuple[Rule, ...] = ()
        for by_purpose in self._named(dataset, department):
            found += by_purpose.get(purpose, ()) + by_purpose.get(_ANY, ())
        return found

    def rules_for_any_purpose(self, dataset: str, department: str) -> Iterator[Rule]:
        for by_purpose in self._named(dataset, department):
            for rules in by_purpose.values():
                yield from rules

    def _named(self, dataset: str, department: str) -> tuple[ByPurpose, ByPurpose]:
        return self.index.get((dataset, department), _NO_RULES), self.index.get((dataset, _ANY), _NO_RULES)


def compile_bundle(catalog: Catalog, rules: Iterable[Rule], hash_: str) -> Bundle:
    """A bundle whose rules are indexed, so that a decision looks at those few that can matter."""
    ordered = tuple(sorted(rules, key=lambda rule: rule.id))
    index: dict[tuple[str, str | None], dict[str | None, tuple[Rule, ...]]] = {}
    for rule in ordered:
        for department in (_ANY,) if rule.departments is None else rule.departments:
            by_purpose = index.setdefault((rule.dataset, department), {})
            for purpose in (_ANY,) if rule.purposes is None else rule.purposes:
                by_purpose[purpose] = (*by_purpose.get(purpose, ()), rule)
    frozen = {key: MappingProxyType(by_purpose) for key, by_purpose in index.items()}
    return Bundle(catalog, ordered, hash_, ZoneInfo(catalog.zone), MappingProxyType(frozen))


def load_bundle(folder: Path, check_mask: CheckMask) -> Bundle:
    """The bundle in ``folder``: city, departments and service items, ``catalog/``, ``sharing/``.

    ``check_mask`` says why a mask cannot be applied to a field, or None when it can.

    Raises:
        PolicyProblems: everything that is wrong, each with its place.
        SetUpError: there is no such folder.
    """
    problems = Problems()
    contents = _read(folder, problems)
    parsed = {file: parse(content, file, problems) for file, content in contents.items()}
    documents = {file: node for file, node in parsed.items() if node is not None}
    if any(file not in documents for file in (*_BASE_FILES, *contents) if not _is_policy(file)):
        problems.refuse()  # rules checked against half a catalog would seem full of unknown names
    catalog = load_catalog(documents, problems)
    reader = PolicyReader(catalog, check_mask, problems)
    rules = [rule for file in documents if _is_policy(file) for rule in reader.read(file, documents[file])]
    problems.refuse()
    return compile_bundle(catalog, rules, bundle_hash(contents))


def bundle_hash(contents: Mapping[str, bytes]) -> str:
    """SHA-256 in hexadecimal over path and content of every file, by path: each preceded by its length in
    bytes (8 bytes, big-endian), so that no two sets of files give the same input."""
    digest = hashlib.sha256(HASH_DOMAIN)
    for file in sorted(contents):
        for part in (file.encode(), contents[file]):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()


def _is_policy(file: str) -> bool:
    return file.startswith(f"{SHARING_FOLDER}/")


def _read(folder: Path, problems: Problems) -> dict[str, bytes]:
    """Bytes of the files by path in the folder, in order; read once: what is hashed is what is parsed."""
    if not folder.is_dir():
        raise SetUpError(f"没有策略文件夹：{folder}", f"there is no policy folder: {folder}")
    contents: dict[str, bytes] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".yaml", ".yml")):
        file = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in Path(file).parts):
            continue  # what editors and file managers leave behind
        if not _is_expected(file):
            # A rule in a file that nobody reads is worse than none: somebody relies on it.
            zh = "此处的文件不会被读取；规则放在 sharing/，目录放在 catalog/，后缀为 .yaml"
            en = "a file here is not read; rules belong in sharing/, the catalog in catalog/, ending in .yaml"
            problems.add(Position(file), Code.FILE_UNEXPECTED, zh, en)
            continue
        try:
            contents[file] = path.read_bytes()
        except OSError as error:
            zh, en = "文件无法读取，请检查权限", f"cannot be read: {error.strerror}"
            problems.add(Position(file), Code.FILE_UNREADABLE, zh, en)
    for file in _BASE_FILES:
        if file not in contents:
            problems.add(Position(file), Code.FILE_MISSING, "缺少此文件", "this file is missing")
    return contents


def _is_expected(file: str) -> bool:
    folder, _, name = file.rpartition("/")
    return file in _BASE_FILES or (folder in _FOLDERS and name.endswith(".yaml"))
