"""k-anonymity: rows that look, as released, like those of too few people are held back.

``docs/policy-language.md``, 5.8. What a row looks like is told by its quasi-identifiers after masking; how
many look so, by the distinct subjects. First all rows are counted, then they pass or do not; what passes is
counted again, so that a source which changed between the two is found out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from adapters.masking.classes import CrowdCounter, TooManyClasses
from broker.desensitize.plan import MaskPlan
from broker.errors import Changed, Failed, TooSmall
from broker.model import Approved, Below, KAnonymity
from broker.reasons import Reason

T = TypeVar("T")

MOST_CLASSES = 500_000
"""Classes, or groups, of one exchange that are counted; some 100 bytes each, or 400 below k."""


def gate_of(approved: Approved, plan: MaskPlan) -> AnonymityGate | None:
    """The gate that the permit demands; ``plan`` masks its fields."""
    wanted = approved.decision.obligations.k_anonymity
    return None if wanted is None else AnonymityGate(wanted, plan, approved.dataset.subject_fields)


class AnonymityGate:
    """Counts batches, then lets rows pass. Batches are sound rows in the catalog's types, with the
    quasi-identifiers, the subject fields and what their masks must see beside."""

    def __init__(self, wanted: KAnonymity, plan: MaskPlan, subject_fields: Sequence[str]) -> None:
        self._wanted = wanted
        self._plan = MaskPlan.of(tuple(c for c in plan.columns if c.name in wanted.quasi_identifiers))
        self._subjects = tuple(subject_fields)
        self._counted = CrowdCounter(MOST_CLASSES, wanted.k)
        self._passed = CrowdCounter(MOST_CLASSES, wanted.k)

    def count(self, batch: pa.RecordBatch) -> None:
        """Count rows that could be released.

        Raises:
            TooSmall: there are too many classes to count.
            Failed: a quasi-identifier cannot be masked.
        """
        looks, people = self._plan.apply(batch).columns, people_of(batch, self._subjects)
        counted(lambda: self._counted.add(looks, people))

    def open(self) -> None:
        """All rows are counted.

        Raises:
            TooSmall: nothing may be released, as there are rows of too few.
        """
        if self._wanted.below is Below.REFUSE and not self._counted.full.all():
            raise TooSmall(Reason.CLASS_TOO_SMALL)

    def passing(self, batch: pa.RecordBatch) -> Sequence[bool]:
        """Of each row whether it may be released.

        Raises:
            Changed: rows are there that were not when they were counted, and rows may not be left out.
            Failed: as :meth:`count`.
        """
        looks, people = self._plan.apply(batch).columns, people_of(batch, self._subjects)
        passing = counted(lambda: self._counted.crowded(looks))
        if self._wanted.below is Below.REFUSE and not passing.all():
            raise Changed(Reason.CHANGED_WHILE_READ)
        rows = pa.array(passing)
        counted(
            lambda: self._passed.add(
                [look.filter(rows) for look in looks], [who.filter(rows) for who in people]
            )
        )
        truths: list[bool] = passing.tolist()
        return truths

    def close(self) -> None:
        """The last row has passed.

        Raises:
            Changed: among those that passed there are rows of too few, as the source changed meanwhile.
        """
        if not self._passed.full.all():
            raise Changed(Reason.CHANGED_WHILE_READ)


def people_of(batch: pa.RecordBatch, subject_fields: Sequence[str]) -> list[pa.Array]:
    """Whom each row is about, by each subject field; one in lower case is the same person."""
    return [pc.utf8_upper(batch.column(name).cast(pa.string())) for name in subject_fields]


def counted(count: Callable[[], T]) -> T:
    """What ``count`` gives; none of its messages is passed on, for it may quote a value.

    Raises:
        TooSmall: there are too many classes.
        Failed: they cannot be counted at all.
    """
    try:
        return count()
    except TooManyClasses:
        problem: TooSmall | Failed = TooSmall(Reason.TOO_MANY_CLASSES)
    except (ValueError, TypeError, pa.ArrowException) as error:
        problem = Failed(Reason.MASKING_FAILED)
        problem.add_note(type(error).__name__)
    raise problem
