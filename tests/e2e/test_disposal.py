"""Duties after delivery over the wire, on either database: ordered when due or before, certified, missed."""

import asyncio
import io
import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.apply.identity import read_credential
from broker.cli.main import main
from broker.client import AsyncClient, Credentials, VerifierKey, verify_receipt
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from broker.disposal.ordering import Orders, Terms
from broker.disposal.recording import recording
from broker.disposal.signed import Certificate, sign
from broker.disposal.watch import DisposalWatch
from broker.epoch import Epochs
from broker.errors import MalformedRequest, NotAuthorised, NotFound, NothingToDispose
from broker.keys.authority import Authority
from broker.keys.files import write_private_file
from broker.model import DisposalCause, DisposalMethod, EntryKind, Role, Target
from broker.publish import Order
from broker.reasons import Reason
from broker.receipt.disposals import (
    Kept,
    Ordered,
    digest_of,
    digest_of_sets,
    holding_of,
    order,
    ordered_of,
    retained_of,
    set_of,
    sets_of,
)
from broker.receipt.log import ReceiptLog
from broker.receipt.signer import CheckpointSigner, socket_of
from broker.server.bundles import compiler, operators_of
from broker.server.parts import ca_of, keyring_file, publisher_of, sources_of
from broker.settings import load_settings
from broker.store import migrate
from broker.store.disposals import DisposalFilter, WaitingFilter
from broker.store.store import open_store
from tests.e2e.test_acknowledgement import PATIENCE, Patient, require_sound

DEPARTMENTS = ("data_authority", "housing_fund", "civil_affairs", "medical_insurance", "tax")
WITHDRAWAL = "housing_fund_withdrawal"
DATASET = "civil_affairs.marriage"


def utc_now():
    return datetime.now(UTC)


class House:
    """A broker of the sample city."""

    def __init__(self, folder, url):
        self.embedded = prepare(folder, 1_000, 7, shipped_policies(), DEPARTMENTS)
        self.settings = load_settings(self.embedded.settings)
        self.url = url or self.settings.store_url
        self.trust = VerifierKey.parse(Path(self.embedded.trust).read_text("utf-8").strip())
        self.opened = []
        pki = self.embedded.folder / "pki"
        for department in DEPARTMENTS[:3]:
            issued = Authority.open(pki).issue(department, Role.OFFICER, "li")
            folder = pki / f"{department}-officer"
            folder.mkdir(mode=0o700)
            write_private_file(folder / "key.pem", issued.key_pem)
            (folder / "cert.pem").write_bytes(issued.cert_pem)
            shutil.copy(pki / "ca.pem", folder)

    def folder(self, department, role=Role.SYSTEM):
        return self.embedded.identity(department, role)

    def client(self, department, role=Role.SYSTEM):
        credentials = Credentials.load(self.folder(department, role))
        self.opened.append(Patient(self.address, credentials, trust=self.trust))
        return self.opened[-1]

    def statement(self, leaf_index):
        return orjson.loads(self.client("data_authority", Role.AUDITOR).receipt(leaf_index).statement)

    @contextmanager
    def worker(self, clock=utc_now):
        """What another worker of the broker has: its orders, its watch, its log and its store."""
        settings = self.settings
        with (
            closing(open_store(self.url)) as store,
            closing(sources_of(settings)) as sources,
            closing(CheckpointSigner(socket_of(settings.path(settings.keys.signer_state)))) as signer,
            closing(ReceiptLog(store, signer, settings.log.origin, clock)) as log,
        ):
            ca, keyring = ca_of(settings), keyring_file(settings).read
            epochs = Epochs(store, compiler(operators_of(settings)), sources, ca, keyring)
            orders = Orders(epochs, store, log, ca, clock)
            yield orders, DisposalWatch(orders, store, log, clock), log, store

    def waiting(self):
        with closing(open_store(self.url)) as store, store.disposals() as tables:
            return tables.waiting(WaitingFilter(), 999)


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


@pytest.fixture
def asked(house):
    """Terms of an exchange whose records may be kept for thirty days."""
    cast = json.loads((house.embedded.folder / "data" / "city.json").read_text("utf-8"))
    return {
        "dataset": DATASET,
        "fields": ["status", "registered_on"],
        "subjects": [cast["withdrawal"]["sound"]],
        "purpose": WITHDRAWAL,
        "service_item": "990100-GJJ-0003",
        "case_no": "GJJ-2026-000001",
        "legal_basis": "住房公积金管理条例 第二十四条",
        "operator": "GJJ-0088",
    }


EARLY = {
    "consumer": "housing_fund",
    "dataset": DATASET,
    "cause": DisposalCause.PURPOSE_ENDED,
    "reason": "业务已办结",
}


def delivered(house, asked, count=3):
    """The leaves of so many deliveries to the housing fund, beside what was delivered to it before."""
    fund = house.client("housing_fund")
    return [fund.exchange(**asked).receipt.leaf_index for _ in range(count)]


def number(disposal):
    return int(disposal.name.removeprefix("disposals/"))


def named(house, disposal):
    """The sets that an order names, as its receipt has them."""
    return sets_of(house.statement(number(disposal)))


def test_a_delivery_of_records_says_until_when_they_may_be_kept(house, asked):
    """To the end of the thirtieth day after it, in the city's zone; without records it says nothing."""
    fund = house.client("housing_fund")
    said = orjson.loads(fund.exchange(**asked).receipt.statement)
    recorded = datetime.fromisoformat(said["recorded_at"]).astimezone(house_zone(house))
    until = datetime.fromisoformat(said["dispose_by"]).astimezone(house_zone(house))
    assert (until.date() - recorded.date(), until.time().isoformat()) == (timedelta(days=31), "00:00:00")
    nobody = fund.exchange(**(asked | {"subjects": ["990101189901010015"]}))
    assert "dispose_by" not in orjson.loads(nobody.receipt.statement)


def test_what_goes_out_again_and_what_is_streamed_has_its_clock_too(house, asked, package):
    """A copy is a delivery as the first was, and in an order; so is a stream, by its outcome."""
    fund, insurer = house.client("housing_fund"), house.client("medical_insurance")
    first = fund.exchange(**asked)
    again = fund.exchange(**asked, request_id=first.request_id)
    assert again.receipt.leaf_index == first.receipt.leaf_index
    auditor = house.client("data_authority", Role.AUDITOR)
    copy = next(iter(auditor.receipts(kind=EntryKind.REDELIVERED, department="housing_fund")))
    assert orjson.loads(copy.statement)["of"] == first.receipt.leaf_index
    stream = insurer.stream(**package)
    assert sum(batch.num_rows for batch in stream) > 0
    opened, outcome = (orjson.loads(one.statement) for one in (stream.receipt, stream.outcome_receipt))
    assert ("dispose_by" in opened, "dispose_by" in outcome) == (False, True)
    (ordered,) = house.client("civil_affairs", Role.OFFICER).order_disposal(**EARLY)
    assert {first.receipt.leaf_index, copy.leaf_index} <= set(members(house, ordered))
    authority = house.client("data_authority", Role.OFFICER)
    of_register = {"consumer": "medical_insurance", "dataset": package["dataset"]}
    (ordered,) = authority.order_disposal(**(EARLY | of_register))
    assert members(house, ordered) == [stream.outcome_receipt.leaf_index]


def test_for_misuse_the_consumer_is_suspended_first(house, asked):
    """The suspension stops what comes; the order is about what it has, and it can still certify."""
    told = delivered(house, asked, 1)
    officer, fund = house.client("civil_affairs", Role.OFFICER), house.client("housing_fund")
    misuse = EARLY | {"cause": DisposalCause.MISUSE, "reason": "超范围使用"}
    with pytest.raises(NothingToDispose, match="CONSUMER_NOT_SUSPENDED"):
        officer.order_disposal(**misuse)
    with house.worker() as (_, _, _, store):
        publisher = publisher_of(house.settings, store, utc_now)
        suspension, _ = publisher.suspend(Target.CONSUMER, "housing_fund", Order("a test", "misuse"))
        try:
            (ordered,) = officer.order_disposal(**misuse)
            assert told[0] in members(house, ordered)
            assert fund.certify_disposal(number(ordered), operator="GJJ-0088")
        finally:
            publisher.lift(suspension.number, Order("a test", "over"))


def test_what_is_held_is_listed_until_it_is_ordered(house, asked):
    """By its last day, to those whom it concerns; page by page; what is ordered is held no more."""
    delivered(house, asked, 2)
    fund, stranger = house.client("housing_fund"), house.client("medical_insurance", Role.AUDITOR)
    (held,) = [one for one in fund.holdings("housing_fund", DATASET) if one.purpose == WITHDRAWAL]
    assert held.deliveries >= 2
    said = house.statement(int(held.last_receipt.removeprefix("receipts/")))
    assert datetime.fromisoformat(said["dispose_by"]) == held.dispose_time.ToDatetime(UTC)
    assert held not in list(stranger.holdings())
    everything = list(house.client("data_authority", Role.AUDITOR).holdings())
    assert held in everything
    days = [one.dispose_time.ToDatetime(UTC) for one in everything]
    assert days == sorted(days)
    house.client("civil_affairs", Role.OFFICER).order_disposal(**EARLY)
    assert held not in list(fund.holdings())


def house_zone(house):
    with house.worker() as (orders, *_):
        return orders.epochs.current().bundle.zone


def test_an_officer_orders_before_the_time_and_the_consumer_certifies(house, asked):
    """The order names all that was delivered, once; the certificate is signed for it, and comes once."""
    officer, fund = house.client("civil_affairs", Role.OFFICER), house.client("housing_fund")
    told = delivered(house, asked)
    (ordered,) = officer.order_disposal(method=DisposalMethod.PURGE, within_working_days=3, **EARLY)
    (one,) = ordered.sets
    assert (one.last_receipt, ordered.deliveries) == (f"receipts/{told[-1]}", one.deliveries)
    assert one.deliveries >= len(told)
    with pytest.raises(NothingToDispose, match="NOTHING_TO_DISPOSE"):
        officer.order_disposal(**EARLY)
    listed = next(one for one in fund.disposals(open=True) if one.name == ordered.name)
    assert (listed.deliveries, list(listed.sets)) == (ordered.deliveries, [])
    receipt = fund.certify_disposal(number(ordered), operator="GJJ-0088", method=DisposalMethod.PURGE)
    said = verify_receipt(receipt, house.trust).statement
    assert (said["kind"], said["of"], said["operator"]) == (
        "disposal_certificate",
        number(ordered),
        "GJJ-0088",
    )
    assert (said["late"], said["exceptions"]) == (False, [])
    again = fund.certify_disposal(number(ordered), operator="GJJ-0099", method=DisposalMethod.DESTROY)
    assert again.leaf_index == receipt.leaf_index
    assert number(ordered) not in [number(one) for one in fund.disposals(open=True)]
    statement = house.statement(number(ordered))
    assert (statement["cause"], statement["reason"]) == ("purpose_ended", "业务已办结")
    assert "/officer/" in statement["caller"]["uri"]


def test_what_is_delivered_after_an_order_is_in_the_next(house, asked):
    """No delivery is in two orders, and none in no order."""
    officer = house.client("data_authority", Role.OFFICER)
    told = delivered(house, asked, 2)
    first = officer.order_disposal(**EARLY)
    told += delivered(house, asked, 1)
    second = officer.order_disposal(**(EARLY | {"purpose": WITHDRAWAL}))
    leaves = [leaf for disposal in (*first, *second) for leaf in members(house, disposal)]
    assert [leaves.count(leaf) for leaf in told] == [1, 1, 1]


def members(house, disposal):
    """The deliveries of an order, as whoever has the receipts tells them; their digest is the order's."""
    statement = house.statement(number(disposal))
    auditor, found = house.client("data_authority", Role.AUDITOR), []
    for one in statement["sets"]:
        leaves = [
            leaf
            for leaf in range(one["first"], one["last"] + 1)
            if orjson.loads(auditor.receipt(leaf).statement).get("dispose_by") == one["dispose_by"]
        ]
        assert (digest_of(leaves).hex(), len(leaves)) == (one["digest"], one["count"])
        found += leaves
    assert statement["digest"] == digest_of_sets(one.digest for one in sets_of(statement)).hex()
    return found


def test_what_had_to_be_kept_is_an_exception_on_a_legal_basis(house, asked):
    """It names deliveries of the order; the order is then certified in part, and says so."""
    officer, fund = house.client("civil_affairs", Role.OFFICER), house.client("housing_fund")
    told = delivered(house, asked, 2)
    (ordered,) = officer.order_disposal(**EARLY)
    kept = {"会计档案管理办法 第十四条": [told[0]]}
    with pytest.raises(MalformedRequest) as refused:
        fund.certify_disposal(number(ordered), operator="GJJ-0088", kept={"a law": [0]})
    assert refused.value.reason is Reason.DISPOSAL_INVALID
    receipt = fund.certify_disposal(number(ordered), operator="GJJ-0088", kept=kept)
    said = orjson.loads(receipt.statement)
    assert said["exceptions"] == [{"deliveries": [told[0]], "basis": "会计档案管理办法 第十四条"}]
    found = fund.disposal(number(ordered)).disposal
    assert (found.kept, found.state) == (1, 4)  # DISPOSAL_STATE_PARTIAL


@pytest.fixture
def open_order(house, asked):
    """An order to the housing fund that nobody has certified."""
    delivered(house, asked, 1)
    officer = house.client("civil_affairs", Role.OFFICER)
    (ordered,) = officer.order_disposal(**EARLY, method=DisposalMethod.PURGE)
    return number(ordered)


def signed(house, number, department="housing_fund", role=Role.SYSTEM, **other):
    """A certificate of disposal, with something else in it than there should be."""
    found = house.client("housing_fund").disposal(number)
    said = {
        "order": found.leaf,
        "digest": found.digest,
        "method": DisposalMethod.PURGE,
        "disposed_at": utc_now(),
        "operator": "GJJ-0088",
    }
    credentials = Credentials.load(house.folder(department, role))
    return sign(Certificate(**(said | other)), credentials.private_key(), credentials.chain[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"order": bytes(32)},
        {"digest": bytes(32)},
        {"method": DisposalMethod.CLEAR},
        {"disposed_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"disposed_at": datetime(2999, 1, 1, tzinfo=UTC)},
        {"department": "tax"},
        {"role": Role.AUDITOR},
        {"operator": " "},
        {"exceptions": (Kept((), "a law"),)},
        {"exceptions": (Kept((1,), "a law"), Kept((1,), "another"))},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_a_wrong_certificate_is_refused_and_says_why(house, open_order, wrong):
    """Another order, set, method, time, signer or form: nothing is recorded."""
    fund = house.client("housing_fund")
    message = signed(house, open_order, **wrong)
    with pytest.raises(MalformedRequest) as refused:
        fund._ask(fund._disposals.certify(fund.disposal(open_order), message), PATIENCE)
    (violation,) = refused.value.violations
    assert (refused.value.reason, violation.field) == (Reason.DISPOSAL_INVALID, "signed_certificate")
    assert fund.disposal(open_order).disposal.certificate_receipt == ""


def test_others_neither_see_nor_certify_nor_order(house, open_order):
    """An order is its consumer's, its provider's and the authority's; only provider and authority order."""
    for reader in (house.client("tax"), house.client("medical_insurance", Role.AUDITOR)):
        with pytest.raises(NotFound):
            reader.disposal(open_order)
        assert open_order not in map(number, reader.disposals())
    for reader in (house.client("civil_affairs", Role.AUDITOR), house.client("data_authority", Role.OFFICER)):
        assert open_order in map(number, reader.disposals(overdue=False))
    provider = house.client("civil_affairs", Role.OFFICER)
    message = signed(house, open_order, "civil_affairs", Role.OFFICER)
    question = provider._disposals.certify(provider.disposal(open_order), message)
    with pytest.raises(NotFound):
        provider._ask(question, PATIENCE)
    with pytest.raises(NotAuthorised, match="DISPOSAL_NOT_YOURS"):
        house.client("housing_fund", Role.OFFICER).order_disposal(**EARLY)
    with pytest.raises(NotAuthorised, match="ROLE_NOT_ALLOWED"):
        house.client("civil_affairs").order_disposal(**EARLY)


def test_an_order_says_all_that_is_wrong_with_it(house):
    """At once; a cause that only the clock has, and misuse of who is not suspended, are refused too."""
    officer = house.client("civil_affairs", Role.OFFICER)
    with pytest.raises(MalformedRequest) as refused:
        officer.order_disposal(
            consumer="", dataset="", cause=DisposalCause.RETENTION, reason=" ", within_working_days=999
        )
    fields = {violation.field for violation in refused.value.violations}
    assert fields == {"consumer", "dataset", "cause", "reason", "within_working_days"}
    with pytest.raises(NothingToDispose, match="CONSUMER_NOT_SUSPENDED"):
        officer.order_disposal(**(EARLY | {"cause": DisposalCause.MISUSE}))
    with pytest.raises(NotFound):
        officer.order_disposal(**(EARLY | {"dataset": "civil_affairs.none"}))


def test_the_twin_does_the_same(house, open_order):
    """The asynchronous client lists, gets and certifies."""

    async def run():
        credentials = Credentials.load(house.folder("housing_fund"))
        async with AsyncClient(house.address, credentials, trust=house.trust) as fund:
            listed = [
                number(one)
                async for one in fund.disposals("housing_fund", DATASET, open=True, timeout=PATIENCE)
            ]
            assert open_order in listed
            found = await fund.disposal(open_order, timeout=PATIENCE)
            return await fund.certify_disposal(
                number(found.disposal), operator="GJJ-0088", method=DisposalMethod.PURGE, timeout=PATIENCE
            )

    assert orjson.loads(asyncio.run(run()).statement)["of"] == open_order


# ── what the clock brings about ──────────────────────────────────────────────────────────────────


def retained(house, broker_log, dispose_by, count=4):
    """Deliveries with that last day, as a test made them up; gives their leaves."""
    with house.worker() as (_, _, log, _):
        return [log.append(broker_log.retained(dispose_by)).receipt.leaf_index for _ in range(count)]


def test_several_workers_order_what_is_due_once(house, broker_log):
    """However many look at once, each delivery is in exactly one order."""
    day = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
    told = [leaf for back in (1, 2) for leaf in retained(house, broker_log, day - timedelta(days=back))]
    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        workers = [stack.enter_context(house.worker()) for _ in range(4)]
        list(pool.map(lambda one: one[1].record(), workers))
    auditor = house.client("data_authority", Role.AUDITOR)
    orders = [one for one in auditor.disposals("tax", DATASET) if one.cause == 1]  # RETENTION
    leaves = [leaf for disposal in orders for leaf in members(house, disposal)]
    assert sorted(leaf for leaf in leaves if leaf in told) == sorted(told)
    assert len(leaves) == len(set(leaves))
    assert all(one.dispose_by > utc_now() for one in house.waiting())
    for one in orders:
        sets = named(house, one)
        assert all(earlier.dispose_by < later.dispose_by for earlier, later in pairwise(sets))


def test_what_was_held_under_a_grant_is_ordered_when_that_ends(house, broker_log):
    """Though its days are not over; what was held without it, or under another, is not."""
    day = utc_now().replace(microsecond=0) + timedelta(days=9)
    with house.worker() as (orders, _, log, _):
        told = {
            grant: log.append(broker_log.retained(day, grant)).receipt.leaf_index
            for grant in ("", "70", "71")
        }
        before = {one.order for one in listed_orders(orders)}
        assert replace(orders, ended=lambda grant: grant == "70").record_due() == 1
        (ordered,) = [one for one in listed_orders(orders) if one.order not in before]
        log.sign()
        assert (ordered.of.grant, ordered.cause) == ("70", DisposalCause.PURPOSE_ENDED)
        assert in_order(log, ordered.order) == [told["70"]]


def test_those_concerned_are_told(house, asked):
    """Consumer, provider and authority, of order and certificate; nobody else."""
    delivered(house, asked, 1)
    officer, fund = house.client("civil_affairs", Role.OFFICER), house.client("housing_fund")
    with fund.applications.watch() as own, house.client("tax").applications.watch() as stranger:
        (ordered,) = officer.order_disposal(**EARLY)
        fund.certify_disposal(number(ordered), operator="GJJ-0088")
        notices = iter(own)
        seen = [next(one for one in notices if one.name == ordered.name) for _ in range(2)]
        assert [(one.kind, one.act, one.state) for one in seen] == [
            ("disposal_order", "order", "open"),
            ("disposal_certificate", "certify", "certified"),
        ]
        assert seen[0].due_time == ordered.due_time
        assert (seen[0].consumer, seen[0].provider) == (ordered.consumer, ordered.provider)
        stranger.cancel()
        assert list(stranger) == []


def test_a_certificate_that_does_not_come_is_recorded_once(house, broker_log, command):
    """By whichever worker; it is listed as overdue, and what comes afterwards is late."""
    day = utc_now() + timedelta(days=1)  # so that the broker does not order it by itself
    leaves = retained(house, broker_log, day, 2)
    with house.worker() as (_, _, log, store):
        with store.disposals() as tables:
            (waiting,) = tables.waiting(WaitingFilter(consumer="tax", until=day), 9)
        assert waiting.count == 2
        with recording(store, utc_now) as acting:
            sets = (set_of(day, leaves),)
            said = order(
                Ordered(waiting.of, DisposalCause.ORDERED, DisposalMethod.CLEAR, sets, acting.now),
                acting.now,
            )
            assert acting.transaction.disposals.take([waiting])
            leaf = acting.append(EntryKind.DISPOSAL_ORDER, said, waiting.of)
            acting.transaction.disposals.put(ordered_of(orjson.loads(said), leaf))
        log.sign()
    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        workers = [stack.enter_context(house.worker()) for _ in range(4)]
        list(pool.map(lambda one: one[1].record(), workers))
    found = house.client("tax").disposal(leaf).disposal
    missing = house.statement(int(found.missing_receipt.removeprefix("receipts/")))
    assert (missing["kind"], missing["of"], found.state) == ("disposal_missing", leaf, 2)
    auditor = house.client("data_authority", Role.AUDITOR)
    assert len(list(auditor.receipts(kind=EntryKind.DISPOSAL_MISSING))) == 1
    code, said = command("disposal", "list", "--overdue", *of(house, "data_authority", Role.AUDITOR))
    assert (code, "逾期 overdue" in said, str(leaf) in said) == (1, True, True)
    receipt = house.client("tax").certify_disposal(leaf, operator="SW-0001")
    assert orjson.loads(receipt.statement)["late"] is True
    assert house.client("tax").disposal(leaf).disposal.missing_receipt == found.missing_receipt


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["deliver", "deliver", "clock", "officer"]),
        st.integers(-2, 2),
        st.sampled_from(["", "7"]),
    ),
    max_size=12,
)


@pytest.mark.parametrize("house", ["sqlite"], indirect=True)
@given(steps=STEPS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_delivery_is_in_exactly_one_order(house, broker_log, steps):
    """Whatever is delivered, with whichever last day and grant, and whoever orders in between."""
    now, told = utc_now().replace(hour=0, minute=0, second=0, microsecond=0), []
    with house.worker() as (orders, watch, log, _):
        known = {one.order for one in listed_orders(orders)}
        for step, days, grant in [*steps, ("officer", 0, ""), ("clock", 0, "")]:
            if step == "deliver":
                entry = broker_log.retained(now + timedelta(days=days), grant)
                told.append(log.append(entry).receipt.leaf_index)
            elif step == "clock":
                watch.record()
            else:
                with suppress(NothingToDispose):
                    wanted = WaitingFilter(consumer="tax", dataset=DATASET, grant=grant or None)
                    officer = read_credential(officer_certificate(house)).identity
                    orders.order(wanted, Terms(DisposalCause.ORDERED, reason="测试"), officer)
        new = [one for one in listed_orders(orders) if one.order not in known]
        leaves = [leaf for one in new for leaf in in_order(log, one.order)]
    assert len(leaves) == len(set(leaves))
    assert set(told) <= set(leaves)


def officer_certificate(house):
    return x509.load_pem_x509_certificate(
        (house.folder("civil_affairs", Role.OFFICER) / "cert.pem").read_bytes()
    )


def listed_orders(orders):
    with orders.store.disposals() as tables:
        return tables.listed(DisposalFilter(consumer="tax", dataset=DATASET), None, 9999)


def in_order(log, leaf):
    """The deliveries that an order names, from the log alone; they have its digest."""
    statement, found = orjson.loads(log.receipt(leaf).statement), []
    for one in sets_of(statement):
        named = []
        for index in range(one.first, one.last + 1):
            content = orjson.loads(log.entry(index).statement)
            retained = retained_of(content)
            if (
                retained
                and retained.dispose_by == one.dispose_by
                and holding_of(content) == holding_of(statement)
            ):
                named.append(index)
        assert (digest_of(named), len(named)) == (one.digest, one.count)
        found += named
    return found


# ── the command ──────────────────────────────────────────────────────────────────────────────────


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


@pytest.mark.parametrize("house", ["sqlite"], indirect=True)
def test_people_order_look_and_certify(house, asked, command, broker_log, tmp_path):
    """Officer and consumer by the command alone; the receipt says who signed, in words."""
    (leaf,) = delivered(house, asked, 1)
    officer, fund = of(house, "civil_affairs", Role.OFFICER), of(house, "housing_fund")
    words = [
        "--consumer",
        "housing_fund",
        "--dataset",
        DATASET,
        "--reason",
        "业务已办结",
        "--method",
        "purge",
    ]
    assert command("disposal", "order", *words, "--cause", "retention", *officer)[0] == 2
    code, said = command("disposal", "order", *words, "--json", *officer)
    assert code == 0, said
    told = json.loads(said)
    order = told["order"]
    assert (told["state"], told["method"], told["cause"]) == ("open", "purge", "ordered")
    trust = ["--trust", house.embedded.trust]
    code, said = command("disposal", "show", order, *trust, *fund)
    assert (code, "待证明 open" in said, "清单摘要" in said) == (0, True, True)
    held = ["disposal", "held", "--consumer", "tax", *of(house, "data_authority", Role.AUDITOR)]
    with house.worker() as (_, _, log, _):
        log.append(broker_log.retained(utc_now() + timedelta(days=3)))
    assert "civil_affairs" in command(*held)[1]
    code, said = command(*held, "--json")
    assert (code, json.loads(said.splitlines()[0])["dataset"]) == (0, DATASET)
    code, said = command("disposal", "list", "--open", "--json", *fund)
    assert (code, order in [json.loads(line)["order"] for line in said.splitlines()]) == (0, True)
    out = tmp_path / "receipt.json"
    signing = ["disposal", "certify", order, "--operator", "GJJ-0088", *trust, *fund]
    assert command(*signing, "--keep", "nonsense")[0] == 2
    code, said = command(*signing)
    assert (code, "处置方式弱于" in said) == (1, True)
    code, said = command(*signing, "--method", "purge", "--keep", f"{leaf}=会计档案管理办法", "--out", out)
    assert code == 0, said
    ca = house.embedded.folder / "pki" / "ca.pem"
    code, said = command("receipt", "verify", out, *trust, "--ca", ca)
    signer = "spiffe://xinghe/department/housing_fund/system/"
    assert (code, signer in said, "主管机构签发，存证时有效" in said) == (0, True, True)
    code, said = command("receipt", "show", out)
    assert (code, "已证明销毁（有例外）" in said) == (0, True)
    told = json.loads(command("status", "--json", "--config", house.embedded.settings)[1])["disposals"]
    assert told["open"] == len(list(house.client("data_authority", Role.AUDITOR).disposals(open=True)))
