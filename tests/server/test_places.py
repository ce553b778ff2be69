"""Places: never more calls than there are, none lost, a share for each system, and an honest time to wait."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from broker.errors import Exhausted
from broker.reasons import Reason
from broker.server.places import LONGEST_SECONDS, SHORTEST_SECONDS, Lanes, Places
from broker.settings import Server


def test_no_more_than_there_are():
    """The last place is given, the next refused and counted, and a place given back is given again."""
    places = Places(2)
    held = [places.enter(), places.enter()]
    assert places.enter() is None
    assert (places.used, places.refused) == (2, 1)
    places.leave(held.pop())
    assert places.enter() is not None
    assert places.enter() is None
    assert (places.used, places.refused) == (2, 2)


def test_none_is_lost_among_threads():
    """Threads that come and go leave exactly as many places as there were."""
    places = Places(3)

    def come_and_go(_):
        entered = places.enter()
        assert places.used <= places.limit
        if entered is not None:
            places.leave(entered)
        return entered is not None

    with ThreadPoolExecutor(8) as pool:
        entered = sum(pool.map(come_and_go, range(5_000)))
    assert places.used == 0
    assert entered + places.refused == 5_000


@pytest.mark.parametrize(("stay", "told"), [(0.0, SHORTEST_SECONDS), (0.7, 0.7), (3600.0, LONGEST_SECONDS)])
def test_wait_is_what_calls_took_lately_within_bounds(stay, told):
    """After many calls that stayed so long, that is how long those who are refused shall wait."""
    places = Places(1)
    for _ in range(200):
        places.leave(places.enter() - stay)
    assert places.full().retry_seconds == places.retry_seconds == pytest.approx(told, rel=0.05)


def test_half_for_one_holder():
    """Nobody holds more than half, another holds the other half, and what was held can be held again."""
    places = Places(5)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(places.shared("a"))
            held.enter_context(places.shared("b"))
        for holder in ("a", "b"):
            with pytest.raises(Exhausted) as refused, places.shared(holder):
                pass
            assert refused.value.reason is Reason.SHARE_USED_UP
            assert refused.value.retry_seconds == SHORTEST_SECONDS
    with places.shared("a"), places.shared("a"):
        pass


def test_a_single_place_can_be_had():
    """Half of one place is that one."""
    with Places(1).shared("a"):
        pass


def test_lanes_do_not_share_places():
    """Streams, reflection, checks and watches of either kind each have their own; all else is a call."""
    lanes = Lanes(Server(max_concurrent_calls=7, max_streams=3))
    apart = [
        "/broker.v1.ExchangeService/StreamExchange",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/broker.v1.ApplicationService/WatchNotices",
        "/broker.v1.ExchangeService/Exchange",
    ]
    found = [lanes.of(method) for method in apart]
    assert len({id(lane.places) for lane in found}) == len(apart)
    assert found[-1] is lanes.of("/broker.v1.CatalogService/GetDataset") is lanes.calls
    assert found[0] is lanes.streams
    assert lanes.limit == sum(lane.places.limit for lane in found)
    assert lanes.status() == {
        "calls": {"used": 0, "limit": 7, "refused": 0},
        "streams": {"used": 0, "limit": 3, "refused": 0},
    }
    lanes.close()
