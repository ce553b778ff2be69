"""Auditing over the wire: each filter, for each kind of reader; one head for all pages; reads on record."""

import hashlib
import json
from datetime import datetime, timedelta

import grpc
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from broker.audit.files import read_export
from broker.cli.main import app
from broker.client import Credentials
from broker.errors import MalformedRequest, NotFound, SetUpError, VerificationFailed
from broker.keys.log_key import create_log_key
from broker.model import EntryKind, Role, Verdict
from broker.receipt.note import VerifierKey, parse_checkpoint, verify_note
from broker.receipt.verify import verify_receipt
from broker.v1 import receipt_pb2, receipt_pb2_grpc

CASE, REFUSED_CASE = "GJJ-2026-AUDIT-1", "TAX-2026-AUDIT-1"


@pytest.fixture(scope="module")
def recorded(connect, withdrawal, cast):
    """A permitted exchange of the housing fund, and one refused to tax, both with civil affairs."""
    terms = {**withdrawal, "case_no": CASE, "operator": "AUDIT-OP"}
    permitted = connect("housing_fund").exchange(**terms)
    assert permitted.verdict is Verdict.PERMIT
    refused = connect("tax").exchange(
        dataset="civil_affairs.marriage",
        fields=["status"],
        subjects=[cast["withdrawal"]["sound"]],
        purpose="low_income_check",
        case_no=REFUSED_CASE,
        operator="AUDIT-OP",
    )
    assert refused.verdict is Verdict.DENY
    return permitted.receipt, refused.receipt


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def officer(authority, address, patient):
    """An officer of civil affairs, which provides."""
    issued = authority.issue("civil_affairs", Role.OFFICER, "audit")
    own = Credentials(issued.cert_pem, issued.key_pem, (authority.folder / "ca.pem").read_bytes())
    with patient(address, own) as client:
        yield client


def filters_of(receipt):
    """Every filter that finds a receipt by what its statement says."""
    said = json.loads(receipt.statement)
    decision = said["decision"]
    wanted = {
        "operator": said["operator"],
        "case_no": said["case_no"],
        "kind": EntryKind.EXCHANGE,
        "subject_tags": [bytes.fromhex(tag) for tag in said["subject_tags"]],
    }
    if said["service_item"]:
        wanted["service_item"] = said["service_item"]
    if decision["rules"]:
        wanted["rule"] = decision["rules"][0]
    if decision["reasons"]:
        wanted["reason"] = decision["reasons"][0]["code"]
    return wanted


def leaves(client, **wanted):
    """What a client finds."""
    return [receipt.leaf_index for receipt in client.receipts(**wanted)]


@pytest.mark.parametrize("proofs", [False, True])
def test_visibility_holds_under_every_filter(recorded, connect, officer, proofs):
    """The authority's auditor and the provider's officer find both, a system its own, others none."""
    auditor, housing, tax = connect("data_authority", Role.AUDITOR), connect("housing_fund"), connect("tax")
    stranger = connect("medical_insurance", Role.AUDITOR)
    permitted, refused = recorded
    for receipt, owner, other in ((permitted, housing, tax), (refused, tax, housing)):
        wanted = filters_of(receipt)
        for filters in (*({name: value} for name, value in wanted.items()), wanted):
            for reader in (auditor, officer, owner):
                assert receipt.leaf_index in leaves(reader, proofs=proofs, **filters), filters
            for reader in (other, stranger):
                assert receipt.leaf_index not in leaves(reader, proofs=proofs, **filters), filters
    both = [refused.leaf_index, permitted.leaf_index]
    assert leaves(auditor, operator="AUDIT-OP", proofs=proofs) == both
    assert leaves(auditor, operator="AUDIT-OP", case_no=CASE, proofs=proofs) == both[1:]
    assert leaves(auditor, operator="AUDIT-OP", case_no=CASE, reason="NOBODY", proofs=proofs) == []


def test_pages_are_proved_against_one_head(recorded, connect, embedded, open_channel, trust):
    """However the log grows between the pages, each receipt of the list is under the head of the first."""
    identity = Credentials.load(embedded.identity("data_authority", Role.AUDITOR))
    stub = receipt_pb2_grpc.ReceiptServiceStub(open_channel(identity.channel_credentials()))
    request = receipt_pb2.ListReceiptsRequest(page_size=2, proofs=True)
    first = stub.ListReceipts(request)
    head = parse_checkpoint(verify_note(first.checkpoint, trust))
    assert first.tree_size == head.size
    connect("housing_fund").receipt(recorded[0].leaf_index)
    request.page_token = first.next_page_token
    second = stub.ListReceipts(request)
    assert (second.tree_size, second.checkpoint) == (head.size, "")
    indices = [receipt.leaf_index for page in (first, second) for receipt in page.receipts]
    assert indices == [head.size - 1 - i for i in range(4)]
    listed = list(connect("data_authority", Role.AUDITOR).receipts(proofs=True))
    assert {receipt.checkpoint for receipt in listed} == {listed[0].checkpoint}
    for receipt in listed:
        verify_receipt(receipt, trust)
    unproved = receipt_pb2.ListReceiptsRequest(page_size=2, page_token=first.next_page_token)
    with pytest.raises(grpc.RpcError) as refused:
        stub.ListReceipts(unproved)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_list_under_another_key_is_not_handed_over(embedded, address, patient, trust, tmp_path, recorded):
    """With a trust root of its own the client verifies lists as it does single receipts."""
    other = VerifierKey.of(trust.name, create_log_key(tmp_path / "other.key"))
    identity = Credentials.load(embedded.identity("housing_fund"))
    with patient(address, identity, trust=other) as client, pytest.raises(VerificationFailed):
        list(client.receipts(proofs=True))


def reads(auditor, uri):
    """Statements that one auditor has read, newest first; this asking is the first of the next."""
    found = (json.loads(receipt.statement) for receipt in auditor.receipts(kind=EntryKind.AUDIT_READ))
    return [said for said in found if said["reader"]["uri"] == uri]


@pytest.mark.parametrize("department", ["data_authority", "civil_affairs"])
def test_an_auditor_is_on_record(recorded, connect, embedded, department):
    """Who, by which filters, how many, which: also for what was not found; tags only as a salted digest."""
    reader, watcher = connect(department, Role.AUDITOR), connect("data_authority", Role.AUDITOR)
    uri = Credentials.load(embedded.identity(department, Role.AUDITOR)).uri
    permitted = recorded[0].leaf_index
    reader.receipt(permitted)
    with pytest.raises(NotFound):
        reader.receipt(10**9)
    tag = filters_of(recorded[0])["subject_tags"]
    assert leaves(reader, subject_tags=tag, case_no=CASE, proofs=True) == [permitted]
    assert leaves(reader, operator="AUDIT-OP", verdict=Verdict.PERMIT) == [permitted]
    by_operator, by_tag, absent, single = reads(watcher, uri)[:4]
    one = {"count": 1, "first": permitted, "last": permitted}
    assert by_operator["filters"] == {"operator": "AUDIT-OP", "verdict": "permit"}
    assert (by_operator["given"], by_operator["proofs"]) == (one, False)
    assert by_tag["filters"].pop("case_no") == CASE
    salted = hashlib.sha256(bytes.fromhex(by_tag["salt"]) + tag[0]).hexdigest()
    assert by_tag["filters"] == {"subject_tags": {"count": 1, "digest": salted}}
    assert (by_tag["given"], by_tag["proofs"]) == (one, True)
    assert tag[0].hex() not in json.dumps(by_tag)
    assert (absent["filters"], absent["given"]) == ({"receipt": 10**9}, {"count": 0})
    assert (single["filters"], single["given"]) == ({"receipt": permitted}, one)


def test_others_leave_no_such_leaf(recorded, connect, officer):
    """A system's and an officer's reads are no audit; only the authority sees what auditors read."""
    auditor = connect("data_authority", Role.AUDITOR)
    auditor.receipt(recorded[0].leaf_index)
    before = next(auditor.receipts(kind=EntryKind.AUDIT_READ)).leaf_index
    for client in (connect("housing_fund"), officer):
        client.receipt(recorded[0].leaf_index)
        leaves(client, operator="AUDIT-OP")
        assert leaves(client, kind=EntryKind.AUDIT_READ) == []
    asked = next(auditor.receipts(kind=EntryKind.AUDIT_READ))
    assert asked.leaf_index == before + 1  # that of asking for ``before``


def test_a_malformed_question_is_refused_by_name(connect):
    """So the client says what is wrong, and nothing is on record."""
    with pytest.raises(MalformedRequest) as refused:
        leaves(connect("data_authority", Role.AUDITOR), case_no="x" * 201)
    assert [violation.field for violation in refused.value.violations] == ["case_no"]


# ── the commands ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def audit(embedded, address):
    """Runs ``sharebroker audit …`` as the authority's auditor."""
    folder = str(embedded.identity("data_authority", Role.AUDITOR))

    def run(*words, code=0, person=""):
        words = ["audit", *map(str, words), "--broker", address, "--identity", folder]
        done = CliRunner().invoke(app, words, input=f"{person}\n")
        if isinstance(done.exception, SetUpError):
            raise done.exception
        assert done.exit_code == code, done.output
        return done.stdout

    return run


def test_query_as_table_and_for_machines(recorded, audit):
    """What a person reads fits into 80 columns and is cut nowhere; a program gets the statement."""
    permitted, refused = recorded
    words = ("query", "--operator", "AUDIT-OP")
    shown = audit(*words)
    assert max(cell_len(line) for line in shown.splitlines()) <= 80
    assert "同意" in shown
    assert "不同意" in shown
    assert "AUDIT-OP" in shown
    listed = [json.loads(line) for line in audit(*words, "--json").splitlines()]
    assert [one["leaf_index"] for one in listed] == [refused.leaf_index, permitted.leaf_index]
    assert listed[0]["statement"] == json.loads(refused.statement)
    (one,) = [json.loads(line) for line in audit(*words, "--limit", "1", "--json").splitlines()]
    assert one == listed[0]
    assert audit("query", "--case", "NOBODY", "--json") == ""
    (named,) = audit("query", "--tag", listed[1]["statement"]["subject_tags"][0], "--json").splitlines()
    assert json.loads(named)["leaf_index"] == permitted.leaf_index


@pytest.fixture
def by_person(audit, embedded):
    """Runs it on the host that has the vault, the person on standard input."""

    def run(*words, person, why="投诉核查 7 号", code=0):
        where = ("--subject", "--why", why, "--config", embedded.settings)
        return audit(*words, *where, code=code, person=person)

    return run


def test_a_person_is_looked_up_by_the_vault(
    recorded, withdrawal, cast, connect, audit, by_person, embedded, tmp_path
):
    """The identifier goes no further than the vault; who looked and why is on record before it shows."""
    person = cast["withdrawal"]["sound"]
    shown = [json.loads(line) for line in by_person("query", "--json", person=person).splitlines()]
    assert recorded[0].leaf_index in {one["leaf_index"] for one in shown}
    tags = {tag for one in shown for tag in one["statement"].get("subject_tags", ())}
    assert {one["statement"]["kind"] for one in shown} <= {"exchange", "redelivered", "subject_access"}
    looks = connect("data_authority", Role.AUDITOR).receipts(kind=EntryKind.SUBJECT_ACCESS)
    told = json.loads(next(iter(looks)).statement)
    assert told["reason"] == "投诉核查 7 号"
    assert told["actor"].endswith("/department/data_authority/auditor/audit")
    assert told["receipts"] == len(shown)
    assert not set(told["subject_tags"]) & tags
    (one,) = by_person("query", "--case", CASE, "--json", person=person).splitlines()
    assert json.loads(one)["leaf_index"] == recorded[0].leaf_index
    out = tmp_path / "person.jsonl"
    by_person("export", out, "--trust", embedded.trust, person=person)
    assert person not in out.read_text("utf-8")
    assert read_export(out).header.filters == {"tags": len(shown) + 2}


def test_nobody_is_looked_up_without_vault_reason_or_name(by_person, audit, tmp_path):
    """Somebody the log knows nothing of is nothing, not everything; and what lacks is said."""
    nobody = "990101189901010031"
    assert by_person("query", "--json", person=nobody) == ""
    assert "没有此人的存证" in by_person("export", tmp_path / "none.csv", person=nobody, code=1)
    assert not list(tmp_path.iterdir())
    for words, said in (
        (("--subject", "--why", "x", "--config", tmp_path / "none.toml"), "--tag"),
        (("--subject", "--config", tmp_path / "none.toml"), "--why"),
        (("--subject", "--why", "x", "--tag", "00" * 16), "--subject"),
    ):
        with pytest.raises(SetUpError, match=said):
            audit("query", *words, person=nobody)
    with pytest.raises(SetUpError, match="not said who"):
        by_person("query", person="")


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_an_export_is_verified_by_command(recorded, audit, embedded, tmp_path, form):
    """The whole log, and what some filters find, with the auditor's key alone; nothing half-written stays."""
    trust = str(embedded.trust)
    for words in ((), ("--case", CASE)):
        out = tmp_path / f"{len(words)}.{form}"
        audit("export", out, "--trust", trust, *words)
        export = read_export(out)
        lines = list(export.lines)
        assert (export.header.count, export.header.proofs) == (len(lines), True)
        if words:
            assert [line.leaf_index for line in lines] == [recorded[0].leaf_index]
            assert export.header.filters == {"case_no": CASE}
        else:
            assert [line.leaf_index for line in lines] == list(reversed(range(export.header.tree_size)))
        done = CliRunner().invoke(app, ["audit", "verify", str(out), "--key", trust, "--json"])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["findings"] == []
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_export_without_proofs_or_lines(audit, tmp_path):
    """Is a file of the same form; nothing found is no fault."""
    audit("export", tmp_path / "bare.csv", "--no-proofs", "--case", CASE)
    export = read_export(tmp_path / "bare.csv")
    assert (export.header.proofs, [line.proof for line in export.lines]) == (False, [()])
    audit("export", tmp_path / "none.jsonl", "--case", "NOBODY")
    none = read_export(tmp_path / "none.jsonl")
    assert (none.header.count, list(none.lines)) == (0, [])
    assert none.header.tree_size > 0


def test_an_export_that_fails_leaves_what_was_there(audit, tmp_path):
    """The name of no form is refused before anything is written."""
    out = tmp_path / "kept.docx"
    out.write_text("kept")
    with pytest.raises(SetUpError, match="--as"):
        audit("export", out)
    assert out.read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.docx"]


def test_reconcile_asks_the_broker(recorded, audit, tmp_path):
    """The look-ups of one department, from the running broker."""
    listed = tmp_path / "cases.csv"
    listed.write_text(f"办件编号,事项\n{CASE},提取\nGJJ-2026-UNUSED,提取\n", "utf-8-sig")
    words = ("reconcile", listed, "--department", "housing_fund", "--json")
    found = json.loads(audit(*words, code=1))
    assert found["unused"] == ["GJJ-2026-UNUSED"]
    assert CASE not in {one["case_no"] for one in found["caseless"]}
    assert found["look_ups"] >= 1


def test_report_of_a_running_broker(recorded, audit, tmp_path):
    """Both applications are in it, the refused one with its reasons."""
    today = datetime.now().astimezone().date()
    words = ("--from", today - timedelta(days=1), "--to", today + timedelta(days=1))
    found = json.loads(audit("report", *words, "--json", "--out", tmp_path / "report.html"))
    requests = {one["department"]: one["requests"] for one in found["by"]}
    assert requests["housing_fund"] >= 1
    assert requests["tax"] >= 1
    reasons = {reason["code"] for reason in json.loads(recorded[1].statement)["decision"]["reasons"]}
    assert reasons <= found["total"]["reasons"].keys()
    assert "housing_fund" in (tmp_path / "report.html").read_text("utf-8")
