"""The guard ends streams that come to no next chunk, and only those whose permit has ended."""

import pytest

from broker import standing
from broker.errors import Changed
from broker.model import Target
from broker.reasons import Reason


@pytest.fixture
def stalled(any_world):
    """A worker with a stream of which nobody takes a chunk, and what was asked to end it."""
    worker, ends = any_world.worker(), []
    consumer = any_world.issue("medical_insurance", "streams")
    parts = worker.stream(any_world.package(), consumer, lambda: True, ends.append)
    next(parts), next(parts)
    yield worker, ends, parts
    parts.close()


def test_a_stalled_stream_is_ended_when_its_permit_has(any_world, stalled):
    """With the reason that its outcome will give; again in each round, until it is gone."""
    worker, ends, parts = stalled
    any_world.suspend(Target.CONSUMER, "tax")
    any_world.let_it_look()
    worker.guard.round()
    assert ends == []
    suspension = any_world.suspend(Target.CONSUMER, "medical_insurance")
    any_world.let_it_look()
    worker.guard.round()
    worker.guard.round()
    assert [type(why) for why in ends] == [Changed, Changed]
    about = f"SUSPENDED medical_insurance {suspension.resource_name}"
    assert (ends[0].reason, ends[0].about) == (Reason.NO_LONGER_PERMITTED, about)
    with pytest.raises(Changed):
        next(parts)
    worker.guard.round()
    assert len(ends) == 2


def test_what_holds_is_decided_once_in_an_epoch(any_world, stalled, monkeypatch):
    """Many stalled streams must not cost much: a round asks again only when something has moved."""
    worker, ends, _ = stalled
    decided = []
    evaluate = standing.evaluate
    monkeypatch.setattr(standing, "evaluate", lambda *asked: decided.append(1) or evaluate(*asked))
    for moves, other in enumerate(("tax", "housing_fund"), 1):
        any_world.suspend(Target.CONSUMER, other)
        any_world.let_it_look()
        for _ in range(5):
            worker.guard.round()
        assert len(decided) == moves
    assert ends == []
