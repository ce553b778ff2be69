"""Signed applications: what was signed is exactly what is asked, by the department that asks."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from broker.apply.commitments import HEADER, Salts, commitment
from broker.apply.identity import read_credential
from broker.apply.signed import (
    CONTENT_TYPE,
    asked,
    canonical_application,
    sign_application,
    verify_signed_application,
)
from broker.errors import MalformedRequest, Unavailable
from broker.keys import cose
from broker.keys.authority import Authority, Issued
from broker.keys.revocation import Revocations, read_revocations
from broker.model import Application, Claim, Identity, Role, SignedApplication
from broker.reasons import Reason

NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
"""Within the dates of certificates that are issued when tests have come to it, however late that is."""
EXPIRES = NOW + timedelta(hours=1)


@dataclass(frozen=True)
class Signer:
    """One issued certificate, loaded."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def of(cls, issued: Issued) -> Signer:
        key = serialization.load_pem_private_key(issued.key_pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(key, x509.load_pem_x509_certificate(issued.cert_pem))

    @property
    def identity(self) -> Identity:
        return read_credential(self.certificate).identity

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def sign(self, application: Application, expires: datetime | None = EXPIRES) -> bytes:
        return sign_application(key=self.key, chain=[self.certificate], expires=expires, **asked(application))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("ca"), "xinghe")


@pytest.fixture(scope="module")
def revocations(authority: Authority) -> Revocations:
    return read_revocations((authority.folder / "crl.pem").read_bytes(), authority.certificate)


@pytest.fixture(scope="module")
def signer(authority: Authority) -> Signer:
    return Signer.of(authority.issue("housing_fund", Role.SYSTEM, "counter-1"))


@pytest.fixture(scope="module")
def application(signer: Signer) -> Application:
    return Application(
        consumer=signer.identity,
        request_id="6f1c2f0e-8f5e-4c0a-9b53-3c1f5c2a7d10",
        dataset="civil_affairs.marriage",
        fields=("status", "registered_on"),
        subjects=("990101189901010015", "990101189901010023"),
        purpose="housing_fund_withdrawal",
        service_item="990100-GJJ-0003",
        case_no="CASE-1",
        legal_basis="住房公积金管理条例 第二十四条",
        operator="经办人 0012",
        grant="grant-1",
    )


Verify = Callable[[bytes], SignedApplication]

SALTS = Salts((b"0" * 16, b"1" * 16))


@pytest.fixture(scope="module")
def verify(authority: Authority, revocations: Revocations, application: Application) -> Verify:
    return lambda message: verify_signed_application(
        message, application, authority.certificate, revocations, NOW
    )


def assert_refused(verify: Verify, message: bytes, why: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        verify(message)
    assert caught.value.reason is Reason.SIGNED_APPLICATION_INVALID
    (violation,) = caught.value.violations
    assert violation.field == "signed_application"
    assert why in violation.en
    assert violation.zh
    for value in ("990101189901010015", "CASE-1", "housing_fund", "xinghe", "0012"):
        assert value not in f"{violation}{caught.value}"


def test_signed_application_verifies(signer: Signer, application: Application, verify: Verify) -> None:
    """Signed and asked are the same; what is held is the message without its salts, and verifies as well."""
    message = signer.sign(application)
    held = verify(message)
    assert held.signer == signer.identity
    came, kept = cose.parse(message, 10_000), cose.parse(held.message, 10_000)
    assert (kept, kept.unprotected_header) == (came.bare, {})
    kept.verify(signer.key.public_key())


def test_what_is_held_names_nobody(signer: Signer, application: Application) -> None:
    """Neither subjects nor claims, nor the salts by which they could be guessed; each time it is another."""
    claiming = replace(application, claims=(Claim("status", ("married", "")),))
    message = signer.sign(claiming)
    came = cose.parse(message, 10_000)
    held = came.bare.encoded()
    salts = Salts.of(came.unprotected_header)
    secrets = [text.encode() for text in (*application.subjects, "married")]
    assert not any(secret in held for secret in (*secrets, *salts.subjects, salts.claims["status"][0]))
    assert not any(secret in message for secret in secrets)
    again = cose.parse(signer.sign(claiming), 10_000)
    assert not set(cbor2.loads(came.payload)["subjects"]) & set(cbor2.loads(again.payload)["subjects"])


def test_who_kept_a_salt_can_prove_whom_it_named(signer: Signer, application: Application) -> None:
    """With a plain CBOR library: the commitment is the digest of salt and value."""
    came = cbor2.loads(signer.sign(application)).value
    salt = came[1]["salts"]["subjects"][1]
    digest = hashlib.sha256(cbor2.dumps([salt, application.subjects[1]])).digest()
    assert cbor2.loads(came[2])["subjects"][1] == digest


def test_default_lifetime_is_accepted(
    authority: Authority, revocations: Revocations, signer: Signer, application: Application
) -> None:
    """Who names no expiry gets one that a broker takes."""
    message, now = signer.sign(application, None), datetime.now(UTC)
    assert verify_signed_application(message, application, authority.certificate, revocations, now)


def test_another_system_of_the_department_may_sign(
    authority: Authority, application: Application, verify: Verify
) -> None:
    """A department may keep its signing key on another machine than the one that calls."""
    other = Signer.of(authority.issue("housing_fund", Role.SYSTEM, "signer"))
    assert verify(other.sign(application))


def test_payload_is_the_documented_map(application: Application) -> None:
    """The canonical bytes, read with a plain CBOR library, are the map that the documentation shows."""
    payload = canonical_application(asked(application), EXPIRES, SALTS)
    assert cbor2.loads(payload) == {
        "request_id": "6f1c2f0e-8f5e-4c0a-9b53-3c1f5c2a7d10",
        "dataset": "civil_affairs.marriage",
        "fields": ["status", "registered_on"],
        "subjects": [
            commitment(salt, subject)
            for salt, subject in zip(SALTS.subjects, application.subjects, strict=True)
        ],
        "purpose": "housing_fund_withdrawal",
        "service_item": "990100-GJJ-0003",
        "case_no": "CASE-1",
        "legal_basis": "住房公积金管理条例 第二十四条",
        "operator": "经办人 0012",
        "grant": "grant-1",
        "consumer": "spiffe://xinghe/department/housing_fund/system/counter-1",
        "expires": int(EXPIRES.timestamp()),
    }
    keys = [key.encode() for key in cbor2.loads(payload)]
    assert keys == sorted(keys, key=lambda key: (len(key), key))


CHANGES: list[dict[str, Any]] = [
    {"request_id": "7f1c2f0e-8f5e-4c0a-9b53-3c1f5c2a7d10"},
    {"dataset": "civil_affairs.adoption"},
    {"fields": ("status",)},
    {"fields": ("registered_on", "status")},
    {"fields": ("statusregistered_on",)},
    {"subjects": ("990101189901010015",)},
    {"subjects": ()},
    {"subjects": ("990101189901010023", "990101189901010015")},
    {"purpose": "housing_fund_audit"},
    {"service_item": ""},
    {"case_no": "CASE-2"},
    {"legal_basis": ""},
    {"operator": ""},
    {"grant": ""},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_signature_over_another_request_is_refused(
    signer: Signer, application: Application, verify: Verify, change: dict[str, Any]
) -> None:
    """Every part of the request is bound: nothing can be added, dropped, swapped or reordered."""
    why = "not one salt for each" if len(change.get("subjects", "12")) != 2 else "not this request"
    assert_refused(verify, signer.sign(replace(application, **change)), why)


def test_signature_names_the_caller(authority: Authority, application: Application, verify: Verify) -> None:
    """What one system of a department signed for itself does not serve another one."""
    other = Signer.of(authority.issue("housing_fund", Role.SYSTEM, "counter-2"))
    message = other.sign(replace(application, consumer=other.identity))
    assert_refused(verify, message, "not this request")


@pytest.mark.parametrize(
    ("department", "role"),
    [("tax", Role.SYSTEM), ("housing_fund", Role.OFFICER), ("housing_fund", Role.AUDITOR)],
)
def test_signer_must_be_a_system_of_the_caller(
    authority: Authority, application: Application, verify: Verify, department: str, role: Role
) -> None:
    """Neither another department nor an officer can sign an application of this one."""
    other = Signer.of(authority.issue(department, role, "counter-1"))
    assert_refused(verify, other.sign(application), "not a system of the calling department")


def test_another_authority_is_refused(application: Application, verify: Verify, tmp_path: Path) -> None:
    """An authority of the same name, with the same ids, is not this city's."""
    forged = Authority.create(tmp_path / "other", "xinghe").issue("housing_fund", Role.SYSTEM, "counter-1")
    assert_refused(verify, Signer.of(forged).sign(application), "not by this city's authority")


def test_self_signed_certificate_is_refused(signer: Signer, application: Application, verify: Verify) -> None:
    """The real certificate's content under a key of one's own."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(
        issuer_name=signer.certificate.issuer,
        subject_name=signer.certificate.subject,
        public_key=key.public_key(),
        serial_number=signer.certificate.serial_number,
        not_valid_before=signer.certificate.not_valid_before_utc,
        not_valid_after=signer.certificate.not_valid_after_utc,
        extensions=list(signer.certificate.extensions),
    )
    forged = Signer(key, builder.sign(key, hashes.SHA256()))
    assert_refused(verify, forged.sign(application), "not by this city's authority")


def test_key_must_be_the_certificates(signer: Signer, application: Application, verify: Verify) -> None:
    """A stolen certificate without its key signs nothing, with either algorithm."""
    payload = canonical_application(asked(application), EXPIRES, SALTS)
    thief = ec.generate_private_key(ec.SECP256R1())
    message = cose.sign1(payload, CONTENT_TYPE, thief, [signer.der], SALTS.header)
    assert_refused(verify, message, "signature does not hold")
    other = ed25519.Ed25519PrivateKey.generate()
    message = cose.sign1(payload, CONTENT_TYPE, other, [signer.der], SALTS.header)
    assert_refused(verify, message, "algorithm")


def test_expired_and_revoked_signers_are_refused(authority: Authority, application: Application) -> None:
    """The signer's certificate must be in force now, with the reason said."""
    signer = Signer.of(authority.issue("housing_fund", Role.SYSTEM, "counter-9", days=1))
    later = NOW + timedelta(days=2)

    def verify_at(now: datetime, listed_at: float | None = None) -> Verify:
        pem = (authority.folder / "crl.pem").read_bytes()
        revocations = read_revocations(pem, authority.certificate, lambda: listed_at or time.time())
        return lambda message: verify_signed_application(
            message, application, authority.certificate, revocations, now
        )

    late = signer.sign(application, later + timedelta(hours=1))
    assert_refused(verify_at(later), late, "expired")
    authority.revoke(f"{signer.certificate.serial_number:x}")
    assert_refused(verify_at(NOW), signer.sign(application), "revoked")
    with pytest.raises(Unavailable):
        verify_at(NOW, listed_at=time.time() + 31 * 86400)(signer.sign(application))


@pytest.mark.parametrize(
    ("ahead", "good"),
    [
        (timedelta(0), False),
        (timedelta(seconds=-1), False),
        (timedelta(seconds=1), True),
        (timedelta(hours=24), True),
        (timedelta(hours=24, seconds=1), False),
    ],
)
def test_expiry_is_near(
    signer: Signer, application: Application, verify: Verify, ahead: timedelta, good: bool
) -> None:
    """Past or more than a day ahead is refused: a signature is no standing permission."""
    message = signer.sign(application, NOW + ahead)
    if good:
        assert verify(message)
    else:
        assert_refused(verify, message, "expires is past or over 24 hours ahead")


def test_payload_must_hold_a_sane_expiry(signer: Signer, verify: Verify) -> None:
    """Other payloads, signed well, are refused without a crash."""
    for payload in ({}, [], 1, {"expires": "soon"}, {"expires": -1}, {"expires": 2**62}, {"x": 1}):
        message = cose.sign1(cose.encode(payload), CONTENT_TYPE, signer.key, [signer.der], SALTS.header)
        assert_refused(verify, message, "no expires")
    for raw in (b"", b"\xff", b"\xa1\x67expires\xf9\x00\x00"):
        message = cose.sign1(raw, CONTENT_TYPE, signer.key, [signer.der], SALTS.header)
        assert_refused(verify, message, "not the CBOR expected")


def test_headers_are_exactly_three(signer: Signer, application: Application, verify: Verify) -> None:
    """Another content type, a longer chain, no chain, a further header: each is refused."""
    payload = canonical_application(asked(application), EXPIRES, SALTS)
    message = cose.sign1(payload, "text/plain", signer.key, [signer.der], SALTS.header)
    assert_refused(verify, message, "content type")
    message = cose.sign1(payload, CONTENT_TYPE, signer.key, [signer.der, signer.der], SALTS.header)
    assert_refused(verify, message, "no other")
    message = cose.sign1(payload, CONTENT_TYPE, signer.key, [b"no certificate"], SALTS.header)
    assert_refused(verify, message, "no certificate")
    good = cose.parse(signer.sign(application), 10_000)
    for protected, unprotected, why in (
        (cose.encode({1: -7, 3: CONTENT_TYPE}), SALTS.header, "the headers must be"),
        (cose.encode({1: -7, 3: CONTENT_TYPE, 33: signer.der, 99: 1}), SALTS.header, "the headers must be"),
        (good.protected, {**SALTS.header, 4: b"kid"}, "salts"),
        (cose.encode({1: -7, 3: CONTENT_TYPE}), {**SALTS.header, 33: signer.der}, "salts"),
    ):
        message = b"\xd2" + cose.encode([protected, unprotected, payload, good.signature])
        assert_refused(verify, message, why)


ONE, TWO = b"0" * 16, b"1" * 16


@pytest.mark.parametrize(
    "salts",
    [
        {},
        {HEADER: {}},
        {HEADER: [ONE, TWO]},
        {HEADER: {"subjects": [ONE]}},
        {HEADER: {"subjects": [ONE, TWO, b"2" * 16]}},
        {HEADER: {"subjects": [ONE, ONE]}},
        {HEADER: {"subjects": [ONE, b""]}},
        {HEADER: {"subjects": [ONE, b"1"]}},
        {HEADER: {"subjects": [ONE, "1"]}},
        {HEADER: {"subjects": [ONE, TWO], "claims": {"status": [ONE, b""]}}},
        {HEADER: {"subjects": [ONE, TWO], "claims": {"status": [b"2" * 16, b""]}}},
        {HEADER: {"subjects": [ONE, TWO], "claims": [ONE]}},
        {HEADER: {"subjects": [ONE, TWO], "claims": {"status": ONE}}},
        {HEADER: {"subjects": [ONE, TWO], "more": 1}},
        {HEADER: {"subjects": [TWO, ONE]}},
    ],
)
def test_salts_are_one_for_each_and_used_once(
    signer: Signer, application: Application, verify: Verify, salts: Any
) -> None:
    """Missing, too many, short, repeated, of other values, or for claims that nobody made."""
    payload = canonical_application(asked(application), EXPIRES, SALTS)
    message = cose.sign1(payload, CONTENT_TYPE, signer.key, [signer.der], salts)
    with pytest.raises(MalformedRequest):
        verify(message)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_no_changed_byte_passes(signer: Signer, application: Application, verify: Verify) -> None:
    """Whatever is changed in the message, something refuses it."""
    message = signer.sign(application)
    for place in range(len(message)):
        bent = bytearray(message)
        bent[place] ^= 1 << place % 8
        with pytest.raises(MalformedRequest):
            verify(bytes(bent))


@given(message=st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(verify: Verify, message: bytes) -> None:
    """A stranger's bytes give a violation, never another error."""
    for data in (message, b"\xd2" + message):
        with pytest.raises(MalformedRequest):
            verify(data)


def test_message_over_the_limit_is_refused(verify: Verify) -> None:
    """Size is looked at before anything is parsed."""
    assert_refused(verify, b"\xd2" + bytes(128 * 1024), "too long")


def test_documented_example_is_current() -> None:
    """The bytes in the documentation are those that a broker compares with."""
    text = (Path(__file__).parents[2] / "docs" / "signed-application.md").read_text("utf-8")
    example = json.loads(text.split("```json\n")[1].split("```")[0])
    documented = bytes.fromhex(text.split("```hex\n")[1].split("```")[0])
    expires = datetime.fromtimestamp(example.pop("expires"), UTC)
    salts = Salts(tuple(map(bytes.fromhex, example.pop("salts"))))
    assert canonical_application(example, expires, salts) == documented


def test_claims_are_signed_where_there_are_any(signer: Signer, application: Application) -> None:
    """Where there are none the bytes are those of before; what was signed cannot be claimed otherwise."""
    claiming = replace(application, claims=(Claim("status", ("在婚", "")),))
    plain = cbor2.loads(canonical_application(asked(application), EXPIRES, SALTS))
    salts = replace(SALTS, claims={"status": (b"2" * 16, b"")})
    signed = cbor2.loads(canonical_application(asked(claiming), EXPIRES, salts))
    assert signed == {**plain, "claims": {"status": [commitment(b"2" * 16, "在婚"), b""]}}
    assert "claims" not in plain
    other = replace(application, claims=(Claim("status", ("离婚", "")),))
    spelled = {canonical_application(asked(each), EXPIRES, salts) for each in (claiming, other)}
    assert len(spelled) == 2


def test_claims_that_were_signed_verify(
    signer: Signer, authority: Authority, revocations: Revocations, application: Application
) -> None:
    """One of two subjects; and claimed otherwise they do not."""
    claiming, other = (
        replace(application, claims=(Claim("status", (text, "")),)) for text in ("在婚", "离婚")
    )
    message, ca = signer.sign(claiming), authority.certificate
    assert verify_signed_application(message, claiming, ca, revocations, NOW)
    for wrong in (other, application):
        with pytest.raises(MalformedRequest):
            verify_signed_application(message, wrong, ca, revocations, NOW)
