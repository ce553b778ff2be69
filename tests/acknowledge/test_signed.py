"""The signed acknowledgement: whatever of it is changed, it does not read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from broker.acknowledge.signed import CONTENT_TYPE, MAX_BYTES, Acknowledgement, read, sign
from broker.errors import VerificationFailed
from broker.keys import cose
from broker.keys.authority import Authority
from broker.model import Role
from broker.receipt.merkle import leaf_entry, leaf_hash

SAID = Acknowledgement(
    leaf_hash(leaf_entry(b"{}")), bytes(range(32)), datetime(2026, 11, 24, 4, 0, 1, tzinfo=UTC)
)


class Holder:
    """A system with its certificate."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority.create(folder / "pki", "xinghe")
        issued = self.authority.issue("tax", Role.SYSTEM, "counter-1")
        key = serialization.load_pem_private_key(issued.key_pem, None)
        assert isinstance(key, cose.PrivateKey)
        self.key = key
        self.certificate = x509.load_pem_x509_certificate(issued.cert_pem)

    def signed(self, payload: bytes, content_type: str = CONTENT_TYPE) -> bytes:
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        return cose.sign1(payload, content_type, self.key, [der])


@pytest.fixture(scope="module")
def holder(tmp_path_factory: pytest.TempPathFactory) -> Holder:
    return Holder(tmp_path_factory.mktemp("holder"))


def test_what_was_signed_is_read(holder: Holder) -> None:
    """Leaf, digest, whole seconds, and who: nothing more is in it."""
    message = sign(SAID, holder.key, holder.certificate)
    found = read(message)
    assert (found.said, found.message) == (SAID, message)
    assert found.credential.identity.uri == "spiffe://xinghe/department/tax/system/counter-1"
    found.check_issued(holder.authority.certificate, datetime.now(UTC))
    (_, _, payload, _) = cbor2.loads(message).value
    assert cbor2.loads(payload) == {"leaf": SAID.leaf, "digest": SAID.digest, "received": 1795492801}
    assert len(message) < MAX_BYTES / 8


def test_another_implementation_verifies_it(holder: Holder) -> None:
    """With nothing of ours but the message: the key is in the certificate that it carries."""
    theirs = pytest.importorskip("scitt_cose.cose_sign1")
    message = sign(SAID, holder.key, holder.certificate)
    protected, _, _, _ = cbor2.loads(message).value
    certificate = x509.load_der_x509_certificate(cbor2.loads(protected)[33])
    pem = certificate.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    found = theirs.verify_sign1(message, public_key_pem=pem)
    assert cbor2.loads(found.payload)["digest"] == SAID.digest
    with pytest.raises(theirs.CoseError):
        theirs.verify_sign1(message[:-1] + bytes([message[-1] ^ 1]), public_key_pem=pem)


def test_another_authoritys_certificate_is_not_believed(holder: Holder, tmp_path: Path) -> None:
    """The signature holds, and proves nothing; nor does a certificate outside its dates."""
    found = read(sign(SAID, holder.key, holder.certificate))
    stranger = Authority.create(tmp_path / "pki", "xinghe")
    for ca, at in (
        (stranger.certificate, datetime.now(UTC)),
        (holder.authority.certificate, datetime.now(UTC) + timedelta(days=4000)),
    ):
        with pytest.raises(VerificationFailed):
            found.check_issued(ca, at)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # of a certificate that was changed
@given(st.data())
def test_any_changed_byte_is_refused(holder: Holder, data: st.DataObject) -> None:
    """One bit flipped, a byte put in, left out or added: of the whole message, wherever it is."""
    message = sign(SAID, holder.key, holder.certificate)
    place = data.draw(st.integers(0, len(message) - 1))
    changed = data.draw(
        st.one_of(
            st.integers(1, 255).map(
                lambda flip: message[:place] + bytes([message[place] ^ flip]) + message[place + 1 :]
            ),
            st.binary(min_size=1, max_size=3).map(lambda more: message[:place] + more + message[place:]),
            st.integers(1, 9).map(lambda less: message[:place] + message[place + less :]),
            st.binary(min_size=1, max_size=9).map(lambda more: message + more),
        ).filter(lambda changed: changed != message)
    )
    with pytest.raises(VerificationFailed):
        read(changed)


@pytest.mark.parametrize(
    "payload",
    [
        {"leaf": SAID.leaf, "digest": SAID.digest},
        {"leaf": SAID.leaf, "digest": SAID.digest, "received": 1, "more": 1},
        {"leaf": SAID.leaf[1:], "digest": SAID.digest, "received": 1},
        {"leaf": SAID.leaf, "digest": SAID.digest.hex(), "received": 1},
        {"leaf": SAID.leaf, "digest": SAID.digest, "received": -1},
        {"leaf": SAID.leaf, "digest": SAID.digest, "received": 2**62},
        {"leaf": SAID.leaf, "digest": SAID.digest, "received": True},
        [],
    ],
)
def test_other_content_is_refused_though_it_is_signed(holder: Holder, payload: object) -> None:
    """Exactly three members of their kinds and sizes."""
    with pytest.raises(VerificationFailed):
        read(holder.signed(cbor2.dumps(payload, canonical=True)))


def test_what_was_signed_for_something_else_is_refused(holder: Holder) -> None:
    """An application's signature cannot pass as an acknowledgement, nor one that is too long."""
    good = cose.parse(sign(SAID, holder.key, holder.certificate), MAX_BYTES).payload
    with pytest.raises(VerificationFailed, match="content type"):
        read(holder.signed(good, "application/vnd.sharebroker.application+cbor"))
    with pytest.raises(VerificationFailed, match="too long"):
        read(holder.signed(bytes(MAX_BYTES)))
