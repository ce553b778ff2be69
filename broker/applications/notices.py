"""Notices (通知): what happened to what people decide, told as it happens to those whom it concerns.

They come from the log itself, in its order: a leaf is told once, whichever worker or replica recorded it,
and whoever lost the connection goes on after the last leaf seen. A notice names resources and departments,
never a person that data are about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from broker.model import EntryKind, Identity, Role
from broker.store.store import Store

AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Notice:
    """One leaf, as those concerned are told of it."""

    name: str
    """Resource name of what it is about."""
    kind: EntryKind
    act: str
    at: datetime
    receipt: int
    """The leaf."""
    concerned: tuple[str, ...]
    """Departments that it is told to."""
    supervised: bool
    """Whether the authority's officers and auditors are told, too."""
    state: str = ""
    due_at: datetime | None = None
    consumer: str = ""
    provider: str = ""
    dataset: str = ""

    def is_for(self, reader: Identity, *, of_authority: bool) -> bool:
        """Whether it is told to ``reader``."""
        supervises = of_authority and reader.role in (Role.OFFICER, Role.AUDITOR)
        return reader.department in self.concerned or (self.supervised and supervises)


Told = Callable[[int, Mapping[str, Any]], Notice]
"""From a leaf's index and its statement to the notice."""


def _of_application(leaf_index: int, said: Mapping[str, Any]) -> Notice:
    due_at = said.get("due_at")
    return Notice(
        name=f"applications/{said['application']}",
        kind=EntryKind.APPLICATION,
        act=said["act"],
        at=datetime.fromisoformat(said["recorded_at"]),
        receipt=leaf_index,
        concerned=tuple(said["concerned"]),
        supervised=bool(said["provider"]),  # of drafts nobody is named
        state=said["after"],
        due_at=None if due_at is None else datetime.fromisoformat(due_at),
        consumer=said["consumer"]["department"],
        provider=said["provider"],
        dataset=said["dataset"],
    )


def _of_disposal(leaf_index: int, said: Mapping[str, Any]) -> Notice:
    kind = EntryKind(said["kind"])
    certified = "partial" if said.get("exceptions") else "certified"
    act, state = {
        EntryKind.DISPOSAL_ORDER: ("order", "open"),
        EntryKind.DISPOSAL_CERTIFICATE: ("certify", certified),
        EntryKind.DISPOSAL_MISSING: ("miss", "overdue"),
    }[kind]
    consumer, provider = said["consumer"]["department"], said["provider"]
    return Notice(
        name=f"disposals/{said.get('of', leaf_index)}",
        kind=kind,
        act=act,
        at=datetime.fromisoformat(said["recorded_at"]),
        receipt=leaf_index,
        concerned=(consumer, provider),
        supervised=True,
        state=state,
        due_at=datetime.fromisoformat(said["due_at"]),
        consumer=consumer,
        provider=provider,
        dataset=said["dataset"],
    )


def _of_correction(leaf_index: int, said: Mapping[str, Any]) -> Notice:
    """Of a notice to who received a wrong value, the consumer is who is told."""
    kind = EntryKind(said["kind"])
    act, state = {
        EntryKind.CORRECTION_REPORT: ("report", "open"),
        EntryKind.CORRECTION_ANSWER: ("answer", said.get("settlement", "")),
        EntryKind.CORRECTION_OVERDUE: ("miss", "overdue"),
        EntryKind.CORRECTION_NOTICE: ("tell", "corrected"),
    }[kind]
    consumer, provider = said["consumer"]["department"], said["provider"]
    waits = kind in (EntryKind.CORRECTION_REPORT, EntryKind.CORRECTION_OVERDUE)
    return Notice(
        name=f"corrections/{said.get('correction', leaf_index)}",
        kind=kind,
        act=act,
        at=datetime.fromisoformat(said["recorded_at"]),
        receipt=leaf_index,
        concerned=(consumer, provider),
        supervised=True,
        state=state,
        due_at=datetime.fromisoformat(said["due_at"]) if waits else None,
        consumer=consumer,
        provider=provider,
        dataset=said["dataset"],
    )


TOLD: Mapping[EntryKind, Told] = {
    EntryKind.APPLICATION: _of_application,
    EntryKind.CORRECTION_REPORT: _of_correction,
    EntryKind.CORRECTION_ANSWER: _of_correction,
    EntryKind.CORRECTION_OVERDUE: _of_correction,
    EntryKind.CORRECTION_NOTICE: _of_correction,
    EntryKind.DISPOSAL_ORDER: _of_disposal,
    EntryKind.DISPOSAL_CERTIFICATE: _of_disposal,
    EntryKind.DISPOSAL_MISSING: _of_disposal,
}
"""Kinds of leaves of which there are notices."""


@dataclass(frozen=True, slots=True)
class Notices:
    """The notices of one log. Safe for use by many threads."""

    store: Store

    def last(self) -> int:
        """The newest leaf; -1 in an empty log."""
        return self.store.head().size - 1

    def after(self, leaf_index: int) -> tuple[list[Notice], int]:
        """At most :data:`AT_ONCE` notices after a leaf, in the log's order, and the leaf up to which these
        are all. What was erased is passed over.

        Raises:
            Unavailable: the database cannot be reached.
        """
        last = self.last()  # first: what comes meanwhile is told next time
        leaves = self.store.told(list(TOLD), leaf_index, AT_ONCE)
        found = [
            TOLD[leaf.entry.kind](leaf.index, orjson.loads(leaf.entry.statement))
            for leaf in leaves
            if leaf.entry.statement
        ]
        return found, leaves[-1].index if len(leaves) == AT_ONCE else max(last, leaf_index)
