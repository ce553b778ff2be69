"""What the database has about a bundle's approval, read and verified."""

from __future__ import annotations

from broker.approve.files import Files, unpack
from broker.errors import VerificationFailed
from broker.model import Proposal
from broker.publication.manifest import manifest_of
from broker.publication.scrutiny import Dossier, Scrutiny
from broker.store.epochs import EpochTables


def dossier_of(tables: EpochTables, bundle_hash: str, scrutiny: Scrutiny) -> Dossier:
    """The dossier of a bundle that is kept.

    Raises:
        VerificationFailed: the bundle is not there or not what its hash names, or its proposal does not hold.
    """
    files = kept(tables, bundle_hash)
    manifest = manifest_of(files)
    before = None
    if manifest is not None and tables.bundle(manifest.previous) is not None:
        before = kept(tables, manifest.previous)
    proposal: Proposal | None = tables.proposals.proposal_of(bundle_hash)
    if proposal is None:
        return scrutiny.dossier(bundle_hash, files, before, None, ())
    # What stood when it was proposed may be what brought it into force, even if it has expired since.
    approvals = tables.proposals.approvals(proposal.proposed_at)
    return scrutiny.dossier(bundle_hash, files, before, proposal.signed, approvals)


def lineage(
    tables: EpochTables, bundle_hash: str, scrutiny: Scrutiny, known: str | None = None
) -> tuple[Dossier, ...]:
    """The bundle's dossier, and those of the bundles before it back to the one that followed ``known``; just
    the bundle's own when nothing is known, and back to the last that was put in force without a proposal.

    Raises:
        VerificationFailed: as :func:`dossier_of`, or sequences do not grow by one.
    """
    found = [dossier_of(tables, bundle_hash, scrutiny)]
    while known is not None and (manifest := found[-1].manifest) and manifest.previous != known:
        older = dossier_of(tables, manifest.previous, scrutiny)
        if older.manifest is None:
            break
        if older.manifest.sequence >= manifest.sequence:
            raise VerificationFailed("策略包序号不连续 / bundle: its sequence does not follow")
        found.append(older)
    return tuple(found)


def kept(tables: EpochTables, bundle_hash: str) -> Files:
    """The files of a bundle that is kept.

    Raises:
        VerificationFailed: it is not there, or not what its hash names.
    """
    return unpack(tables.bundle(bundle_hash) or b"", bundle_hash)
