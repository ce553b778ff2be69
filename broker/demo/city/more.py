"""The registers that only the low-income check and the grid's service ask."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from broker.demo.city.arrays import dates, hundredths, join, numbered, pick
from broker.demo.city.facts import CAR_PRICE, ILLNESS, SUPPORT, Columns, but, district, since_adult
from broker.demo.city.population import Population

GRIDS = 24
"""In each district."""


def vehicles(people: Population, rng: np.random.Generator) -> Columns:
    """机动车登记: a third of adults own one car; what was paid for it."""
    owns = (people.age >= 20) & (rng.random(len(people.male)) < 0.33)
    owner = np.union1d(np.flatnonzero(owns), people.applicants.poor)
    price = np.minimum(rng.lognormal(11.6, 0.5, len(owner)), 2e6)
    return {
        "syr_sfzh": people.resident_id.take(pa.array(owner)),
        "hphm": join("星A", numbered(rng.permutation(len(owner)) + 1, 7)),
        "gzjg": hundredths(but((price * 100).astype(np.int64), owner, people, CAR_PRICE)),
        "djrq": dates(since_adult(people, owner, rng, opened="2008-01-01", age=20)),
    }


def supports(people: Population, rng: np.random.Generator) -> Columns:
    """计划生育家庭扶助: one adult in fifty from 60 years; what is paid in a year."""
    entitled = (people.age >= 60) & (rng.random(len(people.male)) < 0.02)
    paid = np.union1d(np.flatnonzero(entitled), people.applicants.poor)
    return {
        "sfzh": people.resident_id.take(pa.array(paid)),
        "fzje": hundredths(but(rng.integers(960_00, 9_600_00, len(paid)), paid, people, SUPPORT)),
    }


def settlements(people: Population, rng: np.random.Generator) -> Columns:
    """医保结算: what residents who fell ill paid themselves in the last twelve months."""
    ill = rng.random(len(people.male)) < 0.4
    patient = np.union1d(np.flatnonzero(ill), people.applicants.poor)
    paid = np.minimum(rng.lognormal(7.5, 1.2, len(patient)), 4e5)
    return {
        "grbh": people.resident_id.take(pa.array(patient)),
        "zfje": hundredths(but((paid * 100).astype(np.int64), patient, people, ILLNESS)),
    }


def contributions(people: Population, rng: np.random.Generator) -> Columns:
    """医保费征收, which the tax office does: who paid for this year, and on what base."""
    paid = np.union1d(np.flatnonzero(rng.random(len(people.male)) < 0.93), people.applicants.everyone)
    n = len(paid)
    base = np.clip(rng.lognormal(8.6, 0.4, n), 4_000, 30_000)
    return {
        "jfrsbh": people.resident_id.take(pa.array(paid)),
        "jfrxm": people.name.take(pa.array(paid)),
        "xzlx": pick(
            ("城乡居民医保", "职工医保"), ((people.age[paid] > 22) & (rng.random(n) < 0.5)).astype(int)
        ),
        "jfjs": hundredths((base * 100).astype(np.int64)),
        "jfny": dates(people.today - rng.integers(1, 330, n).astype("timedelta64[D]")),
        "xzqh": district(people, paid),
    }


def grid_residents(people: Population, rng: np.random.Generator) -> Columns:
    """网格人口底座: who was met where on the last round of the grid's workers."""
    met = np.union1d(np.flatnonzero(rng.random(len(people.male)) < 0.9), people.applicants.everyone)
    n = len(met)
    grid = numbered(people.household[met] % GRIDS + 1, 3)
    return {
        "sfzh": people.resident_id.take(pa.array(met)),
        "wgbh": join(district(people, met), grid),
        "jzlx": pick(("户籍", "流动"), (rng.random(n) < 0.15).astype(np.int64)),
        "zfrq": dates(people.today - rng.integers(1, 90, n).astype("timedelta64[D]")),
        "xzqh": district(people, met),
    }
