"""What is held of a person: sealed, opened again, and gone with the person's key."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.correction.held import Content, seal, unseal
from broker.errors import Unavailable
from broker.keys.keyring import Keyring
from broker.keys.wrapping import AesKeyWrapper
from broker.marks import NO_VAULT, Marks
from broker.model import SubjectMark
from broker.vault.opening import create_vault, open_vault

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
KEYRING = Keyring.new(NOW)
ANNA = "990101189901010015"
CONTENT = Content(ANNA, {"relation": "qzxcanary"}, "户口簿所载不同")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(TEXT, st.dictionaries(TEXT, TEXT, max_size=3), TEXT)
def test_what_is_sealed_opens_under_its_digest_alone(
    subject: str, claimed: dict[str, str], grounds: str
) -> None:
    """Whatever is said; twice the same gives another digest and other bytes; nothing of it can be read."""
    content = Content(subject, claimed, grounds)
    held, digest = seal(content, KEYRING, NO_VAULT)
    again, other = seal(content, KEYRING, NO_VAULT)
    assert unseal(held, digest, KEYRING, NO_VAULT) == content
    assert digest != other
    assert held != again
    with pytest.raises(Unavailable):
        unseal(held, other, KEYRING, NO_VAULT)
    with pytest.raises(Unavailable):
        unseal(held, digest, Keyring.new(NOW), NO_VAULT)


def test_nothing_held_is_nothing_said_and_nobody_prints_it() -> None:
    """Erased is None; and what is held shows in no representation, which a log might print."""
    assert unseal(b"", bytes(32), KEYRING, NO_VAULT) is None
    assert ANNA not in repr(CONTENT)
    assert "qzxcanary" not in repr(CONTENT)


def test_whoever_is_forgotten_is_forgotten_here(tmp_path: Path) -> None:
    """Without the person's key nobody opens it, nor under the key of one who came anew."""
    url, wrapper = f"sqlite:///{tmp_path}/vault.db", AesKeyWrapper(bytes(range(32)))
    create_vault(url, wrapper, NOW)
    with closing(open_vault(url, wrapper)) as vault:
        marks = Marks(vault)

        def write(found: object) -> bytes:
            return b"statement"

        stranger, its = seal(CONTENT, KEYRING, marks)
        assert unseal(stranger, its, KEYRING, marks) == CONTENT  # unknown to the vault: under the keyring
        vault.issue([ANNA], "request", NOW, write)
        held, digest = seal(CONTENT, KEYRING, marks)
        assert unseal(held, digest, KEYRING, marks) == CONTENT
        assert unseal(held, digest, KEYRING, NO_VAULT) is None
        name = vault.name(ANNA)
        assert name is not None
        vault.obey({name}, 1)
        assert unseal(held, digest, KEYRING, marks) is None
        vault.issue([ANNA], "another", NOW, write)
        assert unseal(held, digest, KEYRING, marks) is None


def test_a_mark_tells_nothing_of_what_is_held() -> None:
    """The keys of tags, numbers and held content are apart."""
    tag = KEYRING.subject_tag(ANNA, "request")
    assert SubjectMark(tag).number == b""
    assert KEYRING.held_key[:16] != tag
