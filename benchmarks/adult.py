"""A table like the census extract "Adult" (UCI), drawn at random, and what is figured from it.

Nothing but the standard library, for the peers' environment draws it as well.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

ROWS = 30_000
SEED = 1994
CASES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "fine": (("age", "education", "sex", "country"), ("occupation",)),
    "bands": (("age_band", "sex", "race"), ("occupation", "hours", "income")),
    "origin": (("race", "sex"), ("occupation", "hours", "income")),
    "school": (("education", "sex"), ("hours", "occupation")),
    "coarse": (("sex",), ("income", "hours")),
}
"""Name → quasi-identifiers and sensitive columns."""

_EDUCATION = (
    "HS-grad Some-college Bachelors Masters Assoc-voc 11th Assoc-acdm 10th 7th-8th Prof 9th Doctorate"
)
_OCCUPATION = (
    "Craft Professional Executive Clerical Sales Service Operator Transport Cleaner Farming Tech Guard"
)
_RACE = "White Black Asian-Pac Amer-Indian Other"
_COUNTRY = "United-States Mexico Philippines Germany Canada Puerto-Rico India Cuba England China Italy Japan"


def table(rows: int = ROWS, seed: int = SEED) -> dict[str, list[object]]:
    """The columns, each of length ``rows``; the same for a seed on every machine and version of Python."""
    draw = random.Random(seed)
    records = [_record(draw) for _ in range(rows)]
    return {name: [record[name] for record in records] for name in records[0]}


def _record(draw: random.Random) -> dict[str, object]:
    age = 17 + int(74 * draw.random() * draw.random())
    sex = "Male" if draw.random() < 0.67 else "Female"
    education = _skewed(draw, _EDUCATION.split(), 0.35)
    occupation = _skewed(draw, _OCCUPATION.split(), 0.12)
    hours = min(99, max(1, int(40 + 12 * (draw.random() + draw.random() - 1) * (2 if age < 25 else 1))))
    richer = 0.1 + 0.3 * (education in ("Bachelors", "Masters", "Prof", "Doctorate")) + 0.1 * (sex == "Male")
    return {
        "age": age,
        "age_band": f"{age // 10}0s",
        "education": education,
        "sex": sex,
        "race": _skewed(draw, _RACE.split(), 1.2),
        "country": _skewed(draw, _COUNTRY.split(), 1.0),
        "occupation": occupation,
        "hours": hours,
        "income": ">50K" if draw.random() < richer else "<=50K",
    }


def _skewed(draw: random.Random, values: Sequence[str], slope: float) -> str:
    """The first values more often than the last: each is so much rarer, by the exponent of ``slope``."""
    weights = [2.718281828459045 ** (-slope * place) for place in range(len(values))]
    return draw.choices(values, weights)[0]
