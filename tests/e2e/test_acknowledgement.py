"""Deliveries acknowledged over the wire, on either database: by the client, by hand, wrongly, not at all."""

import asyncio
import io
import json
import shutil
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from google.protobuf.json_format import MessageToJson
from sqlalchemy import create_engine, text

from broker.acknowledge.overdue import Overdue
from broker.acknowledge.signed import Acknowledgement, sign
from broker.audit.verify.evidence import DatabasePlace
from broker.audit.verify.remarks import Nature
from broker.audit.verify.run import Job, verify
from broker.audit.verify.said import Anchors
from broker.cli.main import main
from broker.client import AsyncClient, Client, Credentials, Delivery, VerifierKey, verify_receipt
from broker.client.saved import read_saved
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from broker.errors import MalformedRequest, NotAcknowledged, NotFound, Unavailable, VerificationFailed
from broker.keys.authority import Authority
from broker.model import Role
from broker.reasons import Reason
from broker.receipt.fsck import open_fsck
from broker.receipt.log import ReceiptLog
from broker.receipt.log_keys import LogKeys
from broker.receipt.memory import remembered
from broker.receipt.signer import CheckpointSigner, socket_of
from broker.receipt.verify import verify_checkpoint
from broker.server.wire import receipt_message
from broker.settings import load_settings
from broker.store import migrate
from broker.store.store import open_store
from broker.v1 import delivery_pb2, delivery_pb2_grpc

DEPARTMENTS = ("data_authority", "housing_fund", "medical_insurance", "civil_affairs", "tax")
PATIENCE = 120.0


def utc_now():
    return datetime.now(UTC)


class Patient(Client):
    """The client of callers who may have to wait for a slow machine."""

    def _try(self, attempt, timeout, request_id):
        return super()._try(attempt, max(timeout, PATIENCE), request_id)


class PatientTwin(AsyncClient):
    """Its twin."""

    async def _try(self, attempt, timeout, request_id):
        return await super()._try(attempt, max(timeout, PATIENCE), request_id)


class House:
    """A broker whose policies demand acknowledgement of marriages in two days, of the register in one."""

    def __init__(self, folder, url):
        policies = shutil.copytree(shipped_policies(), folder / "policies")
        for name, before, after in (
            ("civil-affairs-marriage", "mask:\n        registered_on: year\n", "acknowledge_hours: 48"),
            ("public-security-household", "no_onward_sharing: true", "acknowledge_hours: 24"),
        ):
            file = policies / "sharing" / f"{name}.yaml"
            text = file.read_text("utf-8")
            assert text.count(before) == 1
            file.write_text(text.replace(before, f"{after}\n      {before}"), "utf-8")
        self.embedded = prepare(folder, 1_000, 7, policies, DEPARTMENTS)
        self.settings = load_settings(self.embedded.settings)
        self.url = url or self.settings.store_url
        self.trust = VerifierKey.parse(Path(self.embedded.trust).read_text("utf-8").strip())
        self.opened = []

    def folder(self, department, role=Role.SYSTEM):
        return self.embedded.identity(department, role)

    def client(self, department, role=Role.SYSTEM, **more):
        credentials = Credentials.load(self.folder(department, role))
        self.opened.append(Patient(self.address, credentials, trust=self.trust, **more))
        return self.opened[-1]

    def statement(self, leaf_index):
        auditor = self.client("data_authority", Role.AUDITOR)
        return orjson.loads(auditor.receipt(leaf_index).statement)


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
    """That neither ``fsck`` nor an auditor finds anything wrong with what the broker has recorded."""
    state = house.settings.path(house.settings.keys.signer_state)
    with open_fsck(house.url, state, house.trust) as check:
        assert list(check.findings()) == []
    authority = Authority.open(house.embedded.folder / "pki").certificate
    anchors = Anchors(LogKeys(house.trust), authority=authority.public_bytes(serialization.Encoding.DER))
    head = verify_checkpoint(remembered(state, house.trust), house.trust)
    report = verify(Job(DatabasePlace(house.url), anchors, head))
    # Of exchanges that a test made up, the bundle and the certificate are.
    wrong = [one for one in report.remarks if one.finding.column not in ("decision", "certificate")]
    assert [one for one in wrong if one.nature is not Nature.OVERDUE] == []


@pytest.fixture
def asked(house):
    """Terms of an exchange that must be acknowledged."""
    cast = json.loads((house.embedded.folder / "data" / "city.json").read_text("utf-8"))
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


def waiting(client, **wanted):
    """Leaf indices of the deliveries that a reader sees on the list."""
    return [int(one.receipt.removeprefix("receipts/")) for one in client.deliveries(**wanted)]


def test_the_client_acknowledges_where_policy_wants_it(house, asked):
    """With the answer comes the receipt of its acknowledgement, which names the delivery."""
    fund = house.client("housing_fund")
    exchanged = fund.exchange(**asked)
    assert exchanged.duties.acknowledge_hours == 48
    said = verify_receipt(exchanged.acknowledgement, house.trust).statement
    told = orjson.loads(exchanged.receipt.statement)
    assert (said["kind"], said["of"]) == ("acknowledgement", exchanged.receipt.leaf_index)
    assert said["digest"] == told["outcome"]["digest"]
    assert said["consumer"] == {"department": "housing_fund", "uri": told["consumer"]["uri"]}
    assert said["signer"] == {"uri": told["consumer"]["uri"], "certificate": told["consumer"]["certificate"]}
    assert (said["late"], said["due_at"]) == (False, told["acknowledge_by"])
    assert said["epoch"] == told["decision"]["epoch"]
    due, recorded = (datetime.fromisoformat(told[name]) for name in ("acknowledge_by", "recorded_at"))
    assert due - recorded == timedelta(hours=48)
    assert exchanged.receipt.leaf_index not in waiting(fund)
    again = fund.exchange(request_id=exchanged.request_id, **asked)
    assert again.redelivered
    assert again.acknowledgement.statement == exchanged.acknowledgement.statement


def test_what_policy_does_not_want_is_acknowledged_only_when_asked(house, asked):
    """One call more is made where it is wanted, and not where the program switches it off."""
    fund, cast = house.client("housing_fund"), asked
    refused = fund.exchange(**cast | {"fields": ["husband_name"]})
    assert (refused.delivery, refused.acknowledgement) == (None, None)
    off = fund.exchange(acknowledge=False, **asked)
    assert (off.acknowledgement, off.receipt.leaf_index in waiting(fund)) == (None, True)
    assert fund.unacknowledged == ()
    household = asked | {"dataset": "public_security.household", "fields": ["relation"]}
    silent, told = fund.exchange(**household), fund.exchange(acknowledge=True, **household)
    assert (silent.acknowledgement, silent.delivery.hours) == (None, 0)
    said = orjson.loads(told.acknowledgement.statement)
    assert said["of"] == told.receipt.leaf_index
    assert said.keys().isdisjoint({"late", "due_at"})
    nothing = fund.exchange(**asked | {"subjects": ["990101189901010015"]})
    assert (nothing.records, nothing.acknowledgement is None) == ([], False)
    by_hand = fund.acknowledge(off.delivery)
    assert fund.acknowledge(off.delivery).statement == by_hand.statement
    assert off.receipt.leaf_index not in waiting(fund)


def test_a_stream_is_acknowledged_at_its_end(house, package):
    """Only when it has verified to its end; begun again it is the same delivery; broken it is none."""
    insurer = house.client("medical_insurance")
    with insurer.stream(**package) as broken:
        next(iter(broken))
    assert (broken.delivery, broken.acknowledgement) == (None, None)
    with insurer.stream(acknowledge=False, **package) as stream:
        stream.table()
    first = stream.outcome_receipt.leaf_index
    assert (stream.acknowledgement, first in waiting(insurer)) == (None, True)
    with insurer.stream(request_id=stream.request_id, **package) as again:
        again.table()
    said = orjson.loads(again.acknowledgement.statement)
    assert again.redelivered
    assert (said["of"], said["delivery"]) == (again.outcome_receipt.leaf_index, first)
    assert first not in waiting(insurer)
    assert insurer.acknowledge(stream.delivery).statement == again.acknowledgement.statement


def test_the_twin_acknowledges_too(house, asked, package):
    """Exchanges and streams of programs on asyncio."""

    async def use():
        credentials = Credentials.load(house.folder("housing_fund"))
        async with PatientTwin(house.address, credentials, trust=house.trust) as fund:
            exchanged = await fund.exchange(**asked)
            off = await fund.exchange(acknowledge=False, **asked)
            listed = [one.receipt async for one in fund.deliveries()]
            assert f"receipts/{off.receipt.leaf_index}" in listed
            assert f"receipts/{exchanged.receipt.leaf_index}" not in listed
            assert (await fund.acknowledge(off.delivery)).leaf_index > off.receipt.leaf_index
        credentials = Credentials.load(house.folder("medical_insurance"))
        async with (
            PatientTwin(house.address, credentials, trust=house.trust) as insurer,
            await insurer.stream(**package) as stream,
        ):
            await stream.table()
        assert orjson.loads(stream.acknowledgement.statement)["of"] == stream.outcome_receipt.leaf_index

    asyncio.run(use())


# ── wrong ones ───────────────────────────────────────────────────────────────────────────────────


def signed(folder, delivery, **other):
    """An acknowledgement signed with the certificate in a folder, otherwise than received."""
    credentials = Credentials.load(folder)
    said = {"leaf": delivery.leaf, "digest": delivery.digest, "received_at": delivery.received_at, **other}
    return sign(Acknowledgement(**said), credentials.private_key(), credentials.chain[0])


def send(client, delivery, message):
    """Sends it as it is."""
    return client._ask(client._questions.acknowledge(delivery.leaf_index, message), PATIENCE)


def test_what_does_not_verify_is_refused_and_leaves_nothing(house, asked):
    """Another's certificate, another leaf, times that cannot be, a flipped bit: each by its reason."""
    fund, tax = house.client("housing_fund"), house.client("tax")
    delivery = fund.exchange(acknowledge=False, **asked).delivery
    own, now = house.folder("housing_fund"), datetime.now(UTC)
    size = int(fund.checkpoint().splitlines()[1])
    good = signed(own, delivery)
    wrong = {
        "no system of the consumer": signed(house.folder("tax"), delivery),
        "another receipt": signed(own, delivery, leaf=bytes(32)),
        "before it was delivered": signed(own, delivery, received_at=now - timedelta(hours=1)),
        "later than now": signed(own, delivery, received_at=now + timedelta(hours=1)),
        "does not verify": good[:-1] + bytes([good[-1] ^ 1]),
        "not a tagged": b"",
    }
    for why, message in wrong.items():
        with pytest.raises(MalformedRequest) as refused:
            send(fund, delivery, message)
        assert refused.value.reason is Reason.ACKNOWLEDGEMENT_INVALID
        assert why in refused.value.violations[0].en
    with pytest.raises(NotFound):
        send(tax, delivery, signed(house.folder("tax"), delivery))
    refusal = fund.exchange(**asked | {"fields": ["husband_name"]}).receipt
    with pytest.raises(NotAcknowledged) as refused:
        fund.acknowledge(Delivery.of(refusal, bytes(32)))
    assert refused.value.reason is Reason.NOTHING_DELIVERED
    assert int(fund.checkpoint().splitlines()[1]) == size + 1  # the refusal
    assert delivery.leaf_index in waiting(fund)
    send(fund, delivery, good)


def test_any_system_of_the_department_signs_until_it_is_revoked(house, asked, command):
    """The key may live on another machine; one that is revoked signs nothing, though in its dates."""
    fund, authority = house.client("housing_fund"), Authority.open(house.embedded.folder / "pki")
    issued = authority.issue("housing_fund", Role.SYSTEM, "archive")
    key = serialization.load_pem_private_key(issued.key_pem, None)
    certificate = x509.load_pem_x509_certificate(issued.cert_pem)

    def by_archive():
        delivery = fund.exchange(acknowledge=False, **asked).delivery
        said = Acknowledgement(delivery.leaf, delivery.digest, delivery.received_at)
        return send(fund, delivery, sign(said, key, certificate))

    said = orjson.loads(by_archive().statement)
    assert said["signer"]["uri"] == "spiffe://xinghe/department/housing_fund/system/archive"
    authority.revoke(said["signer"]["uri"])
    crl = authority.folder / "crl.pem"
    assert command("revocations", "publish", crl, "--config", house.embedded.settings)[0] == 0
    with pytest.raises(MalformedRequest) as refused:
        by_archive()
    assert "revoked" in refused.value.violations[0].en


def test_a_dispute_is_an_alarm_and_does_not_vanish(house, asked):
    """Something else was received: refused, receipted once, and listed so for everybody concerned."""
    fund = house.client("housing_fund")
    delivery = fund.exchange(acknowledge=False, **asked).delivery
    disputing = signed(house.folder("housing_fund"), delivery, digest=b"\x07" * 32)
    about = set()
    for _ in range(2):
        with pytest.raises(NotAcknowledged) as refused:
            send(fund, delivery, disputing)
        assert refused.value.reason is Reason.DELIVERY_DISPUTED
        about.add(refused.value.about)
    (name,) = about
    said = house.statement(int(name.removeprefix("receipts/")))
    assert (said["kind"], said["of"]) == ("acknowledgement_disputed", delivery.leaf_index)
    assert said["digest"] == "07" * 32
    auditors = [house.client(department, Role.AUDITOR) for department in ("data_authority", "civil_affairs")]
    for reader in (*auditors, fund):
        listed = {one.receipt: one for one in reader.deliveries(overdue=True)}
        assert listed[f"receipts/{delivery.leaf_index}"].disputed_receipt == name
    fund.acknowledge(delivery)
    assert delivery.leaf_index not in waiting(fund)


# ── missing ones ─────────────────────────────────────────────────────────────────────────────────


@contextmanager
def beside(house):
    """What one more worker has of the broker: its database, and the log on it."""
    state = house.settings.path(house.settings.keys.signer_state)
    with (
        closing(open_store(house.url)) as store,
        closing(CheckpointSigner(socket_of(state))) as signer,
        closing(ReceiptLog(store, signer, house.settings.log.origin, utc_now)) as log,
    ):
        yield store, log


def test_several_workers_record_a_missing_one_once(house, broker_log):
    """Whoever of them notices, beside the running broker; it is acknowledged afterwards, late."""
    with ExitStack() as stack:
        workers = [stack.enter_context(beside(house)) for _ in range(4)]
        due = utc_now() - timedelta(hours=1)
        left = [workers[0][1].append(broker_log.delivery(due)).receipt for _ in range(8)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda worker: Overdue(*worker, utc_now).record(), workers))
    auditor, tax = house.client("data_authority", Role.AUDITOR), house.client("tax")
    found = [orjson.loads(receipt.statement) for receipt in auditor.receipts(department="tax")]
    missing = Counter(said["of"] for said in found if said["kind"] == "acknowledgement_missing")
    assert missing == {receipt.leaf_index: 1 for receipt in left}
    listed = {one.receipt: one for one in auditor.deliveries("tax", overdue=True)}
    assert sorted(listed) == sorted(f"receipts/{receipt.leaf_index}" for receipt in left)
    one = listed[f"receipts/{left[0].leaf_index}"]
    assert (one.overdue, bool(one.missing_receipt), one.disputed_receipt) == (True, True, "")
    digest = bytes.fromhex(orjson.loads(left[0].statement)["outcome"]["digest"])
    said = orjson.loads(tax.acknowledge(Delivery.of(left[0], digest)).statement)
    assert said["late"] is True
    assert len(waiting(auditor, consumer="tax")) == len(left) - 1


def test_another_acknowledgement_is_not_taken_for_it(house, asked):
    """Whoever can write to the database can have the broker find a first one that is of another delivery."""
    fund = house.client("housing_fund")
    first, other = fund.exchange(**asked), fund.exchange(acknowledge=False, **asked)
    names = [f"acknowledgement/{one.receipt.leaf_index}" for one in (first, other)]
    engine = create_engine(house.url)
    columns = "consumer_uri, leaf_index, request_mac, answer_digest, verdict"
    copied = (
        f"INSERT INTO request (request_id, {columns}) "
        f"SELECT :to, {columns} FROM request WHERE request_id = :of"
    )
    with engine.begin() as connection:
        connection.execute(text(copied), {"to": names[1], "of": names[0]})
    hasty = Client(house.address, Credentials.load(house.folder("housing_fund")), trust=house.trust)
    with closing(hasty), pytest.raises(Unavailable):
        hasty.acknowledge(other.delivery, timeout=5.0)
    message = fund._questions.signed(other.delivery)
    question = fund._questions.acknowledge(other.receipt.leaf_index, message)
    lie = delivery_pb2.AcknowledgeDeliveryResponse(
        receipt=receipt_message(first.acknowledgement), repeated=True
    )
    with pytest.raises(VerificationFailed):
        question.read(lie, 1)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM request WHERE request_id = :it"), {"it": names[1]})
    engine.dispose()
    assert fund.acknowledge(other.delivery) is not None


# ── the list ─────────────────────────────────────────────────────────────────────────────────────


def test_who_sees_which_deliveries(house, asked):
    """The authority all, provider and consumer theirs, a system its own, others nothing; page by page."""
    fund = house.client("housing_fund")
    left = [fund.exchange(acknowledge=False, **asked).receipt.leaf_index for _ in range(3)]
    everyone = waiting(house.client("data_authority", Role.AUDITOR))
    assert set(left) <= set(everyone)
    assert everyone == sorted(everyone)
    for reader in (fund, house.client("civil_affairs", Role.AUDITOR)):
        assert waiting(reader)[-3:] == left
        assert not set(left) & set(waiting(reader, overdue=True))
    for reader in (house.client("medical_insurance", Role.AUDITOR), house.client("tax")):
        assert not set(left) & set(waiting(reader))
    credentials = Credentials.load(house.folder("housing_fund")).channel_credentials()
    with grpc.secure_channel(house.address, credentials) as channel:
        stub, pages, token = delivery_pb2_grpc.DeliveryServiceStub(channel), [], ""
        while True:
            request = delivery_pb2.ListDeliveriesRequest(page_size=1, page_token=token)
            page = stub.ListDeliveries(request, timeout=PATIENCE)
            pages.append([one.receipt for one in page.deliveries])
            if not (token := page.next_page_token):
                break
    assert [[f"receipts/{leaf}"] for leaf in waiting(fund)] == pages
    with pytest.raises(MalformedRequest):
        list(fund.deliveries("no such!"))


# ── a broker that is not there ───────────────────────────────────────────────────────────────────


class Deaf(Patient):
    """A client whose acknowledgements do not arrive, for a while."""

    deaf = True

    def _try(self, attempt, timeout, request_id):
        if self.deaf and not request_id:
            raise Unavailable(Reason.BROKER_UNREACHABLE)
        return super()._try(attempt, timeout, request_id)


def test_the_answer_stands_though_its_acknowledgement_waits(house, asked, tmp_path):
    """It goes with the next one; kept in a folder it outlives the program; a refused one is told of."""
    credentials, outbox = Credentials.load(house.folder("housing_fund")), tmp_path / "outbox"
    with Deaf(house.address, credentials, trust=house.trust, outbox=outbox) as fund:
        first = fund.exchange(**asked)
        assert (first.permitted, first.acknowledgement) == (True, None)
        assert fund.unacknowledged == (first.receipt.leaf_index,)
    with Patient(house.address, credentials, trust=house.trust, outbox=outbox) as fund:
        assert fund.unacknowledged == (first.receipt.leaf_index,)
        assert fund.exchange(**asked).acknowledgement is not None
        assert fund.unacknowledged == ()
        fund._outbox.add(first.receipt.leaf_index, b"damaged")
        fund.acknowledge_waiting()
        assert (
            fund.refused_acknowledgements[first.receipt.leaf_index].reason is Reason.ACKNOWLEDGEMENT_INVALID
        )
    assert list(outbox.iterdir()) == []
    assert first.receipt.leaf_index not in waiting(house.client("housing_fund"))


# ── the commands ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def command(monkeypatch):
    """Runs a command as people do; gives its exit code and what it printed."""
    monkeypatch.setenv("COLUMNS", "300")

    def run(*words):
        told = io.StringIO()
        monkeypatch.setattr(sys, "argv", ["sharebroker", *map(str, words)])
        with redirect_stdout(told), redirect_stderr(told), pytest.raises(SystemExit) as done:
            main()
        return done.value.code, told.getvalue()

    return run


def of(house, department, role=Role.SYSTEM):
    """Options by which a command is that of a department."""
    return ["--broker", house.address, "--identity", house.folder(department, role)]


ONE_DATABASE = pytest.mark.parametrize("house", ["sqlite"], indirect=True)
"""What a command does is the same on either."""


@pytest.fixture
def saved(house, asked, package, tmp_path):
    """Answers as another language's client would save them: unary as protobuf and JSON, a stream as JSON."""
    fund, insurer = (house.client(name) for name in ("housing_fund", "medical_insurance"))

    def kept(client, method, terms):
        question = client._questions.exchange(terms)
        stub = getattr(client._connections._all[0].stubs.exchanges, method)
        return stub(question.request, timeout=PATIENCE)

    files = {name: tmp_path / name for name in ("binary", "json", "stream")}
    files["binary"].write_bytes(kept(fund, "Exchange", asked).SerializeToString())
    files["json"].write_text(MessageToJson(kept(fund, "Exchange", asked)))
    request = insurer._questions.stream(package).request
    parts = insurer._connections._all[0].stubs.exchanges.StreamExchange(request, timeout=PATIENCE)
    files["stream"].write_text("\n".join(map(MessageToJson, parts)))
    return files


@ONE_DATABASE
@pytest.mark.parametrize(
    ("form", "department"),
    [("binary", "housing_fund"), ("json", "housing_fund"), ("stream", "medical_insurance")],
)
def test_a_saved_answer_is_acknowledged_by_hand(house, saved, form, department, command, tmp_path):
    """For departments without this client; its receipt shows who signed, and proves it with the root."""
    trust, out = ["--trust", house.embedded.trust], tmp_path / "receipt.json"
    words = ["delivery", "acknowledge", saved[form], *trust, "--out", out, "--json"]
    code, said = command(*words, *of(house, department))
    assert code == 0, said
    told = json.loads(said)
    assert told["delivery"] < told["acknowledgement"]
    assert told["delivery"] not in waiting(house.client(department))
    code, said = command("receipt", "verify", out, *trust, "--ca", house.embedded.folder / "pki" / "ca.pem")
    assert (code, f"spiffe://xinghe/department/{department}/system/" in said) == (0, True)
    assert "主管机构签发，存证时有效" in said
    other = Authority.create(tmp_path / "pki", "xinghe").folder / "ca.pem"
    assert command("receipt", "verify", out, *trust, "--ca", other)[0] == 3


@ONE_DATABASE
def test_something_else_than_attested_is_not_acknowledged_by_hand(house, saved, command):
    """It is refused before anything is sent; on demand it is put on record as a dispute."""
    answer = json.loads(saved["json"].read_text())
    answer["answer"]["records"][0]["values"]["status"]["text"] += "?"
    saved["json"].write_text(json.dumps(answer))
    words = ["delivery", "acknowledge", saved["json"], "--trust", house.embedded.trust]
    code, said = command(*words, *of(house, "housing_fund"))
    assert (code, "不符" in said) == (3, True)
    code, said = command(*words, "--dispute", *of(house, "housing_fund"))
    assert (code, "DELIVERY_DISPUTED" in said) == (1, True)
    listed = ["delivery", "list", "--overdue", "--json"]
    code, said = command(*listed, *of(house, "data_authority", Role.AUDITOR))
    told = {line["receipt"]: line for line in map(json.loads, said.splitlines())}
    assert (code, told[int(answer["receipt"]["leafIndex"])]["state"]) == (1, "disputed")
    code, said = command("delivery", "list", *of(house, "housing_fund"))
    assert (code, "有争议 disputed" in said) == (1, True)


@ONE_DATABASE
def test_status_counts_what_is_overdue(house, asked, command):
    """Beside the list: how many wait, and how many somebody must ask about."""
    house.client("housing_fund").exchange(acknowledge=False, **asked)
    told = json.loads(command("status", "--json", "--config", house.embedded.settings)[1])["deliveries"]
    listed = list(house.client("data_authority", Role.AUDITOR).deliveries())
    overdue = [one for one in listed if one.overdue or one.disputed_receipt]
    assert told == {"waiting": len(listed) - len(overdue), "overdue": len(overdue)}
    assert told["waiting"] > 0


@ONE_DATABASE
def test_what_is_no_answer_is_not_acknowledged(house, tmp_path):
    """Whatever the file holds, two lines say so."""
    for content in (b"", b"{", b"{}", b"[]", b'{"opening": {}}', bytes(range(256)), b'{"decision": 7}'):
        (tmp_path / "answer").write_bytes(content)
        with pytest.raises(VerificationFailed):
            read_saved(content, utc_now(), house.trust)
