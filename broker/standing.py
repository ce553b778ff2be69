"""What was decided under which epoch, and whether a stream may go on when that moved or a rule has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import TypeVar

from broker.apply.identity import check_standing
from broker.approve.conditions import unchanging
from broker.approve.evaluate import evaluate
from broker.epoch import Epochs, InForce
from broker.errors import Changed, Unavailable
from broker.journal import EpochMoved
from broker.model import Application, Approved, Dataset, Decision, LinkDomain, Verdict, Why
from broker.reasons import Reason

MOST_EPOCHS = 8
"""How often one call is decided anew because the epoch moved under it; then the caller shall retry."""

T = TypeVar("T")

Decide = Callable[[Application], Decision]
"""What policy says of an application, everything else given."""
Settle = Callable[[Application, Decide, InForce, datetime], tuple[Application, Decision]]
"""An application with what stands for it beside what came, and the decision on it."""


def as_it_came(
    asked: Application, decide: Decide, epoch: InForce, now: datetime
) -> tuple[Application, Decision]:
    """Where nothing is lodged."""
    return asked, decide(asked)


def in_one_epoch(epochs: Epochs, attempt: Callable[[InForce], T]) -> T:
    """What is decided under one epoch and recorded in it; when it moved in between, all is done anew.

    Raises:
        Unavailable: it moves all the time, or nobody can tell what is in force.
    """
    for _ in range(MOST_EPOCHS):
        try:
            return attempt(epochs.current())
        except EpochMoved as moved:
            epochs.reach(moved.sequence)
    raise Unavailable(Reason.LOG_UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Decided:
    """An application and the decision on it, ``now``, under one epoch."""

    epoch: InForce
    application: Application
    decision: Decision
    now: datetime

    @property
    def permitted(self) -> bool:
        return self.decision.verdict is Verdict.PERMIT

    @property
    def dataset(self) -> Dataset:
        return self.epoch.bundle.catalog.datasets[self.application.dataset]

    @property
    def holds_until(self) -> datetime:
        """When the caller's certificate expires, a link domain, lodged commitment or the grant ends, a rule
        about the caller begins or ends: the first of them."""
        consumer = self.application.consumer
        bundle = self.epoch.bundle
        rules = bundle.about[self.application.dataset].about(consumer.department)
        day_after = (link.until + timedelta(1) for link in self.links.values())
        ends = [datetime.combine(day, time(), bundle.zone) for day in day_after]
        ends += [one.expires for one in self.application.commitments if one.lodged is not None]
        if grant := self.epoch.grants.by_name.get(self.application.grant):
            ends.append(grant.valid_until)
        return min(consumer.not_after, unchanging(rules, self.now)[1], *ends)

    @property
    def links(self) -> Mapping[str, LinkDomain]:
        """Field domain → the link domain that the application is in now."""
        bundle, asked = self.epoch.bundle, self.application
        today = self.now.astimezone(bundle.zone).date()
        return bundle.catalog.links(self.dataset, asked.consumer.department, asked.purpose, today)

    @property
    def provider(self) -> str:
        """Id of the department that provides the dataset; empty for one that the catalog does not have."""
        dataset = self.epoch.bundle.catalog.datasets.get(self.application.dataset)
        return "" if dataset is None else dataset.department

    def approved(self) -> Approved:
        """For the steps that reach the data; raises ValueError unless permitted."""
        return Approved(self.application, self.decision, self.dataset, self.links)

    def refused(self, *why: Why) -> Decided:
        """The refusal that this permit became when its limits met the facts."""
        permit = self.decision
        refusal = Decision(Verdict.DENY, permit.bundle_hash, permit.rules, reasons=why)
        return replace(self, decision=refusal)


def anything_goes() -> None:
    """Where nobody but policy decides whether data may be released."""


@dataclass(slots=True)
class Standing:
    """A stream's permit while epochs and days go by. ``decided`` is the last decision by which it held."""

    epochs: Epochs
    decided: Decided
    clock: Callable[[], datetime]
    may_release: Callable[[], None] = anything_goes
    """Raises Unavailable while nothing may be released at all."""
    settle: Settle = as_it_came
    _holds_until: datetime = field(init=False)
    _asked: tuple[int, datetime] = field(init=False)
    """Sequence of the epoch under which somebody else last found that it holds, and until when."""

    def __post_init__(self) -> None:
        self._holds_until = self.decided.holds_until
        self._asked = self.decided.epoch.sequence, self._holds_until

    def check(self, reached: int = 0) -> None:
        """That the stream may go on under what is in force, or under the epoch ``reached`` if that is newer.

        Raises:
            NotAuthenticated: the caller's certificate was revoked, or has expired.
            Changed: NO_LONGER_PERMITTED: the application would now be answered otherwise, or other masks or
                limits apply.
            Unavailable: nobody can tell.
        """
        if reached > self.decided.epoch.sequence:
            self.epochs.reach(reached)
        self.may_release()
        epoch = self.epochs.current()
        if epoch.sequence != self.decided.epoch.sequence or self.clock() >= self._holds_until:
            self.decided = self._decided_again(epoch)
            self._holds_until = self.decided.holds_until

    def ask(self) -> None:
        """As :meth:`check`, for another thread than the stream's, whose decision stays as it is."""
        epoch = self.epochs.current()
        sequence, until = max(self._asked, (self.decided.epoch.sequence, self._holds_until))
        if epoch.sequence != sequence or self.clock() >= until:
            again = self._decided_again(epoch)
            self._asked = again.epoch.sequence, again.holds_until

    def _decided_again(self, epoch: InForce) -> Decided:
        application, now = self.decided.application, self.clock()
        check_standing(application.consumer, epoch.bundle.catalog.city, epoch.revocations, now)

        grant = epoch.grants.by_name.get(application.grant) if application.grant else None

        def decide(asked: Application) -> Decision:
            return evaluate(asked, grant, epoch.bundle, now, epoch.suspensions)

        application, decision = self.settle(application, decide, epoch, now)
        again = Decided(epoch, application, decision, now)
        if not again.permitted:
            why = (decision.reasons or decision.missing)[0]
            raise Changed(Reason.NO_LONGER_PERMITTED, f"{why.reason} {why.about}".rstrip())
        if _terms(again) != _terms(self.decided):
            raise Changed(Reason.NO_LONGER_PERMITTED, "obligations")
        return again


def _terms(decided: Decided) -> tuple[object, ...]:
    """What a permit allows and demands; not its quotas, which were settled when the stream began."""
    decision = decided.decision
    return (
        decided.dataset,
        decided.links,
        decision.obligations,
        decision.rows_per_call,
        decision.row_scopes,
        decision.minimum_group_size,
    )
