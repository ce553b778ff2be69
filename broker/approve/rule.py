"""Sharing rules as values: what a policy file says, resolved against the catalog.

The vocabulary is closed, so whatever a rule says of departments, datasets and fields by group, level,
region, category or ceiling is resolved to their ids when it is read. What is left to the moment of the call
is little: the legal basis, the time, how many subjects, the system that calls, and an expression.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from broker.approve.problem import Position
from broker.model import Application, Calendar, Obligations, ReviewBy, Scope


class Effect(StrEnum):
    """What a rule does with an application it applies to; the strictest decides: deny, review, permit."""

    PERMIT = "permit"
    REVIEW = "review"
    DENY = "deny"
    DELEGATE = "delegate"
    """Releases nothing by itself; lets permits of lower scopes count, under its own demands."""


MATCHES_PER_DAY = 5
"""Claims on one subject and field in a day, where a rule does not say how many: enough for slips."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds of a permit; None is no bound. Days and months are those of the city's calendar."""

    rows_per_call: int | None = None
    subjects_per_call: int | None = None
    calls_per_day: int | None = None
    rows_per_day: int | None = None
    calls_per_month: int | None = None
    rows_per_month: int | None = None
    minimum_group_size: int | None = None
    """An answer about fewer distinct subjects is not released."""
    matches_per_subject_per_day: int | None = None
    """Claims that a department may have compared on one subject and field; None: :data:`MATCHES_PER_DAY`,
    where a mask compares claims."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows a permit releases; what is given must all hold."""

    own_region: bool = False
    """Only rows of the caller's own region (本辖区)."""
    own_grid: bool = False
    """Only rows of the grids that the calling system serves (本网格)."""
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Field → the values it may have, in ascending order."""
    whole_dataset: bool = False
    """Also permits asking without naming subjects."""


_MIDNIGHT = time()


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """At which times of the day, and on which days, a rule speaks."""

    zone: ZoneInfo
    hours: tuple[tuple[time, time], ...] = ()
    """From the first, inclusive, to the second, exclusive (midnight there is the day's end); empty: the
    whole day."""
    weekdays: frozenset[int] | None = None
    """As :meth:`datetime.date.weekday` counts; None: any."""
    calendar: Calendar | None = None
    """Only working days of it; None: any."""

    def hold(self, now: datetime) -> bool:
        """Whether ``now`` (aware) is within them.

        Raises:
            LookupError: nothing else speaks against it, and the calendar does not know the year.
        """
        local = now.astimezone(self.zone)
        if self.weekdays is not None and local.weekday() not in self.weekdays:
            return False
        clock = local.time()
        if self.hours and not any(
            first <= clock and (clock < last or last == _MIDNIGHT) for first, last in self.hours
        ):
            return False
        return self.calendar is None or self.calendar.is_working(local.date())


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition in CEL (``when_expr``), compiled and type-checked when its file is read."""

    source: str
    holds: Callable[[Application, datetime], bool] = field(compare=False, repr=False)
    """Raises ValueError when it cannot be told."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a permit of a conditional dataset stands on: application and both heads' consent (Article 20)."""

    application_no: str
    consumer_head: str
    provider_head: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule about one dataset. A set that is None holds everything (``all``).

    A rule written about a category is as many of these, under one id, as the category has datasets.
    """

    id: str
    """``<policy id>/<rule id>``."""
    effect: Effect
    dataset: str
    fields: frozenset[str]
    owner: str = ""
    """The department that made the policy."""
    scope: Scope = Scope.CITY
    """Of the policy: see ``docs/policy-language.md``, Scopes."""
    departments: frozenset[str] | None = None
    systems: frozenset[str] | None = None
    """Names of systems, as in certificates."""
    purposes: frozenset[str] | None = None
    legal_basis: frozenset[str] | None = None
    valid_from: datetime | None = None
    """First instant, aware."""
    valid_until: datetime | None = None
    """First instant no longer valid, aware."""
    working_hours: WorkingHours | None = None
    expression: Expression | None = None
    rows: Rows = field(default_factory=Rows)
    limits: Limits = Limits()
    obligations: Obligations = field(default_factory=Obligations)
    review: ReviewBy | None = None
    consent: Consent | None = None
    standing_until: datetime | None = None
    """First instant at which the standing approval of its policy has expired; :data:`NEVER`: it was never
    given; None: none is demanded."""
    at: Position = field(default=Position(""), compare=False)
    """Where it is written."""
    by_words: bool = field(default=False, compare=False)
    """A mask of it is written as a word, so that the masking profiles say what it means."""

    def accepts_basis(self, legal_basis: str) -> bool:
        """A basis not given yet can still fit a permit (it is asked for then), but is no cause to deny."""
        if self.legal_basis is None:
            return True
        return legal_basis in self.legal_basis if legal_basis else self.effect is not Effect.DENY

    def in_force(self, now: datetime) -> bool:
        return (
            (self.valid_from is None or self.valid_from <= now)
            and (self.valid_until is None or now < self.valid_until)
            and (self.standing_until is None or now < self.standing_until)
        )

    def reaches(self, subjects: tuple[str, ...]) -> bool:
        """No subjects means the whole dataset, which a permit must allow expressly."""
        return bool(subjects) or self.rows.whole_dataset or self.effect in (Effect.REVIEW, Effect.DENY)


NEVER = datetime.min.replace(tzinfo=UTC)
"""When a standing approval that was never given has expired."""
WARN_BEFORE = timedelta(days=30)
"""How long before a standing approval expires its owner is warned."""
