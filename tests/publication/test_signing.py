"""What officers sign: read back as signed, and nothing else read at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import VerificationFailed
from broker.keys import cose
from broker.keys.authority import Authority
from broker.model import Role
from broker.publication.signing import (
    APPROVAL,
    PROPOSAL,
    Approving,
    Covered,
    Proposing,
    read_approval,
    read_proposal,
    sign_approval,
    sign_proposal,
)

NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
"""Within the dates of certificates that are issued when tests have come to it, however late that is."""
FILES = {
    "sharing/one.yaml": Covered(b"1" * 32, {"catalog/tax.yaml": b"2" * 32}),
    "sharing/gone.yaml": Covered(b""),
}
PROPOSING = Proposing("a" * 64, NOW, "原因")
APPROVING = Approving("a" * 64, NOW, NOW + timedelta(days=30), FILES)


class Signer:
    """A certificate, and its key."""

    def __init__(self, authority: Authority, role: Role = Role.OFFICER) -> None:
        issued = authority.issue("tax", role, "li")
        self.certificate = x509.load_pem_x509_certificate(issued.cert_pem)
        key = serialization.load_pem_private_key(issued.key_pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self.key = key
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)

    def sign(self, payload: dict[int | str, cose.Cbor], content_type: str) -> bytes:
        return cose.sign1(cose.encode(payload), content_type, self.key, [self.der])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("pki"), "xinghe")


@pytest.fixture(scope="module")
def officer(authority: Authority) -> Signer:
    return Signer(authority)


def test_what_was_signed_is_read_back(authority: Authority, officer: Signer) -> None:
    """With who signed it."""
    proposal = read_proposal(
        sign_proposal(PROPOSING, officer.key, officer.certificate), authority.certificate
    )
    approval = read_approval(
        sign_approval(APPROVING, officer.key, officer.certificate), authority.certificate
    )
    assert (proposal.said, approval.said) == (PROPOSING, APPROVING)
    for signer in (proposal.signer, approval.signer):
        assert signer.uri == "spiffe://xinghe/department/tax/officer/li"


def test_one_kind_of_signature_never_passes_as_the_other(authority: Authority, officer: Signer) -> None:
    """The content type is signed."""
    ca = authority.certificate
    with pytest.raises(VerificationFailed, match="content type"):
        read_approval(sign_proposal(PROPOSING, officer.key, officer.certificate), ca)
    with pytest.raises(VerificationFailed, match="content type"):
        read_proposal(sign_approval(APPROVING, officer.key, officer.certificate), ca)


def test_only_an_officer_of_this_authority_within_its_certificates_dates(
    authority: Authority, officer: Signer, tmp_path: Path
) -> None:
    """Another role, another authority, a time before or after the certificate's."""
    stranger = Signer(Authority.create(tmp_path / "stranger", "xinghe"))
    late, early = NOW + timedelta(days=3650), NOW - timedelta(days=1)
    for signer, at, match in (
        (Signer(authority, Role.SYSTEM), NOW, "no officer"),
        (stranger, NOW, "not by this city's authority"),
        (officer, late, "has expired"),
        (officer, early, "has expired"),
    ):
        said = Proposing("a" * 64, at)
        with pytest.raises(VerificationFailed, match=match):
            read_proposal(sign_proposal(said, signer.key, signer.certificate), authority.certificate)


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"bundle": 1},
        {"approved": -1},
        {"expires": 2**63},
        {"files": {}},
        {"files": {1: {"digest": b"", "basis": {}}}},
        {"files": {"a": {"digest": b"1", "basis": {}}}},
        {"files": {"a": {"digest": b"", "basis": {"b": "c"}}}},
        {"files": {"a": {"digest": b"", "basis": {}, "more": 1}}},
        {"files": {"a": b""}},
    ],
)
def test_approval_of_another_shape_is_refused(
    authority: Authority, officer: Signer, change: dict[int | str, cose.Cbor]
) -> None:
    """A member more, less or of another type."""
    sound: dict[int | str, cose.Cbor] = {
        "bundle": "a" * 64,
        "approved": int(NOW.timestamp()),
        "expires": int(NOW.timestamp()) + 1,
        "files": {"a": {"digest": b"", "basis": {}}},
    }
    read_approval(officer.sign(sound, APPROVAL), authority.certificate)
    with pytest.raises(VerificationFailed):
        read_approval(officer.sign({**sound, **change}, APPROVAL), authority.certificate)


@pytest.mark.parametrize("reason", ["x" * 501, "a\nb"])
def test_reason_that_cannot_stand_in_a_list_is_refused(
    authority: Authority, officer: Signer, reason: str
) -> None:
    """Too long, or with invisible characters."""
    said: dict[int | str, cose.Cbor] = {
        "bundle": "a" * 64,
        "proposed": int(NOW.timestamp()),
        "reason": reason,
    }
    with pytest.raises(VerificationFailed, match="reason"):
        read_proposal(officer.sign(said, PROPOSAL), authority.certificate)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_no_changed_byte_passes(authority: Authority, officer: Signer) -> None:
    """Whatever is changed in the message, something refuses it."""
    message = sign_approval(APPROVING, officer.key, officer.certificate)
    for place in range(len(message)):
        bent = bytearray(message)
        bent[place] ^= 1 << place % 8
        with pytest.raises(VerificationFailed):
            read_approval(bytes(bent), authority.certificate)


@given(message=st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(authority: Authority, message: bytes) -> None:
    """A stranger's bytes fail to verify, and nothing else happens."""
    for data in (message, b"\xd2" + message):
        for read in (read_approval, read_proposal):
            with pytest.raises(VerificationFailed):
                read(data, authority.certificate)
