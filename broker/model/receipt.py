"""What is recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

from broker.model.disposal import Retained
from broker.model.exchange import Charge, Verdict

if TYPE_CHECKING:
    from broker.reasons import Reason


class EntryKind(StrEnum):
    """What a leaf of the log attests."""

    GENESIS = "genesis"
    CERTIFICATE_CHAIN = "certificate_chain"
    """A certificate acts for the first time: in the leaf that follows, or one soon after."""
    EPOCH = "epoch"
    """Something was published, revoked, suspended or lifted: what follows was decided under it."""
    EXCHANGE = "exchange"
    """A unary exchange: decision and outcome in one."""
    VALIDATION = "validation"
    STREAM_DECISION = "stream_decision"
    STREAM_OUTCOME = "stream_outcome"
    REDELIVERED = "redelivered"
    DETOKENIZATION = "detokenization"
    """Tokens were turned back, or that was refused."""
    TRACE = "trace"
    """Somebody looked to whom the tokens in a leaked file were released."""
    LOG_KEY = "log_key"
    """Another key signs the log from here on."""
    RETENTION = "retention"
    """Statements whose time is over are erased."""
    SUBJECT_ACCESS = "subject_access"
    """A person was told what the log has of them."""
    SUBJECT_FORGOTTEN = "subject_forgotten"
    """A person's key was destroyed; whose, nobody can tell."""
    AUDIT_READ = "audit_read"
    """An auditor was given receipts to read."""
    COMMITMENT = "commitment"
    """A use commitment is lodged, to stand for a period."""
    ACKNOWLEDGEMENT = "acknowledgement"
    """The consumer has signed for what it received."""
    ACKNOWLEDGEMENT_DISPUTED = "acknowledgement_disputed"
    """The consumer has signed that it received something else than was recorded."""
    ACKNOWLEDGEMENT_MISSING = "acknowledgement_missing"
    """It has not signed by the deadline."""
    APPLICATION = "application"
    """Something was done to an application that people decide."""
    DISPOSAL_ORDER = "disposal_order"
    """The consumer must dispose of what it received."""
    DISPOSAL_CERTIFICATE = "disposal_certificate"
    """It has signed that it did."""
    DISPOSAL_MISSING = "disposal_missing"
    """It has not signed by the deadline."""
    CORRECTION_REPORT = "correction_report"
    """A consumer reports that something that it received is wrong."""
    CORRECTION_ANSWER = "correction_answer"
    """The provider's officer has signed what came of it."""
    CORRECTION_OVERDUE = "correction_overdue"
    """The provider has not answered by the deadline."""
    CORRECTION_NOTICE = "correction_notice"
    """Who received a value that was wrong is told."""
    DELEGATION = "delegation"
    """An officer lets another review in their place, or has taken that back."""


@dataclass(frozen=True, slots=True)
class SubjectMark:
    """What a statement holds in a person's place."""

    tag: bytes
    """16 bytes by which the holder of the person's key finds the receipt."""
    number: bytes = b""
    """Which of the person's receipts it is, sealed under that key; empty where there is no vault."""


@dataclass(frozen=True, slots=True)
class LeaseBegin:
    """The entry opens a stream: its leaf and the stream's lease are recorded together, or neither."""

    milliseconds: int
    unfinished: bytes
    """The statement of the outcome if the lease ran out now: see :class:`broker.journal.Lease`."""


@dataclass(frozen=True, slots=True)
class LeaseEnd:
    """The entry is a stream's outcome: it is recorded if the stream still has its lease, and ends that."""

    opening: int
    """The leaf that opened the stream."""
    renewals: int | None = None
    """Only if it was renewed so often and no oftener; None, for who holds it: however often."""


@dataclass(frozen=True, slots=True)
class Need:
    """A need (需求) that nobody supplies yet: what was asked for, by whom, what for. Every word is an id."""

    consumer: str
    """Department id."""
    dataset: str
    """As asked for; the catalog may not have it."""
    purpose: str
    fields: tuple[str, ...]
    """In ascending order."""
    cause: Reason
    """Why it was refused; two applications that differ in nothing else are of one need."""

    @property
    def key(self) -> str:
        """What makes it this need: SHA-256 in hexadecimal."""
        named = "\n".join((self.consumer, self.dataset, self.purpose, *self.fields))
        return sha256(named.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class CertificateChain:
    """A certificate by which somebody acts, up to and including the authority's."""

    holder: str
    """SPIFFE id."""
    fingerprint: bytes
    """SHA-256 of the first of :attr:`certificates`."""
    certificates: tuple[bytes, ...]
    """DER, the holder's first."""


@dataclass(frozen=True, slots=True)
class Particulars:
    """What receipts are looked up by, beside parties and time; empty where the statement does not tell."""

    operator: str = ""
    """经办人."""
    case_no: str = ""
    """办件编号."""
    service_item: str = ""
    """事项编码."""
    rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    """Codes, each once."""
    subject_tags: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A statement on its way into the log, with what the store indexes of it."""

    kind: EntryKind
    statement: bytes
    """UTF-8 JSON; its hash is the leaf."""
    recorded_at: datetime
    consumer: str = ""
    """Department id."""
    consumer_uri: str = ""
    provider: str = ""
    dataset: str = ""
    purpose: str = ""
    verdict: Verdict | None = None
    request_id: str = ""
    """Empty: the entry does not claim a request id."""
    request_mac: bytes = b""
    """Keyed digest of the whole request: tells a retry from another request under the same id."""
    answer_digest: bytes = b""
    """Salted digest of what was released; equal digests make a retry a redelivery."""
    charges: tuple[Charge, ...] = ()
    epoch: int | None = None
    """Sequence of the epoch it was decided under: it is recorded in that one or not at all. None for what
    only tells a fact (that a stream broke off), true in whichever epoch."""
    lease: LeaseBegin | LeaseEnd | None = None
    """What it does to a stream's lease."""
    particulars: Particulars | None = None
    """Those of the statement, where they are known without reading it again."""
    need: Need | None = None
    """The need that it enters, or counts again; its charges are then settled only for a new one."""
    marks: tuple[SubjectMark, ...] = ()
    """Of the subjects that the statement is about, in their order."""
    acknowledge_by: datetime | None = None
    """Of a delivery that the consumer must acknowledge: by when."""
    retained: Retained | None = None
    """Of a leaf that tells of records handed over which must be disposed of one day."""
    delivery: int | None = None
    """The delivery, by its leaf, that it acknowledges, disputes or says to be unacknowledged."""
    chains: tuple[CertificateChain, ...] = ()
    """Of the certificates that act in it; each is put into the log once, before what it first acts in."""
    acts: tuple[bytes, ...] = ()
    """Signed messages whose digests the statement names; held beside it, apart from the log."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """存证回执: a statement, its place in the log, the proof that it is there, and the signed log head."""

    statement: bytes
    leaf_index: int
    tree_size: int
    proof: tuple[bytes, ...]
    """RFC 6962 §2.1.1 audit path, SHA-256 hashes from the leaf upwards."""
    checkpoint: str
    """C2SP signed note over origin, tree size and root."""
    successions: tuple[str, ...] = field(default=(), compare=False)
    """Signed successions of the log's key, oldest first: how an earlier key leads to the one that signed;
    empty while the log has had one key. They prove themselves to whoever trusts one of the keys."""
    acts: tuple[bytes, ...] = field(default=(), compare=False, repr=False)
    """The signed messages that the statement names, where they were asked for."""
    chains: tuple[Receipt, ...] = field(default=(), compare=False, repr=False)
    """With them: the receipts of the certificate chains of who asked and who signed."""


@dataclass(frozen=True, slots=True)
class ReceiptFilter:
    """Which receipts to list; empty means any. ``party`` and ``consumer_uri`` are what the reader may see."""

    department: str = ""
    """Provider or consumer."""
    dataset: str = ""
    purpose: str = ""
    verdict: Verdict | None = None
    kind: EntryKind | None = None
    operator: str = ""
    case_no: str = ""
    service_item: str = ""
    rule: str = ""
    reason: str = ""
    """Code of a reason that the statement gives."""
    subject_tags: tuple[bytes, ...] = ()
    """At least one of these, if there are any."""
    since: datetime | None = None
    until: datetime | None = None
    party: str = ""
    """Only receipts in which this department is provider or consumer."""
    consumer_uri: str = ""
    """Only receipts of this caller."""
