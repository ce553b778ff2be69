"""Step 4, transmit: read what was approved from the provider's source, and check every row on the way.

What is released and what the status means is decided in :mod:`broker.transmit.tally`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

import orjson
import pyarrow as pa

from adapters.sources.contract import Query, Source, SourceError
from broker.arrow import Columns
from broker.errors import TooLarge, Unavailable
from broker.model import AnswerStatus, Approved, RowCounts, SubjectAnswer
from broker.reasons import Reason
from broker.transmit.digest import Record, records_of
from broker.transmit.freshness import Freshness
from broker.transmit.group import Part, from_group
from broker.transmit.quality import Checked, check
from broker.transmit.scope import within
from broker.transmit.tally import About, Tally

MOST_UNARY_ROWS = 10_000
"""Most rows of a unary answer, whatever policy permits; for more there is the streamed call."""


class OverRowLimit(Exception):
    """The answer has more rows than permitted in one call; none beyond the limit was given out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A unary answer, masked."""

    status: AnswerStatus
    as_of: datetime | None
    """数据时点: time of the oldest released row, or without rows the source's newest; None when unknown."""
    subjects: tuple[SubjectAnswer, ...]
    counts: RowCounts
    records: Sequence[Record]
    """Ordered by subject, then by content, so that equal data give equal answers."""
    record_subjects: Sequence[About]
    """For each record, the places of the subjects it is about."""


class Reader:
    """Reads the datasets' sources, keyed by dataset id. ``zone``, the city's, is that of naive times."""

    def __init__(self, sources: Mapping[str, Source], zone: tzinfo) -> None:
        self._sources = sources
        self._zone = zone
        self._freshness = Freshness(zone)

    def read(self, approved: Approved, now: datetime, mask: Callable[[Columns], Columns]) -> Answer:
        """The whole answer at once. ``mask`` gets sound rows of every field read, and gives what is released.

        Raises:
            OverRowLimit: there are more rows than permitted.
            GroupTooSmall: they are about fewer subjects than permitted.
            TooLarge: there are more than :data:`MOST_UNARY_ROWS`.
            Unavailable: the source cannot be read.
        """
        limit = approved.decision.rows_per_call
        most = MOST_UNARY_ROWS if limit is None else min(limit, MOST_UNARY_ROWS)
        reading = self._reading(approved, now, most, batch_rows=most + 1)
        try:
            parts = list(reading.parts())
        except OverRowLimit:
            if most == limit:
                raise
            raise TooLarge(Reason.ANSWER_TOO_LARGE) from None
        found = [
            pair
            for checked, about in parts
            for pair in zip(about, records_of(mask(checked.good_values())), strict=True)
        ]
        if len(found) > 1:
            found.sort(key=_place)
        return Answer(
            reading.status,
            reading.as_of,
            reading.subjects,
            reading.counts,
            records=[record for _, record in found],
            record_subjects=[about for about, _ in found],
        )

    def stream(self, approved: Approved, now: datetime, batch_rows: int) -> Reading:
        """The sound rows batch by batch, before masking, in the memory of a few batches; never more than are
        charged when a stream begins."""
        return self._reading(approved, now, approved.decision.most_rows, batch_rows)

    def _reading(self, approved: Approved, now: datetime, most: int | None, batch_rows: int) -> Reading:
        source = self._sources[approved.dataset.id]
        told = Tally(approved.dataset, approved.application.subjects, now, self._zone)
        if approved.decision.minimum_group_size is None:
            tally = told
        else:  # what is held back is told of as little as it is released
            tally = Tally(approved.dataset, approved.application.subjects, now, self._zone)
        return Reading(approved, source, tally, told, self._freshness, self._zone, most, batch_rows)


@dataclass(slots=True)
class Reading:
    """A read under way. Iterate once; the other members tell at any moment what was given out until then."""

    approved: Approved
    source: Source
    tally: Tally
    told: Tally
    """The tally, or an empty one as long as everything is held back."""
    freshness: Freshness
    zone: tzinfo
    most: int | None
    batch_rows: int

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Sound rows of every field read, in the catalog's types.

        Raises:
            OverRowLimit: there are more rows than permitted.
            GroupTooSmall: they are about fewer subjects than permitted.
            Unavailable: the source cannot be read.
        """
        return (checked.good() for checked, _ in self.parts())

    def parts(self) -> Iterator[Part]:
        """The same with, for each sound row, whom it is about (an empty list when no subject was named)."""
        smallest = self.approved.decision.minimum_group_size
        if smallest is None:
            return self._parts()
        return self._told(from_group(self._parts(), smallest, self.approved.dataset))

    def _told(self, parts: Iterator[Part]) -> Iterator[Part]:
        for part in parts:
            self.told = self.tally
            yield part
        self.told = self.tally

    def _parts(self) -> Iterator[Part]:
        try:
            for batch in self.source.read(self._query(), self.batch_rows):
                if self.most is not None and self.tally.counts.read + batch.num_rows > self.most:
                    raise OverRowLimit
                checked, about = self.tally.add(self._checked(batch))
                if checked.good_rows:
                    yield checked, about
            self.tally.finish(self._newest())
        except SourceError:
            failed = Unavailable(Reason.SOURCE_UNAVAILABLE, about=self.approved.dataset.id)
        else:
            return
        raise failed

    @property
    def status(self) -> AnswerStatus:
        return self.told.status

    @property
    def as_of(self) -> datetime | None:
        return self.told.as_of

    @property
    def subjects(self) -> tuple[SubjectAnswer, ...]:
        return self.told.subjects

    @property
    def counts(self) -> RowCounts:
        return self.told.counts

    def _checked(self, batch: pa.RecordBatch) -> Checked:
        return within(check(batch, self.approved.dataset, self.zone), self.approved.decision.row_scopes)

    def _newest(self) -> datetime | None:
        if not self.tally.released_nothing_about_somebody:
            return None
        return self.freshness.newest(self.approved.dataset, self.source)

    def _query(self) -> Query:
        application, dataset = self.approved.application, self.approved.dataset
        scopes = self.approved.decision.row_scopes
        columns = dataset.source.columns
        read = (
            *application.fields,
            *dataset.subject_fields,
            dataset.as_of_field,
            *(scope.field for scope in scopes),
        )
        return Query(
            columns={name: columns[name] for name in dict.fromkeys(read)},
            subject_columns=[columns[name] for name in dataset.subject_fields],
            subjects=_spellings(application.subjects),
            prefixes=[(columns[scope.field], scope.prefix) for scope in scopes if not scope.values],
            within=[(columns[scope.field], scope.values) for scope in scopes if scope.values],
            limit=None if self.most is None else self.most + 1,
        )


def _spellings(subjects: Sequence[str]) -> list[str]:
    """Each subject, also in lower case: a source that writes an id's X so must not answer "none"."""
    return list(dict.fromkeys(spelling for subject in subjects for spelling in (subject, subject.lower())))


def _place(found: tuple[About, Record]) -> tuple[About, bytes]:
    about, record = found
    return about, orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
