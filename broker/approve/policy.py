"""Policy files (``share-policy/v1``) → :class:`~broker.approve.rule.Rule`, checked against the catalog."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from zoneinfo import ZoneInfo

from broker.approve.catalog import headed
from broker.approve.document import MappingNode, Node, ScalarNode, SequenceNode
from broker.approve.problem import DATASET, DEPARTMENT, FIELD, PURPOSE, Code, Problems
from broker.approve.rule import Effect, Limits, Rows, Rule
from broker.approve.table import NAME, SLUG, Table, identifier, mapping_items, text
from broker.model import Catalog, Dataset, Field, Mask, Obligations, SharingAttribute

CheckMask = Callable[[Field, Mask], str | None]
"""Says why a mask cannot be applied to a field, or None when it can."""

_CONDITIONS = ("who", "what", "why", "when")
_LIMITS = ("rows_per_call", "subjects_per_call", "calls_per_day", "rows_per_day")
_INTEGER = re.compile("-?(0|[1-9][0-9]*)")


class Subjects(StrEnum):
    """Whether a permit needs subjects to be named."""

    NAMED = "named"
    ALL = "all"


class _District(StrEnum):
    CALLER = "caller"


class PolicyReader:
    """Reads policy files one after the other; remembers the ids taken."""

    def __init__(self, catalog: Catalog, check_mask: CheckMask, problems: Problems) -> None:
        self._catalog = catalog
        self._zone = _zone(catalog)
        self._check_mask = check_mask
        self._problems = problems
        self._policies: dict[str, str] = {}

    def read(self, file: str, node: Node) -> Iterator[Rule]:
        """The rules of one file; to be used only if no problem was found."""
        table = headed(node, "share-policy/v1", self._problems, ("id", "owner", "rules"))
        policy, owner = table.id("id", SLUG), table.name("owner", self._catalog.departments, DEPARTMENT)
        if policy and (other := self._policies.setdefault(policy, file)) != file:
            zh, en = f"策略编号已在 {other} 使用", f"{other} has this policy id already"
            table.add("id", Code.DUPLICATE_POLICY, zh, en)
        rules = table.node("rules")
        if rules is not None and not (isinstance(rules, SequenceNode) and rules.items):
            table.add(
                "rules",
                Code.EXPECTED_LIST,
                "此处须为至少一条规则的列表",
                "a list of at least one rule is expected",
            )
        seen: set[str] = set()
        for entry in rules.items if isinstance(rules, SequenceNode) else ():
            if rule := self._rule(policy, owner, entry, seen):
                yield rule

    def _rule(self, policy: str, owner: str, node: Node, seen: set[str]) -> Rule | None:
        table = self._rule_table(node)
        effect = table.word("effect", Effect, Effect.DENY)
        name = table.id("id", SLUG)
        if name in seen:
            table.add("id", Code.DUPLICATE_RULE, "本文件已有此规则编号", "this file has that rule id already")
        seen.add(name)
        what = table.table("what", ("dataset", "fields"))
        dataset = self._dataset(what, owner, effect)
        who = table.table("who", ("departments",))
        departments = who.names_or_all("departments", self._catalog.departments, DEPARTMENT)
        is_permit = effect is Effect.PERMIT
        why = _part(table, "why", ("purposes", "legal_basis"), is_permit)
        when = _part(table, "when", ("from", "until"), is_permit)
        if dataset is None:
            return None  # reported; what refers to its fields cannot be checked
        fields = _fields(what, dataset, effect)
        rows = table.table("rows", (), ("district", "subjects"))
        valid_from, valid_until = self._period(when)
        return Rule(
            id=f"{policy}/{name}",
            owner=owner,
            at=table.at,
            effect=effect,
            dataset=dataset.id,
            fields=fields,
            departments=departments,
            purposes=why.names_or_all("purposes", self._catalog.purposes, PURPOSE),
            legal_basis=_legal_basis(why),
            valid_from=valid_from,
            valid_until=valid_until,
            rows=Rows(
                own_region=_own_region(rows, dataset),
                whole_dataset=rows.word("subjects", Subjects, Subjects.NAMED) is Subjects.ALL,
            ),
            limits=_limits(table),
            obligations=self._obligations(table, dataset, fields),
        )

    def _rule_table(self, node: Node) -> Table:
        """The rule's mapping; what it must and may hold depends on its effect."""
        effect = node.entries.get("effect") if isinstance(node, MappingNode) else None
        if effect and isinstance(effect[1], ScalarNode) and effect[1].value in (Effect.DENY, Effect.REVIEW):
            return Table(node, self._problems, ("id", "effect", "who", "what"), ("why", "when"))
        required = ("id", "effect", *_CONDITIONS)
        return Table(node, self._problems, required, ("rows", "limits", "obligations"))

    def _dataset(self, what: Table, owner: str, effect: Effect) -> Dataset | None:
        dataset = self._catalog.datasets.get(what.name("dataset", self._catalog.datasets, DATASET))
        if dataset is None:
            return None
        if owner and dataset.department != owner:
            zh = f"该数据资源由 {dataset.department} 提供，只有提供部门能为它制定规则"
            en = f"{dataset.department} provides this dataset; only the provider makes rules for it"
            what.add("dataset", Code.NOT_THE_PROVIDER, zh, en)
        if effect is Effect.PERMIT and dataset.sharing_attribute is SharingAttribute.WITHHELD:
            zh, en = "该数据资源属不予共享类，不能许可", "this dataset is withheld; no rule may permit it"
            what.add("dataset", Code.DATASET_WITHHELD, zh, en)
        return dataset

    def _period(self, when: Table) -> tuple[datetime | None, datetime | None]:
        """Both days count in full, in the city's zone."""
        first, last = when.day("from"), when.day("until")
        if first and last and last < first:
            when.add("until", Code.BAD_PERIOD, "截止日期早于起始日期", "until is before from")
        return (
            self._midnight(first) if first else None,
            self._midnight(last + timedelta(days=1)) if last else None,
        )

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self._zone).astimezone(UTC)

    def _obligations(self, rule: Table, dataset: Dataset, fields: frozenset[str]) -> Obligations:
        table = rule.table("obligations", (), ("mask", "retain_days", "signed_application"))
        masks: dict[str, Mask] = {}
        for name, node in table.items("mask"):
            field = dataset.fields.get(text(name, self._problems))
            if field is None:
                self._problems.unknown(name.at, FIELD, name.value, dataset.fields)
                continue
            if fields and field.name not in fields:
                zh, en = "规则未列出此数据项，不必脱敏", "the rule does not name this field"
                self._problems.add(name.at, Code.FIELD_OUTSIDE_RULE, zh, en)
            if mask := self._mask(field, node):
                masks[field.name] = mask
        return Obligations(
            MappingProxyType(masks), table.count("retain_days"), table.flag("signed_application")
        )

    def _mask(self, field: Field, node: Node) -> Mask | None:
        if not isinstance(node, MappingNode) or len(node.entries) != 1:
            zh, en = "须写一个脱敏方式，如 {year: {}}", "write one operator, such as {year: {}}"
            self._problems.add(node.at, Code.BAD_MASK, zh, en)
            return None
        ((name, params),) = node.entries.values()
        written = {
            key.value: _parameter(value, self._problems)
            for key, value in mapping_items(params, self._problems)
        }
        mask = Mask(identifier(name, NAME, self._problems), MappingProxyType(written))
        if complaint := self._check_mask(field, mask):
            zh, en = f"脱敏方式不可用：{complaint}", f"unusable mask: {complaint}"
            self._problems.add(name.at, Code.BAD_MASK, zh, en)
        return mask


def _zone(catalog: Catalog) -> ZoneInfo:
    try:
        return ZoneInfo(catalog.zone)
    except (ValueError, OSError, KeyError):
        return ZoneInfo("UTC")  # reported with the city; no rule read in this zone gets out


def _part(rule: Table, key: str, keys: tuple[str, ...], is_permit: bool) -> Table:
    """A permit states everything; elsewhere what is left out does not restrict the rule."""
    return rule.table(key, keys if is_permit else (), () if is_permit else keys)


def _fields(what: Table, dataset: Dataset, effect: Effect) -> frozenset[str]:
    if what.is_all("fields"):
        return frozenset(
            name for name, field in dataset.fields.items() if field.shared or effect is not Effect.PERMIT
        )
    names = what.names("fields", dataset.fields, FIELD)
    for item in what.texts("fields") if effect is Effect.PERMIT else ():
        field = dataset.fields.get(item.value)
        if field is not None and not field.shared:
            zh, en = f"数据项“{field.name}”不对外共享（shared: false）", f"field “{field.name}” is not shared"
            what.problems.add(item.at, Code.FIELD_NOT_SHARED, zh, en)
    return frozenset(names)


def _legal_basis(why: Table) -> frozenset[str] | None:
    if "legal_basis" not in why or why.is_all("legal_basis"):
        return None
    return frozenset(item.value for item in why.texts("legal_basis"))


def _own_region(rows: Table, dataset: Dataset) -> bool:
    if "district" not in rows:
        return False
    rows.word("district", _District, _District.CALLER)
    if dataset.region_field is None:
        zh, en = "目录未写明该数据资源的 region 数据项", "the catalog names no region field for this dataset"
        rows.add("district", Code.REGION_MISSING, zh, en)
    return True


def _limits(rule: Table) -> Limits:
    table = rule.table("limits", (), _LIMITS)
    return Limits(**{name: table.count(name) for name in _LIMITS})


def _parameter(node: Node, problems: Problems) -> object:
    """A parameter as written: unquoted whole numbers and true/false are typed, everything else stays text,
    decimals too, so that no digit is lost. The operator's own model checks the rest."""
    if isinstance(node, SequenceNode):
        return tuple(_parameter(item, problems) for item in node.items)
    if not isinstance(node, ScalarNode):
        return text(node, problems)
    if node.plain and node.value in ("true", "false"):
        return node.value == "true"
    return int(node.value) if node.plain and _INTEGER.fullmatch(node.value) else node.value
