"""One exchange: what is applied for, what policy says of it, what is handed over."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from broker.model.catalog import Dataset, LinkDomain, Mask
from broker.model.commitment import UseCommitment
from broker.model.parties import Identity

if TYPE_CHECKING:
    from broker.reasons import Reason


# ── apply ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Claim:
    """What the consumer says that one field's value is (主张), to be told only whether it is."""

    field: str
    texts: tuple[str, ...] = dataclasses.field(repr=False)
    """One for each subject, in the order asked, spelled as :mod:`broker.claims` reads it; empty: none."""


@dataclass(frozen=True, slots=True)
class SignedApplication:
    """已签名申请, verified, as it is held: it names no subject."""

    message: bytes = dataclasses.field(repr=False)
    """The COSE_Sign1 without the salts that it came with."""
    signer: Identity


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
    """SHA-256 of the message of :attr:`signed`; empty when none came."""
    signed: SignedApplication | None = None
    validate_only: bool = False
    streamed: bool = False
    claims: tuple[Claim, ...] = ()
    """Each about another of :attr:`fields`; a stream has none."""
    commitments: tuple[UseCommitment, ...] = ()
    """Verified: those that came with the request, and those lodged before that stand for it; at most one of
    each template."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One officer's approval of a grant."""

    department: str
    """Whose voice it is."""
    officer_department: str
    """Of the officer who signed; another one where the voice was delegated."""


@dataclass(frozen=True, slots=True)
class Grant:
    """An approved application (共享授权) under whose name later exchanges run."""

    name: str
    """Its number, ``grants/{number}`` without the collection."""
    consumer: str
    dataset: str
    fields: frozenset[str]
    purpose: str
    valid_from: datetime
    valid_until: datetime
    whole: bool = False
    """Also to ask without naming subjects."""
    row_scopes: tuple[RowScope, ...] = ()
    """Only rows within all of them."""
    rows_per_call: int | None = None
    rows_total: int | None = None
    """The most rows that all exchanges under it together may release; None: no bound."""
    voices: tuple[Voice, ...] = ()
    """Those who approved it, each another person."""

    def satisfies(self, reviews: Iterable[ReviewBy]) -> bool:
        """Whether as many have approved as each of the reviews asks for, of its departments."""
        return all(sum(self._counts(one, by) for one in self.voices) >= by.count for by in reviews)

    def _counts(self, one: Voice, by: ReviewBy) -> bool:
        theirs = self.consumer in (one.department, one.officer_department)
        return one.department in by.departments and not (by.never_own and theirs)


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
    commitments: tuple[str, ...] = ()
    """Templates of the use commitments that the consumer must have signed, in ascending order."""


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
