"""Who may suspend what, and lift it, over a connection: the kill switch in the hands of officers.

On the broker's host whoever may use its database may (:mod:`broker.publish`). Over the wire an officer of the
authority may stop anything, an officer of another department what that provides; and it is lifted by the
department that ordered it, or by the authority. See ``docs/operations.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from broker.errors import MalformedRequest, NotAuthorised, NotFound, SetUpError, Violation
from broker.model import Identity, Suspension, Target, provider_of
from broker.publish import MAX_TEXT, Moved, Order, Publisher
from broker.reasons import Reason


@dataclass(frozen=True, slots=True)
class Asked:
    """What an officer wants stopped."""

    target: Target
    name: str
    """As :attr:`~broker.model.Suspension.name`."""
    provider: str
    """As :attr:`~broker.model.Suspension.provider`."""
    reason: str
    mend_by: datetime | None = None

    @property
    def of(self) -> str:
        """The department whose data alone it stops; empty: anybody's."""
        return provider_of(self.name) if self.target is Target.DATASET else self.provider


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    identity: Identity
    of_authority: bool

    @property
    def department(self) -> str:
        return self.identity.department

    def may_see(self, suspension: Suspension) -> bool:
        """Whether it may be about the caller's department."""
        if self.of_authority or suspension.target in (Target.PURPOSE, Target.EVERYTHING):
            return True
        return self.department in (*_parties(suspension), suspension.department)

    def may_read_why(self, suspension: Suspension) -> bool:
        """Whether its reason, and who ordered it, are the caller's affair."""
        return self.of_authority or self.department in (*_parties(suspension), suspension.department)


def _parties(suspension: Suspension) -> Iterator[str]:
    """Departments that it stops, or whose data."""
    if suspension.target is Target.CONSUMER:
        yield suspension.name
    if suspension.target is Target.DATASET:
        yield provider_of(suspension.name)
    if suspension.provider:
        yield suspension.provider


class Suspensions:
    """Wired once at start; safe for use by many threads."""

    def __init__(self, publisher: Publisher, clock: Callable[[], datetime]) -> None:
        self._publisher = publisher
        self._clock = clock

    def suspend(self, asked: Asked, caller: Caller) -> tuple[Suspension, Moved]:
        """Stops it, by order of an officer. The same order twice is carried out once.

        Raises:
            MalformedRequest: with all that is wrong with it, a reason that is missing and an unknown name.
            NotAuthorised: NOT_YOURS_TO_SUSPEND.
            Unavailable: the database cannot be reached.
        """
        violations = (*_subject_violations(asked), *_reason_violations(asked.reason), *self._past(asked))
        if violations:
            raise MalformedRequest(violations)
        if not caller.of_authority and asked.of != caller.department:
            raise NotAuthorised(Reason.NOT_YOURS_TO_SUSPEND)
        order = Order.of(caller.identity, asked.reason)
        provider = "" if asked.target is Target.DATASET else asked.provider
        try:
            return self._publisher.suspend(
                asked.target, asked.name, order, provider=provider, mend_by=asked.mend_by
            )
        except SetUpError:
            zh, en = "生效的目录中没有所指的部门、数据资源或使用场景", "is not in the catalog in force"
            raise MalformedRequest((Violation("subject", zh, en),)) from None

    def lift(self, number: int, reason: str, caller: Caller) -> tuple[Suspension, Moved]:
        """Lifts it.

        Raises:
            MalformedRequest: the reason is missing.
            NotFound: no suspension of that number is in force.
            NotAuthorised: NOT_YOURS_TO_LIFT.
            Unavailable: the database cannot be reached.
        """
        if violations := tuple(_reason_violations(reason)):
            raise MalformedRequest(violations)

        def allow(suspension: Suspension) -> None:
            if not caller.of_authority and suspension.department != caller.department:
                raise NotAuthorised(Reason.NOT_YOURS_TO_LIFT, suspension.resource_name)

        try:
            return self._publisher.lift(number, Order.of(caller.identity, reason), allow)
        except SetUpError:
            raise NotFound(Reason.RESOURCE_NOT_FOUND) from None

    def _past(self, asked: Asked) -> Iterator[Violation]:
        if asked.mend_by is not None and asked.mend_by <= self._clock():
            yield Violation("mend_time", "须是将来的时间", "must be in the future")


def _subject_violations(asked: Asked) -> Iterator[Violation]:
    if asked.target is Target.EVERYTHING:
        if asked.name:
            yield Violation("subject", "暂停全部共享时须为空", "must be empty where everything is stopped")
    elif not asked.name:
        yield Violation("subject", "须指明部门、数据资源或使用场景", "must name what is stopped")
    if asked.target is Target.DATASET and asked.provider not in ("", provider_of(asked.name)):
        yield Violation("provider", "不是该数据资源的提供部门", "does not provide this dataset")


def _reason_violations(reason: str) -> Iterator[Violation]:
    if not reason.strip():
        yield Violation("reason", "请写明原因", "state why")
    elif len(reason) > MAX_TEXT or not reason.isprintable():
        zh, en = f"不超过 {MAX_TEXT} 字，不得含不可见字符", f"at most {MAX_TEXT} visible characters"
        yield Violation("reason", zh, en)
