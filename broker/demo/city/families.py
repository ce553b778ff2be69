"""When people of the sample city are born, marry, divorce and have children: dates only, no names.

Working backwards from the wedding keeps every date consistent by construction: spouses are of legal age
(Civil Code, Article 1047: 22 and 20) and children are younger than their mothers.

Residents are numbered husbands, wives, children, singles; every other module speaks of them by that number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from broker.demo.city.arrays import Bools, Days, Ints, span

NEWBORN_COUPLE = 0
"""The couple of the newborn case: married three years ago, no other child."""
# Couples 1 to 3 are long married and both retired: the husbands are applicants of the withdrawal case.
CAST_YEARS_MARRIED = (3.0, 38.0, 37.0, 39.0)
CAST_WIFE_AGE_AT_WEDDING = (26.0, 25.0, 26.0, 24.5)
CAST = len(CAST_YEARS_MARRIED)
"""Couples whose dates are fixed relative to today; nothing random happens to them."""
FIXED_SINGLES = (66.0, 67.0)
"""Ages of the first singles, men both: the applicant without a marriage, that of the low-income check."""

REGISTERED_AFTER = np.timedelta64(60, "D")
"""Children older than this are all in the household register; newborns of the last days are not yet."""
HOME_UNTIL = span(np.array(22.0))
"""Children live at home, and are residents with known parents, until this age."""


@dataclass(frozen=True, slots=True)
class Couples:
    """Arrays of (couples,); ``divorced`` is NaT for those still married."""

    husband_born: Days
    wife_born: Days
    married: Days
    divorced: Days

    @property
    def together(self) -> Bools:
        together: Bools = np.isnat(self.divorced)
        return together


@dataclass(frozen=True, slots=True)
class Births:
    """Arrays of (births,). ``couple`` is the parents' number; those before the wedding name no father."""

    couple: Ints
    born: Days
    male: Bools
    father_named: Bools


@dataclass(frozen=True, slots=True)
class Families:
    """Everybody of the city: ``children`` are residents, ``newborns`` (the newborn case first) not yet."""

    couples: Couples
    children: Births
    newborns: Births
    single_born: Days
    single_male: Bools

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many couples, children and singles."""
        return len(self.couples.married), len(self.children.born), len(self.single_born)

    @property
    def born(self) -> Days:
        couples = self.couples
        return np.concatenate([couples.husband_born, couples.wife_born, self.children.born, self.single_born])

    @property
    def male(self) -> Bools:
        count, _, _ = self.sizes
        return np.concatenate(
            [np.ones(count, bool), np.zeros(count, bool), self.children.male, self.single_male]
        )


def draw_families(rng: np.random.Generator, residents: int, today: np.datetime64) -> Families:
    """Families and singles, ``residents`` people in all, newborns not counted."""
    couples = draw_couples(rng, residents * 32 // 100, today)
    count = len(couples.married)
    children = draw_children(rng, couples, today, most=residents - 2 * count - len(FIXED_SINGLES))
    newborns = draw_newborns(rng, couples, children, today)
    singles = residents - 2 * count - len(children.born)
    age = 18.05 + 72 * rng.beta(1.2, 2.0, singles)
    male = rng.random(singles) < 0.5
    fixed = len(FIXED_SINGLES)
    age[:fixed], male[:fixed] = FIXED_SINGLES, True
    return Families(couples, children, newborns, single_born=today - span(age), single_male=male)


def draw_couples(rng: np.random.Generator, count: int, today: np.datetime64) -> Couples:
    """``count`` couples (at least :data:`CAST`), weddings spread over the last 55 years."""
    years = rng.uniform(0.1, 55, count)
    wife_age = 20.05 + np.minimum(rng.gamma(2.0, 2.5, count), 20)
    older = np.clip(rng.normal(2, 2.5, count), -8, 12)
    years[:CAST], wife_age[:CAST], older[:CAST] = CAST_YEARS_MARRIED, CAST_WIFE_AGE_AT_WEDDING, 2.0
    husband_age = np.maximum(22.05, wife_age + older)
    married = today - span(years)
    return Couples(
        husband_born=married - span(husband_age),
        wife_born=married - span(wife_age),
        married=married,
        divorced=_draw_divorces(rng, married, today),
    )


def _draw_divorces(rng: np.random.Generator, married: Days, today: np.datetime64) -> Days:
    divorced = married + span(1 + rng.exponential(7, len(married)))
    happens = (rng.random(len(married)) < 0.15) & (divorced < today)
    happens[:CAST] = False
    return np.where(happens, divorced, np.datetime64("NaT", "D"))


def draw_children(rng: np.random.Generator, couples: Couples, today: np.datetime64, most: int) -> Births:
    """At most ``most`` children, all under 22 and in the household register."""
    count = len(couples.married)
    gaps = np.stack([_first_child_after(rng, count), *(400 + rng.exponential(800, (2, count)))], axis=1)
    born = couples.married[:, None] + np.cumsum(gaps, axis=1).astype("timedelta64[D]")
    wanted = np.logical_and.accumulate(rng.random((count, 3)) < (0.8, 0.45, 0.1), axis=1)
    couple, order = (found[:most] for found in np.nonzero(wanted & _possible(couples, born, today)))
    return _births(rng, couples, couple, born[couple, order])


def _first_child_after(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Days from the wedding to the first child; a few come before it."""
    before = rng.random(count) < 0.04
    return np.where(before, -rng.uniform(1, 300, count), 280 + rng.exponential(500, count))


def _possible(couples: Couples, born: Days, today: np.datetime64) -> Bools:
    """Which of (couples, 3) births came before a divorce, to a mother under 45, and live at home."""
    last = np.fmin(couples.divorced, today - REGISTERED_AFTER)
    possible: Bools = (born < last[:, None]) & (born > today - HOME_UNTIL)
    possible &= born - couples.wife_born[:, None] < span(np.array(45.0))
    possible[NEWBORN_COUPLE] = False
    return possible


def draw_newborns(
    rng: np.random.Generator, couples: Couples, children: Births, today: np.datetime64
) -> Births:
    """Births of the last twenty days; the first is the newborn case, three days old."""
    able = couples.together & (couples.married < today - np.timedelta64(300, "D"))
    able &= couples.wife_born > today - span(np.array(42.0))
    able[children.couple[children.born > today - np.timedelta64(400, "D")]] = False
    able[:CAST] = False
    others = np.flatnonzero(able)
    chosen = rng.choice(others, min(len(others), 2 + len(able) // 500), replace=False)
    couple = np.concatenate([[NEWBORN_COUPLE], np.sort(chosen)]).astype(np.int64)
    ago = rng.integers(1, 21, len(couple))
    ago[0] = 3
    return _births(rng, couples, couple, today - ago.astype("timedelta64[D]"))


def _births(rng: np.random.Generator, couples: Couples, couple: Ints, born: Days) -> Births:
    male = rng.random(len(couple)) < 0.52
    return Births(couple=couple, born=born, male=male, father_named=born >= couples.married[couple])
