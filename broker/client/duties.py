"""What a decision lays upon those it is about: the consumer's duties, and who is to review."""

from __future__ import annotations

from dataclasses import dataclass

from broker.v1 import exchange_pb2


@dataclass(frozen=True, slots=True)
class Duties:
    """What the consumer takes upon itself with the data."""

    retain_days: int = 0
    """Days after which the data must be disposed of; 0: none are set."""
    acknowledge_hours: int = 0
    """Hours within which the delivery must be acknowledged; 0: none are set."""
    no_onward_sharing: bool = False
    """Not to be passed on, to nobody (不得转供)."""
    watermark: bool = False
    """What is handed over is marked, and must stay so."""
    notify_subject: bool = False
    """The citizen must be told."""
    signed_application: bool = False
    """A signed application was demanded."""
    countersignature: bool = False
    """Only with the provider's countersignature."""
    commitments: tuple[str, ...] = ()
    """Templates of the use commitments that were demanded."""


@dataclass(frozen=True, slots=True)
class Review:
    """Who must review, how many of them, and how soon; of several, all."""

    departments: tuple[str, ...]
    """Ids of the departments whose officers may."""
    count: int
    within_working_days: int
    """0: no limit is set."""
    never_own: bool
    """No officer of the department that asks."""


def duties_of(decision: exchange_pb2.Decision) -> Duties:
    """The duties in a decision; for a refusal none."""
    obligations = decision.obligations
    said = {name: getattr(obligations, name) for name in Duties.__slots__ if name != "commitments"}
    templates = tuple(name.removeprefix("commitmentTemplates/") for name in obligations.commitments)
    return Duties(**said, commitments=templates)


def reviews_of(decision: exchange_pb2.Decision) -> tuple[Review, ...]:
    """The reviews that a decision asks for."""
    return tuple(
        Review(
            tuple(name.removeprefix("departments/") for name in review.departments),
            review.count,
            review.within_working_days,
            review.never_own,
        )
        for review in decision.reviews
    )
