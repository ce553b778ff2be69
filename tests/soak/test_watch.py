"""What is measured of a process, and what counts as growth."""

import os

import pytest

from soak.watch import COUNTS, MEMORY, MIB, Sample, growth, sample, settled

DONE = range(0, 1_000_001, 10_000)


def test_sample_measures_a_real_process():
    """This very process has memory, of which it shares some, threads and files."""
    with open(os.devnull):
        found = sample(os.getpid(), 7)
    assert found.done == 7
    assert 0 < found.pss <= found.rss
    assert found.threads >= 1
    assert found.files >= 4


def test_memory_that_is_held_shows():
    """Memory that a process takes and keeps is seen in full."""
    before = sample(os.getpid(), 0)
    held = b"x" * (64 * MIB)
    after = sample(os.getpid(), 1)
    assert after.pss - before.pss > 60 * MIB
    assert len(held) == 64 * MIB


@pytest.mark.parametrize(
    ("values", "flat"),
    [
        pytest.param([100 * MIB + (done % 30_000) * 40 for done in DONE], True, id="noise"),
        pytest.param([100 * MIB + done * 20 for done in DONE], True, id="within the bound"),
        pytest.param([100 * MIB + done * 100 for done in DONE], False, id="a hundred bytes an exchange"),
        pytest.param([200 * MIB - done * 100 for done in DONE], True, id="shrinking"),
    ],
)
def test_memory_is_flat_or_not(values, flat):
    """A leak of a hundred bytes an exchange is found; what goes up and down is none."""
    assert growth(DONE, values).within(MEMORY) is flat


def test_slope_is_extrapolated_to_a_million():
    """A short run is judged by what a long one would come to."""
    line = growth([100, 200, 300], [1_000, 2_000, 3_000])
    assert line.per_million == pytest.approx(10_000_000)
    assert line.in_run == pytest.approx(2_000)


def test_counts_may_grow_by_a_few():
    """A thread more is none of a leak; one for every thousand exchanges is."""
    assert growth(DONE, [20] * 50 + [21] * 51).within(COUNTS)
    assert not growth(DONE, [20 + done // 1_000 for done in DONE]).within(COUNTS)


def test_warm_up_does_not_count():
    """What a process takes until its caches are full, and in its first fifth, is no leak."""
    samples = [Sample(done, 0, 0, 0, 0) for done in DONE]
    assert settled(samples, 1_000_000)[0].done == 270_000
    assert settled(samples * 2, 2_000_000)[0].done == 400_000
    assert settled([one for one in samples if one.done < 280_000], 280_000) == []
