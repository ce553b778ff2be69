"""Tokens turned back under the right key and under others, beside what chance gives."""

from itertools import count

import numpy as np
import pyarrow as pa
import pytest

from adapters.masking.encrypt import Encrypt, EncryptParams
from adapters.masking.keys import FieldKeys
from adapters.masking.token import Token, TokenParams
from broker.formats import resident_id_check_characters
from broker.model import FieldType
from broker.releases import Masked
from broker.trace.chance import LIKELY, SURE
from broker.trace.contexts import Context, Key
from broker.trace.reverse import turned_back

NUMBERS = count()


def context(operator, params, format_=None):
    """Another key each time, of a field of that format."""
    key = Key("public_security", "tax", "check", "id", 1, operator.name, operator.version, "")
    masked = Masked(operator, params, "id", FieldType.TEXT, format_, True)
    return Context(key, masked, FieldKeys(1, bytes([next(NUMBERS)]) * 32), {("household", "id"): masked})


def people(number, first=1940, end=2020):
    """So many resident ids of the unassigned region, sound, of people born in these years."""
    chance = np.random.default_rng(7)
    born = chance.integers(first, end, number) * 10000 + chance.integers(1, 13, number) * 100
    born += chance.integers(1, 29, number)
    bodies = [f"990101{day}{place % 1000:03}" for place, day in enumerate(born.tolist())]
    digits = np.array([list(map(int, body)) for body in bodies], np.uint8)
    checks = resident_id_check_characters(digits).tobytes().decode()
    return pa.array(body + check for body, check in zip(bodies, checks, strict=True))


RESIDENT = Token(), TokenParams(profile="resident_id"), "resident_id"


def test_tokens_of_a_key_are_found_among_many_others():
    """Fifty of them among thousands of another key's: certain, and whom they stand for comes with it."""
    ours, theirs, known = context(*RESIDENT), context(*RESIDENT), people(5_000)
    mine = ours.masked.bind(ours.keys)(known[:50])
    others = theirs.masked.bind(theirs.keys)(known)
    hits = turned_back(ours, pa.concat_arrays([others, mine]))
    assert hits.chance < SURE
    assert hits.tried == 5_050
    assert set(known[:50].to_pylist()) <= set(hits.values.to_pylist())
    assert len(hits.tokens) < 50 + 3 * hits.expected


def test_the_dead_are_found_too():
    """A register holds whoever ever had an id: also those born before 1900."""
    ours, known = context(*RESIDENT), people(30, 1870, 1900)
    hits = turned_back(ours, ours.masked.bind(ours.keys)(known))
    assert hits.chance < SURE
    assert sorted(hits.values.to_pylist()) == sorted(known.to_pylist())


def test_tokens_of_other_keys_say_nothing():
    """As many fit as chance gives, whichever key is tried."""
    theirs, known = context(*RESIDENT), people(3_000)
    others = theirs.masked.bind(theirs.keys)(known)
    for _ in range(20):
        assert turned_back(context(*RESIDENT), others).chance > LIKELY


@pytest.mark.parametrize("words", [[], ["2026-11-23", "housing", "123456"]])
def test_words_of_another_form_are_not_tried(words):
    """Nothing is tried, nothing found."""
    hits = turned_back(context(*RESIDENT), pa.array(words, pa.string()))
    assert (hits.tried, len(hits.tokens), hits.chance) == (0, 0, 1.0)


def test_a_form_that_fits_anything_says_nothing():
    """Under every key any digits are a token of the profile that takes any."""
    digits = context(Token(), TokenParams(profile="digits"))
    tokens = digits.masked.bind(digits.keys)(pa.array([f"{number:08}" for number in range(500)]))
    hits = turned_back(digits, tokens)
    assert len(hits.tokens) == 500
    assert hits.chance == 1.0


def test_one_encrypted_name_is_proof():
    """Among any number of words, for the form itself proves the key."""
    ours = context(Encrypt(), EncryptParams())
    mine = ours.masked.bind(ours.keys)(pa.array(["张三"]))
    words = pa.concat_arrays([pa.array([f"word-{number:030}" for number in range(2_000)]), mine])
    hits = turned_back(ours, words)
    assert (hits.values.to_pylist(), hits.chance < SURE) == (["张三"], True)
    assert turned_back(context(Encrypt(), EncryptParams()), words).chance == 1.0
