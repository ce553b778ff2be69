"""What officers do over the wire: propose, look through, approve and publish bundles of policies.

What is signed here is never what the broker says that it is: files are fetched, and their hashes computed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from broker.approve.files import MANIFEST, Files, bundle_hash
from broker.client import suspending
from broker.client.client import Client
from broker.client.credentials import Credentials
from broker.client.questions import Question, listing
from broker.client.suspending import Suspended
from broker.errors import NotFound, VerificationFailed
from broker.model import Target
from broker.publication.manifest import Manifest, manifest_of, without_manifest
from broker.publication.signing import Approving, Covered, Proposing, sign_approval, sign_proposal
from broker.reasons import Reason
from broker.v1 import policy_pb2

LONGEST = timedelta(days=365)
"""How long an approval stands unless said otherwise."""
_FETCH_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ProposedBundle:
    """A proposal with the files that it is about, whose hashes hold."""

    proposal: policy_pb2.Proposal
    files: Files
    """As proposed, without the manifest."""
    before: Files
    """Those of the bundle that it would follow."""

    @property
    def bundle(self) -> str:
        """The hash of what is proposed."""
        return self.proposal.bundle.removeprefix("bundles/")

    def asked_of(self, department: str, *, everything: bool = False) -> list[policy_pb2.FileNeed]:
        """What the department's officers are to approve and is not approved; with ``everything`` all of their
        files, so that every approval begins anew."""
        return [
            need
            for need in self.proposal.needs
            if any(f"departments/{department}" in demand.departments for demand in need.demands)
            if everything or not need.approved
        ]


class OfficerClient(Client):
    """:class:`Client` for an officer (and, where nothing is signed, an auditor)."""

    def __init__(self, address: str, credentials: Credentials, **options: Any) -> None:
        super().__init__(address, credentials, **options)
        self._credentials = credentials
        self._trust = options.get("trust")

    @property
    def uri(self) -> str:
        """The SPIFFE id of the caller's certificate."""
        return self._credentials.uri

    @property
    def department(self) -> str:
        """The department that the caller's certificate is of."""
        return self._credentials.uri.split("/")[4]

    def bundles(self, *, timeout: float = 30.0) -> Iterator[policy_pb2.Bundle]:
        """The bundles that were ever in force, newest first; the first is in force."""
        request = policy_pb2.ListBundlesRequest()
        return self._items(listing(lambda s: s.policies.ListBundles, request, lambda r: r.bundles), timeout)

    def in_force(self, *, timeout: float = 30.0) -> policy_pb2.Bundle:
        """The bundle in force, with its files but without their content."""
        newest = next(self.bundles(timeout=timeout), None)
        if newest is None:
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        return self._bundle(newest.name, (), timeout)

    def files(self, name: str, *, timeout: float = 60.0) -> Files:
        """All files of the bundle ``bundles/…``, with its manifest.

        Raises:
            VerificationFailed: they are not those that its hash names.
        """
        listed = self._bundle(name, (), timeout)
        found: dict[str, bytes] = {}
        for paths in _parts(listed.files):
            for file in self._bundle(name, paths, timeout).files:
                if file.path in paths:
                    found[file.path] = file.content
        if bundle_hash(found) != name.removeprefix("bundles/"):
            raise VerificationFailed("策略包与其散列不符 / bundle: not the one that its hash names")
        return found

    def file(self, path: str, *, timeout: float = 30.0) -> bytes:
        """One file of the bundle in force; empty when it has none of that name.

        Raises:
            VerificationFailed: it is not the one that its hash names.
        """
        newest = next(self.bundles(timeout=timeout), None)
        if newest is None:
            raise NotFound(Reason.RESOURCE_NOT_FOUND)
        for file in self._bundle(newest.name, (path,), timeout).files:
            if file.path == path:
                if hashlib.sha256(file.content).digest() != file.digest:
                    raise VerificationFailed("文件与其散列不符 / file: not the one that its hash names")
                return file.content
        return b""

    def proposals(self, *, timeout: float = 30.0) -> Iterator[policy_pb2.Proposal]:
        """Proposals, newest first, without what is approved of them."""
        request = policy_pb2.ListProposalsRequest()
        question = listing(lambda s: s.policies.ListProposals, request, lambda r: r.proposals)
        return self._items(question, timeout)

    def proposal(self, number: int, *, timeout: float = 30.0) -> policy_pb2.Proposal:
        """A proposal with everything about it."""
        request = policy_pb2.GetProposalRequest(name=f"proposals/{number}")
        return self._proposal(lambda s: s.policies.GetProposal, request, timeout)

    def review(self, number: int, *, timeout: float = 60.0) -> ProposedBundle:
        """A proposal with its files and those before it.

        Raises:
            VerificationFailed: what the broker says of it does not fit its files.
        """
        proposal = self.proposal(number, timeout=timeout)
        files = self.files(proposal.bundle, timeout=timeout)
        manifest = manifest_of(files)
        if manifest is None or proposal.previous != f"bundles/{manifest.previous}":
            raise VerificationFailed("草案与其 manifest 不符 / proposal: does not fit its manifest")
        before = self.files(proposal.previous, timeout=timeout)
        return ProposedBundle(proposal, without_manifest(files), without_manifest(before))

    def propose(
        self,
        files: Files,
        reason: str = "",
        checks: Mapping[str, str] | None = None,
        *,
        timeout: float = 60.0,
    ) -> policy_pb2.Proposal:
        """Proposes ``files``, the whole folder, to follow what is in force.

        Raises:
            MalformedRequest: BUNDLE_MALFORMED, with all that is wrong with them.
            Conflict: PROPOSAL_EXISTS.
        """
        current = self.in_force(timeout=timeout)
        manifest = Manifest(current.sequence + 1, current.name.removeprefix("bundles/"))
        proposed = manifest.among(files)
        kept = {file.path: file.digest for file in current.files}
        request = policy_pb2.ProposeBundleRequest(
            previous=current.name,
            files=[
                policy_pb2.BundleFile(path=path, content=content)
                for path, content in sorted(proposed.items())
                if path == MANIFEST or kept.get(path) != hashlib.sha256(content).digest()
            ],
            removed_files=sorted(kept.keys() - proposed.keys()),
            signed_proposal=self._signed_proposal(proposed, reason),
            checks=checks or {},
        )
        return self._proposal(lambda s: s.policies.ProposeBundle, request, timeout)

    def approve(
        self,
        review: ProposedBundle,
        needs: Sequence[policy_pb2.FileNeed],
        until: datetime | None = None,
        *,
        timeout: float = 30.0,
    ) -> policy_pb2.Proposal:
        """Signs and hands in the approval of these files, which stands until ``until``, at most a year ahead.

        Raises:
            VerificationFailed: what the broker asks to be signed is not what the files are.
            NotAuthorised: SAME_PERSON, NOT_RESPONSIBLE.
        """
        now = datetime.now(UTC)
        covered = {need.path: _checked(need, review.files) for need in needs}
        said = Approving(review.bundle, now, until or now + LONGEST, covered)
        credentials = self._credentials
        signed = sign_approval(said, credentials.private_key(), credentials.chain[0])
        request = policy_pb2.ApproveProposalRequest(name=review.proposal.name, signed_approval=signed)
        return self._proposal(lambda s: s.policies.ApproveProposal, request, timeout)

    def publish(self, number: int, *, timeout: float = 60.0) -> policy_pb2.Bundle:
        """Puts an approved proposal in force; when it returns, it is for everybody.

        Raises:
            NotApproved: it names a file that still needs approval.
            Changed: PROPOSAL_STALE.
        """
        request = policy_pb2.PublishProposalRequest(name=f"proposals/{number}")
        question: Question[policy_pb2.Bundle] = Question(
            lambda s: s.policies.PublishProposal, request, lambda r, _: r.bundle
        )
        return self._ask(question, timeout)

    def rollback(self, name: str, reason: str = "", *, timeout: float = 60.0) -> policy_pb2.Proposal:
        """Proposes the files of the earlier bundle ``bundles/…`` anew.

        Raises:
            NotFound: it was never in force.
        """
        current = self.in_force(timeout=timeout)
        manifest = Manifest(current.sequence + 1, current.name.removeprefix("bundles/"))
        proposed = manifest.among(without_manifest(self.files(name, timeout=timeout)))
        signed = self._signed_proposal(proposed, reason)
        request = policy_pb2.RollbackBundleRequest(name=name, signed_proposal=signed)
        return self._proposal(lambda s: s.policies.RollbackBundle, request, timeout)

    def suspend(
        self,
        target: Target,
        name: str = "",
        *,
        reason: str,
        provider: str = "",
        mend_by: datetime | None = None,
        timeout: float = 30.0,
    ) -> Suspended:
        """Stops sharing at once: for the department ``name``, of the dataset, for the purpose, or everything.

        Args:
            provider: only what this department shares; officers of others than the authority name their own.
            mend_by: by when to put right what it is ordered for; with its zone.

        Raises:
            NotAuthorised: NOT_YOURS_TO_SUSPEND.
            MalformedRequest: no reason, or a name that the catalog in force does not have.
        """
        return self._ask(suspending.suspend(target, name, reason, provider, mend_by, self._trust), timeout)

    def lift(self, number: int, *, reason: str, timeout: float = 30.0) -> Suspended:
        """Lifts a suspension.

        Raises:
            NotAuthorised: NOT_YOURS_TO_LIFT.
            NotFound: none of that number is in force.
        """
        return self._ask(suspending.lift(number, reason, self._trust), timeout)

    def _signed_proposal(self, files: Files, reason: str) -> bytes:
        said = Proposing(bundle_hash(files), datetime.now(UTC), reason)
        return sign_proposal(said, self._credentials.private_key(), self._credentials.chain[0])

    def _bundle(self, name: str, paths: Sequence[str], timeout: float) -> policy_pb2.Bundle:
        request = policy_pb2.GetBundleRequest(name=name, content_paths=paths)
        question: Question[policy_pb2.Bundle] = Question(
            lambda s: s.policies.GetBundle, request, lambda r, _: r.bundle
        )
        return self._ask(question, timeout)

    def _proposal(
        self, method: Callable[[Any], Callable[..., Any]], request: Any, timeout: float
    ) -> policy_pb2.Proposal:
        question: Question[policy_pb2.Proposal] = Question(method, request, lambda r, _: r.proposal)
        return self._ask(question, timeout)


def _checked(need: policy_pb2.FileNeed, files: Files) -> Covered:
    """What to sign of a file: as the broker says, if the files fetched say the same."""
    said = {need.path: need.digest, **need.basis}
    if any(digest != _digest(files, path) for path, digest in said.items()):
        raise VerificationFailed("服务所报散列与文件不符 / proposal: its digests are not the files'")
    return Covered(need.digest, dict(need.basis))


def _digest(files: Files, path: str) -> bytes:
    return hashlib.sha256(files[path]).digest() if path in files else b""


def _parts(files: Sequence[policy_pb2.BundleFile]) -> Iterator[list[str]]:
    """Paths, as many at a time as one answer carries."""
    part: list[str] = []
    size = 0
    for file in files:
        if part and size + file.size_bytes > _FETCH_BYTES:
            yield part
            part, size = [], 0
        part.append(file.path)
        size += file.size_bytes
    if part:
        yield part
