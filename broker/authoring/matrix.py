"""The whole of a bundle's access: who may see which field of what for which purpose, under what.

Cells that read the same are told together, as departments × purposes × fields. Of several lines about one
field, the one with the most rules among those whose conditions hold is what holds.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from broker.approve.bundle import Bundle
from broker.authoring.access import Cell, Ground, Group, Outcome, Side, Walks, rectangles
from broker.authoring.conditions import Conditions
from broker.authoring.release import Release


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the matrix, by ids; empty is all of it."""

    department: str = ""
    dataset: str = ""
    purpose: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """What is released when all of ``rules`` speak, which they do together when ``when`` holds."""

    release: Release | None
    """None: nothing, where another line of the same field would release it."""
    when: Conditions
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """The same access for each of the departments, purposes and fields."""

    dataset: str
    departments: tuple[str, ...]
    purposes: tuple[str, ...]
    fields: tuple[str, ...]
    lines: tuple[Line, ...]
    """By number of rules; at least one releases."""


def matrix(bundle: Bundle, wanted: Wanted = Wanted()) -> Iterator[Rectangle]:
    """Everything that ``bundle`` releases to anybody, by dataset; what is not there is denied."""
    walks = Walks([Side.of(bundle)])
    for dataset in sorted(bundle.about):
        if wanted.dataset in ("", dataset):
            yield from _of_dataset(Ground(dataset, walks), wanted)


def _of_dataset(ground: Ground, wanted: Wanted) -> list[Rectangle]:
    cells: dict[tuple[Line, ...], dict[str, list[Cell]]] = {}
    for group in ground.groups():
        where = [
            (department, purpose)
            for department, purpose in group.cells
            if wanted.department in ("", department) and wanted.purpose in ("", purpose)
        ]
        for name, lines in _lines(ground, group) if where else ():
            if wanted.field in ("", name):
                cells.setdefault(lines, {}).setdefault(name, []).extend(where)
    found = []
    for lines, by_field in cells.items():
        fields: dict[tuple[Cell, ...], list[str]] = {}
        for name, named in by_field.items():
            fields.setdefault(tuple(sorted(named)), []).append(name)
        for named_cells, names in fields.items():
            for departments, purposes in rectangles(named_cells):
                found.append(Rectangle(ground.dataset, departments, purposes, tuple(sorted(names)), lines))
    return sorted(found, key=lambda r: (r.departments, r.purposes, r.fields))


def _lines(ground: Ground, group: Group) -> Iterator[tuple[str, tuple[Line, ...]]]:
    """Of each field that is released at all, its lines."""
    by_field: dict[str, list[Outcome]] = {}
    for outcome in ground.outcomes(group):
        by_field.setdefault(outcome.field, []).append(outcome)
    for name, outcomes in by_field.items():
        if any(outcome.releases[0] for outcome in outcomes):
            yield name, tuple(_of_field(ground, outcomes))


@dataclass(frozen=True, slots=True)
class _Speaking:
    """Rules that speak, as bits, of them those that cannot be told, and from where it is asked."""

    rules: int
    untold: int
    tag: Hashable

    def is_part_of(self, other: _Speaking) -> bool:
        return (
            self.rules & other.rules == self.rules
            and other.untold & self.rules == self.untold
            and self.tag == other.tag
        )


def _of_field(ground: Ground, outcomes: Sequence[Outcome]) -> Iterator[Line]:
    releases: dict[_Speaking, Release | None] = {}
    whens: dict[_Speaking, list[Conditions]] = {}
    for outcome in outcomes:
        speaking = _Speaking(outcome.rules, outcome.untold, outcome.situation.tag)
        releases[speaking] = outcome.releases[0]
        whens.setdefault(speaking, []).append(outcome.situation.when)
    lines: dict[tuple[int, Release | None, int], Conditions] = {}
    for speaking, release in releases.items():
        if _says_more(speaking, release, releases):
            # Where more rules speak, these do too; their own line is then the one to read.
            fitting = [when for more in whens if speaking.is_part_of(more) for when in whens[more]]
            key = speaking.rules, release, speaking.untold
            before = [lines[key]] if key in lines else []
            lines[key] = reduce(or_, [*before, *fitting])
    for rules, release, untold in sorted(lines, key=lambda key: (key[0].bit_count(), key[0], key[2])):
        yield Line(release, lines[rules, release, untold], ground.ids(rules))


def _says_more(
    speaking: _Speaking, release: Release | None, releases: Mapping[_Speaking, Release | None]
) -> bool:
    """Whether the lines of fewer rules that hold wherever this one does would not all say the same."""
    fewer = [each for each in releases if each != speaking and each.is_part_of(speaking)]
    nearest = [each for each in fewer if not any(each != one and each.is_part_of(one) for one in fewer)]
    return any(releases[each] != release for each in nearest) if nearest else release is not None
