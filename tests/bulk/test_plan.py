"""The plan file: what it says, and that whatever is wrong with it is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.masking.registry import load_operators
from broker.approve.problem import PolicyProblems
from broker.bulk.grammar import BadValues
from broker.bulk.plan import BulkPlan, Gate, read_plan
from broker.errors import SetUpError
from broker.model import Below, FieldType, Mask
from broker.settings import Masking

OPERATORS = load_operators(Masking().allowed)
POLICIES = Path(__file__).parents[2] / "policies"
HEAD = """\
format: share-mask-plan/v1
provider: civil_affairs
consumer: housing_fund
purpose: housing_fund_withdrawal
"""
FIELDS = """\
fields:
  id_no: {type: text, format: resident_id, column: 身份证号, mask: {token: {profile: resident_id}}}
  name: {type: text, mask: {partial: {keep_start: 1}}}
  born: {type: date, domain: birthday, mask: {year: {}}}
  town: {type: text, mask: as_is}
"""


def _read(folder: Path, text: str) -> BulkPlan:
    file = folder / "plan.yaml"
    file.write_text(text, "utf-8")
    return read_plan(file, OPERATORS)


def _problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(PolicyProblems) as refused:
        _read(folder, text)
    return [f"{one.line} {one.code}" for one in refused.value.problems]


def test_a_plan_says_what_is_given_of_each_field(tmp_path: Path) -> None:
    """Fields in their order, with column, key domain and mask; a field as it is has none."""
    plan = _read(tmp_path, HEAD + FIELDS)
    assert [one.field.name for one in plan.fields] == ["id_no", "name", "born", "town"]
    assert [one.column for one in plan.fields] == ["身份证号", "name", "born", "town"]
    assert [one.field.domain for one in plan.fields] == ["resident_id", "name", "birthday", "town"]
    assert plan.fields[2].field.type is FieldType.DATE
    assert plan.fields[1].mask == Mask("partial", {"keep_start": 1})
    assert plan.fields[3].mask is None
    assert plan.fields[3].released
    assert (plan.bad_values, plan.zone, plan.gate) == (BadValues.EMPTY, "Asia/Shanghai", None)


def test_the_catalog_describes_the_fields_of_its_dataset(tmp_path: Path) -> None:
    """With a dataset type, format, level, domain and column come from the policy folder."""
    text = f"policies: {POLICIES}\ndataset: civil_affairs.marriage\n"
    plan = _read(tmp_path, HEAD + text + "fields:\n  registration_no: {mask: redact}\n")
    (one,) = plan.fields
    assert (one.field.type, one.mask, plan.dataset) == (
        FieldType.TEXT,
        Mask("redact"),
        "civil_affairs.marriage",
    )
    assert one.field.level


def test_the_digest_covers_what_the_plan_means_and_no_spelling(tmp_path: Path) -> None:
    """Comments do not change it; another parameter, column, order or consumer does."""
    plain = _read(tmp_path, HEAD + FIELDS)
    assert _read(tmp_path, "# 说明\n" + HEAD + FIELDS).digest == plain.digest
    for old, new in [("keep_start: 1", "keep_start: 2"), ("housing_fund\n", "tax\n"), ("身份证号", "证号")]:
        assert _read(tmp_path, (HEAD + FIELDS).replace(old, new)).digest != plain.digest


def test_gate_and_subject_name_fields_of_the_plan(tmp_path: Path) -> None:
    """A field may be read for others' sake and not be given."""
    text = FIELDS.replace("mask: as_is", "mask: drop")
    gate = "subject: id_no\nk_anonymity: {quasi_identifiers: [born, name], k: 5}\n"
    plan = _read(tmp_path, HEAD + gate + text)
    assert plan.gate == Gate(("born", "name"), 5, Below.SUPPRESS)
    assert plan.subject == "id_no"
    assert not plan.fields[3].released
    gate = "k_anonymity: {quasi_identifiers: [town], k: 5}\n"
    assert _problems(tmp_path, HEAD + gate + text) == ["5 UNKNOWN_FIELD"]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (FIELDS.replace("{year: {}}", "{yaer: {}}"), ["8 BAD_MASK"]),
        (FIELDS.replace("mask: as_is", "mask: reduct"), ["9 BAD_MASK"]),
        (FIELDS.replace("type: date", "type: day"), ["8 UNKNOWN_WORD"]),
        (FIELDS.replace("type: date, ", ""), ["8 MISSING_KEY"]),
        (FIELDS.replace("keep_start: 1", "keep: 1"), ["7 BAD_MASK"]),
        (FIELDS.replace(", mask: as_is", ""), ["9 MISSING_KEY"]),
        (FIELDS + "  town: {type: text, mask: as_is}\n", ["10 DUPLICATE_KEY"]),
        (FIELDS + "k_anonymity: {quasi_identifiers: [town], k: 1}\n", ["10 BAD_COUNT"]),
        (FIELDS + "dataset: civil_affairs.marriage\n", ["10 MISSING_KEY"]),
        (FIELDS + "worker: 3\n", ["10 UNKNOWN_KEY"]),
        ("fields:\n  town: {type: text, mask: drop}\n", ["6 NOTHING"]),
        ("fields: {}\n", ["5 EMPTY_LIST"]),
        ("fields：\n  a: b\n", ["5 FULL_WIDTH"]),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, written: str, found: list[str]) -> None:
    """No plan with a mistake is ever run, and each mistake has its line and code."""
    assert _problems(tmp_path, HEAD + written) == found


def test_what_the_catalog_says_is_not_said_again(tmp_path: Path) -> None:
    """A field's type is the catalog's; unknown departments, purposes and datasets are found."""
    text = f"policies: {POLICIES}\ndataset: civil_affairs.marriage\n"
    fields = "fields:\n  registration_no: {type: text, mask: redact}\n  registration: {mask: redact}\n"
    assert _problems(tmp_path, HEAD + text + fields) == ["8 CONFLICTING_KEYS", "9 UNKNOWN_FIELD"]
    head = HEAD.replace("provider: civil_affairs", "provider: tax").replace("housing_fund_w", "w")
    fields = "fields:\n  registration_no: {mask: redact}\n"
    assert _problems(tmp_path, head + text + fields) == ["2 NOT_THE_PROVIDER", "4 UNKNOWN_PURPOSE"]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """No traceback for a mistyped name."""
    with pytest.raises(SetUpError, match=r"plan\.yaml"):
        read_plan(tmp_path / "plan.yaml", OPERATORS)
