"""Everything to say about a folder of policies, in one list: what the reader refuses, then what it allows
although it is hardly meant.

Findings are certain, never guesses: what is said to have no effect can be removed without changing what is
released (a test removes it). Severities and titles of the codes are in :mod:`broker.authoring.finding`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from broker.approve.bundle import Bundle, bundle_of, uncollected
from broker.approve.catalog import CATALOG_FOLDER
from broker.approve.files import BASE_FILES, Files, is_policy, read_folder
from broker.approve.masks import CheckMask
from broker.approve.problem import PolicyProblems, Position, Problems
from broker.approve.rule import Effect, Rule
from broker.authoring.finding import Finding, Lint
from broker.authoring.lint_calendar import of_calendar
from broker.authoring.lint_masks import of_masks
from broker.authoring.lint_rule import RuleChecks
from broker.authoring.lint_rules import between
from broker.authoring.repair import repaired_files
from broker.model import CORE, Dataset, SharingAttribute

_KEY = re.compile(r"( +)[\"']?([a-z][a-z0-9_]*)[\"']? *:")
_OF_THE_WHOLE = (Lint.SHADOWED, Lint.REDUNDANT, Lint.NOT_DELEGATED, Lint.UNUSED_DELEGATE, Lint.NEVER_RELEASED)
"""Findings that rules in another file might change."""
NO_FILES: Files = MappingProxyType({})


def lint_folder(
    folder: Path,
    check_mask: CheckMask,
    now: datetime,
    instead: Files = NO_FILES,
    operators: Collection[str] | None = None,
) -> tuple[Finding, ...]:
    """Findings about the bundle in ``folder`` at ``now`` (aware), ordered by place; some of its files read as
    they are in ``instead``. ``operators`` are those that policies may use; None: not known.

    Raises:
        SetUpError: there is no such folder.
    """
    problems = Problems()
    files = {**read_folder(folder, problems), **instead}
    try:
        problems.refuse()
    except PolicyProblems as unread:
        whole = files.keys() >= set(BASE_FILES)
        rest = lint_files(files, check_mask, now, operators) if whole else ()
        return in_order({*of_problems(unread), *rest})
    return lint_files(files, check_mask, now, operators)


def lint_files(
    files: Files, check_mask: CheckMask, now: datetime, operators: Collection[str] | None = None
) -> tuple[Finding, ...]:
    """As :func:`lint_folder`, of files read before. Where the reader refuses policy files, of the others only
    that is told which no rule in those could change; where it refuses the catalog, nothing of the rules."""
    with uncollected():
        try:
            bundle = bundle_of(files, check_mask)
        except PolicyProblems as refused:
            hidden = _behind_slips(refused, files, check_mask)
            rest = _of_the_rest(refused, files, check_mask, now, operators)
            return in_order({*of_problems(refused), *hidden, *rest})
        return lint_bundle(bundle, now, files, operators)


def _behind_slips(refused: PolicyProblems, files: Files, check_mask: CheckMask) -> Iterator[Finding]:
    """What slips of the keyboard keep the reader from seeing: its problems with the files as they would be
    put right, where that moves nothing."""
    broken = {problem.file for problem in refused.problems} & files.keys()
    mended = {
        file: text
        for file, text in repaired_files({file: files[file] for file in broken}).items()
        if text != files[file] and _widths(text) == _widths(files[file])
    }
    if not mended:
        return
    try:
        bundle_of({**files, **mended}, check_mask)
    except PolicyProblems as still:
        yield from (finding for finding in of_problems(still) if finding.file in mended)


def _widths(text: bytes) -> list[int]:
    return [len(line) for line in text.decode("utf-8", "replace").splitlines()]


def _of_the_rest(
    refused: PolicyProblems,
    files: Files,
    check_mask: CheckMask,
    now: datetime,
    operators: Collection[str] | None,
) -> Iterator[Finding]:
    broken = {problem.file for problem in refused.problems}
    if not all(is_policy(file) for file in broken):
        return
    sound = {file: content for file, content in files.items() if file not in broken}
    with suppress(PolicyProblems):
        for finding in lint_bundle(bundle_of(sound, check_mask), now, sound, operators):
            if finding.code not in _OF_THE_WHOLE:
                yield finding


def of_problems(refused: PolicyProblems) -> tuple[Finding, ...]:
    return in_order(Finding.of_problem(problem) for problem in refused.problems)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By place, then code."""
    return tuple(sorted(findings, key=lambda f: (f.file, f.line, f.column, f.code, f.zh)))


def lint_bundle(
    bundle: Bundle, now: datetime, files: Files = NO_FILES, operators: Collection[str] | None = None
) -> tuple[Finding, ...]:
    """Findings about a bundle that was read. ``files`` tell where things stand that a bundle has no places
    for: a dataset of the catalog, an entry of the authority's files."""
    checks = RuleChecks(bundle.catalog, now)
    written: defaultdict[str, list[Rule]] = defaultdict(list)
    ids = {rule.id for rule in bundle.rules}
    for about in bundle.about.values():
        for rule in about.rules:
            if rule.id in ids:  # not the default permits, which nobody wrote
                written[rule.id].append(rule)
    found: set[Finding] = set()
    alive: dict[str, tuple[Rule, ...]] = {}
    for id_, instances in written.items():
        lifeless = [tuple(checks.lifeless(rule)) for rule in instances]
        if all(lifeless):  # a rule about a category is lifeless if it is so for every dataset of it
            found.update(finding for some in lifeless for finding in some)
            continue
        alive[id_] = tuple(instances)
        for rule in instances:
            found.update(checks.findings(rule))
    found.update(between(bundle, alive))
    found.update(of_masks(bundle, alive, files, operators))
    found.update(of_calendar(bundle.catalog, now, files))
    found.update(_never_released(bundle, alive, files))
    return in_order(found)


def _never_released(bundle: Bundle, alive: Mapping[str, tuple[Rule, ...]], files: Files) -> Iterator[Finding]:
    """Fields that might be shared but that no permit or review names: their dataset is where to look."""
    named: defaultdict[str, set[str]] = defaultdict(set)
    for instances in alive.values():
        for rule in instances:
            if rule.effect in (Effect.PERMIT, Effect.REVIEW):
                named[rule.dataset] |= rule.fields
    places = _Places(files)
    for dataset in bundle.catalog.datasets.values():
        if dataset.sharing_attribute is not SharingAttribute.CONDITIONAL:
            continue
        fields = [
            field.name
            for field in dataset.fields.values()
            if field.shared and field.level != CORE and field.name not in named[dataset.id]
        ]
        if fields:
            zh = f"{dataset.id} 的 {'、'.join(fields)} 没有规则能给出；请写规则，或写 shared: false"
            en = f"no rule can release {', '.join(fields)} of {dataset.id}; write a rule, or shared: false"
            yield Finding.of(places.of(dataset), Lint.NEVER_RELEASED, zh, en)


class _Places:
    """Where datasets stand in the catalog's files."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._found: dict[str, dict[str, Position]] = {}

    def of(self, dataset: Dataset) -> Position:
        file = f"{CATALOG_FOLDER}/{dataset.department}.yaml"
        if file not in self._found:
            self._found[file] = dict(_datasets(file, self._files.get(file, b"")))
        return self._found[file].get(dataset.id.removeprefix(f"{dataset.department}."), Position(file))


def _datasets(file: str, content: bytes) -> Iterator[tuple[str, Position]]:
    """Name → place of each dataset in a catalog's file. It was read and is sound, so a look at the lines is
    enough; datasets written in braces are not found."""
    lines = content.decode("utf-8-sig").splitlines()
    begin = next((n for n, line in enumerate(lines) if line.startswith("datasets:")), len(lines))
    depth = 0
    for number, line in enumerate(lines[begin + 1 :], begin + 2):
        if key := _KEY.match(line):
            depth = depth or len(key[1])
            if len(key[1]) == depth:
                yield key[2], Position(file, number, depth + 1)
