"""``sharebroker receipt show`` on whatever a file holds; and no traceback about files and terminals."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from broker.cli.receipt import app
from broker.cli.receipt_page import page
from broker.cli.receipt_text import became, row
from broker.client import VerifierKey, export_receipt, parse_receipt
from broker.errors import VerificationFailed
from broker.model import Receipt

STATEMENT = {
    "kind": "exchange",
    "recorded_at": "2026-01-31T08:00:00.000000Z",
    "consumer": {"department": "tax", "uri": "spiffe://xinghe/department/tax/system/counter"},
    "provider": "civil_affairs",
    "dataset": "civil_affairs.marriage",
    "fields": ["status"],
    "purpose": "housing_fund_audit",
    "legal_basis": "",
    "service_item": "",
    "case_no": "GJJ-1",
    "operator": "GJJ-0001",
    "obligations": {"masks": {}},
    "decision": {"verdict": "review", "rules": [], "reasons": [], "missing": [], "bundle": "ab" * 32},
    "outcome": {"status": "found", "rows": {"read": 3, "bad": 1, "released": 2}},
    "request_id": "1",
}


@pytest.fixture
def receipt_file(tmp_path):
    """Writes a receipt with that text for a statement; gives the file."""

    def write(statement):
        exported = export_receipt(Receipt(statement.encode(), 7, 8, (), "a\n8\nb\n\n— a b\n"))
        (tmp_path / "receipt.json").write_bytes(exported)
        return tmp_path / "receipt.json"

    return write


def show(file, *options):
    return CliRunner().invoke(app, ["show", str(file), *options], terminal_width=80)


@pytest.mark.parametrize(
    "statement",
    ["", "x", "null", "[]", "{}", '{"decision": 1}', json.dumps(STATEMENT).replace("review", "maybe")],
)
def test_statement_of_another_form(receipt_file, statement):
    """Whatever stands in place of a statement, it is a receipt that does not hold, not a traceback."""
    assert isinstance(show(receipt_file(statement)).exception, VerificationFailed)


def test_brackets_are_text(receipt_file):
    """A case number may look like the terminal library's markup; it is shown as it is."""
    file = receipt_file(json.dumps(STATEMENT | {"case_no": "[/x] [red]1"}))
    assert "[/x] [red]1" in show(file).output


def test_one_language_at_a_time(receipt_file):
    """In the words of the glossary, Chinese or English and not both, and no hash is cut short."""
    file = receipt_file(json.dumps(STATEMENT))
    zh, en = show(file).output, show(file, "--lang", "en").output
    assert "读出 3，不合格 1，提供 2" in zh
    assert "转人工审核" in zh
    assert "read 3, bad 1, released 2" in en
    assert "读" not in en
    assert "…" not in zh + en


def test_duties_and_reviews_are_shown(receipt_file):
    """What the consumer has taken upon itself, and who is to review; older statements have neither."""
    duties = {"retain_days": 30, "acknowledge_hours": 48, "no_onward_sharing": True, "watermark": True}
    reviews = [
        {"departments": ["tax"], "count": 2, "within_working_days": 5, "never_own": True},
        {"departments": ["data_authority"], "count": 1, "within_working_days": None, "never_own": True},
    ]
    told = STATEMENT | {
        "obligations": STATEMENT["obligations"] | duties,
        "decision": STATEMENT["decision"] | {"reviews": reviews},
    }
    file = receipt_file(json.dumps(told))
    zh, en = show(file).output, show(file, "--lang", "en").output
    for said in ("最多保存 30 天；48 小时内确认收到；不得转供他人；结果带水印", "tax 的 2 人，5 个工作日内"):
        assert said in zh
    for said in ("not to be passed on", "by 2 of tax, within 5 working days", "by 1 of data_authority"):
        assert said in en


DELIVERY = {
    "recorded_at": "2026-01-31T08:00:00.000000Z",
    "consumer": STATEMENT["consumer"],
    "provider": "civil_affairs",
    "dataset": "civil_affairs.marriage",
    "purpose": "housing_fund_audit",
    "of": 5,
}
SIGNED = {
    "digest": "ab" * 32,
    "received_at": "2026-01-31T07:59:59.000000Z",
    "signer": {"uri": "spiffe://xinghe/department/tax/system/archive", "certificate": "cd" * 32},
    "acknowledgement": "0oRD",
}
DUE = {"due_at": "2026-01-31T07:00:00.000000Z"}


@pytest.mark.parametrize(
    ("statement", "said", "in_english"),
    [
        (DELIVERY | SIGNED | DUE | {"kind": "acknowledgement", "late": True}, "已确认收到", "acknowledged"),
        (DELIVERY | SIGNED | {"kind": "acknowledgement_disputed"}, "有争议", "something else was received"),
        (DELIVERY | DUE | {"kind": "acknowledgement_missing"}, "逾期未确认", "not acknowledged in time"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_what_is_said_of_deliveries_is_shown(receipt_file, statement, said, in_english):
    """In a terminal, in the list, and on the page for people: of which receipt, by whom, when."""
    file = receipt_file(json.dumps(statement))
    zh, en = show(file).output, show(file, "--lang", "en").output
    assert (said in zh, in_english in en) == (True, True)
    written = page(parse_receipt(file.read_bytes()), VerifierKey("b", bytes(32))).decode()
    for text in (zh, written):
        assert all(
            told in text for told in ("civil_affairs.marriage", *DUE.values()) if told in str(statement)
        )
    if "signer" in statement:
        assert "spiffe://xinghe/department/tax/system/archive" in zh
        assert "签署者</th><td>spiffe://xinghe/department/tax/system/archive" in written
    assert f"<td>{said}" in written
    assert row(statement)[1:4] == ["tax", "civil_affairs.marriage", "housing_fund_audit"]


def sharebroker(*arguments, **environment):
    command = [sys.executable, "-m", "broker.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, env=environment or None)


def test_unusable_folder(tmp_path):
    """A file where a folder should be is said in two lines, exit code 2."""
    (tmp_path / "file").write_text("")
    done = sharebroker("demo", "--folder", tmp_path / "file", "--json")
    zh, en = done.stderr.decode().splitlines()
    assert done.returncode == 2
    assert "文件或目录无法使用" in zh
    assert f"{tmp_path / 'file'} (File exists)" in en


def test_terminal_without_the_character(receipt_file):
    """A terminal of GBK or ASCII shows a question mark where it has no character."""
    file = receipt_file(json.dumps(STATEMENT | {"case_no": "✔"}))
    done = sharebroker("receipt", "show", file, PYTHONIOENCODING="gbk")
    assert done.returncode == 0
    assert "办件编号" in done.stdout.decode("gbk")


def test_an_interrupted_stream_is_shown_as_one(receipt_file):
    """With the time up to which it is known, and the leaf that opened it."""
    outcome = STATEMENT["outcome"] | {
        "interrupted": True,
        "known_until": "2026-01-31T07:59:30.000000Z",
        "reasons": [{"code": "LEASE_EXPIRED", "about": ""}],
    }
    stream = STATEMENT | {"kind": "stream_outcome", "decision_leaf": 41, "outcome": outcome}
    shown = show(receipt_file(json.dumps(stream)), "--lang", "en").output
    for said in ("interrupted", "2026-01-31T07:59:30.000000Z", "41", "LEASE_EXPIRED"):
        assert said in shown


@pytest.mark.parametrize(
    ("statement", "outcome_leaf", "said"),
    [
        ({"kind": "exchange"}, None, ""),
        ({"kind": "redelivered"}, None, ""),
        ({"kind": "stream_decision"}, None, "未见结束 no outcome"),
        ({"kind": "redelivered", "lease_seconds": 30.0}, None, "未见结束 no outcome"),
        ({"kind": "stream_decision", "lease_seconds": 30.0}, 9, "→ 9"),
        ({"decision_leaf": 8, "outcome": {"interrupted": True}}, None, "中断 interrupted ← 8"),
        ({"decision_leaf": 8, "outcome": {"interrupted": False}}, None, "完成 complete ← 8"),
    ],
)
def test_the_list_says_what_became_of_a_stream(statement, outcome_leaf, said):
    """One that runs, or whose end nobody has recorded yet, is not shown as if it had been delivered."""
    assert became(statement, outcome_leaf) == said
