"""What the receipt log asks of a database: the seam between ``receipt`` and ``store``.

One writer at a time, over all threads, processes and hosts, holds the append transaction; what it reads
there nobody can change before it commits. Every method may raise
:class:`broker.errors.Unavailable` (``LOG_UNAVAILABLE``) when the database cannot be reached.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from broker.model import Charge, Entry, FiledApplication, Need, ReceiptFilter, State, Verdict

RequestKey = tuple[str, str]
"""(consumer uri, request id): what makes a retry a retry."""


class QuotaExceeded(Exception):
    """An entry's charge does not fit into its quota, so the entry was not recorded."""

    def __init__(self, charge: Charge) -> None:
        self.charge = charge
        super().__init__("quota exceeded")


class EpochMoved(Exception):
    """Another epoch is in force than the entry was decided under, so it was not recorded: decide again."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        """Of the epoch in force."""
        super().__init__("epoch moved")


class LeaseLost(Exception):
    """The stream has its lease no longer, but an outcome already: this one was not recorded."""


class DeliverySettled(Exception):
    """The delivery waits for no acknowledgement, or is known to lack one: nothing was recorded."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far the log reaches: number of leaves, when the last of them was recorded, the sequence of the
    epoch in force (0 before the first), and the leaf that names the key which signs (0, the genesis leaf, at
    first)."""

    size: int
    recorded_at: datetime
    epoch: int = 0
    log_key: int = 0


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf with what belongs to it. Read back, ``entry`` lacks the request id and the charges, and its
    statement is empty once it was erased; ``log_entry`` (what the tree hashes) always stays."""

    index: int
    log_entry: bytes
    entry: Entry


@dataclass(frozen=True, slots=True)
class Claim:
    """A used request id: which leaf answered it, and what was asked and answered. That of a stream without
    a complete outcome points to its decision, and has no digest."""

    leaf_index: int
    request_mac: bytes
    answer_digest: bytes
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Lease:
    """A stream under way: who renews it in time goes on, who does not is closed as interrupted."""

    opening: int
    """The leaf that opened the stream; also tells its attempts apart, for a later one has a larger index."""
    key: RequestKey
    """At most one stream under way has it."""
    milliseconds: int
    """How long it holds without being renewed."""
    renewals: int
    unfinished: bytes
    """The statement of the outcome if it ran out now, all but ``decision_leaf`` and why; dated when its
    holder last recorded how far the stream had come."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that waits to be acknowledged, or that its consumer disputes."""

    leaf_index: int
    """The exchange or stream outcome that delivered."""
    due_at: datetime | None
    """By when it must be acknowledged; None: it is only disputed."""
    missing: int | None = None
    """The leaf that says it was not acknowledged in time."""
    disputed: int | None = None
    """The leaf that says the consumer received something else."""


@dataclass(frozen=True, slots=True)
class DeliveryOnRecord:
    """A delivery with what its leaf is listed by."""

    delivery: Delivery
    entry: Entry
    """As read back from the log, without statement."""


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries to list; empty means any. The last two are what the reader may see."""

    consumer: str = ""
    """Department id."""
    overdue_at: datetime | None = None
    """Only those that were due by then, or are disputed."""
    party: str = ""
    """Only those in which this department is provider or consumer."""
    consumer_uri: str = ""
    """Only those of this caller."""


@dataclass(frozen=True, slots=True)
class ApplicationFilter:
    """Which applications to list; empty means any. The last two are what the reader may see."""

    state: State | None = None
    consumer: str = ""
    """Department id."""
    provider: str = ""
    """Likewise."""
    overdue: bool = False
    """Only those whose limit has passed."""
    reader: str = ""
    """Department that reads: it sees what concerns it."""
    sees_filed: bool = False
    """It sees all that was filed, too."""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A signed checkpoint that enough witnesses have cosigned."""

    size: int
    """Number of leaves under it."""
    note: str
    """With the log's signature and theirs (C2SP tlog-cosignature)."""


@dataclass(frozen=True, slots=True)
class NeedOnRecord:
    """A need with the leaves and times that it was first and last asked for, and how often."""

    need: Need
    applications: int
    first_leaf: int
    last_leaf: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class GrantOnRecord:
    """An application that is a grant, with what that stands on."""

    filed: FiledApplication
    statement: bytes
    """Of the leaf of its last act; empty when it is not there."""
    acts: tuple[bytes, ...]
    """The signed messages that are held beside its leaves."""


@dataclass(frozen=True, slots=True)
class CrlInForce:
    """A revocation list as epochs name it."""

    number: int
    digest: bytes
    """SHA-256 of the PEM file."""


class NeedTable(Protocol):
    """The list of needs, within an append transaction."""

    def known(self, keys: Collection[str]) -> set[str]:
        """Those of the keys whose need is on record."""
        ...

    def record(self, leaves: Sequence[Leaf]) -> None:
        """Put the needs of these leaves on record, or count them again."""
        ...


class DeliveryTable(Protocol):
    """The deliveries that wait to be acknowledged, within an append transaction."""

    def among(self, leaves: Collection[int]) -> dict[int, Delivery]:
        """Those of the leaves whose delivery waits, or is disputed."""
        ...

    def settle(self, changed: Mapping[int, Delivery | None]) -> None:
        """Write what has become of deliveries; None: acknowledged, and so on the table no longer."""
        ...


class LeaseTable(Protocol):
    """The leases, within an append transaction."""

    def live(self) -> list[Lease]:
        """All of them, by opening leaf."""
        ...

    def settle(
        self, begun: Collection[Lease], ended: Collection[int], answered: Mapping[RequestKey, Claim]
    ) -> None:
        """Write leases that begin, take away those that these leaves opened, and let request ids that
        streams have claimed point to the outcomes that answered them."""
        ...


class ChainTable(Protocol):
    """Which certificates the log has the chains of, within an append transaction."""

    def known(self, fingerprints: Collection[bytes]) -> set[bytes]:
        """Those of the certificates whose chain has a leaf."""
        ...

    def crl(self) -> CrlInForce | None:
        """The revocation list in force; None before the first epoch."""
        ...

    def record(self, leaves: Mapping[bytes, int]) -> None:
        """Write down which leaf has the chain of a certificate."""
        ...


class AppendTransaction(Protocol):
    """The exclusive right to append; commits when its ``with`` block ends, rolls back on an exception."""

    @property
    def head(self) -> Head:
        """The head that this transaction extends."""
        ...

    def tile(self, level: int, index: int) -> bytes:
        """As :meth:`Journal.tile`; to be asked before :meth:`put`."""
        ...

    @property
    def leases(self) -> LeaseTable:
        """The leases, as they will be committed."""
        ...

    @property
    def needs(self) -> NeedTable:
        """The list of needs, likewise."""
        ...

    @property
    def deliveries(self) -> DeliveryTable:
        """The deliveries that wait to be acknowledged, likewise."""
        ...

    @property
    def chains(self) -> ChainTable:
        """The certificates whose chains are in the log, likewise."""
        ...

    def claims(self, keys: Collection[RequestKey]) -> dict[RequestKey, Claim]:
        """Those of the request ids that were used before."""
        ...

    def used(self, counters: Collection[str]) -> dict[str, int]:
        """How much of each quota is used up; a counter never charged is absent."""
        ...

    def put(
        self,
        leaves: Sequence[Leaf],
        tiles: Mapping[tuple[int, int], bytes],
        used: Mapping[str, int],
        recorded_at: datetime,
    ) -> None:
        """Write leaves that follow the head, the tiles (level, index) and quotas that they change, which
        deliveries wait to be acknowledged from now on, and the new head. At most once in a transaction."""
        ...


class Journal(Protocol):
    """A database that holds leaves, statements, tiles, used request ids and quotas."""

    def append_transaction(self) -> AbstractContextManager[AppendTransaction]:
        """Waits for the exclusive right to append."""
        ...

    def head(self) -> Head:
        """The committed head; size 0 for a new log."""
        ...

    def tile(self, level: int, index: int) -> bytes:
        """A committed tile, 1 to 256 hashes of 32 bytes; empty when there is none."""
        ...

    def leaf(self, index: int) -> Leaf | None:
        """One committed leaf."""
        ...

    def leaves(self, wanted: ReceiptFilter, before: int | None, limit: int) -> list[Leaf]:
        """At most ``limit`` matching leaves with an index below ``before``, newest first."""
        ...

    def acts(self, index: int, approvals: Collection[str]) -> list[bytes]:
        """The signed messages that are held beside a leaf, and of the approvals of policies those with these
        digests (hexadecimal)."""
        ...

    def chain_leaves(self, fingerprints: Collection[bytes]) -> dict[bytes, int]:
        """The leaves that have the chains of these certificates, as far as there are any."""
        ...

    def cosigned(self) -> Cosigned | None:
        """The newest checkpoint that enough witnesses have cosigned; None before the first."""
        ...

    def needs(self, consumer: str, before: int | None, limit: int) -> list[NeedOnRecord]:
        """At most ``limit`` needs, of one department if it is named, whose first leaf has an index below
        ``before``; newest first."""
        ...

    def deliveries(self, wanted: DeliveryFilter, after: int, limit: int) -> list[DeliveryOnRecord]:
        """At most ``limit`` matching deliveries that wait to be acknowledged, or are disputed, of leaves
        above ``after``; oldest first."""
        ...
