"""The tables of the receipt log and of what is in force. Rows of the database, not words of the domain:
nothing outside sees them.

There are no foreign keys: every row of a batch is written by the one holder of the append lock, in one
transaction, and the Merkle tree proves more than a constraint could.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Text, text
from sqlmodel import Field, SQLModel

# SQLite makes a column its B-tree's key only if the type is spelled INTEGER; there it holds 64 bits too.
BIG = BigInteger().with_variant(Integer, "sqlite")


EMPTY: Mapping[str, Any] = {"server_default": ""}


def _where(condition: str) -> dict[str, Any]:
    """For an index of these rows only, in either database."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class HeadRow(SQLModel, table=True):
    """How far the log reaches: exactly one row, inserted by the first migration."""

    __tablename__ = "head"
    __table_args__ = (CheckConstraint("id = 1", name="head_is_one_row"),)

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    size: int = Field(sa_type=BIG)
    recorded_at: int = Field(sa_type=BIG)
    """Microseconds since 1970-01-01 UTC; never decreases."""
    log_key: int = Field(default=0, sa_type=BIG, sa_column_kwargs={"server_default": "0"})
    """The leaf that names the key under which heads larger than it are signed; 0, the genesis leaf, at
    first."""


class LeafRow(SQLModel, table=True):
    """One leaf: what the tree hashes, and what receipts are listed by. Outlives its statement."""

    __tablename__ = "leaf"
    __table_args__ = (
        Index("leaf_consumer", "consumer", "leaf_index"),
        Index("leaf_consumer_uri", "consumer_uri", "leaf_index"),
        Index("leaf_provider", "provider", "leaf_index"),
        Index("leaf_dataset", "dataset", "leaf_index"),
        Index("leaf_recorded_at", "recorded_at"),
        # Of what is absent or common there is no index: every one costs each append.
        Index("leaf_case_no", "case_no", "leaf_index", **_where("case_no <> ''")),
        Index("leaf_operator", "operator", "leaf_index", **_where("operator <> ''")),
        Index("leaf_reasons", "leaf_index", **_where("reasons <> ''")),
        Index("leaf_kind", "kind", "leaf_index", **_where("kind <> 'exchange'")),
        Index("leaf_verdict", "verdict", "leaf_index", **_where("verdict <> 'permit'")),
    )

    leaf_index: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    log_entry: bytes
    kind: str
    recorded_at: int = Field(sa_type=BIG)
    """Microseconds since 1970-01-01 UTC, as in the statement."""
    consumer: str
    consumer_uri: str
    provider: str
    dataset: str
    purpose: str
    verdict: str | None
    operator: str = Field(default="", sa_column_kwargs=EMPTY)
    case_no: str = Field(default="", sa_column_kwargs=EMPTY)
    service_item: str = Field(default="", sa_column_kwargs=EMPTY)
    rules: str = Field(default="", sa_column_kwargs=EMPTY)
    """With a blank before, after and between."""
    reasons: str = Field(default="", sa_column_kwargs=EMPTY)
    """Likewise."""


class StatementRow(SQLModel, table=True):
    """The statement behind a leaf, in a table of its own so that it can be erased."""

    __tablename__ = "statement"

    leaf_index: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    content: bytes


class SubjectTagRow(SQLModel, table=True):
    """A subject's tag in a leaf's statement. The table is its own index: there is nothing beside the key."""

    __tablename__ = "subject_tag"
    __table_args__ = {"sqlite_with_rowid": False}

    tag: bytes = Field(primary_key=True)
    leaf_index: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})


class TileRow(SQLModel, table=True):
    """One tile of the tree (C2SP tlog-tiles); the rightmost of a level grows, the others never change."""

    __tablename__ = "tile"

    level: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    tile_index: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    hashes: bytes


class RequestRow(SQLModel, table=True):
    """A used request id: the leaf that answered it, and what tells a retry from another request."""

    __tablename__ = "request"

    # The id leads the key: it alone finds the few rows, where SQLite scans the table for pairs in a list.
    request_id: str = Field(primary_key=True)
    consumer_uri: str = Field(primary_key=True)
    leaf_index: int = Field(sa_type=BIG)
    request_mac: bytes
    answer_digest: bytes
    verdict: str | None


class QuotaRow(SQLModel, table=True):
    """How much of a quota is used up; the counter's name holds rule, consumer and window."""

    __tablename__ = "quota"

    counter: str = Field(primary_key=True)
    used: int = Field(sa_type=BIG)


class EpochRow(SQLModel, table=True):
    """What is in force: one row, inserted by the first broker that starts, moved by whoever publishes."""

    __tablename__ = "epoch"
    __table_args__ = (CheckConstraint("id = 1", name="epoch_is_one_row"),)

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    sequence: int = Field(sa_type=BIG)
    """Grows by one with every act: a policy, a revocation list, a suspension published or lifted."""
    bundle_hash: str
    crl_number: str
    since: int = Field(sa_type=BIG)
    """Microseconds since 1970-01-01 UTC."""
    key_version: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """Of the keyring; 0 until a broker has named one."""
    key_fingerprint: str = Field(default="", sa_column_kwargs={"server_default": ""})


class BundleRow(SQLModel, table=True):
    """A bundle that was ever in force or proposed: the bytes whose SHA-256 is its hash."""

    __tablename__ = "bundle"

    hash: str = Field(primary_key=True)
    content: bytes


class CrlRow(SQLModel, table=True):
    """A revocation list that was ever in force, PEM. Its number has up to 20 octets (RFC 5280 §5.2.3), so it
    is text in decimal."""

    __tablename__ = "crl"

    number: str = Field(primary_key=True)
    pem: bytes


class SuspensionRow(SQLModel, table=True):
    """Something that is stopped until it is lifted: whom or what, why, by whom, since when."""

    __tablename__ = "suspension"

    number: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    """Sequence of the epoch that began with it."""
    target: str
    name: str
    reason: str
    actor: str
    since: int = Field(sa_type=BIG)
    lifted: int | None = Field(default=None, sa_type=BIG)
    """Sequence of the epoch that lifted it; null while it is in force."""
    provider: str = Field(default="", sa_column_kwargs=EMPTY)
    department: str = Field(default="", sa_column_kwargs=EMPTY)
    mend_by: int | None = Field(default=None, sa_type=BIG)
    """Microseconds since 1970-01-01 UTC; null: no time was set."""


class ProposalRow(SQLModel, table=True):
    """A bundle that an officer proposes to put in force."""

    __tablename__ = "proposal"
    __table_args__ = (Index("proposal_bundle", "bundle_hash", unique=True),)

    number: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    bundle_hash: str
    sequence: int = Field(sa_type=BIG)
    previous: str
    proposer: str
    reason: str
    proposed_at: int = Field(sa_type=BIG)
    """Microseconds since 1970-01-01 UTC, as are the times below."""
    signed: bytes
    """The proposer's COSE_Sign1; the columns before it only repeat what it and the bundle's manifest say."""
    checks: bytes
    """What the tools said of it, JSON."""


class ApprovalRow(SQLModel, table=True):
    """What an officer signed about a bundle. Only ``signed`` proves anything."""

    __tablename__ = "approval"
    __table_args__ = (
        Index("approval_bundle", "bundle_hash"),
        Index("approval_expires", "expires"),
    )

    digest: str = Field(primary_key=True)
    """SHA-256 of ``signed`` in hexadecimal."""
    bundle_hash: str
    expires: int = Field(sa_type=BIG)
    signed: bytes


class PublicationRow(SQLModel, table=True):
    """One bundle's coming into force."""

    __tablename__ = "publication"
    __table_args__ = (Index("publication_proposal", "proposal", unique=True),)

    sequence: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    bundle_hash: str
    epoch: int = Field(sa_type=BIG)
    published_at: int = Field(sa_type=BIG)
    actor: str
    reason: str
    proposal: int | None = Field(default=None, sa_type=BIG)
    """Its number; null for what an operator published without one."""


class LeaseRow(SQLModel, table=True):
    """A stream under way. Small: a row goes when its stream has its outcome."""

    __tablename__ = "lease"
    __table_args__ = (Index("lease_request", "request_id", "consumer_uri", unique=True),)

    opening: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    """Index of the leaf that opened it."""
    request_id: str
    consumer_uri: str
    milliseconds: int = Field(sa_type=BIG)
    """How long it holds without being renewed, by any clock: there is no time of day to compare."""
    renewals: int = Field(sa_type=BIG)
    unfinished: bytes
    """The statement of its outcome if it is not renewed."""


class DeliveryRow(SQLModel, table=True):
    """A delivery that waits to be acknowledged, or is disputed. Small: acknowledged, its row goes."""

    __tablename__ = "delivery"
    # Of those that are overdue for long there may be many; whoever looks for new ones must not read them all.
    __table_args__ = (
        Index(
            "delivery_due",
            "due_at",
            sqlite_where=text("missing IS NULL"),
            postgresql_where=text("missing IS NULL"),
        ),
    )

    leaf_index: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    """Of the exchange, or of the stream's outcome."""
    due_at: int | None = Field(default=None, sa_type=BIG)
    """Microseconds since 1970-01-01 UTC, as in its statement; null where it is only disputed."""
    missing: int | None = Field(default=None, sa_type=BIG)
    """Index of the leaf that says it was not acknowledged in time."""
    disputed: int | None = Field(default=None, sa_type=BIG)
    """Index of the leaf that says its consumer received something else."""


class RetainedRow(SQLModel, table=True):
    """Deliveries whose records are to be disposed of by one day, while no order says so: one row for all of a
    consumer, dataset, purpose and grant, which grows with each of them. Small: ordered, the row goes."""

    __tablename__ = "retained"
    __table_args__ = (Index("retained_dispose_by", "dispose_by"),)

    consumer: str = Field(primary_key=True)
    dataset: str = Field(primary_key=True)
    dispose_by: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    """Microseconds since 1970-01-01 UTC, as in the statements."""
    purpose: str = Field(primary_key=True)
    grant_number: str = Field(primary_key=True)
    """Empty for a standing approval."""
    provider: str = Field(primary_key=True)
    first_leaf: int = Field(sa_type=BIG)
    """No leaf before it is among them."""
    last_leaf: int = Field(sa_type=BIG)
    deliveries: int = Field(sa_type=BIG)


class DisposalRow(SQLModel, table=True):
    """A disposal order, and what came of it. There is one for many deliveries, so the rows stay."""

    __tablename__ = "disposal"
    # Whoever looks for those that become overdue must not read all that were settled.
    __table_args__ = (
        Index(
            "disposal_due",
            "due_at",
            sqlite_where=text("certificate IS NULL AND missing IS NULL"),
            postgresql_where=text("certificate IS NULL AND missing IS NULL"),
        ),
        Index("disposal_consumer", "consumer", "leaf_index"),
        Index("disposal_provider", "provider", "leaf_index"),
    )

    leaf_index: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    """Of the order; the other columns up to ``due_at`` are as in its statement."""
    consumer: str
    provider: str
    dataset: str
    purpose: str
    grant_number: str
    cause: str
    method: str
    deliveries: int = Field(sa_type=BIG)
    ordered_at: int = Field(sa_type=BIG)
    """Microseconds since 1970-01-01 UTC."""
    due_at: int = Field(sa_type=BIG)
    certificate: int | None = Field(default=None, sa_type=BIG)
    """Index of the leaf by which the consumer certified it."""
    exceptions: int = Field(default=0, sa_type=BIG)
    """How many deliveries it says were kept."""
    missing: int | None = Field(default=None, sa_type=BIG)
    """Index of the leaf that says there was no certificate in time."""


class CorrectionRow(SQLModel, table=True):
    """A correction that a consumer asked for. Stays when it is settled; what it holds of a person goes."""

    __tablename__ = "correction"
    __table_args__ = (
        Index("correction_due", "due_at", **_where("answered IS NULL")),
        Index("correction_receipt", "receipt"),
    )

    leaf_index: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    """Of the report."""
    receipt: int = Field(sa_type=BIG)
    """Index of the leaf that it is about."""
    error: str
    field_names: str
    """In ascending order, with a blank between."""
    due_at: int = Field(sa_type=BIG)
    """Microseconds since 1970-01-01 UTC, as in its statement."""
    settlement: str | None = None
    answered: int | None = Field(default=None, sa_type=BIG)
    """Index of the leaf of the answer."""
    overdue: int | None = Field(default=None, sa_type=BIG)
    """Index of the leaf that says that it was not answered in time."""
    told: int | None = Field(default=None, sa_type=BIG)
    """Index of the last of the leaves that tell who received the value; null until they are told."""
    held: bytes | None = None
    """Sealed: whom it is about and what would be right; null once nobody needs it any more."""
    request_mac: bytes | None = None
    """Of the report, by which a retry is known; null likewise."""


class CosignedRow(SQLModel, table=True):
    """The newest checkpoint that enough witnesses have cosigned: one row, or none before the first."""

    __tablename__ = "cosigned"
    __table_args__ = (CheckConstraint("id = 1", name="cosigned_is_one_row"),)

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    size: int = Field(sa_type=BIG)
    """As in the note."""
    note: str = Field(sa_type=Text)


class NeedRow(SQLModel, table=True):
    """A need: what a department asked for and nobody shares yet, however often it did."""

    __tablename__ = "need"
    __table_args__ = (
        Index("need_first_leaf", "first_leaf", unique=True),
        Index("need_consumer", "consumer", "first_leaf"),
    )

    key: str = Field(primary_key=True)
    """Digest of the next four, in hexadecimal: together they may be too long for a key."""
    consumer: str
    dataset: str
    purpose: str
    field_names: str
    """In ascending order, with a blank between."""
    cause: str
    """Why it was refused, the last time."""
    applications: int = Field(sa_type=BIG)
    first_leaf: int = Field(sa_type=BIG)
    last_leaf: int = Field(sa_type=BIG)
    first_at: int = Field(sa_type=BIG)
    """Microseconds since 1970-01-01 UTC, as in the statement of that leaf."""
    last_at: int = Field(sa_type=BIG)


class CertificateRow(SQLModel, table=True):
    """A certificate that has acted, and the leaf that has its chain."""

    __tablename__ = "certificate"

    fingerprint: str = Field(primary_key=True)
    """SHA-256 of its DER encoding, in hexadecimal."""
    leaf_index: int = Field(sa_type=BIG)


class ActRow(SQLModel, table=True):
    """A signed message that a statement names by its digest, apart from it, and erasable with it."""

    __tablename__ = "act"

    leaf_index: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(primary_key=True)
    """SHA-256 of ``content``, in hexadecimal."""
    content: bytes


class ApplicationRow(SQLModel, table=True):
    """An application that people decide, as its last act left it."""

    __tablename__ = "application"
    __table_args__ = (
        Index("application_wake_at", "wake_at", **_where("wake_at IS NOT NULL")),
        Index("application_state", "state", "number"),
    )

    number: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    version: int = Field(sa_type=BIG)
    state: str
    consumer: str
    provider: str
    concerned: str
    """Departments that may know of it, with a blank before, after and between."""
    filed: int
    """1 if it was ever filed, else 0: drafts are the consumer's alone."""
    overdue: int
    """1 if its limit has passed, else 0."""
    wake_at: int | None = Field(default=None, sa_type=BIG)
    """When the broker has something to do about it, in microseconds since 1970-01-01 UTC; null: nothing."""
    leaf_index: int = Field(sa_type=BIG)
    """Leaf of its last act."""
    content: bytes
    """The record, JSON; the columns before it only repeat what it says."""


class DelegationRow(SQLModel, table=True):
    """An officer who reviews in another's place."""

    __tablename__ = "delegation"

    number: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    officer: str
    """SPIFFE id of who delegates."""
    department: str
    """That officer's."""
    delegate: str
    """SPIFFE id."""
    delegate_department: str
    serial: str
    """Of the certificate by which it was given, hexadecimal."""
    valid_from: int = Field(sa_type=BIG)
    """Microseconds since 1970-01-01 UTC, as the next two."""
    valid_until: int = Field(sa_type=BIG)
    revoked_at: int | None = Field(default=None, sa_type=BIG)
    """Null: it was not taken back."""
    leaf_index: int = Field(sa_type=BIG)
    """Leaf of the last act about it."""


# The same as Core tables, for the append path, where the ORM would cost ten times the statement.
(
    HEAD,
    LEAF,
    STATEMENT,
    SUBJECT_TAG,
    TILE,
    REQUEST,
    QUOTA,
    EPOCH,
    BUNDLE,
    CRL,
    SUSPENSION,
    LEASE,
    NEED,
    DELIVERY,
    COSIGNED,
) = (
    SQLModel.metadata.tables[name]
    for name in (
        *("head", "leaf", "statement", "subject_tag", "tile", "request", "quota"),
        *("epoch", "bundle", "crl", "suspension", "lease", "need", "delivery", "cosigned"),
    )
)
PROPOSAL, APPROVAL, PUBLICATION, CERTIFICATE, ACT, APPLICATION, CORRECTION, DELEGATION = (
    SQLModel.metadata.tables[name]
    for name in (
        *("proposal", "approval", "publication", "certificate", "act", "application"),
        *("correction", "delegation"),
    )
)
RETAINED, DISPOSAL = (SQLModel.metadata.tables[name] for name in ("retained", "disposal"))
