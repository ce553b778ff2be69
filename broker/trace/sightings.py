"""From a key to the receipts: who asked, in which case, when; by the subjects' tags where there are any."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.keys.keyring import Keyring
from broker.marks import Marks, Recogniser
from broker.model import EntryKind
from broker.releases import released_fields
from broker.trace.contexts import Contexts, Key

MOST_RECEIPTS = 50
"""Told of one finding; the others are counted."""
MOST_PAIRS = 5_000_000
"""Of person and receipt are compared at most; of more people a sample is taken."""
TAGGED = 2.0**-64
"""At most the chance that a wrong identifier fits one of the tags, of 128 bits, in a whole log."""
ANSWERS = frozenset({EntryKind.EXCHANGE, EntryKind.STREAM_OUTCOME})
"""Kinds of statement that tell what was released."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A receipt under which what was found may have been released, or was."""

    leaf_index: int
    recorded_at: str
    caller: str
    """SPIFFE id of the system."""
    operator: str
    """经办人."""
    case_no: str
    service_item: str
    rows: int
    subjects: int
    """Named in it; 0 where it is of all in scope."""
    met: int
    """Of them were found in the file; 0 where that cannot be told."""
    interrupted: bool

    @classmethod
    def of(cls, leaf_index: int, statement: Mapping[str, Any], met: int) -> Sighting:
        """That of a statement with an outcome."""
        outcome = statement["outcome"]
        return cls(
            leaf_index,
            statement["recorded_at"],
            statement["consumer"]["uri"],
            statement["operator"],
            statement["case_no"],
            statement["service_item"],
            outcome["rows"]["released"],
            len(statement["subject_tags"]),
            met,
            outcome["interrupted"],
        )

    @property
    def sure(self) -> bool:
        """Whether somebody found in the file was released under this very receipt."""
        return self.met > 0


@dataclass(slots=True)
class Sightings:
    """The receipts of one finding."""

    by_tag: int = 0
    """Receipts that name somebody found in the file."""
    at_large: int = 0
    """Receipts that name nobody, or of which it cannot be told: streams of all in scope."""
    _best: list[tuple[int, int, Sighting]] = field(default_factory=list)

    def add(self, sighting: Sighting) -> None:
        """Keeps those that met most, then the latest."""
        self.by_tag += sighting.sure
        self.at_large += not sighting.sure
        heapq.heappush(self._best, (sighting.met, sighting.leaf_index, sighting))
        if len(self._best) > MOST_RECEIPTS:
            heapq.heappop(self._best)

    @property
    def told(self) -> list[Sighting]:
        """The best first."""
        return [sighting for _, _, sighting in sorted(self._best, reverse=True)]


def sight(
    said: Iterable[tuple[int, Mapping[str, Any]]],
    contexts: Contexts,
    people: Mapping[Key, Collection[str]],
    marks: Marks,
    keyring: Keyring,
    receipts: int,
) -> dict[Key, Sightings]:
    """The receipts of the keys in ``people``, each with the identifiers that were found, if they could be.

    A receipt that names its subjects, none of whom was found, is no sighting. ``receipts`` is about how many
    there are.
    """
    most = max(1, MOST_PAIRS // max(1, receipts))
    sampled = {key: sorted(found)[:most] for key, found in people.items()}
    recogniser = marks.recogniser({one for some in sampled.values() for one in some}, keyring)
    sightings = {key: Sightings() for key in people}
    for leaf_index, statement in said:
        rows = statement.get("outcome", {}).get("rows", {}).get("released", 0)
        if statement["kind"] not in ANSWERS or not rows:
            continue
        keys = {contexts.key_of(released) for released in released_fields(statement)}
        for key in keys & sightings.keys():
            if key is not None:
                _sight(sightings[key], leaf_index, statement, sampled[key], recogniser, key.key_version)
    return sightings


def _sight(
    sightings: Sightings,
    leaf_index: int,
    statement: Mapping[str, Any],
    people: Sequence[str],
    recogniser: Recogniser,
    version: int,
) -> None:
    tags = statement["subject_tags"]
    met = sum(recogniser.names(statement, one, version) for one in people)
    if tags and people and not met:
        return
    sightings.add(Sighting.of(leaf_index, statement, met))
