"""Patience: a call is ended for waiting too long for its caller, and for nothing else."""

import threading

import pytest

from broker.server.patience import Patience


class Context:
    """What patience uses of a call."""

    def __init__(self):
        self.cancelled = threading.Event()

    def cancel(self):
        assert not self.cancelled.is_set()
        self.cancelled.set()


@pytest.fixture
def patience():
    patience = Patience(0.05)
    yield patience
    patience.close()


def test_only_who_waits_is_ended(patience):
    """Beside a call that waits too long, one that works and one that is done go on."""
    working, done, waiting = contexts = [Context() for _ in range(3)]
    waits = [patience.with_(context) for context in contexts]
    with waits[0]:
        pass
    waits[1].begin()
    patience.done(waits[1])
    waits[2].begin()
    assert waiting.cancelled.wait(60)
    assert [wait.ended is not None for wait in waits] == [False, False, True]
    assert not any(context.cancelled.is_set() for context in (working, done))


def test_ended_once(patience):
    """A call that goes on waiting all the same is not cancelled again."""
    first, second = Context(), Context()
    patience.with_(first).begin()
    assert first.cancelled.wait(60)
    patience.with_(second).begin()
    assert second.cancelled.wait(60)
