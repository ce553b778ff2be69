"""Comparing a claim (比对核验) over real mutual TLS: the client says it, signs it, and is told yes or no."""

import json
import shutil
from pathlib import Path

import pytest
from orjson import loads

from broker.client import Credentials, VerifierKey
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from broker.errors import MalformedRequest
from broker.model import Verdict
from broker.reasons import Reason

YEAR = "        registered_on: year\n"
LIMITS = "limits: {rows_per_call: 10, subjects_per_call: 4}"


@pytest.fixture(scope="module")
def fund(tmp_path_factory, patient):
    """The housing fund, under a policy that compares the status four times a day; and its terms."""
    folder = tmp_path_factory.mktemp("match")
    policies = shutil.copytree(shipped_policies(), folder / "policies")
    file = policies / "sharing/civil-affairs-marriage.yaml"
    text = file.read_text("utf-8").replace(YEAR, YEAR + "        status: {match: {}}\n")
    file.write_text(text.replace(LIMITS, LIMITS.replace("}", ", matches_per_subject_per_day: 4}")), "utf-8")
    embedded = prepare(folder / "broker", 200, 7, policies, ("housing_fund",))
    cast = json.loads((embedded.folder / "data/city.json").read_text("utf-8"))
    terms = {
        "dataset": "civil_affairs.marriage",
        "fields": ["status", "registered_on"],
        "subjects": [cast["withdrawal"]["sound"]],
        "purpose": "housing_fund_withdrawal",
        "service_item": "990100-GJJ-0003",
        "case_no": "GJJ-2026-000001",
        "legal_basis": "住房公积金管理条例 第二十四条",
        "operator": "GJJ-0088",
    }
    identity = Credentials.load(embedded.identity("housing_fund"))
    trust = VerifierKey.parse(Path(embedded.trust).read_text("utf-8").strip())
    with broker_process(embedded) as address, patient(address, identity, trust=trust) as client:
        yield client, terms


def test_a_claim_is_compared_signed_limited_and_not_kept(fund):
    """Of five claims on one person four are answered, and the retry of one as before."""
    client, terms = fund
    answers = [
        client.exchange(**terms, claims={"status": said}, sign=True)
        for said in ("在婚", "离婚", ["丧偶"], "未婚", "在婚")
    ]
    told = [[record["status"] for record in each.records] for each in answers]
    assert sorted(map(str, told[:2])) == ["[False]", "[True]"]
    assert told[2:] == [[False], [False], []]
    assert answers[-1].verdict is Verdict.DENY
    (why,) = answers[-1].reasons
    assert (why.code, why.about) == (Reason.MATCHES_USED_UP, "status")
    assert answers[0].masks["status"].startswith("match@")
    statement = loads(answers[0].receipt.statement)
    assert (statement["claims"], bool(statement["signed_application"])) == (["status"], True)
    assert not any("婚" in each.receipt.statement.decode() for each in answers)


def test_what_is_wrong_with_claims_is_told_at_once(fund):
    """By place, and never by value."""
    client, terms = fund
    with pytest.raises(MalformedRequest) as refused:
        client.exchange(**terms, claims={"status": ["在婚", "离婚"], "registered_on": "23/11/2026"})
    assert {violation.field for violation in refused.value.violations} == {
        "application.claims[0].values",
        "application.claims[1].values[0]",
    }
    assert "23/11" not in str(refused.value)
    missing = client.exchange(**terms)
    assert [(why.code, why.about) for why in missing.reasons] == [(Reason.CLAIM_MISSING, "status")]
    with pytest.raises(MalformedRequest), client.stream(**terms, claims={"status": "在婚"}) as stream:
        list(stream)
