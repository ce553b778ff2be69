"""What the signer remembers and what it refuses to sign."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import SetUpError, VerificationFailed
from broker.receipt.memory import SignerMemory, remembered
from broker.receipt.note import parse_checkpoint, verify_note
from broker.receipt.tiles import Tree

ORIGIN = "xinghe.example/log"
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
STEPS = ((1, 0), (3, 1), (5, 3))
"""Sizes signed, each after the one that it extends."""


def tree_of(size: int, label: str = "") -> Tree:
    leaves = [sha256(f"{label}{n}".encode()).digest() for n in range(size)]
    return Tree(0, lambda level, index: b"").append(leaves)[0]


def proof(size: int, first_size: int) -> tuple[bytes, ...]:
    return tree_of(size).consistency_proof(first_size) if first_size else ()


def offer(memory: SignerMemory, tree: Tree, first_size: int) -> int:
    """Size of the newest signed head after offering ``tree``."""
    proof = tree.consistency_proof(first_size) if 0 < first_size <= tree.size else ()
    note = memory.extend(tree.size, tree.root(), first_size, proof)
    return parse_checkpoint(verify_note(note, memory.verifier_key)).size


@pytest.fixture
def memory(tmp_path: Path) -> SignerMemory:
    return SignerMemory(tmp_path / "state", lambda: [KEY], ORIGIN)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_consistent_extensions_are_signed_and_smaller_heads_are_not(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int]
) -> None:
    """Whatever is offered, the newest head never shrinks, and an honest log is never refused."""
    memory = SignerMemory(tmp_path_factory.mktemp("signer") / "state", lambda: [KEY], ORIGIN)
    newest = 0
    for size in steps:
        newest = max(newest, offer(memory, tree_of(size), newest) if newest <= size else newest)
        assert offer(memory, tree_of(min(size, newest)), newest) == newest
    assert newest == max(steps)


def test_memory_is_on_disk_before_the_answer_and_survives_a_restart(tmp_path: Path) -> None:
    """The state file holds what was answered, for its owner's eyes only; a new signer goes on from it."""
    state = tmp_path / "state"
    memory = SignerMemory(state, lambda: [KEY], ORIGIN)
    offer(memory, tree_of(5), 0)
    assert remembered(state, memory.verifier_key) == memory.note
    assert state.stat().st_mode & 0o777 == 0o600
    memory.close()
    again = SignerMemory(state, lambda: [KEY], ORIGIN)
    assert again.note == memory.note
    assert offer(again, tree_of(9), 5) == 9


@pytest.mark.parametrize(("size", "first_size"), [(5, 5), (8, 5)], ids=["same size", "larger"])
def test_a_fork_stops_the_signer_until_it_is_restarted(
    memory: SignerMemory, size: int, first_size: int
) -> None:
    """After another history was offered, even honest extensions are refused."""
    offer(memory, tree_of(5), 0)
    with pytest.raises(VerificationFailed):
        offer(memory, tree_of(size, "forged"), first_size)
    with pytest.raises(VerificationFailed, match="had forked"):
        offer(memory, tree_of(6), 5)


def test_a_proof_from_elsewhere_signs_nothing_and_tells_where_the_log_is(memory: SignerMemory) -> None:
    """A worker that is behind learns the newest head, which is not a fork."""
    offer(memory, tree_of(5), 0)
    assert offer(memory, tree_of(9), 3) == 5
    assert offer(memory, tree_of(9), 0) == 5
    assert offer(memory, tree_of(3), 5) == 5
    assert offer(memory, tree_of(9), 5) == 9


def test_a_state_that_cannot_be_written_gives_no_signature(memory: SignerMemory) -> None:
    """What might be forgotten is not signed."""
    offer(memory, tree_of(1), 0)
    before = memory.note
    memory._slots.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        offer(memory, tree_of(2), 1)
    assert memory.note == before


@given(st.integers(0, 400))
def test_a_signature_half_written_when_the_power_failed_was_never_given(
    tmp_path_factory: pytest.TempPathFactory, written: int
) -> None:
    """Whatever part of the newest note reached the disk, the signer goes on from a note that it did give."""
    state = tmp_path_factory.mktemp("signer") / "state"
    memory = SignerMemory(state, lambda: [KEY], ORIGIN)
    given_out = [
        memory.extend(size, tree_of(size).root(), first, proof(size, first)) for size, first in STEPS
    ]
    before = state.read_bytes()
    unseen = memory.extend(9, tree_of(9).root(), 5, proof(9, 5))
    memory.close()
    after = state.read_bytes()
    slot = before.index(given_out[-2].encode())  # the slot that is written next
    state.write_bytes(before[:slot] + after[slot : slot + written] + before[slot + written :])
    again = SignerMemory(state, lambda: [KEY], ORIGIN)
    assert again.note in (given_out[-1], unseen)
    assert again.note == remembered(state, again.verifier_key)
    again.close()


def test_a_published_checkpoint_takes_the_place_of_a_lost_state(tmp_path: Path) -> None:
    """As the instructions for a lost state say: the text alone, as consumers hold it."""
    state = tmp_path / "state"
    memory = SignerMemory(state, lambda: [KEY], ORIGIN)
    offer(memory, tree_of(5), 0)
    memory.close()
    state.write_text(memory.note)
    again = SignerMemory(state, lambda: [KEY], ORIGIN)
    assert again.note == memory.note
    assert offer(again, tree_of(9), 5) == 9
    again.close()
    assert parse_checkpoint(verify_note(remembered(state, again.verifier_key), again.verifier_key)).size == 9


@pytest.mark.parametrize("damage", ["other key", "other origin", "cut", "not text"])
def test_a_state_that_is_not_this_logs_is_refused(tmp_path: Path, damage: str) -> None:
    """A state file of another log, or a damaged one, must not pass for "never signed"."""
    state = tmp_path / "state"
    memory = SignerMemory(state, lambda: [KEY], ORIGIN)
    offer(memory, tree_of(5), 0)
    memory.close()
    if damage == "cut":
        state.write_text(memory.note[:-5])
    if damage == "not text":
        state.write_bytes(b"\xff\xfe")
    key = Ed25519PrivateKey.generate() if damage == "other key" else KEY
    with pytest.raises(SetUpError, match="not signed by this log's key"):
        SignerMemory(state, lambda: [key], "other.example" if damage == "other origin" else ORIGIN)


def test_two_signers_cannot_share_a_memory(memory: SignerMemory, tmp_path: Path) -> None:
    """Two would sign two histories."""
    with pytest.raises(SetUpError, match="in use by another signer"):
        SignerMemory(tmp_path / "state", lambda: [KEY], ORIGIN)


def test_an_origin_that_is_no_key_name_is_refused(tmp_path: Path) -> None:
    """The message names the setting."""
    with pytest.raises(SetUpError, match=r"\[log\] origin"):
        SignerMemory(tmp_path / "state", lambda: [KEY], "two words")
    with pytest.raises(SetUpError, match="longer than 1024"):
        SignerMemory(tmp_path / "state", lambda: [KEY], "x" * 1025)
