"""What waits until the broker has taken it: in memory, in a folder, and not for ever."""

import os
from pathlib import Path

import pytest

from broker.client import acknowledging
from broker.client.acknowledging import Delivery, Outbox
from broker.errors import MalformedRequest, SetUpError, Unavailable
from broker.model import Receipt
from broker.reasons import Reason
from broker.receipt.merkle import leaf_entry, leaf_hash


def test_a_delivery_is_of_its_leaf_and_of_what_came():
    """Two of one receipt are the same whenever they came; it is wanted where policy does, or the caller."""
    receipt = Receipt(b"{}", 7, 8, (), "")
    first, second = (Delivery.of(receipt, b"d" * 32, hours) for hours in (0, 24))
    assert (first.leaf_index, first.leaf) == (7, leaf_hash(leaf_entry(b"{}")))
    assert first == Delivery.of(receipt, b"d" * 32)
    assert [one.wanted(None) for one in (first, second)] == [False, True]
    assert [one.wanted(said) for one in (first, second) for said in (True, False)] == [True, False] * 2


@pytest.mark.parametrize("kept", [False, True], ids=["memory", "folder"])
def test_it_waits_until_it_is_sent_or_refused(tmp_path, kept):
    """What may pass leaves it waiting; another Outbox finds in the folder what this one has not sent."""
    folder = tmp_path / "outbox" if kept else None
    outbox = Outbox(folder)
    for leaf_index in (3, 1, 2):
        outbox.add(leaf_index, b"message %d" % leaf_index)
    with pytest.raises(Unavailable), outbox.sending(3):
        raise Unavailable(Reason.BROKER_UNREACHABLE)
    with outbox.sending(1):
        pass
    with outbox.sending(2):
        raise MalformedRequest((), Reason.ACKNOWLEDGEMENT_INVALID)
    assert outbox.waiting() == [(3, b"message 3")]
    assert {leaf: why.reason for leaf, why in outbox.refused().items()} == {2: Reason.ACKNOWLEDGEMENT_INVALID}
    assert Outbox(folder).waiting() == ([(3, b"message 3")] if kept else [])


def test_the_oldest_gives_way(monkeypatch, tmp_path):
    """A program that never reaches its broker again does not fill memory and disk."""
    monkeypatch.setattr(acknowledging, "MOST", 2)
    outbox = Outbox(tmp_path)
    for leaf_index in (5, 6, 7):
        outbox.add(leaf_index, b"m")
    assert [leaf_index for leaf_index, _ in outbox.waiting()] == [6, 7]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["6.cose", "7.cose"]


def test_a_full_disk_costs_no_answer(monkeypatch, tmp_path):
    """The message waits in memory then; half a file is none, and other files are left alone."""
    outbox = Outbox(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    (tmp_path / "notes.cose").write_text("not ours")
    outbox.add(5, b"m")
    assert outbox.waiting() == [(5, b"m")]
    assert Outbox(tmp_path).waiting() == []


def test_a_folder_that_cannot_be_used_is_a_set_up_error(tmp_path):
    """It is told at once, not when the first answer has come."""
    file = Path(tmp_path / "file")
    file.write_text("")
    with pytest.raises(SetUpError, match="acknowledgements that wait"):
        Outbox(file)
