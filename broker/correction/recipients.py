"""Who received a value that was wrong: the deliveries of that dataset and those fields, about that person.

With a vault, the person's tags lead to the receipts. From before there was a vault, or without one, each
receipt of the dataset in the period is asked whether its tag is the person's, which the broker's keyring can
tell for an identifier that it is given. Without identifier nobody can be found but who reported. Streams of
all in scope name nobody: those of the period may have held the value, and are told as such.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from broker.keys.keyring import Keyring
from broker.marks import Marks
from broker.model import CorrectionOnRecord, DataError, EntryKind, ReceiptFilter
from broker.receipt.corrections import Reach, Told, touched
from broker.receipt.log import ReceiptLog
from broker.receipt.statement import key_version

AT_ONCE = 500
"""Receipts of one page, tags of one query."""
UNDER_WAY = timedelta(minutes=2)
"""A statement may be recorded so long after the vault was asked for its tags."""

_ANSWERS = (EntryKind.EXCHANGE, EntryKind.STREAM_OUTCOME)
Key = tuple[str, str, str]
"""Department, SPIFFE id and purpose: who is told by one notice."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What was wrong, and when."""

    found: CorrectionOnRecord
    wrong_from: datetime | None
    """None: nobody knows since when."""
    right_from: datetime
    subject: str = field(repr=False)
    """Identifier; empty where nobody is known."""


@dataclass(slots=True)
class Recipients:
    """Looks through the log for those who received the value. Every method may raise Unavailable."""

    log: ReceiptLog
    marks: Marks
    keyring: Keyring

    def of(self, wrong: Wrong) -> tuple[list[Told], Reach]:
        """Whom to tell of what, by caller and purpose, and how far that reaches."""
        receipts: dict[Key, list[int]] = defaultdict(list)
        streams: dict[Key, list[int]] = defaultdict(list)
        found = set(self._of_person(wrong)) | {wrong.found.correction.receipt}
        for leaf_index in sorted(found):
            said = orjson.loads(self.log.receipt(leaf_index).statement)
            (receipts if said.get("subject_tags") else streams)[_key(said)].append(leaf_index)
        for leaf_index, said in self._whole(wrong):
            if leaf_index not in found:
                streams[_key(said)].append(leaf_index)
        told = [
            Told(*key, tuple(sorted(receipts[key])), tuple(sorted(streams[key])))
            for key in sorted({*receipts, *streams})
        ]
        return told, Reach.PERSON if wrong.subject else Reach.RECEIPT

    def _of_person(self, wrong: Wrong) -> Iterator[int]:
        if not wrong.subject:
            return
        period = _period(wrong)
        vault = self.marks.vault
        if vault is not None:
            tags = vault.tags(wrong.subject)
            for start in range(0, len(tags), AT_ONCE):
                some = replace(period, subject_tags=tags[start : start + AT_ONCE])
                yield from (leaf_index for leaf_index, _ in self._given_out(wrong, some))
            before = vault.created + UNDER_WAY
            period = replace(period, until=before if period.until is None else min(before, period.until))
        recogniser = self.marks.recogniser([wrong.subject], self.keyring)
        for leaf_index, statement in self._given_out(wrong, period):
            said = orjson.loads(statement)
            if recogniser.names(said, wrong.subject, key_version(statement) or None):
                yield leaf_index

    def _whole(self, wrong: Wrong) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Streams of all in scope."""
        streams = replace(_period(wrong), kind=EntryKind.STREAM_OUTCOME)
        for leaf_index, statement in self._given_out(wrong, streams):
            if b'"subject_tags":[]' in statement:
                said = orjson.loads(self.log.receipt(leaf_index).statement)
                if not said["subject_tags"]:
                    yield leaf_index, said

    def _given_out(self, wrong: Wrong, wanted: ReceiptFilter) -> Iterator[tuple[int, bytes]]:
        """Leaf and statement of the deliveries that may have given out what was wrong; erased ones cannot be
        told any more."""
        before: int | None = None
        while page := self.log.entries(wanted, before, AT_ONCE):
            before = page[-1][0]
            for leaf_index, entry in page:
                if entry.kind in _ANSWERS and entry.statement and _gave_out(entry.statement, wrong):
                    yield leaf_index, entry.statement


def _period(wrong: Wrong) -> ReceiptFilter:
    return ReceiptFilter(dataset=wrong.found.dataset, since=wrong.wrong_from, until=wrong.right_from)


def _gave_out(statement: bytes, wrong: Wrong) -> bool:
    said, asked = orjson.loads(statement), wrong.found.correction
    outcome = said.get("outcome")
    if outcome is None or not (outcome["rows"]["released"] or asked.error is DataError.MISSING_RECORD):
        return False
    return not asked.fields or not set(asked.fields).isdisjoint(touched(said))


def _key(said: Mapping[str, Any]) -> Key:
    return said["consumer"]["department"], said["consumer"]["uri"], said["purpose"]


def numbers(told: Sequence[Told]) -> tuple[int, int]:
    """How many deliveries of the person's data, and how many streams that may have held it."""
    return sum(len(one.receipts) for one in told), sum(len(one.streams) for one in told)
