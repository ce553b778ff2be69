"""Who may call what: every RPC of every service, by every kind of certificate that should not get through."""

import time
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from orjson import loads

from broker.client import Credentials
from broker.errors import MalformedRequest, NotFound
from broker.keys.authority import Authority
from broker.keys.certificates import cert_pem, key_pem, leaf_certificate, new_key
from broker.keys.spiffe import DepartmentId
from broker.model import Role, Verdict
from broker.reasons import DOMAIN, Reason, sentence

COUNTER = "spiffe://xinghe/department/housing_fund/system/counter"
SHORT_LIVES = [timedelta(seconds=seconds) for seconds in (3, 10, 30, 100)]

REFUSED = {
    # TLS refuses these before any call
    "nobody": (grpc.StatusCode.UNAVAILABLE, None),
    "wrong_authority": (grpc.StatusCode.UNAVAILABLE, None),
    "expired": (grpc.StatusCode.UNAVAILABLE, None),
    "not_yet_valid": (grpc.StatusCode.UNAVAILABLE, None),
    "issued_by_a_department": (grpc.StatusCode.UNAVAILABLE, None),
    "broker": (grpc.StatusCode.UNAVAILABLE, None),
    # TLS lets these through, the broker does not
    "expired_while_connected": (grpc.StatusCode.UNAUTHENTICATED, Reason.CERTIFICATE_EXPIRED),
    "revoked": (grpc.StatusCode.UNAUTHENTICATED, Reason.CERTIFICATE_REVOKED),
    "revoked_while_connected": (grpc.StatusCode.UNAUTHENTICATED, Reason.CERTIFICATE_REVOKED),
    "common_name_only": (grpc.StatusCode.UNAUTHENTICATED, Reason.CERTIFICATE_INVALID),
    "dns_name_only": (grpc.StatusCode.UNAUTHENTICATED, Reason.CERTIFICATE_INVALID),
    "two_uris": (grpc.StatusCode.UNAUTHENTICATED, Reason.CERTIFICATE_INVALID),
    "other_trust_domain": (grpc.StatusCode.UNAUTHENTICATED, Reason.CERTIFICATE_INVALID),
    "unregistered_department": (grpc.StatusCode.PERMISSION_DENIED, Reason.DEPARTMENT_UNKNOWN),
}

SYSTEMS_ONLY = {"/broker.v1.ExchangeService/Exchange", "/broker.v1.ExchangeService/StreamExchange"}
NOT_FOR_GATEWAYS = {
    "/broker.v1.ReceiptService/GetReceipt",
    "/broker.v1.ReceiptService/ListReceipts",
    "/broker.v1.DeliveryService/ListDeliveries",
    "/broker.v1.DisposalService/ListHoldings",
    "/broker.v1.DisposalService/ListDisposals",
    "/broker.v1.DisposalService/GetDisposal",
    "/broker.v1.SuspensionService/ListSuspensions",
    "/broker.v1.CommitmentService/GetCommitment",
    "/broker.v1.CommitmentService/ListCommitments",
    "/broker.v1.ApplicationService/GetApplication",
    "/broker.v1.ApplicationService/ListApplications",
    "/broker.v1.ApplicationService/WatchNotices",
    "/broker.v1.CorrectionService/GetCorrection",
    "/broker.v1.CorrectionService/ListCorrections",
    "/broker.v1.CorrectionService/ListCorrectionNotices",
}
POLICIES = (
    {
        f"/broker.v1.PolicyService/{method}"
        for method in ("GetProposal", "ListProposals", "ListBundles", "GetBundle")
    }
    | {"/broker.v1.DelegationService/ListDelegations"}
    | {"/broker.v1.CorrectionService/GetDataQuality"}
)
OFFICERS_ONLY = (
    {
        f"/broker.v1.PolicyService/{method}"
        for method in ("ProposeBundle", "ApproveProposal", "PublishProposal", "RollbackBundle")
    }
    | {"/broker.v1.DisposalService/OrderDisposal", "/broker.v1.CommitmentService/WithdrawCommitment"}
    | {"/broker.v1.CorrectionService/AnswerCorrection"}
    | {f"/broker.v1.SuspensionService/{method}" for method in ("SuspendSharing", "LiftSuspension")}
    | {f"/broker.v1.DelegationService/{method}" for method in ("CreateDelegation", "RevokeDelegation")}
    | {
        f"/broker.v1.ApplicationService/{act}Application"
        for act in ("Consent", "Approve", "Refuse", "Extend", "Suspend", "Resume", "Terminate")
    }
)
RECEIVERS_ONLY = {
    "/broker.v1.MaskingService/Detokenize",
    "/broker.v1.DeliveryService/AcknowledgeDelivery",
    "/broker.v1.DisposalService/CertifyDisposal",
    "/broker.v1.CommitmentService/LodgeCommitment",
    *(f"/broker.v1.ApplicationService/{act}Application" for act in ("Create", "Supplement", "Withdraw")),
    "/broker.v1.CorrectionService/ReportCorrection",
}
CLOSED = {
    Role.AUDITOR: SYSTEMS_ONLY | OFFICERS_ONLY | RECEIVERS_ONLY,
    Role.OFFICER: SYSTEMS_ONLY,
    Role.GATEWAY: SYSTEMS_ONLY | NOT_FOR_GATEWAYS | POLICIES | OFFICERS_ONLY | RECEIVERS_ONLY,
}


class Office:
    """Makes the channels of the callers named in REFUSED, each once, with the authority's own key."""

    def __init__(self, authority, open_channel, elsewhere, publish):
        self._authority = authority
        self._publish = publish
        self._open = open_channel
        self._elsewhere = elsewhere
        self._root = cert_pem(authority.certificate)
        secret = (authority.folder / "ca.key").read_bytes()
        self._key = serialization.load_pem_private_key(secret, None)
        self._channels = {}

    def channel(self, who):
        if who not in self._channels:
            self._channels[who] = getattr(self, who)()
        return self._channels[who]

    def nobody(self):
        return self._open(grpc.ssl_channel_credentials(self._root))

    def wrong_authority(self):
        stranger = Authority.create(self._elsewhere, "xinghe")
        return self._channel(stranger.issue("housing_fund", Role.SYSTEM, "counter"))

    def broker(self):
        return self._channel(self._authority.issue_broker("two", ips=["127.0.0.1"]))

    def expired(self):
        return self._leaf(DepartmentId("xinghe", "tax", Role.SYSTEM, "late"), -timedelta(seconds=1))

    def expired_while_connected(self):
        for life in SHORT_LIVES:
            channel = self._leaf(DepartmentId("xinghe", "tax", Role.SYSTEM, "short"), life)
            until = time.monotonic() + life.total_seconds()
            try:
                call_health(channel)
            except grpc.RpcError:  # it expired before it was connected
                continue
            time.sleep(max(0.0, until + 1 - time.monotonic()))
            return channel
        raise AssertionError("no certificate lived long enough to connect with it")

    def revoked(self):
        issued = self._authority.issue("tax", Role.SYSTEM, "revoked")
        self._revoke(f"{issued.serial:x}")
        return self._channel(issued)

    def revoked_while_connected(self):
        issued = self._authority.issue("tax", Role.SYSTEM, "revoked-later")
        channel = self._channel(issued)
        call_health(channel)
        self._revoke(str(issued.spiffe_id))
        return channel

    def other_trust_domain(self):
        return self._leaf(DepartmentId("elsewhere", "housing_fund", Role.SYSTEM, "counter"))

    def unregistered_department(self):
        return self._channel(self._authority.issue("forestry", Role.SYSTEM, "counter"))

    def common_name_only(self):
        return self._forged([])

    def dns_name_only(self):
        return self._forged([x509.DNSName("housing_fund")])

    def two_uris(self):
        other = "spiffe://xinghe/department/tax/system/counter"
        return self._forged([x509.UniformResourceIdentifier(uri) for uri in (COUNTER, other)])

    def not_yet_valid(self):
        return self._forged([x509.UniformResourceIdentifier(COUNTER)], timedelta(hours=1))

    def issued_by_a_department(self):
        """A department's certificate that plays authority, its own signature above the forged one."""
        issued = self._authority.issue("housing_fund", Role.SYSTEM, "would-be-authority")
        holder = x509.load_pem_x509_certificate(issued.cert_pem)
        holder_key = serialization.load_pem_private_key(issued.key_pem, None)
        key, now = new_key(), datetime.now(UTC)
        spiffe_id = DepartmentId("xinghe", "tax", Role.SYSTEM, "counter")
        leaf = leaf_certificate(
            holder, holder_key, key.public_key(), spiffe_id, (), now, now + timedelta(days=1)
        )
        return self._with(key_pem(key), cert_pem(leaf) + issued.cert_pem)

    def _revoke(self, which):
        """Revoked, published, and noticed by what commits nothing too: that looks five times a second."""
        self._authority.revoke(which)
        self._publish("revocations", "publish", str(self._authority.folder / "crl.pem"))
        time.sleep(0.3)

    def _leaf(self, spiffe_id, life=timedelta(days=1)):
        key, now = new_key(), datetime.now(UTC)
        leaf = leaf_certificate(
            self._authority.certificate, self._key, key.public_key(), spiffe_id, (), now, now + life
        )
        return self._with(key_pem(key), cert_pem(leaf))

    def _forged(self, names, begins_in=timedelta(0)):
        """A certificate that our authority would never make, but some other might be talked into."""
        key, now = new_key(), datetime.now(UTC) + begins_in
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COUNTER)]))
            .issuer_name(self._authority.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(
                x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True
            )
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return self._with(key_pem(key), cert_pem(builder.sign(self._key, hashes.SHA256())))

    def _channel(self, issued):
        return self._with(issued.key_pem, issued.cert_pem)

    def _with(self, key, chain):
        return self._open(grpc.ssl_channel_credentials(self._root, key, chain))


@pytest.fixture(scope="module")
def office(authority, open_channel, tmp_path_factory, command):
    return Office(authority, open_channel, tmp_path_factory.mktemp("elsewhere"), command)


@pytest.fixture(scope="module")
def as_role(authority, open_channel):
    """Channels of an officer, auditor and gateway of the housing fund."""
    root = cert_pem(authority.certificate)
    issued = {role: authority.issue("housing_fund", role, "someone") for role in CLOSED}
    return {
        role: open_channel(grpc.ssl_channel_credentials(root, one.key_pem, one.cert_pem))
        for role, one in issued.items()
    }


def call_health(channel):
    channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=60)


def refusal(rpc, channel):
    """How the call fails, or None."""
    try:
        rpc(channel)
    except grpc.RpcError as failure:
        return failure
    return None


def require_says_only(failure, reason):
    """The message is the reason's own sentence and nothing else: no name, path, value or traceback."""
    said = sentence(reason)
    assert failure.details() == f"{said.zh} / {said.en}"
    (detail,) = rpc_status.from_call(failure).details
    info = error_details_pb2.ErrorInfo()
    assert detail.Unpack(info)
    assert (info.domain, info.reason) == (DOMAIN, reason)
    assert dict(info.metadata) == {"zh": said.zh, "en": said.en}
    assert [key for key, _ in failure.trailing_metadata()] == ["grpc-status-details-bin"]


@pytest.mark.parametrize("who", REFUSED)
def test_certificate_that_proves_nothing_is_refused(rpc, who, office, embedded, bundle):
    """No RPC of any service answers such a caller, and the refusal says nothing but its reason."""
    code, reason = REFUSED[who]
    failure = refusal(rpc, office.channel(who))
    assert failure is not None, "answered"
    assert failure.code() is code
    if reason is not None:
        require_says_only(failure, reason)
        return
    # The words are the caller's own gRPC's, as no call came through.
    told = f"{failure.details()} {failure.trailing_metadata()}"
    secrets = (*bundle.catalog.departments, str(embedded.folder), "Traceback", ".py")
    assert not [secret for secret in secrets if secret in told]


@pytest.mark.parametrize("role", CLOSED)
def test_role_gets_what_is_meant_for_it(rpc, role, as_role):
    """Officers, auditors and gateways are refused what is for systems, and nothing that is for all."""
    failure = refusal(rpc, as_role[role])
    if rpc.path in CLOSED[role]:
        assert failure is not None, "answered"
        assert failure.code() is grpc.StatusCode.PERMISSION_DENIED
        require_says_only(failure, Reason.ROLE_NOT_ALLOWED)
    elif failure is not None:  # an empty request asks for nothing that exists
        assert failure.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)


def test_system_may_call_everything_but_policies(rpc, channel):
    """A department's system is refused no RPC for who it is but those of the officers."""
    failure = refusal(rpc, channel)
    if rpc.path in POLICIES | OFFICERS_ONLY:
        require_says_only(failure, Reason.ROLE_NOT_ALLOWED)
    elif failure is not None:
        assert failure.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)


def test_other_department_gets_nothing_of_this_one(connect, withdrawal):
    """Under another department's certificate the same requests give neither records nor receipts."""
    leaf = connect("housing_fund").exchange(**withdrawal).receipt.leaf_index
    other = connect("medical_insurance")
    exchanged = other.exchange(**withdrawal)
    assert (exchanged.verdict, exchanged.records) == (Verdict.DENY, [])
    stream = other.stream(**withdrawal)
    assert (stream.verdict, list(stream), stream.outcome) == (Verdict.DENY, [], None)
    with pytest.raises(NotFound) as refused:
        other.receipt(leaf)
    assert refused.value.reason is Reason.RESOURCE_NOT_FOUND
    for receipt in other.receipts():
        assert loads(receipt.statement)["consumer"]["department"] == "medical_insurance"


def test_other_department_cannot_hand_in_a_signed_application(patient, withdrawal, embedded, address):
    """An application signed by another department's key is no application of this one."""

    class Impostor(Credentials):
        """Connects as tax, signs in the housing fund's name with tax's key."""

        uri = COUNTER

    loaded = Credentials.load(embedded.identity("tax"))
    impostor = Impostor(loaded.certificate, loaded.key, loaded.ca)
    with patient(address, impostor) as client, pytest.raises(MalformedRequest) as refused:
        client.exchange(sign=True, **withdrawal)
    assert refused.value.reason is Reason.SIGNED_APPLICATION_INVALID


def test_revocation_disturbs_nobody_else(office, connect, withdrawal):
    """Revoking one certificate of a department leaves its others in force."""
    office.channel("revoked")
    office.channel("revoked_while_connected")
    assert connect("tax").exchange(**withdrawal).verdict is Verdict.DENY
