"""Ten thousand requests that nobody should send: each gets a proper answer, and the broker goes on.

Most are valid requests with some mutations, in their values or in their bytes; the rest is arbitrary text in
every place, huge lists, and garbage for every method.
"""

import json
import uuid
from collections import Counter, deque
from dataclasses import dataclass
from itertools import islice

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from broker.client import Client, Credentials
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from broker.errors import MalformedRequest
from broker.keys.authority import Authority
from broker.model import Role
from broker.reasons import DOMAIN, Reason
from broker.v1 import (
    application_pb2,
    catalog_pb2,
    commitment_pb2,
    correction_pb2,
    delegation_pb2,
    delivery_pb2,
    disposal_pb2,
    exchange_pb2,
    masking_pb2,
    policy_pb2,
    receipt_pb2,
    suspension_pb2,
)

REQUESTS = 10_000
BATCH = 25
IN_FLIGHT = 16
PROPER = set(grpc.StatusCode) - {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}

EXCHANGE = "/broker.v1.ExchangeService/"
UNARY, STREAM = f"{EXCHANGE}Exchange", f"{EXCHANGE}StreamExchange"
WATCH, REFLECT = (
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
OURS = {
    f"/{service.full_name}/{method.name}": method.input_type._concrete_class
    for file in (
        application_pb2,
        catalog_pb2,
        delegation_pb2,
        commitment_pb2,
        correction_pb2,
        delivery_pb2,
        disposal_pb2,
        exchange_pb2,
        masking_pb2,
        policy_pb2,
        receipt_pb2,
        suspension_pb2,
    )
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
EXCHANGES = (exchange_pb2.ExchangeRequest, exchange_pb2.StreamExchangeRequest, exchange_pb2.Application)
METHODS = OURS | {
    "/grpc.health.v1.Health/Check": health_pb2.HealthCheckRequest,
    "/grpc.health.v1.Health/List": health_pb2.HealthListRequest,
    WATCH: health_pb2.HealthCheckRequest,
    REFLECT: reflection_pb2.ServerReflectionRequest,
}
"""Every method of every service, and the message it takes."""
POLICY, SUSPENSION = "/broker.v1.PolicyService/", "/broker.v1.SuspensionService/"
DELEGATION, APPLICATIONS = "/broker.v1.DelegationService/", "/broker.v1.ApplicationService/"
NOTICES = f"{APPLICATIONS}WatchNotices"
WATCHES = (WATCH, NOTICES)
"""They would go on for ever: what is judged is how they begin."""
SIGNED = {
    *(
        f"{APPLICATIONS}{act}Application"
        for act in (
            *("Create", "Get", "Supplement", "Consent", "Withdraw", "Approve", "Refuse"),
            *("Extend", "Suspend", "Resume", "Terminate"),
        )
    ),
    *(f"{DELEGATION}{name}Delegation" for name in ("Create", "Revoke")),
    "/broker.v1.DeliveryService/AcknowledgeDelivery",
    *(f"/broker.v1.CorrectionService/{name}Correction" for name in ("Report", "Get", "Answer")),
    "/broker.v1.CorrectionService/GetDataQuality",  # only for the dataset's provider, and the authority
    *(f"/broker.v1.DisposalService/{name}Disposal" for name in ("Get", "Order", "Certify")),
    *(f"/broker.v1.CommitmentService/{name}Commitment" for name in ("Get", "Lodge", "Withdraw")),
    "/broker.v1.CommitmentService/GetCommitmentTemplate",
    "/broker.v1.MaskingService/Detokenize",
    *(f"{POLICY}{name}Proposal" for name in ("Get", "Approve", "Publish")),
    *(f"{POLICY}{name}Bundle" for name in ("Propose", "Rollback", "Get")),
    *(f"{SUSPENSION}{name}" for name in ("SuspendSharing", "LiftSuspension")),
}
"""What asks for a signature, for what a signature or an officer's order made, for a bundle by its hash, or
for what its caller does not provide: never answered here."""


# ── requests ─────────────────────────────────────────────────────────────────────────────────────

NAMES = (
    "civil_affairs.marriage", "datasets/civil_affairs.marriage", "datasets/civil_affairs.adoption",
    "datasets/public_security.household", "datasets/nobody.nothing", "datasets/", "datasets/a/fields/b",
    "datasets/civil_affairs.marriage/fields/status", "departments/tax", "departments/", "tax", "grants/",
    "grants/x",
    "receipts/0", "receipts/1", "receipts/-1", "receipts/01", "receipts/٣", "receipts/999999999999999999",
    "receipts/9999999999999999999", "housing_fund_withdrawal", "housing_fund_audit", "grid_service",
    "990100-GJJ-0003", "990100-YB-0007", "status", "registered_on", "husband_name", "updated_at",
    "住房公积金管理条例 第二十四条",
)  # fmt: skip
"""What programs mistake for each other; words of the catalog, which a refusal may name."""
ODD = (
    "", " ", "\0", "\n", "a\0b", " padded ", "\x7f", "\u202eabc", "\ufeff", "\u00ad", "\ufffd", "\uffff",
    "\U0010ffff", "e\u0301\u0301\u0301", "👩\u200d👩\u200d👧", "ﷺ" * 60, "字" * 200, "字" * 201,
    "x" * 5000, "' OR 1=1; --",
    "%s%n{0}{about}", "${env:HOME}", "../../../../etc/passwd", "<script>alert(1)</script>",
    "-9223372036854775808",
    "99010118990101004X", "99010118990101004x", "990101189901010041", "９９０１０１１８９９０１０１００４Ｘ",
    "٩٩٠١٠١١٨٩٩٠١٠١٠٠٤", "1e309", "NaN", "null", "urn:uuid:12345678-1234-5678-1234-567812345678",
    "{12345678-1234-5678-1234-567812345678}", "12345678-1234-5678-1234-56781234567A",
    "AAAAAAAAAAAAAAAAAAAAAA==",
)  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(ODD),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)
NUMBERS = st.one_of(
    st.sampled_from((0, 1, -1, 2, 3, 1000, 2**31 - 1, -(2**31), 2**53, 2**62, 2**63 - 1, -(2**63))),
    st.integers(-(2**63), 2**63 - 1),
)
BYTES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        (
            b"\xd2\x84\x43\xa1\x01\x26\xa0\x40\x40",  # COSE_Sign1 without payload and signature
            b"\xd2\x84" + b"\x81" * 60_000,
            b"\x9b" + b"\xff" * 8,
            b"\xc2\x5a\x00\xff\xff\xff",
            bytes(70_000),
        )
    ),
)


PLAUSIBLE = {
    "name": (
        "receipts/0",
        "receipts/1",
        "departments/tax",
        "datasets/tax.income",
        "datasets/tax.income/fields/name",
    ),
    "parent": ("datasets/tax.income",),
    "department": ("", "departments/housing_fund"),
    "dataset": ("", "datasets/civil_affairs.marriage"),
    "purpose": ("", "housing_fund_withdrawal"),
    "page_token": ("",),
    "page_size": (0, 1, 50, 1000),
    "verdict": (0, 1, 2),
    "leaf_index": (0, 1, 2),
    "tree_size": (0, 3, 4),
    "first_size": (1, 2, 3),
    "second_size": (0, 3, 4),
}
"""By name of the field, what a reader of catalog and receipts would send."""


@st.composite
def lists(draw):
    """A few texts, or one of them very often, alike or all different."""
    if draw(st.integers(0, 7)):
        return draw(st.lists(TEXTS, max_size=4))
    text, times = draw(TEXTS)[:50], draw(st.sampled_from((200, 201, 1000, 1001, 5000)))
    return [text] * times if draw(st.booleans()) else [f"{text}{number}" for number in range(times)]


def value_for(field):
    """Any value that ``field`` (a protobuf field descriptor) can hold."""
    if field.type == field.TYPE_MESSAGE:
        one = messages(field.message_type._concrete_class)
        return st.lists(one, max_size=3) if field.is_repeated else one
    if field.type == field.TYPE_STRING:
        return lists() if field.is_repeated else TEXTS
    if field.type == field.TYPE_BYTES:
        return st.lists(BYTES, max_size=4) if field.is_repeated else BYTES
    if field.type == field.TYPE_BOOL:
        return st.booleans()
    return NUMBERS


@st.composite
def messages(draw, kind):
    """A message of ``kind`` with any value, or a plausible one, in each of its fields."""
    message = kind()
    careful = draw(st.booleans())
    for field in kind.DESCRIPTOR.fields:
        plausible = PLAUSIBLE.get(field.name, ()) if kind not in EXCHANGES else ()
        if plausible and (careful or draw(st.booleans())):
            put(message, field.name, draw(st.sampled_from(plausible)))
        elif not careful and draw(st.booleans()):
            put(message, field.name, draw(value_for(field)))
    return message


def put(message, name, value):
    """Set a field, a number cut to the bits it has."""
    field = message.DESCRIPTOR.fields_by_name[name]
    if isinstance(value, Message):
        getattr(message, name).CopyFrom(value)
    elif field.message_type is not None and field.message_type.GetOptions().map_entry:
        getattr(message, name).update({entry.key: entry.value for entry in value})
    elif field.is_repeated:
        message.ClearField(name)
        getattr(message, name).extend(value)
    elif field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_ENUM):
        setattr(message, name, (value + 2**31) % 2**32 - 2**31)
    else:
        setattr(message, name, value)


def valid(kind, subject):
    """A permitted request of either kind of exchange; the stream's asks for one district of the register."""
    application = exchange_pb2.Application(
        dataset="datasets/civil_affairs.marriage",
        fields=["status", "registered_on"],
        subjects=[subject],
        purpose="housing_fund_withdrawal",
        service_item="990100-GJJ-0003",
        case_no="GJJ-2026-000001",
        legal_basis="住房公积金管理条例 第二十四条",
        operator="GJJ-0088",
    )
    return kind(application=application)


@st.composite
def mutated(draw, method, subject):
    """A valid exchange with up to three of its values replaced."""
    request = valid(METHODS[method], subject)
    request.request_id = str(draw(st.uuids()))
    for _ in range(draw(st.integers(0, 3))):
        message = draw(st.sampled_from((request, request.application)))
        field = draw(st.sampled_from([f for f in message.DESCRIPTOR.fields if f.type != f.TYPE_MESSAGE]))
        put(message, field.name, draw(value_for(field)))
    return request


@st.composite
def damaged(draw, subject):
    """A valid exchange with bytes replaced, cut out or added, for the right or for another method."""
    data = bytearray(valid(exchange_pb2.ExchangeRequest, subject).SerializeToString())
    for _ in range(draw(st.integers(1, 4))):
        place, width = draw(st.integers(0, len(data))), draw(st.integers(0, 3))
        data[place : place + width] = draw(st.binary(max_size=3))
    return draw(st.sampled_from((UNARY, UNARY, STREAM, *METHODS))), bytes(data)


@dataclass(frozen=True)
class Request:
    """What is sent to a method: a message, or bytes that need not be one."""

    method: str
    content: Message | bytes

    @property
    def data(self):
        return self.content.SerializeToString() if isinstance(self.content, Message) else self.content


def requests(subject):
    """Mostly near a valid exchange."""
    any_message = st.sampled_from(sorted(METHODS)).flatmap(
        lambda method: st.tuples(st.just(method), messages(METHODS[method]))
    )
    pairs = st.one_of(
        *[st.tuples(st.just(UNARY), mutated(UNARY, subject))] * 4,
        st.tuples(st.just(STREAM), mutated(STREAM, subject)),
        any_message,
        any_message,
        damaged(subject),
        st.tuples(st.sampled_from(sorted(METHODS)), BYTES),
    )
    return pairs.map(lambda pair: Request(*pair))


# ── answers ──────────────────────────────────────────────────────────────────────────────────────


class Caller:
    """One connection over which bytes go out as they are; several unary calls are under way at once."""

    def __init__(self, address, credentials):
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.secure_channel(address, credentials.channel_credentials(), options)
        self.seen, self.complaints = Counter(), Counter()
        self._under_way = deque()

    def send(self, request):
        """Start a call; the oldest is judged when too many are under way."""
        self._under_way.append((request, self._start(request)))
        while len(self._under_way) > IN_FLIGHT:
            self._judge(*self._under_way.popleft())

    def settle(self):
        """Judge all calls under way."""
        while self._under_way:
            self._judge(*self._under_way.popleft())

    def _start(self, request):
        if request.method == REFLECT:
            return self.channel.stream_stream(REFLECT)(iter([request.data]), timeout=300)
        if request.method in (STREAM, *WATCHES):
            return self.channel.unary_stream(request.method)(request.data, timeout=300)
        return self.channel.unary_unary(request.method).future(request.data, timeout=300)

    def _judge(self, request, call):
        failure = self._failure(request.method, call)
        code = failure.code() if failure else grpc.StatusCode.OK
        self.seen[request.method, code.name] += 1
        if failure and (complaint := complaint_of(failure, request)):
            self.complaints[complaint, request.method, code.name, failure.details()] += 1

    def _failure(self, method, call):
        """How the call failed, None when it did not."""
        try:
            if method in (STREAM, REFLECT, *WATCHES):
                for _ in islice(call, 1) if method in WATCHES else call:
                    pass
                if method in WATCHES:
                    call.cancel()
            else:
                call.result()
        except grpc.RpcError as failure:
            return failure
        return None


def complaint_of(failure, request):
    """What is wrong with a refusal: it must have a reason that programs can read, and repeat nothing."""
    if failure.code() not in PROPER:
        return "a defect"
    info, said = error_details_pb2.ErrorInfo(), []
    try:
        status = rpc_status.from_call(failure)
    except ValueError:
        return "details of another error"
    if status is None or not status.details[0].Unpack(info):
        return "no reason"
    if info.domain != DOMAIN or info.reason not in set(Reason) - {Reason.INTERNAL}:
        return "an unknown reason"
    if info.reason == Reason.REQUEST_MALFORMED:
        bad = error_details_pb2.BadRequest()
        if not (status.details[1].Unpack(bad) and bad.field_violations):
            return "no violations"
        said = [text for v in bad.field_violations for text in (v.field, v.description)]
    told = "\n".join([status.message, *info.metadata.values(), *said])
    return "an echo" if any(value in told for value in values_of(request)) else ""


def values_of(request):
    """Texts in a request that are long enough to be recognised, and no words of ours."""
    if not isinstance(request, Message):
        return []
    return [
        value
        for value in texts_in(json_format.MessageToDict(request))
        if len(value) > 5 and value not in NAMES
    ]


def texts_in(value):
    """All texts in nested lists and dictionaries, keys apart."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in texts_in(one)]


# ── the test ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def city(tmp_path, monkeypatch):
    """A broker of its own, whose log is read afterwards."""
    monkeypatch.setenv("SHAREBROKER_SERVER__WORKERS", "1")
    embedded = prepare(tmp_path / "broker", 300, 7, shipped_policies(), ("housing_fund", "data_authority"))
    with broker_process(embedded) as address:
        yield embedded, address


def test_violations_beyond_what_an_error_can_carry_are_counted(city):
    """A request with thousands of violations is told the first ones and how many more, not something else."""
    embedded, address = city
    terms = valid(exchange_pb2.ExchangeRequest, "").application
    client = Client(address, Credentials.load(embedded.identity("housing_fund")))
    with client, pytest.raises(MalformedRequest) as refused:
        client.exchange(
            timeout=300,
            dataset=terms.dataset.removeprefix("datasets/"),
            fields=list(terms.fields),
            subjects=[f"nobody {number}" for number in range(1000)],
            purpose=terms.purpose,
        )
    *told, last = refused.value.violations
    assert [v.field for v in told] == [f"application.subjects[{index}]" for index in range(len(told))]
    assert last.en == f"and {1000 - len(told)} more"


def test_every_request_gets_a_proper_answer(city):
    """No request makes a defect, no refusal lacks a reason or repeats what was sent, and service goes on."""
    embedded, address = city
    subject = embedded.city.withdrawal.sound
    authority = Authority.open(embedded.folder / "pki")
    ca = (embedded.folder / "pki" / "ca.pem").read_bytes()

    def officer_of(department):
        issued = authority.issue(department, Role.OFFICER, "li")
        return Caller(address, Credentials(issued.cert_pem, issued.key_pem, ca))

    system = Caller(address, Credentials.load(embedded.identity("housing_fund")))
    auditor = Caller(address, Credentials.load(embedded.identity("data_authority", Role.AUDITOR)))
    officer, other = officer_of("data_authority"), officer_of("housing_fund")
    callers = (system, auditor, officer, other)

    @settings(
        max_examples=REQUESTS // BATCH,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(requests(subject), min_size=BATCH, max_size=BATCH))
    def fuzz(batch):
        for number, request in enumerate(batch):
            reads = "ReceiptService" in request.method and number % 2
            publishes = request.method.startswith((POLICY, DELEGATION, APPLICATIONS)) and number % 2
            suspends = request.method.startswith(SUSPENSION) and number % 2
            caller = (
                auditor if reads or number == 0 else officer if publishes else other if suspends else system
            )
            caller.send(request)
        for caller in callers:
            caller.settle()

    fuzz()
    for (
        method,
        kind,
    ) in OURS.items():  # by chance alone one of so many might never be met with a name of its kind
        for name in PLAUSIBLE["name"] if "name" in kind.DESCRIPTOR.fields_by_name else ():
            system.send(Request(method, kind(name=name)))
        system.settle()
    assert sum((caller.complaints for caller in callers), Counter()) == Counter()
    seen = sum((caller.seen for caller in callers), Counter())
    assert seen.total() >= REQUESTS
    assert {method for method, code in seen if code == "OK"} == set(METHODS) - SIGNED
    assert {method for method, _ in seen} == set(METHODS)
    request = valid(exchange_pb2.ExchangeRequest, subject)
    request.request_id = str(uuid.uuid4())
    answer = system.channel.unary_unary(UNARY)(request.SerializeToString(), timeout=300)
    assert exchange_pb2.ExchangeResponse.FromString(answer).answer.records
    lines = [json.loads(line) for line in (embedded.folder / "broker.log").read_bytes().splitlines()]
    assert [line for line in lines if "defect" in line or line["level"] in ("error", "critical")] == []
