"""Streamed exchanges: decision, Arrow batches, outcome, and an outcome also when they break off."""

import hashlib
import itertools
import sqlite3
import time
from contextlib import closing, suppress

import pytest
from orjson import loads
from typer.testing import CliRunner

from broker.cli.receipt import app
from broker.client import Client, Credentials, verify_receipt
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from broker.errors import DeadlinePassed, MalformedRequest
from broker.model import AnswerStatus, Role, Verdict
from broker.reasons import Reason
from broker.v1 import exchange_pb2, exchange_pb2_grpc

REQUEST_ID = "11111111-2222-4333-8444-555555555555"
MASKED = {"resident_id": "sfzh", "name": "xm", "household_no": "hh", "born_on": "csrq", "mobile": "sjhm"}
"""Masked field → column of the provider's table."""


@pytest.fixture(scope="module")
def household(embedded):
    """The register as the provider has it: column → values."""
    with closing(sqlite3.connect(embedded.folder / "data" / "public_security.db")) as database:
        rows = database.execute("SELECT * FROM czrk")
        names = [description[0] for description in rows.description]
        return dict(zip(names, zip(*rows, strict=True), strict=True))


@pytest.fixture
def request_message(package):
    application = package | {"dataset": f"datasets/{package['dataset']}"}
    return exchange_pb2.StreamExchangeRequest(request_id=REQUEST_ID, application=application)


@pytest.fixture
def parts(embedded, open_channel, request_message):
    """The messages of one whole stream, as they came."""
    credentials = Credentials.load(embedded.identity("medical_insurance")).channel_credentials()
    stub = exchange_pb2_grpc.ExchangeServiceStub(open_channel(credentials))
    return list(stub.StreamExchange(request_message, timeout=60))


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A broker that streams row by row, so that there is a midway; its folder and address."""
    folder = tmp_path_factory.mktemp("slow")
    prepared = prepare(folder, 2_000, 7, shipped_policies(), ("data_authority", "medical_insurance"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SHAREBROKER_SERVER__STREAM_BATCH_ROWS", "1")
        environment.setenv("SHAREBROKER_SERVER__STREAM_CHUNK_BYTES", "256")
        with broker_process(prepared) as address:
            yield prepared, address


def test_whole_register_masked_with_two_receipts(connect, package, household, trust):
    """The decision comes first, the batches after it, last an outcome whose digest and receipt hold."""
    stream = connect("medical_insurance").stream(**package)
    assert stream.verdict is Verdict.PERMIT
    decision = verify_receipt(stream.receipt, trust).statement
    assert decision["kind"] == "stream_decision"
    assert "outcome" not in decision
    assert stream.outcome is None

    table = stream.table()
    assert table.column_names == package["fields"]
    assert {name for name, mask in stream.masks.items() if mask} == set(MASKED)
    assert table.num_rows == stream.outcome.counts.released
    assert stream.outcome.counts.read == len(household["sfzh"])
    assert table.num_rows + stream.outcome.counts.bad == len(household["sfzh"])

    outcome = verify_receipt(stream.outcome_receipt, trust).statement
    assert outcome["kind"] == "stream_outcome"
    assert outcome["decision_leaf"] == stream.receipt.leaf_index
    assert outcome["outcome"]["interrupted"] is False
    assert outcome["outcome"]["digest"] == stream.outcome.digest.hex()
    assert outcome["outcome"]["rows"]["released"] == table.num_rows


def test_parts_come_in_their_order(parts):
    """Opening, chunks, outcome; the digest is that of the nonce and every chunk."""
    kinds = [part.WhichOneof("part") for part in parts]
    assert kinds == ["opening", *["chunk"] * (len(parts) - 2), "outcome"]
    assert len(parts) > 2
    nonce = parts[0].opening.nonce
    assert len(nonce) == 32
    chunks = b"".join(part.chunk for part in parts[1:-1])
    assert hashlib.sha256(nonce + chunks).digest() == parts[-1].outcome.digest
    assert nonce not in parts[0].opening.receipt.statement
    assert nonce.hex().encode() not in parts[-1].outcome.receipt.statement


def test_no_masked_value_in_any_byte(parts, household):
    """In all that was sent there is no value of a masked column, nor of one that was not asked for."""
    sent = b"".join(part.SerializeToString() for part in parts)
    chunks = b"".join(part.chunk for part in parts)
    for column in (*MASKED.values(), "hjdz", "gxsj"):
        for value in filter(None, household[column]):
            assert value.encode() not in sent
            assert value.encode() not in chunks
            assert value.encode("utf-16-le") not in chunks
    # A date as Arrow keeps it would be days since 1970; what is released of it is a year.
    assert any(district.encode() in chunks for district in household["xzqh"])


def test_equal_values_keep_equal_pseudonyms(connect, package, household):
    """Households can be told apart and joined within the package, and not turned back."""
    table = connect("medical_insurance").stream(**package).table()
    assert len(set(table["resident_id"].to_pylist())) == table.num_rows
    households = set(table["household_no"].to_pylist())
    assert 1 < len(households) < table.num_rows
    assert not households & set(household["hh"])


def test_the_list_leads_from_a_stream_to_its_outcome_and_back(embedded, address, connect, package):
    """Whoever lists receipts sees of a decision which leaf ended it, and of that how."""
    auditor = embedded.identity("data_authority", Role.AUDITOR)
    with connect("medical_insurance").stream(**package) as stream:
        stream.table()
    opening, outcome = stream.receipt.leaf_index, stream.outcome_receipt.leaf_index
    words = ["list", "--broker", address, "--identity", str(auditor), "--limit", "3"]
    listed = CliRunner().invoke(app, words, env={"COLUMNS": "300"}).output
    assert f"→ {outcome}" in listed
    assert f"完成 complete ← {opening}" in listed


def test_refusal_is_an_opening_and_nothing_else(connect, package, trust):
    """A refused stream has a decision with reasons and a receipt, no columns, no nonce, no batch."""
    stream = connect("tax").stream(**package)
    assert stream.verdict is Verdict.DENY
    assert [reason.code for reason in stream.decision.reasons] == [Reason.SERVICE_ITEM_MISMATCH]
    assert stream.masks == {}
    assert list(stream) == []
    assert (stream.outcome, stream.outcome_receipt) == (None, None)
    statement = loads(stream.receipt.statement)
    assert statement["kind"] == "exchange"
    assert "outcome" not in statement


def test_whole_register_needs_a_rule_that_says_so(connect, withdrawal):
    """Without naming subjects nothing is given where policy permits only single cases."""
    terms = {name: value for name, value in withdrawal.items() if name != "subjects"}
    stream = connect("housing_fund").stream(**terms)
    assert stream.verdict is Verdict.DENY
    assert [reason.code for reason in stream.decision.reasons] == [Reason.WHOLE_DATASET_NOT_PERMITTED]


def test_stream_of_named_subjects(connect, withdrawal):
    """A stream may also ask for subjects; its outcome says of each what is known."""
    stream = connect("housing_fund").stream(**withdrawal)
    table = stream.table()
    assert table.num_rows == 1
    outcome = loads(stream.outcome_receipt.statement)["outcome"]
    assert outcome["subjects"] == [{"status": "found", "rows": 1}]
    assert AnswerStatus(outcome["status"]) is AnswerStatus.FOUND


def test_stream_of_nothing_keeps_its_columns(connect, withdrawal, cast):
    """A permitted stream without rows is a table of no rows, with the columns it would have had."""
    stream = connect("housing_fund").stream(**withdrawal | {"subjects": [cast["withdrawal"]["unmarried"]]})
    table = stream.table()
    assert (table.num_rows, table.column_names) == (0, withdrawal["fields"])
    assert stream.outcome.status == exchange_pb2.ANSWER_STATUS_NONE


def test_malformed_stream(connect, package):
    """Mistakes end a stream before it begins, with every violation."""
    with pytest.raises(MalformedRequest) as refused:
        connect("medical_insurance").stream(request_id="x", **package | {"fields": []})
    assert {v.field for v in refused.value.violations} == {"request_id", "application.fields"}


# ── cut short ────────────────────────────────────────────────────────────────────────────────────


def test_cancelled_midway_leaves_an_outcome_that_says_so(slow, package, patient):
    """When the consumer hangs up, the log soon tells that, and how much was handed over until then."""
    prepared, address = slow
    consumer = Credentials.load(prepared.identity("medical_insurance"))
    auditor = Credentials.load(prepared.identity("data_authority", Role.AUDITOR))
    with Client(address, consumer) as asking, patient(address, auditor) as reading:
        stream = asking.stream(**package)
        batches = list(itertools.islice(stream, 3))
        stream.cancel()
        outcome = _outcome_of(reading, stream.receipt.leaf_index)
    assert outcome["interrupted"] is True
    assert len(batches) <= outcome["rows"]["released"] < 2_000


def test_deadline_midway_leaves_an_outcome_that_says_so(slow, package, patient):
    """The same when the consumer's own deadline passes."""
    prepared, address = slow
    consumer = Credentials.load(prepared.identity("medical_insurance"))
    auditor = Credentials.load(prepared.identity("data_authority", Role.AUDITOR))
    with Client(address, consumer) as asking, patient(address, auditor) as reading:
        stream, seconds = _opened_with_a_deadline(asking, package)
        with pytest.raises(DeadlinePassed):
            [time.sleep(seconds / 4) for _ in stream]  # far more than four batches are to come
        assert stream.outcome is None
        outcome = _outcome_of(reading, stream.receipt.leaf_index)
    assert outcome["interrupted"] is True


def _opened_with_a_deadline(asking, package):
    """A stream whose decision came within its deadline, and that deadline in seconds."""
    for seconds in (1, 4, 16, 64):
        with suppress(DeadlinePassed):
            return asking.stream(timeout=seconds, **package), seconds
    raise AssertionError("no decision within any deadline")


def _outcome_of(reading, decision_leaf):
    """The outcome in the log that belongs to a decision; the broker writes it when it notices."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        for receipt in reading.receipts(dataset="public_security.household"):
            statement = loads(receipt.statement)
            if statement.get("decision_leaf") == decision_leaf:
                return statement["outcome"]
        time.sleep(0.05)
    raise AssertionError("no outcome in the log")
