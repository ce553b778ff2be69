"""The planted dirt: a few rows as real registers have them, so that 存疑 and 过期 can be shown and tested.

One row for each line of :data:`PLAN`, none about the demo's sound cast; all of it stands in the manifest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from broker.demo.city.arrays import Bools
from broker.demo.city.registers import UPDATED, Register

IMPOSSIBLE_DATE = "2023-02-30"


class DirtKind(StrEnum):
    BAD_CHECK = "bad_check"
    """A resident id with a wrong check character."""
    IMPOSSIBLE_DATE = "impossible_date"
    MISSING = "missing"
    """A required value is null."""
    STALE = "stale"
    """The row is older than three update cycles."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Dirt to plant in one column, about an applicant of the cast or (empty) about anybody else."""

    dataset: str
    kind: DirtKind
    column: str
    applicant: str = ""


@dataclass(frozen=True, slots=True)
class Dirt:
    """One planted row, found by ``subject``, a well-formed resident id."""

    dataset: str
    kind: DirtKind
    column: str
    subject: str


PLAN = (
    Plan("healthcare.birth", DirtKind.IMPOSSIBLE_DATE, "csrq"),
    Plan("civil_affairs.marriage", DirtKind.BAD_CHECK, "nv_sfzh"),
    Plan("natural_resources.property", DirtKind.MISSING, "bdcqzh"),
    Plan("public_security.household", DirtKind.MISSING, "xm"),
    Plan("public_security.household", DirtKind.IMPOSSIBLE_DATE, "csrq"),
    Plan("social_security.retirement", DirtKind.IMPOSSIBLE_DATE, "txrq", applicant="doubtful"),
    Plan("social_security.retirement", DirtKind.STALE, UPDATED, applicant="stale"),
    Plan("tax.income", DirtKind.STALE, UPDATED),
    Plan("medical_insurance.enrolment", DirtKind.STALE, UPDATED),
    Plan("housing_fund.account", DirtKind.MISSING, "khrq"),
)


class Planter:
    """Plants :data:`PLAN` register by register.

    ``applicants``: name in the plan → resident id; ``spared``: resident ids no other dirt may touch.
    """

    def __init__(self, applicants: Mapping[str, str], spared: Collection[str], midnight: datetime) -> None:
        self._applicants = applicants
        self._spared = pa.array(sorted(spared))
        self._midnight = midnight
        self.planted: list[Dirt] = []

    def plant(self, register: Register, table: pa.Table, rng: np.random.Generator) -> pa.Table:
        """``table`` with the register's share of the dirt."""
        clean = self._clean_rows(register, table)
        for plan in (one for one in PLAN if one.dataset == register.dataset):
            row = self._row(register, table, plan, clean, rng)
            clean[row] = False
            subject = table[register.subjects[0]][row].as_py()
            value = self._value(register, plan, table[plan.column][row])
            table = _replaced(table, plan.column, row, value)
            self.planted.append(Dirt(register.dataset, plan.kind, plan.column, subject))
        return table

    def _clean_rows(self, register: Register, table: pa.Table) -> Bools:
        clean = np.ones(table.num_rows, bool)
        for column in register.subjects:
            clean &= ~np.asarray(pc.is_in(table[column], self._spared))
        return clean

    def _row(
        self, register: Register, table: pa.Table, plan: Plan, clean: Bools, rng: np.random.Generator
    ) -> int:
        if plan.applicant:
            about = pc.equal(table[register.subjects[0]], self._applicants[plan.applicant])
            return int(np.flatnonzero(np.asarray(about))[0])
        return int(rng.choice(np.flatnonzero(clean)))

    def _value(self, register: Register, plan: Plan, old: pa.Scalar) -> object:
        match plan.kind:
            case DirtKind.BAD_CHECK:
                return old.as_py()[:17] + ("1" if old.as_py()[17] == "0" else "0")
            case DirtKind.IMPOSSIBLE_DATE:
                return IMPOSSIBLE_DATE
            case DirtKind.MISSING:
                return None
            case DirtKind.STALE:
                then = self._midnight - 3 * register.update_cycle
                return then if pa.types.is_timestamp(old.type) else then.isoformat(sep=" ")


def _replaced(table: pa.Table, column: str, row: int, value: object) -> pa.Table:
    values = table[column].combine_chunks()
    one = pa.array([value], values.type)
    changed = pa.concat_arrays([values.slice(0, row), one, values.slice(row + 1)])
    return table.set_column(table.column_names.index(column), column, changed)
