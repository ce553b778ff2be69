"""A folder of policy files is loaded whole or refused with every reason."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.registry import load_operators
from broker.approve.bundle import Bundle, load_bundle
from broker.approve.files import bundle_hash, pack, unpack
from broker.approve.masks import MOST_VALUES
from broker.approve.problem import Code, PolicyProblems
from broker.approve.rule import Effect, Limits
from broker.desensitize.plan import check_mask as check_real_mask
from broker.errors import SetUpError, VerificationFailed
from broker.model import DepartmentKind, Field, FieldType, Mask, SharingAttribute

HERE = Path(__file__).parent
BROKEN = sorted((HERE / "broken").glob("*.yaml"))
ROOT = HERE.parent.parent
Load = Callable[[Path], Bundle]
Edit = Callable[[str, str, str], Path]


def problems_of(load: Load, folder: Path) -> list[str]:
    with pytest.raises(PolicyProblems) as refused:
        load(folder)
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_broken_file_is_refused_with_its_problems(path: Path, folder: Path, load: Load) -> None:
    """Each file under ``broken``, put where its first line says, gives exactly the problems beside it."""
    content = path.read_text("utf-8")
    place = folder / content.splitlines()[0].removeprefix("# ")
    place.parent.mkdir(exist_ok=True)
    place.write_text(content, "utf-8")
    assert problems_of(load, folder) == path.with_suffix(".txt").read_text("utf-8").splitlines()


def test_every_code_is_shown_and_documented() -> None:
    """Each code is provoked by a test, and explained for officers."""
    shown = "".join(path.with_suffix(".txt").read_text("utf-8") for path in BROKEN)
    shown += "FILE_MISSING FILE_UNREADABLE FILE_UNEXPECTED NOT_UTF8"  # below, and in test_document
    shown += " NO_CALENDAR"  # in test_calendar
    explained = (ROOT / "docs/policy-format.md").read_text("utf-8")
    assert {code for code in Code if not re.search(rf"\b{code}\b", shown)} == set()
    assert {code for code in Code if f"`{code}`" not in explained} == set()


# ── what comes out of a sound folder ─────────────────────────────────────────────────────────────


def test_catalog_is_typed(folder: Path, load: Load) -> None:
    """Every value of the catalog has the type and default that the format promises."""
    catalog = load(folder).catalog
    assert (catalog.city, catalog.zone, catalog.levels[-1]) == ("testcity", "Asia/Shanghai", "L4")
    assert catalog.departments["fund"].kind is DepartmentKind.PUBLIC_INSTITUTION
    assert catalog.service_items["F-2"].purpose == "audit"
    marriage = catalog.datasets["registry.marriage"]
    assert (marriage.update_cycle, marriage.region_field) == (timedelta(days=1), "district")
    assert marriage.subject_fields == ("husband_id", "wife_id")
    assert marriage.source.columns["husband_id"] == "nan_sfzh"
    assert marriage.source.columns["wife_id"] == "wife_id"
    assert dict(marriage.source.options) == {"url": "sqlite:///registry.db", "table": "hydj"}
    fields = marriage.fields
    assert fields["registered_on"].type is FieldType.DATE
    assert [fields[f].domain for f in ("status", "wife_id", "registered_on")] == [
        "marital_status",
        "resident_id",
        "registry.marriage.registered_on",
    ]
    assert (fields["husband_id"].required, fields["status"].required) == (True, False)
    assert (fields["updated_at"].shared, fields["status"].shared) == (False, True)
    adoption = catalog.datasets["registry.adoption"]
    assert (adoption.sharing_attribute, adoption.region_field) == (SharingAttribute.WITHHELD, None)
    assert adoption.update_cycle == timedelta(weeks=2)


def test_rule_is_typed(folder: Path, load: Load) -> None:
    """Days of a rule are whole days of the city's zone, and sets hold what is written."""
    (rule,) = load(folder).rules
    assert (rule.id, rule.effect) == ("registry-marriage-001/fund-withdrawal", Effect.PERMIT)
    assert (rule.valid_from, rule.valid_until) == (
        datetime(2025, 12, 31, 16, tzinfo=UTC),
        datetime(2027, 12, 31, 16, tzinfo=UTC),
    )
    assert (rule.departments, rule.purposes) == (frozenset({"fund"}), frozenset({"withdrawal"}))
    assert rule.limits == Limits(rows_per_call=10, calls_per_day=100, rows_per_day=500)
    assert (rule.rows.own_region, rule.rows.whole_dataset) == (True, False)
    assert dict(rule.obligations.masks) == {"registered_on": Mask("year", {})}
    assert rule.obligations.retain_days == 30


def test_all_means_every_field_that_may_be_shared(edit: Edit, load: Load) -> None:
    """``fields: all`` of a permit leaves out ``shared: false``."""
    (rule,) = load(edit("sharing/marriage.yaml", "[status, registered_on]", "all")).rules
    assert rule.fields == {"husband_id", "wife_id", "status", "registered_on", "district"}


def test_mask_parameters_are_typed_by_their_writing(edit: Edit, load: Load) -> None:
    """Unquoted whole numbers and true/false are typed; decimals, dates and quoted texts stay text."""
    written = (
        '{partial: {n: 6, neg: -1, zero: 007, flag: true, q: "6", dec: 1.50, day: 2026-01-01, many: [1, x]}}'
    )
    (rule,) = load(edit("sharing/marriage.yaml", "{year: {}}", written)).rules
    assert dict(rule.obligations.masks["registered_on"].params) == {
        "n": 6, "neg": -1, "zero": "007", "flag": True, "q": "6", "dec": "1.50", "day": "2026-01-01",
        "many": (1, "x"),
    }  # fmt: skip


def test_mask_parameters_may_be_mappings(edit: Edit, load: Load) -> None:
    """Keys of a mapping are texts whatever they look like; values are typed by their writing as elsewhere."""
    written = "{partial: {map: {在婚: 有配偶, 1: 是, true: 2}, deep: {a: [{b: x}]}}}"
    (rule,) = load(edit("sharing/marriage.yaml", "{year: {}}", written)).rules
    params = rule.obligations.masks["registered_on"].params
    assert params == {"map": {"在婚": "有配偶", "1": "是", "true": 2}, "deep": {"a": ({"b": "x"},)}}


@pytest.mark.parametrize(("values", "fits"), [(MOST_VALUES, True), (MOST_VALUES + 1, False)])
def test_mask_parameters_are_bounded(edit: Edit, load: Load, values: int, fits: bool) -> None:
    """A policy is no place for a table; what is longer is refused with its place."""
    mapping = ", ".join(f"v{number}: c" for number in range(values))
    folder = edit("sharing/marriage.yaml", "{year: {}}", f"{{partial: {{map: {{{mapping}}}}}}}")
    if fits:
        assert len(load(folder).rules) == 1
    else:
        (problem,) = problems_of(load, folder)
        assert "BAD_MASK 参数超过 2000 个值" in problem


def test_parameters_that_compare_equal_are_not_taken_for_one_another(edit: Edit, folder: Path) -> None:
    """1 is not true: each is judged by itself, however often the other was judged before."""
    asked: list[object] = []

    def check(field: Field, mask: Mask, subjects: Sequence[str] = ()) -> None:
        if field.name == "status":
            asked.extend(mask.params.values())

    edit("sharing/marriage.yaml", "{registered_on: {year: {}}}", "{status: {partial: {x: 1}}}")
    text = (folder / "sharing/marriage.yaml").read_text("utf-8")
    again = text[text.index("  - id:") :].replace("- id: ", "- id: again-").replace("x: 1", "x: true")
    (folder / "sharing/marriage.yaml").write_text(text + again, "utf-8")
    load_bundle(folder, check)
    assert list(map(repr, asked)) == ["1", "True"]


# ── words for masks ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "mask"),
    [
        ("{mask: {husband_id: partial}}", Mask("partial", {"keep_start": 1, "keep_end": 1})),
        ("{mask: {husband_id: {partial: {keep_end: 4}}}}", Mask("partial", {"keep_end": 4})),
        ("{mask: {husband_id: redact}}", Mask("redact")),
        ("{mask: {husband_id: by_level}}", Mask("partial", {"keep_start": 1, "keep_end": 1})),
        ("{mask_levels: {L3: by_level}}", Mask("partial", {"keep_start": 1, "keep_end": 1})),
        ("{mask_levels: {L3: redact}, mask: {husband_id: partial}}", None),
    ],
)
def test_a_word_stands_for_the_mask_of_its_profile(
    edit: Edit, load: Load, written: str, mask: Mask | None
) -> None:
    """A rule holds the mask itself, as if it had been written in full; the word leaves no trace."""
    edit("sharing/marriage.yaml", "[status, registered_on]", "[status, husband_id]")
    folder = edit("sharing/marriage.yaml", "{mask: {registered_on: {year: {}}}, retain_days: 30}", written)
    (rule,) = load(folder).rules
    expected = mask or Mask("partial", {"keep_start": 1, "keep_end": 1})
    assert dict(rule.obligations.masks) == {"husband_id": expected}


def test_without_profiles_a_word_is_an_operator(edit: Edit, folder: Path, load: Load) -> None:
    """The file may be absent: then only what needs no explanation can be written as a word."""
    (folder / "masking-profiles.yaml").unlink()
    (rule,) = load(edit("sharing/marriage.yaml", "{year: {}}", "year")).rules
    assert dict(rule.obligations.masks) == {"registered_on": Mask("year")}
    edit("sharing/marriage.yaml", "registered_on: year", "registered_on: by_level")
    assert "没有写明此类数据项各级的做法" in "".join(problems_of(load, folder))


# ── the folder ───────────────────────────────────────────────────────────────────────────────────


def test_missing_folder_and_files_are_named(tmp_path: Path, load: Load) -> None:
    """A wrong path says so; an empty folder names all that it lacks."""
    with pytest.raises(SetUpError, match="no policy folder"):
        load(tmp_path / "nowhere")
    assert [line.split()[:2] for line in problems_of(load, tmp_path)] == [
        ["city.yaml:1:1", "FILE_MISSING"],
        ["departments.yaml:1:1", "FILE_MISSING"],
        ["service-items.yaml:1:1", "FILE_MISSING"],
    ]


@pytest.mark.parametrize(
    "file", ["sharing/deny.yml", "deny.yaml", "sharing/sub/deny.yaml", "Sharing/DENY.YAML"]
)
def test_file_that_would_be_ignored_is_refused(file: str, folder: Path, load: Load) -> None:
    """A deny rule in a file with the wrong name or place must not be passed over in silence."""
    (folder / file).parent.mkdir(exist_ok=True)
    shutil.copy(folder / "sharing/marriage.yaml", folder / file)
    assert any(f"{file}:1:1 FILE_UNEXPECTED" in line for line in problems_of(load, folder))


def test_left_overs_of_editors_do_not_matter(folder: Path, load: Load) -> None:
    """Hidden files, backups and notes change neither rules nor hash."""
    before = load(folder).hash
    for name in (".marriage.yaml.swp", ".#marriage.yaml", "marriage.yaml~", "README.md"):
        (folder / "sharing" / name).write_text("x")
    assert load(folder).hash == before


def test_file_that_is_a_folder_is_named(folder: Path, load: Load) -> None:
    """What cannot be read is a problem with a place, not a traceback."""
    (folder / "sharing/odd.yaml").mkdir()
    assert "sharing/odd.yaml:1:1 FILE_UNREADABLE" in problems_of(load, folder)[0]


def test_broken_catalog_does_not_blame_the_rules(edit: Edit, load: Load) -> None:
    """When the catalog is no YAML, only that is said: every name in the rules would seem unknown."""
    (line,) = problems_of(load, edit("catalog/registry.yaml", "datasets:", "datasets"))
    assert line.startswith("catalog/registry.yaml:4:")


def test_message_holds_both_languages_and_the_languages_apart(edit: Edit, load: Load) -> None:
    """A terminal shows every problem in both; a reader of one language gets the whole in it."""
    with pytest.raises(PolicyProblems) as refused:
        load(edit("sharing/marriage.yaml", "[fund]", "[fond]"))
    error = refused.value
    assert "没有部门“fond”，是否指“fund”？ / there is no department “fond”; did you mean “fund”?" in str(
        error
    )
    assert "did you mean" not in error.zh
    assert "sharing/marriage.yaml:7:25 UNKNOWN_DEPARTMENT" in error.zh
    assert "是否指" not in error.en


# ── the hash ─────────────────────────────────────────────────────────────────────────────────────

CONTENTS = st.dictionaries(
    st.text(alphabet="ab/.", min_size=1, max_size=4), st.binary(max_size=4), max_size=4
)


@given(CONTENTS, CONTENTS)
def test_equal_hash_means_equal_files(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    """No way of cutting paths and contents gives two sets of files one hash; their order plays no part."""
    assert (bundle_hash(one) == bundle_hash(other)) == (one == other)
    assert bundle_hash(dict(reversed(one.items()))) == bundle_hash(one)


def test_hash_is_as_documented(folder: Path, load: Load) -> None:
    """Any tool can recompute the hash of a folder, and a comment changes it."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml"))
    canonical = b"share-bundle/v1\n"
    for file in files:
        for part in (file.encode(), (folder / file).read_bytes()):
            canonical += len(part).to_bytes(8, "big") + part
    assert load(folder).hash == hashlib.sha256(canonical).hexdigest()
    (folder / "city.yaml").write_text((folder / "city.yaml").read_text("utf-8") + "# x\n", "utf-8")
    assert load(folder).hash != hashlib.sha256(canonical).hexdigest()


def test_cases_are_no_part_of_the_bundle(folder: Path, load: Load) -> None:
    """Policy cases stand in the folder and change neither bundle nor hash; elsewhere they are refused."""
    before = load(folder).hash
    (folder / "cases").mkdir()
    (folder / "cases/a.yaml").write_text("format: share-cases/v1\n", "utf-8")
    assert load(folder).hash == before
    (folder / "cases/a.yml").write_text("", "utf-8")
    with pytest.raises(PolicyProblems, match="FILE_UNEXPECTED"):
        load(folder)


@given(CONTENTS)
def test_packed_bundle_is_unpacked_as_it_was(files: dict[str, bytes]) -> None:
    """The database keeps the bytes that are hashed, and gives the same files again."""
    assert unpack(pack(files), bundle_hash(files)) == files


@given(CONTENTS, st.integers(0, 2**16), st.integers(1, 255))
def test_bent_bundle_is_refused(files: dict[str, bytes], at: int, change: int) -> None:
    """Whoever can write to the database cannot put other rules under a hash."""
    packed = bytearray(pack(files))
    packed[at % len(packed)] ^= change
    with pytest.raises(VerificationFailed):
        unpack(bytes(packed), bundle_hash(files))


# ── whatever an officer types ────────────────────────────────────────────────────────────────────

RULES = (HERE / "base/sharing/marriage.yaml").read_text("utf-8")
TYPED = st.text(alphabet="a1:：,，[]{}'\"“ -\n#&*!|~数", max_size=6)


@given(st.integers(0, len(RULES)), st.integers(0, 12), TYPED)
def test_slips_of_the_keyboard_never_crash(at: int, length: int, typed: str) -> None:
    """Any edit of a rule file loads or is refused with problems; nothing else ever comes out."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(shutil.copytree(HERE / "base", name, dirs_exist_ok=True))
        (folder / "sharing/marriage.yaml").write_text(RULES[:at] + typed + RULES[at + length :], "utf-8")
        try:
            load_bundle(folder, lambda *_: None)
        except PolicyProblems as refused:
            assert refused.problems  # noqa: PT017 - that it is not another error is what is tested


def test_shipped_policies_load() -> None:
    """The sample city's folder is sound, judged with the operators that ship."""
    operators = load_operators(None)
    bundle = load_bundle(
        ROOT / "policies",
        lambda field, mask, subjects=(): check_real_mask(operators, field.type, mask, subjects),
    )
    assert {rule.effect for rule in bundle.rules} >= {Effect.PERMIT, Effect.REVIEW, Effect.DENY}
    assert any(rule.rows.whole_dataset for rule in bundle.rules)
