"""Tokens turned back (还原): what an exchange does in five steps, in four.

1. the request is well formed, and its receipt is one that concerns the caller's department;
2. an officer of the provider, who is not the caller, has signed for exactly this request;
3. nothing that is in force stands against it: suspensions, what may not be shared at all, the day's quota;
4. the values are looked up, the receipt is durable, and only then are they handed over.

All under one epoch, as an exchange is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.apply.identity import check_standing
from broker.detokenize.approval import Asked, SignedApproval, tokens_digest
from broker.detokenize.request import Request, leaf_of, require_well_formed
from broker.detokenize.scrutiny import approved
from broker.detokenize.values import Values, canonical
from broker.epoch import Epochs, InForce
from broker.errors import DeadlinePassed, NotFound, NotReversible, SetUpError
from broker.journal import QuotaExceeded
from broker.marks import NO_VAULT, Marks
from broker.model import (
    CORE,
    Charge,
    Entry,
    EntryKind,
    Identity,
    Receipt,
    SharingAttribute,
    SubjectMark,
    Verdict,
    Why,
)
from broker.reasons import Reason
from broker.receipt.chains import chain_of
from broker.receipt.log import ReceiptLog
from broker.receipt.lookups import Grounds, TurnedBack, detokenization
from broker.releases import Masked, Masks, Released, keys_of, released_fields
from broker.standing import anything_goes, in_one_epoch
from broker.streaming import StillWanted
from broker.transmit.digest import answer_digest


@dataclass(frozen=True, slots=True)
class Detokenized:
    """The answer: values with a receipt, or reasons with one."""

    receipt: Receipt
    reasons: tuple[Why, ...] = ()
    values: Values = ()
    nonce: bytes = b""
    digest: bytes = b""
    redelivered: bool = False


@dataclass(frozen=True, slots=True)
class _Case:
    """A well-formed, approved request, before the values are looked up."""

    epoch: InForce
    request: Request
    caller: Identity
    released: Released
    statement: Mapping[str, Any]
    """Of the release."""
    approval: SignedApproval
    now: datetime


@dataclass(frozen=True, slots=True)
class Detokenizer:
    """Wired once at start; safe for use by many threads."""

    epochs: Epochs
    masks: Masks
    log: ReceiptLog
    ca: x509.Certificate
    clock: Callable[[], datetime]
    per_day: int
    """Tokens of one dataset that one department may have turned back in a day."""
    marks: Marks = NO_VAULT
    may_release: Callable[[], None] = anything_goes
    """Raises Unavailable while nothing may be released at all."""

    def detokenize(self, request: Request, caller: Identity, still_wanted: StillWanted) -> Detokenized:
        """What the tokens stand for, with the receipt that somebody was told.

        Raises:
            MalformedRequest: REQUEST_MALFORMED; APPROVAL_INVALID.
            NotApproved: APPROVAL_MISSING.
            NotReversible: the field was not masked so, or key or operator of then are gone.
            NotFound: no such receipt concerns the caller's department.
            BrokerError: nothing was returned.
        """
        require_well_formed(request)
        return in_one_epoch(self.epochs, lambda epoch: self._attempt(epoch, request, caller, still_wanted))

    def _attempt(
        self, epoch: InForce, request: Request, caller: Identity, still_wanted: StillWanted
    ) -> Detokenized:
        case = self._case(epoch, request, caller)
        masked = self._reversible(case)
        if barred := tuple(_barred(case)):
            return self._refused(case, barred)
        self.may_release()
        values = self._values(case, masked)
        if not still_wanted():
            raise DeadlinePassed(Reason.DEADLINE_PASSED)
        try:
            return self._answered(case, masked, values)
        except QuotaExceeded as exceeded:
            return self._refused(case, (Why(Reason.QUOTA_EXCEEDED, exceeded.charge.counter),))

    # ── the request and its approval ─────────────────────────────────────────────────────────────

    def _case(self, epoch: InForce, request: Request, caller: Identity) -> _Case:
        now, catalog = self.clock(), epoch.bundle.catalog
        check_standing(caller, catalog.city, epoch.revocations, now)
        statement = self._statement(leaf_of(request.receipt), caller)
        released = _released(statement, request.field)
        asked = Asked(
            request_id=request.request_id,
            receipt=leaf_of(request.receipt),
            dataset=released.dataset,
            field=released.field,
            consumer=released.consumer,
            purpose=released.purpose,
            tokens=tokens_digest(request.tokens),
            count=len(request.tokens),
            reason=request.reason,
            legal_basis=request.legal_basis,
            caller=caller.uri,
        )
        approval = approved(request.signed_approval, asked, released.provider, epoch, self.ca, now)
        return _Case(epoch, request, caller, released, statement, approval, now)

    def _statement(self, leaf_index: int, caller: Identity) -> dict[str, Any]:
        """The statement of the release, as the log has hashed it."""
        entry = self.log.entry(leaf_index)
        if entry is None or not entry.statement or caller.department not in (entry.consumer, entry.provider):
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        # Proved to be what was recorded, whatever the database says now.
        statement: dict[str, Any] = orjson.loads(self.log.receipt(leaf_index).statement)
        return statement

    def _reversible(self, case: _Case) -> Masked:
        masked = self.masks.of(case.released, case.epoch.bundle)
        if masked is None or not masked.operator.properties.reversible:
            raise NotReversible(Reason.NOT_REVERSIBLE, case.released.field)
        return masked

    # ── the values ───────────────────────────────────────────────────────────────────────────────

    def _values(self, case: _Case, masked: Masked) -> Values:
        """A value counts only if it gives its token again, and where the receipt names its subjects, if it is
        one of theirs: under another key a token may look like one too."""
        released = case.released
        try:
            keys = keys_of(case.epoch.keyring, released, masked)
        except SetUpError:
            raise NotReversible(Reason.NOT_REVERSIBLE, released.field) from None
        unbind = masked.unbind(keys)
        if unbind is None or masked.takes != pa.string():
            raise NotReversible(Reason.NOT_REVERSIBLE, released.field)
        found = unbind(pa.array(case.request.tokens, pa.string()))
        again = masked.bind(keys)(found).to_pylist()
        values = [
            value if value is not None and token == mark else None
            for value, token, mark in zip(found.to_pylist(), case.request.tokens, again, strict=True)
        ]
        if masked.identifies and case.statement["subject_tags"]:
            people = {value for value in values if value is not None}
            recogniser = self.marks.recogniser(people, case.epoch.keyring)
            version = released.key_version
            named = {one for one in people if recogniser.names(case.statement, one, version)}
            values = [value if value in named else None for value in values]
        return tuple(values)

    # ── the receipt ──────────────────────────────────────────────────────────────────────────────

    def _answered(self, case: _Case, masked: Masked, values: Values) -> Detokenized:
        request, caller, keyring = case.request, case.caller, case.epoch.keyring
        nonce = keyring.nonce(caller.uri, request.request_id)
        digest = answer_digest(nonce, canonical(values))
        known = [value for value in values if value is not None]
        people = known if masked.identifies else []

        def write(marks: Sequence[SubjectMark]) -> bytes:
            return self._statement_of(case, at, turned_back=TurnedBack(len(known), digest, marks))

        at = self.clock()
        marks, content = self.marks.made(people, request.request_id, at, keyring, write)
        entry = replace(self._entry(case, content, at), marks=marks)
        day = case.now.astimezone(case.epoch.bundle.zone).date().isoformat()
        counter = f"detokenize/{case.released.dataset}/{caller.department}/{day}"
        entry = replace(
            entry,
            request_id=request.request_id,
            request_mac=keyring.request_mac(_canonical_request(case)),
            answer_digest=digest,
            charges=(Charge(counter, self.per_day, len(request.tokens)),),
        )
        appended = self.log.append(entry)
        return Detokenized(appended.receipt, (), values, nonce, digest, appended.redelivered)

    def _refused(self, case: _Case, reasons: tuple[Why, ...]) -> Detokenized:
        at = self.clock()
        content = self._statement_of(case, at, refused=reasons)
        entry = replace(self._entry(case, content, at), verdict=Verdict.DENY)
        return Detokenized(self.log.append(entry).receipt, reasons)

    @staticmethod
    def _statement_of(
        case: _Case,
        recorded_at: datetime,
        *,
        refused: tuple[Why, ...] = (),
        turned_back: TurnedBack | None = None,
    ) -> bytes:
        released, caller = case.released, case.caller
        return detokenization(
            caller,
            case.request.request_id,
            {
                "receipt": leaf_of(case.request.receipt),
                "consumer": released.consumer,
                "provider": released.provider,
                "dataset": released.dataset,
                "field": released.field,
                "purpose": released.purpose,
                "mask": case.statement["obligations"]["masks"][released.field],
            },
            _grounds(case),
            recorded_at,
            tokens=len(case.request.tokens),
            bundle=case.epoch.bundle.hash,
            epoch=case.epoch.sequence,
            refused=refused,
            turned_back=turned_back,
        )

    def _entry(self, case: _Case, content: bytes, recorded_at: datetime) -> Entry:
        released, caller = case.released, case.caller
        return Entry(
            kind=EntryKind.DETOKENIZATION,
            statement=content,
            recorded_at=recorded_at,
            consumer=caller.department,
            consumer_uri=caller.uri,
            provider=released.provider,
            dataset=released.dataset,
            purpose=released.purpose,
            verdict=Verdict.PERMIT,
            epoch=case.epoch.sequence,
            chains=tuple(chain_of(one, self._authority) for one in (caller, case.approval.signer)),
            acts=(case.request.signed_approval,),
        )

    @property
    def _authority(self) -> bytes:
        return self.ca.public_bytes(serialization.Encoding.DER)


def _released(statement: Mapping[str, Any], field: str) -> Released:
    for released in released_fields(statement):
        if released.field == field:
            return released
    raise NotReversible(Reason.NOT_REVERSIBLE, field)


def _barred(case: _Case) -> Iterator[Why]:
    """What is in force that stands against it."""
    released = case.released
    departments = {case.caller.department, released.consumer}
    for suspension in case.epoch.suspensions:
        if suspension.stops(departments, released.dataset, released.purpose):
            yield Why(Reason.SUSPENDED, suspension.told)
    dataset = case.epoch.bundle.catalog.datasets.get(released.dataset)
    if dataset is None:
        yield Why(Reason.DATASET_UNKNOWN)
        return
    if dataset.sharing_attribute is SharingAttribute.WITHHELD:
        yield Why(Reason.DATASET_WITHHELD)
    field = dataset.fields.get(released.field)
    if field is None or not field.shared:
        yield Why(Reason.FIELD_NOT_SHARED, released.field)
    elif field.level == CORE:
        yield Why(Reason.CORE_LEVEL, released.field)


def _grounds(case: _Case) -> Grounds:
    request, approval = case.request, case.approval
    return Grounds(request.reason, request.legal_basis, approval.signer.uri, approval.digest, approval.until)


def _canonical_request(case: _Case) -> bytes:
    request = case.request
    return orjson.dumps(
        [
            "detokenize",
            case.caller.uri,
            request.request_id,
            request.receipt,
            request.field,
            request.tokens,
            request.reason,
            request.legal_basis,
            case.approval.digest.hex(),
        ]
    )
