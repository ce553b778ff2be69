"""k-anonymity and totals in whole exchanges, over a real connection: what is kept back, told and recorded."""

import shutil
import sqlite3
from collections import Counter, defaultdict
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from orjson import loads

from broker.client import Client, Credentials, VerifierKey
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from broker.errors import TooSmall
from broker.model import AnswerStatus, Verdict
from broker.reasons import Reason

DEPARTMENTS = ("data_authority", "housing_fund", "medical_insurance", "public_security", "tax")
K = 4
LARGEST = 5
"""Percent of a sum."""
TERMS = """
    consent: {application_no: GX-1, consumer_head: 甲, provider_head: 乙}
    limits: {calls_per_day: 2000}
    when: {from: "2025-08-01", until: "2029-12-31"}
"""
RULES = {
    "public-security-household": f"""
  - id: alike
    effect: permit
    who: {{departments: [medical_insurance]}}
    what: {{dataset: public_security.household, fields: [district, sex, relation]}}
    why: {{purposes: [grid_service], legal_basis: [一]}}
    rows: {{subjects: all}}
    obligations: {{k_anonymity: {{quasi_identifiers: [district, born_on, sex], k: {K}}}}}
{TERMS}
  - id: by-year
    effect: permit
    who: {{departments: [medical_insurance]}}
    what: {{dataset: public_security.household, fields: [born_on]}}
    why: {{purposes: [grid_service], legal_basis: [一]}}
    rows: {{subjects: all}}
    obligations: {{mask: {{born_on: {{year: {{}}}}}}}}
{TERMS}
  - id: or-nothing
    effect: permit
    who: {{departments: [housing_fund]}}
    what: {{dataset: public_security.household, fields: [district, born_on, sex]}}
    why: {{purposes: [housing_fund_audit], legal_basis: [一]}}
    rows: {{subjects: all}}
    obligations: {{k_anonymity: {{quasi_identifiers: [born_on], k: {K}, below: refuse}}}}
{TERMS}""",
    "tax-income": f"""
  - id: statistics
    effect: permit
    who: {{departments: [medical_insurance]}}
    what: {{dataset: tax.income, fields: [tax_year, taxable_income]}}
    why: {{purposes: [grid_service], legal_basis: [一]}}
    rows: {{subjects: all}}
    obligations:
      aggregate:
        by: [tax_year]
        measures: {{taxable_income: [sum, mean, count]}}
        smallest_group: 10
{TERMS}
  - id: chosen
    effect: permit
    who: {{departments: [housing_fund]}}
    what: {{dataset: tax.income, fields: [tax_year, taxable_income]}}
    why: {{purposes: [housing_fund_audit], legal_basis: [一]}}
    obligations:
      aggregate:
        by: [tax_year]
        measures: {{taxable_income: [mean]}}
        smallest_group: 3
        named_subjects: true
{TERMS}""",
}


class Office:
    """A broker under these rules, and what its sources hold."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        policies = shutil.copytree(shipped_policies(), folder / "policies")
        for name, rules in RULES.items():
            file = policies / "sharing" / f"{name}.yaml"
            file.write_text(file.read_text("utf-8").rstrip() + "\n" + rules, "utf-8")
        (policies / "sharing" / "data-authority-whole.yaml").unlink()  # it forbids what is tried here
        catalog = policies / "catalog" / "tax.yaml"
        catalog.write_text(catalog.read_text("utf-8").replace("[api]", "[api, batch]"), "utf-8")
        self.embedded = prepare(folder, 1_000, 7, policies, DEPARTMENTS)
        self.data = folder / "data"
        self._address = stack.enter_context(broker_process(self.embedded))
        self._stack = stack

    def client(self, department: str) -> Client:
        trust = VerifierKey.parse(Path(self.embedded.trust).read_text("utf-8").strip())
        credentials = Credentials.load(self.embedded.identity(department))
        return self._stack.enter_context(Client(self._address, credentials, trust=trust))

    def people(self) -> list[dict[str, str]]:
        """The register."""
        with closing(sqlite3.connect(self.data / "public_security.db")) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute("SELECT * FROM czrk")]

    def incomes(self) -> list[dict[str, object]]:
        """What was declared."""
        return pq.read_table(self.data / "income.parquet").to_pylist()


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """A running broker."""
    with ExitStack() as stack:
        yield Office(tmp_path_factory.mktemp("groups"), stack)


def asked(dataset, fields, **terms):
    """Of medical insurance for its grids, unless ``terms`` say otherwise."""
    return {
        "dataset": dataset,
        "fields": list(fields),
        "purpose": "grid_service",
        "service_item": "990100-YB-0007",
        "case_no": "YB-1",
        "legal_basis": "一",
        "operator": "YB-0001",
    } | terms


AUDIT = {"purpose": "housing_fund_audit", "service_item": "990100-GJJ-0009"}


def alike(person):
    """What a person looks like after masking."""
    return person["xzqh"], str(person["csrq"])[:4], person["xb"]


def test_a_stream_leaves_out_rows_of_too_few(office):
    """Exactly those whose district, year of birth and sex too few share; a retry brings the same."""
    crowds = Counter(map(alike, office.people()))
    small = sum(size for size in crowds.values() if size < K)
    assert 0 < small < len(office.people())
    question = asked("public_security.household", ("district", "born_on", "sex", "relation"))
    with office.client("medical_insurance").stream(**question) as stream:
        rows = stream.table().to_pylist()
        assert stream.decision.obligations.k_anonymity.k == K
    released = Counter((row["district"], row["born_on"], row["sex"]) for row in rows)
    assert min(released.values()) >= K
    assert sorted(released.values()) == sorted(size for size in crowds.values() if size >= K)
    counts = stream.outcome.counts
    assert counts.suppressed == stream.suppressed == small - counts.bad
    assert counts.read == counts.released + counts.bad + counts.suppressed
    said = loads(stream.outcome_receipt.statement)
    assert said["outcome"]["rows"]["suppressed"] == counts.suppressed
    names = ["born_on", "district", "sex"]
    assert said["obligations"]["k_anonymity"] == {"quasi_identifiers": names, "k": K, "below": "suppress"}
    again = office.client("medical_insurance").stream(**question, request_id=stream.request_id)
    with again as retried:
        retried.table()
    assert retried.redelivered
    assert retried.outcome.digest == stream.outcome.digest


def test_somebody_left_out_is_doubtful_and_never_none(office):
    """Of people named, those that look like nobody else: there is a record, which a person must look at."""
    crowds = Counter(alike(person) for person in office.people())
    kind = max(crowds, key=lambda kind: crowds[kind])
    crowd = [person["sfzh"] for person in office.people() if alike(person) == kind][:K]
    loner = next(person["sfzh"] for person in office.people() if alike(person) != kind)
    answer = office.client("medical_insurance").exchange(
        **asked("public_security.household", ("district", "born_on", "sex"), subjects=[*crowd, loner])
    )
    assert len(answer.records) == K
    assert answer.suppressed == 1
    assert answer.subject_statuses == (*[AnswerStatus.FOUND] * K, AnswerStatus.DOUBTFUL)
    assert answer.status is AnswerStatus.DOUBTFUL


def test_or_nothing_is_released(office):
    """One day of birth that too few share refuses the stream before its first chunk, and a single message
    with a reason; without that field there is no gate."""
    client = office.client("housing_fund")
    question = asked("public_security.household", ("district", "born_on"), **AUDIT)
    with pytest.raises(TooSmall) as raised, client.stream(**question) as stream:
        stream.table()
    assert raised.value.reason is Reason.CLASS_TOO_SMALL
    loner = office.people()[0]["sfzh"]
    refused = client.exchange(**question, subjects=[loner])
    assert (refused.verdict, [why.code for why in refused.reasons]) == (Verdict.DENY, ["CLASS_TOO_SMALL"])
    assert client.exchange(**question | {"fields": ["sex"]}, subjects=[loner]).permitted


def test_a_stream_of_totals(office):
    """One row for each year, exact to the cent, and no row of anybody; a retry brings the same."""
    incomes = defaultdict(list)
    for row in office.incomes():
        incomes[row["ssnd"]].append(Decimal(str(row["ynssde"])))
    question = asked("tax.income", ("tax_year", "taxable_income"))
    with office.client("medical_insurance").stream(**question) as stream:
        assert stream.only_totals, stream.reasons
        table = stream.table()
    demanded = stream.decision.obligations.aggregate
    assert (list(demanded.by), demanded.smallest_group, demanded.largest_share) == (["tax_year"], 10, 0)
    assert list(demanded.measures["taxable_income"].measures) == ["sum", "mean", "count"]
    names = ["sum(taxable_income)", "mean(taxable_income)", "count(taxable_income)", "count(rows)"]
    assert table.column_names == ["tax_year", *names]
    assert list(stream.masks) == table.column_names
    for row in table.to_pylist():
        values = incomes.pop(row["tax_year"])
        assert Decimal(row["sum(taxable_income)"]) == sum(values)
        mean = sum(values) / len(values)
        assert abs(Decimal(row["mean(taxable_income)"]) - mean) <= Decimal("0.0000005")
        assert row["count(rows)"] == row["count(taxable_income)"] == len(values)
    assert all(len(values) < 10 for values in incomes.values())
    said = loads(stream.outcome_receipt.statement)
    assert said["outcome"]["rows"]["released"] == table.num_rows
    assert said["outcome"]["rows"]["read"] == len(office.incomes())
    assert said["obligations"]["aggregate"]["by"] == ["tax_year"]
    again = office.client("medical_insurance").stream(**question, request_id=stream.request_id)
    with again as retried:
        retried.table()
    assert retried.redelivered


def test_totals_are_asked_for_as_they_are_given(office):
    """Without the grouping, or over people that the consumer chose, they are refused, with every reason."""
    client = office.client("medical_insurance")
    person = office.incomes()[0]["nsrsbh"]
    refused = client.exchange(**asked("tax.income", ("taxable_income",), subjects=[person]))
    codes = [(why.code, why.about) for why in refused.reasons]
    assert codes == [("GROUPING_INCOMPLETE", "tax_year"), ("SUBJECTS_NOT_AGGREGATED", "")]


def test_totals_over_people_named(office):
    """Where the permit lets them be named: a group of enough, about nobody; of too few nothing."""
    client = office.client("housing_fund")
    rows = office.incomes()
    year = Counter(row["ssnd"] for row in rows).most_common(1)[0][0]
    people = sorted({row["nsrsbh"] for row in rows if row["ssnd"] == year})
    question = asked("tax.income", ("tax_year", "taxable_income"), **AUDIT)
    answer = client.exchange(**question, subjects=people[:5])
    assert answer.only_totals
    assert answer.subject_statuses == ()
    found = {record["tax_year"]: record for record in answer.records}
    values = [Decimal(str(r["ynssde"])) for r in rows if r["ssnd"] == year and r["nsrsbh"] in people[:5]]
    assert Decimal(found[year]["mean(taxable_income)"]) == (sum(values) / len(values)).quantize(
        Decimal("0.000001")
    )
    assert all(subjects == () for subjects in answer.record_subjects)
    few = client.exchange(**question, subjects=people[:2])
    assert (few.records, few.status, few.suppressed > 0) == ([], AnswerStatus.DOUBTFUL, True)
    again = client.exchange(**question, subjects=people[:5], request_id=answer.request_id)
    assert again.redelivered
