"""Case files (``share-cases/v1``) → :class:`Case`, read as strictly as policies, checked against the bundle.

Format and words are explained in ``docs/policy-toolkit.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from broker.approve.bundle import Bundle, compile_bundle
from broker.approve.document import MappingNode, Node, ScalarNode, SequenceNode, parse
from broker.approve.files import CASES_FOLDER
from broker.approve.problem import DATASET, DEPARTMENT, PURPOSE, WORD, Code, Kind, Position, Problems
from broker.approve.rule import NEVER, Effect, Rule
from broker.approve.table import Table, headed
from broker.authoring.applications import KEYS, application, read_asked, read_grant, read_time, time_in
from broker.authoring.expected import Known, expected_reasons, read_expected
from broker.authoring.facts import Facts
from broker.authoring.grammar import CASE, CASES, CHANGES
from broker.errors import SetUpError
from broker.model import Application, Grant, Suspension, Target

FORMAT = "share-cases/v1"
POLICY = Kind(Code.UNKNOWN_WORD, "策略", "policy")
APPLICATION = Kind(Code.UNKNOWN_WORD, "申请", "application")


@dataclass(frozen=True, slots=True)
class Case:
    """One application at one moment, and what the bundle is expected to say of it."""

    id: str
    """Unique in its file."""
    at: Position
    bundle: Bundle
    """Which decides: the one tested, its rules standing as the case file's approvals say."""
    application: Application
    grant: Grant | None
    suspensions: tuple[Suspension, ...]
    now: datetime
    expected: Facts

    @property
    def name(self) -> str:
        """``<file>#<id>``, as ``policy explain --case`` takes it."""
        return f"{self.at.file}#{self.id}"


def read_case_files(place: Path) -> dict[str, bytes]:
    """The case files at ``place``, a file or a folder, by name in it; of a policy folder those in ``cases/``.

    Raises:
        SetUpError: there is none.
    """
    folder = place / CASES_FOLDER if (place / CASES_FOLDER).is_dir() else place
    paths = [place] if place.is_file() else sorted(folder.rglob("*.yaml"))
    if not paths:
        raise SetUpError(
            f"{place} 里没有用例文件；请把用例（{FORMAT}）放在策略文件夹的 {CASES_FOLDER}/ 里。",
            f"No case files in {place}; put them ({FORMAT}) into the policy folder's {CASES_FOLDER}/.",
        )
    root = place.parent if place.is_file() else place
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def read_cases(files: Mapping[str, bytes], bundle: Bundle) -> tuple[Case, ...]:
    """The cases in ``files``, in the order in which they are written.

    Raises:
        PolicyProblems: everything that is wrong with them, each with its place.
    """
    problems = Problems()
    cases = [
        case
        for file, content in files.items()
        if (node := parse(content, file, problems)) is not None
        for case in _File(node, file, bundle, problems).cases()
    ]
    problems.refuse()
    return tuple(cases)


class _File:
    """One case file: what its cases share, and the cases."""

    def __init__(self, node: Node, file: str, bundle: Bundle, problems: Problems) -> None:
        self._file, self._bundle, self._problems = file, bundle, problems
        self._table = headed(node, problems, CASES)
        self._zone = self._read_zone()
        self._known = Known.of(bundle)
        if "approvals" in self._table:
            self._bundle = under_approvals(bundle, self._approvals())
        self._used: set[str] = set()
        self._now = read_time(self._table, "at", self._zone) or NEVER
        self._defaults = self._table.node("defaults")
        if self._defaults is not None:
            Table(self._defaults, problems, CHANGES)
        self._applications = dict(self._table.named_items("applications"))
        self._grants = {
            name: read_grant(name, entry, bundle, self._zone, problems)
            for name, entry in self._table.named_items("grants")
        }

    def cases(self) -> Iterator[Case]:
        node = self._table.node("cases")
        if node is not None and not (isinstance(node, SequenceNode) and node.items):
            zh, en = "此处须为至少一个用例的列表", "a list of at least one case is expected"
            self._table.add("cases", Code.EXPECTED_LIST, zh, en)
        seen: set[str] = set()
        for entry in node.items if isinstance(node, SequenceNode) else ():
            case = self._case(entry)
            if case.id in seen:
                zh, en = f"本文件已有用例“{case.id}”", f"this file has a case “{case.id}” already"
                self._problems.add(case.at, Code.DUPLICATE_VALUE, zh, en)
            seen.add(case.id)
            yield case
        self._check_unused(self._used)

    def _case(self, node: Node) -> Case:
        table = Table(node, self._problems, CASE)
        asked = read_asked(
            self._application(table),
            self._bundle,
            self._problems,
            expected_reasons(table.node("expect")),
        )
        return Case(
            id=table.text("id"),
            at=Position(self._file, node.at.line, node.at.column),
            bundle=self._bundle,
            application=application(asked, self._bundle.catalog.city),
            grant=self._grants.get(asked.grant),
            suspensions=tuple(self._suspensions(table)),
            now=read_time(table, "at", self._zone) or self._now,
            expected=read_expected(table.node("expect"), asked.fields, self._known, self._problems),
        )

    def _application(self, table: Table) -> MappingNode | None:
        """The application named, with the file's defaults for what it leaves out and the case's changes."""
        name = table.name("application", self._applications, APPLICATION)
        without = table.names("without", KEYS, WORD)
        changes = table.node("with")
        if changes is not None:
            Table(changes, self._problems, CHANGES)
        self._used.add(name)
        if name not in self._applications:
            return None  # reported
        return self._whole(self._applications[name], changes, without)

    def _whole(
        self, node: Node, changes: Node | None = None, without: Collection[str] = ()
    ) -> MappingNode | None:
        written = [part for part in (self._defaults, node, changes) if isinstance(part, MappingNode)]
        entries = {name: entry for part in written for name, entry in part.entries.items()}
        return MappingNode(node.at, {name: entries[name] for name in entries if name not in without})

    def _check_unused(self, used: Collection[str]) -> None:
        """An application that no case names is read all the same: somebody may be about to use it."""
        for name, node in self._applications.items():
            if name not in used:
                read_asked(self._whole(node), self._bundle, self._problems)

    def _approvals(self) -> dict[str, datetime]:
        policies = {id_.partition("/")[0] for id_ in self._known.rules}
        approvals: dict[str, datetime] = {}
        for name, node in self._table.items("approvals"):
            if name.value not in policies:
                self._problems.unknown(name.at, POLICY, name.value, policies)
            approvals[name.value] = time_in(node, self._zone, self._problems) or NEVER
        return approvals

    def _suspensions(self, table: Table) -> Iterator[Suspension]:
        node = table.node("suspended")
        if isinstance(node, ScalarNode):
            if table.text("suspended") not in ("", Target.EVERYTHING):
                self._problems.unknown(node.at, WORD, node.value, [Target.EVERYTHING])
            yield _suspension(Target.EVERYTHING, "")
            return
        catalog = self._bundle.catalog
        stopped = table.table("suspended")
        for target, known, kind in (
            (Target.CONSUMER, catalog.departments, DEPARTMENT),
            (Target.DATASET, catalog.datasets, DATASET),
            (Target.PURPOSE, catalog.purposes, PURPOSE),
        ):
            if name := stopped.name(target, known, kind):
                yield _suspension(target, name)

    def _read_zone(self) -> ZoneInfo:
        name = self._table.text("zone")
        try:
            return ZoneInfo(name) if name else self._bundle.zone
        except (ValueError, OSError, KeyError):
            zh = "没有此时区，请用 IANA 名称，如 Asia/Shanghai"
            self._table.add("zone", Code.BAD_ZONE, zh, "no such zone; use an IANA name such as Asia/Shanghai")
            return self._bundle.zone


def under_approvals(bundle: Bundle, approvals: Mapping[str, datetime]) -> Bundle:
    """``bundle`` where standing approvals are demanded, and end at these instants (by policy id;
    ``unconditional`` stands for the default permits, which the catalog's approval lets speak)."""

    def stamped(rule: Rule) -> Rule:
        if rule.effect not in (Effect.PERMIT, Effect.DELEGATE):
            return rule
        return replace(rule, standing_until=approvals.get(policy_of(rule), NEVER))

    return compile_bundle(bundle.catalog, bundle.rules, bundle.hash, stamped)


def policy_of(rule: Rule) -> str:
    """The id of the policy that a rule belongs to."""
    return rule.id.partition("/")[0]


def _suspension(target: Target, name: str) -> Suspension:
    return Suspension(0, target, name, reason="", actor="", since=NEVER)
