"""Matrix: who may see which field, against trying out every application of a small world."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import product

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from broker.approve.evaluate import evaluate
from broker.approve.rule import Effect
from broker.authoring.matrix import Line, Rectangle, Wanted, matrix
from broker.authoring.release import Release
from broker.model import Application, Verdict
from tests.authoring.worlds import FOCI, Focus, applications, bundle, changes, moments, rule, truth


def released(found: Sequence[Rectangle], asked: Application, now: datetime) -> Release | None:
    """What the matrix says of one field: of the lines that fit, the one with the most rules holds."""
    (field,) = asked.fields
    truths = {source: truth(asked, source) for source in ("e1", "e2")}
    fitting: list[Line] = [
        line
        for each in found
        if asked.consumer.department in each.departments
        if asked.purpose in each.purposes
        if field in each.fields
        for line in each.lines
        if line.when.cover(asked, now, truths)
    ]
    return max(fitting, key=lambda line: len(line.rules)).release if fitting else None


@pytest.mark.parametrize("focus", FOCI.values(), ids=FOCI)
@settings(
    max_examples=10, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow]
)
@given(data=st.data())
def test_the_matrix_equals_trying_everything_out(focus: Focus, data: st.DataObject) -> None:
    """Whoever reads it learns the verdict, the mask and the limit of every application for one field."""
    world, _ = data.draw(changes(focus))
    found = list(matrix(world))
    for asked, now in product(applications(focus), moments(focus)):
        if len(asked.fields) > 1:
            continue
        decision, release = evaluate(asked, None, world, now), released(found, asked, now)
        most = release.limits.subjects_per_call if release else None
        if release is None or (most is not None and len(asked.subjects) > most):
            assert decision.verdict is Verdict.DENY
        elif release.review:
            assert decision.verdict is Verdict.REVIEW
        else:
            assert decision.verdict is Verdict.PERMIT
            mask = release.mask.mask if release.mask else None
            assert decision.obligations.masks.get(asked.fields[0]) == mask
            assert decision.rows_per_call == release.limits.rows_per_call


def test_cells_that_read_the_same_are_one_rectangle() -> None:
    """Departments and purposes of one rule are told in one go, and a filter leaves the rest out."""
    world = bundle(rule("1", purposes=frozenset("u")), rule("2", Effect.DENY, fields=frozenset("b")))
    (each,) = matrix(world)
    assert (each.departments, each.purposes, each.fields) == (("x", "y"), ("u",), ("a",))
    (filtered,) = matrix(world, Wanted(department="y"))
    assert filtered.departments == ("y",)
    assert not list(matrix(world, Wanted(field="b")))
