"""Policy by two officers: one proposes a bundle, officers of the departments concerned approve it, then it is
published.

What each may do is decided here by what they signed (:mod:`broker.publication`); who may ask at all, by the
server. Nothing here is believed later on: every worker verifies the signatures again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import orjson

from broker.approve.bundle import Bundle
from broker.approve.files import MANIFEST, Files, bundle_hash, pack
from broker.approve.grammar import form_of
from broker.errors import (
    Changed,
    Conflict,
    MalformedRequest,
    NotApproved,
    NotAuthorised,
    NotFound,
    SetUpError,
    VerificationFailed,
    Violation,
)
from broker.keys.revocation import Revocations, read_revocations
from broker.model import Identity, Proposal
from broker.publication.dossiers import dossier_of, kept
from broker.publication.manifest import Manifest, manifest_of, without_manifest
from broker.publication.scrutiny import Bases, Dossier, Need, Scrutiny, bases_of
from broker.publication.signing import (
    MAX_SKEW,
    SignedApproval,
    SignedProposal,
    read_proposal,
)
from broker.publish import Approved, Moved, Order, Publisher
from broker.reasons import Reason
from broker.store.epochs import EpochTables

MAX_CHECKS = 256 * 1024
"""Bytes of what the tools say of a proposal."""


class State(StrEnum):
    """How far a proposal is."""

    OPEN = "open"
    """Approvals are missing."""
    APPROVED = "approved"
    """It can be published."""
    PUBLISHED = "published"
    STALE = "stale"
    """Another bundle has come into force since; to be proposed again."""


@dataclass(frozen=True, slots=True)
class Considered:
    """A proposal, and what is signed of it and what is not."""

    proposal: Proposal
    state: State
    needs: tuple[Need, ...]
    approvals: tuple[SignedApproval, ...]
    """Of this very bundle."""

    @property
    def missing(self) -> tuple[Need, ...]:
        """What must still be approved before it can be published."""
        return tuple(need for need in self.needs if need.required and not need.approved)


@dataclass(frozen=True, slots=True)
class Draft:
    """A bundle as an officer hands it in, with the signature over its hash."""

    files: Files
    """With the manifest."""
    signed: bytes
    checks: Mapping[str, str]
    """What the proposer's tools said of it, tool → text."""


class Proposals:
    """Proposals in the database that brokers serve from.

    Every method may raise :class:`~broker.errors.Unavailable`: the database cannot be reached.
    """

    def __init__(self, publisher: Publisher, scrutiny: Scrutiny) -> None:
        self._publisher = publisher
        self._store = publisher.store
        self._scrutiny = scrutiny
        self._bases: tuple[str, Bases] = ("", {})
        """Of the bundle last considered: it is asked for again and again."""

    def next_manifest(self) -> Manifest:
        """The manifest of a bundle that shall follow what is in force."""
        with self._store.epochs() as tables:
            return _next(tables)

    def propose(self, draft: Draft, caller: Identity) -> Considered:
        """Takes a bundle that ``caller`` proposes. The same one again, by the same officer: nothing to do.

        Raises:
            MalformedRequest: SIGNATURE_INVALID; BUNDLE_MALFORMED, with everything that is wrong with it.
            Changed: PROPOSAL_STALE, it does not follow what is in force.
            Conflict: PROPOSAL_EXISTS, another officer has proposed the same.
        """
        hash_, manifest = bundle_hash(draft.files), _manifest(draft.files)
        signed = self._signed_by(caller, draft.signed, hash_)
        with self._store.epochs() as tables:
            if (known := tables.proposals.proposal_of(hash_)) is not None:
                if known.proposer != caller.uri:
                    raise Conflict(Reason.PROPOSAL_EXISTS, str(known.number))
                return self.consider(known.number)
            _require_next(tables, manifest)
        self._compiled(draft.files)
        return self.consider(self._keep(draft, signed, manifest).number)

    def approve(self, number: int, message: bytes, caller: Identity) -> Considered:
        """Takes what ``caller`` signed about files of a proposal.

        Raises:
            NotFound: there is no such proposal.
            Changed: PROPOSAL_STALE.
            MalformedRequest: SIGNATURE_INVALID: another signer, bundle, file or time than it must be.
            NotAuthorised: SAME_PERSON; NOT_RESPONSIBLE, for a file of another department.
        """
        considered = self.consider(number)
        if considered.state in (State.STALE, State.PUBLISHED):
            raise Changed(Reason.PROPOSAL_STALE)
        approval = self._approval(message, considered, caller)
        needs = {need.file: need for need in considered.needs}
        for file, covered in approval.said.files.items():
            need = needs.get(file)
            if need is None or need.covered != covered:
                raise _invalid(file, "与草案中的文件不一致", "is not as in the proposal")
            if not any(caller.department in demand for demand in need.demands):
                raise NotAuthorised(Reason.NOT_RESPONSIBLE, file)
        with self._store.append_transaction() as transaction:
            transaction.epochs.proposals.keep_approval(
                considered.proposal.bundle_hash, approval.said.until, message
            )
        return self.consider(number)

    def publish(self, number: int, order: Order) -> Moved:
        """Puts a proposal in force once everything that it changes is approved.

        Raises:
            NotFound: there is no such proposal.
            Changed: PROPOSAL_STALE, something else is in force by now, or this is already.
            NotApproved: NOT_APPROVED, which names a file.
        """
        considered = self.consider(number)
        proposal = considered.proposal
        if considered.state in (State.STALE, State.PUBLISHED):
            raise Changed(Reason.PROPOSAL_STALE)
        if considered.state is not State.APPROVED:
            missing = considered.missing
            raise NotApproved(Reason.NOT_APPROVED, missing[0].file if missing else MANIFEST)
        with self._store.epochs() as tables:
            dossier = dossier_of(tables, proposal.bundle_hash, self._scrutiny)
        self._scrutiny.require_approved(dossier)  # what the workers will ask
        self._compiled(dossier.files)
        with self._publisher.act() as act:
            if act.before.bundle_hash != proposal.previous:
                raise Changed(Reason.PROPOSAL_STALE)
            _require_next(act.transaction.epochs, _manifest(dossier.files))
            return act.publish(proposal.bundle_hash, order, number, self._approved(considered))

    def consider(self, number: int) -> Considered:
        """A proposal as it stands.

        Raises:
            NotFound: there is none of that number.
            MalformedRequest: BUNDLE_MALFORMED, this program does not take it any more.
            VerificationFailed: what the database has of it was altered.
        """
        with self._store.epochs() as tables:
            proposal = tables.proposals.proposal(number)
            if proposal is None:
                raise NotFound(Reason.RESOURCE_NOT_FOUND)
            dossier = dossier_of(tables, proposal.bundle_hash, self._scrutiny)
            is_published = tables.proposals.publication_of(number) is not None
            epoch = tables.epoch()
            revocations = self._revocations(tables)
        bases, now = self._bases_of(dossier), self._publisher.clock()
        needs = self._scrutiny.needs(dossier, bases, revocations.compromised, now)
        own = tuple(a for a in dossier.approvals if a.said.bundle == proposal.bundle_hash)
        if is_published:
            state = State.PUBLISHED
        elif epoch is None or epoch.bundle_hash != proposal.previous:
            state = State.STALE
        else:
            state = _state(needs, own)
        return Considered(proposal, state, needs, own)

    def rollback(self, bundle: str, signed: bytes, caller: Identity) -> Considered:
        """Proposes the files of an earlier bundle anew; ``signed`` is over them with the next manifest.

        Raises:
            NotFound: no bundle of that hash was ever in force.
            MalformedRequest, Changed, Conflict: as for :meth:`propose`.
        """
        with self._store.epochs() as tables:
            if tables.proposals.publication_with(bundle) is None:
                raise NotFound(Reason.RESOURCE_NOT_FOUND)
            files = _next(tables).among(without_manifest(kept(tables, bundle)))
        return self.propose(Draft(files, signed, {}), caller)

    def edited(self, previous: str, changed: Files, removed: Collection[str]) -> Files:
        """The files of the bundle in force, of hash ``previous``, with some changed and others removed.

        Raises:
            Changed: PROPOSAL_STALE, another bundle is in force.
        """
        with self._store.epochs() as tables:
            if _next(tables).previous != previous:
                raise Changed(Reason.PROPOSAL_STALE)
            before = without_manifest(kept(tables, previous))
        return {file: content for file, content in before.items() if file not in removed} | dict(changed)

    def approvers(self, tables: EpochTables, bundle: str) -> tuple[str, ...]:
        """SPIFFE ids of the officers who approved that very bundle.

        Raises:
            VerificationFailed: what the database has of it was altered.
        """
        found = dossier_of(tables, bundle, self._scrutiny).approvals
        return tuple(sorted({one.signer.uri for one in found if one.said.bundle == bundle}))

    def _approved(self, considered: Considered) -> Approved:
        proposed = read_proposal(considered.proposal.signed, self._scrutiny.ca)
        signers = (proposed.signer, *(approval.signer for approval in considered.approvals))
        return Approved(_said(considered), tuple(map(self._publisher.chain_of, signers)))

    def _keep(self, draft: Draft, signed: SignedProposal, manifest: Manifest) -> Proposal:
        checks = orjson.dumps(dict(draft.checks), option=orjson.OPT_SORT_KEYS)
        if len(checks) > MAX_CHECKS:
            raise _invalid("checks", "过长", "too long")
        said = signed.said
        with self._store.append_transaction() as transaction:
            tables = transaction.epochs
            _require_next(tables, manifest)
            tables.keep_bundle(said.bundle, pack(draft.files))
            proposal = Proposal(
                number=tables.proposals.next_number(),
                bundle_hash=said.bundle,
                sequence=manifest.sequence,
                previous=manifest.previous,
                proposer=signed.signer.uri,
                reason=said.reason,
                proposed_at=said.at,
                signed=draft.signed,
                checks=checks,
            )
            tables.proposals.keep_proposal(proposal)
        return proposal

    def _signed_by(self, caller: Identity, message: bytes, hash_: str) -> SignedProposal:
        try:
            signed = read_proposal(message, self._scrutiny.ca)
        except VerificationFailed as failure:
            raise _unsigned(failure) from None
        if signed.said.bundle != hash_:
            raise _invalid("signed_proposal", "所签不是此策略包", "signs another bundle")
        self._require_now(signed.signer, signed.said.at, caller)
        return signed

    def _approval(self, message: bytes, considered: Considered, caller: Identity) -> SignedApproval:
        proposal = considered.proposal
        if proposal.proposer == caller.uri:
            raise NotAuthorised(Reason.SAME_PERSON)
        try:
            about = read_proposal(proposal.signed, self._scrutiny.ca)
            approval = self._scrutiny.approval(message, about)
        except VerificationFailed as failure:
            raise _unsigned(failure) from None
        said = approval.said
        self._require_now(approval.signer, said.at, caller)
        if not said.at < said.until <= said.at + self._scrutiny.longest:
            days = self._scrutiny.longest.days
            raise _invalid("expires", f"有效期最长 {days} 天", f"must be within {days} days")
        return approval

    def _require_now(self, signer: Identity, at: datetime, caller: Identity) -> None:
        """What is handed in was signed just now by who hands it in, whose certificate TLS has checked."""
        if signer.fingerprint != caller.fingerprint:
            raise _invalid("signed", "不是调用者本人所签", "is not signed by the caller")
        if abs(self._publisher.clock() - at) > MAX_SKEW:
            raise _invalid("signed", "签署时间与服务器时间相差过大", "its time is too far from the broker's")

    def _compiled(self, files: Files) -> Bundle:
        if unread := [file for file in without_manifest(files) if form_of(file) is None]:
            raise _malformed(f"不读取的文件：{unread[0]}", f"not a file that is read: {unread[0]}")
        try:
            return self._publisher.same_city(files)
        except SetUpError as error:
            raise _malformed(error.zh, error.en) from None

    def _bases_of(self, dossier: Dossier) -> Bases:
        hash_, bases = self._bases
        if hash_ != dossier.bundle_hash:
            try:
                bases = bases_of(self._publisher.compile(dossier.files))
            except SetUpError as error:  # proposed to an earlier version of this program
                raise _malformed(error.zh, error.en) from None
            self._bases = dossier.bundle_hash, bases
        return bases

    def _revocations(self, tables: EpochTables) -> Revocations:
        epoch = tables.epoch()
        pem = b"" if epoch is None else tables.crl(epoch.crl_number) or b""
        return read_revocations(pem, self._scrutiny.ca)


def _next(tables: EpochTables) -> Manifest:
    epoch, last = tables.epoch(), tables.proposals.last_publication()
    if epoch is None or last is None:
        raise NotFound(Reason.RESOURCE_NOT_FOUND)
    return Manifest(last.sequence + 1, epoch.bundle_hash)


def _require_next(tables: EpochTables, manifest: Manifest) -> None:
    if manifest != _next(tables):
        raise Changed(Reason.PROPOSAL_STALE)


def _manifest(files: Files) -> Manifest:
    try:
        manifest = manifest_of(files)
    except VerificationFailed:
        manifest = None
    if manifest is None:
        raise _malformed("manifest.json 缺失或格式不符", "manifest.json is missing or malformed")
    return manifest


def _state(needs: Iterable[Need], own: tuple[SignedApproval, ...]) -> State:
    required = [need for need in needs if need.required]
    if not all(need.approved for need in required):
        return State.OPEN
    # Where no file differs, the approvals are what is published: renewed ones.
    return State.APPROVED if required or own else State.OPEN


def _said(considered: Considered) -> Mapping[str, object]:
    """What the leaf says of it."""
    proposal = considered.proposal
    return {
        "proposal": proposal.number,
        "proposer": proposal.proposer,
        "approvals": [
            {"officer": approval.signer.uri, "digest": approval.digest.hex()}
            for approval in considered.approvals
        ],
    }


def _malformed(zh: str, en: str) -> MalformedRequest:
    return MalformedRequest((Violation("files", zh, en),), Reason.BUNDLE_MALFORMED)


def _invalid(field: str, zh: str, en: str) -> MalformedRequest:
    return MalformedRequest((Violation(field, zh, en),), Reason.SIGNATURE_INVALID)


def _unsigned(failure: VerificationFailed) -> MalformedRequest:
    zh, _, en = str(failure).partition(" / ")
    return _invalid("signed", zh, en or zh)
