"""Tokens: of the number's form, never a valid number, turned back by the key alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.check_characters import (
    DIGITS,
    RESIDENT_CHECKS,
    USCC_ALPHABET,
    columns_of,
    luhn_check,
    resident_check,
    uscc_check,
)
from adapters.masking.token import PROFILES, Token, TokenParams

from .conftest import Keys

IDS = ["990101189901010015", "990101189901010023", "99010118990101004X"]
USCCS = ["91990101MA0000007H", "11990101000000D11Y"]
CARDS = ["4539578763621486", "6222020200112230001"]
TOKEN = Token()


def both(profile: str, context: str = "x"):
    params, keys = TokenParams(profile=profile), Keys(context)
    return TOKEN.bind(params, keys), TOKEN.unbind(params, keys)


def columns(*texts: str, alphabet: str = DIGITS) -> list[np.ndarray]:
    return columns_of(np.array([[alphabet.index(c) for c in text] for text in texts], np.uint8))


def test_check_characters_are_the_standards() -> None:
    """Known numbers have the check character that their standard gives."""
    assert [RESIDENT_CHECKS[i] for i in resident_check(columns(*[n[:17] for n in IDS]))] == ["5", "3", "X"]
    assert not set("IOSVZ") & set(USCC_ALPHABET), "GB 32100 leaves out what looks like a digit"
    usccs = columns(*[n[:17] for n in USCCS], alphabet=USCC_ALPHABET)
    assert [USCC_ALPHABET[i] for i in uscc_check(usccs)] == ["H", "Y"]
    assert luhn_check(columns("453957876362148")).tolist() == [6]
    assert luhn_check(columns("7992739871")).tolist() == [3]  # the example of ISO/IEC 7812-1
    assert luhn_check([7, 9, 9, 2, 7, 3, 9, 8, 7, 1]) == 3
    assert RESIDENT_CHECKS[resident_check([int(digit) for digit in IDS[2][:17]])] == "X"
    assert USCC_ALPHABET[uscc_check([USCC_ALPHABET.index(c) for c in USCCS[1][:17]])] == "Y"


KNOWN = [
    ("resident_id", IDS),
    ("uscc", USCCS),
    ("mobile", ["13800000000", "19999999999"]),
    ("digits", ["000001"]),
]


@pytest.mark.parametrize(("profile", "numbers"), [*KNOWN, ("bank_card", CARDS[:1])])
@pytest.mark.parametrize("times", [1, 40])
def test_round_trip(profile: str, numbers: list[str], times: int) -> None:
    """A token has its number's length and alphabet, is another, is no number of its kind, and turns back."""
    mask, back = both(profile)
    given_ = pa.array(numbers * times)
    tokens = mask(given_)
    assert tokens.null_count == 0
    for number, token in zip(given_.to_pylist(), tokens.to_pylist(), strict=True):
        assert len(token) == len(number)
        assert token != number
        assert set(token) <= set(PROFILES[profile].alphabet + PROFILES[profile].checks)
    if profile != "digits":
        assert mask(tokens).null_count == len(tokens), "a token would pass for a number"
    assert back(tokens).to_pylist() == given_.to_pylist()


@given(st.lists(st.none() | st.text(max_size=20) | st.from_regex(r"\A[0-9]{6,20}\Z"), max_size=10))
def test_whatever_is_given_nothing_goes_through_in_the_clear(values) -> None:
    """What is no number of the kind becomes null, at any length and in any script; lengths stay in step."""
    for profile in PROFILES:
        mask, back = both(profile)
        given_ = pa.array(values, pa.string())
        tokens = mask(given_)
        assert len(tokens) == len(given_)
        assert mask(pa.array(values * 40, pa.string())).to_pylist() == tokens.to_pylist() * 40
        restored = back(tokens).to_pylist()
        for value, token, number in zip(values, tokens.to_pylist(), restored, strict=True):
            assert (token is None) == (number is None)
            assert token is None or number == value


def test_slices_dictionaries_and_views_are_as_plain_text() -> None:
    """However Arrow holds a column, its tokens are the same."""
    mask, _ = both("resident_id")
    plain = mask(pa.array(IDS * 20))
    padded = pa.array(["x", *IDS * 20, None])
    for held in (
        padded.slice(1, 60),
        pa.array(IDS * 20).dictionary_encode(),
        pa.array(IDS * 20, pa.large_string()),
        pa.array(IDS * 20, pa.string_view()),
    ):
        assert mask(held).equals(plain)


def test_no_byte_of_the_input_travels(ipc_bytes) -> None:
    """Neither a number nor what was refused stands in the bytes that leave."""
    mask, _ = both("resident_id")
    sent = ipc_bytes(mask(pa.array([*IDS, "not an id at all", None] * 20)))
    assert not any(text.encode() in sent for text in [*IDS, "not an id"])


def test_keys_and_profiles_are_apart() -> None:
    """Another context, or another profile of the same digits, gives unrelated tokens."""
    ours, theirs = both("resident_id", "fund"), both("resident_id", "tax")
    tokens = ours[0](pa.array(IDS))
    assert not set(tokens.to_pylist()) & set(theirs[0](pa.array(IDS)).to_pylist())
    assert theirs[1](tokens).to_pylist() != IDS
    card, body = pa.array(["4539578763621486"]), pa.array(["453957876362148"])
    assert both("bank_card")[0](card).to_pylist()[0][:15] != both("digits")[0](body).to_pylist()[0]


def test_what_is_needed_is_asked_for() -> None:
    """Without a key, with an unknown profile, on another type: an error when it is bound."""
    with pytest.raises(ValueError, match="needs a key"):
        TOKEN.bind(TokenParams(profile="mobile"), None)
    with pytest.raises(ValueError, match="profile"):
        TokenParams.model_validate({"profile": "passport"})
    with pytest.raises(TypeError, match="takes text"):
        TOKEN.result_type(pa.int64(), TokenParams(profile="mobile"))


NONE = [
    ("resident_id", "990101189901010016"),  # its check character
    ("resident_id", "990101189913010017"),  # its date
    ("resident_id", "090101189901010015"),  # its region
    ("resident_id", "99010118990101001a"),
    ("resident_id", "9901011899010l0015"),
    ("uscc", "91990101MA0000007Y"),
    ("uscc", "91990101MI0000007H"),  # I is not in the alphabet
    ("bank_card", "4539578763621487"),
    ("mobile", "12800138000"),
    ("mobile", "23800138000"),
    ("digits", "00000/"),
    ("digits", "00000:"),
]


@pytest.mark.parametrize(("profile", "text"), NONE)
@pytest.mark.parametrize("among", [[], ["13800138000"], ["990101189901010015", "4539578763621486"]])
def test_numbers_that_are_none(profile: str, text: str, among: list[str]) -> None:
    """A number with one mistake has no token, alone, in a column of its width, and among others."""
    mask, back = both(profile)
    assert mask(pa.array([text])).to_pylist() == [None]
    masked = mask(pa.array(among + [text] * 40)).to_pylist()
    assert masked[len(among) :] == [None] * 40
    if profile != "digits":
        number = dict(KNOWN).get(profile, CARDS)[0]
        assert back(pa.array([number] * 40)).null_count == 40, "a number is no token"


def luhn(digits: list[int]) -> int:
    """ISO/IEC 7812-1 annex B.1.1, digit by digit from the right."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        total += sum(map(int, str(digit * 2))) if place % 2 == 0 else digit
    return -total % 10


@given(st.lists(st.lists(st.integers(0, 30), min_size=17, max_size=17), min_size=30, max_size=30))
def test_check_characters_of_any_number(rows) -> None:
    """Every check character, 0 and the last among them, as its standard has it: one number and a column."""
    codes = np.array(rows, np.uint8)
    expected = [sum(place * pow(3, i, 31) for i, place in enumerate(row)) for row in rows]
    assert uscc_check(columns_of(codes)).tolist() == [-total % 31 for total in expected]
    assert [uscc_check(row) for row in rows] == [-total % 31 for total in expected]
    digits = codes % 10
    assert luhn_check(columns_of(digits)).tolist() == [luhn(row) for row in digits.tolist()]
    assert [luhn_check(row) for row in digits.tolist()] == [luhn(row) for row in digits.tolist()]
