"""The smallest group (docs/policy-language.md, 5.6): an answer about fewer subjects is not released."""

from __future__ import annotations

from collections.abc import Iterator

from broker.model import Dataset
from broker.transmit.quality import Checked
from broker.transmit.tally import About

Part = tuple[Checked, list[About]]
"""Sound rows and, where subjects were named, whom each is about."""

MOST_HELD = 200_000
"""Rows that are held back at most; what has found no group among so many is not released either."""


class GroupTooSmall(Exception):
    """The answer is about somebody, but about fewer subjects than permitted; none of it was given out."""


def from_group(parts: Iterator[Part], smallest: int, dataset: Dataset) -> Iterator[Part]:
    """``parts``, none of them before ``smallest`` distinct subjects are among them, or no row at all.

    Raises:
        GroupTooSmall: they ended before, or did not find so many in :data:`MOST_HELD` rows.
    """
    held: list[Part] = []
    rows, subjects = 0, set[object]()
    while len(subjects) < smallest and rows <= MOST_HELD and (part := next(parts, None)):
        held.append(part)
        rows += part[0].good_rows
        subjects |= _subjects(part, dataset)
    if held and len(subjects) < smallest:
        raise GroupTooSmall
    yield from held
    yield from parts


def _subjects(part: Part, dataset: Dataset) -> set[object]:
    """Whom the rows are about: by place among those named, else everybody in the subject fields."""
    checked, about = part
    if about:
        return {place for places in about for place in places}
    columns = [checked.values(name) for name in dataset.subject_fields]
    of_sound = (
        texts for texts, sound in zip(zip(*columns, strict=True), checked.sound, strict=True) if sound
    )
    return {str(text).upper() for texts in of_sound for text in texts if text is not None}
