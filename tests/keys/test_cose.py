"""COSE_Sign1 against published vectors, against openssl, and against messages bent out of shape."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import VerificationFailed
from broker.keys import cose

LIMIT = 10_000
CERTIFICATE = b"der certificate"

# RFC 9052 appendix C.2.1, "Single ECDSA Signature", with the key "11" of appendix C.7.1.
RFC9052_MESSAGE = bytes.fromhex(
    "d28443a10126a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c465ab05aac34cc6b23"
    "d58fef5c083106c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36"
)
RFC9052_KEY = ec.EllipticCurvePublicNumbers(
    0xBAC5B11CAD8F99F9C72B05CF4B9E26D244DC189F745228255A219A86D6A09EFF,
    0x20138BF82DC1B6D562BE0FA54AB7804A3A64B6D72CCFED6B6FB6ED28BBFC117E,
    ec.SECP256R1(),
).public_key()

P256 = ec.generate_private_key(ec.SECP256R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()


def verified(message: bytes, key: cose.PrivateKey) -> bytes:
    signed = cose.parse(message, LIMIT)
    signed.verify(key.public_key())
    return signed.payload


def test_rfc_9052_example_verifies() -> None:
    """The example of the standard is read and holds; one flipped bit of its payload does not."""
    signed = cose.parse(RFC9052_MESSAGE, LIMIT)
    signed.verify(RFC9052_KEY)
    assert signed.payload == b"This is the content."
    forged = RFC9052_MESSAGE.replace(b"This", b"this")
    with pytest.raises(VerificationFailed, match="the signature does not hold"):
        cose.parse(forged, LIMIT).verify(RFC9052_KEY)


@pytest.mark.parametrize("key", [P256, ED25519], ids=["ES256", "EdDSA"])
def test_signed_message_verifies_and_keeps_its_headers(key: cose.PrivateKey) -> None:
    """What sign1 writes, parse reads: payload, content type and chain, under tag 18."""
    message = cose.sign1(b"payload", "text/plain", key, [CERTIFICATE, b"ca"])
    signed = cose.parse(message, LIMIT)
    signed.verify(key.public_key())
    assert (signed.payload, signed.content_type, signed.chain) == (
        b"payload",
        "text/plain",
        (CERTIFICATE, b"ca"),
    )
    assert cbor2.loads(message).tag == 18


@pytest.mark.parametrize("key", [P256, ED25519], ids=["ES256", "EdDSA"])
def test_any_changed_byte_is_refused(key: cose.PrivateKey) -> None:
    """No byte of a message is outside the signature or the strict reading."""
    message = cose.sign1(b"payload", "t", key, [CERTIFICATE])
    for place in range(len(message)):
        bent = bytearray(message)
        bent[place] ^= 1
        with pytest.raises(VerificationFailed):
            verified(bytes(bent), key)


def test_openssl_accepts_our_signatures(tmp_path: Path) -> None:
    """An independent implementation verifies the Sig_structure, rebuilt here from RFC 9052 §4.4 by hand."""
    for key, name in ((P256, "p256"), (ED25519, "ed25519")):
        signed = cose.parse(cose.sign1(b"payload", "t", key, [CERTIFICATE]), LIMIT)
        structure = b"\x84\x6aSignature1" + cbor2.dumps(signed.protected) + b"\x40" + b"\x47payload"
        signature = signed.signature
        if key is P256:
            halves = (int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
            signature = encode_dss_signature(*halves)
        pem = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        files = {"key": pem, "data": structure, "sig": signature}
        paths = {part: tmp_path / f"{name}.{part}" for part in files}
        for part, content in files.items():
            paths[part].write_bytes(content)
        digest = ["-digest", "sha256"] if key is P256 else []
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(paths["key"]), "-rawin", *digest]
        command += ["-in", str(paths["data"]), "-sigfile", str(paths["sig"])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "Verified Successfully" in done.stdout, done


def test_key_of_another_kind_is_refused() -> None:
    """The algorithm is the key's, whatever the header would like it to be."""
    message = cose.sign1(b"payload", "t", P256, [CERTIFICATE])
    other_curve = ec.generate_private_key(ec.SECP384R1()).public_key()
    for key in (ED25519.public_key(), other_curve):
        with pytest.raises(VerificationFailed, match=r"algorithm|neither"):
            cose.parse(message, LIMIT).verify(key)
    with pytest.raises(VerificationFailed, match="neither P-256 nor Ed25519"):
        cose.sign1(b"payload", "t", ec.generate_private_key(ec.SECP384R1()), [CERTIFICATE])


def message_of(
    protected: object, unprotected: object, payload: object = b"p", signature: object = b"s"
) -> bytes:
    header = protected if isinstance(protected, bytes) else cbor2.dumps(protected)
    return b"\xd2" + cbor2.dumps([header, unprotected, payload, signature])


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"", "tagged"),
        (message_of({1: -7}, {})[1:], "tagged"),
        (b"\xd8\x12" + message_of({1: -7}, {})[1:], "tagged"),
        (b"\xd8\x62" + message_of({1: -7}, {})[1:], "tagged"),
        (b"\xd9\xd9\xf7" + message_of({1: -7}, {}), "tagged"),
        (message_of({1: -7}, {}) + b"\x00", "deterministic, or bytes follow"),
        (message_of({1: -7}, {}, payload=None), "not the CBOR"),
        (message_of({1: -7}, {}, payload="text"), "not a COSE_Sign1"),
        (message_of({1: -7}, []), "not a COSE_Sign1"),
        (b"\xd2" + cbor2.dumps([b"", {}, b""]), "not a COSE_Sign1"),
        (b"\xd2\x9f\x40\xa0\x40\x40\xff", "not the CBOR"),
        (message_of(b"\xa2\x01\x26\x01\x26", {}), "not the CBOR"),
        (message_of(b"\xa1\x18\x01\x26", {}), "deterministic"),
        (message_of(b"\xa2\x03\x60\x01\x26", {}), "deterministic"),
        (message_of(b"\xbf\x01\x26\xff", {}), "not the CBOR"),
        (message_of(b"", {}), "not the CBOR"),
        (message_of(b"\x80", {}), "no map"),
        (message_of({1: -7}, {1: -7}), "both"),
        (message_of({1: -7}, {2: [1]}), "crit must be protected"),
        (message_of({1: -7, 2: []}, {}), "crit is malformed"),
        (message_of({1: -7, 2: 1}, {}), "crit is malformed"),
        (message_of({1: -7, 2: [99], 99: 1}, {}), "not understood"),
        (message_of({1: -7, 2: [[1]]}, {}), "not understood"),
        (message_of({1: -7, 2: [3]}, {}), "not understood"),
        (message_of({1: -7}, {}, payload=b"x" * LIMIT), "too long"),
    ],
)
def test_message_out_of_shape_is_refused(message: bytes, why: str) -> None:
    """Every deviation from the strict reading has its own refusal."""
    with pytest.raises(VerificationFailed, match=why):
        cose.parse(message, LIMIT)


@pytest.mark.parametrize("x5chain", [[], [b"one"], [b"one", 2], "text", 7, {}])
def test_malformed_chain_is_refused(x5chain: object) -> None:
    """A chain is one byte string, or an array of two or more (RFC 9360 §2)."""
    signed = cose.parse(message_of({1: -7, 33: x5chain}, {}), LIMIT)
    with pytest.raises(VerificationFailed, match="x5chain is malformed"):
        _ = signed.chain


def test_message_without_a_chain_has_none() -> None:
    """A chain is optional in COSE; whoever needs one looks."""
    assert cose.parse(message_of({1: -7}, {}), LIMIT).chain == ()


def test_map_keys_are_ordered_bytewise() -> None:
    """RFC 8949 §4.2.1 with its own example keys: 10 before 100 before -1 before "z" before "aa"."""
    value = {"aa": 0, "z": 0, -1: 0, 100: 0, 10: 0}
    assert cose.encode(value).hex() == "a50a001864002000617a0062616100"


VALUES = st.recursive(
    st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=30) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(-(2**64), 2**64 - 1) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_encoding_round_trips(value: cose.Cbor) -> None:
    """Whatever may be encoded is read back as it was, whichever the order of its maps."""
    assert cose.decode(cose.encode(value)) == value


@given(st.binary(max_size=40))
def test_what_is_decoded_has_one_spelling(data: bytes) -> None:
    """Arbitrary bytes are either refused or exactly what the encoder writes."""
    try:
        value = cose.decode(data)
    except VerificationFailed:
        return
    assert cose.encode(value) == data


@given(st.binary(max_size=100))
def test_arbitrary_bytes_never_crash_the_parser(data: bytes) -> None:
    """Only one kind of error leaves the parser, whatever a stranger sends."""
    with pytest.raises(VerificationFailed):
        verified(b"\xd2" + data, P256)


@pytest.mark.parametrize("value", [True, None, 1.5, 2**64, -(2**64) - 1, {b"k": 1}, {True: 1}, {1, 2}])
def test_values_outside_the_profile_are_not_encoded(value: object) -> None:
    """Floats, simple values, bignums and odd keys have several spellings, so they do not occur."""
    with pytest.raises(TypeError):
        cose.encode(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data", ["c24101", "c100", "d81c00", "d82361 61", "d9010280", "c4820001", "d818 4100"]
)
def test_tags_are_refused_unread(data: str) -> None:
    """A tag would make cbor2 build dates, patterns, shared references …; here it ends the reading."""
    with pytest.raises(VerificationFailed, match="not the CBOR expected"):
        cose.decode(bytes.fromhex(data))
