"""The bundle: catalog and policy files, loaded whole or not at all, known by their hash."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from broker.approve.catalog import load_catalog
from broker.approve.document import Node, parse
from broker.approve.files import BASE_FILES, MANIFEST, Files, bundle_hash, is_policy, read_folder
from broker.approve.index import DatasetRules, Stamp, index_rules
from broker.approve.masks import CheckMask
from broker.approve.plan import Plans
from broker.approve.policy import PolicyReader
from broker.approve.problem import PolicyProblems, Problems
from broker.approve.quick import QuickParser
from broker.approve.rule import Rule
from broker.model import Catalog

Parse = Callable[[bytes, str, Problems], Node | None]
"""Reads a file's YAML: content, name, where problems are told."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Catalog and rules that decide together; made by :func:`load_bundle` or :func:`compile_bundle`."""

    catalog: Catalog
    rules: tuple[Rule, ...]
    """As written, ordered by id and dataset."""
    hash: str
    """SHA-256 of all files in hexadecimal; stands in every decision."""
    zone: ZoneInfo
    about: Mapping[str, DatasetRules] = field(repr=False)
    """Dataset → the rules about it, default permits among them."""
    plans: Plans = field(repr=False, compare=False)


def compile_bundle(
    catalog: Catalog, rules: Iterable[Rule], hash_: str, stamp: Stamp = lambda rule: rule
) -> Bundle:
    """A bundle whose rules are indexed, so that a decision looks at those few that can matter. What decides
    is each rule, default permits too, as ``stamp`` gives it back."""
    ordered = tuple(sorted(rules, key=lambda rule: (rule.id, rule.dataset)))
    zone = ZoneInfo(catalog.zone)
    with uncollected():
        about = MappingProxyType(index_rules(ordered, catalog, stamp))
    return Bundle(catalog, ordered, hash_, zone, about, Plans(about, catalog, zone, hash_))


def load_bundle(folder: Path, check_mask: CheckMask) -> Bundle:
    """The bundle in ``folder``: city, departments and service items, ``catalog/``, ``sharing/``.

    ``check_mask`` says why a mask cannot be applied to a field, or None when it can.

    Raises:
        PolicyProblems: everything that is wrong, each with its place.
        SetUpError: there is no such folder.
    """
    problems = Problems()
    with uncollected():
        return _bundle(read_folder(folder, problems), check_mask, problems)


def bundle_of(files: Files, check_mask: CheckMask, problems: Problems | None = None) -> Bundle:
    """As :func:`load_bundle`, of files read before; what was found then may be in ``problems``."""
    with uncollected():
        return _bundle(files, check_mask, Problems() if problems is None else problems)


def _bundle(files: Files, check_mask: CheckMask, problems: Problems) -> Bundle:
    """Sound files are read by a short cut; problems are looked for without it, for their places."""
    if not problems:
        with suppress(PolicyProblems):
            return _read(files, check_mask, Problems(), QuickParser().parse)
    return _read(files, check_mask, problems, parse)


def _read(files: Files, check_mask: CheckMask, problems: Problems, parse: Parse) -> Bundle:
    read = {file: content for file, content in files.items() if file != MANIFEST}
    policies = [file for file in read if is_policy(file)]
    parsed = {file: parse(content, file, problems) for file, content in read.items() if not is_policy(file)}
    documents = {file: node for file, node in parsed.items() if node is not None}
    if any(file not in documents for file in (*BASE_FILES, *parsed)):
        for file in policies:
            parse(read[file], file, problems)
        problems.refuse()  # rules checked against half a catalog would seem full of unknown names
    catalog = load_catalog(documents, check_mask, problems)
    reader = PolicyReader(catalog, check_mask, problems)
    rules: list[Rule] = []
    for file in policies:  # one after the other, so that one file's nodes are in memory and not all
        if node := parse(read[file], file, problems):
            rules += reader.read(file, node)
    problems.refuse()
    return compile_bundle(catalog, rules, bundle_hash(files))


@contextmanager
def uncollected() -> Iterator[None]:
    """Reading makes millions of nodes and no garbage: to look for it among them takes most of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
