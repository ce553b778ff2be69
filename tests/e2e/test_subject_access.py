"""``sharebroker trace`` and ``vault`` as an officer runs them, beside a broker that serves."""

import sqlite3
import uuid
from contextlib import closing

import pytest
from orjson import loads
from typer.testing import CliRunner

from broker.cli.main import app
from broker.client import Client
from broker.errors import BrokerError, SetUpError
from broker.model import Role
from soak.house import Plan, build

ANNA = "990101189901010015"
NOBODY = "99010118990101004X"
"""Somebody about whom no test of this folder has anybody ask: they share a broker."""


@pytest.fixture
def run(embedded):
    """Runs a command with a person on standard input; gives the exit code and what it printed."""

    def invoke(*words, person=""):
        done = CliRunner().invoke(app, [*words, "--config", str(embedded.settings)], input=f"{person}\n")
        if isinstance(done.exception, SetUpError):
            raise done.exception
        return done.exit_code, done.stdout

    return invoke


@pytest.fixture(scope="module")
def person(embedded):
    """Somebody whom no other test asks about."""
    with closing(sqlite3.connect(embedded.folder / "data" / "public_security.db")) as database:
        return database.execute("SELECT sfzh FROM czrk ORDER BY sfzh LIMIT 1 OFFSET 700").fetchone()[0]


def trace(run, person, *words):
    return run("trace", "--reason", "本人申请", *words, person=person)


def test_a_person_is_told_in_words_on_a_page_and_as_json(run, connect, withdrawal, person, tmp_path):
    """Who, when, what, why, proved; the look itself is told of the next time."""
    receipt = connect("housing_fund").exchange(**withdrawal | {"subjects": [person]}).receipt
    code, said = trace(run, person)
    assert code == 0
    for word in (
        "住房公积金管理中心",
        "GJJ-0088",
        "婚姻登记信息",
        "GJJ-2026-000001",
        "住房公积金提取",
        "（第 1 号）",
    ):
        assert word in said
    assert f"{receipt.leaf_index}  已与日志核对" in said
    assert person not in said
    code, _ = trace(run, person, "--html", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text("utf-8")
    assert code == 0
    assert "GJJ-0088" in page
    assert "<script" not in page
    assert oct((tmp_path / "page.html").stat().st_mode)[-3:] == "600"
    code, said = trace(run, person, "--json")
    told = loads(said)
    kinds = [one["statement"]["kind"] for one in told["receipts"]]
    assert kinds == ["exchange", "subject_access", "subject_access"]
    assert [one["number"] for one in told["receipts"]] == [1, 2, 3]
    assert (told["known"], told["gaps"], code) == (True, [], 0)


def test_nobody_enters_the_vault_by_a_slip_of_the_pen(run):
    """Of somebody unknown the look is receipted, and nothing is kept."""
    before = loads(run("vault", "status", "--json")[1])
    code, said = trace(run, NOBODY, "--json")
    assert (code, loads(said)["known"], loads(said)["receipts"]) == (0, False, [])
    assert loads(run("vault", "status", "--json")[1])["persons"] == before["persons"]
    with pytest.raises(SetUpError, match="not said who"):
        trace(run, "")


def test_whoever_is_forgotten_is_told_nothing_and_the_log_is_sound(run, connect, withdrawal, person):
    """After a question; the act names nobody, a second one finds nobody."""
    connect("housing_fund").exchange(**withdrawal | {"subjects": [person]})
    assert run("vault", "forget", "--reason", "依申请", person=f"{person}\nn")[0] == 1
    assert loads(trace(run, person, "--json")[1])["known"]
    code, said = run("vault", "forget", "--reason", "依申请", "--yes", "--json", person=person)
    leaf = loads(said)["receipt"]
    assert code == 0
    receipt = connect("data_authority", Role.AUDITOR).receipt(leaf)
    assert loads(receipt.statement)["kind"] == "subject_forgotten"
    assert person.encode() not in receipt.statement
    assert not loads(trace(run, person, "--json")[1])["known"]
    assert run("vault", "forget", "--reason", "依申请", "--yes", person=person)[0] == 1
    assert run("fsck")[0] == 0


@pytest.fixture
def house(tmp_path):
    """A house of its own, whose broker may be killed; one process."""
    built = build(Plan(tmp_path / "broker", 300))
    built.environment |= {"SHAREBROKER_SERVER__WORKERS": "1"}
    yield built
    built.discard()


@pytest.mark.parametrize("point", ["vault_before_commit", "vault_after_commit"])
def test_a_kill_between_vault_and_log_hides_nothing(point, house, patient):
    """A number may stand without a leaf, never a leaf without its number; the retry explains the gap."""
    terms = {
        "dataset": "civil_affairs.marriage",
        "fields": ["status"],
        "subjects": [ANNA],
        "purpose": "housing_fund_withdrawal",
        "service_item": "990100-GJJ-0003",
        "case_no": "GJJ-2026-000001",
        "legal_basis": "住房公积金管理条例 第二十四条",
        "operator": "GJJ-0088",
        "request_id": str(uuid.uuid4()),
    }
    credentials = house.credentials("housing_fund")
    address = house.start(f"{point}=1")
    with Client(address, credentials, trust=house.trust) as client, pytest.raises(BrokerError):
        client.exchange(**terms, timeout=5)
    house.die()
    with patient(house.start(), credentials, trust=house.trust) as client:
        client.exchange(**terms)
    words = ["trace", "--reason", "本人申请", "--json", "--config", str(house.embedded.settings)]
    done = CliRunner().invoke(app, words, input=f"{ANNA}\n")
    told = loads(done.stdout)
    lost = point == "vault_after_commit"
    assert [gap["nature"] for gap in told["gaps"]] == ["repeated"] * lost
    assert [one["number"] for one in told["receipts"]] == [1 + lost]
    assert (done.exit_code, house.fsck()) == (0, [])
