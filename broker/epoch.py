"""What is in force, as this process knows it: policy, revocations and suspensions of one epoch.

The database rules. Each worker keeps what it has compiled and looks a few times a second whether the epoch
has moved; that it has not moved *at the moment of recording* is checked inside the commit, under the log's
lock (:class:`broker.journal.EpochMoved`), so that what was published holds for every worker and replica as
soon as publishing returns. See docs/adr/0004-one-epoch.md.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import structlog
from cryptography import x509

from broker.approve.bundle import Bundle
from broker.approve.files import Files, unpack
from broker.errors import SetUpError, Unavailable, VerificationFailed
from broker.granting import NO_GRANTS, Grants
from broker.keys.keyring import Keyring
from broker.keys.revocation import Revocations, read_revocations
from broker.model import Epoch, Suspension
from broker.publication.dossiers import lineage
from broker.publication.expiring import endings
from broker.publication.manifest import Manifest
from broker.publication.responsibility import owners_of
from broker.publication.scrutiny import Dossier, Scrutiny, bases_of, with_standing
from broker.reasons import Reason
from broker.store.epochs import EpochTables
from broker.store.store import Store
from broker.transmit.reading import Reader
from broker.transmit.sources import Sources

log = structlog.get_logger("sharebroker.epoch")

LOOK_EVERY = 0.2
"""Seconds between two looks at the database: the longest that a moved epoch goes unnoticed by what commits
nothing (reading the catalog, a stream's next chunk)."""

LONGEST_BLIND = 1.0
"""Seconds without a successful look after which nothing goes."""

MOST_LOOKS = 3
"""Looks in a row, when each took so long that what it saw is too old to go by."""

OpenKeyring = Callable[[], Keyring]
"""The keyring as it is on disk now; raises SetUpError."""

Compile = Callable[[Files], Bundle]
"""The bundle of these files; raises SetUpError for one that this program cannot use."""


@dataclass(frozen=True, slots=True)
class InForce:
    """One epoch, compiled; it is swapped by reference, so whoever holds it sees one epoch and no mixture."""

    epoch: Epoch
    bundle: Bundle
    revocations: Revocations
    suspensions: tuple[Suspension, ...]
    reader: Reader
    keyring: Keyring
    """With the version in use that the epoch names."""
    manifest: Manifest | None = None
    """Of the bundle; None where approvals are not demanded, or it has none."""
    standing: Mapping[str, datetime] = field(default_factory=dict)
    """File → when the approval by which its permits speak expires; empty where approvals are not demanded."""
    grants: Grants = NO_GRANTS
    """Under which exchanges may run (共享授权)."""
    owners: Mapping[str, str] = field(default_factory=dict, repr=False)
    """File → whose it is, likewise."""

    @property
    def sequence(self) -> int:
        return self.epoch.sequence


@dataclass(frozen=True, slots=True)
class _Found:
    """An epoch as the database has it; nothing but its name when it is known already."""

    epoch: Epoch
    suspensions: tuple[Suspension, ...] = ()
    packed: bytes = b""
    revocations: Revocations | None = None
    grants: Grants = NO_GRANTS
    dossiers: tuple[Dossier, ...] = ()
    """Where approvals are demanded: of the bundle, and of those between it and the one known."""


class Epochs:
    """Follows the epoch in force. Safe for use by many threads; the first epoch must have begun.

    It believes the database no more than it must: a bundle is what its hash names, a revocation list is
    signed by ``ca``, and neither the epoch's sequence nor the list's number ever goes back. Where it has a
    ``scrutiny``, what is in force came there by two officers' signatures, or none of its permits speaks.

    Args:
        monotonic: the clock by which looks are due and grow old, in seconds.

    Raises:
        SetUpError: what is in force cannot be read or used here.
    """

    def __init__(
        self,
        store: Store,
        compile_bundle: Compile,
        sources: Sources,
        ca: x509.Certificate,
        open_keyring: OpenKeyring,
        *,
        scrutiny: Scrutiny | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scrutiny = scrutiny
        self._monotonic = monotonic
        self._store = store
        self._compile = compile_bundle
        self._sources = sources
        self._ca = ca
        self._open_keyring = open_keyring
        self._lock = threading.Lock()
        self._known: InForce | None = None
        """The last epoch that could be used; kept when a later one cannot: nothing may go back behind it."""
        self._unusable = False
        self._reminded: date | None = None
        self._looked = float("-inf")
        """When the last successful look began."""
        self._tried = float("-inf")
        """When the last look ended, successful or not."""
        try:
            self._follow()
        except (Unavailable, VerificationFailed) as error:
            raise _unusable(str(error)) from None

    def current(self) -> InForce:
        """What is in force, known not to be older than a fifth of a second.

        Raises:
            Unavailable: LOG_UNAVAILABLE, for a second nobody could tell; POLICY_UNUSABLE, what is in force
                cannot be used here.
        """
        for _ in range(MOST_LOOKS):  # this thread may have stood still since it looked
            if self._age() >= LOOK_EVERY:
                self._look()
            known = self._known
            if known is None or self._unusable:
                raise Unavailable(Reason.POLICY_UNUSABLE)
            if self._age() <= LONGEST_BLIND:
                return known
        raise Unavailable(Reason.LOG_UNAVAILABLE)

    def reach(self, sequence: int) -> None:
        """Make :meth:`current` give an epoch of at least that sequence, which the log's lock has shown.

        Raises:
            Unavailable: as for :meth:`current`.
        """
        with self._lock:
            if self._known is None or self._known.sequence < sequence:
                self._catch_up()

    def _age(self) -> float:
        return self._monotonic() - self._looked

    def _look(self) -> None:
        """One thread looks; the others wait for it only when what is known is too old to go by."""
        if not self._lock.acquire(blocking=self._age() > LONGEST_BLIND):
            return
        try:
            if self._monotonic() - self._tried >= LOOK_EVERY:  # else another thread has just looked
                self._catch_up()
        except Unavailable as error:
            # A database that does not answer just now may be forgiven for as long as LONGEST_BLIND.
            if error.reason is not Reason.LOG_UNAVAILABLE:
                raise
        finally:
            self._lock.release()

    def _catch_up(self) -> None:
        try:
            for _ in range(MOST_LOOKS):
                self._follow()
                if self._age() <= LONGEST_BLIND:
                    break
        except (SetUpError, VerificationFailed) as error:
            self._unusable = True  # what is known is out of force, and there is nothing to put in its place
            log.critical("policy_unusable", error=str(error))
            raise Unavailable(Reason.POLICY_UNUSABLE) from None
        finally:
            self._tried = self._monotonic()

    def _follow(self) -> None:
        """Until what is compiled is what is in force: to compile may take longer than a look stays true."""
        while True:
            began = self._monotonic()
            found = self._read()
            if self._known is not None and found.epoch == self._known.epoch:
                self._looked, self._unusable = began, False
                self._remind()
                return
            self._known = self._compiled(found)
            log.info("in_force", epoch=found.epoch.sequence, bundle=found.epoch.bundle_hash)

    def _read(self) -> _Found:
        known = self._known
        with self._store.epochs() as tables:
            epoch = tables.epoch()
            if epoch is None:
                raise VerificationFailed("没有生效的策略 / epoch: none has begun")
            if known is not None and epoch == known.epoch:
                return _Found(epoch)
            if known is not None and epoch.sequence <= known.sequence:
                raise VerificationFailed("数据库中的生效序号倒退 / epoch: the database went back")
            revocations = self._revocations(epoch, tables.crl(epoch.crl_number) or b"")
            grants = NO_GRANTS if known is None else known.grants
            return _Found(
                epoch,
                # Read after the epoch, they may be a later one's; what they decide is then not recorded.
                tables.suspensions(),
                tables.bundle(epoch.bundle_hash) or b"",
                revocations,
                grants.followed(tables.applications, self._ca, revocations.compromised),
                self._dossiers(tables, epoch),
            )

    def _dossiers(self, tables: EpochTables, epoch: Epoch) -> tuple[Dossier, ...]:
        known = self._known
        if self._scrutiny is None or (known is not None and _same_terms(known.epoch, epoch)):
            return ()
        passed = None if known is None or known.bundle.hash == epoch.bundle_hash else known.bundle.hash
        return lineage(tables, epoch.bundle_hash, self._scrutiny, passed)

    def _compiled(self, found: _Found) -> InForce:
        epoch, known = found.epoch, self._known
        revocations, keyring = found.revocations, self._keyring(found)
        assert revocations is not None  # noqa: S101 - an epoch that is new was read with all that it names
        if known is not None and _same_terms(known.epoch, epoch):
            return replace(
                known, epoch=epoch, suspensions=found.suspensions, keyring=keyring, grants=found.grants
            )
        if known is not None and known.bundle.hash == epoch.bundle_hash:
            bundle, reader = known.bundle, known.reader
        else:
            bundle = self._compile(unpack(found.packed, epoch.bundle_hash))
            reader = Reader(self._sources.open(bundle.catalog), bundle.zone)
        in_force = InForce(
            epoch, bundle, revocations, found.suspensions, reader, keyring, grants=found.grants
        )
        return self._scrutinised(in_force, found.dossiers)

    def _scrutinised(self, found: InForce, dossiers: tuple[Dossier, ...]) -> InForce:
        """With its permits speaking as long as their approvals stand."""
        if self._scrutiny is None:
            return found
        dossier, known = dossiers[0], self._known
        manifest = dossier.manifest
        if manifest is None:
            log.warning("nothing_permits", zh="生效的策略未经审批，不许可任何共享。", en=_NO_APPROVAL)
            return replace(found, bundle=with_standing(found.bundle, {}))
        if known is not None and known.manifest is not None and known.bundle.hash != found.bundle.hash:
            _require_later(manifest, known.manifest)
        for one in dossiers:
            self._scrutiny.require_approved(one)
        bases, compromised = bases_of(found.bundle), found.revocations.compromised
        standing = self._scrutiny.standing(dossier.files, bases, dossier.approvals, compromised)
        bundle = with_standing(found.bundle, standing)
        owners = owners_of(dossier.files)
        return replace(found, bundle=bundle, manifest=manifest, standing=standing, owners=owners)

    def _remind(self) -> None:
        """Once a day, of approvals that end soon."""
        today, known = datetime.now(UTC), self._known
        if known is None or today.date() == self._reminded:
            return
        self._reminded = today.date()
        for ending in endings(known.owners, known.standing, today):
            until = ending.until and ending.until.isoformat(timespec="seconds")
            log.warning("standing_approval_ends", owner=ending.owner, file=ending.file, until=until)

    def _revocations(self, epoch: Epoch, crl: bytes) -> Revocations:
        number, known = epoch.crl_number, self._known
        if known is not None and known.revocations.number == number:
            return known.revocations
        read = read_revocations(crl, self._ca)
        if read.number != number or (known is not None and number < known.revocations.number):
            raise VerificationFailed("数据库中的吊销列表被替换 / revocation list: not the one in force")
        return read

    def _keyring(self, found: _Found) -> Keyring:
        """Read anew when another key is in use: a broker without that key must not mask with one before."""
        known, key = self._known, found.epoch.key
        if known is not None and known.epoch.key == key:
            return known.keyring
        if known is not None and key.version < known.epoch.key.version:
            raise VerificationFailed("数据库中的密钥版本倒退 / keyring: the database went back")
        return self._open_keyring().in_use(key)


_NO_APPROVAL = "What is in force was not approved by officers, so nothing is permitted."


def _same_terms(one: Epoch, other: Epoch) -> bool:
    """Whether they differ in suspensions, grants and keys only."""
    return (one.bundle_hash, one.crl_number) == (other.bundle_hash, other.crl_number)


def _require_later(manifest: Manifest, than: Manifest) -> None:
    if manifest.sequence <= than.sequence:
        raise VerificationFailed("数据库中的策略包序号倒退 / bundle: the database went back")


def _unusable(error: str) -> SetUpError:
    return SetUpError(
        f"数据库中生效的策略或吊销列表无法使用（{error}）。",
        f"The policy or revocation list in force in the database cannot be used ({error}).",
    )
