"""Corrections (校核纠错) from the side of departments: what is asked, and what to make of the answer.

:attr:`broker.client.Client.corrections` and its twin differ only in how they wait.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, Required, TypedDict, Unpack

from broker.client.aio_applications import Ask as AsyncAsk
from broker.client.aio_applications import Items as AsyncItems
from broker.client.answer import checked_receipt
from broker.client.applications import Ask, Items
from broker.client.credentials import Credentials
from broker.client.evidence import require_said
from broker.client.questions import Page, Question, listing, resource
from broker.correction.signed import Answer, sign
from broker.model import DataError, EntryKind, Receipt, Settlement
from broker.receipt.log_keys import Trust
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.v1 import correction_pb2


class GetReceipt(Protocol):
    """Gets the receipt of a leaf, verified as the client verifies receipts."""

    def __call__(self, leaf_index: int, *, timeout: float = ...) -> Receipt: ...


class AsyncGetReceipt(Protocol):
    """The same, awaited."""

    async def __call__(self, leaf_index: int, *, timeout: float = ...) -> Receipt: ...


class Reported(TypedDict, total=False):
    """An error to report; ids as in the catalog."""

    receipt: Required[int]
    """Leaf index of the exchange's receipt, or of that of a stream's outcome."""
    error: Required[DataError]
    grounds: Required[str]
    """Why, in your words; only the provider's officers read it."""
    fields: Sequence[str]
    """Those that are wrong; may be left out of MISSING_RECORD."""
    subject: str
    """Identifier of the person, needed where the receipt has several and to tell others who received it."""
    claimed: Mapping[str, str]
    """Field → what would be right."""
    evidence: bytes
    """SHA-256 of a document that you keep."""
    operator: str
    """经办人."""
    for_citizen: bool
    """The citizen asked for it."""


class Wanted(TypedDict, total=False):
    """Which corrections to list; what is not given does not matter."""

    dataset: str
    consumer: str
    provider: str
    open: bool
    """Only those without answer."""
    overdue: bool


class Answered(TypedDict, total=False):
    """What came of a report."""

    settlement: Required[Settlement]
    grounds: Required[str]
    """On what grounds, at most 500 characters, without personal data: the consumer reads it."""
    right_from: datetime
    """CORRECTED: since when the source is right."""
    wrong_from: datetime
    """CORRECTED: since when it was wrong; leave it out if that is not known."""
    referred_to: str
    """REFERRED: who holds the master data."""


@dataclass(frozen=True, slots=True)
class Report:
    """A correction that was reported, and the receipt of that."""

    number: int
    due_at: datetime
    receipt: Receipt = field(repr=False)
    repeated: bool = False
    """It had been reported before."""


@dataclass(frozen=True, slots=True)
class CorrectionQuestions:
    """The questions of one caller about corrections."""

    credentials: Credentials
    trust: Trust | None

    def report(self, said: Reported) -> Question[Report]:
        request = correction_pb2.ReportCorrectionRequest(
            receipt=f"receipts/{said['receipt']}",
            error=f"DATA_ERROR_{said['error'].name}",
            fields=said.get("fields", ()),
            subject=said.get("subject", ""),
            claimed_values=dict(said.get("claimed", {})),
            grounds=said["grounds"],
            evidence_digest=said.get("evidence", b""),
            operator=said.get("operator", ""),
            for_citizen=said.get("for_citizen", False),
        )

        def read(response: correction_pb2.ReportCorrectionResponse, _: int) -> Report:
            receipt = checked_receipt(response.receipt, self.trust)
            told: dict[tuple[str, ...], object] = {("kind",): EntryKind.CORRECTION_REPORT}
            require_said(receipt, told | {("of",): said["receipt"], ("error",): said["error"]})
            due_at = response.due_time.ToDatetime(UTC)
            return Report(receipt.leaf_index, due_at, receipt, response.repeated)

        return Question(lambda stubs: stubs.corrections.ReportCorrection, request, read)

    def get(self, number: int) -> Question[correction_pb2.GetCorrectionResponse]:
        request = correction_pb2.GetCorrectionRequest(name=f"corrections/{number}")
        return Question(lambda stubs: stubs.corrections.GetCorrection, request, lambda found, _: found)

    def all(self, wanted: Wanted) -> Question[Page[correction_pb2.Correction]]:
        request = correction_pb2.ListCorrectionsRequest(
            dataset=resource("datasets", wanted.get("dataset", "")),
            consumer=resource("departments", wanted.get("consumer", "")),
            provider=resource("departments", wanted.get("provider", "")),
            open=wanted.get("open", False),
            overdue=wanted.get("overdue", False),
        )
        return listing(lambda stubs: stubs.corrections.ListCorrections, request, lambda r: r.corrections)

    def notices(self, dataset: str) -> Question[Page[correction_pb2.CorrectionNotice]]:
        request = correction_pb2.ListCorrectionNoticesRequest(dataset=resource("datasets", dataset))
        return listing(lambda stubs: stubs.corrections.ListCorrectionNotices, request, lambda r: r.notices)

    def quality(
        self, dataset: str, since: datetime | None, until: datetime | None
    ) -> Question[correction_pb2.DataQuality]:
        request = correction_pb2.GetDataQualityRequest(dataset=resource("datasets", dataset))
        if since is not None:
            request.since.FromDatetime(since.astimezone(UTC))
        if until is not None:
            request.until.FromDatetime(until.astimezone(UTC))
        return Question(
            lambda stubs: stubs.corrections.GetDataQuality, request, lambda found, _: found.quality
        )

    def signed(self, report: Receipt, said: Answered) -> bytes:
        """The caller's answer to the report of a receipt."""
        answer = Answer(
            report=leaf_hash(leaf_entry(report.statement)),
            settlement=said["settlement"],
            at=datetime.now(UTC),
            grounds=said["grounds"],
            right_from=said.get("right_from"),
            wrong_from=said.get("wrong_from"),
            referred_to=said.get("referred_to", ""),
        )
        return sign(answer, self.credentials.private_key(), self.credentials.chain[0])

    def answer(self, number: int, message: bytes) -> Question[Receipt]:
        request = correction_pb2.AnswerCorrectionRequest(name=f"corrections/{number}", signed_answer=message)

        def read(response: correction_pb2.AnswerCorrectionResponse, _: int) -> Receipt:
            receipt = checked_receipt(response.receipt, self.trust)
            told: dict[tuple[str, ...], object] = {("kind",): EntryKind.CORRECTION_ANSWER}
            require_said(receipt, told | {("correction",): number})
            return receipt

        return Question(lambda stubs: stubs.corrections.AnswerCorrection, request, read)


class Corrections:
    """What consumers and providers do with corrections.

    Every method raises :class:`~broker.errors.BrokerError`, and VerificationFailed where a receipt does not
    hold.
    """

    def __init__(self, questions: CorrectionQuestions, ask: Ask, items: Items, receipt: GetReceipt) -> None:
        self._questions = questions
        self._ask = ask
        self._items = items
        self._receipt = receipt

    def report(self, *, timeout: float = 10.0, **said: Unpack[Reported]) -> Report:
        """Report an error in what the own department received. Sent again, it counts once.

        Raises:
            NotFound: no such receipt is the own department's.
            NotPossible: NOTHING_TO_CORRECT.
            MalformedRequest: with everything that is wrong.
            Exhausted: TOO_MANY_CORRECTIONS.
        """
        return self._ask(self._questions.report(said), timeout)

    def get(self, number: int, *, timeout: float = 10.0) -> correction_pb2.GetCorrectionResponse:
        """A correction; for the provider's officers with what is held of the person."""
        return self._ask(self._questions.get(number), timeout)

    def all(self, *, timeout: float = 10.0, **wanted: Unpack[Wanted]) -> Iterator[correction_pb2.Correction]:
        """Corrections that the caller may see, newest first."""
        return self._items(self._questions.all(wanted), timeout)

    def notices(
        self, dataset: str = "", *, timeout: float = 10.0
    ) -> Iterator[correction_pb2.CorrectionNotice]:
        """That values were wrong which were received, newest first."""
        return self._items(self._questions.notices(dataset), timeout)

    def answer(self, number: int, *, timeout: float = 10.0, **said: Unpack[Answered]) -> Receipt:
        """Sign and send what came of a report, as an officer of the provider; gives the receipt.

        Raises:
            NotAuthorised: CORRECTION_NOT_YOURS.
            MalformedRequest: SIGNATURE_INVALID, with the check that failed.
            Changed: CORRECTION_ANSWERED, another answer came before.
        """
        report = self._receipt(number, timeout=timeout)
        return self._ask(self._questions.answer(number, self._questions.signed(report, said)), timeout)

    def quality(
        self,
        dataset: str,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        timeout: float = 60.0,
    ) -> correction_pb2.DataQuality:
        """How good a dataset's data were, by default in the last 30 days."""
        return self._ask(self._questions.quality(dataset, since, until), timeout)


class AsyncCorrections:
    """See :class:`Corrections`."""

    def __init__(
        self, questions: CorrectionQuestions, ask: AsyncAsk, items: AsyncItems, receipt: AsyncGetReceipt
    ) -> None:
        self._questions = questions
        self._ask = ask
        self._items = items
        self._receipt = receipt

    async def report(self, *, timeout: float = 10.0, **said: Unpack[Reported]) -> Report:
        """See :meth:`Corrections.report`."""
        return await self._ask(self._questions.report(said), timeout)

    async def get(self, number: int, *, timeout: float = 10.0) -> correction_pb2.GetCorrectionResponse:
        """See :meth:`Corrections.get`."""
        return await self._ask(self._questions.get(number), timeout)

    def all(
        self, *, timeout: float = 10.0, **wanted: Unpack[Wanted]
    ) -> AsyncIterator[correction_pb2.Correction]:
        """See :meth:`Corrections.all`."""
        return self._items(self._questions.all(wanted), timeout)

    def notices(
        self, dataset: str = "", *, timeout: float = 10.0
    ) -> AsyncIterator[correction_pb2.CorrectionNotice]:
        """See :meth:`Corrections.notices`."""
        return self._items(self._questions.notices(dataset), timeout)

    async def answer(self, number: int, *, timeout: float = 10.0, **said: Unpack[Answered]) -> Receipt:
        """See :meth:`Corrections.answer`."""
        report = await self._receipt(number, timeout=timeout)
        message = self._questions.signed(report, said)
        return await self._ask(self._questions.answer(number, message), timeout)

    async def quality(
        self,
        dataset: str,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        timeout: float = 60.0,
    ) -> correction_pb2.DataQuality:
        """See :meth:`Corrections.quality`."""
        return await self._ask(self._questions.quality(dataset, since, until), timeout)
