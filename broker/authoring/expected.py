"""What a case expects of a decision, and where a decision differs from it.

A fact that is not written is not compared; one that is must be exactly so. Only reasons may be written
without what they are about, and then stand for any: ``FIELD_NOT_PERMITTED`` for
``FIELD_NOT_PERMITTED address``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from broker.approve.bundle import Bundle
from broker.approve.conditions import Condition
from broker.approve.document import MappingNode, Node, ScalarNode, SequenceNode
from broker.approve.grammar import AGGREGATE
from broker.approve.problem import COMMITMENT, DEPARTMENT, FIELD, WORD, Code, Kind, Problems
from broker.approve.table import Table, mapping_items, text
from broker.authoring.facts import DUTIES, Facts
from broker.authoring.grammar import EXPECT, NEAR, NONE, REVIEW
from broker.model import Below, Verdict
from broker.reasons import Reason

RULE = Kind(Code.UNKNOWN_WORD, "规则", "rule")
CONDITION = Kind(Code.UNKNOWN_WORD, "条件", "condition")
REASON = Kind(Code.UNKNOWN_WORD, "理由代码", "reason code")

_INTEGER = re.compile("-?(0|[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that is not as expected."""

    fact: str
    expected: object
    got: object


def differences(expected: Facts, got: Facts) -> tuple[Difference, ...]:
    """Where ``got`` (of :func:`broker.authoring.facts.facts`) is not as expected."""
    return tuple(
        Difference(fact, value, got[fact]) for fact, value in expected.items() if not _fits(value, got[fact])
    )


def expected_reasons(node: Node | None) -> frozenset[str]:
    """The codes of the reasons in a mapping of expectations, however it reads otherwise."""
    entry = node.entries.get("reasons") if isinstance(node, MappingNode) else None
    items = entry[1].items if entry and isinstance(entry[1], SequenceNode) else ()
    return frozenset(item.value.partition(" ")[0] for item in items if isinstance(item, ScalarNode))


@dataclass(frozen=True, slots=True)
class Known:
    """The names that expectations may use."""

    rules: frozenset[str]
    """Default permits among them."""
    departments: Collection[str]
    commitments: Collection[str]

    @classmethod
    def of(cls, bundle: Bundle) -> Known:
        rules = frozenset(rule for about in bundle.about.values() for rule in about.by_id)
        return cls(rules, bundle.catalog.departments, bundle.catalog.commitments)


def read_expected(node: Node | None, fields: Collection[str], known: Known, problems: Problems) -> Facts:
    """The facts in ``node``; ``fields`` are those of the application, which masks may name."""
    table = Table(node, problems, EXPECT)
    reader = _Reader(table, fields, known, problems)
    facts: dict[str, object] = {"decision": table.word("decision", Verdict, Verdict.DENY).value}
    for name, read in _READERS.items():
        if name in table:
            facts[name] = None if reader.is_none(name) else read(reader, name)
    return facts


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads each kind of fact of one mapping."""

    table: Table
    fields: Collection[str]
    known: Known
    problems: Problems

    def is_none(self, key: str) -> bool:
        node = self.table.node(key)
        return isinstance(node, ScalarNode) and node.value == NONE

    def rules(self, key: str) -> list[str]:
        return sorted(self.table.names(key, self.known.rules, RULE))

    def reasons(self, key: str) -> list[str]:
        items = self.table.texts(key)
        for item in items:
            code = item.value.partition(" ")[0]
            if code not in list(Reason):
                self.problems.unknown(item.at, REASON, code, list(Reason))
        return sorted(item.value for item in items)

    def duties(self, key: str) -> list[str]:
        return sorted(self.table.names(key, DUTIES, WORD))

    def commitments(self, key: str) -> list[str]:
        return sorted(self.table.names(key, self.known.commitments, COMMITMENT))

    def masks(self, key: str) -> dict[str, object]:
        masks: dict[str, object] = {}
        for name, node in self.table.items(key):
            if name.value not in self.fields:
                self.problems.unknown(name.at, FIELD, name.value, self.fields)
            masks[name.value] = self.value(node)
        return dict(sorted(masks.items()))

    def count(self, key: str) -> int | None:
        return self.table.count(key)

    def k_anonymity(self, key: str) -> dict[str, object]:
        table = self.table.table(key)
        names = sorted(item.value for item in table.texts("quasi_identifiers"))
        below = table.word("below", Below, Below.SUPPRESS).value
        return {"quasi_identifiers": names, "k": table.count("k"), "below": below}

    def aggregate(self, key: str) -> dict[str, object]:
        table = self.table.table(key)
        found = {name: self.value(node) for name in AGGREGATE.shapes if (node := table.node(name))}
        found["by"] = sorted(item.value for item in table.texts("by"))
        return found

    def quotas(self, key: str) -> dict[str, object]:
        return {text(name, self.problems): self.value(node) for name, node in self.table.items(key)}

    def row_scopes(self, key: str) -> list[object]:
        return sorted(map(self.value, self._items(key)), key=str)

    def reviews(self, key: str) -> list[dict[str, object]]:
        return sorted(map(self._review, self._items(key)), key=str)

    def _review(self, node: Node) -> dict[str, object]:
        table = Table(node, self.problems, REVIEW)
        departments = table.names("departments", self.known.departments, DEPARTMENT)
        return {
            "departments": sorted(departments),
            "count": table.count("count") or 1,
            "within_working_days": table.count("within_working_days"),
            "never_own": table.flag("never_own", default=True),
        }

    def near(self, key: str) -> list[dict[str, object]]:
        return [self._near(node) for node in self._items(key)]

    def _near(self, node: Node) -> dict[str, object]:
        table = Table(node, self.problems, NEAR)
        lacks: dict[str, object] = {}
        for name, accepted in table.items("lacks"):
            if name.value not in list(Condition):
                self.problems.unknown(name.at, CONDITION, name.value, list(Condition))
            items = accepted.items if isinstance(accepted, SequenceNode) else ()
            lacks[name.value] = [text(item, self.problems) for item in items] or None
        return {"rule": table.name("rule", self.known.rules, RULE), "lacks": lacks}

    def _items(self, key: str) -> tuple[Node, ...]:
        node = self.table.node(key)
        if isinstance(node, SequenceNode) and node.items:
            return node.items
        self.table.add(key, Code.EXPECTED_LIST, "此处须为列表，或写 none", "write a list, or none")
        return ()

    def value(self, node: Node) -> object:
        """As in a policy: unquoted whole numbers and true/false are typed, everything else is text."""
        if isinstance(node, MappingNode):
            entries = mapping_items(node, self.problems)
            return {name.value: self.value(value) for name, value in sorted(entries, key=_name)}
        if isinstance(node, SequenceNode):
            return [self.value(item) for item in node.items]
        if node.plain and node.value in ("true", "false"):
            return node.value == "true"
        return int(node.value) if node.plain and _INTEGER.fullmatch(node.value) else text(node, self.problems)


_READERS: Mapping[str, Callable[[_Reader, str], object]] = {
    "rules": _Reader.rules,
    "reasons": _Reader.reasons,
    "missing": _Reader.reasons,
    "masks": _Reader.masks,
    "retain_days": _Reader.count,
    "acknowledge_hours": _Reader.count,
    "duties": _Reader.duties,
    "commitments": _Reader.commitments,
    "rows_per_call": _Reader.count,
    "minimum_group_size": _Reader.count,
    "matches_per_day": _Reader.count,
    "k_anonymity": _Reader.k_anonymity,
    "aggregate": _Reader.aggregate,
    "row_scopes": _Reader.row_scopes,
    "quotas": _Reader.quotas,
    "reviews": _Reader.reviews,
    "near": _Reader.near,
}


def _name(entry: tuple[ScalarNode, Node]) -> str:
    return entry[0].value


def _fits(expected: object, got: object) -> bool:
    if expected == got:
        return True
    if not (isinstance(expected, list) and isinstance(got, list)):
        return False
    if not all(isinstance(item, str) for item in [*expected, *got]):
        return False
    return all(any(_same_reason(e, g) for g in got) for e in expected) and all(
        any(_same_reason(e, g) for e in expected) for g in got
    )


def _same_reason(expected: str, got: str) -> bool:
    """A code alone stands for any reason of that code."""
    return got == expected or got.startswith(f"{expected} ")
