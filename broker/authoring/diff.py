"""``diff``: what the change from one bundle to another does to access, worked out and not tried out."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

from broker.approve.bundle import Bundle, uncollected
from broker.approve.rule import Rule
from broker.authoring.access import Cell, Ground, Group, Outcome, Side, Walks, bits, rectangles
from broker.authoring.catalog_diff import catalog_changes
from broker.authoring.compare import changes, direction
from broker.authoring.conditions import Conditions
from broker.authoring.difference import Change, Difference, Direction, Entry
from broker.authoring.quota_diff import split_quotas
from broker.authoring.release import DUTIES, Release, Terms, mask_text
from broker.authoring.situations import Left
from broker.model import Catalog, MaskOrder
from broker.reasons import Sentence

_OLD, _NEW = 0, 1


def diff(old: Bundle, new: Bundle) -> Difference:
    """Everything that ``new`` grants, takes away, weakens or strengthens compared with ``old``.

    Field by field: what is demanded of several fields together is what is demanded of each.
    """
    with uncollected():  # there is nothing to collect in millions of small values
        return _difference(old, new)


def _difference(old: Bundle, new: Bundle) -> Difference:
    walks = Walks([Side.of(old), Side.of(new)])
    same_city = _city(old.catalog) == _city(new.catalog)
    entries: list[Entry] = []
    for dataset in sorted({*old.about, *new.about}):
        if not (same_city and _unchanged(dataset, old, new)):
            entries.extend(_Comparison(Ground(dataset, walks), new.catalog.mask_order).entries())
    entries.extend(split_quotas(*walks.sides))
    rank = list(Direction)
    entries.sort(
        key=lambda e: (e.dataset, rank.index(e.direction), e.departments, e.purposes, e.fields, e.rules_after)
    )
    edits = tuple(catalog_changes(old.catalog, new.catalog))
    titles = _titles(old.catalog, new.catalog, entries)
    return Difference(old.hash, new.hash, tuple(entries), edits, titles, new.catalog.zone)


class _Found(NamedTuple):
    """What becomes of one field in a group's cells; equal ones are told together."""

    direction: Direction
    before: Release | None
    after: Release | None
    changes: tuple[Change, ...]
    when: Conditions
    rules_before: tuple[str, ...]
    rules_after: tuple[str, ...]


class _Comparison:
    """One dataset on both sides."""

    def __init__(self, ground: Ground, order: MaskOrder) -> None:
        self._ground = ground
        self._order = order
        self._contents = _numbered(_content(rule) for rule in ground.rules)
        self._same_terms = _means(ground.terms[_OLD]) == _means(ground.terms[_NEW])

    def entries(self) -> Iterator[Entry]:
        cells: dict[_Found, dict[str, list[Cell]]] = {}
        for group in self._ground.groups():
            if not self._unchanged(group):
                for field, found in self._group(group):
                    cells.setdefault(found, {}).setdefault(field, []).extend(group.cells)
        for found, by_field in cells.items():
            fields: dict[tuple[Cell, ...], list[str]] = {}
            for field, named in by_field.items():
                fields.setdefault(tuple(sorted(named)), []).append(field)
            for where, names in fields.items():
                for departments, purposes in rectangles(where):
                    yield self._entry(found, departments, purposes, tuple(sorted(names)))

    def _entry(
        self, found: _Found, departments: tuple[str, ...], purposes: tuple[str, ...], names: tuple[str, ...]
    ) -> Entry:
        return Entry(
            found.direction,
            self._ground.dataset,
            departments,
            purposes,
            names,
            found.when,
            found.before,
            found.after,
            found.changes,
            found.rules_before,
            found.rules_after,
        )

    def _unchanged(self, group: Group) -> bool:
        """Whether the same is said of the group's cells before and after."""
        before, after = ({self._contents[i] for i in bits(group.rules & mask)} for mask in self._ground.masks)
        places = (group.places, *group.tags.values())
        return before == after and self._same_terms and all(_same(each) for each in places)

    def _group(self, group: Group) -> Iterator[tuple[str, _Found]]:
        """What becomes of each field in the group's cells, situation by situation."""
        seen: _Seen = {}
        mixed: dict[str, list[Outcome]] = {}
        for outcome in self._ground.outcomes(group):
            if not _same(outcome.releases):
                if outcome.situation.mixed:
                    mixed.setdefault(outcome.field, []).append(outcome)
                else:
                    _add(seen, outcome)
        for name, outcomes in mixed.items():
            # That nothing is wider is true whatever the expressions of either side say.
            if any(self._towards(*outcome.releases)[0].widens for outcome in outcomes):
                yield name, self._unclear(outcomes, group)
            else:
                for outcome in outcomes:
                    _add(seen, outcome)
        for (name, before, after, rules), when in seen.items():
            towards, found = self._towards(before, after)
            yield name, _Found(towards, before, after, found, when, *self._ids(rules))

    def _towards(self, before: Release | None, after: Release | None) -> tuple[Direction, tuple[Change, ...]]:
        if before is None:
            return Direction.GRANTED, ()
        if after is None:
            return Direction.REMOVED, ()
        found = tuple(changes(before, after, self._order))
        return direction(found), found

    def _unclear(self, outcomes: Sequence[Outcome], group: Group) -> _Found:
        """Expressions, or hours in different zones, that only one side has: which is wider, nobody knows."""
        releases = [outcome.releases for outcome in outcomes]
        before = next((each[_OLD] for each in releases if each[_OLD]), None)
        after = next((each[_NEW] for each in releases if each[_NEW]), None)
        rules, when = 0, outcomes[0].situation.when
        for outcome in outcomes:
            rules, when = rules | outcome.rules, when | outcome.situation.when
        sources = [self._sources(group.rules & mask) for mask in self._ground.masks]
        about = "when_expr" if sources[_OLD] != sources[_NEW] else "when"
        change = Change(about, Direction.UNCLEAR, sources[_OLD], sources[_NEW])
        return _Found(Direction.UNCLEAR, before, after, (change,), when, *self._ids(rules))

    def _sources(self, rules: int) -> str:
        found = {self._ground.rules[i].expression for i in bits(rules)}
        return "; ".join(sorted(expression.source for expression in found if expression))

    def _ids(self, rules: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        old, new = (self._ground.ids(rules & mask) for mask in self._ground.masks)
        return old, new


_Seen = dict[tuple[str, Release | None, Release | None, int], Conditions]


def _add(seen: _Seen, outcome: Outcome) -> None:
    before, after = outcome.releases
    key, when = (outcome.field, before, after, outcome.rules), outcome.situation.when
    seen[key] = seen[key] | when if key in seen else when


def _same(pair: Sequence[object]) -> bool:
    return pair[_OLD] == pair[_NEW]


def _numbered(values: Iterable[Hashable]) -> list[int]:
    """Equal values as equal numbers."""
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(value, len(numbers)) for value in values]


def _city(catalog: Catalog) -> Hashable:
    """What of the catalog can matter to the rules about any dataset."""
    places = [
        (d.id, d.region, sorted((s.name, s.region, *sorted(s.grids)) for s in d.systems.values()))
        for d in catalog.departments.values()
    ]
    items = sorted((item.department, item.purpose) for item in catalog.service_items.values())
    return str(sorted(places)), str(items), catalog.mask_order.operators


def _unchanged(dataset: str, old: Bundle, new: Bundle) -> bool:
    """Whether nothing that is said about ``dataset`` differs."""
    before, after = old.about.get(dataset), new.about.get(dataset)
    return (
        before == after
        if before is None or after is None
        else (
            before.dataset == after.dataset
            and before.rules == after.rules
            and before.written == after.written
        )
    )


def _content(rule: Rule) -> Hashable:
    """What the rule says, but for whom and what for; not how it is called."""
    demands = rule.obligations
    return (
        rule.effect,
        rule.fields,
        rule.scope,
        Left.of(rule),
        rule.rows.own_region,
        rule.rows.own_grid,
        tuple(sorted(rule.rows.lists.items())),
        rule.limits,
        tuple(sorted((name, mask_text(mask)) for name, mask in demands.masks.items())),
        demands.retain_days,
        demands.acknowledge_hours,
        tuple(getattr(demands, duty) for duty in DUTIES),
        demands.commitments,
        demands.k_anonymity,
        demands.aggregate,
        rule.review,
    )


def _means(terms: Terms | None) -> Hashable:
    """What of the terms a release can depend on."""
    if terms is None:
        return None
    dataset = terms.dataset
    return (
        dataset.sharing_attribute,
        dataset.region_field,
        dataset.grid_field,
        terms.order.operators,
        terms.about.written,
        tuple(sorted((f.name, f.shared, f.level) for f in dataset.fields.values())),
    )


def _titles(old: Catalog, new: Catalog, entries: Sequence[Entry]) -> dict[str, Sentence]:
    """What is named is called in the catalogs; the newer title wins."""
    titles: dict[str, Sentence] = {}
    named = {name for entry in entries for name in (entry.dataset, *entry.departments, *entry.purposes)}
    releases = [(entry.dataset, each) for entry in entries for each in (entry.before, entry.after) if each]
    named |= {name for _, each in releases for review in each.reviews for name in review.departments}
    fields_named = {(entry.dataset, name) for entry in entries for name in entry.fields}
    fields_named |= {(dataset, row.field) for dataset, each in releases for row in each.rows}
    for catalog in (old, new):
        for name in named:
            if department := catalog.departments.get(name):
                titles[name] = Sentence(department.title, department.title_en)
            elif title := catalog.purposes.get(name):
                titles[name] = Sentence(title, name)
            elif dataset := catalog.datasets.get(name):
                titles[name] = Sentence(dataset.title, name)
        for id_, name in fields_named:
            described = catalog.datasets.get(id_)
            if described and (field := described.fields.get(name)):
                titles[f"{id_}.{name}"] = Sentence(field.title, name)
    return dict(sorted(titles.items()))
