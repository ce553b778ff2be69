"""What the log has of one person, found by the tags of the person's own key, and what is missing.

1. the vault says which numbers it gave out for the person, for which request, at which time;
2. the database has the statements of those times; those that bear a tag of the person, and that the log
   proves, are told;
3. a number whose statement is not there is looked for in the log itself, by the statement's hash: a leaf
   without its statement was erased, or is being hidden; where there is no leaf, none was ever recorded;
4. streams of all in scope name nobody: those that the log has are told as such.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any

import orjson

from broker.journal import Leaf
from broker.keys.keyring import Keyring
from broker.marks import NUMBERS, Recogniser
from broker.model import EntryKind
from broker.receipt.merkle import LEAF_VERSION, leaf_hash
from broker.receipt.retention import Expiry, covering
from broker.receipt.statement import key_version
from broker.store.store import Store
from broker.subject_access.proved import ProvedLog
from broker.vault.seals import Issued
from broker.vault.vault import History, Vault

LATE = timedelta(minutes=10)
"""What is delivered again is dated when it is recorded: so long after its statement at most."""
ALWAYS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
UNDER_WAY = timedelta(minutes=2)
"""A number may be given out so long before its statement is recorded."""


@dataclass(frozen=True, slots=True)
class Told:
    """A receipt that is about the person, as the log proves."""

    leaf_index: int
    number: int | None
    """Which of the person's receipts it is; None for one from before there was a vault."""
    place: int
    """Which of the statement's subjects the person is, from 0 on."""
    statement: Mapping[str, Any]

    @property
    def opens(self) -> bool:
        """Whether it opens a stream, which has an outcome of its own."""
        return "lease_seconds" in self.statement and "decision_leaf" not in self.statement


class Nature(StrEnum):
    """Why a number has no receipt."""

    ERASED = "erased"
    """The log has the leaf; its statement was erased or is being hidden. Or it is of a repetition that may be
    among the leaves whose statements are not there; which of them it is cannot be told then."""
    EXPIRED = "expired"
    """Likewise, but a leaf says that it was erased because its time was over."""
    UNRECORDED = "unrecorded"
    """The log never recorded the statement: the call came to nothing, or its receipt was left out."""
    REPEATED = "repeated"
    """Likewise, but the request came again and has a receipt under another number."""
    UNDER_WAY = "under_way"
    """The number was given out just now, or its leaf is not under the log's signed head yet."""
    LOST = "lost"
    """The vault itself has lost what it knew of the number."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A number without a receipt."""

    number: int
    nature: Nature
    at: datetime | None
    """When it was given out; None for one lost."""
    leaf_index: int | None = None
    """Of one erased or expired."""
    told_by: int | None = None
    """Of one expired: the leaf that says so."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """Streams of all in scope: whether the person was in them, no receipt says."""

    consumer: str
    provider: str
    dataset: str
    purpose: str
    releases: int
    rows: int
    first_at: str
    last_at: str
    leaves: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class View:
    """What the log has of a person."""

    known: bool
    """Whether the vault knows the person."""
    told: tuple[Told, ...]
    """In the order of the log."""
    gaps: tuple[Gap, ...]
    doubled: tuple[int, ...]
    """Numbers that several requests bear: the vault was set back to an earlier state."""
    bulk: tuple[Bulk, ...]

    @property
    def unfinished(self) -> set[int]:
        """Leaves that open streams whose outcome is not told."""
        ended = {one.statement.get("decision_leaf") for one in self.told}
        opened = {one.leaf_index for one in self.told if one.opens}
        return {leaf for leaf in opened if leaf not in ended}

    @property
    def missing(self) -> tuple[Gap, ...]:
        """The gaps that no other receipt explains."""
        explained = (Nature.REPEATED, Nature.UNDER_WAY, Nature.EXPIRED)
        return tuple(gap for gap in self.gaps if gap.nature not in explained)

    @property
    def expired(self) -> int:
        """How many of the person's receipts are too old to be told."""
        return sum(gap.nature is Nature.EXPIRED for gap in self.gaps)


@dataclass(frozen=True, slots=True)
class Viewer:
    """What the citizen's view needs of the authority's host."""

    store: Store
    log: ProvedLog
    keyring: Keyring
    vault: Vault | None
    """None where the broker has none: then receipts are found by the keyring, and no omission shows."""
    now: datetime

    def view(self, subject: str, *, thorough: bool = False) -> View:
        """Everything that the log has of the subject up to its signed head.

        ``thorough`` compares every statement, where else the vault tells which: after a vault was restored
        it does not know what was recorded since its backup.

        Raises:
            Unavailable: database or vault cannot be read.
            VerificationFailed: the database's tree is not what was signed.
        """
        history = None if self.vault is None else self.vault.history(subject)
        recogniser = Recogniser(self.keyring, {} if history is None else {subject: history.key})
        leaves = {leaf.index: leaf for leaf in self._scanned(subject, recogniser, thorough=thorough)}
        if history is not None:
            leaves |= self._dated(history, subject, recogniser)
        told, under_way = [], set[int | None]()
        for leaf in (leaves[index] for index in sorted(leaves)):
            if (one := _told(leaf, subject, recogniser)) is None:
                continue
            if self.log.has(leaf):
                told.append(one)
            elif leaf.index >= self.log.head.size:
                under_way.add(one.number)
        if not thorough and history is not None and self._repeats(history, told):
            return self.view(subject, thorough=True)
        requests: dict[int, set[str]] = defaultdict(set)
        for one in told:
            if one.number is not None:
                requests[one.number].add(one.statement["request_id"])
        return View(
            known=history is not None,
            told=tuple(told),
            gaps=() if history is None else tuple(self._gaps(history, requests, under_way)),
            doubled=tuple(sorted(number for number, of in requests.items() if len(of) > 1)),
            bulk=tuple(self._bulk()),
        )

    # ── receipts ─────────────────────────────────────────────────────────────────────────────────

    def _scanned(self, subject: str, recogniser: Recogniser, *, thorough: bool) -> Iterator[Leaf]:
        """The leaves about the subject from before there was a vault, or of the whole log."""
        until = None if self.vault is None or thorough else self.vault.created + UNDER_WAY
        with self.store.searches() as searches:
            for leaf in searches.until(until):
                if _told(leaf, subject, recogniser) is not None:
                    yield leaf

    def _dated(self, history: History, subject: str, recogniser: Recogniser) -> dict[int, Leaf]:
        """The leaves recorded when the numbers were given out, and the outcomes of streams among them. There
        may be others' beside them."""
        with self.store.searches() as searches:
            found = {leaf.index: leaf for leaf in searches.dated([one.at for one in history.issued])}
            mine = [leaf for leaf in found.values() if _told(leaf, subject, recogniser) is not None]
            dated = {leaf.entry.recorded_at for leaf in mine}
            for one in history.issued:
                if one.at not in dated:
                    found |= {leaf.index: leaf for leaf in searches.redelivered(one.at, one.at + LATE)}
            for leaf in list(found.values()):
                if _opens(leaf) and _told(leaf, subject, recogniser) is not None:
                    uri = leaf.entry.consumer_uri
                    later = searches.of_kind(EntryKind.STREAM_OUTCOME, leaf.index + 1, uri)
                    found |= {end.index: end for end in islice(filter(_ends(leaf.index), later), 1)}
        return found

    @staticmethod
    def _repeats(history: History, told: Sequence[Told]) -> bool:
        """Whether a number without receipt is of a request that has one: it may be that of a repetition,
        whose statement is not the one that the vault knows."""
        numbers, requests = {one.number for one in told}, {one.statement["request_id"] for one in told}
        return any(one.number not in numbers and one.request_id in requests for one in history.issued)

    # ── what is missing ──────────────────────────────────────────────────────────────────────────

    def _gaps(
        self, history: History, told: Mapping[int, Collection[str]], under_way: Collection[int | None]
    ) -> Iterator[Gap]:
        issued = {one.number: one for one in history.issued}
        missing = [number for number in range(1, history.last + 1) if number not in told]
        hashes = {number: _leaf_hash(issued[number]) for number in missing if number in issued}
        leaves = self.log.find(hashes.values()) if hashes else {}
        requests = {request for several in told.values() for request in several}
        expiries = self._expiries() if leaves else []
        hidden: list[tuple[datetime, datetime]] | None = None
        for number in missing:
            if (one := issued.get(number)) is None:
                yield Gap(number, Nature.LOST, None)
            elif (leaf_index := leaves.get(hashes[number])) is not None:
                expiry = covering(expiries, leaf_index)
                if expiry is None:
                    yield Gap(number, Nature.ERASED, one.at, leaf_index)
                else:
                    yield Gap(number, Nature.EXPIRED, one.at, leaf_index, expiry.leaf_index)
            elif one.request_id in requests:
                hidden = self._hidden() if hidden is None else hidden
                erased = any(since <= one.at <= until for since, until in hidden)
                yield Gap(number, Nature.ERASED if erased else Nature.REPEATED, one.at)
            else:
                recent = number in under_way or one.at > self.now - UNDER_WAY
                yield Gap(number, Nature.UNDER_WAY if recent else Nature.UNRECORDED, one.at)

    def _expiries(self) -> list[Expiry]:
        """What the log says was erased because of its age."""
        with self.store.searches() as searches:
            acts = [leaf for leaf in searches.of_kind(EntryKind.RETENTION, 0) if self.log.has(leaf)]
        return [Expiry.of(leaf.index, orjson.loads(leaf.entry.statement)) for leaf in acts]

    def _hidden(self) -> list[tuple[datetime, datetime]]:
        """The times between which leaves were recorded whose statements are not there."""
        with self.store.searches() as searches:
            return [
                (_time(before, ALWAYS[0], -LATE), _time(after, ALWAYS[1], LATE))
                for before, after in self.log.bare(searches.until(None))
            ]

    # ── streams of all in scope ──────────────────────────────────────────────────────────────────

    def _bulk(self) -> Iterator[Bulk]:
        released: dict[tuple[str, str, str, str], list[tuple[int, str]]] = defaultdict(list)
        rows: Counter[tuple[str, str, str, str]] = Counter()
        with self.store.searches() as searches:
            for leaf in searches.of_kind(EntryKind.STREAM_OUTCOME, 0):
                if _about_somebody(leaf) is not None or not self.log.has(leaf):
                    continue
                said = orjson.loads(leaf.entry.statement)
                if count := said["outcome"]["rows"]["released"]:
                    key = (leaf.entry.consumer, leaf.entry.provider, leaf.entry.dataset, leaf.entry.purpose)
                    released[key].append((leaf.index, said["recorded_at"]))
                    rows[key] += count
        for key, found in sorted(released.items()):
            leaves = tuple(index for index, _ in found)
            yield Bulk(*key, len(found), rows[key], found[0][1], found[-1][1], leaves)


def _time(statement: bytes, otherwise: datetime, tolerance: timedelta) -> datetime:
    return (
        datetime.fromisoformat(orjson.loads(statement)["recorded_at"]) + tolerance if statement else otherwise
    )


def _leaf_hash(issued: Issued) -> bytes:
    return leaf_hash(LEAF_VERSION + issued.statement_sha256)


def _told(leaf: Leaf, subject: str, recogniser: Recogniser) -> Told | None:
    """What the leaf's statement tells of the subject; whether the log has it is another question."""
    if (said := _about_somebody(leaf)) is None:
        return None
    place = recogniser.place(said, subject, key_version(leaf.entry.statement) or None)
    return None if place is None else Told(leaf.index, _number(said, subject, place, recogniser), place, said)


def _number(said: Mapping[str, Any], subject: str, place: int, recogniser: Recogniser) -> int | None:
    """None for one of before there was a vault, or that does not open."""
    try:
        sealed = bytes.fromhex(said[NUMBERS][place])
        return recogniser.keys[subject].open(sealed, bytes.fromhex(said["subject_tags"][place]))
    except (KeyError, ValueError, IndexError):
        return None


def _about_somebody(leaf: Leaf) -> dict[str, Any] | None:
    """The statement, if it names subjects; most do not, and need not be parsed."""
    statement = _statement(leaf)
    if b'"subject_tags":["' not in statement:
        return None
    try:
        said: dict[str, Any] = orjson.loads(statement)
        texts = [said["request_id"], *said["subject_tags"], *said.get(NUMBERS, ())]
    except (ValueError, KeyError, TypeError, AttributeError):  # damaged: no statement that the log has
        return None
    return said if all(isinstance(text, str) for text in texts) else None


def _statement(leaf: Leaf) -> bytes:
    """SQLite keeps text where somebody has written text: that is no statement that the log has."""
    statement = leaf.entry.statement
    return statement if isinstance(statement, bytes) else b""


def _opens(leaf: Leaf) -> bool:
    return leaf.entry.kind is not EntryKind.STREAM_OUTCOME and b'"lease_seconds":' in _statement(leaf)


def _ends(opening: int) -> Callable[[Leaf], bool]:
    said = f'"decision_leaf":{opening},'.encode()
    return lambda leaf: said in _statement(leaf)
