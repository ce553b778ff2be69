"""Whether a bundle was approved, file by file, and until when: judged from signatures alone.

Asked by the broker that takes a proposal, by whoever publishes it, and again by every worker that compiles
what is in force (see :mod:`broker.epoch`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from cryptography import x509

from broker.approve.bundle import Bundle, compile_bundle
from broker.approve.catalog import CATALOG_FOLDER
from broker.approve.files import MANIFEST, Files, is_policy
from broker.approve.grammar import MASKING_FILE, PROFILES_FILE
from broker.approve.index import default_permit_id
from broker.approve.rule import NEVER, Effect, Rule
from broker.errors import VerificationFailed
from broker.model import Catalog, MaskOrder
from broker.publication.manifest import Manifest, manifest_of
from broker.publication.responsibility import Demands, Handover, Offices, owner_of
from broker.publication.signing import (
    Approving,
    Covered,
    SignedApproval,
    SignedProposal,
    read_approval,
    read_proposal,
)

log = structlog.get_logger("sharebroker.publication")

Digests = Mapping[str, bytes]
"""File → SHA-256 of its content; the manifest is not among them."""

Bases = Mapping[str, frozenset[str]]
"""Policy file → the files that say what its rules mean: the catalogs that they are about, and the masking
profiles where masks are written as words. Likewise a catalog file, where a default permit speaks by it."""


class Change(StrEnum):
    """What a proposal does to a file."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    AFFECTED = "affected"
    """Its text stays; a catalog that its rules are about, or what their words for masks mean, changes."""
    UNCHANGED = "unchanged"

    @property
    def edits(self) -> bool:
        """Whether the bundle's files differ in it."""
        return self in (Change.ADDED, Change.CHANGED, Change.REMOVED)


@dataclass(frozen=True, slots=True)
class Need:
    """One file of a proposal: who must approve it, and whether they have."""

    file: str
    change: Change
    covered: Covered
    """What an approval of it signs."""
    demands: Demands
    approved: bool
    """Each demand is met; for a file that stays: an approval stands."""
    until: datetime | None
    """When the approval that stands expires; None when there is none, and for base files and removals."""

    @property
    def required(self) -> bool:
        """Whether the proposal can only be published once it is approved."""
        return self.change is not Change.UNCHANGED


@dataclass(frozen=True, slots=True)
class Dossier:
    """What the database has about a bundle, verified: its files are those that its hash names."""

    bundle_hash: str
    files: Files
    before: Files | None
    """The bundle that its manifest names as the previous one."""
    proposal: SignedProposal | None
    approvals: Sequence[SignedApproval]

    @property
    def manifest(self) -> Manifest | None:
        return manifest_of(self.files)


class Scrutiny:
    """Judges by the city's authority, with standing approvals of at most ``longest``."""

    def __init__(self, ca: x509.Certificate, longest: timedelta) -> None:
        self.ca = ca
        self.longest = longest

    def dossier(
        self,
        bundle_hash: str,
        files: Files,
        before: Files | None,
        proposal: bytes | None,
        approvals: Iterable[tuple[bytes, bytes]],
    ) -> Dossier:
        """The dossier of these bytes: each approval comes with the proposal that it is about. An approval
        that does not verify, or is the proposer's own, is left out, and the log says so.

        Raises:
            VerificationFailed: the proposal does not verify.
        """
        sound = []
        for message, about in approvals:
            try:
                sound.append(self.approval(message, read_proposal(about, self.ca)))
            except VerificationFailed as error:
                log.error("approval_refused", error=str(error), digest=hashlib.sha256(message).hexdigest())
        proposed = None if proposal is None else read_proposal(proposal, self.ca)
        return Dossier(bundle_hash, files, before, proposed, tuple(sound))

    def approval(self, message: bytes, proposal: SignedProposal) -> SignedApproval:
        """An approval of what ``proposal`` proposes, by another officer of the same city.

        Raises:
            VerificationFailed: it is not that.
        """
        approval = read_approval(message, self.ca)
        if approval.said.bundle != proposal.said.bundle:
            raise VerificationFailed("审批的是另一策略包 / approval: of another bundle")
        if approval.signer.uri == proposal.signer.uri or approval.signer.city != proposal.signer.city:
            raise VerificationFailed(
                "审批者须为本市另一管理员 / approval: not by another officer of the city"
            )
        return approval

    def require_approved(self, dossier: Dossier) -> None:
        """That the step from the bundle before was proposed by one officer and approved by others.

        Raises:
            VerificationFailed: it was not.
        """
        proposal, before = dossier.proposal, dossier.before
        if proposal is None or before is None or proposal.said.bundle != dossier.bundle_hash:
            raise _unapproved("没有数据资源管理员签署的草案", "no officer's proposal of it")
        handover, digests = Handover.of(before, dossier.files), digests_of(dossier.files)
        for file, change in changes(before, dossier.files):
            if change.edits and not self._is_met(file, handover, digests, proposal, dossier.approvals):
                raise _unapproved(f"{file} 未经审批", f"{file} was not approved")
        is_edited = any(change.edits for _, change in changes(before, dossier.files))
        if not is_edited and not any(a.said.bundle == dossier.bundle_hash for a in dossier.approvals):
            raise _unapproved("无人审批", "nobody approved it")

    def standing(
        self, files: Files, bases: Bases, approvals: Iterable[SignedApproval], compromised: Collection[int]
    ) -> dict[str, datetime]:
        """Until when the approval of each file stands, of those that have one: given by whom it concerns now,
        over the text as it is now and every file that says now what it means (a category may have grown).
        Base files are approved for good."""
        digests, offices, found = digests_of(files), Offices.of(files), dict[str, datetime]()
        for approval in approvals:
            if approval.signer.serial in compromised:
                continue
            for file, covered in approval.said.files.items():
                if file not in digests or not covers(approval.said, file, digests):
                    continue
                if not bases.get(file, frozenset()) <= covered.basis.keys():
                    continue
                owner = owner_of(file, files[file])
                if owner and approval.signer.department in offices.acting_for(owner):
                    found[file] = max(found.get(file, NEVER), self._until(approval.said))
        return found

    def needs(
        self, dossier: Dossier, bases: Bases, compromised: Collection[int], now: datetime
    ) -> tuple[Need, ...]:
        """Every file of the proposal and every one that it removes, by path.

        Raises:
            VerificationFailed: the database lacks the bundle before.
        """
        before, proposal = dossier.before, dossier.proposal
        if before is None or proposal is None:
            raise _unapproved("没有前一策略包", "the bundle before is not there")
        handover, digests = Handover.of(before, dossier.files), digests_of(dossier.files)
        standing = self.standing(dossier.files, bases, dossier.approvals, compromised)
        believed = _believed(dossier, compromised)
        changed = dict(changes(before, dossier.files))

        def need(file: str) -> Need:
            change, basis = changed[file], bases.get(file, frozenset())
            if change is Change.UNCHANGED and any(changed.get(path, change).edits for path in basis):
                change = Change.AFFECTED
            covered = Covered(digests.get(file, b""), {path: digests[path] for path in sorted(basis)})
            until = standing.get(file)
            stands = until is not None and now < until
            if change.edits:
                stands = self._is_met(file, handover, digests, proposal, believed)
            elif file in dossier.files and not owner_of(file, dossier.files[file]):
                stands = True  # a base file that stays was approved before
            return Need(file, change, covered, handover.demands(file), stands, until)

        return tuple(need(file) for file in sorted(changed))

    def _is_met(
        self,
        file: str,
        handover: Handover,
        digests: Digests,
        proposal: SignedProposal,
        approvals: Sequence[SignedApproval],
    ) -> bool:
        counting = [
            approval
            for approval in approvals
            if approval.signer.uri != proposal.signer.uri and covers(approval.said, file, digests)
        ]
        return all(
            any(self._meets(demand, approval, proposal, file in digests) for approval in counting)
            for demand in handover.demands(file)
        )

    def _meets(
        self, demand: frozenset[str], approval: SignedApproval, proposal: SignedProposal, is_text: bool
    ) -> bool:
        """An approval of this very bundle does; one given earlier, of the same text, only where the proposer
        is of those asked too, so that the owner's own two people bring an earlier text back. Of a removal
        none given earlier: it does not say of which text."""
        if approval.signer.department not in demand:
            return False
        if approval.said.bundle == proposal.said.bundle:
            return True
        still_stood = proposal.said.at < self._until(approval.said)
        return is_text and still_stood and proposal.signer.department in demand

    def _until(self, said: Approving) -> datetime:
        return min(said.until, said.at + self.longest)


def with_standing(bundle: Bundle, standing: Mapping[str, datetime]) -> Bundle:
    """The bundle, in which a permit speaks only while the approval of its file stands."""

    def stamped(rule: Rule) -> Rule:
        if rule.effect not in (Effect.PERMIT, Effect.DELEGATE):
            return rule
        return replace(rule, standing_until=standing.get(file_of(rule), NEVER))

    return compile_bundle(bundle.catalog, bundle.rules, bundle.hash, stamped)


def file_of(rule: Rule) -> str:
    """The file whose approval lets the rule speak: its policy's; for a default permit the catalog's. Of what
    is neither, no file: nothing lets it speak."""
    if rule.id == default_permit_id(rule.dataset):
        return _catalog_file(rule)
    return rule.at.file if is_policy(rule.at.file) else ""


def bases_of(bundle: Bundle) -> Bases:
    """What the bundle's policies mean depends on."""
    bases: dict[str, set[str]] = {}
    for rule in bundle.rules:
        if is_policy(rule.at.file):
            basis = bases.setdefault(rule.at.file, set())
            basis.add(_catalog_file(rule))
            if rule.by_words and bundle.catalog.mask_profiles:
                basis.add(PROFILES_FILE.path)
    for about in bundle.about.values():
        if default := about.by_id.get(default_permit_id(about.dataset.id)):
            bases.setdefault(_catalog_file(default), set()).update(_floored_by(bundle.catalog))
    return {file: frozenset(basis) for file, basis in bases.items()}


def _floored_by(catalog: Catalog) -> Iterator[str]:
    """What says how a default permit masks (policy language, 2.9): it does so by the floors alone."""
    if catalog.mask_order != MaskOrder():
        yield MASKING_FILE.path
    if catalog.mask_order.floors and catalog.mask_profiles:
        yield PROFILES_FILE.path


def changes(before: Files, after: Files) -> Iterator[tuple[str, Change]]:
    """Every file of either bundle, and what became of it."""
    for file in sorted({*before, *after} - {MANIFEST}):
        if file not in before:
            yield file, Change.ADDED
        elif file not in after:
            yield file, Change.REMOVED
        else:
            yield file, Change.UNCHANGED if before[file] == after[file] else Change.CHANGED


def digests_of(files: Files) -> dict[str, bytes]:
    """SHA-256 of each file but the manifest."""
    return {file: hashlib.sha256(content).digest() for file, content in files.items() if file != MANIFEST}


def covers(said: Approving, file: str, digests: Digests) -> bool:
    """Whether what was approved is the file as it is in ``digests``, or its removal when it is not there."""
    covered = said.files.get(file)
    return (
        covered is not None
        and covered.digest == digests.get(file, b"")
        and all(digests.get(path) == digest for path, digest in covered.basis.items())
    )


def _believed(dossier: Dossier, compromised: Collection[int]) -> Sequence[SignedApproval]:
    """Approvals that can bring the bundle into force: none by a stolen key, nor any of what one proposed."""
    if dossier.proposal is None or dossier.proposal.signer.serial in compromised:
        return ()
    return [approval for approval in dossier.approvals if approval.signer.serial not in compromised]


def _catalog_file(rule: Rule) -> str:
    return f"{CATALOG_FOLDER}/{rule.dataset.partition('.')[0]}.yaml"


def _unapproved(zh: str, en: str) -> VerificationFailed:
    return VerificationFailed(f"策略包未经两人审批：{zh} / bundle: not approved by two officers: {en}")
