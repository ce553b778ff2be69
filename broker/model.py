"""The words of the domain, as frozen records; every step speaks in these and in nothing else.

The order of the five steps lives in the types: ``desensitize`` and ``transmit`` take an
:class:`Approved`, which only a permit can make, so a refused exchange cannot reach the data.
Terms follow 《政务数据共享条例》 and ``docs/glossary.md``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.reasons import Reason

NOTHING: Mapping[str, str] = MappingProxyType({})


# ── who ──────────────────────────────────────────────────────────────────────────────────────────


class Role(StrEnum):
    """What a certificate's holder is, from the third segment of its SPIFFE id."""

    SYSTEM = "system"
    OFFICER = "officer"
    AUDITOR = "auditor"
    GATEWAY = "gateway"


class DepartmentKind(StrEnum):
    """Who may take part. Enterprises may not (authorised operation is another regime)."""

    AUTHORITY = "authority"
    GOVERNMENT = "government"
    PUBLIC_INSTITUTION = "public_institution"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, as proved by the client certificate; never taken from a request."""

    city: str
    department: str
    role: Role
    name: str
    serial: int
    not_after: datetime
    fingerprint: bytes
    """SHA-256 of the certificate's DER encoding."""

    @property
    def uri(self) -> str:
        """The SPIFFE id, e.g. ``spiffe://xinghe/department/tax/system/counter-1``."""
        return f"spiffe://{self.city}/department/{self.department}/{self.role}/{self.name}"


class Scope(StrEnum):
    """Level of government (行政层级) of a department and of the policies it makes; the highest first."""

    NATIONAL = "national"
    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"

    @property
    def rank(self) -> int:
        """0 for the highest: what a scope of smaller rank says binds those of greater."""
        return _SCOPES.index(self)


_SCOPES = tuple(Scope)


def scope_of(region: str) -> Scope:
    """The level of government that a GB/T 2260 code names, by its trailing zero pairs."""
    return _SCOPES[len(region_prefix(region)) // 2]


def region_prefix(region: str) -> str:
    """A GB/T 2260 code without its trailing zero pairs: what every code within that region begins with."""
    while region.endswith("00"):
        region = region[:-2]
    return region


@dataclass(frozen=True, slots=True)
class System:
    """What a department's system may be narrowed to: its region, if not the department's, and its grids."""

    name: str
    """As in its certificate."""
    region: str = ""
    """GB/T 2260 code; empty: the department's own."""
    grids: frozenset[str] = frozenset()
    """Codes of the grids (网格) that it serves."""


@dataclass(frozen=True, slots=True)
class Department:
    """A party to sharing. ``region`` is its GB/T 2260 code, e.g. ``990101``; ``…00`` covers all below."""

    id: str
    title: str
    title_en: str
    kind: DepartmentKind
    region: str
    sharing_office: str
    systems: Mapping[str, System] = field(default_factory=dict)
    """Systems that the catalog describes, by name; others may call all the same."""
    delegate: str = ""
    """Department whose officers may approve for it too, for an office without officers of its own."""

    @property
    def scope(self) -> Scope:
        return scope_of(self.region)


# ── what ─────────────────────────────────────────────────────────────────────────────────────────


class SharingAttribute(StrEnum):
    """共享属性, Articles 14 and 15."""

    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    WITHHELD = "withheld"


class FieldType(StrEnum):
    """The type of a data item; dates are ISO 8601, decimals keep their digits."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


IMPORTANT, CORE = "important", "core"
"""重要 and 核心, in every city above its own levels: the first never goes without a person's review, the
second never through the broker."""


@dataclass(frozen=True, slots=True)
class Field:
    """One data item (数据项) of a dataset."""

    name: str
    title: str
    type: FieldType
    level: str
    """Classification level: one of :attr:`Catalog.levels`, or :data:`IMPORTANT` or :data:`CORE`."""
    format: str | None = None
    """Name of a format in :mod:`broker.formats`, e.g. ``resident_id``; checked on every row read."""
    required: bool = False
    """A null here makes the row bad."""
    domain: str = ""
    """Field domain: within one, equal values get equal pseudonyms (for one consumer and purpose)."""
    shared: bool = True
    """False: the broker may read it (to find rows, to date them) but no rule can release it."""


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """Where a dataset's rows are read: the adapter's name, its options, and field → source column."""

    kind: str
    options: Mapping[str, str]
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Dataset:
    """One catalog entry (政务数据目录), with what Article 13 asks of it."""

    id: str
    """``<department>.<name>``, e.g. ``civil_affairs.marriage``."""
    department: str
    title: str
    catalog_code: str
    """National catalog code of the resource."""
    fields: Mapping[str, Field]
    subject_fields: tuple[str, ...]
    """Fields that may hold the subject asked for; a row matches when any of them does."""
    subject_format: str
    sharing_attribute: SharingAttribute
    sharing_modes: tuple[str, ...]
    use_conditions: str
    attribute_basis: str
    """Law, regulation or decision for ``withheld``; scope, purpose and conditions for ``conditional``."""
    update_cycle: timedelta
    """A row, or a whole source, older than this is stale (过期)."""
    as_of_field: str
    """The field that says when a row was true (数据时点)."""
    source: SourceSpec
    region_field: str | None = None
    """The field a row scope ``district: caller`` compares with the caller's region."""
    grid_field: str | None = None
    """The field a row scope ``grid: caller`` compares with the caller's grids."""
    category: str | None = None
    """Category (数据分类), one of :attr:`Catalog.categories`."""


@dataclass(frozen=True, slots=True)
class ServiceItem:
    """A government service item (事项): its code, whose it is, and the purpose it serves."""

    code: str
    title: str
    department: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working days: weekdays but holidays, and make-up days (调休), by the State Council's notice."""

    years: frozenset[int] = frozenset()
    """Years whose notice is known."""
    holidays: frozenset[date] = frozenset()
    """Weekdays off."""
    makeup_days: frozenset[date] = frozenset()
    """Saturdays and Sundays worked."""

    def is_working(self, day: date) -> bool:
        """Whether ``day`` is a working day.

        Raises:
            LookupError: nobody knows yet, its year has no notice.
        """
        if day.year not in self.years:
            raise LookupError(f"no calendar of {day.year}")
        return day in self.makeup_days or (day.weekday() < SATURDAY and day not in self.holidays)


SATURDAY = 5
"""As :meth:`datetime.date.weekday` counts."""


@dataclass(frozen=True, slots=True)
class MaskOrder:
    """Which masks are stricter (``masking.yaml``), as declared by the authority."""

    operators: tuple[str, ...] = ()
    """From the weakest to the strictest."""
    floors: Mapping[str, str] = field(default_factory=dict)
    """Level → the weakest operator that its fields may be released under."""

    def strictness(self, operator: str) -> int | None:
        """Place in the order, larger for stricter; None for one that has none."""
        return self.operators.index(operator) if operator in self.operators else None


@dataclass(frozen=True, slots=True)
class MaskProfile:
    """How fields of one kind are masked (``masking-profiles.yaml``), as declared by the authority."""

    treatments: Mapping[str, Mask] = field(default_factory=dict)
    """Word that a policy may write → what it stands for."""
    levels: Mapping[str, str] = field(default_factory=dict)
    """Level → the word of the least treatment that its fields need."""


@dataclass(frozen=True, slots=True)
class LinkDomain:
    """A grant by which tokens of one field domain join over what it lists (关联域). It masks by keys of its
    own in place of theirs; without it each provider, consumer and purpose has other tokens."""

    name: str
    field_domain: str
    providers: frozenset[str]
    consumers: frozenset[str]
    """Empty: it is about all, and each still has tokens of its own."""
    purposes: frozenset[str]
    """Likewise."""
    legal_basis: str
    until: date
    """Its last day, in the city's zone."""

    def covers(self, provider: str, consumer: str, purpose: str, day: date) -> bool:
        """Whether it is about such an exchange on that day."""
        return (
            provider in self.providers
            and (not self.consumers or consumer in self.consumers)
            and (not self.purposes or purpose in self.purposes)
            and day <= self.until
        )

    def apart(self, consumer: str, purpose: str) -> tuple[str, str]:
        """What still parts the tokens of those that it covers; what it joins over is empty."""
        return "" if self.consumers else consumer, "" if self.purposes else purpose

    def overlaps(self, other: LinkDomain) -> bool:
        """Whether both cover some exchange, be it after the end of one."""
        return (
            self.field_domain == other.field_domain
            and not self.providers.isdisjoint(other.providers)
            and all(
                not one or not two or not one.isdisjoint(two)
                for one, two in ((self.consumers, other.consumers), (self.purposes, other.purposes))
            )
        )


@dataclass(frozen=True, slots=True)
class Catalog:
    """Departments, datasets, service items, purposes and levels, as published by one bundle."""

    city: str
    """Trust domain of the certificates, e.g. ``xinghe``."""
    title: str
    zone: str
    """IANA zone of the city's calendar, e.g. ``Asia/Shanghai``."""
    levels: tuple[str, ...]
    """Classification levels, least to most sensitive."""
    departments: Mapping[str, Department]
    datasets: Mapping[str, Dataset]
    purposes: Mapping[str, str]
    """Purpose id → title."""
    service_items: Mapping[str, ServiceItem]
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Group id → ids of its departments."""
    categories: Mapping[str, str] = field(default_factory=dict)
    """Category id → title."""
    calendar: Calendar = Calendar()
    mask_order: MaskOrder = field(default_factory=MaskOrder)
    mask_profiles: Mapping[str, MaskProfile] = field(default_factory=dict)
    """Format or type of fields → how they are masked."""
    link_domains: Mapping[str, LinkDomain] = field(default_factory=dict)
    """By name; no two cover one exchange."""

    def links(self, dataset: Dataset, consumer: str, purpose: str, day: date) -> dict[str, LinkDomain]:
        """Field domain → the link domain that such an exchange is in on that day."""
        return {
            link.field_domain: link
            for link in self.link_domains.values()
            if link.covers(dataset.department, consumer, purpose, day)
        }


# ── apply ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Claim:
    """What the consumer says that one field's value is (主张), to be told only whether it is."""

    field: str
    texts: tuple[str, ...] = dataclasses.field(repr=False)
    """One for each subject, in the order asked, spelled as :mod:`broker.claims` reads it; empty: none."""


@dataclass(frozen=True, slots=True)
class Application:
    """One well-formed application (共享申请) by a proven consumer; every name in it exists in the catalog,
    or the dataset does not, and its fields cannot."""

    consumer: Identity
    request_id: str
    dataset: str
    fields: tuple[str, ...]
    subjects: tuple[str, ...]
    """Subject identifiers, in the order asked; empty asks for the whole scope (streams only)."""
    purpose: str
    service_item: str = ""
    case_no: str = ""
    legal_basis: str = ""
    operator: str = ""
    grant: str = ""
    signed_digest: bytes = b""
    """SHA-256 of the verified signed application; empty when none came."""
    validate_only: bool = False
    streamed: bool = False
    claims: tuple[Claim, ...] = ()
    """Each about another of :attr:`fields`; a stream has none."""


@dataclass(frozen=True, slots=True)
class Grant:
    """An approved application (共享授权) under whose name later exchanges run."""

    name: str
    consumer: str
    dataset: str
    fields: frozenset[str]
    purpose: str
    valid_from: datetime
    valid_until: datetime


# ── approve ──────────────────────────────────────────────────────────────────────────────────────


class Verdict(StrEnum):
    """What became of an application."""

    PERMIT = "permit"
    DENY = "deny"
    REVIEW = "review"
    NEEDS_SUPPLEMENT = "needs_supplement"


@dataclass(frozen=True, slots=True)
class Why:
    """One reason of a refusal: a code and what it is about (a name, never a value)."""

    reason: Reason
    about: str = ""


MATCH = "match"
"""The operator (比对核验) that answers only whether a value is what the consumer claims: policy, application
and quotas know it by name."""


@dataclass(frozen=True, slots=True)
class Mask:
    """How one field is to be masked: an operator's name and its parameters as written in the policy."""

    operator: str
    params: Mapping[str, object] = field(default_factory=dict)


class Below(StrEnum):
    """What becomes of rows of which there are too few alike."""

    SUPPRESS = "suppress"
    """They are left out, and counted."""
    REFUSE = "refuse"
    """Nothing is released."""


@dataclass(frozen=True, slots=True)
class KAnonymity:
    """k-匿名: each row released must look, in its quasi-identifiers, as those of ``k`` persons do."""

    quasi_identifiers: tuple[str, ...]
    """Fields (准标识符), in ascending order."""
    k: int
    below: Below = Below.SUPPRESS


class Measure(StrEnum):
    """What is told of a field over a group. No minimum or maximum: those are one person's values."""

    SUM = "sum"
    MEAN = "mean"
    COUNT = "count"
    """Of its values: rows that have one."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Only totals of groups (汇总) are released, never a row."""

    by: tuple[str, ...]
    """Fields that make the groups, in ascending order."""
    measures: tuple[tuple[str, tuple[Measure, ...]], ...]
    """Field → what is told of it; fields in ascending order, measures in that of :class:`Measure`."""
    smallest_group: int
    """A group of fewer distinct subjects is left out."""
    largest_share: int | None = None
    """A group is left out when one subject makes up more than so many percent of a sum."""
    named_subjects: bool = False
    """Also over subjects that the consumer names."""

    @property
    def measured(self) -> Mapping[str, tuple[Measure, ...]]:
        """Field → what is told of it."""
        return dict(self.measures)


@dataclass(frozen=True, slots=True)
class Obligations:
    """What a permit demands: masks per field, days the consumer may keep the data, a signed application."""

    masks: Mapping[str, Mask] = field(default_factory=dict)
    retain_days: int | None = None
    signed_application: bool = False
    acknowledge_hours: int | None = None
    """Hours within which the consumer must acknowledge the delivery."""
    no_onward_sharing: bool = False
    """Not to be passed on, to nobody (不得转供)."""
    watermark: bool = False
    """What is handed over names consumer and request."""
    notify_subject: bool = False
    """The consumer must tell the citizen."""
    countersignature: bool = False
    """Only with the provider's countersignature, hence by review."""
    k_anonymity: KAnonymity | None = None
    aggregate: Aggregate | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """What a permit would use up of a quota. ``counter`` names rule, consumer and window, e.g.
    ``calls/civil-affairs-marriage-001/housing-fund-withdrawal/housing_fund/2026-11-23``.

    ``amount`` is None when it is the number of rows released, known only after reading.
    """

    counter: str
    limit: int
    amount: int | None = None
    field: str = ""
    """Of a claim's charge, whose counter names a person (by a keyed tag): all that may be told of it."""


@dataclass(frozen=True, slots=True)
class RowScope:
    """Only rows whose ``field`` begins with ``prefix`` (a region code cut at its trailing zero pairs), or is
    one of ``values`` where they are given.
    """

    field: str
    prefix: str = ""
    values: tuple[str, ...] = ()
    """In ascending order."""


@dataclass(frozen=True, slots=True)
class ReviewBy:
    """Who must review, how many of them, and how soon; of several, all must have been satisfied."""

    departments: frozenset[str]
    """Whose officers; usually the provider, or the authority."""
    count: int = 1
    within_working_days: int | None = None
    never_own: bool = True
    """Four eyes: no officer of the department that asks."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy says of an application, under which bundle, by which rules, and why."""

    verdict: Verdict
    bundle_hash: str
    rules: tuple[str, ...] = ()
    """Deciding rules, ``<policy id>/<rule id>``."""
    reasons: tuple[Why, ...] = ()
    missing: tuple[Why, ...] = ()
    """For ``needs_supplement``: every missing paper, all at once (一次性告知)."""
    obligations: Obligations = Obligations()
    rows_per_call: int | None = None
    row_scopes: tuple[RowScope, ...] = ()
    """All of them must hold."""
    charges: tuple[Charge, ...] = ()
    minimum_group_size: int | None = None
    """An answer about fewer subjects than that is not released."""
    matches_per_day: int | None = None
    """Claims on a subject and field in a day; None where nothing is matched."""
    reviews: tuple[ReviewBy, ...] = ()
    """For ``review``: what each reviewing rule asks for."""

    @property
    def most_rows(self) -> int | None:
        """The most rows that one release may have: the least of the bound per call and all quotas of rows."""
        quotas = [charge.limit for charge in self.charges if charge.amount is None]
        bounds = quotas if self.rows_per_call is None else [self.rows_per_call, *quotas]
        return min(bounds, default=None)


@dataclass(frozen=True, slots=True)
class Approved:
    """A permitted application. The later steps take this, so nothing else can reach the data.

    Raises:
        ValueError: the decision is not a permit.
    """

    application: Application
    decision: Decision
    dataset: Dataset
    links: Mapping[str, LinkDomain] = field(default_factory=dict)
    """Field domain → the link domain by which its tokens join."""

    def __post_init__(self) -> None:
        if self.decision.verdict is not Verdict.PERMIT:
            raise ValueError(f"not a permit: {self.decision.verdict}")


# ── transmit ─────────────────────────────────────────────────────────────────────────────────────


class AnswerStatus(StrEnum):
    """有 / 无 / 存疑 / 过期. Doubtful and stale tell the counter 转人工核验 (verify by hand)."""

    FOUND = "found"
    NONE = "none"
    DOUBTFUL = "doubtful"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class SubjectAnswer:
    """The answer about one subject, by its place in the application (never by its identifier)."""

    index: int
    status: AnswerStatus
    rows: int


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Rows read from the source, found bad against the catalog, released to the consumer."""

    read: int = 0
    bad: int = 0
    released: int = 0
    suppressed: int = 0
    """Sound, but left out because too few people share what they would tell."""


# ── what is in force ─────────────────────────────────────────────────────────────────────────────


class Target(StrEnum):
    """What a suspension stops."""

    CONSUMER = "consumer"
    """A department as consumer."""
    DATASET = "dataset"
    PURPOSE = "purpose"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Suspension:
    """Sharing stopped (暂停共享) until somebody lifts it: the kill switch."""

    number: int
    """Sequence of the epoch that began with it; its name in ``suspend lift``."""
    target: Target
    name: str
    """Id of the department, dataset or purpose; empty for everything."""
    reason: str
    actor: str
    """Who ordered it, as they said."""
    since: datetime
    lifted: int | None = None
    """Sequence of the epoch that lifted it; None while it is in force."""

    def covers(self, application: Application) -> bool:
        """Whether it stops ``application``."""
        return self.stops({application.consumer.department}, application.dataset, application.purpose)

    def stops(self, consumers: Collection[str], dataset: str, purpose: str) -> bool:
        """Whether it stops what goes to any of these departments out of that dataset for that purpose."""
        match self.target:
            case Target.CONSUMER:
                return self.name in consumers
            case Target.DATASET:
                return dataset == self.name
            case Target.PURPOSE:
                return purpose == self.name
            case Target.EVERYTHING:
                return True


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """Which key masks, by name. A keyring without exactly this key is another keyring."""

    version: int
    """0: none is named."""
    fingerprint: str
    """16 hexadecimal digits, the same for the same key only; they tell nothing of it."""


NO_KEY = KeyInUse(0, "")
"""In epochs of before keys were part of them."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What is in force, by name. What was decided under one epoch is recorded under it, or decided again."""

    sequence: int
    """From 1; grows by one whenever anything of it changes, suspensions included."""
    bundle_hash: str
    crl_number: int
    since: datetime
    key: KeyInUse = NO_KEY
    """The version of the keyring that masks from here on."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A bundle that an officer proposes to put in force (策略草案)."""

    number: int
    """From 1; its name among people."""
    bundle_hash: str
    sequence: int
    """What it would be in the history of bundles, if it is published."""
    previous: str
    """Hash of the bundle that it is to follow; once another is in force the proposal is stale."""
    proposer: str
    """SPIFFE id of the officer."""
    reason: str
    proposed_at: datetime
    signed: bytes
    """The proposer's signature, see ``docs/standing-approval.md``."""
    checks: bytes = b"{}"
    """What the tools said of it, JSON: tool → text."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One bundle's coming into force; all of them are the history."""

    sequence: int
    """From 1; grows by one with each bundle."""
    bundle_hash: str
    epoch: int
    """Sequence of the epoch that began with it."""
    published_at: datetime
    actor: str
    reason: str
    proposal: int | None = None
    """Number of the proposal; None for what was published without one."""


# ── receipt ──────────────────────────────────────────────────────────────────────────────────────


class EntryKind(StrEnum):
    """What a leaf of the log attests."""

    GENESIS = "genesis"
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
    need: Need | None = None
    """The need that it enters, or counts again; its charges are then settled only for a new one."""


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


@dataclass(frozen=True, slots=True)
class ReceiptFilter:
    """Which receipts to list; empty means any. ``party`` and ``consumer_uri`` are what the reader may see."""

    department: str = ""
    """Provider or consumer."""
    dataset: str = ""
    purpose: str = ""
    verdict: Verdict | None = None
    since: datetime | None = None
    until: datetime | None = None
    party: str = ""
    """Only receipts in which this department is provider or consumer."""
    consumer_uri: str = ""
    """Only receipts of this caller."""
