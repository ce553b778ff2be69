"""Moving the epoch: to publish a policy or a revocation list, to suspend sharing and to lift a suspension.

Each act is one transaction under the log's lock: what it publishes, the epoch's next sequence, and a leaf
that says what was done, by whom and why. When a method returns, nothing commits any more that was decided
before. No act needs a broker that runs, nor the signer: stopping must work when little else does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.approve.bundle import Bundle
from broker.approve.files import Files, pack, unpack
from broker.epoch import Compile
from broker.errors import SetUpError
from broker.keys.keyring import Keyring
from broker.keys.keyring_file import KeyringFile
from broker.keys.revocation import Revocations, read_revocations
from broker.model import (
    NO_KEY,
    CertificateChain,
    Entry,
    EntryKind,
    Epoch,
    FiledApplication,
    Identity,
    KeyInUse,
    Publication,
    State,
    Suspension,
    Target,
    Withdrawal,
    provider_of,
)
from broker.receipt.chains import chain_of
from broker.receipt.log import append_alone
from broker.receipt.statement import epoch_act
from broker.store.store import Store, StoreTransaction

MAX_TEXT = 500
"""Longest name and reason, in characters."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who orders an act, and why; both stand in its leaf.

    Raises:
        SetUpError: nobody is named, or a text is too long or not printable.
    """

    actor: str
    reason: str = ""
    officer: Identity | None = None
    """Who orders it over a connection; None on the broker's host."""

    @classmethod
    def of(cls, officer: Identity, reason: str) -> Order:
        """An officer's, over a connection."""
        return cls(officer.uri, reason, officer)

    @property
    def department(self) -> str:
        """Of the officer; empty on the broker's host."""
        return "" if self.officer is None else self.officer.department

    def __post_init__(self) -> None:
        if not self.actor or not all(
            len(text) <= MAX_TEXT and text.isprintable() for text in (self.actor, self.reason)
        ):
            raise SetUpError(
                f"须写明经办人；经办人与原因各不超过 {MAX_TEXT} 字，不得含不可见字符。",
                f"Name who orders it; name and reason have at most {MAX_TEXT} visible characters each.",
            )


@dataclass(frozen=True, slots=True)
class Moved:
    """What an act did: the epoch before and after it, and its leaf. The same epoch twice: nothing to do."""

    before: Epoch
    after: Epoch
    leaf_index: int | None = None


@dataclass(frozen=True, slots=True)
class Approved:
    """That officers approved what is published."""

    said: Mapping[str, object]
    """What the leaf says of it."""
    chains: tuple[CertificateChain, ...]
    """Of their certificates."""


@dataclass(frozen=True, slots=True)
class Act:
    """An act under way in its transaction."""

    store: Store
    transaction: StoreTransaction
    now: datetime
    before: Epoch

    def next(self, **changes: object) -> Epoch:
        """The epoch after this one."""
        return replace(self.before, sequence=self.before.sequence + 1, since=self.now, **changes)  # type: ignore[arg-type]

    def move(
        self,
        name: str,
        after: Epoch,
        order: Order,
        suspension: Suspension | None = None,
        publication: Mapping[str, object] | None = None,
        chains: tuple[CertificateChain, ...] = (),
        withdrawal: Withdrawal | None = None,
    ) -> Moved:
        """Puts ``after`` in force, and the leaf that says so into the log. ``chains`` has that of the officer
        who ordered it."""
        self.transaction.epochs.move(after)
        leaf_index = _record(
            self.store, self.transaction, name, after, order, suspension, publication, chains, withdrawal
        )
        return Moved(self.before, after, leaf_index)

    def publish(
        self,
        bundle_hash: str,
        order: Order,
        proposal: int | None = None,
        approved: Approved | None = None,
    ) -> Moved:
        """Puts a bundle that is kept in force, as the next in the history; ``approved`` says by whom."""
        after = self.next(bundle_hash=bundle_hash)
        sequence = _keep(self.transaction, after, order, proposal)
        said = {
            "sequence": sequence,
            "previous": self.before.bundle_hash,
            **(approved.said if approved else {}),
        }
        chains = approved.chains if approved else ()
        return self.move("policy", after, order, publication=said, chains=chains)


class Publisher:
    """Acts upon the database that brokers serve from.

    Args:
        compile_bundle, check: refuse, by SetUpError, a bundle that the brokers could not use; ``check`` is
            not asked again about one that is in force.
        officers: whether only what officers have approved may be put in force (:mod:`broker.proposals`).

    Every method may raise :class:`~broker.errors.Unavailable`: the database cannot be reached.
    """

    def __init__(
        self,
        store: Store,
        compile_bundle: Compile,
        check: Callable[[Bundle], None],
        ca: x509.Certificate,
        clock: Callable[[], datetime],
        *,
        officers: bool = False,
    ) -> None:
        self.store = store
        self.clock = clock
        self._officers = officers
        self.compile = compile_bundle
        self._check = check
        self._ca = ca

    def begin(self, files: Files, crl: bytes, key: KeyInUse, order: Order) -> bool:
        """Puts the first epoch in force; False when one is already. The log must have begun.

        Raises:
            SetUpError: the bundle does not load, or the revocation list has ended.
            VerificationFailed: the revocation list is not the authority's.
        """
        bundle, revocations = self.compiled(files), self._current(crl)
        with self.store.append_transaction() as transaction:
            if transaction.epochs.epoch() is not None:
                return False
            now = max(self.clock(), transaction.head.recorded_at)
            epoch = Epoch(1, bundle.hash, revocations.number, now, key)
            transaction.epochs.keep_bundle(bundle.hash, pack(files))
            transaction.epochs.keep_crl(revocations.number, crl)
            transaction.epochs.begin(epoch)
            _keep(transaction, epoch, order)
            _record(self.store, transaction, "begin", epoch, order)
            return True

    def policy(self, files: Files, order: Order) -> Moved:
        """Puts another bundle in force; does nothing when it is in force already.

        Raises:
            SetUpError: it does not load, or is another city's, or officers must approve what is published.
        """
        if self._officers:
            raise SetUpError(
                "本服务只发布经两名数据资源管理员审批的策略：请先 sharebroker policy propose，再 approve。",
                "Here only what two officers have approved is published: `sharebroker policy propose` it, "
                "have it approved, then publish the proposal.",
            )
        bundle = self.same_city(files)
        with self.act() as act:
            if bundle.hash == act.before.bundle_hash:
                return Moved(act.before, act.before)
            act.transaction.epochs.keep_bundle(bundle.hash, pack(files))
            return act.publish(bundle.hash, order)

    def same_city(self, files: Files) -> Bundle:
        """The bundle, if the brokers can use it in the place of what is in force.

        Raises:
            SetUpError: it does not load, or is another city's.
        """
        bundle = self.compiled(files)
        if bundle.catalog.city != self._in_force().catalog.city:
            raise SetUpError(
                "这是另一城市的策略，未予发布。", "These are another city's policies; nothing was published."
            )
        return bundle

    def revocations(self, crl: bytes, order: Order) -> Moved:
        """Puts a newer revocation list (PEM) in force; does nothing when it is in force already.

        Raises:
            SetUpError: its number is not above that of the list in force, or it is outside its dates.
            VerificationFailed: it is not the authority's.
        """
        revocations = self._current(crl)
        with self.act() as act:
            if act.transaction.epochs.crl(act.before.crl_number) == crl:
                return Moved(act.before, act.before)
            if revocations.number <= act.before.crl_number:
                raise _older(revocations.number, act.before.crl_number)
            act.transaction.epochs.keep_crl(revocations.number, crl)
            return act.move("revocations", act.next(crl_number=revocations.number), order)

    def rotate(self, file: KeyringFile, order: Order) -> Moved:
        """Puts the newest version of the keyring in use, a further one unless one was prepared.

        Raises:
            SetUpError: this keyring lacks the key in force, or cannot be read or written.
        """
        with self.act() as act:
            before = file.read().in_use(act.before.key)  # or keys came into force that nobody else has
            keyring = file.prepare(before.version, act.now)
            return act.move("keys", act.next(key=keyring.key), order)

    def name_key(self, keyring: Keyring, order: Order) -> Moved:
        """Names the key in use, in a database of before epochs named one."""
        with self.act() as act:
            if act.before.key != NO_KEY:
                return Moved(act.before, act.before)
            return act.move("keys", act.next(key=keyring.key), order)

    def suspend(
        self,
        target: Target,
        name: str,
        order: Order,
        *,
        provider: str = "",
        mend_by: datetime | None = None,
    ) -> tuple[Suspension, Moved]:
        """Stops sharing for a department, of a dataset, for a purpose, or all of it (``name`` empty); of what
        one ``provider`` shares, if it is named. Does nothing when this very order has been carried out.

        Args:
            mend_by: by when to put right what it is ordered for; it is stopped until it is lifted.

        Raises:
            SetUpError: the bundle in force knows no such name (which may be a slip of the keyboard).
        """
        self._require_known(target, name, provider)
        with self.act() as act:
            after = act.next()
            suspension = Suspension(
                after.sequence,
                target,
                name,
                order.reason,
                order.actor,
                after.since,
                provider=provider,
                department=order.department,
                mend_by=mend_by,
            )
            for known in act.transaction.epochs.suspensions():
                if replace(known, number=suspension.number, since=suspension.since) == suspension:
                    return known, Moved(act.before, act.before)
            act.transaction.epochs.suspend(suspension)
            chains = self._chains(order)
            return suspension, act.move("suspend", after, order, suspension, chains=chains)

    def lift(
        self, number: int, order: Order, allow: Callable[[Suspension], None] = lambda suspension: None
    ) -> tuple[Suspension, Moved]:
        """Ends a suspension.

        Args:
            allow: raises when it is not for who orders it to lift this one.

        Raises:
            SetUpError: no suspension of that number is in force.
        """
        with self.act() as act:
            for suspension in act.transaction.epochs.suspensions():
                if suspension.number == number:
                    allow(suspension)
                    after = act.next()
                    act.transaction.epochs.lift(number, after.sequence)
                    lifted, chains = replace(suspension, lifted=after.sequence), self._chains(order)
                    return lifted, act.move("lift", after, order, suspension, chains=chains)
            raise SetUpError(
                f"没有编号为 {number} 的生效暂停，请运行 sharebroker suspend list。",
                f"No suspension {number} is in force; run `sharebroker suspend list`.",
            )

    @contextmanager
    def act(self) -> Iterator[Act]:
        """An act, under the log's lock.

        Raises:
            SetUpError: no epoch has begun.
        """
        with self.store.append_transaction() as transaction:
            now = max(self.clock(), transaction.head.recorded_at)
            yield Act(self.store, transaction, now, _begun(transaction.epochs.epoch()))

    def compiled(self, files: Files) -> Bundle:
        """The bundle, if the brokers can use it.

        Raises:
            SetUpError: they cannot.
        """
        bundle = self.compile(files)
        self._check(bundle)
        return bundle

    def chain_of(self, signer: Identity) -> CertificateChain:
        """The chain of who signed something that an act is based on."""
        return chain_of(signer, self._ca.public_bytes(serialization.Encoding.DER))

    def _chains(self, order: Order) -> tuple[CertificateChain, ...]:
        return () if order.officer is None else (self.chain_of(order.officer),)

    def _current(self, crl: bytes) -> Revocations:
        revocations = read_revocations(crl, self._ca)
        if not revocations.is_current:
            raise SetUpError(
                "吊销列表不在有效期内，请向证书管理机构索取新的（sharebroker pki crl）。",
                "The revocation list is outside its dates; get a new one from the authority "
                "(`sharebroker pki crl`).",
            )
        return revocations

    def _in_force(self) -> Bundle:
        with self.store.epochs() as tables:
            hash_ = _begun(tables.epoch()).bundle_hash
            packed = tables.bundle(hash_) or b""
        return self.compile(unpack(packed, hash_))

    def _require_known(self, target: Target, name: str, provider: str) -> None:
        if target is Target.EVERYTHING and not provider:
            return  # works whatever is wrong with the bundle
        catalog = self._in_force().catalog
        known: Mapping[Target, Container[str]] = {
            Target.CONSUMER: catalog.departments,
            Target.DATASET: catalog.datasets,
            Target.PURPOSE: catalog.purposes,
            Target.EVERYTHING: ("",),
        }
        unknown = name if name not in known[target] else provider
        if name not in known[target] or (provider and provider not in catalog.departments):
            raise SetUpError(f"生效的目录中没有“{unknown}”。", f"The catalog in force has no “{unknown}”.")


def grant_standing(
    transaction: StoreTransaction, before: FiledApplication | None, after: FiledApplication, now: datetime
) -> Sequence[Entry]:
    """Moves the epoch when an act begins or ends what a grant gives, within the act's own transaction; gives
    the leaf that says so. Nothing commits any more that was decided before."""
    if (before is not None and before.state is State.ACTIVE) == (after.state is State.ACTIVE):
        return ()
    epoch = _begun(transaction.epochs.epoch())
    moved = replace(epoch, sequence=epoch.sequence + 1, since=now)
    transaction.epochs.move(moved)
    step = after.steps[-1]
    statement = epoch_act(
        "grant",
        moved,
        crl_digest=_crl_digest(transaction, moved),
        actor=step.actor,
        reason="",
        grant={"number": after.number, "act": step.act},
    )
    return (Entry(EntryKind.EPOCH, statement, now),)


def _crl_digest(transaction: StoreTransaction, epoch: Epoch) -> bytes:
    return hashlib.sha256(transaction.epochs.crl(epoch.crl_number) or b"").digest()


def _begun(epoch: Epoch | None) -> Epoch:
    if epoch is None:
        raise SetUpError(
            "数据库中还没有生效的策略：请先启动一次服务，它会发布 [policies] folder 中的策略。",
            "No policy is in force in the database yet: start the broker once, which publishes the policies "
            "in [policies] folder.",
        )
    return epoch


def _record(
    store: Store,
    transaction: StoreTransaction,
    act: str,
    epoch: Epoch,
    order: Order,
    suspension: Suspension | None = None,
    publication: Mapping[str, object] | None = None,
    chains: tuple[CertificateChain, ...] = (),
    withdrawal: Withdrawal | None = None,
) -> int:
    statement = epoch_act(
        act,
        epoch,
        crl_digest=_crl_digest(transaction, epoch),
        actor=order.actor,
        reason=order.reason,
        caller=order.officer,
        suspension=suspension,
        publication=publication,
        withdrawal=withdrawal,
    )
    # A suspension's leaf is shown to the department whose sharing it stops.
    stopped = {suspension.target: suspension.name} if suspension else {}
    dataset = stopped.get(Target.DATASET, "")
    entry = Entry(
        kind=EntryKind.EPOCH,
        statement=statement,
        recorded_at=epoch.since,
        consumer=stopped.get(Target.CONSUMER, ""),
        provider=(suspension.provider if suspension else "") or provider_of(dataset),
        dataset=dataset,
        purpose=stopped.get(Target.PURPOSE, ""),
        chains=chains,
    )
    if withdrawal is not None:  # shown to both parties
        entry = replace(
            entry,
            consumer=withdrawal.consumer,
            provider=withdrawal.provider,
            dataset=withdrawal.dataset,
            purpose=withdrawal.purpose,
        )
    return append_alone(transaction, store, entry)


def _keep(transaction: StoreTransaction, epoch: Epoch, order: Order, proposal: int | None = None) -> int:
    """Writes the bundle into the history; gives its sequence there."""
    history = transaction.epochs.proposals
    last = history.last_publication()
    sequence = 1 if last is None else last.sequence + 1
    publication = Publication(
        sequence, epoch.bundle_hash, epoch.sequence, epoch.since, order.actor, order.reason, proposal
    )
    history.keep_publication(publication)
    return sequence


def _older(number: int, in_force: int) -> SetUpError:
    return SetUpError(
        f"吊销列表编号 {number} 不大于生效列表的编号 {in_force}，未予发布。",
        f"Revocation list {number} is not newer than {in_force}, which is in force; nothing was published.",
    )
