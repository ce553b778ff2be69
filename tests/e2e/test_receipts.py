"""The receipt service: pages, proofs that verify, and no argument that makes it fail inside."""

import hashlib
import json
from dataclasses import replace

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from broker.cli import receipt_forms as forms
from broker.cli.receipt import app
from broker.cli.receipt_forms import Form
from broker.client import Credentials
from broker.errors import VerificationFailed
from broker.keys.authority import Authority
from broker.keys.log_key import create_log_key
from broker.model import Role
from broker.reasons import Reason
from broker.receipt import cose_receipt
from broker.receipt.merkle import leaf_entry, leaf_hash, node_hash, verify_consistency, verify_inclusion
from broker.receipt.note import VerifierKey, parse_checkpoint, verify_note
from broker.receipt.signed_acts import verify_acts
from broker.server.calls import allowed_roles
from broker.v1 import exchange_pb2, receipt_pb2, receipt_pb2_grpc

INT64 = 2**63 - 1
INVALID = grpc.StatusCode.INVALID_ARGUMENT
LEAVES = 40
"""At least so many are in the log: enough for proofs over trees of every shape."""


@pytest.fixture(scope="module")
def auditor(embedded, open_channel):
    """The receipt service, as the authority's auditor."""
    identity = Credentials.load(embedded.identity("data_authority", Role.AUDITOR))
    return receipt_pb2_grpc.ReceiptServiceStub(open_channel(identity.channel_credentials()))


@pytest.fixture(scope="module")
def size(connect, auditor, cast):
    """Size of the log, once it has enough leaves."""
    broker, refused = connect("tax"), {"fields": ["status"], "subjects": [cast["withdrawal"]["sound"]]}
    for _ in range(LEAVES):
        broker.exchange(dataset="civil_affairs.marriage", purpose="low_income_check", **refused)
    return auditor.GetInclusionProof(receipt_pb2.GetInclusionProofRequest()).tree_size


def violation_of(call, request):
    """The field that an INVALID_ARGUMENT is about."""
    with pytest.raises(grpc.RpcError) as refused:
        call(request)
    assert refused.value.code() is INVALID
    details = rpc_status.from_call(refused.value).details
    bad = error_details_pb2.BadRequest()
    assert details[1].Unpack(bad)
    (violation,) = bad.field_violations
    return violation.field


def pages(call, request):
    while True:
        response = call(request)
        yield list(response.receipts)
        if not response.next_page_token:
            return
        request.page_token = response.next_page_token


# ── pages ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("page_size", [1, 7, 40, 999])
def test_pages_of_any_size_make_up_the_same_list(auditor, size, page_size):
    """Page by page the list is that of one big page, newest first; what was added meanwhile is not in it."""
    until = auditor.ListReceipts(receipt_pb2.ListReceiptsRequest(page_size=1)).receipts[0].leaf_index
    whole = [
        receipt
        for page in pages(auditor.ListReceipts, receipt_pb2.ListReceiptsRequest(page_size=1000))
        for receipt in page
        if receipt.leaf_index <= until
    ]
    indices = [receipt.leaf_index for receipt in whole]
    assert indices == list(range(until, -1, -1))
    assert until >= size - 1
    # However long the log has become by the tests before, a few hundred receipts are read one by one.
    enough = min(len(whole), 300)
    listed, earlier = [], []
    for page in pages(auditor.ListReceipts, receipt_pb2.ListReceiptsRequest(page_size=page_size)):
        listed.append(page)
        earlier += [receipt for receipt in page if receipt.leaf_index <= until]
        if len(earlier) >= enough:
            break
    assert earlier == whole[: len(earlier)]
    assert {len(page) for page in listed[:-1]} <= {page_size}


def test_list_goes_on_where_it_was_while_the_log_grows(auditor, size, connect, withdrawal):
    """A receipt written between two pages neither repeats nor hides another."""
    first = auditor.ListReceipts(receipt_pb2.ListReceiptsRequest(page_size=5))
    connect("housing_fund").exchange(**withdrawal)
    request = receipt_pb2.ListReceiptsRequest(page_size=5, page_token=first.next_page_token)
    second = auditor.ListReceipts(request)
    indices = [receipt.leaf_index for page in (first, second) for receipt in page.receipts]
    assert indices == list(range(indices[0], indices[0] - 10, -1))


def test_size_of_a_page(auditor, size):
    """0 means 50, and a list of more than a page has a token."""
    response = auditor.ListReceipts(receipt_pb2.ListReceiptsRequest())
    assert min(50, size) <= len(response.receipts) <= 50
    assert violation_of(auditor.ListReceipts, receipt_pb2.ListReceiptsRequest(page_size=-1)) == "page_size"


def test_page_token_of_another_list(auditor, size, embedded, open_channel):
    """A token serves the caller, list and filters it was given for, and no other."""
    token = auditor.ListReceipts(receipt_pb2.ListReceiptsRequest(page_size=1)).next_page_token
    filtered = receipt_pb2.ListReceiptsRequest(page_token=token, purpose="low_income_check")
    assert violation_of(auditor.ListReceipts, filtered) == "page_token"
    system = Credentials.load(embedded.identity("tax")).channel_credentials()
    other = receipt_pb2_grpc.ReceiptServiceStub(open_channel(system))
    assert violation_of(other.ListReceipts, receipt_pb2.ListReceiptsRequest(page_token=token)) == "page_token"


def test_garbled_page_token(auditor, size):
    """A token with any character changed, added or lost is refused."""
    token = auditor.ListReceipts(receipt_pb2.ListReceiptsRequest(page_size=1)).next_page_token
    wrong = {token[:i] + c + token[i + 1 :] for i in range(len(token)) for c in "A_5+/ =" if c != token[i]}
    for garbled in (*wrong, token[:-1], token + "=", token + token, "页", "\x00"):
        request = receipt_pb2.ListReceiptsRequest(page_token=garbled)
        assert violation_of(auditor.ListReceipts, request) == "page_token"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("department", "tax"),
        ("department", "departments/"),
        ("department", "departments/Tax"),
        ("department", "datasets/tax"),
        ("dataset", "civil_affairs.marriage"),
        ("dataset", "datasets/\x00"),
        ("dataset", "datasets/tax' OR '1'='1"),
        ("purpose", "\x00"),
        ("purpose", "Low income"),
        ("verdict", 5),
        ("verdict", -1),
        ("since", Timestamp(seconds=2**62)),
        ("since", Timestamp(nanos=-5)),
        ("until", Timestamp(seconds=-(2**62))),
        ("operator", "x" * 201),
        ("operator", "a\x00b"),
        ("case_no", " 1"),
        ("service_item", "\u202e"),
        ("rule", "a b"),
        ("rule", "规则"),
        ("reason", "no such"),
        ("kind", "exchanges"),
        ("subject_tags", [b"short"]),
        ("subject_tags", [bytes([i % 256, i // 256]) + bytes(14) for i in range(1001)]),
    ],
)
def test_malformed_filter(auditor, field, value):
    """A filter that nothing can match by its form is refused, so that a slip does not read as "none"."""
    request = receipt_pb2.ListReceiptsRequest(**{field: value})
    assert violation_of(auditor.ListReceipts, request) == field


def test_filter_of_what_nobody_has(auditor, size):
    """A well-formed filter may match nothing: what it names may have left the catalog."""
    for filters in (
        {"department": "departments/gone"},
        {"dataset": "datasets/gone.away"},
        {"purpose": "gone"},
    ):
        response = auditor.ListReceipts(receipt_pb2.ListReceiptsRequest(**filters))
        assert (list(response.receipts), response.next_page_token) == ([], "")


# ── one receipt ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    ["", "1", "receipts/", *(f"receipts/{wrong}" for wrong in ("-1", "00", "+1", "1.0", "１", "9" * 5000))]
    + [f"receipts/{missing}" for missing in (999_999, INT64, 2**64)],
)
def test_name_of_no_receipt(auditor, name):
    """A name of nothing, or in another spelling than the broker's, is NOT_FOUND."""
    with pytest.raises(grpc.RpcError) as refused:
        auditor.GetReceipt(receipt_pb2.GetReceiptRequest(name=name))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_client_verifies_the_receipt_it_gets(embedded, address, withdrawal, tmp_path, trust, patient):
    """With a trust root of its own the client hands over no receipt that another key signed."""
    identity = Credentials.load(embedded.identity("housing_fund"))
    with patient(address, identity, trust=trust) as client:
        leaf = client.exchange(**withdrawal).receipt.leaf_index
        assert client.receipt(leaf).leaf_index == leaf
        assert cose_receipt.parse(client.cose_receipt(leaf))[0].leaf_index == leaf
    other = VerifierKey.of(trust.name, create_log_key(tmp_path / "other.key"))
    with patient(address, identity, trust=other) as client, pytest.raises(VerificationFailed):
        client.receipt(leaf)
    with patient(address, identity, trust=other) as client, pytest.raises(VerificationFailed):
        client.cose_receipt(leaf)


@pytest.mark.parametrize("form", list(Form))
def test_every_form_is_exported_and_verified_by_command(
    embedded, address, connect, withdrawal, tmp_path, form
):
    """From a running broker to a file, and from the file alone to what holds."""
    leaf = connect("housing_fund").exchange(**withdrawal).receipt.leaf_index
    auditor, file = embedded.identity("data_authority", Role.AUDITOR), str(tmp_path / "receipt")
    trust = ["--trust", str(embedded.trust)]
    words = ["export", str(leaf), "--broker", address, "--identity", str(auditor), "--out", file]
    assert CliRunner().invoke(app, [*words, "--as", form, *trust]).exit_code == 0
    verified = CliRunner().invoke(app, ["verify", file, *trust, "--json"]).output
    assert json.loads(verified)["leaf_index"] == leaf
    assert json.loads(verified)["form"] == form
    assert "civil_affairs.marriage" in CliRunner().invoke(app, ["show", file]).output


# ── proofs ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def signed_bundle(connect, withdrawal, trust):
    """The bundle of an exchange that was asked for with a signed application; and its receipt."""
    client = connect("housing_fund")
    index = client.exchange(sign=True, **withdrawal).receipt.leaf_index
    return forms.ask(client, index, Form.BUNDLE, trust), client.receipt(index, acts=True)


def test_bundle_holds_what_was_signed_and_by_whom(signed_bundle, embedded, withdrawal, tmp_path, trust):
    """Verified by command, offline: under the authority's certificate, and under no other."""
    bundle, receipt = signed_bundle
    (act,) = receipt.acts
    assert hashlib.sha256(act).hexdigest() == json.loads(receipt.statement)["signed_application"]
    assert not any(subject.encode() in bundle for subject in withdrawal["subjects"])
    file, key = tmp_path / "r.zip", tmp_path / "log.vkey"
    file.write_bytes(bundle)
    key.write_text(f"{trust}\n")
    verify = ["verify", str(file), "--trust", str(key), "--json"]
    mine = embedded.folder / "pki" / "ca.pem"
    other = Authority.create(tmp_path / "pki", "xinghe").folder / "ca.pem"
    verified = CliRunner().invoke(app, [*verify, "--ca", str(mine)], catch_exceptions=False)
    (signer,) = json.loads(verified.output)["acts_signed_by"]
    assert signer.startswith("spiffe://xinghe/department/housing_fund/system/")
    assert "未被吊销" in CliRunner().invoke(app, [*verify[:-1], "--ca", str(mine)]).output
    assert isinstance(CliRunner().invoke(app, [*verify, "--ca", str(other)]).exception, VerificationFailed)


def test_bundle_without_a_chain_or_with_another_act_is_refused(signed_bundle, embedded, trust):
    """What accompanies the statement must be what it names, whole."""
    _, receipt = signed_bundle
    authority = Authority.open(embedded.folder / "pki").certificate
    assert verify_acts(receipt, trust, authority)
    bent = receipt.acts[0][:-1] + bytes([receipt.acts[0][-1] ^ 1])
    for wrong in (
        {"chains": ()},
        {"chains": (*receipt.chains, receipt)},
        {"acts": ()},
        {"acts": (bent,)},
        {"acts": (*receipt.acts, bent)},
    ):
        with pytest.raises(VerificationFailed):
            verify_acts(replace(receipt, **wrong), trust, authority)


def root_of(hashes):
    """MTH of RFC 6962 §2.1, written down as it stands there."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(root_of(hashes[:split]), root_of(hashes[split:]))


@pytest.fixture(scope="module")
def hashes(auditor, size):
    """The log's leaf hashes."""
    requests = [receipt_pb2.GetInclusionProofRequest(leaf_index=i, tree_size=size) for i in range(size)]
    return [auditor.GetInclusionProof(request).leaf_hash for request in requests]


def test_leaves_are_the_statements(auditor, size, hashes):
    """The leaf hash that the log proves is that of the statement that the list shows."""
    listed = auditor.ListReceipts(receipt_pb2.ListReceiptsRequest(page_size=1000)).receipts
    for receipt in listed:
        if receipt.leaf_index < size:
            assert leaf_hash(leaf_entry(receipt.statement)) == hashes[receipt.leaf_index]


def test_inclusion_proofs_verify_in_trees_of_every_size(auditor, size, hashes):
    """Every leaf is proved in trees of many sizes, and nowhere else."""
    for tree_size in (*range(1, 20), 31, 32, 33, size):
        root = root_of(hashes[:tree_size])
        for index in range(tree_size):
            request = receipt_pb2.GetInclusionProofRequest(leaf_index=index, tree_size=tree_size)
            response = auditor.GetInclusionProof(request)
            assert response.tree_size == tree_size
            verify_inclusion(response.leaf_hash, index, tree_size, list(response.proof), root)
            if tree_size > 1:
                with pytest.raises(VerificationFailed):
                    verify_inclusion(hashes[index - 1], index, tree_size, list(response.proof), root)


def test_consistency_proofs_verify_between_all_sizes(auditor, size, hashes):
    """Every smaller log is proved a prefix of a larger one."""
    for second in (1, 2, 7, 8, 9, 16, 21, 32, 33, size):
        for first in range(1, second + 1):
            request = receipt_pb2.GetConsistencyProofRequest(first_size=first, second_size=second)
            proof = list(auditor.GetConsistencyProof(request).proof)
            verify_consistency(first, second, root_of(hashes[:first]), root_of(hashes[:second]), proof)


def test_zero_means_the_current_size(auditor, size):
    """A size of zero asks for the log as it is, and the answer says how large that was."""
    included = auditor.GetInclusionProof(receipt_pb2.GetInclusionProofRequest(leaf_index=size - 1))
    assert included.tree_size >= size
    consistent = auditor.GetConsistencyProof(receipt_pb2.GetConsistencyProofRequest(first_size=size))
    assert consistent.second_size >= size


def test_checkpoint_is_the_root_of_the_leaves(auditor, size, hashes, trust):
    """The signed head, the proofs and the leaves are of one and the same tree."""
    response = auditor.GetCheckpoint(receipt_pb2.GetCheckpointRequest())
    assert response.verifier_key == str(trust)
    head = parse_checkpoint(verify_note(response.checkpoint, trust))
    request = receipt_pb2.GetConsistencyProofRequest(first_size=size, second_size=head.size)
    proof = list(auditor.GetConsistencyProof(request).proof)
    verify_consistency(size, head.size, root_of(hashes), head.root, proof)


@pytest.mark.parametrize("leaf_index", [-1, -INT64 - 1, LEAVES, INT64])
def test_leaf_outside_the_tree(auditor, size, leaf_index):
    """A leaf that is not in the tree asked for has no proof."""
    request = receipt_pb2.GetInclusionProofRequest(leaf_index=leaf_index, tree_size=LEAVES)
    assert violation_of(auditor.GetInclusionProof, request) == "leaf_index"


@pytest.mark.parametrize("tree_size", [-1, -INT64 - 1, 10**6, INT64])
def test_tree_that_is_not_there(auditor, size, tree_size):
    """A tree larger than the log, or of negative size, is refused for every kind of proof."""
    request = receipt_pb2.GetInclusionProofRequest(tree_size=tree_size)
    assert violation_of(auditor.GetInclusionProof, request) == "tree_size"
    request = receipt_pb2.GetConsistencyProofRequest(first_size=1, second_size=tree_size)
    assert violation_of(auditor.GetConsistencyProof, request) == "second_size"


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 5), (-1, 5), (6, 5), (INT64, 0), (-INT64 - 1, 0)])
def test_sizes_out_of_order(auditor, size, first, second):
    """A consistency proof goes from a log that is not empty to a later one."""
    request = receipt_pb2.GetConsistencyProofRequest(first_size=first, second_size=second)
    assert violation_of(auditor.GetConsistencyProof, request) == "first_size"


# ── anything ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("garbage", [b"\xff" * 16, b"\x0a\xff", b"\x00", b"<xml/>"])
def test_garbage_for_a_message(rpc, channel, officer_channel, garbage):
    """Bytes that are no message are INVALID_ARGUMENT on every RPC, for whom it is."""
    with pytest.raises(grpc.RpcError) as refused:
        rpc(channel if Role.SYSTEM in allowed_roles(rpc.path) else officer_channel, garbage)
    assert refused.value.code() is INVALID
    info = error_details_pb2.ErrorInfo()
    assert rpc_status.from_call(refused.value).details[0].Unpack(info)
    assert info.reason == Reason.REQUEST_MALFORMED


KNOWN = st.sampled_from(
    ["housing_fund", "departments/tax", "datasets/civil_affairs.marriage", "receipts/1", "grants/x", "990101"]
)
TEXT = st.text(max_size=12) | KNOWN
NUMBER = st.integers(-INT64 - 1, INT64) | st.integers(-2, 60)
PAPERS = dict.fromkeys(("purpose", "service_item", "case_no", "legal_basis", "operator"), TEXT)
APPLICATION = st.builds(
    exchange_pb2.Application,
    dataset=TEXT,
    fields=st.lists(TEXT | st.just("status"), max_size=3),
    subjects=st.lists(TEXT, max_size=3),
    **PAPERS,
)
EXCHANGE = {"request_id": TEXT | st.uuids().map(str), "application": APPLICATION, "grant": TEXT}
EXCHANGE["signed_application"] = st.binary(max_size=20)
STAMP = st.builds(Timestamp, seconds=NUMBER, nanos=st.integers(-(2**31), 2**31 - 1))
MESSAGES = st.one_of(
    st.tuples(st.just("Receipt/GetReceipt"), st.builds(receipt_pb2.GetReceiptRequest, name=TEXT)),
    st.tuples(
        st.just("Receipt/ListReceipts"),
        st.builds(
            receipt_pb2.ListReceiptsRequest,
            page_size=st.integers(-(2**31), 2**31 - 1),
            page_token=TEXT,
            department=TEXT,
            dataset=TEXT,
            purpose=TEXT,
            since=STAMP,
            until=STAMP,
        ),
    ),
    st.tuples(
        st.just("Receipt/GetInclusionProof"),
        st.builds(receipt_pb2.GetInclusionProofRequest, leaf_index=NUMBER, tree_size=NUMBER),
    ),
    st.tuples(
        st.just("Receipt/GetConsistencyProof"),
        st.builds(receipt_pb2.GetConsistencyProofRequest, first_size=NUMBER, second_size=NUMBER),
    ),
    st.tuples(st.just("Exchange/Exchange"), st.builds(exchange_pb2.ExchangeRequest, **EXCHANGE)),
)


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(MESSAGES)
def test_no_request_fails_inside(channel, message):
    """Whatever a caller sends, the answer is an answer or its own mistake, never INTERNAL or UNKNOWN."""
    name, request = message
    service, _, method = name.partition("/")
    try:
        channel.unary_unary(f"/broker.v1.{service}Service/{method}")(request.SerializeToString(), timeout=60)
    except grpc.RpcError as failure:
        assert failure.code() in (INVALID, grpc.StatusCode.NOT_FOUND)  # noqa: PT017 - most of them are answers
