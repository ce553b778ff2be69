"""Entries on their way to the writer: none is lost, none waits for a bell that does not ring."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from broker.errors import Unavailable
from broker.model import Entry, EntryKind
from broker.receipt.inbox import MAX_BATCH, Inbox, Submission

ENTRY = Entry(EntryKind.EXCHANGE, b"{}", datetime(2026, 11, 23, tzinfo=UTC))


def submission() -> Submission:
    return Submission(ENTRY, 0)


@contextmanager
def taken(inbox: Inbox, expected: int) -> Iterator[list[list[Submission]]]:
    """All batches that one thread gathers, complete at the end, when the inbox is closed."""
    batches: list[list[Submission]] = []

    def gather() -> None:
        while batch := inbox.gather(expected):
            batches.append(batch)

    thread = threading.Thread(target=gather)
    thread.start()
    yield batches
    inbox.close()
    thread.join()


@pytest.mark.parametrize("expected", [1, 7, 1000])
def test_everything_put_is_taken_once(expected: int) -> None:
    """By many threads at once, whatever number is expected, and what comes just before the end."""
    inbox = Inbox()

    def put(_: int) -> list[Submission]:
        own = [submission() for _ in range(200)]
        for one in own:
            inbox.put(one)
        return own

    with taken(inbox, expected) as batches, ThreadPoolExecutor(8) as pool:
        put_there = [one for own in pool.map(put, range(8)) for one in own]
    assert {id(one) for batch in batches for one in batch} == {id(one) for one in put_there}
    assert sum(map(len, batches)) == len(put_there)
    assert max(map(len, batches)) <= MAX_BATCH


def test_a_lone_entry_is_taken_though_more_are_expected() -> None:
    """After a moment, without a bell: the others do not come."""
    inbox = Inbox()
    inbox.put(submission())
    assert len(inbox.gather(64)) == 1


def test_a_batch_has_its_limit_and_the_rest_stays() -> None:
    """Of what waits, the first; then the others, in order."""
    inbox, waiting = Inbox(), [submission() for _ in range(MAX_BATCH + 5)]
    for one in waiting:
        inbox.put(one)
    assert inbox.gather(1) == waiting[:MAX_BATCH]
    assert inbox.take(2) == waiting[MAX_BATCH : MAX_BATCH + 2]
    assert inbox.take(9) == waiting[MAX_BATCH + 2 :]
    assert inbox.take(9) == []


def test_nobody_begins_with_what_nobody_waits_for() -> None:
    """A caller that gave up is passed over, also when it is all there is."""
    inbox, gone, there = Inbox(), submission(), submission()
    gone.abandoned = True
    inbox.put(gone)
    inbox.put(there)
    assert inbox.take(9) == [there]


def test_a_closed_inbox_takes_nothing_and_gives_what_it_has() -> None:
    """Then it says that this was all."""
    inbox, last = Inbox(), submission()
    inbox.put(last)
    inbox.close()
    with pytest.raises(Unavailable):
        inbox.put(submission())
    assert inbox.gather(9) == [last]
    assert inbox.gather(9) == []
