"""Deterministic encryption: the standard's own vector, the way back, and nobody else's."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pyarrow as pa
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.encrypt import KEY_LABEL, Encrypt, EncryptParams

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


def damaged_of(texts: list[str]) -> list[str]:
    """Some of them changed in one character."""
    return [
        text if number % 3 else text[:5] + ("A" if text[5] != "A" else "B") + text[6:]
        for number, text in enumerate(texts)
    ]


@given(st.lists(st.none() | st.text(max_size=90), max_size=8), st.text(max_size=8))
def test_a_column_equals_each_alone(texts, odd) -> None:
    """Texts of any lengths that differ or repeat, nulls among them, there and back; odd and damaged too."""
    mask, back = (how(EncryptParams(), Keys()) for how in (Encrypt().bind, Encrypt().unbind))
    differ = [None if text is None else text + str(number) for text in texts for number in range(40)]
    for column in (differ, texts * 40):
        encrypted = mask(pa.array(column, pa.string()))
        assert encrypted.to_pylist() == mask.of_values(column)
        assert back(encrypted).to_pylist() == column
    damaged = damaged_of([text for text in mask.of_values(differ) if text is not None])
    for column in (damaged, [*damaged, odd], [odd + text for text in damaged], ["A" * 22, "A" * 24] * 40):
        assert back(pa.array(column, pa.string())).to_pylist() == back.of_values(column)


def test_what_is_genuine_but_no_text_becomes_null() -> None:
    """Whoever has the key may encrypt bytes that are no UTF-8: null, alone and in a column, and no error."""
    back = Encrypt().unbind(EncryptParams(), Keys())
    siv = AESSIV(Keys().derive(KEY_LABEL, 64))
    sealed = [siv.encrypt(b"\0" + bytes([0x80 + n]), None) for n in range(40)]
    sealed += [siv.encrypt(b"\0a", None)]
    column = [urlsafe_b64encode(each).rstrip(b"=").decode() for each in sealed]
    assert back(pa.array(column)).to_pylist() == back.of_values(column) == [None] * 40 + ["a"]


def test_nothing_of_what_is_not_genuine_is_in_the_buffers(ipc_bytes) -> None:
    """The texts of damaged rows of a column are in no byte that travels."""
    mask, back = (how(EncryptParams(), Keys()) for how in (Encrypt().bind, Encrypt().unbind))
    written = mask(pa.array([f"secret{n:04}" for n in range(60)])).to_pylist()
    turned = back(pa.array(damaged_of(written)))
    assert turned.null_count == 20
    assert b"secret0000" not in ipc_bytes(turned)
    assert b"secret0001" in ipc_bytes(turned)
