"""Pseudonyms: deterministic within one key context, unrelated without, and equal to a plain AES-CMAC."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.pseudonym import KEY_LABEL, Pseudonym, PseudonymParams

IDS = ["990101189901010015", "990101189901010023", "99010118990101004X"]


class FixedKey:
    """A key context with one known key."""

    version = 1

    def derive(self, label: str, length: int) -> bytes:
        assert (label, length) == (KEY_LABEL, 16)
        return b"sixteen key byte"


def reference(tag: bytes, value: str) -> str:
    context = CMAC(algorithms.AES(b"sixteen key byte"))
    context.update(tag + value.encode())
    return context.finalize().hex()


@given(st.lists(st.none() | st.text(max_size=40), max_size=10))
def test_equals_a_plain_loop(values) -> None:
    """Few rows or many: each token is AES-CMAC over the type's tag and the UTF-8 text."""
    mask = Pseudonym().bind(PseudonymParams(), FixedKey())
    expected = [None if value is None else reference(b"T", value) for value in values]
    assert mask(pa.array(values, pa.string())).to_pylist() == expected
    assert mask(pa.array(values * 40, pa.string())).to_pylist() == expected * 40


@pytest.mark.parametrize("times", [1, 40])
def test_types_are_told_apart(times) -> None:
    """The text ``1``, the number 1 and a date have tokens of their own."""
    mask = Pseudonym().bind(PseudonymParams(), FixedKey())
    texts, numbers = pa.array(["1", "-7"] * times), pa.array([1, -7] * times)
    dates = pa.array([date(2001, 2, 3), None] * times)
    assert mask(texts).to_pylist() == [reference(b"T", "1"), reference(b"T", "-7")] * times
    assert mask(numbers).to_pylist() == [reference(b"I", "1"), reference(b"I", "-7")] * times
    assert mask(numbers.cast(pa.int16())).equals(mask(numbers))
    assert mask(dates).to_pylist() == [reference(b"D", "2001-02-03"), None] * times


def test_tokens_are_long_deterministic_and_bound_to_their_context(bind) -> None:
    """Sixteen bytes; equal for equal values of one context, unrelated for another consumer or purpose."""
    values = pa.array([*IDS, *IDS])
    ours, again = bind("pseudonym", "fund")(values).to_pylist(), bind("pseudonym", "fund")(values).to_pylist()
    theirs = bind("pseudonym", "tax")(values).to_pylist()
    assert ours == again
    assert ours[:3] == ours[3:]
    assert len(set(ours)) == 3
    assert not set(ours) & set(theirs)
    assert all(len(bytes.fromhex(token)) == 16 and token == token.lower() for token in ours)


def test_a_column_of_a_million_has_no_collision(bind) -> None:
    """A million ids give a million tokens, in one call."""
    values = pa.array([f"9901011899{number:08d}" for number in range(1_000_000)])
    assert len(bind("pseudonym")(values).unique()) == 1_000_000


def test_without_a_key_nothing_is_bound() -> None:
    """An unkeyed pseudonym would fall to brute force, so it does not exist."""
    with pytest.raises(ValueError, match="needs a key"):
        Pseudonym().bind(PseudonymParams(), None)


@pytest.mark.parametrize("width", [1, 14, 15, 16, 17, 31, 32, 47, 1023, 1024, 1025])
def test_one_width_equals_a_plain_loop(width: int) -> None:
    """A column of one width, around a block's edges and beyond what is laid out at once; nulls between."""
    mask = Pseudonym().bind(PseudonymParams(), FixedKey())
    values = [None if row % 7 == 3 else f"{row:x}".zfill(width)[-width:] for row in range(50)]
    expected = [None if value is None else reference(b"T", value) for value in values]
    assert mask(pa.array(values, pa.string())).to_pylist() == expected
    present = pa.array([value for value in values if value], pa.string()).slice(3, 36)
    assert mask(present).to_pylist() == [reference(b"T", value) for value in present.to_pylist()]


def test_one_width_across_chunks() -> None:
    """More rows than go at once, the last chunk short."""
    values = [f"{row:018d}" for row in range(40_000)]
    tokens = Pseudonym().bind(PseudonymParams(), FixedKey())(pa.array(values))
    for row in (0, 4095, 4096, 16_383, 16_384, 32_768, 39_999):
        assert tokens[row].as_py() == reference(b"T", values[row])
