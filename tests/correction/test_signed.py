"""What a provider's officer signs: read as it was signed, or refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from broker.correction.signed import MOST_DIGITS, Answer, read, read_unissued, sign
from broker.errors import VerificationFailed
from broker.keys.authority import Authority
from broker.model import Role, Settlement

LEAF = bytes(range(32))


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Signs as an officer, or somebody else, and gives the message; with the root and the time."""
    folder: Path = tmp_path_factory.mktemp("pki")
    authority = Authority.create(folder, "xinghe")

    def by(said: Answer, role: Role = Role.OFFICER) -> bytes:
        issued = authority.issue("tax", role, "li")
        key: Any = serialization.load_pem_private_key(issued.key_pem, None)
        return sign(said, key, x509.load_pem_x509_certificate(issued.cert_pem))

    return by, authority.certificate


def answer(**other: Any) -> Answer:
    now = datetime.now(UTC).replace(microsecond=0)
    said = Answer(LEAF, Settlement.CORRECTED, now, "已与底册核对", right_from=now)
    return replace(said, **other)


def test_each_settlement_says_what_it_needs(signer: Any) -> None:
    """Read as it was signed; with something missing or something more, refused."""
    by, ca = signer
    good = [
        answer(),
        answer(wrong_from=datetime(2026, 1, 1, tzinfo=UTC)),
        answer(settlement=Settlement.CONFIRMED, right_from=None),
        answer(settlement=Settlement.REFERRED, right_from=None, referred_to="省公安厅"),
    ]
    for said in good:
        message = by(said)
        assert read(message, ca).said == said
        assert read_unissued(message).said == said
    bad = [
        answer(right_from=None),
        answer(settlement=Settlement.CONFIRMED),
        answer(settlement=Settlement.REFERRED, right_from=None),
        answer(referred_to="省公安厅"),
        answer(wrong_from=datetime.now(UTC) + timedelta(days=1)),
        answer(grounds=" "),
        answer(grounds="字" * 501),
        answer(grounds="一\n二"),
    ]
    for said in bad:
        with pytest.raises(VerificationFailed):
            read(by(said), ca)


def test_only_an_officer_of_the_city_signs(signer: Any, tmp_path: Path) -> None:
    """No system, no auditor, and nobody by another authority."""
    by, ca = signer
    for role in (Role.SYSTEM, Role.AUDITOR):
        with pytest.raises(VerificationFailed):
            read(by(answer(), role), ca)
    with pytest.raises(VerificationFailed):
        read(by(answer()), Authority.create(tmp_path, "xinghe").certificate)


def test_right_from_is_the_next_whole_second(signer: Any) -> None:
    """What went out within the second in which the source was put right may be wrong."""
    by, ca = signer
    said = answer(right_from=datetime(2026, 11, 23, 4, 0, 0, 1, tzinfo=UTC))
    assert read(by(said), ca).said.right_from == datetime(2026, 11, 23, 4, 0, 1, tzinfo=UTC)


@given(
    st.text("年月日 -", max_size=20),
    st.integers(MOST_DIGITS + 1, 18),
    st.sampled_from(["1", "９", "٣"]),
    st.text("年月日 -", max_size=20),
)
def test_long_rows_of_digits_are_refused(signer: Any, before: str, many: int, digit: str, after: str) -> None:
    """Identifiers and telephone numbers, in whatever script; dates pass."""
    by, ca = signer
    said = answer(grounds=f"核 {before}{digit * many}{after}")
    with pytest.raises(VerificationFailed):
        read(by(said), ca)


def test_dates_are_no_identifiers(signer: Any) -> None:
    """An officer may say when."""
    by, ca = signer
    assert read(by(answer(grounds="于 20261123 更正")), ca)
