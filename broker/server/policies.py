"""The policy service: officers propose, approve and publish. Thin: it translates and hands over."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

import orjson

from broker.approve.files import MANIFEST, Files
from broker.epoch import Epochs
from broker.errors import MalformedRequest, NotFound, Violation
from broker.model import Proposal, Publication
from broker.proposals import Considered, Draft, Proposals, State
from broker.publication.dossiers import kept
from broker.publication.manifest import manifest_of
from broker.publication.responsibility import owner_of
from broker.publication.scrutiny import Change, Need, changes
from broker.publication.signing import SignedApproval
from broker.publish import Order
from broker.reasons import Reason
from broker.server import paging
from broker.server.calls import Call
from broker.store.epochs import EpochTables
from broker.store.store import Store
from broker.v1 import policy_pb2, policy_pb2_grpc

STATES = {state: f"PROPOSAL_STATE_{state.name}" for state in State}
CHANGES = {change: f"FILE_CHANGE_{change.name}" for change in Change}

_BUNDLE = re.compile("bundles/([0-9a-f]{64})")
_PROPOSAL = re.compile("proposals/([1-9][0-9]{0,17})")


class PolicyService(policy_pb2_grpc.PolicyServiceServicer):
    """Bundles, and how they come into force."""

    def __init__(self, proposals: Proposals, store: Store, epochs: Epochs, *, demanded: bool) -> None:
        self._proposals = proposals
        self._store = store
        self._epochs = epochs
        self._demanded = demanded

    def ProposeBundle(
        self, request: policy_pb2.ProposeBundleRequest, call: Call
    ) -> policy_pb2.ProposeBundleResponse:
        previous = _bundle_id(request.previous, "previous")
        changed = {file.path: file.content for file in request.files}
        files = self._proposals.edited(previous, changed, frozenset(request.removed_files))
        draft = Draft(files, request.signed_proposal, dict(request.checks))
        considered = self._proposals.propose(draft, call.identity)
        return policy_pb2.ProposeBundleResponse(proposal=self._noted(call, considered))

    def GetProposal(
        self, request: policy_pb2.GetProposalRequest, call: Call
    ) -> policy_pb2.GetProposalResponse:
        considered = self._proposals.consider(_number(request.name))
        return policy_pb2.GetProposalResponse(proposal=considered_message(considered))

    def ListProposals(
        self, request: policy_pb2.ListProposalsRequest, call: Call
    ) -> policy_pb2.ListProposalsResponse:
        size = paging.page_size(request.page_size, default=50)
        before = paging.decode(request.page_token, "proposals")
        with self._store.epochs() as tables:
            found = tables.proposals.proposals(before, size + 1)
            epoch = tables.epoch()
            in_force = "" if epoch is None else epoch.bundle_hash
            listed = [_listed(proposal, in_force, tables) for proposal in found[:size]]
        token = paging.encode(found[size - 1].number, "proposals") if len(found) > size else ""
        return policy_pb2.ListProposalsResponse(proposals=listed, next_page_token=token)

    def ApproveProposal(
        self, request: policy_pb2.ApproveProposalRequest, call: Call
    ) -> policy_pb2.ApproveProposalResponse:
        number = _number(request.name)
        considered = self._proposals.approve(number, request.signed_approval, call.identity)
        return policy_pb2.ApproveProposalResponse(proposal=self._noted(call, considered))

    def PublishProposal(
        self, request: policy_pb2.PublishProposalRequest, call: Call
    ) -> policy_pb2.PublishProposalResponse:
        number = _number(request.name)
        reason = self._proposals.consider(number).proposal.reason
        moved = self._proposals.publish(number, Order(call.identity.uri, reason))
        call.facts.update(proposal=number, epoch=moved.after.sequence, bundle=moved.after.bundle_hash)
        with self._store.epochs() as tables:
            published = tables.proposals.publication_of(number)
            if published is None:
                raise NotFound(Reason.RESOURCE_NOT_FOUND)
            return policy_pb2.PublishProposalResponse(bundle=self._listed_bundle(published, tables))

    def RollbackBundle(
        self, request: policy_pb2.RollbackBundleRequest, call: Call
    ) -> policy_pb2.RollbackBundleResponse:
        bundle = _bundle_id(request.name, "name")
        considered = self._proposals.rollback(bundle, request.signed_proposal, call.identity)
        return policy_pb2.RollbackBundleResponse(proposal=self._noted(call, considered))

    def ListBundles(
        self, request: policy_pb2.ListBundlesRequest, call: Call
    ) -> policy_pb2.ListBundlesResponse:
        size = paging.page_size(request.page_size, default=20)
        before = paging.decode(request.page_token, "bundles")
        with self._store.epochs() as tables:
            found = tables.proposals.publications(before, size + 1)
            listed = [self._listed_bundle(publication, tables) for publication in found[:size]]
        token = paging.encode(found[size - 1].sequence, "bundles") if len(found) > size else ""
        return policy_pb2.ListBundlesResponse(bundles=listed, next_page_token=token)

    def GetBundle(self, request: policy_pb2.GetBundleRequest, call: Call) -> policy_pb2.GetBundleResponse:
        hash_, in_force = _bundle_id(request.name, "name"), self._epochs.current()
        with self._store.epochs() as tables:
            if tables.bundle(hash_) is None:
                raise NotFound(Reason.RESOURCE_NOT_FOUND)
            files, published = kept(tables, hash_), tables.proposals.publication_with(hash_)
            message = (
                policy_pb2.Bundle(name=f"bundles/{hash_}", previous=_previous(files))
                if published is None
                else self._listed_bundle(published, tables)
            )
        message.approvals_demanded = self._demanded
        standing = in_force.standing if in_force.bundle.hash == hash_ else {}
        message.files.extend(_files(files, frozenset(request.content_paths), standing))
        return policy_pb2.GetBundleResponse(bundle=message)

    def _noted(self, call: Call, considered: Considered) -> policy_pb2.Proposal:
        call.facts.update(
            proposal=considered.proposal.number,
            bundle=considered.proposal.bundle_hash,
            state=considered.state,
        )
        return considered_message(considered)

    def _listed_bundle(self, publication: Publication, tables: EpochTables) -> policy_pb2.Bundle:
        """One entry of the history."""
        epoch = tables.epoch()
        last = tables.proposals.last_publication()
        files = kept(tables, publication.bundle_hash)
        before = tables.proposals.publications(publication.sequence, 1)
        message = policy_pb2.Bundle(
            name=f"bundles/{publication.bundle_hash}",
            sequence=publication.sequence,
            previous=f"bundles/{before[0].bundle_hash}" if before else "",
            actor=publication.actor,
            reason=publication.reason,
            proposal=f"proposals/{publication.proposal}" if publication.proposal else "",
            epoch=publication.epoch,
            in_force=last == publication and epoch is not None and epoch.bundle_hash == last.bundle_hash,
            approvals_demanded=self._demanded,
        )
        message.publish_time.FromDatetime(publication.published_at)
        earlier = kept(tables, before[0].bundle_hash) if before else {}
        message.changed_files.extend(file for file, change in changes(earlier, files) if change.edits)
        if publication.proposal:
            message.approvers.extend(self._proposals.approvers(tables, publication.bundle_hash))
        return message


def considered_message(considered: Considered) -> policy_pb2.Proposal:
    """A proposal with everything about it."""
    message = _proposal_message(considered.proposal)
    message.state = getattr(policy_pb2, STATES[considered.state])
    message.needs.extend(_need(need) for need in considered.needs)
    message.approvals.extend(_approval(approval) for approval in considered.approvals)
    message.signed_proposal = considered.proposal.signed
    message.checks.update({str(k): str(v) for k, v in orjson.loads(considered.proposal.checks).items()})
    return message


def _listed(proposal: Proposal, in_force: str, tables: EpochTables) -> policy_pb2.Proposal:
    message = _proposal_message(proposal)
    if tables.proposals.publication_of(proposal.number) is not None:
        message.state = policy_pb2.PROPOSAL_STATE_PUBLISHED
    elif proposal.previous != in_force:
        message.state = policy_pb2.PROPOSAL_STATE_STALE
    return message


def _proposal_message(proposal: Proposal) -> policy_pb2.Proposal:
    message = policy_pb2.Proposal(
        name=f"proposals/{proposal.number}",
        bundle=f"bundles/{proposal.bundle_hash}",
        sequence=proposal.sequence,
        previous=f"bundles/{proposal.previous}",
        proposer=proposal.proposer,
        reason=proposal.reason,
    )
    message.propose_time.FromDatetime(proposal.proposed_at)
    return message


def _need(need: Need) -> policy_pb2.FileNeed:
    message = policy_pb2.FileNeed(
        path=need.file,
        change=getattr(policy_pb2, CHANGES[need.change]),
        digest=need.covered.digest,
        basis=need.covered.basis,
        demands=[
            policy_pb2.Demand(departments=[f"departments/{one}" for one in sorted(demand)])
            for demand in need.demands
        ],
        approved=need.approved,
        required=need.required,
    )
    if need.until is not None:
        message.standing_until.FromDatetime(need.until)
    return message


def _approval(approval: SignedApproval) -> policy_pb2.Approval:
    message = policy_pb2.Approval(
        officer=approval.signer.uri, files=sorted(approval.said.files), digest=approval.digest
    )
    message.approve_time.FromDatetime(approval.said.at)
    message.expire_time.FromDatetime(approval.said.until)
    return message


def _files(
    files: Files, wanted: Collection[str], standing: Mapping[str, datetime]
) -> Iterable[policy_pb2.BundleFile]:
    for path, content in sorted(files.items()):
        owner = "" if path == MANIFEST else owner_of(path, content)
        message = policy_pb2.BundleFile(
            path=path,
            content=content if path in wanted else b"",
            digest=hashlib.sha256(content).digest(),
            size_bytes=len(content),
            owner=f"departments/{owner}" if owner else "",
        )
        if path in standing:
            message.standing_until.FromDatetime(standing[path])
        yield message


def _previous(files: Files) -> str:
    manifest = manifest_of(files)
    return "" if manifest is None else f"bundles/{manifest.previous}"


def _bundle_id(name: str, field: str) -> str:
    match = _BUNDLE.fullmatch(name)
    if match is None:
        form = "bundles/{bundle}"
        raise MalformedRequest((Violation(field, f"须形如 {form}", f"must read {form}"),))
    return match[1]


def _number(name: str) -> int:
    match = _PROPOSAL.fullmatch(name)
    if match is None:
        raise NotFound(Reason.RESOURCE_NOT_FOUND)
    return int(match[1])
