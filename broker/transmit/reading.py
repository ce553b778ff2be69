"""Step 4, transmit: read what was approved from the provider's source, and check every row on the way.

What is released and what the status means is decided in :mod:`broker.transmit.tally`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

import orjson
import pyarrow as pa

from adapters.sources.contract import Query, Source, SourceError
from broker.arrow import Columns
from broker.claims import claim_column, read_claim
from broker.errors import TooLarge, Unavailable
from broker.model import AnswerStatus, Approved, Claim, FieldType, RowCounts, SubjectAnswer
from broker.reasons import Reason
from broker.transmit.digest import Record, records_of
from broker.transmit.freshness import Freshness
from broker.transmit.group import Part, from_group
from broker.transmit.holding import Gate, Totals
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

    def read(
        self,
        approved: Approved,
        now: datetime,
        mask: Callable[[Columns], Columns],
        gate: Gate | None = None,
        totals: Totals | None = None,
    ) -> Answer:
        """The whole answer at once. ``mask`` gets sound rows of every field read, and gives what is released.

        Raises:
            OverRowLimit: there are more rows than permitted.
            GroupTooSmall: they are about fewer subjects than permitted.
            TooLarge: there are more than :data:`MOST_UNARY_ROWS`.
            Unavailable: the source cannot be read.
            BrokerError: what ``gate`` or ``totals`` raise.
        """
        limit = approved.decision.rows_per_call
        most = MOST_UNARY_ROWS if limit is None else min(limit, MOST_UNARY_ROWS)
        reading = self._reading(approved, now, most, most + 1, gate, totals)
        try:
            reading.keep()
            for _ in reading.counting():
                pass
            parts = list(reading.parts())
        except OverRowLimit:
            if most == limit:
                raise
            raise TooLarge(Reason.ANSWER_TOO_LARGE) from None
        found = _records(parts, mask, approved) if totals is None else _total_records(parts, totals)
        return Answer(
            reading.status,
            reading.as_of,
            reading.subjects,
            reading.counts,
            records=[record for _, record in found],
            record_subjects=[about for about, _ in found],
        )

    def stream(
        self,
        approved: Approved,
        now: datetime,
        batch_rows: int,
        gate: Gate | None = None,
        totals: Totals | None = None,
    ) -> Reading:
        """The sound rows batch by batch, before masking, in the memory of a few batches; never more than are
        charged when a stream begins."""
        return self._reading(approved, now, approved.decision.most_rows, batch_rows, gate, totals)

    def _reading(
        self,
        approved: Approved,
        now: datetime,
        most: int | None,
        batch_rows: int,
        gate: Gate | None,
        totals: Totals | None,
    ) -> Reading:
        source = self._sources[approved.dataset.id]
        told = Tally(approved.dataset, approved.application.subjects, now, self._zone)
        if approved.decision.minimum_group_size is None:
            tally = told
        else:  # what is held back is told of as little as it is released
            tally = Tally(approved.dataset, approved.application.subjects, now, self._zone)
        return Reading(
            approved, source, tally, told, self._freshness, self._zone, most, batch_rows, gate, totals
        )


@dataclass(slots=True)
class Reading:
    """A read under way. Iterate over :meth:`counting`, then once over this; the other members tell at any
    moment what was given out until then."""

    approved: Approved
    source: Source
    tally: Tally
    told: Tally
    """The tally, or an empty one as long as everything is held back."""
    freshness: Freshness
    zone: tzinfo
    most: int | None
    batch_rows: int
    gate: Gate | None = None
    totals: Totals | None = None
    """Takes the sound rows, where totals are released in their place; whoever iterates gives it them."""
    kept: list[pa.RecordBatch] | None = None
    """Everything that the source gave, where it is read but once."""

    def keep(self) -> None:
        """Read the source but once, if it would be read twice.

        Raises:
            OverRowLimit, Unavailable: as iterating.
        """
        if self.gate is not None:
            self.kept = list(self._batches())

    def counting(self) -> Iterator[None]:
        """Read through all rows, batch by batch, where they must be counted before any is released.

        Raises:
            OverRowLimit, Unavailable: as iterating.
            BrokerError: nothing may be released.
        """
        if self.gate is None:
            return
        for batch in self._batches():
            checked, _ = self.tally.attributed(self._checked(batch))
            self.gate.count(checked.good())
            yield
        self.gate.open()

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
        for batch in self._batches():
            checked, about = self.tally.attributed(self._checked(batch))
            if self.gate is not None:
                checked = checked.passing(self.gate.passing(checked.good()))
            about = self.tally.add(checked, about)
            if checked.good_rows:
                yield checked, about
        if self.gate is not None:
            self.gate.close()
        self._finish()

    def _finish(self) -> None:
        try:
            self.tally.finish(self._newest())
        except SourceError:
            failed = self._unavailable()
        else:
            return
        raise failed

    def _batches(self) -> Iterator[pa.RecordBatch]:
        """What the source gives, or has given."""
        if self.kept is not None:
            yield from self.kept
            return
        read = 0
        try:
            for batch in self.source.read(self._query(), self.batch_rows):
                read += batch.num_rows
                if self.most is not None and read > self.most:
                    raise OverRowLimit
                yield batch
        except SourceError:
            failed = self._unavailable()
        else:
            return
        raise failed  # here, so that it carries no context: that may quote the source

    def _unavailable(self) -> Unavailable:
        return Unavailable(Reason.SOURCE_UNAVAILABLE, about=self.approved.dataset.id)

    @property
    def status(self) -> AnswerStatus:
        if self.totals is None:
            return self.told.status
        if self.totals.suppressed and not self.totals.released:
            return AnswerStatus.DOUBTFUL
        return self.told.of_all

    @property
    def as_of(self) -> datetime | None:
        return self.told.as_of

    @property
    def subjects(self) -> tuple[SubjectAnswer, ...]:
        """Nothing of anybody where only totals are released."""
        return self.told.subjects if self.totals is None else ()

    @property
    def counts(self) -> RowCounts:
        counts = self.told.counts
        if self.totals is None:
            return counts
        suppressed = counts.suppressed + self.totals.suppressed
        return replace(counts, released=self.totals.released, suppressed=suppressed)

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


def _records(
    parts: Iterable[Part], mask: Callable[[Columns], Columns], approved: Approved
) -> list[tuple[About, Record]]:
    """The masked rows, ordered by subject, then by content."""
    found = [
        pair
        for checked, about in parts
        for pair in zip(
            about, records_of(mask(_with_claims(checked.good_values(), about, approved))), strict=True
        )
    ]
    if len(found) > 1:
        found.sort(key=_place)
    return found


def _total_records(parts: Iterable[Part], totals: Totals) -> list[tuple[About, Record]]:
    """The totals of the groups, which are about nobody."""
    for checked, _ in parts:
        totals.add(checked.good())
    return [((), record) for record in records_of(totals.result().to_pydict())]


def _with_claims(columns: Columns, about: Sequence[About], approved: Approved) -> Columns:
    """The rows with what is claimed of them, in further columns: see :mod:`broker.claims`."""
    claims, fields = approved.application.claims, approved.dataset.fields
    if not claims:
        return columns
    return {**columns, **{claim_column(c.field): _claimed(c, about, fields[c.field].type) for c in claims}}


def _claimed(claim: Claim, about: Sequence[About], kind: FieldType) -> list[object]:
    """What is claimed of each row; None where nothing is, or different things of its several subjects."""
    said = [{claim.texts[place] for place in who} - {""} for who in about]
    return [read_claim(texts.pop(), kind) if len(texts) == 1 else None for texts in said]


def _spellings(subjects: Sequence[str]) -> list[str]:
    """Each subject, also in lower case: a source that writes an id's X so must not answer "none"."""
    return list(dict.fromkeys(spelling for subject in subjects for spelling in (subject, subject.lower())))


def _place(found: tuple[About, Record]) -> tuple[About, bytes]:
    about, record = found
    return about, orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
