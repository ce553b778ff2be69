"""What several registers say in the same way: districts, days since adulthood, amounts of the cast."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from broker.demo.city.arrays import Bools, Days, Ints, between, span
from broker.demo.city.population import Population

Columns = Mapping[str, pa.Array]
LOW_INCOME, LOW_PENSION, LOW_SAVINGS, MODEST_HOME = 973_146, 128_753, 421_937, 5_317
CAR_PRICE, SUPPORT, ILLNESS = 8_641_357, 351_829, 2_746_183
"""What the seven departments have about the applicant of the low-income check, in hundredths."""


def since_adult(people: Population, who: Ints, rng: np.random.Generator, opened: str, age: float) -> Days:
    """A day for each since the office opened and they reached an age."""
    earliest = np.maximum(people.born[who] + span(np.array(age)), np.datetime64(opened, "D"))
    return between(rng, earliest, np.full(len(who), people.today - np.timedelta64(1, "D")))


def but(hundredth: Ints, who: Ints, people: Population, amount: int) -> Ints:
    """The same amounts, save that of the low-income check's applicant."""
    return np.where(who == people.applicants.poor, amount, hundredth)


def district(people: Population, who: Ints) -> pa.Array:
    return people.district.take(pa.array(people.household[who]))


def where(holds: Bools, values: pa.Array) -> pa.Array:
    """``values``, null where it does not hold."""
    return values.take(pa.array(np.arange(len(holds)), mask=~holds))
