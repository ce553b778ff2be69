"""The people of the sample city before any department writes them down: ids, names, households, homes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from broker.demo.city import words
from broker.demo.city.arrays import Bools, Days, Ints, ascii_text, digits, join, numbered, pick
from broker.demo.city.families import Births, Couples, Families, draw_families
from broker.errors import SetUpError
from broker.formats import resident_id_check_characters

REGION = 990101
"""Unassigned in GB/T 2260, so no resident id made here can be anybody's."""
FEWEST, MOST = 100, 3_000_000
"""Residents: the demo's cast needs the one, 999 sequence numbers per birth date allow the other."""

RELATIONS = ("户主", "配偶", "子", "女")
HEAD, SPOUSE, SON, DAUGHTER = range(4)


@dataclass(frozen=True, slots=True)
class Applicants:
    """The cast of the withdrawal case and of the low-income check, by resident number."""

    sound: int
    doubtful: int
    stale: int
    unmarried: int
    poor: int
    """Of the low-income check."""

    @property
    def withdrawing(self) -> Ints:
        return np.array([self.sound, self.doubtful, self.stale, self.unmarried])

    @property
    def everyone(self) -> Ints:
        return np.append(self.withdrawing, self.poor)


@dataclass(frozen=True, slots=True)
class Population:
    """Columns of (residents,) unless said otherwise; couple *i* is residents *i* and ``couples + i``."""

    today: np.datetime64
    resident_id: pa.Array
    name: pa.Array
    male: Bools
    born: Days
    relation: Ints
    """Index into :data:`RELATIONS`."""
    household: Ints
    """Index into ``district`` and ``address``."""
    district: pa.Array
    """(households,) region codes."""
    address: pa.Array
    """(households,)"""
    couples: Couples
    births: Births
    """All births, newborns last."""
    certificate_no: pa.Array
    """(births,) numbers of their certificates."""
    child_name: pa.Array
    """(births,)"""
    newborn_case: int
    """Index into ``births``."""
    applicants: Applicants

    @property
    def age(self) -> NDArray[np.float64]:
        """Years lived."""
        return (self.today - self.born).astype(np.float64) / 365.2425

    @property
    def wives(self) -> Ints:
        """Resident number of each couple's wife (the husband's is the couple's own)."""
        count = len(self.couples.married)
        return np.arange(count, 2 * count)


def populate(rng: np.random.Generator, residents: int, today: np.datetime64) -> Population:
    """Draw a population of exactly ``residents`` people.

    Raises:
        SetUpError: fewer than :data:`FEWEST` or more than :data:`MOST`.
    """
    if not FEWEST <= residents <= MOST:
        raise SetUpError(
            f"示例城市的人口须在 {FEWEST} 与 {MOST} 之间。",
            f"The sample city takes from {FEWEST} to {MOST} residents.",
        )
    families = draw_families(rng, residents, today)
    count, children, singles = families.sizes
    household, households = _households(families)
    district, address = _draw_homes(rng, households)
    births = _joined(families.children, families.newborns)
    name, newborn_name = _draw_all_names(rng, families)
    return Population(
        today=today,
        resident_id=resident_ids(families.born, families.male),
        name=name,
        male=families.male,
        born=families.born,
        relation=_relations(families),
        household=household,
        district=district,
        address=address,
        couples=families.couples,
        births=births,
        certificate_no=join("Z99", numbered(rng.permutation(len(births.born)) + 1, 7)),
        child_name=pa.concat_arrays([name.slice(2 * count, children), newborn_name]),
        newborn_case=children,
        applicants=Applicants(
            sound=1, doubtful=2, stale=3, unmarried=residents - singles, poor=residents - singles + 1
        ),
    )


def resident_ids(born: Days, male: Bools) -> pa.Array:
    """One resident id (GB 11643) each: sequence numbers never repeat within a birth date, men's are odd.

    Raises:
        SetUpError: more people of one sex were born on one day than there are sequence numbers.
    """
    rank = _rank_within(born.astype(np.int64) * 2 + male)
    sequence = 2 * rank + np.where(male, 1, 2)
    if sequence.max() > 999:
        raise SetUpError(
            "同日出生人口过多，请减少人口。", "Too many born on one day; ask for fewer residents."
        )
    years = born.astype("datetime64[Y]")
    months = born.astype("datetime64[M]")
    day = (born - months).astype(np.int64) + 1
    month = (months - years).astype(np.int64) + 1
    ymd = (years.astype(np.int64) + 1970) * 10_000 + month * 100 + day
    body = digits((REGION * 10**8 + ymd) * 1000 + sequence, 17)
    checks = resident_id_check_characters(body)
    return ascii_text(np.column_stack([body + np.uint8(ord("0")), checks]))


def _rank_within(keys: Ints) -> Ints:
    """For each row, how many rows before it have the same key."""
    order = np.argsort(keys, kind="stable")
    in_order, places = keys[order], np.arange(len(keys))
    starts = np.concatenate([[True], in_order[1:] != in_order[:-1]])
    rank = np.empty(len(keys), np.int64)
    rank[order] = places - np.maximum.accumulate(np.where(starts, places, 0))
    return rank


def _joined(children: Births, newborns: Births) -> Births:
    return Births(
        couple=np.concatenate([children.couple, newborns.couple]),
        born=np.concatenate([children.born, newborns.born]),
        male=np.concatenate([children.male, newborns.male]),
        father_named=np.concatenate([children.father_named, newborns.father_named]),
    )


def _households(families: Families) -> tuple[Ints, int]:
    """Household of each resident, and how many there are. A divorced husband moves out, children stay."""
    count, _, singles = families.sizes
    couple, moved_out = np.arange(count), ~families.couples.together
    alone = int(moved_out.sum())
    husband = couple.copy()
    husband[moved_out] = count + np.arange(alone)
    single = count + alone + np.arange(singles)
    return np.concatenate([husband, couple, families.children.couple, single]), count + alone + singles


def _relations(families: Families) -> Ints:
    """Relation of each resident to the head of the household."""
    count, _, singles = families.sizes
    wife = np.where(families.couples.together, SPOUSE, HEAD)
    child = np.where(families.children.male, SON, DAUGHTER)
    return np.concatenate([np.full(count, HEAD), wife, child, np.full(singles, HEAD)])


def _draw_homes(rng: np.random.Generator, households: int) -> tuple[pa.Array, pa.Array]:
    district = rng.choice(3, households, p=(0.45, 0.35, 0.2))
    return pick(tuple(words.DISTRICTS), district), draw_addresses(rng, district)


def draw_addresses(rng: np.random.Generator, district: Ints) -> pa.Array:
    """One fictional address in each district, by index into :data:`words.DISTRICTS`."""
    n = len(district)
    return join(
        words.CITY,
        pick(tuple(words.DISTRICTS.values()), district),
        pick(words.STREETS, rng.integers(len(words.STREETS), size=n)),
        numbered(rng.integers(1, 1000, n), 3),
        "号",
        numbered(rng.integers(1, 40, n), 2),
        "栋",
        numbered(rng.integers(1, 34, n) * 100 + rng.integers(1, 5, n), 4),
        "室",
    )


def _draw_all_names(rng: np.random.Generator, families: Families) -> tuple[pa.Array, pa.Array]:
    """Names of residents and of newborns; most children bear the father's surname."""
    count, children, singles = families.sizes
    weight = 1 / (8 + np.arange(len(words.SURNAMES)))
    adult = rng.choice(len(weight), 2 * count + singles, p=weight / weight.sum())
    couple = np.concatenate([families.children.couple, families.newborns.couple])
    child = adult[couple + np.where(rng.random(len(couple)) < 0.92, 0, count)]
    surname = np.concatenate([adult[: 2 * count], child[:children], adult[2 * count :]])
    return (
        _draw_names(rng, surname, families.male),
        _draw_names(rng, child[children:], families.newborns.male),
    )


def _draw_names(rng: np.random.Generator, surname: Ints, male: Bools) -> pa.Array:
    """Surname and one or two given characters; ``surname`` indexes :data:`words.SURNAMES`."""
    men = len(words.MALE_CHARACTERS)
    characters = ("", *words.MALE_CHARACTERS, *words.FEMALE_CHARACTERS)
    first, number = np.where(male, 1, 1 + men), np.where(male, men, len(words.FEMALE_CHARACTERS))
    given = [first + np.floor(rng.random(len(male)) * number).astype(np.int64) for _ in range(2)]
    given[1][rng.random(len(male)) < 0.2] = 0
    return join(pick(words.SURNAMES, surname), *(pick(characters, one) for one in given))
