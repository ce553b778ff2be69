"""What an officer signs before tokens are turned back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from broker.detokenize.approval import CONTENT_TYPE, Asked, read, sign, tokens_digest
from broker.errors import VerificationFailed
from broker.keys import cose
from broker.keys.authority import Authority
from broker.model import Role
from broker.publication.signing import Proposing, sign_proposal, signed_by

NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
"""Within the dates of certificates that are issued when tests have come to it, however late that is."""
ASKED = Asked(
    "11111111-2222-4333-8444-555555555555",
    17,
    "public_security.household",
    "resident_id",
    "housing_fund",
    "housing_fund_withdrawal",
    tokens_digest(["426433838416183578"]),
    1,
    "核实",
    "条例",
    "spiffe://xinghe/department/housing_fund/system/counter",
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority.create(tmp_path_factory.mktemp("pki") / "ca", "xinghe")


@pytest.fixture(scope="module")
def officer(authority):
    """Key and certificate."""
    issued = authority.issue("public_security", Role.OFFICER, "zhao")
    return load_pem_private_key(issued.key_pem, None), x509.load_pem_x509_certificate(issued.cert_pem)


def test_what_is_signed_is_read(authority, officer):
    """All of it, with who signed and when."""
    approval = read(sign(ASKED, NOW, NOW + timedelta(hours=1), *officer), authority.certificate)
    assert (approval.asked, approval.at, approval.until) == (ASKED, NOW, NOW + timedelta(hours=1))
    assert approval.signer.uri == "spiffe://xinghe/department/public_security/officer/zhao"


def test_a_changed_message_is_none(authority, officer):
    """Whichever byte of it."""
    message = bytearray(sign(ASKED, NOW, NOW + timedelta(hours=1), *officer))
    for place in (len(message) // 2, len(message) - 1):
        changed = bytearray(message)
        changed[place] ^= 1
        with pytest.raises(VerificationFailed):
            read(bytes(changed), authority.certificate)


def test_only_an_officer_signs(authority):
    """A system's or an auditor's signature is none."""
    for role in (Role.SYSTEM, Role.AUDITOR):
        issued = authority.issue("public_security", role, "any")
        key = load_pem_private_key(issued.key_pem, None)
        certificate = x509.load_pem_x509_certificate(issued.cert_pem)
        with pytest.raises(VerificationFailed, match="officer"):
            read(sign(ASKED, NOW, NOW + timedelta(hours=1), key, certificate), authority.certificate)


def test_another_document_is_no_approval(authority, officer):
    """Nor is one with other members, or members of another type."""
    members = {name: getattr(ASKED, name) for name in Asked.__dataclass_fields__}
    times = {"approved": 1, "expires": 2}
    for payload in (members, times, members | times | {"more": 1}, members | times | {"receipt": "17"}):
        with pytest.raises(VerificationFailed):
            read(signed_by(*officer, payload, CONTENT_TYPE), authority.certificate)
    with pytest.raises(VerificationFailed):
        read(sign_proposal(Proposing("a" * 64, NOW), *officer), authority.certificate)
    assert cose.encode(members | times)


def test_the_digest_tells_lists_of_tokens_apart():
    """In their order, and where one ends."""
    lists = (["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc"], [])
    assert len({tokens_digest(tokens) for tokens in lists}) == len(lists)
    assert replace(ASKED, tokens=tokens_digest(["1"])) != ASKED
