"""docs/policy-language.md, statement by statement: each has cases, named beside it, that pass."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from broker.approve.bundle import Bundle, load_bundle
from broker.approve.problem import PolicyProblems
from broker.approve.rule import Rule
from broker.authoring.casefile import read_case_files, read_cases
from broker.authoring.cases import Result, run_cases
from broker.authoring.expected import differences
from broker.authoring.facts import facts
from tests.approve import reference

HERE = Path(__file__).parent / "cases"
PAGE = Path(__file__).parents[2] / "docs" / "policy-language.md"
STATEMENT = re.compile(r"\*\*(\d+\.\d+)\*\*(?: ‹([^›]*)›)?")
FOLDERS = sorted(folder.name for folder in HERE.iterdir() if folder.is_dir())
DECIDING = [name for name in FOLDERS if (HERE / name / "cases").is_dir()]
REFUSED = [name for name in FOLDERS if (HERE / name / "refused.txt").is_file()]


@cache
def results(folder: str) -> tuple[Result, ...]:
    """What became of the cases in one folder."""
    bundle = load_bundle(HERE / folder, lambda *_: None)
    return run_cases(read_cases(read_case_files(HERE / folder), bundle))


@pytest.mark.parametrize("folder", DECIDING)
def test_every_application_is_decided_as_the_page_says(folder: str) -> None:
    """Every case of the folder, whatever it expects."""
    differing = {result.case.id: result.differences for result in results(folder) if not result.passed}
    assert differing == {}


@pytest.mark.parametrize("folder", DECIDING)
def test_another_implementation_can_be_tested_by_them(folder: str) -> None:
    """The naive reading of the page, which shares nothing with the evaluator, passes the same cases."""
    for result in results(folder):
        case = result.case
        bundle = case.bundle

        def standing(rule: Rule, bundle: Bundle = bundle) -> Rule:
            return replace(rule, standing_until=bundle.about[rule.dataset].by_id[rule.id].standing_until)

        decision = reference.decide(
            case.application, case.grant, bundle.rules, bundle.catalog, case.now, case.suspensions, standing
        )
        expected = {fact: value for fact, value in case.expected.items() if fact != "near"}
        assert differences(expected, facts(decision)) == (), case.id


@pytest.mark.parametrize("folder", REFUSED)
def test_every_unsound_bundle_is_refused(folder: str) -> None:
    """For exactly the reasons given."""
    with pytest.raises(PolicyProblems) as refused:
        load_bundle(HERE / folder, lambda *_: None)
    expected = (HERE / folder / "refused.txt").read_text("utf-8").split()
    assert sorted({problem.code for problem in refused.value.problems}) == expected


def test_every_folder_decides_or_is_refused() -> None:
    """No bundle stands there that shows nothing."""
    assert sorted(DECIDING + REFUSED) == FOLDERS


def test_every_statement_has_cases_of_its_own() -> None:
    """The page names a folder behind each number, and each folder named holds a case of that number, or a
    bundle that is refused; no statement is left without."""
    statements = STATEMENT.findall(PAGE.read_text("utf-8"))
    assert len(statements) > 30
    assert len({number for number, _ in statements}) == len(statements)
    unshown = [
        (number, folder)
        for number, folders in statements
        for folder in (folders.split(", ") if folders else [""])
        if not shows(folder, number)
    ]
    assert unshown == []


def test_every_folder_is_named_on_the_page() -> None:
    """A folder of cases that no statement names would be taken for part of none."""
    assert {folder for folder in FOLDERS if f"{folder}" not in PAGE.read_text("utf-8")} == set()


def test_every_case_belongs_to_a_statement() -> None:
    """The number that a case's id begins with is one of the page, or of a section's table."""
    known = {number.replace(".", "-") for number, _ in STATEMENT.findall(PAGE.read_text("utf-8"))}
    ids = [result.case.id for folder in DECIDING for result in results(folder)]
    begun = [re.match(r"\d+(-\d+)?", id_) for id_ in ids]
    numbers = {found[0] for found in begun if found and "-" in found[0]}
    assert all(begun)
    assert numbers <= known


def shows(folder: str, number: str) -> bool:
    """Whether the folder holds a case of the statement ``number``, or is refused because of it."""
    if folder in REFUSED:
        return folder.startswith(f"{int(number.partition('.')[0]):02}-")
    prefix = f"{number.replace('.', '-')}-"
    return folder in DECIDING and any(result.case.id.startswith(prefix) for result in results(folder))
