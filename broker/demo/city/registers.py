"""Each department's own register: its file, its table and column names, its coding of the same facts.

Columns are named as legacy systems name them, by the initials of their pinyin (``sfzh`` 身份证号, ``gxsj``
更新时间); ``policies/catalog`` maps them to the catalog's fields. ``docs/sample-city.md`` lists them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa

from broker.demo.city import words
from broker.demo.city.arrays import (
    Bools,
    Days,
    between,
    dates,
    hundredths,
    join,
    numbered,
    pick,
    span,
)
from broker.demo.city.facts import (
    LOW_INCOME,
    LOW_PENSION,
    LOW_SAVINGS,
    MODEST_HOME,
    Columns,
    but,
    district,
    since_adult,
    where,
)
from broker.demo.city.more import contributions, grid_residents, settlements, supports, vehicles
from broker.demo.city.population import RELATIONS, Population, draw_addresses

UPDATED = "gxsj"
"""Column of every register that says when a row was last updated."""


@dataclass(frozen=True, slots=True)
class Register:
    """One table of one department. ``file`` ends in .db (SQLite), .parquet or .csv."""

    dataset: str
    """The catalog's name for it, ``<department>.<name>``."""
    file: str
    table: str
    """Table name; for a file that is one table, the file's stem."""
    subjects: tuple[str, ...]
    """Columns that hold the people a row is about; indexed."""
    update_cycle: timedelta
    """At least two days: rows were updated within half of it before midnight, so they are fresh all day."""
    draw: Callable[[Population, np.random.Generator], Columns]
    """The rows, but for :data:`UPDATED`."""


def births(people: Population, rng: np.random.Generator) -> Columns:
    """出生医学证明: sex coded 1/2 (GB/T 2261.1); no father named for some births out of wedlock."""
    born = people.births
    n, couple = len(born.born), born.couple
    mother = people.wives[couple]
    return {
        "zmbh": people.certificate_no,
        "mqsfzh": people.resident_id.take(pa.array(mother)),
        "fqsfzh": people.resident_id.take(pa.array(couple, mask=~born.father_named)),
        "xsexm": people.child_name,
        "xb": pick(("2", "1"), born.male.astype(np.int64)),
        "csrq": dates(born.born),
        "jgmc": pick(words.HOSPITALS, rng.integers(len(words.HOSPITALS), size=n)),
        "cstz": pa.array(np.clip(rng.normal(3300, 420, n), 1800, 5200).astype(np.int64)),
        "xzqh": district(people, mother),
    }


def marriages(people: Population, rng: np.random.Generator) -> Columns:
    """婚姻登记: one row a couple, status 在婚 or 离婚, dated by the wedding."""
    couples, wives = people.couples, pa.array(people.wives)
    n = len(couples.married)
    year = couples.married.astype("datetime64[Y]").astype(np.int64) + 1970
    return {
        "djbh": join("J990101-", numbered(year, 4), "-", numbered(rng.permutation(n), 7)),
        "nan_sfzh": people.resident_id.slice(0, n),
        "nan_xm": people.name.slice(0, n),
        "nv_sfzh": people.resident_id.take(wives),
        "nv_xm": people.name.take(wives),
        "hyzt": pick(("离婚", "在婚"), couples.together.astype(np.int64)),
        "djrq": dates(couples.married),
        "xzqh": district(people, people.wives),
    }


def adoptions(people: Population, rng: np.random.Generator) -> Columns:
    """收养登记: a few; the secrecy of adoption keeps it from being shared at all."""
    couples = people.couples
    married = np.flatnonzero(couples.together & (couples.married < people.today - span(np.array(6.0))))
    adopter = np.sort(rng.choice(married, max(1, len(married) // 800), replace=False))
    after = couples.married[adopter] + span(np.array(5.0))
    return {
        "syr_sfzh": people.resident_id.take(pa.array(adopter)),
        "bsyr_xm": people.child_name.take(pa.array(rng.integers(len(people.child_name), size=len(adopter)))),
        "djrq": dates(between(rng, after, np.full(len(adopter), people.today))),
    }


def properties(people: Population, rng: np.random.Generator) -> Columns:
    """不动产登记: two thirds of adults at the head of a household own their home, some a second one."""
    first = np.flatnonzero(
        (people.relation == 0) & (people.age >= 21) & (rng.random(len(people.male)) < 0.65)
    )
    first = np.union1d(first, people.applicants.everyone)
    second = first[(rng.random(len(first)) < 0.12) & (first != people.applicants.poor)]
    owner = np.concatenate([first, second])
    home = people.address.take(pa.array(people.household[first]))
    elsewhere = rng.integers(len(words.DISTRICTS), size=len(second))
    registered = since_adult(people, owner, rng, opened="1998-07-01", age=20)
    year = registered.astype("datetime64[Y]").astype(np.int64) + 1970
    serial = numbered(rng.permutation(len(owner)) + 1, 7)
    codes = pick(tuple(words.DISTRICTS), elsewhere)
    return {
        "qlr_sfzh": people.resident_id.take(pa.array(owner)),
        "qlr_xm": people.name.take(pa.array(owner)),
        "bdcqzh": join("星(", numbered(year, 4), ")", words.CITY, "不动产权第", serial, "号"),
        "zl": pa.concat_arrays([home, draw_addresses(rng, elsewhere)]),
        "jzmj": hundredths(but(rng.integers(4_500, 18_000, len(owner)), owner, people, MODEST_HOME)),
        "djrq": dates(registered),
        "xzqh": pa.concat_arrays([district(people, first), codes]),
    }


def households(people: Population, rng: np.random.Generator) -> Columns:
    """户籍: every resident; sex written 男/女; mobiles (unassigned range 154) for all from 12 years."""
    n = len(people.male)
    return {
        "sfzh": people.resident_id,
        "xm": people.name,
        "hh": join("9901", numbered(people.household + 1, 8)),
        "yhzgx": pick(RELATIONS, people.relation),
        "xb": pick(("女", "男"), people.male.astype(np.int64)),
        "csrq": dates(people.born),
        "hjdz": people.address.take(pa.array(people.household)),
        "xzqh": district(people, np.arange(n)),
        "sjhm": where(people.age >= 12, join("1540", numbered(rng.permutation(n), 7))),
    }


def retirements(people: Population, rng: np.random.Generator) -> Columns:
    """退休登记: everybody from 45 years, retired or not (1/0); no date and no pension before retirement."""
    insured = np.flatnonzero(people.age >= 45)
    retires = retirement_date(people.born[insured], people.male[insured])
    retired = retires < people.today
    drawn = rng.integers(1_500_00, 9_000_00, len(insured))
    pension = hundredths(but(drawn, insured, people, LOW_PENSION))
    return {
        "sbzhm": people.resident_id.take(pa.array(insured)),
        "xm": people.name.take(pa.array(insured)),
        "sftx": pa.array(retired.astype(np.int64)),
        "txrq": dates(retires, null=~retired),
        "yylj": where(retired, pension),
    }


def incomes(people: Population, rng: np.random.Generator) -> Columns:
    """个人所得税申报: last year's, for most people of working age."""
    working = (people.age >= 19) & (people.age < 60) & (rng.random(len(people.male)) < 0.8)
    taxpayer = np.union1d(np.flatnonzero(working), people.applicants.poor)
    last_year = int(people.today.astype("datetime64[Y]").astype(np.int64)) + 1969
    income = np.minimum(rng.lognormal(11.2, 0.6, len(taxpayer)), 5e6)
    return {
        "nsrsbh": people.resident_id.take(pa.array(taxpayer)),
        "nsrxm": people.name.take(pa.array(taxpayer)),
        "ssnd": pa.array(np.full(len(taxpayer), last_year, np.int32)),
        "ynssde": hundredths(but((income * 100).astype(np.int64), taxpayer, people, LOW_INCOME)),
    }


def enrolments(people: Population, rng: np.random.Generator) -> Columns:
    """医保参保: nearly everybody, insured (1) or lapsed (0), under one of two schemes."""
    enrolled = np.flatnonzero(rng.random(len(people.male)) < 0.97)
    n = len(enrolled)
    return {
        "grbh": people.resident_id.take(pa.array(enrolled)),
        "xm": people.name.take(pa.array(enrolled)),
        "cbzt": pa.array((rng.random(n) < 0.96).astype(np.int64)),
        "xzlx": pick(
            ("城乡居民医保", "职工医保"),
            ((people.age[enrolled] > 22) & (rng.random(n) < 0.5)).astype(np.int64),
        ),
        "cbrq": dates(since_adult(people, enrolled, rng, opened="2003-01-01", age=0.1)),
        "xzqh": district(people, enrolled),
    }


def accounts(people: Population, rng: np.random.Generator) -> Columns:
    """公积金账户: half of the adults and all applicants; one account each."""
    holds = (people.age >= 20) & (people.age < 70) & (rng.random(len(people.male)) < 0.5)
    holder = np.union1d(np.flatnonzero(holds), people.applicants.everyone)
    balance = np.minimum(rng.lognormal(10.8, 0.8, len(holder)), 3e6)
    return {
        "zjhm": people.resident_id.take(pa.array(holder)),
        "grzh": join("9901", numbered(rng.permutation(len(holder)) + 1, 8)),
        "zhye": hundredths(but((balance * 100).astype(np.int64), holder, people, LOW_SAVINGS)),
        "khrq": dates(since_adult(people, holder, rng, opened="1999-04-03", age=18.5)),
    }


def retirement_date(born: Days, male: Bools) -> Days:
    """First of the month of retirement: men at 60, women at 55, from 2025 one month later for every four.

    Source: decision of the Standing Committee of the National People's Congress of 2024-09-13 on gradually
    raising the statutory retirement age (up to 63 and 58; the 50-year class of women is left out here).
    """
    first_delayed = np.where(male, np.datetime64("1965-01", "M"), np.datetime64("1970-01", "M"))
    months = born.astype("datetime64[M]")
    delay = np.clip((months - first_delayed).astype(np.int64) // 4 + 1, 0, 36)
    retires = months + (np.where(male, 60, 55) * 12 + delay).astype("timedelta64[M]")
    days: Days = retires.astype("datetime64[D]")
    return days


DAY, WEEK = timedelta(days=1), timedelta(weeks=1)

REGISTERS = (
    Register("healthcare.birth", "healthcare.db", "csyxzm", ("mqsfzh", "fqsfzh"), 2 * DAY, births),
    Register("civil_affairs.marriage", "civil_affairs.db", "hydj", ("nan_sfzh", "nv_sfzh"), WEEK, marriages),
    Register("civil_affairs.adoption", "civil_affairs.db", "sydj", ("syr_sfzh",), 4 * WEEK, adoptions),
    Register("natural_resources.property", "property.parquet", "property", ("qlr_sfzh",), WEEK, properties),
    Register("public_security.household", "public_security.db", "czrk", ("sfzh",), WEEK, households),
    Register("social_security.retirement", "retirement.csv", "retirement", ("sbzhm",), 4 * WEEK, retirements),
    Register("tax.income", "income.parquet", "income", ("nsrsbh",), 52 * WEEK, incomes),
    Register("medical_insurance.enrolment", "medical_insurance.db", "cbxx", ("grbh",), WEEK, enrolments),
    Register("housing_fund.account", "housing_fund.db", "gjjzh", ("zjhm",), 2 * DAY, accounts),
    Register("public_security.vehicle", "public_security.db", "jdc", ("syr_sfzh",), WEEK, vehicles),
    Register("healthcare.support", "support.csv", "support", ("sfzh",), 52 * WEEK, supports),
    Register("medical_insurance.settlement", "medical_insurance.db", "ybjs", ("grbh",), WEEK, settlements),
    Register(
        "tax.contribution", "contribution.parquet", "contribution", ("jfrsbh",), 4 * WEEK, contributions
    ),
    Register("grid_centre.population", "grid_centre.db", "wgrk", ("sfzh",), 4 * WEEK, grid_residents),
)
