"""The risk of a file, and what each change to its quasi-identifiers would make of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from adapters.masking.classes import Codes, TooManyClasses, class_codes
from adapters.masking.combinations import CombinationCounter, Combinations, weighed
from adapters.masking.contract import Operator
from adapters.masking.risk import (
    Anonymity,
    Disclosure,
    Risk,
    disclosure,
    journalist,
    journalist_by_size,
    prosecutor,
)
from broker.cli.mask.coarser import coarser
from broker.cli.mask.reading import ZONE, Table
from broker.errors import SetUpError
from broker.importing.recognise import guess
from broker.importing.vocabulary import word_for
from broker.model import FieldType, Mask
from broker.reasons import Sentence
from broker.transmit.conversion import converted

MOST_COMBINATIONS = 5_000_000
"""Distinct combinations of values held at once: some gigabytes at the very most."""
_ORDERED = (FieldType.INTEGER, FieldType.DECIMAL, FieldType.DATE, FieldType.TIMESTAMP)


@dataclass(frozen=True, slots=True)
class Change:
    """A quasi-identifier left out (``mask`` None) or made coarser."""

    column: str
    mask: Mask | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What changes make of the file."""

    changes: tuple[Change, ...]
    anonymity: Anonymity
    prosecutor: Risk


@dataclass(frozen=True, slots=True)
class Sensitive:
    """What is learned of a sensitive column."""

    disclosure: Disclosure
    ordered: bool
    """Whether its values have an order, which t-closeness then counts by."""


@dataclass(frozen=True, slots=True)
class Population:
    """What is known of the people among whom those of the file are."""

    table: Table | None = None
    people: int | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything that ``mask risk`` tells."""

    quasi_identifiers: tuple[str, ...]
    threshold: float
    anonymity: Anonymity
    prosecutor: Risk
    journalist: Risk | None
    """None: nothing is known of the population, so the prosecutor's risk is the bound."""
    missing: int
    """Classes of the file with fewer people in the population's table than rows here."""
    sensitive: Mapping[str, Sensitive]
    single: tuple[Outcome, ...]
    """One change each, the best first."""
    together: Outcome | None
    """Coarser columns, one after the other, until the threshold is kept; None where no column can be."""

    @property
    def wanted_k(self) -> int:
        """The least k that keeps the threshold."""
        return math.ceil(1 / self.threshold - 1e-9)


def assess(
    table: Table,
    quasi: Sequence[str],
    sensitive: Sequence[str],
    threshold: float,
    population: Population,
    operators: Mapping[str, Operator],
) -> Assessment:
    """The risk of ``table``, by the columns that others may know.

    Raises:
        SetUpError: a column is not there, the file cannot be read or has no rows, or has more combinations
            than may be held.
    """
    table.require([*quasi, *sensitive])
    combinations, by_sensitive = _counted(table, quasi, sensitive)
    sizes = combinations.class_sizes(quasi)
    people, missing = _journalist(combinations, quasi, threshold, population)
    single = [_outcome(combinations, quasi, threshold, name, None) for name in quasi]
    found = {name: list(coarser(name, combinations.columns[name], operators)) for name in quasi}
    single += [_outcome(combinations, quasi, threshold, name, step) for name in quasi for step in found[name]]
    return Assessment(
        tuple(quasi),
        threshold,
        Anonymity.of(sizes),
        prosecutor(sizes, threshold),
        people,
        missing,
        {name: _sensitive(one, quasi, name) for name, one in by_sensitive.items()},
        tuple(sorted(single, key=_worse)),
        _together(combinations, quasi, threshold, found),
    )


# ── counting ─────────────────────────────────────────────────────────────────────────────────────


def _counted(
    table: Table, quasi: Sequence[str], sensitive: Sequence[str]
) -> tuple[Combinations, Mapping[str, Combinations]]:
    names = [*quasi, *sensitive]
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise SetUpError(
            f"列重复：{'、'.join(repeated)}；一列要么是准标识，要么是敏感项。",
            f"Named twice: {', '.join(repeated)}; a column is a quasi-identifier or sensitive, not both.",
        )
    groups = [list(quasi), *([*quasi, name] for name in sensitive)]
    alone, *others = _count(groups, table.batches(names))
    return alone, dict(zip(sensitive, others, strict=True))


def _count(groups: Sequence[Sequence[str]], batches: Iterable[pa.RecordBatch]) -> list[Combinations]:
    """The combinations of each group of columns, in one reading."""
    counters = [CombinationCounter(names, MOST_COMBINATIONS) for names in groups]
    try:
        for batch in batches:
            for counter in counters:
                counter.add(batch)
        return [counter.counted() for counter in counters]
    except TooManyClasses:
        problem = Sentence(
            f"不同的组合超过 {MOST_COMBINATIONS:,} 种，这些列几乎能唯一确定每一行，请去掉编号、时间等列。",
            f"More than {MOST_COMBINATIONS:,} different combinations: these columns tell nearly every row "
            "apart. Leave out identifiers and exact times, and try again.",
        )
    except (ValueError, pa.ArrowException):  # whose messages may quote values
        problem = Sentence(
            "文件中没有数据，或列的类型不能用于分组。", "The file holds no rows, or a column no plain values."
        )
    raise SetUpError(problem.zh, problem.en)


# ── figures ──────────────────────────────────────────────────────────────────────────────────────


def _journalist(
    combinations: Combinations, quasi: Sequence[str], threshold: float, population: Population
) -> tuple[Risk | None, int]:
    sizes = combinations.class_sizes(quasi)
    if population.people is not None:
        try:
            return journalist_by_size(sizes, population.people, threshold), 0
        except ValueError:
            raise SetUpError(
                f"人口总数 {population.people} 少于文件行数 {sizes.sum()}。",
                f"A population of {population.people} is fewer than the {sizes.sum()} rows of the file.",
            ) from None
    if population.table is None:
        return None, 0
    population.table.require(quasi)
    (register,) = _count([quasi], population.table.batches(quasi))
    sizes, people = _matched(combinations, register, quasi)
    return journalist(sizes, people, threshold), int((people < sizes).sum())


def _matched(ours: Combinations, theirs: Combinations, quasi: Sequence[str]) -> tuple[Codes, Codes]:
    """Rows and people of each class of ``ours``; values are compared as text, whatever each file stores."""
    both = [
        pa.concat_arrays([one.columns[name].cast(pa.string()) for one in (ours, theirs)]) for name in quasi
    ]
    codes, here = class_codes(both), len(ours.rows)
    zeros = np.zeros(len(theirs.rows), np.int64)
    rows = weighed(codes, np.concatenate((ours.rows, zeros)))
    people = weighed(codes, np.concatenate((np.zeros(here, np.int64), theirs.rows)))
    return rows[rows > 0], people[rows > 0]


def _sensitive(combinations: Combinations, quasi: Sequence[str], name: str) -> Sensitive:
    column = combinations.columns[name]
    ranks = _ranks(name, column)
    values = class_codes([column]) if ranks is None else ranks
    figures = disclosure(combinations.classes(quasi), values, combinations.rows, ordered=ranks is not None)
    return Sensitive(figures, ranks is not None)


def _ranks(name: str, column: pa.Array) -> Codes | None:
    """Rank of each value among all, a null before them; None where they have no order."""
    zone = ZoneInfo(ZONE)
    kind = guess(column, word_for(name), zone).type
    numbers = converted(column, kind, zone) if kind in _ORDERED else None
    if numbers is None or numbers.null_count > column.null_count:
        return None
    if kind is FieldType.DECIMAL:
        numbers = numbers.cast(pa.float64())
    known = numbers.drop_null().to_numpy(zero_copy_only=False)
    ranks = np.zeros(len(numbers), np.int64)
    shift = 1 if numbers.null_count else 0
    ranks[np.asarray(numbers.is_valid())] = np.unique(known, return_inverse=True)[1] + shift
    return ranks


# ── changes ──────────────────────────────────────────────────────────────────────────────────────


def _outcome(
    combinations: Combinations,
    quasi: Sequence[str],
    threshold: float,
    name: str,
    step: tuple[Mask, pa.Array] | None,
) -> Outcome:
    if step is None:
        sizes = combinations.class_sizes([one for one in quasi if one != name])
    else:
        sizes = combinations.instead(name, step[1]).class_sizes(quasi)
    change = Change(name, step[0] if step else None)
    return Outcome((change,), Anonymity.of(sizes), prosecutor(sizes, threshold))


def _worse(outcome: Outcome) -> tuple[float, bool, int, int]:
    """A coarser column still says something: before one left out, if as few rows are at risk."""
    is_left_out = outcome.changes[0].mask is None
    return outcome.prosecutor.above, is_left_out, -outcome.anonymity.k, outcome.anonymity.classes


def _together(
    combinations: Combinations,
    quasi: Sequence[str],
    threshold: float,
    found: Mapping[str, Sequence[tuple[Mask, pa.Array]]],
) -> Outcome | None:
    """Each time the change that leaves the fewest rows at risk, until none is or none is left to try."""
    left = dict(found)
    masks: dict[str, Mask] = {}
    best: Outcome | None = None
    while best is None or best.prosecutor.above > 0:
        tried = list(_tried(combinations, quasi, threshold, left))
        if not tried:
            break
        best, combinations, still = min(tried, key=lambda one: _worse(one[0]))
        (change,) = best.changes
        masks |= {change.column: change.mask} if change.mask else {}
        left[change.column] = still
    if best is None:
        return None
    changes = tuple(Change(name, mask) for name, mask in masks.items())
    return Outcome(changes, best.anonymity, best.prosecutor)


def _tried(
    combinations: Combinations,
    quasi: Sequence[str],
    threshold: float,
    found: Mapping[str, Sequence[tuple[Mask, pa.Array]]],
) -> Iterator[tuple[Outcome, Combinations, Sequence[tuple[Mask, pa.Array]]]]:
    """Every change that is left, what it makes, and the still coarser ones of its column."""
    for name, steps in found.items():
        for place, step in enumerate(steps):
            outcome = _outcome(combinations, quasi, threshold, name, step)
            yield outcome, combinations.instead(name, step[1]), steps[place + 1 :]
