"""One person's key: what it gives away, and to whom."""

import hmac
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from broker.vault.seals import Issued, SubjectKey, digest_of

KEY = bytes(range(32))
NUMBERS = st.integers(1, 2**63)
ISSUED = st.builds(
    Issued,
    NUMBERS,
    st.text(max_size=40),
    st.binary(min_size=32, max_size=32),
    st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
)


def test_tags_and_seals_are_what_the_documentation_says():
    """Whoever has the key can compute them without this program."""
    key = SubjectKey(KEY)
    assert key.tag("id") == hmac.digest(KEY, b"tag\0id", "sha256")[:16]
    sealed = key.seal(7, key.tag("id"))
    siv = AESSIV(hmac.digest(KEY, b"seal", "sha512"))
    assert siv.decrypt(sealed, [b"number", key.tag("id")]) == (7).to_bytes(8, "big")


@given(st.lists(st.text(min_size=1, max_size=40), unique=True, max_size=30))
def test_tags_of_two_requests_never_link(requests):
    """No two receipts of one person share a tag, and nobody else's key makes them."""
    key, (other, _) = SubjectKey(KEY), SubjectKey.new()
    tags = {key.tag(request) for request in requests}
    assert len(tags) == len(requests)
    assert not tags & {other.tag(request) for request in requests}


@given(NUMBERS, NUMBERS)
def test_a_number_opens_for_its_holder_beside_its_tag_only(number, other):
    """Neither another key nor another receipt's tag opens it, nor does a changed one."""
    key, (stranger, _) = SubjectKey(KEY), SubjectKey.new()
    tag = key.tag(f"request {number}")
    sealed = key.seal(number, tag)
    assert key.open(sealed, tag) == number
    assert (key.seal(other, tag) == sealed) == (number == other)
    for holder, bits, beside in (
        (stranger, sealed, tag),
        (key, sealed, key.tag("another")),
        (key, bytes([sealed[0] ^ 1]) + sealed[1:], tag),
        (key, b"", tag),
    ):
        with pytest.raises(ValueError, match="sealed under another key"):
            holder.open(bits, beside)


@given(ISSUED)
def test_what_the_vault_remembers_of_a_number_comes_back_whole(issued):
    """Request, statement and time; under its own number and key only."""
    key, (stranger, _) = SubjectKey(KEY), SubjectKey.new()
    sealed = key.seal_issued(issued)
    assert key.open_issued(issued.number, sealed) == issued
    for holder, number in ((stranger, issued.number), (key, issued.number + 1)):
        with pytest.raises(ValueError, match="sealed under another key"):
            holder.open_issued(number, sealed)


def test_a_key_shows_nothing_of_itself():
    """Not in a traceback, not in a log."""
    assert "00" not in repr(SubjectKey(KEY))
    with pytest.raises(ValueError, match="32 bytes"):
        SubjectKey(KEY[:31])
    assert len(digest_of(b"")) == 32
