"""How sure a finding is: bounds of chance, held against the binomial distribution itself."""

from math import comb

import pytest

from broker.trace.chance import LIKELY, SURE, chance_of, chance_of_each


def tail(hits, words, each):
    """The chance of that many hits or more."""
    return sum(comb(words, k) * each**k * (1 - each) ** (words - k) for k in range(hits, words + 1))


@pytest.mark.parametrize(
    ("hits", "words", "each"), [(3, 3, 0.03), (10, 50, 0.03), (40, 100, 0.33), (1, 5, 0.01)]
)
def test_the_bound_is_never_below_the_chance(hits, words, each):
    """Chernoff bounds the tail from above, and not by much."""
    assert tail(hits, words, each) <= chance_of(hits, words, each) <= 40 * tail(hits, words, each)


def test_as_many_as_chance_gives_say_nothing():
    """Nor do none, nor fewer."""
    assert chance_of(0, 100, 0.5) == chance_of(33, 1000, 0.033) == chance_of(5, 0, 0.1) == 1.0
    assert chance_of(1000, 1000, 1.0) == 1.0


def test_many_hits_are_certain():
    """All of a hundred where one in thirty is expected; even where the chance of each is all but nothing."""
    assert chance_of(100, 100, 0.033) < SURE < LIKELY
    assert 0 < chance_of(100, 100, 0.0) < SURE


def test_the_chance_of_each_is_measured_from_above():
    """Under made-up keys; without any hit it is still not nothing, and it is never more than one."""
    seen = []
    assert 0 < chance_of_each(100, lambda keys: seen.append(keys.key) or 0) < 1e-3
    assert len(set(seen)) == len(seen) == 200
    assert 0.3 < chance_of_each(1000, lambda _: 300) < 0.33
    assert chance_of_each(10, lambda _: 10) == 1.0
