"""Applications that people decide: each act done under the log's lock, to the record as its caller saw it.

One transaction an act: the record is read, the act judged, the leaf appended, the record written. So of two
officers who decide at once one finds the application moved, whatever worker or replica they came to. What
the database has is believed only as far as the log has it: the digest of the record stands in the leaf of
its last act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

import orjson
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.applications import clocks, form, reviewers, steps
from broker.applications.reviewers import Bar, Voice
from broker.applications.states import BY_ACT, Actor, NoTransition, next_state
from broker.apply.identity import check_standing
from broker.epoch import Epochs, InForce
from broker.errors import (
    Changed,
    Conflict,
    MalformedRequest,
    NotAuthorised,
    NotFound,
    NotPossible,
    Unavailable,
    VerificationFailed,
    Violation,
)
from broker.filing_signatures import Signed, read, require_of, terms_digest
from broker.filings import digest, dumped
from broker.journal import ApplicationFilter, EpochMoved
from broker.model import (
    Act,
    Catalog,
    Delegation,
    DepartmentKind,
    Entry,
    EntryKind,
    FiledApplication,
    Identity,
    Receipt,
    Role,
    Terms,
)
from broker.publication.signing import MAX_SKEW
from broker.reasons import Reason
from broker.receipt.applications import filing, key_of, listed_provider
from broker.receipt.chains import chain_of
from broker.receipt.log import ReceiptLog, append_alone
from broker.standing import in_one_epoch
from broker.store.store import Store, StoreTransaction

log = structlog.get_logger("sharebroker.applications")

MOST_DUTIES = 8
"""Acts that the broker does to one application in a row; there are never so many to do."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Who does something to an application, as they have seen it."""

    caller: Identity
    request_id: str
    number: int
    version: int


@dataclass(frozen=True, slots=True)
class Done:
    """An application after an act, the act's receipt, and whether an earlier call had done it."""

    filed: FiledApplication
    receipt: Receipt
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """The application as an act finds it, under one epoch."""

    epoch: InForce
    filed: FiledApplication
    now: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What an act leaves, and the messages that make it."""

    filed: FiledApplication
    acts: tuple[bytes, ...] = ()


class OnStanding(Protocol):
    """What else is to be recorded when an act changes an application, within its transaction."""

    def __call__(
        self,
        transaction: StoreTransaction,
        before: FiledApplication | None,
        after: FiledApplication,
        now: datetime,
    ) -> Sequence[Entry]:
        """Entries that stand in the log before the act's own."""
        ...


def nothing_else(
    transaction: StoreTransaction, before: FiledApplication | None, after: FiledApplication, now: datetime
) -> Sequence[Entry]:
    """Where an act changes nothing but its application."""
    return ()


@dataclass(frozen=True, slots=True)
class Register:
    """Wired once at start; safe for use by many threads."""

    epochs: Epochs
    store: Store
    log: ReceiptLog
    ca: x509.Certificate
    clock: Callable[[], datetime]
    on_standing: OnStanding = nothing_else
    delegations: Callable[[str], Iterable[Delegation]] = lambda officer: ()
    """Those in force by which an officer (SPIFFE id) reviews in another's place. Asked within the append
    transaction, so it must not wait for one."""

    # ── to look at ───────────────────────────────────────────────────────────────────────────────

    def get(self, number: int, reader: Identity) -> FiledApplication:
        """An application, as the log has it.

        Raises:
            NotFound: there is none that the reader may see.
            Unavailable: LOG_UNAVAILABLE; the database has another record than was recorded.
        """
        filed = self.proved(number)
        if not may_see(filed, reader, self.epochs.current().bundle.catalog):
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        return filed

    def proved(self, number: int) -> FiledApplication:
        """An application, whose record is the one that the leaf of its last act names.

        Raises:
            NotFound, Unavailable: as :meth:`get`.
        """
        with self.store.applications() as tables:
            filed = tables.application(number)
        if filed is None:
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        leaf = filed.steps[-1].receipt
        said = orjson.loads(self._receipt(-1 if leaf is None else leaf).statement)
        if (said.get("application"), said.get("record")) != (number, digest(dumped(filed)).hex()):
            log.critical("application_altered", application=number, receipt=leaf)
            raise Unavailable(Reason.LOG_UNAVAILABLE)
        return filed

    def listed(self, wanted: ApplicationFilter, before: int | None, limit: int) -> list[FiledApplication]:
        """At most ``limit`` matching applications below the number ``before``, newest first."""
        with self.store.applications() as tables:
            return tables.listed(wanted, before, limit)

    def voice(
        self, filed: FiledApplication, officer: Identity, catalog: Catalog, now: datetime
    ) -> Voice | Bar:
        """How the officer may review the application now, or why not."""
        authority, lent = steps.authorities(catalog), self.delegations(officer.uri)
        return reviewers.voice(filed, officer.uri, officer.department, authority, lent, now)

    # ── the consumer's acts ──────────────────────────────────────────────────────────────────────

    def create(self, caller: Identity, request_id: str, terms: Terms) -> Done:
        """A draft of the caller's department; gives it with its receipt.

        Raises:
            MalformedRequest: with all that is wrong.
            BrokerError: nothing was recorded, or a retry is safe.
        """

        def attempt(epoch: InForce) -> tuple[FiledApplication, int, bool]:
            catalog = epoch.bundle.catalog
            form.require(form.request_violations(request_id), form.terms_violations(terms, caller, catalog))
            if not _is_actor(Actor.CONSUMER, caller, terms.consumer, "", catalog):
                raise NotAuthorised(Reason.ROLE_NOT_ALLOWED)
            mac = _mac(epoch, caller, (Act.CREATE, terms_digest(0, terms).hex()))
            with self.store.append_transaction() as transaction:
                now = self._begun(transaction, epoch, caller)
                claim = transaction.claims([(caller.uri, key_of(request_id))])
                for used in claim.values():
                    if used.request_mac != mac:
                        raise Conflict(Reason.REQUEST_ID_REUSED)
                    return self._first(transaction, used.leaf_index), used.leaf_index, True
                number, provider = transaction.applications.next_number(), catalog.datasets[terms.dataset]
                draft = steps.created(number, terms, provider.department, caller, now)
                recorded = self._record(transaction, None, Change(draft), now, caller, request_id, mac)
                return (*recorded, False)

        return self._done(*in_one_epoch(self.epochs, attempt))

    def supplement(self, asking: Asking, terms: Terms) -> Done:
        """Puts other terms in the place of those there are.

        Raises, as all that follow:
            MalformedRequest, NotAuthorised: see ``proto/broker/v1/application.proto``.
            NotFound: there is no such application that the caller may see.
            NotPossible: ACT_NOT_POSSIBLE, ``about`` its state.
            Changed: APPLICATION_MOVED, ``about`` the act that came before.
            Conflict: REQUEST_ID_REUSED.
            BrokerError: nothing was recorded, or a retry is safe.
        """

        def change(at: Moment) -> Change:
            form.require(form.terms_violations(terms, asking.caller, at.epoch.bundle.catalog))
            if terms.dataset != at.filed.terms.dataset:
                raise _malformed(
                    "terms.dataset", "不能改为另一数据资源", "must stay: that is another application"
                )
            return Change(steps.supplemented(at.filed, terms, asking.caller, at.now))

        return self._do(asking, Act.SUPPLEMENT, (terms_digest(0, terms).hex(),), change)

    def consent(self, asking: Asking, message: bytes) -> Done:
        """The consumer's officer consents by the signature in ``message``, which files the application."""
        signed = self._read(Act.CONSENT, message)

        def change(at: Moment) -> Change:
            self._require_now(signed, at, asking.caller)
            return Change(steps.consented(at.filed, signed, at.now), (message,))

        return self._do(asking, Act.CONSENT, (), change)

    def withdraw(self, asking: Asking, reason: str) -> Done:
        """Takes the application back."""

        def change(at: Moment) -> Change:
            return Change(steps.ended(at.filed, Act.WITHDRAW, asking.caller.uri, at.now, reason))

        return self._do(asking, Act.WITHDRAW, (reason,), change, reason)

    # ── the review ───────────────────────────────────────────────────────────────────────────────

    def approve(self, asking: Asking, message: bytes) -> Done:
        """A reviewer approves by the signature in ``message``."""
        signed = self._read(Act.APPROVE, message)

        def change(at: Moment) -> Change:
            voice = self._reviewing(at, asking.caller)
            self._require_now(signed, at, asking.caller)
            approved = steps.approved(at.filed, signed, voice.on_behalf_of, at.epoch.bundle, at.now)
            return Change(approved, (message,))

        return self._do(asking, Act.APPROVE, (), change)

    def refuse(self, asking: Asking, reason: str, legal_basis: str) -> Done:
        """A reviewer refuses, saying why and by which law."""

        def change(at: Moment) -> Change:
            self._reviewing(at, asking.caller)
            uri = asking.caller.uri
            return Change(steps.ended(at.filed, Act.REFUSE, uri, at.now, reason, legal_basis))

        return self._do(asking, Act.REFUSE, (reason, legal_basis), change, reason, legal_basis)

    def extend(self, asking: Asking, working_days: int, reason: str) -> Done:
        """The provider's officer asks for more working days to answer; with 0 the authority's consents."""
        if not 0 <= working_days <= form.MOST_DAYS:
            zh, en = f"最多 {form.MOST_DAYS} 个工作日", f"at most {form.MOST_DAYS} working days"
            raise _malformed("working_days", zh, en)
        act = Act.ASK_EXTENSION if working_days else Act.EXTEND

        def change(at: Moment) -> Change:
            extension = at.filed.extension
            asked = extension is not None and not extension.consented_by
            if not (extension is None if act is Act.ASK_EXTENSION else asked):
                raise NotPossible(Reason.ACT_NOT_POSSIBLE, at.filed.state)
            bundle = at.epoch.bundle
            most = clocks.most_extension(at.filed, bundle)
            if not most:
                raise NotPossible(Reason.ACT_NOT_POSSIBLE, at.filed.state)
            if working_days > most:
                zh, en = f"最多 {most} 个工作日", f"at most {most} working days"
                raise _malformed("working_days", zh, en)
            return Change(steps.extended(at.filed, working_days, reason, asking.caller, bundle, at.now))

        return self._do(asking, act, (str(working_days), reason), change, reason)

    # ── the grant ────────────────────────────────────────────────────────────────────────────────

    def suspend(self, asking: Asking, reason: str) -> Done:
        """The grant gives nothing until it is resumed."""

        def change(at: Moment) -> Change:
            return Change(steps.suspended(at.filed, reason, asking.caller, at.now))

        return self._do(asking, Act.SUSPEND, (reason,), change, reason)

    def resume(self, asking: Asking, reason: str) -> Done:
        """It gives again what it gave: by the department that suspended it, or the authority."""

        def change(at: Moment) -> Change:
            caller, catalog = asking.caller, at.epoch.bundle.catalog
            if caller.department != at.filed.suspended_by and not is_authority(caller, catalog):
                raise NotAuthorised(Reason.ROLE_NOT_ALLOWED)
            return Change(steps.resumed(at.filed, reason, caller, at.now))

        return self._do(asking, Act.RESUME, (reason,), change, reason)

    def terminate(self, asking: Asking, reason: str, legal_basis: str) -> Done:
        """It ends before its time."""

        def change(at: Moment) -> Change:
            uri = asking.caller.uri
            return Change(steps.ended(at.filed, Act.TERMINATE, uri, at.now, reason, legal_basis))

        return self._do(asking, Act.TERMINATE, (reason, legal_basis), change, reason, legal_basis)

    # ── the broker's own ─────────────────────────────────────────────────────────────────────────

    def due(self, now: datetime, limit: int) -> list[int]:
        """Numbers of at most ``limit`` applications that the broker has something to do about by ``now``."""
        with self.store.applications() as tables:
            return tables.due(now, limit)

    def settle(self, filed: FiledApplication) -> FiledApplication:
        """Does what the broker has to do about an application by now; gives what it is then.

        Raises:
            Unavailable: as :meth:`get`.
        """
        for _ in range(MOST_DUTIES):
            if filed.wake_at is None or self.clock() < filed.wake_at:
                break
            after = in_one_epoch(self.epochs, partial(self._settled, filed))
            if after is None:
                break
            filed = after
        return filed

    def _settled(self, found: FiledApplication, epoch: InForce) -> FiledApplication | None:
        with self.store.append_transaction() as transaction:
            now = self._begun(transaction, epoch, None)
            filed = transaction.applications.application(found.number)
            if filed != found:  # somebody was faster, or what was proved is not what there is
                return filed
            after = steps.due(filed, epoch.bundle, now)
            if after is None:
                return None
            return self._record(transaction, filed, Change(after), now, None)[0]

    # ── how an act is done ───────────────────────────────────────────────────────────────────────

    def _do(
        self,
        asking: Asking,
        act: Act,
        said: tuple[str, ...],
        change: Callable[[Moment], Change],
        reason: str = "",
        legal_basis: str = "",
    ) -> Done:
        """``said`` is what, beside number and version, makes a retry the same request."""
        transition = BY_ACT[act]
        form.require(
            form.request_violations(asking.request_id),
            form.stated_violations("reason", reason, required=transition.reasoned),
            form.stated_violations("legal_basis", legal_basis, required=transition.based),
        )
        proved = self.proved(asking.number)

        def attempt(epoch: InForce) -> tuple[FiledApplication, int, bool]:
            mac = _mac(epoch, asking.caller, (act, str(asking.number), str(asking.version), *said))
            with self.store.append_transaction() as transaction:
                now = self._begun(transaction, epoch, asking.caller)
                filed = self._found(transaction, proved, asking.caller, epoch.bundle.catalog)
                claims = transaction.claims([(filed.created_by, key_of(asking.request_id))])
                for used in claims.values():
                    if used.request_mac != mac:
                        raise Conflict(Reason.REQUEST_ID_REUSED)
                    return filed, used.leaf_index, True
                self._require_possible(filed, act, asking, epoch.bundle.catalog)
                changed = change(Moment(epoch, filed, now))
                recorded = self._record(
                    transaction, filed, changed, now, asking.caller, asking.request_id, mac
                )
                return (*recorded, False)

        return self._done(*in_one_epoch(self.epochs, attempt))

    def _done(self, filed: FiledApplication, leaf: int, repeated: bool) -> Done:
        return Done(self.settle(filed), self._receipt(leaf), repeated)

    def _receipt(self, leaf: int) -> Receipt:
        """Of a leaf that may have been appended just now, by whomever, and lie under no signed head yet."""
        try:
            return self.log.receipt(leaf)
        except NotFound:
            self.log.sign()
            return self.log.receipt(leaf)

    def _begun(self, transaction: StoreTransaction, epoch: InForce, caller: Identity | None) -> datetime:
        """That the transaction is one of this epoch, and the caller may still act; gives its time."""
        head = transaction.head
        if head.epoch != epoch.sequence:
            raise EpochMoved(head.epoch)
        now = max(self.clock(), head.recorded_at)
        if caller is not None:
            check_standing(caller, epoch.bundle.catalog.city, epoch.revocations, now)
        return now

    def _found(
        self, transaction: StoreTransaction, proved: FiledApplication, caller: Identity, catalog: Catalog
    ) -> FiledApplication:
        filed = transaction.applications.application(proved.number)
        if filed is None or not may_see(filed, caller, catalog):
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        if filed.version == proved.version and filed != proved:
            raise Unavailable(Reason.LOG_UNAVAILABLE)
        return filed

    def _first(self, transaction: StoreTransaction, leaf: int) -> FiledApplication:
        """The application whose first leaf that is."""
        found = self.store.leaf(leaf)
        said = orjson.loads(found.entry.statement) if found and found.entry.statement else {}
        filed = transaction.applications.application(int(said.get("application", 0)))
        if filed is None:
            raise Unavailable(Reason.LOG_UNAVAILABLE)
        return filed

    def _require_possible(self, filed: FiledApplication, act: Act, asking: Asking, catalog: Catalog) -> None:
        transition, terms = BY_ACT[act], filed.terms
        if not any(
            _is_actor(actor, asking.caller, terms.consumer, filed.provider, catalog)
            for actor in transition.actors
        ):
            raise NotAuthorised(Reason.ROLE_NOT_ALLOWED)
        if filed.version != asking.version:
            raise Changed(Reason.APPLICATION_MOVED, filed.steps[-1].act)
        try:
            next_state(filed.state, act)
        except NoTransition:
            raise NotPossible(Reason.ACT_NOT_POSSIBLE, filed.state) from None

    def _reviewing(self, at: Moment, officer: Identity) -> Voice:
        """In whose name the officer reviews."""
        voice = self.voice(at.filed, officer, at.epoch.bundle.catalog, at.now)
        if isinstance(voice, Bar):
            raise NotAuthorised(Reason.NOT_A_REVIEWER)
        return voice

    def _read(self, act: Act, message: bytes) -> Signed:
        try:
            return read(act, message, self.ca)
        except VerificationFailed as failure:
            raise _unsigned(failure) from None

    def _require_now(self, signed: Signed, at: Moment, caller: Identity) -> None:
        """That the caller has signed, just now, and about this application as it is."""
        try:
            require_of(signed, at.filed)
        except VerificationFailed as failure:
            raise _unsigned(failure) from None
        if signed.signer.fingerprint != caller.fingerprint:
            raise _invalid("不是调用者本人所签", "is not signed by the caller")
        if abs(at.now - signed.at) > MAX_SKEW:
            raise _invalid("签署时间与服务器时间相差过大", "its time is too far from the broker's")

    def _record(
        self,
        transaction: StoreTransaction,
        before: FiledApplication | None,
        change: Change,
        now: datetime,
        caller: Identity | None,
        request_id: str = "",
        mac: bytes = b"",
    ) -> tuple[FiledApplication, int]:
        filed, terms = change.filed, change.filed.terms
        key = key_of(request_id) if request_id else ""
        digests = [digest(message) for message in change.acts]
        own_terms = terms_digest(filed.number, terms)
        entry = Entry(
            kind=EntryKind.APPLICATION,
            statement=filing(filed, own_terms, now, caller=caller, request_id=key, signed=digests),
            recorded_at=now,
            consumer=terms.consumer,
            consumer_uri=filed.created_by,
            provider=listed_provider(filed),
            dataset=terms.dataset,
            purpose=terms.purpose,
            request_id=key,
            request_mac=mac,
            chains=() if caller is None else (chain_of(caller, self._authority),),
            acts=change.acts,
        )
        others = self.on_standing(transaction, before, filed, now)
        leaf = append_alone(transaction, self.store, *others, entry)
        transaction.applications.keep(filed, leaf)
        step = filed.steps[-1]
        log.info("application", number=filed.number, act=step.act, state=step.after, receipt=leaf)
        return replace(filed, steps=(*filed.steps[:-1], replace(step, receipt=leaf))), leaf

    @property
    def _authority(self) -> bytes:
        return self.ca.public_bytes(serialization.Encoding.DER)


def may_see(filed: FiledApplication, reader: Identity, catalog: Catalog) -> bool:
    """Whether the reader may know of the application."""
    if reader.department in filed.concerned:
        return True
    known = (catalog.departments.get(department) for department in filed.concerned)
    if any(one is not None and one.delegate == reader.department for one in known):
        return filed.filed_at is not None
    supervises = reader.role in (Role.OFFICER, Role.AUDITOR) and is_authority(reader, catalog)
    return filed.filed_at is not None and supervises


def is_authority(reader: Identity, catalog: Catalog) -> bool:
    """Whether the reader's department is the authority."""
    department = catalog.departments.get(reader.department)
    return department is not None and department.kind is DepartmentKind.AUTHORITY


def _is_actor(actor: Actor, caller: Identity, consumer: str, provider: str, catalog: Catalog) -> bool:
    if caller.role is not Role.OFFICER:
        return actor is Actor.CONSUMER and caller.role is Role.SYSTEM and caller.department == consumer
    match actor:
        case Actor.CONSUMER | Actor.CONSUMER_OFFICER:
            return caller.department == consumer
        case Actor.PROVIDER_OFFICER:
            provides = catalog.departments.get(provider)
            return caller.department in (provider, provides.delegate if provides else provider)
        case Actor.AUTHORITY_OFFICER:
            return is_authority(caller, catalog)
        case Actor.REVIEWER:
            return True  # which of the officers is asked when the act is judged
        case Actor.BROKER:
            return False


def _mac(epoch: InForce, caller: Identity, said: tuple[str, ...]) -> bytes:
    return epoch.keyring.request_mac(orjson.dumps(["application", caller.uri, *said]))


def _malformed(field: str, zh: str, en: str) -> MalformedRequest:
    return MalformedRequest((Violation(field, zh, en),))


def _invalid(zh: str, en: str) -> MalformedRequest:
    return MalformedRequest((Violation("signed", zh, en),), Reason.APPLICATION_SIGNATURE_INVALID)


def _unsigned(failure: VerificationFailed) -> MalformedRequest:
    zh, _, en = str(failure).partition(" / ")
    return _invalid(zh, en or zh)
