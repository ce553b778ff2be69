"""The terms of a rule: which rows, upper bounds, masks and duties, whose consent, whose review."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from broker.approve.grammar import VALUES, Reviewer, Subjects, Whose
from broker.approve.group_terms import GroupTerms
from broker.approve.masks import CheckMask, MaskReader, Written, read_mask
from broker.approve.problem import COMMITMENT, DEPARTMENT, FIELD, LEVEL, Code, Problems
from broker.approve.reach import Reach
from broker.approve.rule import Consent, Limits, Rows
from broker.approve.table import Table, text, texts
from broker.model import (
    CORE,
    IMPORTANT,
    Catalog,
    Dataset,
    DepartmentKind,
    FieldType,
    Mask,
    Obligations,
    ReviewBy,
)

_ANY_NAMED = Rows()
_LIMITS = tuple(one.name for one in dataclasses.fields(Limits))


@dataclass(frozen=True, slots=True)
class Demanded:
    """The obligations as written, whatever the rule is about."""

    duties: Obligations
    by_field: Mapping[str, Written]
    by_level: Mapping[str, Written]
    groups: GroupTerms

    @property
    def by_words(self) -> bool:
        """Whether a mask is written as a word."""
        return any(isinstance(one.mask, str) for one in (*self.by_field.values(), *self.by_level.values()))


class TermReader:
    """Reads the terms of rules one after the other."""

    def __init__(self, catalog: Catalog, check_mask: CheckMask, problems: Problems) -> None:
        self._catalog = catalog
        self._masked = MaskReader(catalog.mask_profiles, check_mask)
        self._problems = problems

    # ── rows ──

    def rows(self, table: Table, reach: Reach) -> tuple[Rows, ...]:
        """For each dataset which of its rows; what cannot be told of one of them is reported."""
        if not table.is_written:
            return (_ANY_NAMED,) * len(reach)
        whole = table.word("subjects", Subjects, Subjects.NAMED) is Subjects.ALL
        return tuple(
            Rows(
                own_region=_own(table, "district", dataset.region_field, Code.REGION_MISSING, dataset),
                own_grid=_own(table, "grid", dataset.grid_field, Code.GRID_MISSING, dataset),
                lists=self._lists(table, dataset) if "lists" in table else {},
                whole_dataset=whole,
            )
            for dataset, _ in reach
        )

    def _lists(self, rows: Table, dataset: Dataset) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for key, node in rows.items("lists"):
            name = text(key, self._problems)
            field = dataset.fields.get(name)
            if field is None:
                self._problems.unknown(key.at, FIELD, name, dataset.fields)
            elif field.type is not FieldType.TEXT:
                zh, en = "只有 text 类型的数据项可列出取值", "only a field of type text has its values listed"
                self._problems.add(key.at, Code.WRONG_FIELD_TYPE, zh, en)
            found[name] = tuple(sorted(item.value for item in texts(node, self._problems, VALUES)))
        return MappingProxyType(found)

    # ── obligations ──

    def demanded(self, table: Table) -> Demanded:
        """The obligations in ``table``."""
        duties = Obligations(
            retain_days=table.count("retain_days"),
            signed_application=table.flag("signed_application"),
            acknowledge_hours=table.count("acknowledge_hours"),
            no_onward_sharing=table.flag("no_onward_sharing"),
            watermark=table.flag("watermark"),
            notify_subject=table.flag("notify_subject"),
            countersignature=table.flag("countersignature"),
            commitments=self._commitments(table),
        )
        by_level = self._masks(table, "mask_levels")
        levels = (*self._catalog.levels, IMPORTANT, CORE)
        for level, written in by_level.items():
            if level and level not in levels:
                self._problems.unknown(written.key_at, LEVEL, level, levels)
        groups = GroupTerms.of(table.table("k_anonymity"), table.table("aggregate"))
        return Demanded(duties, self._masks(table, "mask"), by_level, groups)

    def _commitments(self, table: Table) -> tuple[str, ...]:
        name = table.name("commitment", self._catalog.commitments, COMMITMENT)
        return (name,) if name else ()

    def obligations(self, demanded: Demanded, reach: Reach) -> tuple[Obligations, ...]:
        """For each dataset its masks, and what else must be done."""
        duties = demanded.groups.obligations(demanded.duties, reach, self._problems)
        if not demanded.by_field and not demanded.by_level:
            return duties
        self._check_fields(demanded.by_field, reach)
        masks = [self._masks_of(dataset, names, demanded) for dataset, names in reach]
        return tuple(
            replace(duty, masks=found) if found else duty for duty, found in zip(duties, masks, strict=True)
        )

    def _masks(self, table: Table, key: str) -> dict[str, Written]:
        masks = {
            text(name, self._problems): read_mask(name.at, node, self._problems)
            for name, node in table.items(key)
        }
        return {name: mask for name, mask in masks.items() if mask is not None}

    def _check_fields(self, masks: Mapping[str, Written], reach: Reach) -> None:
        for name, written in masks.items() if reach else ():
            if not any(name in dataset.fields for dataset, _ in reach):
                fields = [field for dataset, _ in reach for field in dataset.fields]
                self._problems.unknown(written.key_at, FIELD, name, fields)
            elif not any(name in named for _, named in reach):
                zh, en = "规则未列出此数据项，不必脱敏", "the rule does not name this field"
                self._problems.add(written.key_at, Code.FIELD_OUTSIDE_RULE, zh, en)

    def _masks_of(self, dataset: Dataset, names: Collection[str], demanded: Demanded) -> Mapping[str, Mask]:
        """A field's own mask, else that of its level; in the catalog's order."""
        masks: dict[str, Mask] = {}
        for name, field in dataset.fields.items():
            written = demanded.by_field.get(name) or demanded.by_level.get(field.level)
            if name not in names or written is None:
                continue
            found = self._masked.of(dataset, field, written.mask)
            if isinstance(found, Mask):
                masks[name] = found
            else:
                zh, en = (
                    f"数据项“{name}”不能这样脱敏：{found.zh}",
                    f"“{name}” cannot be masked so: {found.en}",
                )
                self._problems.add(written.at, Code.BAD_MASK, zh, en)
        return MappingProxyType(masks)

    # ── people ──

    def reviews(self, table: Table, reach: Reach) -> tuple[ReviewBy, ...]:
        """For each dataset who must review; by default one officer of the provider."""
        names = table.names("by", [*Reviewer, *self._catalog.departments], DEPARTMENT)
        names = names or (Reviewer.PROVIDER,)
        authorities = frozenset(
            one.id for one in self._catalog.departments.values() if one.kind is DepartmentKind.AUTHORITY
        )
        if Reviewer.AUTHORITY in names and not authorities:
            zh, en = (
                "目录中没有主管部门（kind: authority）",
                "the catalog has no department of kind authority",
            )
            table.add("by", Code.NOBODY, zh, en)
        count = table.count("count") or 1
        days, never_own = table.count("within_working_days"), table.flag("never_own", default=True)
        return tuple(
            ReviewBy(
                frozenset().union(*[_reviewers(name, dataset, authorities) for name in names]),
                count,
                days,
                never_own,
            )
            for dataset, _ in reach
        )


def read_limits(table: Table) -> Limits:
    """Upper bounds; those that are not written are none."""
    return Limits(**{name: table.count(name) for name in _LIMITS})


def read_consent(table: Table) -> Consent | None:
    """Application and both heads' consent, if they are written."""
    if not table.is_written:
        return None
    return Consent(table.text("application_no"), table.text("consumer_head"), table.text("provider_head"))


def _own(rows: Table, key: str, field: str | None, code: Code, dataset: Dataset) -> bool:
    """Whether only the caller's own region or grids are given, by the field that the catalog names for it."""
    if key not in rows:
        return False
    rows.word(key, Whose, Whose.CALLER)
    if field is None:
        wanted = "region" if key == "district" else key
        zh = f"目录未写明数据资源 {dataset.id} 的 {wanted} 数据项"
        rows.add(key, code, zh, f"the catalog names no {wanted} field for {dataset.id}")
    return True


def _reviewers(name: str, dataset: Dataset, authorities: frozenset[str]) -> frozenset[str]:
    if name == Reviewer.AUTHORITY:
        return authorities
    return frozenset({dataset.department if name == Reviewer.PROVIDER else name})
