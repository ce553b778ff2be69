"""The bundle: catalog and policy files, loaded whole or not at all, known by their hash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from broker.approve.catalog import load_catalog
from broker.approve.document import parse
from broker.approve.files import BASE_FILES, Files, bundle_hash, is_policy, read_folder
from broker.approve.policy import CheckMask, PolicyReader
from broker.approve.problem import Problems
from broker.approve.rule import Rule
from broker.model import Catalog

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
    return _bundle(read_folder(folder, problems), check_mask, problems)


def bundle_of(files: Files, check_mask: CheckMask) -> Bundle:
    """As :func:`load_bundle`, of files read before."""
    return _bundle(files, check_mask, Problems())


def _bundle(files: Files, check_mask: CheckMask, problems: Problems) -> Bundle:
    parsed = {file: parse(content, file, problems) for file, content in files.items()}
    documents = {file: node for file, node in parsed.items() if node is not None}
    if any(file not in documents for file in (*BASE_FILES, *files) if not is_policy(file)):
        problems.refuse()  # rules checked against half a catalog would seem full of unknown names
    catalog = load_catalog(documents, problems)
    reader = PolicyReader(catalog, check_mask, problems)
    rules = [rule for file in documents if is_policy(file) for rule in reader.read(file, documents[file])]
    problems.refuse()
    return compile_bundle(catalog, rules, bundle_hash(files))
