"""Case files are read as strictly as policies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.approve.bundle import Bundle
from broker.approve.problem import PolicyProblems
from broker.authoring.casefile import read_case_files, read_cases
from broker.errors import SetUpError
from broker.model import Target

BROKEN = Path(__file__).parent / "broken_cases"

FILE = """
format: share-cases/v1
at: "2026-11-23 10:00"
defaults: {case_no: C-1, legal_basis: 条例 第一条}
grants:
  g1:
    {department: fund, dataset: registry.marriage, fields: [status], purpose: withdrawal,
     from: "2026-01-01 00:00", until: "2027-01-01 00:00"}
applications:
  one:
    {department: fund, dataset: registry.marriage, fields: [status], purpose: withdrawal, legal_basis: 他法}
cases:
  - {id: plain, application: one, expect: {decision: deny}}
  - id: changed
    application: one
    with: {fields: [status, district], subjects: 3, system: window-2, signed_application: true, grant: g1}
    without: [case_no]
    at: "2026-11-24 00:30"
    suspended: {purpose: withdrawal}
    expect: {decision: deny}
  - {id: whole, application: one, with: {subjects: all}, suspended: everything, expect: {decision: deny}}
"""


def cases(text: str, bundle: Bundle):
    return {case.id: case for case in read_cases({"cases/a.yaml": text.encode()}, bundle)}


def test_application_stands_alone_but_for_defaults_and_changes(bundle: Bundle) -> None:
    """What an application leaves out is the file's default; a case changes its own copy only."""
    read = cases(FILE, bundle)
    plain, changed = read["plain"].application, read["changed"].application
    assert (plain.case_no, plain.legal_basis, plain.fields) == ("C-1", "他法", ("status",))
    assert len(plain.subjects) == 1
    assert not plain.signed_digest
    assert (changed.case_no, changed.legal_basis, changed.fields) == ("", "他法", ("status", "district"))
    assert len(changed.subjects) == 3
    assert changed.consumer.uri == "spiffe://testcity/department/fund/system/window-2"
    assert changed.signed_digest
    whole = read["whole"].application
    assert whole.streamed
    assert whole.subjects == ()


def test_clock_is_frozen_in_the_zone_of_the_city(bundle: Bundle) -> None:
    """The file's time holds for each case that has none of its own; a zone may be named."""
    read = cases(FILE, bundle)
    assert read["plain"].now == datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    assert read["changed"].now == datetime(2026, 11, 23, 16, 30, tzinfo=UTC)
    elsewhere = cases(FILE.replace("defaults:", "zone: UTC\ndefaults:"), bundle)
    assert elsewhere["plain"].now == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def test_grants_and_suspensions_are_fixtures(bundle: Bundle) -> None:
    """A grant is found by the name that the application gives, a suspension holds for its case only."""
    read = cases(FILE, bundle)
    assert read["plain"].grant is None
    assert read["changed"].grant is not None
    assert read["changed"].grant.fields == {"status"}
    assert [(s.target, s.name) for s in read["changed"].suspensions] == [(Target.PURPOSE, "withdrawal")]
    assert [s.target for s in read["whole"].suspensions] == [Target.EVERYTHING]
    assert read["plain"].suspensions == ()


def test_unknown_names_are_allowed_where_their_refusal_is_expected(bundle: Bundle) -> None:
    """Whoever tests how an unknown dataset is refused can name one."""
    expected = "with: {dataset: registry.none}, expect: {decision: deny, reasons: [DATASET_UNKNOWN]}"
    text = FILE.replace("expect: {decision: deny}}\n  - id: changed", expected + "}\n  - id: changed")
    assert cases(text, bundle)["plain"].application.dataset == "registry.none"
    with pytest.raises(PolicyProblems, match="UNKNOWN_DATASET"):
        cases(text.replace("DATASET_UNKNOWN", "SUSPENDED"), bundle)


@pytest.mark.parametrize("name", sorted(path.stem for path in BROKEN.glob("*.yaml")))
def test_every_mistake_is_told_with_its_place_and_cure(name: str, bundle: Bundle) -> None:
    """All problems of a broken case file at once, word for word."""
    path = BROKEN / f"{name}.yaml"
    with pytest.raises(PolicyProblems) as refused:
        read_cases(read_case_files(path), bundle)
    assert str(refused.value) == path.with_suffix(".txt").read_text("utf-8").rstrip("\n")


def test_cases_are_found_in_the_policy_folder_or_where_one_says(tmp_path: Path) -> None:
    """Of a policy folder its cases/, of another folder every YAML file, or one file."""
    (tmp_path / "policies/cases").mkdir(parents=True)
    (tmp_path / "policies/cases/a.yaml").write_text("a", "utf-8")
    (tmp_path / "policies/city.yaml").write_text("b", "utf-8")
    assert read_case_files(tmp_path / "policies") == {"cases/a.yaml": b"a"}
    assert read_case_files(tmp_path / "policies/cases") == {"a.yaml": b"a"}
    assert read_case_files(tmp_path / "policies/cases/a.yaml") == {"a.yaml": b"a"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(SetUpError, match="share-cases/v1"):
        read_case_files(tmp_path / "empty")
