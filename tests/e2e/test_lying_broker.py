"""Between the client and the broker stands one that lies: cuts, changes and mixes up what it passes on."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from broker.client import Credentials, VerifierKey
from broker.errors import VerificationFailed
from broker.v1 import exchange_pb2, exchange_pb2_grpc

CHUNK = 6_000


class Relay(exchange_pb2_grpc.ExchangeServiceServicer):
    """Passes exchanges on to the real broker, after ``ask`` and ``tell`` had their way with them."""

    def __init__(self, channel):
        self._broker = exchange_pb2_grpc.ExchangeServiceStub(channel)
        self.honest()

    def honest(self):
        self.ask = self.tell = lambda message: message

    def Exchange(self, request, context):
        return self.tell(self._broker.Exchange(self.ask(request), timeout=60))

    def StreamExchange(self, request, context):
        yield from self.tell(recut(self._broker.StreamExchange(self.ask(request), timeout=60)))


def recut(parts):
    """The same stream in smaller chunks, which makes no difference to what it holds."""
    opening, *middle, outcome = parts
    chunks = b"".join(part.chunk for part in middle)
    return [opening, *(chunk(chunks[i : i + CHUNK]) for i in range(0, len(chunks), CHUNK)), outcome]


def chunk(content):
    return exchange_pb2.StreamExchangeResponse(chunk=content)


def changed(message, change):
    """A copy of ``message`` on which ``change`` was done."""
    copy = type(message)()
    copy.CopyFrom(message)
    change(copy)
    return copy


@pytest.fixture(scope="module")
def identity(embedded):
    return Credentials.load(embedded.identity("medical_insurance"))


@pytest.fixture(scope="module")
def relaying(embedded, open_channel, identity):
    """The relay and its address; it has got hold of the broker's own certificate."""
    own = Credentials.load(embedded.folder / "pki" / "broker")
    credentials = grpc.ssl_server_credentials(
        [(own.key, own.certificate)], root_certificates=own.ca, require_client_auth=True
    )
    relay = Relay(open_channel(identity.channel_credentials()))
    server = grpc.server(ThreadPoolExecutor(4))
    exchange_pb2_grpc.add_ExchangeServiceServicer_to_server(relay, server)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield relay, f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture
def relay(relaying):
    yield relaying[0]
    relaying[0].honest()


@pytest.fixture(scope="module")
def client(relaying, identity, trust, patient):
    with patient(relaying[1], identity, trust=trust) as client:
        yield client


@pytest.fixture
def lookup(package, cast):
    """The package's terms for one person, which both kinds of exchange take."""
    return package | {"subjects": [cast["withdrawal"]["sound"]]}


# ── streams ──────────────────────────────────────────────────────────────────────────────────────


def test_chunks_may_be_cut_anywhere(relay, client, package):
    """The chunks are one Arrow stream, wherever it is cut; so the tests below break nothing by cutting."""
    table = client.stream(**package).table()
    assert table.num_rows > 900


def test_stream_cut_short(relay, client, package):
    """However many of its messages arrive, what is not the whole stream never passes for it."""
    lengths = []
    relay.tell = lambda parts: lengths.append(len(parts)) or parts
    client.stream(**package).table()
    assert lengths[0] > 8
    for length in range(lengths[0]):
        relay.tell = lambda parts, length=length: parts[:length]
        with pytest.raises(VerificationFailed):
            client.stream(**package).table()


def _flip(part):
    content = bytearray(part.chunk)
    content[len(content) // 2] ^= 1
    return chunk(bytes(content))


def _nonce(part):
    part.opening.nonce = bytes(32)


def _digest(part):
    part.outcome.digest = bytes(32)


STREAMS = {
    "chunk lost": lambda p: [*p[:4], *p[5:]],
    "chunk repeated": lambda p: [*p[:4], p[3], *p[4:]],
    "chunks swapped": lambda p: [*p[:3], p[4], p[3], *p[5:]],
    "chunk changed": lambda p: [*p[:4], _flip(p[4]), *p[5:]],
    "chunk added": lambda p: [*p[:-1], chunk(b"more"), p[-1]],
    "other nonce": lambda p: [changed(p[0], _nonce), *p[1:]],
    "other digest": lambda p: [*p[:-1], changed(p[-1], _digest)],
    "no chunks": lambda p: [p[0], p[-1]],
    "no opening": lambda p: p[1:],
    "outcome first": lambda p: [p[-1], *p[:-1]],
    "opening twice": lambda p: [p[0], *p],
    "empty part": lambda p: [*p[:4], exchange_pb2.StreamExchangeResponse(), *p[4:]],
    "outcome's receipt for the decision's": lambda p: [
        changed(p[0], lambda part: part.opening.receipt.CopyFrom(p[-1].outcome.receipt)),
        *p[1:],
    ],
    "decision's receipt for the outcome's": lambda p: [
        *p[:-1],
        changed(p[-1], lambda part: part.outcome.receipt.CopyFrom(p[0].opening.receipt)),
    ],
    "refused": lambda p: [changed(p[0], lambda part: setattr(part.opening.decision, "verdict", 2)), *p[1:]],
    "unknown verdict": lambda p: [
        changed(p[0], lambda part: setattr(part.opening.decision, "verdict", 99)),
        *p[1:],
    ],
}


@pytest.mark.parametrize("lie", STREAMS)
def test_tampered_stream(relay, client, package, lie):
    """A part lost, repeated, moved or changed on the way is noticed, at the latest at the end."""
    relay.tell = STREAMS[lie]
    with pytest.raises(VerificationFailed):
        client.stream(**package).table()


# ── unary ────────────────────────────────────────────────────────────────────────────────────────


def test_honest_relay(relay, client, lookup):
    """Through a relay that changes nothing the client gets its answer."""
    exchanged = client.exchange(**lookup)
    assert (exchanged.permitted, len(exchanged.records)) == (True, 1)


def _value(response):
    response.answer.records[0].values["name"].text = "甲某某"


def _status(response):
    response.answer.status = exchange_pb2.ANSWER_STATUS_NONE


def _less(response):
    del response.answer.records[0].values["name"]


def _fewer(response):
    del response.answer.records[:]


def _no_answer(response):
    response.ClearField("answer")


ANSWERS = {
    "other value": _value,
    "other status": _status,
    "value lost": _less,
    "record lost": _fewer,
    "answer lost": _no_answer,
    "unknown status": lambda response: setattr(response.answer, "status", 99),
    "refused": lambda response: setattr(response.decision, "verdict", 2),
    "unknown verdict": lambda response: setattr(response.decision, "verdict", 0),
    "other nonce": lambda response: setattr(response.answer, "nonce", bytes(32)),
    "other digest": lambda response: setattr(response.answer, "digest", bytes(32)),
    "no receipt": lambda response: response.ClearField("receipt"),
    "other leaf": lambda response: setattr(response.receipt, "leaf_index", 0),
    "statement changed": lambda response: setattr(response.receipt, "statement", b"{}"),
}


@pytest.mark.parametrize("lie", ANSWERS)
def test_tampered_answer(relay, client, lookup, lie):
    """An answer that is not what its receipt attests, to the last value, is handed to nobody."""
    relay.tell = lambda response: changed(response, ANSWERS[lie])
    with pytest.raises(VerificationFailed):
        client.exchange(**lookup)


# ── the right answer to another question ─────────────────────────────────────────────────────────

QUESTIONS = {
    "case_no": lambda request: setattr(request.application, "case_no", "YB-2026-999999"),
    "operator": lambda request: setattr(request.application, "operator", "YB-9999"),
    "fields": lambda request: request.application.fields.pop(),
    "request_id": lambda request: setattr(request, "request_id", str(uuid.uuid4())),
}


@pytest.mark.parametrize("about", QUESTIONS)
def test_receipt_of_another_request(relay, client, lookup, about):
    """A receipt that holds but says another case, person, scope or request is no receipt of this one."""
    relay.ask = lambda request: changed(request, QUESTIONS[about])
    with pytest.raises(VerificationFailed):
        client.exchange(**lookup)
    with pytest.raises(VerificationFailed):
        client.stream(**lookup).table()


def test_receipt_under_another_key(relaying, identity, trust, lookup, patient):
    """With a trust root of its own the client takes no answer that another key signed."""
    other = VerifierKey(trust.name, bytes(32))
    with patient(relaying[1], identity, trust=other) as client:
        with pytest.raises(VerificationFailed):
            client.exchange(**lookup)
        with pytest.raises(VerificationFailed):
            client.stream(**lookup).table()
