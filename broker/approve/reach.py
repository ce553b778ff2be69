"""Whom and what a rule is about: its ``who`` and ``what``, resolved to departments, datasets and fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from broker.approve.document import ScalarNode
from broker.approve.grammar import CallerRole
from broker.approve.problem import CATEGORY, DATASET, DEPARTMENT, FIELD, GROUP, LEVEL, Code, Problems
from broker.approve.rule import Effect
from broker.approve.table import Table
from broker.model import (
    CORE,
    IMPORTANT,
    Catalog,
    Dataset,
    Department,
    DepartmentKind,
    Field,
    Scope,
    SharingAttribute,
    region_prefix,
)

RELEASING = (Effect.PERMIT, Effect.DELEGATE)
"""What releases data, or lets others release them."""

Reach = tuple[tuple[Dataset, frozenset[str]], ...]
"""Datasets, each with those of its fields that the rule is about."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a policy, and at which level of government."""

    owner: Department
    scope: Scope

    def may_write(self, effect: Effect, provider: Department) -> bool:
        """Whether they may make such a rule about the provider's data (``docs/policy-language.md``, 3.2)."""
        if self.owner.id == provider.id:
            return True
        if self.owner.kind is not DepartmentKind.AUTHORITY and self.owner.scope.rank >= provider.scope.rank:
            return False
        return self.scope is not provider.scope or effect not in RELEASING


def departments_of(who: Table, catalog: Catalog) -> frozenset[str] | None:
    """Ids of the departments that ``who`` tells of; None for all."""
    known = catalog.departments
    listed = None if who.is_all("departments") else frozenset(who.names("departments", known, DEPARTMENT))
    groups = who.names("groups", catalog.groups, GROUP)
    who.words("roles", CallerRole)
    levels = who.words("levels", Scope)
    prefixes = tuple(region_prefix(region.value) for region in who.texts("regions"))
    if listed is None and not levels and not prefixes:
        return None
    named = known.keys() if listed is None else listed.union(*(catalog.groups.get(g, ()) for g in groups))
    found = frozenset(
        name
        for name in named
        if (department := known.get(name)) is not None
        and (not levels or department.scope in levels)
        and (not prefixes or department.region.startswith(prefixes))
    )
    if named and not found and all(name in known for name in named):
        zh = "没有部门同时符合所写的部门、层级和区划，这条规则对谁都不起作用"
        en = "no department fits departments, levels and regions together; the rule is about nobody"
        who.problems.add(who.at, Code.NOBODY, zh, en)
    return found


class What:
    """Resolves ``what``: which datasets, and which of their fields."""

    def __init__(self, catalog: Catalog, problems: Problems) -> None:
        self._catalog = catalog
        self._problems = problems
        self._levels = (*catalog.levels, IMPORTANT, CORE)
        self._ranks = {level: rank for rank, level in enumerate(self._levels)}

    def reach(self, what: Table, effect: Effect, author: Author | None) -> Reach:
        """What the rule is about; nothing after a report."""
        datasets = tuple(self._datasets(what, effect, author))
        if not datasets:
            return ()
        ceiling = what.name("level", self._levels, LEVEL)
        listed = None if what.is_all("fields") else self._listed(what, datasets)
        found = tuple(
            (dataset, fields)
            for dataset in datasets
            if (fields := self._fields(dataset, listed, ceiling, effect))
        )
        if not found and (listed is None or any(item.value in d.fields for item in listed for d in datasets)):
            zh, en = "没有一个数据项符合所写的条件", "no field fits what is written here"
            self._problems.add(what.at, Code.NOTHING, zh, en)
        return found

    # ── datasets ──

    def _datasets(self, what: Table, effect: Effect, author: Author | None) -> Iterator[Dataset]:
        known = self._catalog.datasets
        dataset = known.get(what.name("dataset", known, DATASET))
        if dataset is not None:
            self._check(what, dataset, effect, author)
            yield dataset
        elif category := what.name("category", self._catalog.categories, CATEGORY):
            yield from self._of_category(what, category, effect, author)

    def _of_category(
        self, what: Table, category: str, effect: Effect, author: Author | None
    ) -> Iterator[Dataset]:
        """Those about which the owner may make such a rule; a permit leaves out what is withheld."""
        found = False
        for dataset in self._catalog.datasets.values():
            if (
                dataset.category == category
                and self._may_write(effect, dataset, author)
                and not (effect in RELEASING and dataset.sharing_attribute is SharingAttribute.WITHHELD)
            ):
                found = True
                yield dataset
        if not found and category in self._catalog.categories:
            zh = "此分类中没有制定部门可以写入此规则的数据资源"
            en = "the category has no dataset about which the owner may make this rule"
            what.add("category", Code.NOTHING, zh, en)

    def _check(self, what: Table, dataset: Dataset, effect: Effect, author: Author | None) -> None:
        if not self._may_write(effect, dataset, author):
            zh = f"该数据资源由 {dataset.department} 提供，只有提供部门（或上级、主管部门以另一层级）能这样写"
            en = (
                f"{dataset.department} provides this dataset; only the provider makes rules for it (or, in "
                "another scope, a department above it or the authority)"
            )
            what.add("dataset", Code.NOT_THE_PROVIDER, zh, en)
        if effect in RELEASING and dataset.sharing_attribute is SharingAttribute.WITHHELD:
            zh, en = "该数据资源属不予共享类，不能许可", "this dataset is withheld; no rule may permit it"
            what.add("dataset", Code.DATASET_WITHHELD, zh, en)

    def _may_write(self, effect: Effect, dataset: Dataset, author: Author | None) -> bool:
        provider = self._catalog.departments.get(dataset.department)
        return author is None or provider is None or author.may_write(effect, provider)  # reported elsewhere

    # ── fields ──

    def _listed(self, what: Table, datasets: tuple[Dataset, ...]) -> tuple[ScalarNode, ...]:
        items = what.texts("fields")
        for item in items:
            if not any(item.value in dataset.fields for dataset in datasets):
                known = [name for dataset in datasets for name in dataset.fields]
                self._problems.unknown(item.at, FIELD, item.value, known)
        return items

    def _fields(
        self, dataset: Dataset, listed: tuple[ScalarNode, ...] | None, ceiling: str, effect: Effect
    ) -> frozenset[str]:
        known = dataset.fields
        if listed is None:
            fields = {f.name for f in known.values() if effect not in RELEASING or _may_be_released(f)}
        else:
            fields = {item.value for item in listed if item.value in known}
            if effect in RELEASING:
                self._check_released(dataset, listed)
        if ceiling in self._ranks:
            highest = self._ranks[ceiling]
            return frozenset(name for name in fields if self._ranks.get(known[name].level, 0) <= highest)
        return frozenset(fields)

    def _check_released(self, dataset: Dataset, listed: tuple[ScalarNode, ...]) -> None:
        for item in listed:
            field = dataset.fields.get(item.value)
            if field is None or _may_be_released(field):
                continue
            if field.level == CORE:
                zh = f"数据项“{field.name}”属核心数据（{CORE}），不经本服务共享"
                en = f"field “{field.name}” is {CORE}; it never goes through the broker"
                self._problems.add(item.at, Code.FIELD_CORE, zh, en)
            else:
                zh = f"数据项“{field.name}”不对外共享（shared: false）"
                self._problems.add(item.at, Code.FIELD_NOT_SHARED, zh, f"field “{field.name}” is not shared")


def _may_be_released(field: Field) -> bool:
    return field.shared and field.level != CORE
