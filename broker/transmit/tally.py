"""Keeping count while rows pass: what was found about whom, how old it is, and so the status of the answer.

======== =================================================================================================
status   meaning for one subject
======== =================================================================================================
doubtful one of its rows is bad, or held back; such rows are never released, its others are
stale    one of its rows is older than the update cycle, or of unknown age (released all the same: the
         counter can use it as a hint, and the status says to verify by hand); or it has no row, and the
         source itself is older than the update cycle, so that nobody can say that there is none
none     it has no row in a current source
found    it has sound, current rows
======== =================================================================================================

Over several subjects the status is the one that needs most care: doubtful, stale, none, found. A row that
names none of the subjects asked for is bad and makes all of them doubtful: nobody can say whom it is about.
Before the last row was read, a subject without rows is doubtful too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from itertools import compress

import pyarrow as pa
import pyarrow.compute as pc

from broker.model import AnswerStatus, Dataset, RowCounts, SubjectAnswer
from broker.transmit.freshness import is_current
from broker.transmit.quality import Checked

About = tuple[int, ...]
"""Places, in the application, of the subjects that a row is about."""
_CARE = (AnswerStatus.FOUND, AnswerStatus.NONE, AnswerStatus.STALE, AnswerStatus.DOUBTFUL)
"""From least to most care."""


@dataclass(slots=True)
class _Seen:
    """What was seen so far of one subject, or of a whole dataset."""

    released: int = 0
    bad: bool = False
    stale: bool = False

    def status(self, source_is_current: bool | None) -> AnswerStatus:
        """``source_is_current`` is None before the last row was read."""
        if self.bad or (not self.released and source_is_current is None):
            return AnswerStatus.DOUBTFUL
        if self.stale or (not self.released and not source_is_current):
            return AnswerStatus.STALE
        return AnswerStatus.FOUND if self.released else AnswerStatus.NONE


class Tally:
    """The count of one exchange. Naive dates are those of ``zone``."""

    def __init__(self, dataset: Dataset, subjects: Sequence[str], now: datetime, zone: tzinfo) -> None:
        self._dataset, self._now, self._zone = dataset, now, zone
        self._places = {subject: place for place, subject in enumerate(subjects)}
        self._seen = [_Seen() for _ in subjects]
        self._whole = _Seen()
        self._read = self._bad = self._held = 0
        self._oldest: datetime | None = None
        self._newest: datetime | None = None
        self._source_is_current: bool | None = None

    def attributed(self, checked: Checked) -> tuple[Checked, list[About]]:
        """A batch with those rows sound that are about somebody asked for, and of each row whom it is about.

        Without subjects, the latter is empty.
        """
        about = self._about(checked) if self._places else []
        if about and not all(about):
            checked = checked.without({row for row, who in enumerate(about) if not who})
        return checked, about

    def add(self, checked: Checked, about: list[About]) -> list[About]:
        """Count an :meth:`attributed` batch; gives of each row to be released whom it is about."""
        self._read += len(checked.sound)
        self._bad += checked.bad
        self._held += checked.held
        self._whole.bad |= checked.bad > 0
        self._whole.released += checked.good_rows
        if about:
            self._attribute(checked, about)
            return list(compress(about, checked.sound)) if checked.bad or checked.held else about
        self._date_ends(checked.good().column(self._dataset.as_of_field))
        return []

    @property
    def released_nothing_about_somebody(self) -> bool:
        """Whether the answer hangs on how current the source is: it then goes to :meth:`finish`."""
        return not self._whole.released or any(not seen.released for seen in self._seen)

    def finish(self, newest: datetime | None) -> None:
        """The last row was read; ``newest`` is the source's newest time, where it was needed and is known."""
        self._newest = newest
        self._source_is_current = is_current(newest, self._dataset, self._now)

    @property
    def counts(self) -> RowCounts:
        return RowCounts(self._read, self._bad, self._whole.released, self._held)

    @property
    def as_of(self) -> datetime | None:
        """Time of the oldest released row, or without rows the source's newest; None when unknown."""
        return self._oldest if self._whole.released else self._newest

    @property
    def subjects(self) -> tuple[SubjectAnswer, ...]:
        """The answer about each subject, in the order asked."""
        return tuple(
            SubjectAnswer(place, seen.status(self._source_is_current), seen.released)
            for place, seen in enumerate(self._seen)
        )

    @property
    def status(self) -> AnswerStatus:
        """Over all subjects, or over the whole dataset when none was named."""
        of = [answer.status for answer in self.subjects] or [self.of_all]
        return max(of, key=_CARE.index)

    @property
    def of_all(self) -> AnswerStatus:
        """Over all rows, whoever was named."""
        if self._held and not self._whole.released:
            return AnswerStatus.DOUBTFUL  # there is something, and nobody may be told that there is not
        return self._whole.status(self._source_is_current)

    def _about(self, checked: Checked) -> list[About]:
        """Of each row the places of its subjects; one in lower case is the same person."""
        columns = [checked.values(name) for name in self._dataset.subject_fields]
        return [
            tuple(sorted({place for text in texts if (place := self._place(text)) is not None}))
            for texts in zip(*columns, strict=True)
        ]

    def _place(self, text: object) -> int | None:
        if not isinstance(text, str):
            return None
        place = self._places.get(text)
        return self._places.get(text.upper()) if place is None else place

    def _attribute(self, checked: Checked, about: Sequence[About]) -> None:
        times = checked.values(self._dataset.as_of_field)
        for who, sound, time_ in zip(about, checked.sound, times, strict=True):
            stale = sound and self._date(time_)
            for seen in [self._seen[place] for place in who] if who else self._seen:
                seen.released += sound
                seen.stale |= stale
                seen.bad |= not sound

    def _date_ends(self, times: pa.Array) -> None:
        """Take the oldest and the newest of ``times``, and None when one is missing."""
        ends = pc.min_max(times).as_py().values() if len(times) else ()
        for end in (*ends, *[None] * bool(times.null_count)):
            self._date(end)

    def _date(self, value: object) -> bool:
        """Take the time of a released row; gives whether it is stale."""
        moment = self._moment(value)
        if moment is not None and (self._oldest is None or moment < self._oldest):
            self._oldest = moment
        stale = not is_current(moment, self._dataset, self._now)
        self._whole.stale |= stale
        return stale

    def _moment(self, value: object) -> datetime | None:
        """A date counts from its local midnight, which is the careful end of the day."""
        if isinstance(value, datetime):
            return value
        if isinstance(value, date):
            return datetime.combine(value, time(), self._zone).astimezone(UTC)
        return None
