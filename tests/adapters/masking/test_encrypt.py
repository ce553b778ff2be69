"""Deterministic encryption: the standard's own vector, the way back, and nobody else's."""

from __future__ import annotations

import pyarrow as pa
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.encrypt import Encrypt, EncryptParams

from .conftest import Keys

NAMES = ["甲", "欧阳某某", "Name", ""]


def test_the_cipher_is_rfc_5297s() -> None:
    """The vector of RFC 5297 A.1, through the implementation that the operator uses."""
    key = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    header = bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")
    plain = bytes.fromhex("112233445566778899aabbccddee")
    cipher = "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"
    assert AESSIV(key).encrypt(plain, [header]).hex() == cipher


@given(st.lists(st.none() | st.text(max_size=30), max_size=20))
def test_every_text_turns_back(texts) -> None:
    """Any text in any script, the empty one too; equal texts match, others do not; null stays null."""
    mask, back = (how(EncryptParams(), Keys()) for how in (Encrypt().bind, Encrypt().unbind))
    encrypted = mask(pa.array(texts, pa.string()))
    assert back(encrypted).to_pylist() == texts
    assert len(set(encrypted.to_pylist())) == len(set(texts))


def test_only_under_its_own_keys() -> None:
    """Under another consumer's keys, damaged, or never encrypted: null, and no error that tells which."""
    mask, theirs = (
        Encrypt().bind(EncryptParams(), Keys("fund")),
        Encrypt().unbind(EncryptParams(), Keys("tax")),
    )
    back = Encrypt().unbind(EncryptParams(), Keys("fund"))
    encrypted = mask(pa.array(NAMES))
    assert theirs(encrypted).null_count == len(NAMES)
    damaged = [text[:-2] + ("A" if text[-2] != "A" else "B") + text[-1] for text in encrypted.to_pylist()]
    assert back(pa.array([*damaged, "not base64!", "é", "AAAA", ""])).null_count == len(NAMES) + 4
