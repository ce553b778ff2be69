"""The list of needs over the wire: refusals enter it, the authority sees all of it, others their own."""

import json
import os
import subprocess
import sys

import pytest

from broker.client import Credentials
from broker.errors import MalformedRequest
from broker.model import Role, Verdict
from broker.v1 import catalog_pb2, catalog_pb2_grpc

ASKED = ("public_security.boat", "public_security.bicycle", "public_security.tractor")


@pytest.fixture(scope="module")
def asked(connect):
    """Two departments have asked for what nobody shares, one of them for one thing twice."""
    terms = {
        "fields": ["plate_no", "bought_on"],
        "subjects": ["990101189901010015"],
        "purpose": "housing_fund_withdrawal",
    }
    refused = [
        connect(department).exchange(dataset=dataset, **terms)
        for department, dataset in (
            ("housing_fund", ASKED[0]),
            ("tax", ASKED[1]),
            ("housing_fund", ASKED[0]),
            ("housing_fund", ASKED[2]),
        )
    ]
    for exchanged in refused:
        assert exchanged.verdict is Verdict.DENY
        assert [reason.code for reason in exchanged.reasons] == ["DATASET_UNKNOWN", "NEED_RECORDED"]
        assert "需求清单" in exchanged.reasons[1].zh
    return refused


def of(needs):
    """(department, dataset, applications) of those that this module has asked for, in their order."""
    return [
        (need.department.removeprefix("departments/"), dataset, need.applications)
        for need in needs
        if (dataset := need.dataset.removeprefix("datasets/")) in ASKED
    ]


def test_the_authority_sees_all_needs(asked, connect, authority, address, patient):
    """Its auditors and its officers, newest first, each with first and last receipt."""
    issued = authority.issue("data_authority", Role.OFFICER, "needs")
    officer = Credentials(issued.cert_pem, issued.key_pem, (authority.folder / "ca.pem").read_bytes())
    with patient(address, officer) as client:
        seen = list(client.needs())
    assert of(seen) == [("housing_fund", ASKED[2], 1), ("tax", ASKED[1], 1), ("housing_fund", ASKED[0], 2)]
    auditor = connect("data_authority", Role.AUDITOR)
    assert of(auditor.needs()) == of(seen)
    assert of(auditor.needs("tax")) == [("tax", ASKED[1], 1)]
    (need,) = [need for need in seen if need.dataset == f"datasets/{ASKED[0]}"]
    assert list(need.fields) == ["bought_on", "plate_no"]
    assert (need.purpose, need.cause.code) == ("housing_fund_withdrawal", "DATASET_UNKNOWN")
    first, _, second, _ = (exchanged.receipt.leaf_index for exchanged in asked)
    assert (need.first_receipt, need.last_receipt) == (f"receipts/{first}", f"receipts/{second}")
    assert need.first_time.ToDatetime() <= need.last_time.ToDatetime()


def test_other_departments_see_their_own(asked, connect):
    """Whatever the role; another's needs are not there."""
    own = [("housing_fund", ASKED[2], 1), ("housing_fund", ASKED[0], 2)]
    for client in (connect("housing_fund"), connect("housing_fund", Role.AUDITOR)):
        assert of(client.needs()) == of(client.needs("housing_fund")) == own
        assert list(client.needs("tax")) == []
    assert list(connect("civil_affairs", Role.AUDITOR).needs()) == []


def test_pages(asked, connect, channel):
    """One need a page gives all of them, and a token is of its list only."""
    stub = catalog_pb2_grpc.CatalogServiceStub(channel)
    found, token = [], ""
    while True:
        page = stub.ListNeeds(catalog_pb2.ListNeedsRequest(page_size=1, page_token=token), timeout=120)
        assert len(page.needs) <= 1
        found += page.needs
        if not (token := page.next_page_token):
            break
    assert of(found) == of(connect("housing_fund").needs())
    assert len(found) >= 2


def test_a_malformed_filter_is_refused(connect):
    """It names the field."""
    with pytest.raises(MalformedRequest) as refused:
        list(connect("housing_fund").needs("no such!"))
    assert [violation.field for violation in refused.value.violations] == ["department"]


def test_the_command(asked, embedded, address):
    """``sharebroker needs list`` for people and for machines."""

    def run(department, role, *options):
        folder = embedded.identity(department, role)
        words = ["needs", "list", "--broker", address, "--identity", str(folder), *options]
        return subprocess.run(
            [sys.executable, "-m", "broker.cli", *words],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"COLUMNS": "300", "PYTHONIOENCODING": "utf-8"},
        ).stdout

    lines = [json.loads(line) for line in run("data_authority", Role.AUDITOR, "--json").splitlines()]
    (told,) = [line for line in lines if line["dataset"] == ASKED[0]]
    assert (told["consumer"], told["fields"], told["applications"]) == (
        "housing_fund",
        ["bought_on", "plate_no"],
        2,
    )
    assert told["cause"] == "DATASET_UNKNOWN"
    assert len(run("data_authority", Role.AUDITOR, "--json", "--limit", "1").splitlines()) == 1
    shown = run("tax", Role.SYSTEM)
    assert ASKED[1] in shown
    assert ASKED[0] not in shown
    assert "目录中没有该数据资源" in shown
    assert run("civil_affairs", Role.AUDITOR) == "需求清单为空。The list of needs is empty.\n"
