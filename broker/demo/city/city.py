"""The sample city as a whole: generate it into a folder, or find it there already, and name its cast."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from broker.demo.city.dirt import Dirt, DirtKind, Planter
from broker.demo.city.families import CAST
from broker.demo.city.files import stored, write
from broker.demo.city.population import Population, populate
from broker.demo.city.registers import REGISTERS, Register
from broker.errors import SetUpError

ZONE = ZoneInfo("Asia/Shanghai")
MANIFEST = "city.json"
VERSION = 2
"""Raised whenever the same seed would give other data."""


@dataclass(frozen=True, slots=True)
class NewbornCase:
    """新生儿落户: a birth three days old; the parents are married, the child is in no household yet."""

    mother_id: str
    father_id: str
    child_name: str
    certificate_no: str


@dataclass(frozen=True, slots=True)
class WithdrawalCase:
    """公积金提取: resident ids of retired men who own property, have an account and are in a household."""

    sound: str
    """Married; all registers are sound about him."""
    doubtful: str
    """The same, but his row in the retirement register is bad."""
    stale: str
    """The same, but his row in the retirement register is stale."""
    unmarried: str
    """The same, but the marriage register has nothing about him."""


@dataclass(frozen=True, slots=True)
class LowIncomeCase:
    """低保核对: one retired man about whom each of seven departments has one row, with an amount in it."""

    applicant: str


@dataclass(frozen=True, slots=True)
class City:
    """What ``city.json`` says about a generated city."""

    version: int
    seed: int
    residents: int
    today: date
    """Calendar day in Asia/Shanghai; all times are before its midnight (its first moment)."""
    newborn: NewbornCase
    withdrawal: WithdrawalCase
    low_income: LowIncomeCase
    counts: Mapping[str, int]
    """Dataset → rows."""
    dirt: tuple[Dirt, ...]

    def to_json(self) -> str:
        plain = {**asdict(self), "today": self.today.isoformat()}
        return json.dumps(plain, ensure_ascii=False, indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> City:
        plain = json.loads(text)
        return City(
            version=plain["version"],
            seed=plain["seed"],
            residents=plain["residents"],
            today=date.fromisoformat(plain["today"]),
            newborn=NewbornCase(**plain["newborn"]),
            withdrawal=WithdrawalCase(**plain["withdrawal"]),
            low_income=LowIncomeCase(**plain["low_income"]),
            counts=plain["counts"],
            dirt=tuple(Dirt(**{**one, "kind": DirtKind(one["kind"])}) for one in plain["dirt"]),
        )


def generate(folder: Path, residents: int = 10_000, seed: int = 1, today: date | None = None) -> City:
    """The sample city in ``folder``: made anew, or found there if it is the same city of the same day.

    Data depend on nothing but the arguments. The folder appears whole or not at all; one that holds an older
    city is replaced. ``today`` defaults to the current day in Asia/Shanghai.

    Raises:
        SetUpError: the population is too small or too large, or the folder holds something else.
    """
    today = today or datetime.now(ZONE).date()
    found = load(folder)
    if found and (found.version, found.seed, found.residents, found.today) == (
        VERSION,
        seed,
        residents,
        today,
    ):
        return found
    if not (folder / MANIFEST).exists() and folder.exists() and any(folder.iterdir()):
        raise SetUpError(
            f"文件夹 {folder} 中有其他内容，请另选一个空文件夹存放示例城市。",
            f"The folder {folder} holds something else; choose an empty one for the sample city.",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        fresh = Path(scratch, "new")
        fresh.mkdir(mode=0o700)
        city = _build(fresh, residents, seed, today)
        if folder.exists():
            folder.rename(Path(scratch, "old"))
        fresh.rename(folder)
    return city


def load(folder: Path) -> City | None:
    """The city in ``folder``, or None when there is none, or not a whole one that this version can read."""
    try:
        city = City.from_json((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return city if all((folder / register.file).is_file() for register in REGISTERS) else None


def _build(folder: Path, residents: int, seed: int, today: date) -> City:
    # A stream of random numbers each, so that changing one register leaves the others as they were.
    of_people, *of_registers = (
        np.random.default_rng(one) for one in np.random.SeedSequence(seed).spawn(1 + len(REGISTERS))
    )
    people = populate(of_people, residents, np.datetime64(today, "D"))
    midnight = datetime.combine(today, time(), ZONE)
    newborn, withdrawal = _newborn_case(people), _withdrawal_case(people)
    low_income = LowIncomeCase(people.resident_id[people.applicants.poor].as_py())
    planter = Planter(asdict(withdrawal), _cast(people), midnight)
    counts = {
        register.dataset: _write_register(folder, register, people, planter, rng, midnight)
        for register, rng in zip(REGISTERS, of_registers, strict=True)
    }
    city = City(
        VERSION, seed, residents, today, newborn, withdrawal, low_income, counts, tuple(planter.planted)
    )
    (folder / MANIFEST).write_text(city.to_json(), encoding="utf-8")
    return city


def _write_register(
    folder: Path,
    register: Register,
    people: Population,
    planter: Planter,
    rng: np.random.Generator,
    midnight: datetime,
) -> int:
    """Draw, soil and write one register; nothing of it stays in memory. Gives its number of rows."""
    columns = register.draw(people, rng)
    rows = len(columns[register.subjects[0]])
    cycle = int(register.update_cycle.total_seconds())
    updated = int(midnight.timestamp()) - rng.integers(1, cycle // 2, rows)
    table = planter.plant(register, stored(register, columns, updated), rng)
    write(register, table, folder)
    return rows


def _newborn_case(people: Population) -> NewbornCase:
    case = people.newborn_case
    couple = int(people.births.couple[case])
    return NewbornCase(
        mother_id=people.resident_id[int(people.wives[couple])].as_py(),
        father_id=people.resident_id[couple].as_py(),
        child_name=people.child_name[case].as_py(),
        certificate_no=people.certificate_no[case].as_py(),
    )


def _withdrawal_case(people: Population) -> WithdrawalCase:
    sound, doubtful, stale, unmarried = (
        people.resident_id[int(one)].as_py() for one in people.applicants.withdrawing
    )
    return WithdrawalCase(sound=sound, doubtful=doubtful, stale=stale, unmarried=unmarried)


def _cast(people: Population) -> frozenset[str]:
    """Resident ids of the applicants and of the cast's couples, wives included."""
    couples = np.arange(CAST)
    cast = np.concatenate([couples, people.wives[couples], people.applicants.everyone])
    return frozenset(people.resident_id.take(pa.array(cast)).to_pylist())
