"""Rounds: a duty goes on whatever one round raises, and ends when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from broker.errors import Unavailable
from broker.reasons import Reason
from broker.rounds import Rounds

PATIENCE = 300
"""Seconds; only a defect takes that long."""


def failing(done: threading.Event, *failures: Exception) -> Callable[[], None]:
    """A duty that fails so, one time after the other, and then is done."""
    left = list(failures)

    def duty() -> None:
        if left:
            raise left.pop(0)
        done.set()

    return duty


def test_what_a_round_raises_does_not_end_the_rounds() -> None:
    """That the database is away is told as that, a defect as a defect, and the next round comes."""
    done = threading.Event()
    duty = failing(done, Unavailable(Reason.LOG_UNAVAILABLE), ValueError("a secret"))
    with capture_logs() as said:
        rounds = Rounds("duty", duty, lambda: 0.0)
        rounds.start()
        assert done.wait(PATIENCE)
        rounds.stop()
    assert said == [
        {"event": "round_waits", "duty": "duty", "reason": Reason.LOG_UNAVAILABLE, "log_level": "warning"},
        {"event": "round_failed", "duty": "duty", "error": "ValueError", "log_level": "error"},
    ]


def test_nothing_is_done_after_the_end() -> None:
    """Stopping waits for the round under way, which is told of it, and there is none after it."""
    begun, told, ended = threading.Event(), threading.Event(), list[int]()

    def duty() -> None:
        begun.set()
        while not rounds.stopped:
            pass
        told.set()
        ended.append(1)

    rounds = Rounds("duty", duty, lambda: 0.0)
    rounds.start()
    assert begun.wait(PATIENCE)
    rounds.stop()
    assert told.is_set()
    assert ended == [1]


def test_one_that_was_never_begun_can_be_ended() -> None:
    """As when a broker fails between building its parts and starting them."""
    rounds = Rounds("duty", pytest.fail, lambda: 0.0)
    rounds.stop()
    assert rounds.stopped
