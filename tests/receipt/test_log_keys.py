"""Tests of the log's keys over time: who may sign which tree, and what leads from one key to another."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import VerificationFailed
from broker.receipt.log_keys import LogKeys, Succession, parse_succession
from broker.receipt.note import Checkpoint, NotSigned, VerifierKey, sign_note

NAME = "xinghe.example/receipts"
PRIVATE = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(4)]
KEYS = [VerifierKey.of(NAME, private) for private in PRIVATE]
UNTIL = datetime(2026, 12, 24, tzinfo=UTC)
ROOT = bytes(32)

FIRST = Succession(KEYS[0], 10, KEYS[1], 11, UNTIL)
SECOND = Succession(KEYS[1], 15, KEYS[2], 21, UNTIL)
NOTES = (FIRST.signed(PRIVATE[0], PRIVATE[1]), SECOND.signed(PRIVATE[1], PRIVATE[2]))
CHAIN = LogKeys(KEYS[0], NOTES)


def head(size: int, *by: int, name: str = NAME) -> str:
    """A checkpoint of that size, signed by the keys of these numbers."""
    return sign_note(Checkpoint(NAME, size, ROOT).text(), name, *(PRIVATE[n] for n in by))


def test_a_single_key_verifies_trees_of_every_size() -> None:
    """Who knows of no succession verifies as before."""
    alone = LogKeys.of(KEYS[0])
    assert alone == LogKeys(KEYS[0])
    assert alone.newest == KEYS[0]
    assert [alone.checkpoint(head(size, 0)).size for size in (0, 1, 10**18)] == [0, 1, 10**18]
    with pytest.raises(NotSigned):
        alone.checkpoint(head(5, 1))


@pytest.mark.parametrize(
    ("size", "key"), [(0, 0), (10, 0), (11, 1), (15, 1), (16, None), (20, None), (21, 2)]
)
def test_each_tree_has_one_key(size: int, key: int | None) -> None:
    """Below and at its bound a key is believed, above it is not; in the gap that a theft leaves, none is."""
    assert CHAIN.at(size) == (None if key is None else KEYS[key])
    for number in range(3):
        if number == key:
            assert CHAIN.checkpoint(head(size, number)).size == size
        else:
            with pytest.raises(VerificationFailed, match="not believed about a log of this size"):
                CHAIN.checkpoint(head(size, number))
        assert CHAIN.recognised(head(size, number)).size == size


def test_an_old_key_that_signs_along_does_not_help_nor_hurt() -> None:
    """Both signatures stand under a head of the time after a rotation, in either order."""
    for by in ((0, 1), (1, 0), (3, 1, 0)):
        assert CHAIN.checkpoint(head(12, *by)).size == 12
        assert LogKeys(KEYS[0]).checkpoint(head(12, *by)).size == 12
    forged = head(12, 1) + head(13, 0).rpartition("\n\n")[2]
    with pytest.raises(VerificationFailed, match="does not verify"):
        CHAIN.checkpoint(forged)


@pytest.mark.parametrize("known", [0, 1, 2])
def test_any_key_of_the_chain_leads_to_all(known: int) -> None:
    """Earlier and later keys are told from the one that the verifier was given."""
    learnt = LogKeys(KEYS[known]).extended(NOTES)
    assert learnt == CHAIN
    assert learnt.keys == tuple(KEYS[:3])
    assert (learnt.newest, learnt.last_leaf) == (KEYS[2], 20)
    assert CHAIN.extended(NOTES) == CHAIN.extended(NOTES[:1]) == CHAIN.extended(()) == CHAIN


def test_a_chain_that_leads_elsewhere_is_refused() -> None:
    """No history makes a key trusted that the given one has not led to, or takes back what is known."""
    stranger = LogKeys(KEYS[3])
    rival = Succession(KEYS[0], 10, KEYS[3], 11, UNTIL).signed(PRIVATE[0], PRIVATE[3])
    for trust, notes in (
        (stranger, NOTES),
        (stranger, NOTES[:1]),
        (CHAIN, (rival,)),
        (LogKeys(KEYS[2]), NOTES[:1]),
    ):
        with pytest.raises(VerificationFailed, match="does not lead to the trusted key"):
            trust.extended(notes)


@pytest.mark.parametrize("notes", [NOTES[::-1], (NOTES[0], NOTES[0]), (NOTES[1],)])
def test_successions_out_of_order_make_no_chain(notes: tuple[str, ...]) -> None:
    """Each follows the one before."""
    with pytest.raises(VerificationFailed, match="form no chain"):
        LogKeys(KEYS[0], notes)


@pytest.mark.parametrize("second", [(9, 21), (10, 11), (4, 5)])
def test_a_key_cannot_be_taken_back_beyond_its_own_begin(second: tuple[int, int]) -> None:
    """A succession says nothing about trees of keys before the one that it ends."""
    until, since = second
    after = Succession(KEYS[1], until, KEYS[2], since, UNTIL).signed(PRIVATE[1], PRIVATE[2])
    with pytest.raises(VerificationFailed, match="form no chain"):
        LogKeys(KEYS[0], (NOTES[0], after))


def test_a_key_never_comes_back() -> None:
    """A chain that returns to a key would give it two ranges, one of them open."""
    back = Succession(KEYS[1], 20, KEYS[0], 21, UNTIL).signed(PRIVATE[1], PRIVATE[0])
    with pytest.raises(VerificationFailed, match="form no chain"):
        LogKeys(KEYS[0], (NOTES[0], back))


def test_a_succession_needs_both_signatures() -> None:
    """Neither the old key alone can name a key that nobody holds, nor the new one put itself in place."""
    text = FIRST.text()
    for by in ((0,), (1,), (0, 3), (3,)):
        with pytest.raises(VerificationFailed):
            parse_succession(sign_note(text, NAME, *(PRIVATE[n] for n in by)))
    assert parse_succession(sign_note(text, NAME, PRIVATE[1], PRIVATE[0])) == FIRST
    with pytest.raises(ValueError, match="by the keys that it names"):
        FIRST.signed(PRIVATE[0], PRIVATE[2])


@given(st.data())
def test_any_altered_byte_of_a_succession_fails(data: st.DataObject) -> None:
    """Sizes, keys and time are all signed, and have one spelling."""
    note = bytearray(NOTES[0].encode())
    at, value = data.draw(st.integers(0, len(note) - 1)), data.draw(st.integers(0, 255))
    if note[at] == value:
        return
    note[at] = value
    with pytest.raises(VerificationFailed):
        parse_succession(note.decode("utf-8", "surrogateescape"))


def test_a_checkpoint_is_no_succession_and_the_other_way_round() -> None:
    """What the key signs for one purpose is never taken for the other."""
    with pytest.raises(VerificationFailed):
        parse_succession(head(5, 0, 1))
    with pytest.raises(VerificationFailed, match="malformed"):
        CHAIN.recognised(NOTES[0])


@pytest.mark.parametrize(
    "wrong",
    [{"new": KEYS[0]}, {"until": 11}, {"until": -1}, {"new": VerifierKey("other.example/log", bytes(32))}],
)
def test_impossible_successions_are_refused(wrong: dict[str, object]) -> None:
    """A key follows another of the same log, at a larger size."""
    with pytest.raises(ValueError, match=r"succeeded|signs smaller"):
        replace(FIRST, **wrong)
