"""The scenarios of the demo, run once with a broker and every department's process, in a small city."""

from io import StringIO

import orjson
import pytest
from rich.console import Console

from broker.demo.report import print_report
from broker.demo.run import Report, run
from broker.demo.scenarios import GRID, LOW_INCOME, Scenario
from broker.demo.setup import load_shipped, prepare, shipped_policies


@pytest.fixture(scope="module")
def bundle():
    return load_shipped(shipped_policies())


@pytest.fixture(scope="module")
def embedded(tmp_path_factory, bundle):
    folder = tmp_path_factory.mktemp("demo")
    return prepare(folder, 300, 7, shipped_policies(), bundle.catalog.departments)


@pytest.fixture(scope="module")
def report(embedded, bundle) -> Report:
    return run(embedded, bundle)


def told(report: Report, scenario: Scenario):
    return [one for one in report.exchanges if one.scenario is scenario]


def amounts(report: Report) -> list[str]:
    """The sums of money that the departments have about the applicant, as they are written."""
    asked = [one for one in told(report, LOW_INCOME) if one.ask.fields != ("area_m2",)]
    return [str(value) for one in asked for row in one.before for value in row.values()]


def test_seven_departments_each_answer_yes_or_no(report, bundle):
    """No two of them are the same, none is the one that asks, and every answer is a truth value."""
    answers = told(report, LOW_INCOME)
    providers = {bundle.catalog.datasets[one.ask.dataset].department for one in answers}
    assert len(providers) == len(answers) == 7
    assert LOW_INCOME.consumer not in providers
    values = [value for one in answers for record in one.result["records"] for value in record.values()]
    assert values == [True, True, True, True, False, True, True]


def test_no_amount_leaves_the_departments(report, embedded):
    """The amounts are in what the departments keep, and nowhere else: no answer, receipt, log or database."""
    kept = amounts(report)
    assert len(kept) == 6
    assert all(len(amount) > len("1234.") for amount in kept)
    answers = orjson.dumps([one.result["records"] for one in told(report, LOW_INCOME)])
    receipts = orjson.dumps([one.result["receipt"] for one in told(report, LOW_INCOME)])
    found = [file for file in embedded.folder.rglob("*") if file.is_file() and "data" not in file.parts]
    assert {"broker.log", "1.json"} <= {file.name for file in found}
    for text in (answers, receipts, *(file.read_bytes() for file in found)):
        for amount in kept:
            assert amount.encode() not in text


def test_the_grids_service_joins_three_departments(report, bundle):
    """Public security, tax and the grid centre each answer, and no name or number comes in the clear."""
    answers = told(report, GRID)
    assert [bundle.catalog.datasets[one.ask.dataset].department for one in answers] == [
        "public_security",
        "tax",
        "grid_centre",
    ]
    household = answers[0]
    assert [one.result["status"] for one in answers] == ["found"] * 3
    assert household.result["records"][0]["name"] != household.before[0]["name"]
    assert household.result["records"][0]["household_no"] != household.before[0]["household_no"]


def test_the_tax_office_has_its_commitment_in_the_call(report):
    """Instead of a deposit and two months: signed by the consumer's key, held in the receipt."""
    (of_tax,) = [one for one in told(report, GRID) if one.ask.dataset == "tax.contribution"]
    (commitment,) = orjson.loads(of_tax.result["receipt"]["statement"])["commitments"]
    assert commitment["template"] == "tax-contribution-use"
    assert of_tax.result["commitments"] == ["tax-contribution-use"]


def test_the_whole_register_takes_two_officers(report):
    """Without the grant people must review; under it the whole register comes, receipted act by act."""
    bulk = report.bulk
    assert (bulk.without_grant, bulk.under_grant) == ("review", "permit")
    assert bulk.rows > 200
    assert len(set(bulk.receipts)) == 5


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_it_is_printed_in_one_language(report, bundle, lang):
    """Every scenario by its title, every question with its answer."""
    console = Console(record=True, width=120, file=StringIO())
    print_report(report, bundle, lang, console)
    text = console.export_text()
    for one in report.exchanges:
        assert getattr(one.scenario.title, lang) in text
    assert ("是" if lang == "zh" else "yes") in text
    assert "None" not in text
