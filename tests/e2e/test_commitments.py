"""Use commitments over the wire, on either database: signed in the call, by hand, wrongly, not at all."""

import asyncio
import io
import json
import shutil
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives import serialization

from broker.audit.verify.evidence import DatabasePlace
from broker.audit.verify.run import Job, verify
from broker.audit.verify.said import Anchors
from broker.cli import receipt_forms as forms
from broker.cli.main import main
from broker.cli.receipt_forms import Form
from broker.client import AsyncClient, Client, Credentials, VerifierKey
from broker.client.committing import commitment_for
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from broker.errors import MalformedRequest, NotFound
from broker.keys.authority import Authority
from broker.model import Role, Verdict
from broker.reasons import Reason
from broker.receipt.fsck import open_fsck
from broker.receipt.log_keys import LogKeys
from broker.receipt.memory import remembered
from broker.receipt.signed_acts import verify_acts
from broker.receipt.verify import verify_checkpoint, verify_receipt
from broker.settings import load_settings
from broker.store import migrate
from broker.use_commitment.signed import read, sign
from tests.statement_schema import require_documented

DEPARTMENTS = ("data_authority", "civil_affairs", "medical_insurance", "tax")
PATIENCE = 120.0
TEMPLATE, PACKAGE_TEMPLATE, PERIOD = "tax-income-use", "household-use", "pension-use"
TEMPLATES = [PACKAGE_TEMPLATE, PERIOD, "tax-contribution-use", TEMPLATE]
PACKAGE_TEXT = """\
format: share-commitment/v1
id: household-use
version: 1
owner: public_security
title: 数据使用责任状（户籍）
text: "{consumer} 使用 {dataset}：{fields}，{date} 至 {until}。"
duties: [不作他用。]
"""
PERIOD_TEXT = """\
format: share-commitment/v1
id: pension-use
version: 1
owner: social_security
title: 数据使用责任状（养老金）
text: "{consumer} 为“{purpose}”使用 {provider} 的 {dataset}，{date} 至 {until}。"
duties: [不作他用。, 到期处置。]
signer: officer
valid_days: 180
"""


class Patient(Client):
    """The client of callers who may have to wait for a slow machine."""

    def _try(self, attempt, timeout, request_id):
        return super()._try(attempt, max(timeout, PATIENCE), request_id)


class PatientTwin(AsyncClient):
    """Its twin."""

    async def _try(self, attempt, timeout, request_id):
        return await super()._try(attempt, max(timeout, PATIENCE), request_id)


class House:
    """A broker whose policies demand a commitment for the income and for the register."""

    def __init__(self, folder, url):
        policies = shutil.copytree(shipped_policies(), folder / "policies")
        (policies / "commitments" / f"{PACKAGE_TEMPLATE}.yaml").write_text(PACKAGE_TEXT, "utf-8")
        file = policies / "sharing" / "public-security-household.yaml"
        text, duty = file.read_text("utf-8"), "no_onward_sharing: true"
        assert text.count(duty) == 1
        file.write_text(text.replace(duty, f"commitment: {PACKAGE_TEMPLATE}\n      {duty}"), "utf-8")
        (policies / "commitments" / f"{PERIOD}.yaml").write_text(PERIOD_TEXT, "utf-8")
        file = policies / "sharing" / "social-security-retirement.yaml"
        text, before = file.read_text("utf-8"), "      retain_days: 10\n"
        assert text.count(before) == 1
        file.write_text(text.replace(before, f"{before}      commitment: {PERIOD}\n"), "utf-8")
        self.embedded = prepare(folder, 1_000, 7, policies, DEPARTMENTS)
        self.settings = load_settings(self.embedded.settings)
        self.url = url or self.settings.store_url
        self.trust = VerifierKey.parse(Path(self.embedded.trust).read_text("utf-8").strip())
        self.opened = []

    def credentials(self, department, role=Role.SYSTEM):
        return Credentials.load(self.embedded.identity(department, role))

    def client(self, department, role=Role.SYSTEM):
        self.opened.append(Patient(self.address, self.credentials(department, role), trust=self.trust))
        return self.opened[-1]

    def officer(self, department, name):
        """Folder with the credentials of an officer."""
        folder = self.embedded.folder / "officers" / f"{department}-{name}"
        if not folder.exists():
            folder.mkdir(parents=True)
            issued = Authority.open(self.embedded.folder / "pki").issue(department, Role.OFFICER, name)
            ca = (self.embedded.folder / "pki" / "ca.pem").read_bytes()
            files = {"cert.pem": issued.cert_pem, "key.pem": issued.key_pem, "ca.pem": ca}
            for file, content in files.items():
                (folder / file).write_bytes(content)
                (folder / file).chmod(0o600)
        return folder

    @property
    def authority(self):
        return Authority.open(self.embedded.folder / "pki").certificate


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def house(request, tmp_path_factory):
    """A running broker on either database; in the end its log is sound."""
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


def require_sound(house):
    """That neither ``fsck`` nor an auditor finds anything wrong, and every statement is as documented."""
    state = house.settings.path(house.settings.keys.signer_state)
    with open_fsck(house.url, state, house.trust) as check:
        assert list(check.findings()) == []
    anchors = Anchors(
        LogKeys(house.trust), authority=house.authority.public_bytes(serialization.Encoding.DER)
    )
    head = verify_checkpoint(remembered(state, house.trust), house.trust)
    assert verify(Job(DatabasePlace(house.url), anchors, head)).remarks == []
    require_documented(house.url)


@pytest.fixture
def income(house):
    """Terms of an exchange that needs a signed application and a commitment."""
    cast = json.loads((house.embedded.folder / "data" / "city.json").read_text("utf-8"))
    return {
        "dataset": "tax.income",
        "fields": ["tax_year", "taxable_income"],
        "subjects": [cast["low_income"]["applicant"]],
        "purpose": "low_income_check",
        "service_item": "990100-MZ-0021",
        "case_no": "MZ-2026-000001",
        "legal_basis": "社会救助暂行办法 第五十八条",
        "operator": "MZ-0001",
        "sign": True,
    }


PACKAGE = {
    "dataset": "public_security.household",
    "fields": ["resident_id", "name", "household_no", "born_on", "district", "mobile"],
    "purpose": "grid_service",
    "service_item": "990100-YB-0007",
    "case_no": "YB-2026-000001",
    "legal_basis": "医疗保障基金使用监督管理条例 第六条",
    "operator": "YB-0001",
}


def codes(reasons):
    return [(reason.code, reason.about) for reason in reasons]


def committed(receipt):
    """What a statement says of the commitments."""
    return json.loads(receipt.statement).get("commitments", [])


def test_without_it_the_answer_says_what_is_missing_and_where_it_is(house, income):
    """Needs supplement, never a bare refusal: the sentence names the template, and it can be got."""
    desk = house.client("civil_affairs")
    refused = desk.exchange(**income)
    assert refused.verdict is Verdict.NEEDS_SUPPLEMENT
    assert codes(refused.reasons) == [(Reason.COMMITMENT_MISSING, TEMPLATE)]
    (reason,) = refused.reasons
    assert f"sharebroker commitment template {TEMPLATE}" in reason.zh
    assert f"sharebroker commitment template {TEMPLATE}" in reason.en
    assert committed(refused.receipt) == []
    template = desk.commitment_template(TEMPLATE, income)
    assert (template.id, template.version, template.valid_days) == (TEMPLATE, 1, 0)
    assert template.blanks["consumer"] == "民政局"
    assert [one.name for one in desk.commitment_templates()] == [
        f"commitmentTemplates/{name}" for name in TEMPLATES
    ]
    with pytest.raises(NotFound):
        desk.commitment_template("no-such")


def test_the_client_signs_in_the_call_where_it_may(house, income):
    """Learnt from the first answer; from then on it goes along. The statement names it, and it verifies."""
    desk = house.client("civil_affairs")
    auditor = house.client("data_authority", Role.AUDITOR)
    first = desk.exchange(commit=True, **income)
    leaves = len(list(auditor.receipts(case_no=income["case_no"])))
    second = desk.exchange(commit=True, **income)
    assert (first.permitted, second.permitted) == (True, True)
    assert first.duties.commitments == (TEMPLATE,)
    assert len(list(auditor.receipts(case_no=income["case_no"]))) == leaves + 1
    receipt = auditor.receipt(second.receipt.leaf_index, acts=True)
    (told,) = committed(receipt)
    uri = house.credentials("civil_affairs").uri
    assert (told["template"], told["version"], told["signer"]) == (TEMPLATE, 1, uri)
    verified = verify_receipt(receipt, house.trust)
    assert verified.statement["obligations"]["commitments"] == [TEMPLATE]
    signers = verify_acts(receipt, house.trust, house.authority)
    assert [str(who) for who in signers] == [uri, uri]
    texts = [read(act).said.text for act in receipt.acts if b"use-commitment" in act]
    assert len(texts) == 1
    assert "MZ-2026-000001" in texts[0]
    with zipfile.ZipFile(io.BytesIO(forms.export(receipt, Form.BUNDLE, LogKeys(house.trust)))) as packed:
        name = f"acts/{told['digest']}.txt"
        assert packed.read(name).decode() == f"{texts[0]}\n"


def test_a_retry_carries_another_and_is_the_same_exchange(house, income):
    """Signed anew under the same request id, it is delivered again and not charged."""
    desk = house.client("civil_affairs")
    first = desk.exchange(commit=True, **income)
    again = desk.exchange(commit=True, request_id=first.request_id, **income)
    assert again.redelivered
    assert again.records == first.records


def test_the_twin_signs_as_well(house, income):
    """Awaited, it does the same."""

    async def ask():
        credentials = house.credentials("civil_affairs")
        async with PatientTwin(house.address, credentials, trust=house.trust) as twin:
            exchanged = await twin.exchange(commit=True, **income)
            names = [one.name async for one in twin.commitment_templates()]
            return exchanged, names, await twin.commitment_template(TEMPLATE)

    exchanged, names, template = asyncio.run(ask())
    assert exchanged.permitted
    assert (template.id, len(names)) == (TEMPLATE, len(TEMPLATES))


def test_a_stream_is_signed_for_too(house):
    """In the call; without it the stream's decision says what is missing, and nothing flows."""
    insurer = house.client("medical_insurance")
    refused = insurer.stream(**PACKAGE)
    assert codes(refused.reasons) == [(Reason.COMMITMENT_MISSING, PACKAGE_TEMPLATE)]
    with insurer.stream(commit=True, **PACKAGE) as stream:
        assert stream.table().num_rows > 0
    assert [one["template"] for one in committed(stream.receipt)] == [PACKAGE_TEMPLATE]
    assert stream.duties.commitments == (PACKAGE_TEMPLATE,)


def test_what_is_signed_for_another_case_is_told_as_such(house, income):
    """A commitment that does not fit is a violation, with a sentence of its own, and nothing is recorded."""
    desk, credentials = house.client("civil_affairs"), house.credentials("civil_affairs")
    template = desk.commitment_template(TEMPLATE, income)
    request_id = "6f1c2f0e-8f5e-4c0a-9b53-3c1f5c2a7d10"
    said = commitment_for(template, income, "civil_affairs", request_id)
    key, chain = credentials.private_key(), credentials.chain
    sound = sign(said, key, chain)
    assert desk.exchange(commitments=[sound], request_id=request_id, **income).permitted
    for changed, why in (
        (replace(said, case_no="MZ-2"), "case number"),
        (replace(said, version=2), "another version"),
        (replace(said, text=said.text + "。"), "the text signed"),
    ):
        with pytest.raises(MalformedRequest) as refused:
            desk.exchange(commitments=[sign(changed, key, chain)], request_id=request_id, **income)
        assert refused.value.reason is Reason.COMMITMENT_INVALID
        (violation,) = refused.value.violations
        assert violation.field == "signed_commitments[0]"
        assert why in violation.en


@pytest.fixture
def said(house, capsys):
    """Runs ``sharebroker commitment`` under an identity; gives what it printed."""

    def run(*words, identity=None, code=0):
        capsys.readouterr()
        identity = str(identity or house.embedded.identity("civil_affairs"))
        with pytest.MonkeyPatch.context() as patch:
            words = ["sharebroker", "commitment", *words, "--broker", house.address, "--identity", identity]
            patch.setattr(sys, "argv", words)
            patch.setenv("COLUMNS", "200")
            with pytest.raises(SystemExit) as done:
                main()
        assert (done.value.code or 0) == code
        return capsys.readouterr().out

    return run


def test_templates_are_listed_and_shown_on_the_command_line(house, said):
    """The text is what is signed, blanks unfilled; a machine gets the same."""
    assert TEMPLATE in said("templates")
    listed = [orjson.loads(line) for line in said("templates", "--json").splitlines()]
    assert [one["template"] for one in listed] == TEMPLATES
    text = house.client("tax").commitment_template(TEMPLATE).text
    assert said("template", TEMPLATE).startswith(text)
    assert orjson.loads(said("template", TEMPLATE, "--json"))["text"] == text


def pension(income):
    """Terms of an exchange that needs a commitment for a period."""
    changes = {"dataset": "social_security.retirement", "fields": ["pension_monthly"], "sign": False}
    return income | changes


def test_one_for_a_period_covers_every_call_until_it_is_withdrawn(house, income, said, tmp_path):
    """Signed by an officer and lodged, it is found at each call; withdrawn, it is missing again."""
    terms, desk = pension(income), house.client("civil_affairs")
    refused = desk.exchange(commit=True, **terms)
    assert codes(refused.reasons) == [(Reason.COMMITMENT_MISSING, PERIOD)]  # only an officer may sign
    officer, provider = house.officer("civil_affairs", "li"), house.officer("social_security", "wang")
    file, trust = tmp_path / "signed.cose", str(house.embedded.trust)
    words = (PERIOD, "--dataset", terms["dataset"], "--purpose", terms["purpose"])
    said("sign", *words, "--days", "30", "--out", str(file), "--yes", identity=officer)
    lodged = orjson.loads(said("lodge", str(file), "--trust", trust, "--json", identity=officer))
    assert (lodged["template"], lodged["state"], lodged["consumer"]) == (PERIOD, "standing", "civil_affairs")
    number = lodged["number"]

    permitted = desk.exchange(**terms)
    assert permitted.permitted
    (told,) = committed(permitted.receipt)
    assert (told["template"], told["lodged"], told["signer"]) == (PERIOD, number, lodged["signer"])
    other = desk.exchange(**terms | {"purpose": "grid_service", "service_item": ""})
    assert not other.permitted
    auditor = house.client("data_authority", Role.AUDITOR)
    receipt = auditor.receipt(number, acts=True)
    assert [str(who) for who in verify_acts(receipt, house.trust, house.authority)] == [lodged["signer"]]
    assert "不作他用" in said("show", str(number), identity=provider)

    with pytest.raises(NotFound):
        house.client("medical_insurance").commitment(number)
    assert str(number) in said("list", identity=provider)
    ended = orjson.loads(said("withdraw", str(number), "--reason", "改为逐次", "--json", identity=provider))
    assert desk.exchange(**terms).verdict is Verdict.NEEDS_SUPPLEMENT
    again = orjson.loads(said("withdraw", str(number), "--reason", "再", "--json", identity=provider))
    assert again == ended
    listed = [orjson.loads(line) for line in said("list", "--json").splitlines()]
    assert [one["state"] for one in listed if one["number"] == number] == ["withdrawn"]
    said("withdraw", str(number), "--reason", "x", identity=house.embedded.identity("civil_affairs"), code=1)
