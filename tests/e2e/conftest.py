"""A whole broker in a process of its own, over real mutual TLS, for the tests of this folder."""

import json
from pathlib import Path

import pytest

from broker.client import Client, Credentials, VerifierKey
from broker.demo.run import broker_process
from broker.demo.setup import load_shipped, prepare, shipped_policies
from broker.model import Role

DEPARTMENTS = ("data_authority", "public_security", "housing_fund", "civil_affairs", "medical_insurance", "tax")


@pytest.fixture(scope="session")
def embedded(tmp_path_factory):
    """A prepared folder: a city of 1,000, its own authority, keys, settings and database."""
    folder = tmp_path_factory.mktemp("broker")
    return prepare(folder, 1_000, 7, shipped_policies(), DEPARTMENTS)


@pytest.fixture(scope="session")
def bundle():
    """The sample city's bundle."""
    return load_shipped(shipped_policies())


@pytest.fixture(scope="session")
def address(embedded):
    """Address of a running broker."""
    with broker_process(embedded) as where:
        yield where


@pytest.fixture(scope="session")
def trust(embedded):
    """The log's verifier key."""
    return VerifierKey.parse(Path(embedded.trust).read_text("utf-8").strip())


@pytest.fixture(scope="session")
def connect(embedded, address, trust):
    """Makes a client of a department's system or auditor; closed at the end."""
    opened = []

    def make(department, role=Role.SYSTEM):
        client = Client(address, Credentials.load(embedded.identity(department, role)), trust=trust)
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture(scope="session")
def cast(embedded):
    """The actors of the sample city, by their place in city.json."""
    return json.loads((embedded.folder / "data" / "city.json").read_text("utf-8"))


@pytest.fixture
def withdrawal(cast):
    """Terms of a permitted exchange: the housing fund asks civil affairs about a marriage."""
    return {
        "dataset": "civil_affairs.marriage",
        "fields": ["status", "registered_on"],
        "subjects": [cast["withdrawal"]["sound"]],
        "purpose": "housing_fund_withdrawal",
        "service_item": "990100-GJJ-0003",
        "case_no": "GJJ-2026-000001",
        "legal_basis": "住房公积金管理条例 第二十四条",
        "operator": "GJJ-0088",
    }
