"""Corrections over the wire, on either database, with a vault: reported, answered, told and forgotten."""

import asyncio
import json
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from typer.testing import CliRunner

from broker.audit.verify.evidence import DatabasePlace
from broker.audit.verify.remarks import Nature
from broker.audit.verify.run import Job, verify
from broker.audit.verify.said import Anchors
from broker.cli.main import app
from broker.client import AsyncClient, Client, Credentials, DataError, Settlement, VerifierKey
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from broker.errors import Changed, MalformedRequest, NotAuthorised, NotFound, NotPossible
from broker.keys.authority import Authority
from broker.keys.files import write_private_file
from broker.model import Role
from broker.reasons import Reason
from broker.receipt.fsck import open_fsck
from broker.receipt.log_keys import LogKeys
from broker.receipt.memory import remembered
from broker.receipt.verify import verify_checkpoint
from broker.settings import load_settings
from broker.store import migrate
from broker.store.store import open_store
from tests.statement_schema import require_documented

DEPARTMENTS = ("data_authority", "housing_fund", "medical_insurance", "public_security", "tax")
PATIENCE = 120.0
CANARY = "qzxcanary值"
"""In everything that is said of a person: to be found by the provider's officer, and nowhere else."""


class Patient(Client):
    """The client of callers who may have to wait for a slow machine."""

    def _try(self, attempt, timeout, request_id):
        return super()._try(attempt, max(timeout, PATIENCE), request_id)


class House:
    """A broker with a vault, on a database."""

    def __init__(self, folder, url):
        self.embedded = prepare(folder, 1_000, 7, shipped_policies(), DEPARTMENTS)
        self.settings = load_settings(self.embedded.settings)
        self.url = url or self.settings.store_url
        self.trust = VerifierKey.parse(Path(self.embedded.trust).read_text("utf-8").strip())
        self.opened = []
        with closing(sqlite3.connect(folder / "data" / "public_security.db")) as database:
            people = database.execute("SELECT sfzh FROM czrk ORDER BY sfzh LIMIT 40").fetchall()
        self.people = iter(row[0] for row in people)

    def folder(self, department, role=Role.SYSTEM):
        """Of a certificate; officers are issued theirs when they first act."""
        folder = Path(self.embedded.identity(department, role))
        if not folder.exists():
            issued = Authority.open(self.embedded.folder / "pki").issue(department, role, "li")
            folder.mkdir(mode=0o700)
            write_private_file(folder / "key.pem", issued.key_pem)
            (folder / "cert.pem").write_bytes(issued.cert_pem)
            shutil.copy(self.embedded.folder / "pki" / "ca.pem", folder)
        return folder

    def client(self, department, role=Role.SYSTEM):
        credentials = Credentials.load(self.folder(department, role))
        self.opened.append(Patient(self.address, credentials, trust=self.trust))
        return self.opened[-1]

    def ask(self, *people):
        """An exchange of the housing fund about people; gives its receipt's leaf."""
        exchanged = self.client("housing_fund").exchange(
            dataset="public_security.household",
            fields=["relation", "district"],
            subjects=list(people),
            purpose="housing_fund_withdrawal",
            service_item="990100-GJJ-0003",
            case_no="GJJ-2026-000077",
            legal_basis="住房公积金管理条例 第二十四条",
            operator="GJJ-0088",
        )
        assert exchanged.records
        return exchanged.receipt.leaf_index

    def refused(self):
        """Leaf of an exchange that was refused."""
        fund = self.client("housing_fund")
        terms = {"dataset": "public_security.household", "fields": ["relation"], "purpose": "grid_service"}
        return fund.exchange(**terms, subjects=[next(self.people)]).receipt.leaf_index

    def report(self, receipt, subject="", **more):
        said = {
            "receipt": receipt,
            "error": DataError.WRONG_VALUE,
            "fields": ["relation"],
            "subject": subject,
            "claimed": {"relation": CANARY},
            "grounds": f"户口簿所载为{CANARY}",
        }
        return self.client("housing_fund").corrections.report(**said | more)

    def answer(self, number, settlement=Settlement.CORRECTED, **more):
        officer = self.client("public_security", Role.OFFICER)
        times = {"right_from": datetime.now(UTC)} if settlement is Settlement.CORRECTED else {}
        said = {"settlement": settlement, "grounds": "已与户籍底册核对", **times, **more}
        return officer.corrections.answer(number, **said)

    def told(self, number):
        """Waits until those who received the value are told."""
        auditor, until = self.client("data_authority", Role.AUDITOR), time.monotonic() + PATIENCE
        while not auditor.corrections.get(number).correction.told:
            assert time.monotonic() < until
            time.sleep(0.05)
        return [
            one
            for one in auditor.corrections.notices("public_security.household")
            if self.statement(one.receipt)["correction"] == number
        ]

    def statement(self, receipt):
        """Of a leaf that is on record; the head over it is signed a moment later."""
        auditor, until = self.client("data_authority", Role.AUDITOR), time.monotonic() + PATIENCE
        while True:
            try:
                return orjson.loads(auditor.receipt(int(receipt.removeprefix("receipts/"))).statement)
            except NotFound:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def run(self, department, role, *words, code=0, typed=""):
        """A command as somebody of a department; gives what it printed."""
        identity = ["--broker", self.address, "--identity", str(self.folder(department, role))]
        done = CliRunner().invoke(app, ["correction", *map(str, words), *identity], input=typed)
        assert done.exit_code == code, done.output
        return done.output


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def house(request, tmp_path_factory):
    """A running broker on either database; in the end its log is sound, and nowhere is anything personal."""
    url = ""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "postgres":
            url = request.getfixturevalue("new_postgres_url")()
            migrate(url)
            patch.setenv("SHAREBROKER_STORE__URL", url)
        made = House(tmp_path_factory.mktemp("house"), url)
        with broker_process(made.embedded) as made.address:
            yield made
            for client in made.opened:
                client.close()
    require_sound(made)
    require_documented(made.url)
    require_nothing_personal(made)


def require_sound(house):
    """That neither ``fsck`` nor an auditor finds anything wrong with what the broker has recorded."""
    state = house.settings.path(house.settings.keys.signer_state)
    with open_fsck(house.url, state, house.trust) as check:
        assert list(check.findings()) == []
    authority = Authority.open(house.embedded.folder / "pki").certificate
    anchors = Anchors(LogKeys(house.trust), authority=authority.public_bytes(serialization.Encoding.DER))
    head = verify_checkpoint(remembered(state, house.trust), house.trust)
    report = verify(Job(DatabasePlace(house.url), anchors, head))
    assert [one for one in report.remarks if one.nature is not Nature.OVERDUE] == []


def require_nothing_personal(house):
    """That what was said of people is in no table, no file of the database and no line of the log."""
    canary = CANARY.encode()
    with closing(open_store(house.url)) as store:
        size = store.head().size
        statements = b"".join(store.leaf(index).entry.statement for index in range(size))
    assert canary not in statements
    for file in house.embedded.folder.rglob("*"):
        if file.is_file() and file.parent.name != "data":
            assert canary not in file.read_bytes(), file


def test_everyone_who_received_the_value_is_told(house, package):
    """The person's other receipts and the streams of all in scope, each caller once; nobody else's."""
    person, other = next(house.people), next(house.people)
    before = house.ask(other)
    first, both = house.ask(person), house.ask(other, person)
    insurer = house.client("medical_insurance")
    with insurer.stream(**package | {"fields": ["resident_id", "name", "district"]}) as stream:
        stream.table()
    streamed = stream.outcome_receipt.leaf_index
    asked = {"fields": ["district"], "claimed": {"district": CANARY}, "for_citizen": True}
    report = house.report(both, person, **asked)
    said = orjson.loads(report.receipt.statement)
    assert (said["of"], said["subject"]) == (both, {"place": 1, "proved": True})
    assert report.due_at - datetime.now(UTC) > timedelta(days=9)
    answer = orjson.loads(house.answer(report.number).statement)
    assert (answer["settlement"], answer["late"], answer["of"]) == ("corrected", False, both)
    notices = {one.consumer: one for one in house.told(report.number)}
    assert notices.keys() == {"departments/housing_fund", "departments/medical_insurance"}
    fund, insurance = notices["departments/housing_fund"], notices["departments/medical_insurance"]
    assert (list(fund.receipts), list(fund.streams)) == ([f"receipts/{first}", f"receipts/{both}"], [])
    assert list(insurance.receipts) == []
    assert f"receipts/{streamed}" in insurance.streams
    assert f"receipts/{before}" not in [*fund.receipts, *insurance.streams]
    assert list(fund.fields) == ["district"]
    seen = [one.receipt for one in insurer.corrections.notices()]
    assert insurance.receipt in seen
    assert fund.receipt not in seen


def test_only_the_providers_officer_reads_what_is_held_until_it_is_settled(house):
    """Not the reporter, not an auditor, not the authority; and afterwards nobody."""
    person = next(house.people)
    report = house.report(house.ask(person), person)
    for department, role in (
        ("housing_fund", Role.SYSTEM),
        ("housing_fund", Role.OFFICER),
        ("data_authority", Role.OFFICER),
        ("data_authority", Role.AUDITOR),
    ):
        found = house.client(department, role).corrections.get(report.number)
        assert not found.HasField("content")
        assert CANARY not in str(found)
    officer = house.client("public_security", Role.OFFICER)
    content = officer.corrections.get(report.number).content
    assert (content.subject, dict(content.claimed_values)) == (person, {"relation": CANARY})
    for department in ("tax", "medical_insurance"):
        with pytest.raises(NotFound):
            house.client(department).corrections.get(report.number)
    house.answer(report.number, Settlement.CONFIRMED)
    assert not officer.corrections.get(report.number).HasField("content")


def test_whoever_is_forgotten_is_forgotten_in_corrections_too(house):
    """What is held cannot be read any more, and nobody is found by the person."""
    person = next(house.people)
    receipt, other = house.ask(person), house.ask(person)
    report = house.report(receipt, person)
    officer = house.client("public_security", Role.OFFICER)
    assert officer.corrections.get(report.number).content.subject == person
    words = ["vault", "forget", "--reason", "依申请", "--yes", "--config", str(house.embedded.settings)]
    done = CliRunner().invoke(app, words, input=f"{person}\n")
    assert done.exit_code == 0, done.output
    assert not officer.corrections.get(report.number).HasField("content")
    house.answer(report.number)
    notices = house.told(report.number)
    assert {name for one in notices for name in one.receipts} == {f"receipts/{receipt}"}
    assert {house.statement(one.receipt)["reach"] for one in notices} == {"receipt"}
    assert f"receipts/{other}" not in [name for one in notices for name in one.receipts]


def test_a_report_counts_once_and_what_is_wrong_with_one_is_said_at_once(house):
    """A retry gets the first receipt; all mistakes of a bad one are named together."""
    person, other = next(house.people), next(house.people)
    receipt = house.ask(person, other)
    first, again = house.report(receipt, person), house.report(receipt, person)
    assert (again.number, again.repeated, first.repeated) == (first.number, True, False)
    assert house.report(receipt, person, grounds="别的理由").number != first.number
    with pytest.raises(MalformedRequest) as refused:
        house.report(receipt, next(house.people), fields=["name"], claimed={}, grounds=" ")
    assert {one.field for one in refused.value.violations} == {"fields[0]", "grounds", "subject"}
    assert CANARY not in str(refused.value)
    with pytest.raises(MalformedRequest):
        house.report(receipt)  # two people, and nobody is named
    with pytest.raises(NotFound):
        house.client("tax").corrections.report(
            receipt=receipt, error=DataError.WRONG_VALUE, fields=["relation"], grounds="不是本部门的"
        )
    with pytest.raises(NotPossible) as nothing:
        house.report(house.refused(), person)
    assert nothing.value.reason is Reason.NOTHING_TO_CORRECT


def test_an_answer_is_the_providers_once_and_tells_nothing_personal(house):
    """Another department, words that repeat what is held, another answer after the first: refused."""
    person = next(house.people)
    report = house.report(house.ask(person), person)
    fund = house.client("housing_fund", Role.OFFICER)
    with pytest.raises(NotAuthorised) as foreign:
        fund.corrections.answer(report.number, settlement=Settlement.CONFIRMED, grounds="无误")
    assert foreign.value.reason is Reason.CORRECTION_NOT_YOURS
    for grounds in (f"应为{CANARY}", f"证件 {person}", "电话 13800138000", " "):
        with pytest.raises(MalformedRequest) as refused:
            house.answer(report.number, grounds=grounds)
        assert refused.value.reason is Reason.SIGNATURE_INVALID
    receipt = house.answer(report.number, Settlement.REFERRED, referred_to="省公安厅")
    with pytest.raises(Changed) as late:
        house.answer(report.number, Settlement.CONFIRMED)
    assert (late.value.reason, late.value.about) == (
        Reason.CORRECTION_ANSWERED,
        f"receipts/{receipt.leaf_index}",
    )


def test_the_twin_does_the_same(house):
    """For programs on asyncio."""
    person = next(house.people)
    receipt = house.ask(person)

    async def use():
        credentials = Credentials.load(house.folder("housing_fund", Role.SYSTEM))
        async with AsyncClient(house.address, credentials, trust=house.trust) as fund:
            report = await fund.corrections.report(
                receipt=receipt,
                error=DataError.OUT_OF_DATE,
                fields=["relation"],
                grounds=CANARY,
                timeout=PATIENCE,
            )
            listed = [one.name async for one in fund.corrections.all(open=True, timeout=PATIENCE)]
            assert f"corrections/{report.number}" in listed
            assert [one async for one in fund.corrections.notices("tax.nothing", timeout=PATIENCE)] == []
            return report.number

    number = asyncio.run(use())

    async def answer():
        credentials = Credentials.load(house.folder("public_security", Role.OFFICER))
        async with AsyncClient(house.address, credentials, trust=house.trust) as officer:
            await officer.corrections.answer(
                number, settlement=Settlement.CONFIRMED, grounds="无误", timeout=PATIENCE
            )
            found = await officer.corrections.get(number, timeout=PATIENCE)
            quality = await officer.corrections.quality("public_security.household", timeout=PATIENCE)
            return found.correction.answer_receipt, quality.confirmed

    told, confirmed = asyncio.run(answer())
    assert told
    assert confirmed >= 1


def test_people_do_it_from_the_command_line(house):
    """Report, list, show, answer, notices and quality, in words and for machines."""
    person = next(house.people)
    receipt = house.ask(person)
    trust = ("--trust", house.embedded.trust)
    content = json.dumps({"subject": person, "claimed": {"relation": CANARY}, "grounds": CANARY})
    words = ("report", receipt, "--error", "wrong_value", "--field", "relation", *trust)
    said = house.run("housing_fund", Role.SYSTEM, *words, typed=content)
    assert "Reported as correction" in said
    again = house.run("housing_fund", Role.SYSTEM, *words, "--json", typed=content)
    number = json.loads(again)["correction"]
    listed = house.run("public_security", Role.OFFICER, "list", "--open", "--json")
    assert number in [json.loads(line)["correction"] for line in listed.splitlines()]
    assert CANARY not in listed
    assert CANARY in house.run("public_security", Role.OFFICER, "show", number)
    assert CANARY not in house.run("housing_fund", Role.OFFICER, "show", number, "--json")
    words = ("answer", number, "--settlement", "corrected", "--grounds", "已更正", *trust)
    assert "corrected" in house.run("public_security", Role.OFFICER, *words)
    house.told(number)
    notices = house.run("housing_fund", Role.SYSTEM, "notices", "--json")
    assert any(receipt in json.loads(line)["receipts"] for line in notices.splitlines())
    assert "relation" in house.run("housing_fund", Role.SYSTEM, "notices")
    words = ("quality", "public_security.household")
    figures = json.loads(house.run("public_security", Role.OFFICER, *words, "--json"))
    assert figures["corrected"] >= 1
    assert figures["answers"] >= 1
    assert figures["median_days"] is not None
    assert "median days" in house.run("public_security", Role.OFFICER, *words)
