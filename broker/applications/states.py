"""The one state machine of applications: which act leads from which state to which, and whose act it is.

``docs/applications.md`` draws it from here. Who of several officers may review is told by policy
(:mod:`broker.applications.reviewers`); here is whose turn it can be at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from broker.model import Act, State


class Actor(StrEnum):
    """Whose act it is."""

    CONSUMER = "consumer"
    """A system or an officer of the department that applies."""
    CONSUMER_OFFICER = "consumer_officer"
    """其政务数据共享工作机构: an officer of it."""
    PROVIDER_OFFICER = "provider_officer"
    REVIEWER = "reviewer"
    """An officer whom the reviews ask for, by their stage."""
    AUTHORITY_OFFICER = "authority_officer"
    BROKER = "broker"
    """Nobody: what the clock or the rules bring about."""


@dataclass(frozen=True, slots=True)
class Transition:
    """What an act makes of an application."""

    act: Act
    before: tuple[State | None, ...]
    """None: there is no such application yet."""
    after: State | None
    """None: it stays in its state."""
    actors: tuple[Actor, ...]
    """Any of them."""
    signed: bool = False
    """By a COSE_Sign1 over the application's terms."""
    reasoned: bool = False
    """Only with a reason."""
    based: bool = False
    """Only with a legal basis, too."""


_OPEN = (State.DRAFT, State.FILED, State.NEEDS_SUPPLEMENT, State.UNDER_REVIEW)
_GRANTED = (State.APPROVED, State.ACTIVE, State.SUSPENDED)
_WAITING = (State.NEEDS_SUPPLEMENT, State.UNDER_REVIEW)
_SUPERVISORS = (Actor.PROVIDER_OFFICER, Actor.AUTHORITY_OFFICER)

TRANSITIONS: tuple[Transition, ...] = (
    Transition(Act.CREATE, (None,), State.DRAFT, (Actor.CONSUMER,)),
    Transition(Act.SUPPLEMENT, (State.DRAFT, State.NEEDS_SUPPLEMENT), None, (Actor.CONSUMER,)),
    Transition(
        Act.CONSENT,
        (State.DRAFT, State.NEEDS_SUPPLEMENT),
        State.FILED,
        (Actor.CONSUMER_OFFICER,),
        signed=True,
    ),
    Transition(Act.RETURN, (State.FILED,), State.NEEDS_SUPPLEMENT, (Actor.BROKER,)),
    Transition(Act.ACCEPT, (State.FILED,), State.UNDER_REVIEW, (Actor.BROKER,)),
    Transition(Act.ENDORSE, (State.UNDER_REVIEW,), None, (Actor.REVIEWER,), signed=True),
    Transition(Act.APPROVE, (State.UNDER_REVIEW,), State.APPROVED, (Actor.REVIEWER,), signed=True),
    Transition(
        Act.REFUSE, (State.UNDER_REVIEW,), State.REFUSED, (Actor.REVIEWER,), reasoned=True, based=True
    ),
    Transition(Act.ASK_EXTENSION, (State.UNDER_REVIEW,), None, (Actor.PROVIDER_OFFICER,), reasoned=True),
    Transition(Act.EXTEND, (State.UNDER_REVIEW,), None, (Actor.AUTHORITY_OFFICER,)),
    Transition(Act.WITHDRAW, _OPEN, State.WITHDRAWN, (Actor.CONSUMER,)),
    Transition(Act.ACTIVATE, (State.APPROVED,), State.ACTIVE, (Actor.BROKER,)),
    Transition(Act.SUSPEND, (State.ACTIVE,), State.SUSPENDED, _SUPERVISORS, reasoned=True),
    Transition(Act.RESUME, (State.SUSPENDED,), State.ACTIVE, _SUPERVISORS, reasoned=True),
    Transition(
        Act.TERMINATE,
        _GRANTED,
        State.TERMINATED,
        (Actor.CONSUMER_OFFICER, *_SUPERVISORS),
        reasoned=True,
        based=True,
    ),
    Transition(Act.EXPIRE, _GRANTED, State.EXPIRED, (Actor.BROKER,)),
    Transition(Act.REMIND, _WAITING, None, (Actor.BROKER,)),
    Transition(Act.ESCALATE, _WAITING, None, (Actor.BROKER,)),
)
"""In the order of an application's life."""

BY_ACT = {transition.act: transition for transition in TRANSITIONS}

FINAL = frozenset({State.REFUSED, State.EXPIRED, State.TERMINATED, State.WITHDRAWN})
"""Nothing follows them."""


class NoTransition(Exception):
    """The act does not go with the state."""


def next_state(state: State | None, act: Act) -> State:
    """What an application in ``state`` (None: one that is not there yet) becomes by ``act``.

    Raises:
        NoTransition: nothing of the kind may be done to it.
    """
    transition = BY_ACT[act]
    if state not in transition.before:
        raise NoTransition
    after = transition.after or state
    assert after is not None  # noqa: S101 - what begins an application says in which state
    return after


def possible(state: State) -> tuple[Act, ...]:
    """What may be done to an application in ``state``, by whomever."""
    return tuple(one.act for one in TRANSITIONS if state in one.before)


def diagram() -> str:
    """The table as a Mermaid state diagram. What changes no state is left out: :func:`table` has it."""
    lines = ["stateDiagram-v2"]
    for one in TRANSITIONS:
        if one.after is not None:
            lines += [f"    {before or '[*]'} --> {one.after}: {one.act}" for before in one.before]
    lines += [f"    {state} --> [*]" for state in State if state in FINAL]
    return "\n".join(lines)


def table() -> str:
    """The table in Markdown."""
    head = "| Act | From | To | Whose | Needs |\n|---|---|---|---|---|"
    return "\n".join([head, *map(_row, TRANSITIONS)])


def _row(one: Transition) -> str:
    before = ", ".join(f"`{state}`" if state else "—" for state in one.before)
    after = f"`{one.after}`" if one.after else "the same"
    actors = ", ".join(actor.replace("_", "'s ", 1) for actor in one.actors)
    return f"| `{one.act}` | {before} | {after} | {actors} | {', '.join(_needs(one)) or '—'} |"


def _needs(one: Transition) -> Iterator[str]:
    if one.signed:
        yield "signature"
    if one.reasoned:
        yield "reason"
    if one.based:
        yield "legal basis"
