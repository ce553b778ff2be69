"""A filed application (共享申请): what a department asks to be let do for a while, and what people made
of it.

Not to be confused with :class:`~broker.model.exchange.Application`, which is what one exchange asks. Its
members are those of Article 20 of 《政务数据共享条例》.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from broker.model.exchange import ReviewBy, RowScope, Why


class State(StrEnum):
    """How far an application is. What may follow which is told by :mod:`broker.applications.states`."""

    DRAFT = "draft"
    """草稿: of the consumer alone."""
    FILED = "filed"
    """已提交: its officer has consented; whether anything is missing is seen at once."""
    NEEDS_SUPPLEMENT = "needs_supplement"
    """待补正: the consumer was told, once, of everything that is missing."""
    UNDER_REVIEW = "under_review"
    """审核中."""
    APPROVED = "approved"
    """已同意: a grant, whose time has not begun."""
    REFUSED = "refused"
    """不同意共享."""
    ACTIVE = "active"
    """使用中: a grant under which data may be exchanged."""
    SUSPENDED = "suspended"
    """已暂停: a grant that gives nothing until it is resumed."""
    EXPIRED = "expired"
    """已到期: its time is over."""
    TERMINATED = "terminated"
    """已终止: ended before its time."""
    WITHDRAWN = "withdrawn"
    """已撤回 by the consumer."""


class Act(StrEnum):
    """What is done to an application; each is a leaf of the log."""

    CREATE = "create"
    SUPPLEMENT = "supplement"
    """补正: other terms take the place of those there were."""
    CONSENT = "consent"
    """The consumer's officer consents by signature, and so files it."""
    RETURN = "return"
    """一次性告知: the broker tells of everything that is missing."""
    ACCEPT = "accept"
    """受理: nothing is missing, the review begins."""
    ENDORSE = "endorse"
    """A reviewer approves by signature, and others still have to."""
    APPROVE = "approve"
    """The last reviewer that was missing approves by signature."""
    REFUSE = "refuse"
    ASK_EXTENSION = "ask_extension"
    """The provider's officer asks for more time to answer."""
    EXTEND = "extend"
    """An officer of the authority consents to that."""
    WITHDRAW = "withdraw"
    ACTIVATE = "activate"
    """Its time has begun."""
    SUSPEND = "suspend"
    RESUME = "resume"
    TERMINATE = "terminate"
    EXPIRE = "expire"
    """Its time is over."""
    REMIND = "remind"
    """A limit comes near (催办)."""
    ESCALATE = "escalate"
    """A limit has passed (逾期): the authority is told."""


class Stage(StrEnum):
    """Whose turn it is in a review: "2 + 5" days are two actors."""

    CONFORMITY = "conformity"
    """合规性审查 by the authority."""
    ANSWER = "answer"
    """答复 by those whom policy names, mostly the provider."""


class SharingMode(StrEnum):
    """共享方式, as the catalog names them."""

    API = "api"
    """服务接口: Exchange and StreamExchange."""
    BATCH = "batch"
    """批量交换."""
    FILE = "file"
    """文件下载."""


@dataclass(frozen=True, slots=True)
class UseScope:
    """使用范围: whose data."""

    whole: bool = False
    """Every row in scope; else each exchange names the subjects it is about."""
    rows: tuple[RowScope, ...] = ()
    """Only rows within all of them."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper attached (附件), kept by whoever attached it: here are its name and its digest."""

    kind: str
    """Which of the papers it is, e.g. ``legal_basis`` or ``commitment``: an id."""
    name: str
    """Of the file."""
    digest: bytes
    """SHA-256 of its bytes."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is applied for. An officer's signature covers all of it; the law asks for all of it, so what is
    empty is missing."""

    consumer: str
    """Department id."""
    dataset: str
    fields: tuple[str, ...]
    """In ascending order, each once."""
    purpose: str
    """Purpose id."""
    legal_basis: str = ""
    """使用依据, as free text."""
    scenario: str = ""
    """使用场景: how it is used, as free text that names nobody."""
    scope: UseScope = UseScope()
    mode: SharingMode | None = None
    rows_per_call: int | None = None
    """The most rows that one exchange may release."""
    rows_total: int | None = None
    """The most rows that all of them together may; None: no bound."""
    valid_from: datetime | None = None
    """使用时限: first instant."""
    valid_until: datetime | None = None
    """First instant after it."""
    operator: str = ""
    """经办人: who answers questions about it."""
    papers: tuple[Paper, ...] = ()
    """By kind and name."""


@dataclass(frozen=True, slots=True)
class SignedAct:
    """What an officer signed about an application; the message itself is held beside the leaf."""

    act: Act
    """:attr:`Act.CONSENT` or :attr:`Act.APPROVE`."""
    officer: str
    """SPIFFE id."""
    department: str
    """Whose officer."""
    digest: bytes
    """SHA-256 of the COSE_Sign1."""
    signed_at: datetime
    stage: Stage | None = None
    """Of the review, in which it was given."""
    on_behalf_of: str = ""
    """SPIFFE id of the officer in whose place it was signed, by their delegation; empty: none."""


@dataclass(frozen=True, slots=True)
class Extension:
    """延长答复期限: asked for by the provider's officer, consented to by the authority's."""

    working_days: int
    asked_by: str
    """SPIFFE id."""
    consented_by: str = ""
    """SPIFFE id; empty until then."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A limit that runs (办理时限)."""

    since: datetime
    """The event that it began with, whose day is not counted."""
    working_days: int


@dataclass(frozen=True, slots=True)
class Step:
    """One act that was done to an application."""

    act: Act
    before: State | None
    """None for the first."""
    after: State
    actor: str
    """SPIFFE id; of what the broker does by itself ``sharebroker``."""
    at: datetime
    reason: str = ""
    """As its actor stated it, naming nobody."""
    legal_basis: str = ""
    """Likewise."""
    receipt: int | None = None
    """Leaf that has it; None before it is recorded."""


BROKER = "sharebroker"
"""Who acts where no person does: what the clock or the rules bring about."""


@dataclass(frozen=True, slots=True)
class FiledApplication:
    """An application and what became of it so far."""

    number: int
    """From 1; its name among people, and that of the grant which it becomes."""
    version: int
    """From 1; grows by one with each act."""
    state: State
    terms: Terms
    provider: str
    """Department id of the dataset's provider."""
    created_by: str
    """SPIFFE id."""
    stage: Stage | None = None
    """While it is under review."""
    filed_at: datetime | None = None
    """When it was last filed."""
    clock: Clock | None = None
    """The limit that runs; None where none does."""
    due_at: datetime | None = None
    """By when whoever is next must act; None where no limit runs."""
    due_provisional: bool = False
    """Whether :attr:`due_at` was counted over a year whose holiday notice was not in: it may move."""
    remind_at: datetime | None = None
    """When they are to be reminded of that; None: not, or they were."""
    overdue: bool = False
    """Whether :attr:`due_at` has passed, which a leaf says."""
    missing: tuple[Why, ...] = ()
    """In ``needs_supplement``: everything that is missing."""
    reviews: tuple[ReviewBy, ...] = ()
    """Who must approve in the stage of the answer, as policy said when it was accepted."""
    signed: tuple[SignedAct, ...] = ()
    """Consent and approvals of :attr:`terms` as they are; other terms make them void."""
    extension: Extension | None = None
    suspended_by: str = ""
    """Department whose officer suspended it, while it is."""
    steps: tuple[Step, ...] = field(default=(), repr=False)
    """All that was done, in order."""

    @property
    def name(self) -> str:
        """Resource name."""
        return f"applications/{self.number}"

    @property
    def grant_name(self) -> str:
        """Resource name of the grant that it is once it is approved."""
        return f"grants/{self.number}"

    @property
    def consent(self) -> SignedAct | None:
        """The consumer's officer's, if :attr:`terms` have it."""
        return next((one for one in self.signed if one.act is Act.CONSENT), None)

    @property
    def approvals(self) -> tuple[SignedAct, ...]:
        """Of reviewers, in order."""
        return tuple(one for one in self.signed if one.act is Act.APPROVE)

    @property
    def concerned(self) -> tuple[str, ...]:
        """Departments that may know of it: the consumer and, once it was filed, who provides and reviews. In
        ascending order. The authority may know of all that was filed."""
        if self.filed_at is None:
            return (self.terms.consumer,)
        reviewing = frozenset[str]().union(*[review.departments for review in self.reviews])
        return tuple(sorted({self.terms.consumer, self.provider} | reviewing))

    @property
    def wake_at(self) -> datetime | None:
        """When the broker itself has something to do about it; None: nothing, while nobody acts."""
        match self.state:
            case State.FILED:
                return self.filed_at
            case State.NEEDS_SUPPLEMENT | State.UNDER_REVIEW:
                times = (self.remind_at, None if self.overdue else self.due_at)
            case State.APPROVED:
                times = (self.terms.valid_from, self.terms.valid_until)
            case State.ACTIVE | State.SUSPENDED:
                times = (self.terms.valid_until, None)
            case _:
                return None
        return min((time for time in times if time is not None), default=None)

    @property
    def is_grant(self) -> bool:
        """Whether it was approved and has not ended."""
        return self.state in (State.APPROVED, State.ACTIVE, State.SUSPENDED)
