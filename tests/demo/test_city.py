"""The sample city, judged by reading its real files under the catalog's names."""

from __future__ import annotations

import csv
import re
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from broker.cli.city import app
from broker.demo.city import City, generate, load
from broker.demo.city.city import ZONE
from broker.demo.city.dirt import Dirt, DirtKind
from broker.demo.city.population import populate
from broker.demo.city.registers import REGISTERS, UPDATED, Register, retirement_date
from broker.errors import SetUpError
from broker.formats import FORMATS

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 23)
Row = Mapping[str, Any]


@cache
def catalog() -> Mapping[str, Any]:
    """Dataset id → its entry, as written in policies/catalog."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(ROOT.glob("policies/catalog/*.yaml"))]
    return {
        f"{file['department']}.{name}": entry for file in files for name, entry in file["datasets"].items()
    }


def columns_of(dataset: str) -> dict[str, str]:
    """Field → source column."""
    return {name: field.get("column", name) for name, field in catalog()[dataset]["fields"].items()}


@dataclass
class Files:
    """A generated city's files."""

    folder: Path
    city: City

    def read(self, dataset: str) -> list[Row]:
        """All rows by field name, values as the file has them; times as datetimes, nothing else converted."""
        register = next(one for one in REGISTERS if one.dataset == dataset)
        names = {column: name for name, column in columns_of(dataset).items()}
        return [self._row(names, row) for row in _raw(self.folder / register.file, register.table)]

    def _row(self, names: Mapping[str, str], raw: Row) -> Row:
        row = {names[column]: value for column, value in raw.items()}
        if isinstance(row["updated_at"], str):
            row["updated_at"] = datetime.fromisoformat(row["updated_at"])
        return row

    def about(self, dataset: str, subject: str) -> list[Row]:
        """Rows about one person, found as the broker finds them: by any subject field."""
        fields = catalog()[dataset]["subject"]["fields"]
        return [row for row in self.read(dataset) if subject in [row[field] for field in fields]]

    @cached_property
    def residents(self) -> Mapping[str, Row]:
        return {row["resident_id"]: row for row in self.read("public_security.household")}

    def soiled(self, kind: DirtKind, dataset: str) -> set[str]:
        return {one.subject for one in self.city.dirt if one.kind is kind and one.dataset == dataset}


def _raw(path: Path, table: str) -> Iterable[Row]:
    if path.suffix == ".parquet":
        rows: list[Row] = pq.read_table(path).to_pylist()
        return rows
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(f"SELECT * FROM {table}")]


def born_on(resident_id: str) -> date:
    return datetime.strptime(resident_id[6:14], "%Y%m%d").date()


def is_male(resident_id: str) -> bool:
    return int(resident_id[16]) % 2 == 1


def is_age(born: date, years: int, when: date) -> bool:
    return (when.year - born.year, (when.month, when.day) >= (born.month, born.day)) >= (years, True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("city") / "data"
    return Files(folder, generate(folder, residents=2_000, seed=7, today=TODAY))


# ── people ───────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    residents=st.integers(100, 1_500),
    today=st.dates(date(2025, 1, 1), date(2040, 12, 31)),
)
def test_any_population_has_unique_valid_ids_that_tell_birth_date_and_sex(
    seed: int, residents: int, today: date
) -> None:
    """Whatever seed, size and day, ids never repeat, satisfy GB 11643 and agree with the person."""
    people = populate(np.random.default_rng(seed), residents, np.datetime64(today))
    ids = people.resident_id.to_pylist()
    assert len(set(ids)) == residents
    assert all(FORMATS["resident_id"].matches(one) and one.startswith("990101") for one in ids)
    assert [born_on(one) for one in ids] == people.born.tolist()
    assert [is_male(one) for one in ids] == people.male.tolist()
    assert people.born.max() < np.datetime64(today)


def test_a_birth_date_that_is_crowded_is_refused_not_repeated() -> None:
    """Sequence numbers of a birth date run out with an error, never into another person's id."""
    from broker.demo.city.population import resident_ids

    same_day = np.full(500, np.datetime64("1990-01-01"))
    assert len(set(resident_ids(same_day, np.ones(500, bool)).to_pylist())) == 500
    with pytest.raises(SetUpError):
        resident_ids(same_day, np.zeros(500, bool))


def test_everybody_a_register_speaks_of_is_a_resident(files: Files) -> None:
    """Every subject of every dataset stands in the household register, but for planted bad ids."""
    for dataset, entry in catalog().items():
        bad = len(files.soiled(DirtKind.BAD_CHECK, dataset))
        subjects = {row[field] for row in files.read(dataset) for field in entry["subject"]["fields"]}
        assert len(subjects - {None} - files.residents.keys()) == bad


def test_names_of_a_person_agree_in_all_registers(files: Files) -> None:
    """Wherever a dataset gives subject and name, it is the name of the household register."""
    pairs = {
        "resident_id": "name",
        "taxpayer_id": "name",
        "owner_id": "owner_name",
        "husband_id": "husband_name",
    }
    nameless = files.soiled(DirtKind.MISSING, "public_security.household")
    for dataset in catalog():
        for row in files.read(dataset):
            for id_field, name_field in pairs.items():
                if {id_field, name_field} <= row.keys() and row[id_field] not in nameless:
                    assert row[name_field] == files.residents[row[id_field]]["name"]


def test_households_have_one_head_and_one_address(files: Files) -> None:
    """A household has exactly one head, at most one spouse, and all live at one address."""
    households: dict[str, list[Row]] = {}
    for row in files.residents.values():
        households.setdefault(row["household_no"], []).append(row)
    for members in households.values():
        relations = [row["relation"] for row in members]
        assert relations.count("户主") == 1
        assert relations.count("配偶") <= 1
        assert len({(row["address"], row["district"]) for row in members}) == 1
    assert {row["district"] for row in files.residents.values()} == {"990101", "990102", "990103"}


def test_sex_is_coded_differently_but_means_the_same(files: Files) -> None:
    """男/女 of the household register agrees with the id, as does 1/2 of a child's birth certificate."""
    assert all((row["sex"] == "男") == is_male(one) for one, row in files.residents.items())
    assert {row["sex"] for row in files.read("healthcare.birth")} == {"1", "2"}


# ── families ─────────────────────────────────────────────────────────────────────────────────────


def test_spouses_exist_are_of_age_and_of_different_sex(files: Files) -> None:
    """Both spouses are residents, he 22 and she 20 on the day of registration (Civil Code, Article 1047)."""
    bad = files.soiled(DirtKind.BAD_CHECK, "civil_affairs.marriage")
    statuses = set()
    for row in files.read("civil_affairs.marriage"):
        wedding = date.fromisoformat(row["registered_on"])
        assert wedding < TODAY
        assert is_male(row["husband_id"])
        assert is_age(born_on(row["husband_id"]), 22, wedding)
        if row["husband_id"] not in bad:
            assert not is_male(row["wife_id"])
            assert is_age(born_on(row["wife_id"]), 20, wedding)
        statuses.add(row["status"])
    assert statuses == {"在婚", "离婚"}


def test_every_birth_has_a_mother_who_is_older_and_a_father_married_to_her(files: Files) -> None:
    """The mother exists, is female and 18 to 45 years older; a named father is her husband."""
    couples = {(row["husband_id"], row["wife_id"]) for row in files.read("civil_affairs.marriage")}
    bad_husbands = files.soiled(DirtKind.BAD_CHECK, "civil_affairs.marriage")
    soiled = files.soiled(DirtKind.IMPOSSIBLE_DATE, "healthcare.birth")
    for row in files.read("healthcare.birth"):
        assert row["mother_id"] in files.residents
        assert not is_male(row["mother_id"])
        father = row["father_id"]
        assert father is None or father in bad_husbands or (father, row["mother_id"]) in couples
        if row["mother_id"] not in soiled:
            born = date.fromisoformat(row["born_on"])
            assert is_age(born_on(row["mother_id"]), 18, born)
            assert not is_age(born_on(row["mother_id"]), 46, born)


def test_children_are_in_the_mothers_household_but_newborns_are_in_none(files: Files) -> None:
    """A child of more than 60 days lives with its mother; a birth of the last days is not registered yet."""
    members = {(row["household_no"], row["name"], row["born_on"]) for row in files.residents.values()}
    unsure = {one.subject for one in files.city.dirt}
    newborns = 0
    for row in files.read("healthcare.birth"):
        if row["mother_id"] in unsure:
            continue
        mother = files.residents[row["mother_id"]]
        child = (mother["household_no"], row["child_name"], row["born_on"])
        recent = TODAY - date.fromisoformat(row["born_on"]) <= timedelta(days=60)
        newborns += recent
        if recent:
            assert child not in members
        elif not {
            one
            for one in unsure
            if one in files.residents and files.residents[one]["household_no"] == child[0]
        }:
            assert child in members
    assert newborns >= 3
    assert not [row for one, row in files.residents.items() if TODAY - born_on(one) <= timedelta(days=60)]


# ── facts ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sex", "born", "expected"),
    [
        ("男", "1961-11-24", "2021-11-01"),
        ("男", "1964-12-31", "2024-12-01"),
        ("男", "1965-01-15", "2025-02-01"),
        ("男", "1965-05-01", "2025-07-01"),
        ("男", "1976-09-01", "2039-09-01"),
        ("男", "1990-06-06", "2053-06-01"),
        ("女", "1969-12-01", "2024-12-01"),
        ("女", "1970-01-31", "2025-02-01"),
        ("女", "1981-09-09", "2039-09-01"),
    ],
)
def test_retirement_follows_the_gradual_schedule(sex: str, born: str, expected: str) -> None:
    """The annexed tables of the decision of 2024-09-13, at their edges."""
    retires = retirement_date(np.array([born], "datetime64[D]"), np.array([sex == "男"]))
    assert retires.tolist() == [date.fromisoformat(expected)]


def test_retirement_date_and_pension_stand_exactly_with_the_retired(files: Files) -> None:
    """Retired (1): date in the past and a pension; not yet (0): neither."""
    soiled = files.soiled(DirtKind.IMPOSSIBLE_DATE, "social_security.retirement")
    for row in files.read("social_security.retirement"):
        retired = row["retired"] == "1"
        assert (row["retired_on"] is not None, row["pension_monthly"] is not None) == (retired, retired)
        if retired and row["resident_id"] not in soiled:
            assert date.fromisoformat(row["retired_on"]) < TODAY


def test_rows_are_fresh_for_the_whole_day_but_for_the_planted_ones(files: Files) -> None:
    """At the last second of the day no row is older than its update cycle; none is from the future."""
    midnight = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=ZONE)
    for register in REGISTERS:
        id_field = catalog()[register.dataset]["subject"]["fields"][0]
        stale = set()
        for row in files.read(register.dataset):
            assert row["updated_at"] < midnight
            if row["updated_at"] < midnight + timedelta(days=1) - register.update_cycle:
                stale.add(row[id_field])
        assert stale == files.soiled(DirtKind.STALE, register.dataset)


def test_the_only_bad_rows_are_the_planted_ones(files: Files) -> None:
    """Every value is checked against its catalog field; the bad cells are exactly those of the manifest."""
    found = set()
    for dataset, entry in catalog().items():
        columns, id_field = columns_of(dataset), entry["subject"]["fields"][0]
        for row in files.read(dataset):
            for name, field in entry["fields"].items():
                if (kind := fault(field, row[name])) is not None:
                    found.add(Dirt(dataset, kind, columns[name], row[id_field]))
    assert found == {one for one in files.city.dirt if one.kind is not DirtKind.STALE}


def fault(field: Mapping[str, Any], value: Any) -> DirtKind | None:
    """What is wrong with a value under its field."""
    if value is None:
        return DirtKind.MISSING if field.get("required") else None
    match field["type"]:
        case "text":
            assert isinstance(value, str)
            sound = "format" not in field or FORMATS[field["format"]].matches(value)
            return None if sound else DirtKind.BAD_CHECK
        case "date":
            return (
                None
                if isinstance(value, date) or FORMATS["date"].matches(value)
                else DirtKind.IMPOSSIBLE_DATE
            )
        case "boolean":
            assert str(value) in ("0", "1")
        case "integer":
            int(value)
        case "decimal":
            try:
                assert Decimal(value) >= 0
            except InvalidOperation:
                pytest.fail("not a decimal")
        case "timestamp":
            assert value.tzinfo is not None
    return None


# ── the cast ─────────────────────────────────────────────────────────────────────────────────────


def test_the_newborn_case_is_one_birth_of_a_married_couple(files: Files) -> None:
    """Asked about the mother, healthcare has one row and civil affairs one; the child is in no household."""
    case = files.city.newborn
    (birth,) = files.about("healthcare.birth", case.mother_id)
    assert (birth["father_id"], birth["child_name"]) == (case.father_id, case.child_name)
    assert birth["certificate_no"] == case.certificate_no
    assert TODAY - date.fromisoformat(birth["born_on"]) == timedelta(days=3)
    (marriage,) = files.about("civil_affairs.marriage", case.mother_id)
    assert (marriage["husband_id"], marriage["status"]) == (case.father_id, "在婚")
    assert case.child_name not in [
        row["name"]
        for row in files.residents.values()
        if row["household_no"] == files.residents[case.mother_id]["household_no"]
    ]


@pytest.mark.parametrize("who", ["sound", "doubtful", "stale", "unmarried"])
def test_each_applicant_owns_lives_saves_and_is_retired(files: Files, who: str) -> None:
    """All four applicants have what the withdrawal asks of every department, but for what their name says."""
    subject = getattr(files.city.withdrawal, who)
    for dataset in ("public_security.household", "social_security.retirement", "housing_fund.account"):
        assert len(files.about(dataset, subject)) == 1
    assert files.about("natural_resources.property", subject)
    assert files.about("social_security.retirement", subject)[0]["retired"] == "1"
    marriages = [row["status"] for row in files.about("civil_affairs.marriage", subject)]
    assert marriages == ([] if who == "unmarried" else ["在婚"])


def test_the_applicants_dirt_is_what_their_name_says_and_nobody_elses(files: Files) -> None:
    """One has an impossible date, one a stale row, both in the retirement register only."""
    withdrawal, newborn = files.city.withdrawal, files.city.newborn
    planted = {one.subject: one for one in files.city.dirt}
    assert planted[withdrawal.doubtful].kind is DirtKind.IMPOSSIBLE_DATE
    assert planted[withdrawal.stale].kind is DirtKind.STALE
    assert {planted[one].dataset for one in (withdrawal.doubtful, withdrawal.stale)} == {
        "social_security.retirement"
    }
    sound = {withdrawal.sound, withdrawal.unmarried, newborn.mother_id, newborn.father_id}
    assert not planted.keys() & sound
    assert {one.kind for one in files.city.dirt} == set(DirtKind)


def test_counts_are_those_of_the_files(files: Files) -> None:
    """The manifest's counts are what the files hold, and the household register holds every resident."""
    assert files.city.counts == {dataset: len(files.read(dataset)) for dataset in catalog()}
    assert files.city.counts["public_security.household"] == 2_000


# ── catalog and docs ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("register", REGISTERS, ids=lambda register: register.dataset)
def test_the_catalog_describes_the_register(files: Files, register: Register) -> None:
    """File, table, columns, subjects and update cycle in policies/catalog are those of the generated file."""
    entry, columns = catalog()[register.dataset], columns_of(register.dataset)
    source = entry["source"]
    named = source.get("path") or source["url"].removeprefix("sqlite:///")
    assert (named, source.get("table", register.table)) == (register.file, register.table)
    first = next(iter(_raw(files.folder / register.file, register.table)))
    assert set(columns.values()) == set(first)
    assert tuple(columns[field] for field in entry["subject"]["fields"]) == register.subjects
    assert columns[entry["as_of"]] == UPDATED
    weeks, days = re.fullmatch(r"P(?:(\d+)W|(\d+)D)", entry["update_cycle"]).groups(0)  # type: ignore[union-attr]
    assert timedelta(weeks=int(weeks), days=int(days)) == register.update_cycle >= timedelta(days=2)


def test_the_catalog_has_the_registers_and_no_other() -> None:
    """Every register is catalogued, nothing else is, and no catalog code stands twice."""
    assert catalog().keys() == {register.dataset for register in REGISTERS}
    assert len({entry["catalog_code"] for entry in catalog().values()}) == len(catalog())


@pytest.mark.parametrize(
    "register", [r for r in REGISTERS if r.file.endswith(".db")], ids=lambda r: r.dataset
)
def test_subject_and_update_columns_are_indexed(files: Files, register: Register) -> None:
    """A point read by subject, and the newest update, never scan the table."""
    with closing(sqlite3.connect(files.folder / register.file)) as database:
        for column in (*register.subjects, UPDATED):
            query = f"EXPLAIN QUERY PLAN SELECT * FROM {register.table} WHERE {column} = ?"
            assert "USING INDEX" in database.execute(query, ("",)).fetchone()[3]


def test_the_docs_name_every_dataset_file_and_column() -> None:
    """docs/sample-city.md has one row for each column, with field, column, type and title."""
    text = (ROOT / "docs/sample-city.md").read_text(encoding="utf-8")
    for register in REGISTERS:
        assert f"### `{register.dataset}` {catalog()[register.dataset]['title']}" in text
        assert f"`{register.file}`" in text
        for name, field in catalog()[register.dataset]["fields"].items():
            column = field.get("column", name)
            assert f"| `{column}` | `{name}` | {field['title']} | {field['type']} |" in text


# ── the folder ───────────────────────────────────────────────────────────────────────────────────


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_same_arguments_give_the_same_bytes_and_another_seed_other_ones(tmp_path: Path) -> None:
    """The city is a function of size, seed and day, down to the bytes of every file."""
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        generate(tmp_path / name, residents=300, seed=seed, today=TODAY)
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert a == b
    assert all(a[name] != c[name] for name in a)


def test_the_same_city_of_the_same_day_is_kept(tmp_path: Path) -> None:
    """A second call with the same arguments writes nothing and gives the same City."""
    first = generate(tmp_path / "city", residents=300, today=TODAY)
    inode = (tmp_path / "city").stat().st_ino
    assert generate(tmp_path / "city", residents=300, today=TODAY) == first == load(tmp_path / "city")
    assert (tmp_path / "city").stat().st_ino == inode


def test_a_city_of_another_day_or_a_damaged_one_is_made_anew(tmp_path: Path) -> None:
    """An older city, one with a file missing and one with a torn manifest are replaced whole."""
    folder = tmp_path / "city"
    generate(folder, residents=300, today=TODAY)
    assert generate(folder, residents=300, today=TODAY + timedelta(days=1)).today > TODAY
    (folder / "retirement.csv").unlink()
    generate(folder, residents=300, today=TODAY)
    assert (folder / "retirement.csv").exists()
    (folder / "city.json").write_text("{")
    assert load(folder) is None
    assert generate(folder, residents=300, today=TODAY) == load(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["city"]


def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    """The generator never replaces a folder that it did not make."""
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SetUpError):
        generate(tmp_path, residents=300)
    assert contents(tmp_path) == {"thesis.txt": b"mine"}


@pytest.mark.parametrize("residents", [-1, 0, 99, 3_000_001])
def test_impossible_sizes_are_refused_and_leave_nothing(tmp_path: Path, residents: int) -> None:
    """Too few for the cast or too many for the id space: a set-up error, and no folder."""
    with pytest.raises(SetUpError):
        generate(tmp_path / "city", residents=residents)
    assert not list(tmp_path.iterdir())


def test_the_smallest_city_has_the_whole_cast(tmp_path: Path) -> None:
    """A hundred residents are enough for every actor and every planted row."""
    city = generate(tmp_path / "city", residents=100, today=TODAY)
    assert len(city.dirt) == 10
    files = Files(tmp_path / "city", city)
    test_the_newborn_case_is_one_birth_of_a_married_couple(files)
    for who in ("sound", "doubtful", "stale", "unmarried"):
        test_each_applicant_owns_lives_saves_and_is_retired(files, who)


def test_the_command_generates_and_tells_what_it_made(tmp_path: Path) -> None:
    """`sharebroker city generate` makes the folder and prints the counts in both languages."""
    arguments = ["generate", "--folder", str(tmp_path / "city"), "--residents", "300", "--seed", "5"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    city = load(tmp_path / "city")
    assert city is not None
    assert (city.residents, city.seed) == (300, 5)
    assert "示例城市已就绪" in result.output
    assert "public_security.household" in result.output
