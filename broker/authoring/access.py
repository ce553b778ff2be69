"""Who may see which field of what for which purpose: access worked out per group of cells, not cell by cell.

A *cell* is a department and a purpose, of one dataset. Cells that the same rules name are one group, and one
look at a group settles all of them. A department without a service item (事项) for a purpose has no cell
there: nothing can be released in it. A bundle stands alone here, or beside another to be compared with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from broker.approve.bundle import Bundle
from broker.approve.rule import Rule
from broker.authoring.release import CALLER, Place, Release, Terms, place_of
from broker.authoring.situations import Left, Situation, Tags, situations

Cell = tuple[str, str]
"""Department and purpose."""
Places = tuple[Place, ...]
"""Where a calling system stands, on each side."""


@dataclass(frozen=True, slots=True)
class Side:
    """One bundle, ready to be asked about its datasets."""

    bundle: Bundle
    purposes: Mapping[str, frozenset[str]] = field(repr=False)
    """Department → the purposes for which it has a service item."""

    @staticmethod
    def of(bundle: Bundle) -> Side:
        purposes: dict[str, set[str]] = {}
        for item in bundle.catalog.service_items.values():
            purposes.setdefault(item.department, set()).add(item.purpose)
        return Side(bundle, {name: frozenset(found) for name, found in purposes.items()})

    def terms(self, dataset: str) -> Terms | None:
        """What rules about ``dataset`` are read under; None: the catalog has no such dataset."""
        about = self.bundle.about.get(dataset)
        return Terms(about, self.bundle.catalog.mask_order) if about else None

    def place(self, department: str, system: str | None) -> Place:
        """Where a system stands; None is one that the catalog does not describe."""
        found = self.bundle.catalog.departments.get(department)
        if found is None:
            return Place("", ())
        return place_of(found, found.systems.get(system) if system else None)

    def systems(self, department: str) -> Iterable[str]:
        found = self.bundle.catalog.departments.get(department)
        return found.systems if found else ()


@dataclass(frozen=True, slots=True)
class Group:
    """Cells in which the same rules can speak."""

    cells: list[Cell]
    rules: int
    """The rules that name them, as bits of :attr:`Ground.rules`."""
    tags: Tags
    """Systems whose place is not that of the others → their places."""
    places: Places
    """Those of all other systems."""


class Outcome(NamedTuple):
    """What is released of one field in one situation, on each side, by which rules (as bits)."""

    field: str
    situation: Situation
    rules: int
    untold: int
    """Of them those that only count against release, as they cannot be told."""
    releases: tuple[Release | None, ...]


class Walks:
    """What many datasets have in common, worked out once: the cells of the city, and situations walked."""

    def __init__(self, sides: Sequence[Side]) -> None:
        self.sides = sides
        self._known: dict[Hashable, list[Situation]] = {}
        self._lefts: dict[Left, int] = {}
        self._placed: dict[Hashable, tuple[Tags, Places]] = {}
        names = sorted({name for side in sides for name in side.purposes})
        self.cells = {name: self._cells(name) for name in names}
        """Department → its purposes, each with the sides that have a service item for it."""

    def _cells(self, department: str) -> list[tuple[str, tuple[bool, ...]]]:
        of_sides = [side.purposes.get(department, frozenset()) for side in self.sides]
        return [(p, tuple(p in of for of in of_sides)) for p in sorted(frozenset().union(*of_sides))]

    def places(self, department: str, by_region: bool, by_grid: bool, exactly: bool) -> tuple[Tags, Places]:
        """Where the department's systems stand, those apart that stand elsewhere than most.

        What does not matter is left out; what is the same on each side is not told apart, unless ``exactly``.
        """
        key = department, by_region, by_grid, exactly
        if key not in self._placed:
            self._placed[key] = self._find_places(*key)
        return self._placed[key]

    def _find_places(
        self, department: str, by_region: bool, by_grid: bool, exactly: bool
    ) -> tuple[Tags, Places]:
        def plain(name: str | None) -> Places:
            places = [side.place(department, name) for side in self.sides]
            own = [Place(p.region if by_region else CALLER, p.grids if by_grid else ()) for p in places]
            if exactly or any(place != own[0] for place in own):
                return tuple(own)
            return tuple(Place(p.region and CALLER, (CALLER,) if p.grids else ()) for p in own)

        usual = plain(None)
        if not (by_region or by_grid):
            return {}, usual
        names = sorted({name for side in self.sides for name in side.systems(department)})
        tags = {name: plain(name) for name in names}
        return {name: places for name, places in tags.items() if places != usual}, usual

    def number(self, left: Left) -> int:
        """Equal conditions have the same number."""
        return self._lefts.setdefault(left, len(self._lefts))

    def situations(self, lefts: Mapping[int, tuple[Left, int]], tags: Tags) -> list[Situation]:
        """Of ``lefts``, by number, each with its sides."""
        key = tuple((number, sides) for number, (_, sides) in lefts.items()), tuple(tags.items())
        found = self._known.get(key)
        if found is None:
            parts, sides = zip(*lefts.values(), strict=True)
            found = self._known[key] = situations(parts, tags, sides)
        return found


class Ground:
    """All rules about one dataset on one side or two, and what they release."""

    def __init__(self, dataset: str, walks: Walks) -> None:
        self.dataset = dataset
        self._walks = walks
        self.terms = [side.terms(dataset) for side in walks.sides]
        self.rules: list[Rule] = []
        self.masks: list[int] = []
        """Of each side, its rules as bits."""
        for terms in self.terms:
            start = len(self.rules)
            self.rules.extend(terms.about.rules if terms else ())
            self.masks.append((1 << len(self.rules)) - (1 << start))
        self._naming = self._by_field()
        self._lefts = [self._numbered(rule) for rule in self.rules]
        self._by_region = any(rule.rows.own_region for rule in self.rules)
        self._by_grid = any(rule.rows.own_grid for rule in self.rules)
        grids = {terms.dataset.grid_field for terms in self.terms if terms}
        self._grids_listed = any(not grids.isdisjoint(rule.rows.lists) for rule in self.rules)
        self._released: dict[Hashable, Release | None] = {}

    def ids(self, rules: int) -> tuple[str, ...]:
        """The ids of rules given as bits, each once."""
        return tuple(dict.fromkeys(self.rules[i].id for i in bits(rules)))

    def groups(self) -> Iterator[Group]:
        """Every cell that a rule names, in groups."""
        for_departments = _postings(self.rules, lambda rule: rule.departments)
        for_purposes = _postings(self.rules, lambda rule: rule.purposes)
        found: dict[Hashable, Group] = {}
        exactly = self._by_grid and self._grids_listed
        for department, cells in self._walks.cells.items():
            named = for_departments.get(department, for_departments[None])
            if not named:
                continue
            tags, places = self._walks.places(department, self._by_region, self._by_grid, exactly)
            place = tuple(tags.items()), places
            for purpose, present in cells:
                rules = named & for_purposes.get(purpose, for_purposes[None])
                if rules and not all(present):
                    rules &= sum(mask for mask, there in zip(self.masks, present, strict=True) if there)
                if rules:
                    group = found.get((rules, place))
                    if group is None:
                        group = found[rules, place] = Group([], rules, tags, places)
                    group.cells.append((department, purpose))
        yield from found.values()

    def outcomes(self, group: Group) -> Iterator[Outcome]:
        """What comes of every situation that the group's rules tell apart, per field they name."""
        lefts: dict[int, tuple[Left, int]] = {}
        having: dict[int, int] = {}
        for i in bits(group.rules):
            number, left = self._lefts[i]
            lefts[number] = left, lefts.get(number, (left, 0))[1] | self._side_of(i)
            having[number] = having.get(number, 0) | 1 << i
        holders = list(having.values())
        named = [(name, naming) for name, naming in self._naming.items() if naming & group.rules]
        for situation in self._walks.situations(lefts, group.tags):
            speaking = sum(holders[i] for i in bits(situation.holding))
            untold = sum(holders[i] for i in bits(situation.untold))
            places = group.places if situation.tag is None else situation.tag
            for name, naming in named:
                if rules := speaking & naming:
                    releases = tuple(
                        [self._release(side, name, rules, untold, places) for side in range(len(self.terms))]
                    )
                    yield Outcome(name, situation, rules, untold & rules, releases)

    def _release(self, side: int, name: str, rules: int, untold: int, places: Places) -> Release | None:
        own, terms = rules & self.masks[side], self.terms[side]
        if not own or terms is None:
            return None
        key = side, name, own, untold & own, places[side]
        if key not in self._released:
            speaking = [self.rules[i] for i in bits(own)]
            untold_ids = {self.rules[i].id for i in bits(untold & own)}
            self._released[key] = terms.release(name, speaking, untold_ids, places[side])
        return self._released[key]

    def _numbered(self, rule: Rule) -> tuple[int, Left]:
        left = Left.of(rule)
        return self._walks.number(left), left

    def _side_of(self, i: int) -> int:
        return sum(1 << side for side, mask in enumerate(self.masks) if mask >> i & 1)

    def _by_field(self) -> dict[str, int]:
        naming: dict[str, int] = {}
        for i, rule in enumerate(self.rules):
            for name in rule.fields:
                naming[name] = naming.get(name, 0) | 1 << i
        return dict(sorted(naming.items()))


def bits(number: int) -> Iterator[int]:
    """The places of its ones, from the lowest."""
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


def rectangles(cells: Iterable[Cell]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Cells as departments × purposes, as few as have the same purposes; in order."""
    purposes: dict[str, set[str]] = {}
    for department, purpose in cells:
        purposes.setdefault(department, set()).add(purpose)
    departments: dict[tuple[str, ...], list[str]] = {}
    for department, found in sorted(purposes.items()):
        departments.setdefault(tuple(sorted(found)), []).append(department)
    return sorted((tuple(names), found) for found, names in departments.items())


def _postings(
    rules: Sequence[Rule], names_of: Callable[[Rule], Collection[str] | None]
) -> dict[str | None, int]:
    """Name → the rules, as bits, that hold it, those that hold everything too; these alone under None."""
    everything = sum((names_of(rule) is None) << i for i, rule in enumerate(rules))
    found: dict[str | None, int] = {None: everything}
    for i, rule in enumerate(rules):
        for name in names_of(rule) or ():
            found[name] = found.get(name, everything) | 1 << i
    return found
