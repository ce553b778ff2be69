"""The one family of errors, translated to gRPC status in exactly one place (``broker.server.status``).

::

    BrokerError                  gRPC status
    ├── MalformedRequest         INVALID_ARGUMENT, with field violations
    ├── NotAuthenticated         UNAUTHENTICATED
    ├── NotAuthorised            PERMISSION_DENIED
    ├── NotFound                 NOT_FOUND
    ├── Conflict                 ALREADY_EXISTS
    ├── Changed                  ABORTED
    ├── TooLarge, TooSmall       FAILED_PRECONDITION
    ├── Elsewhere                FAILED_PRECONDITION
    ├── NotApproved              FAILED_PRECONDITION
    ├── NotReversible            FAILED_PRECONDITION
    ├── NotAcknowledged          FAILED_PRECONDITION
    ├── NotPossible              FAILED_PRECONDITION
    ├── NothingToDispose         FAILED_PRECONDITION
    ├── Exhausted                RESOURCE_EXHAUSTED, mostly with a time after which to ask again
    ├── Unavailable              UNAVAILABLE (retry is safe)
    ├── DeadlinePassed           DEADLINE_EXCEEDED
    └── Failed                   INTERNAL

    VerificationFailed           a proof or signature does not hold (raised by verifiers, never sent)
    SetUpError                   the operator must change something: a file, a setting, a key

A policy's refusal is not an error: it is a :class:`broker.model.Decision` with reasons. Messages never
echo a value from a request or a record.
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.reasons import Reason, Sentence, sentence


class BrokerError(Exception):
    """A call that ends without a decision. ``about`` is a name (a field, a rule), never a value."""

    request_id: str = ""
    """Set by the client: under which id the call was made, and can be made again."""
    attempts: int = 0
    """Set by the client: how often the call was sent."""

    def __init__(self, reason: Reason, about: str = "") -> None:
        self.reason = reason
        self.about = about
        super().__init__(f"{reason}: {self.sentence.en}")

    @property
    def sentence(self) -> Sentence:
        return sentence(self.reason, self.about)


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a request: the field's path (``application.subjects[0]``) and what to do."""

    field: str
    zh: str
    en: str


class MalformedRequest(BrokerError):
    """All that is wrong with a request, at once."""

    def __init__(self, violations: tuple[Violation, ...], reason: Reason = Reason.REQUEST_MALFORMED) -> None:
        super().__init__(reason)
        self.violations = violations


class NotAuthenticated(BrokerError):
    """The certificate does not prove who calls."""


class NotAuthorised(BrokerError):
    """The caller is known, but may not call this or see this."""


class NotFound(BrokerError):
    """The named resource does not exist, or the caller may not know that it does."""


class Conflict(BrokerError):
    """The request id belongs to another request."""


class Changed(BrokerError):
    """A retry found other data than the first attempt."""

    def __init__(self, reason: Reason, about: str = "", first_leaf: int | None = None) -> None:
        super().__init__(reason, about)
        self.first_leaf = first_leaf
        """Of the log: what the first attempt was answered."""


class TooLarge(BrokerError):
    """The answer does not fit into one message; the streamed call takes it."""


class TooSmall(BrokerError):
    """An answer is about fewer people than policy lets anybody learn of together, or cannot be counted."""


class Elsewhere(BrokerError):
    """Streams are served on another port of the same broker; ``about`` is its number."""


class NotApproved(BrokerError):
    """A proposal that lacks an approval, where ``about`` is a file, or a detokenization that does."""


class NotReversible(BrokerError):
    """Tokens that cannot be turned back here; ``about`` is a field."""


class NotAcknowledged(BrokerError):
    """An acknowledgement that is none: nothing was delivered, or the consumer says that it got something
    else; ``about`` is then the receipt of the dispute."""


class NotPossible(BrokerError):
    """An act that does not go with the state of what it is done to; ``about`` is that state."""


class NothingToDispose(BrokerError):
    """Nothing that was delivered waits for such an order."""


class Exhausted(BrokerError):
    """A limit of the server, not of a policy."""

    def __init__(self, reason: Reason, about: str = "", retry_seconds: float | None = None) -> None:
        super().__init__(reason, about)
        self.retry_seconds = retry_seconds
        """How long to wait before asking again; None when the broker cannot tell."""


class Unavailable(BrokerError):
    """Something needed cannot be reached; nothing was released, and a retry is safe."""


class DeadlinePassed(BrokerError):
    """The caller no longer waits."""


class Failed(BrokerError):
    """A defect or a broken invariant; nothing was released."""


class VerificationFailed(Exception):
    """A signature, proof or hash does not hold; says which, so that an auditor can tell them apart."""


class SetUpError(Exception):
    """Set-up is wrong; ``zh`` and ``en`` say what, where and what to do."""

    def __init__(self, zh: str, en: str) -> None:
        self.zh = zh
        self.en = en
        super().__init__(f"{zh}\n{en}")
