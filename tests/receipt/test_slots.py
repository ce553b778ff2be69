"""The file of two slots: what is written is there, and what was there before is, too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.receipt.slots import SLOT_BYTES, Slots, read_slots

TEXTS = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=500).map(
    lambda text: f"{text}\n"
)


@given(st.lists(st.tuples(st.integers(0, 1), TEXTS), max_size=6))
def test_each_slot_holds_what_was_last_written_there(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[int, str]]
) -> None:
    """Also for another program that opens the file, and the file never changes its size."""
    path = tmp_path_factory.mktemp("slots") / "state"
    slots = Slots(path, read_slots(path))
    expected = ["", ""]
    for slot, text in writes:
        slots.write(slot, text)
        expected[slot] = text
        assert read_slots(path) == expected
        assert path.stat().st_size == 2 * SLOT_BYTES
    slots.close()
    Slots(path, read_slots(path)).close()
    assert read_slots(path) == expected


def test_what_others_left_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their flush may have failed: what was read is then in memory alone, and only a new write is flushed."""
    path = tmp_path / "state"
    Slots(path, ["one\n"]).close()
    acts: list[object] = []
    pwrite, fdatasync = os.pwrite, os.fdatasync
    monkeypatch.setattr("os.pwrite", lambda *args: acts.append(args[1:]) or pwrite(*args))
    monkeypatch.setattr("os.fdatasync", lambda file: acts.append("flush") or fdatasync(file))
    Slots(path, read_slots(path)).close()
    assert acts == [(path.read_bytes(), 0), "flush"]


def test_a_file_with_one_text_becomes_slots(tmp_path: Path) -> None:
    """The text is in the first, for its owner's eyes only."""
    path = tmp_path / "state"
    assert read_slots(path) == []
    path.write_text("what somebody put there\n")
    Slots(path, read_slots(path)).close()
    assert read_slots(path) == ["what somebody put there\n", ""]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_text_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """Nothing of it is written, and nothing of the other slot is lost."""
    path = tmp_path / "state"
    slots = Slots(path, [])
    slots.write(0, "short\n")
    with pytest.raises(ValueError, match="longer than a slot"):
        slots.write(1, "x" * SLOT_BYTES + "\n")
    slots.close()
    assert read_slots(path) == ["short\n", ""]
    with pytest.raises(ValueError, match="longer than a slot"):
        Slots(tmp_path / "new", ["x" * SLOT_BYTES + "\n"])
