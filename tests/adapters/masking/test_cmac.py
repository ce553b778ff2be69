"""AES-CMAC: the vectors of RFC 4493, and the vectorised form against the plain one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers import algorithms
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.masking.arrays import TextBytes
from adapters.masking.cmac import _subkeys, cmac, cmac_many, cmac_of_one_width

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
MESSAGE = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
VECTORS = {
    0: "bb1d6929e95937287fa37d129b756746",
    16: "070a16b46b4d4144f79bdd9dd04a287c",
    40: "dfa66747de9ae63030ca32611497c827",
    64: "51f0bebf7e3b9d92fc49741779363cfe",
}
"""RFC 4493 §4, examples 1 to 4: message length → tag."""


def layout(messages: list[bytes]) -> TextBytes:
    ends = np.cumsum([0, *map(len, messages)])
    return TextBytes(ends[:-1], np.diff(ends), np.frombuffer(b"".join(messages), np.uint8))


@pytest.mark.parametrize("length", VECTORS)
def test_rfc_4493_vectors(length) -> None:
    """Both forms give the tags printed in the RFC."""
    message = MESSAGE[:length]
    assert cmac(KEY, message).hex() == VECTORS[length]
    assert cmac_many(KEY, layout([message]), np.array([0])).tobytes().hex() == VECTORS[length]


def test_rfc_4493_subkeys() -> None:
    """K1 and K2 are those of RFC 4493 §4."""
    first, second = _subkeys(bytes.fromhex("7df76b0c1ab899b33e42f047b91b546f"))
    assert first.tobytes().hex() == "fbeed618357133667c85e08f7236a8de"
    assert second.tobytes().hex() == "f7ddac306ae266ccf90bc11ee46d513b"


@given(st.binary(min_size=16, max_size=16), st.lists(st.binary(max_size=70), max_size=20), st.data())
def test_a_column_equals_a_loop(key, messages, data) -> None:
    """Messages of any mixture of lengths, in any choice of rows, get the tags of a plain loop."""
    rows = data.draw(st.lists(st.sampled_from(range(len(messages))), max_size=20)) if messages else []
    tags = cmac_many(key, layout(messages), np.array(rows, np.int64))
    assert [tag.tobytes() for tag in tags] == [cmac(key, messages[row]) for row in rows]


@settings(max_examples=10)
@given(st.integers(1000, 1050), st.integers(0, 3))
def test_long_messages_go_one_by_one(length, offset) -> None:
    """Around the length where the vectorised form gives way, and at more rows than one pass takes."""
    messages = [b"x" * offset, b"y" * length, *[b"z%d" % i for i in range(20_000)]]
    tags = cmac_many(KEY, layout(messages), np.arange(len(messages)))
    for row in (0, 1, 2, 16_383, 16_384, 16_385, 20_001):
        assert tags[row].tobytes() == cmac(KEY, messages[row])


def test_layout_honours_offsets_and_empty_arrays() -> None:
    """Where a text lies is told from the slice's own start; an empty array has a layout too."""
    texts = pa.array(["ab", "", "c", None, "de"]).slice(1)
    found = TextBytes.of(texts)
    shown = [found.data[s : s + n].tobytes() for s, n in zip(found.starts, found.lengths, strict=True)]
    assert shown == [b"", b"c", b"", b"de"]
    for empty in (pa.array([], pa.string()), pa.array(["", None], pa.string()), pa.nulls(2, pa.string())):
        assert TextBytes.of(empty).lengths.tolist() == [0] * len(empty)


def test_another_cipher_of_that_block() -> None:
    """The block cipher is a seam: one value and a column give the same tags with SM4 as well."""
    messages = [b"", b"0123456789abcdef", b"x" * 40]
    tags = cmac_many(KEY, layout(messages), np.arange(3), algorithms.SM4)
    one_by_one = [cmac(KEY, message, algorithms.SM4) for message in messages]
    assert [tag.tobytes() for tag in tags] == one_by_one
    width = np.frombuffer(messages[2], np.uint8).reshape(1, -1)
    assert cmac_of_one_width(KEY, b"", width, algorithms.SM4)[0].tobytes() == one_by_one[2]
    assert one_by_one[2] != cmac(KEY, messages[2])
