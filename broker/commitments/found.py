"""The lodged commitment that an exchange needs: looked for only where policy demands one that did not come.

What was lodged is believed by its own signature, and judged anew against the template in force: its text must
be what the broker makes of the template today. Whoever withdraws one moves the epoch, so what was found under
an epoch stands as long as that does, but for the day on which it expires.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson
from cryptography import x509

from broker.apply.committed import Verifier
from broker.epoch import InForce
from broker.errors import MalformedRequest
from broker.journal import Leaf
from broker.model import Application, Decision, EntryKind, UseCommitment
from broker.reasons import Reason
from broker.standing import Decide
from broker.store.store import Store

Key = tuple[str, str, str]
"""Consumer, dataset, purpose: what a lodged commitment is bound to."""

MOST_KEYS = 4096
"""Remembered under one epoch."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found under one epoch. Who looked under an earlier one keeps that one's."""

    epoch: int = 0
    found: dict[Key, tuple[UseCommitment, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class Lodgings:
    """Finds lodged commitments; safe for use by threads, which at worst do the same work twice."""

    store: Store
    ca: x509.Certificate
    _known: _Known = field(default_factory=_Known, init=False)

    def settle(
        self, asked: Application, decide: Decide, epoch: InForce, now: datetime
    ) -> tuple[Application, Decision]:
        """The decision on ``asked`` with what it has lodged, where it lacks a commitment; what was found
        earlier is looked for anew.

        Raises:
            Unavailable: the database cannot be reached, or nobody can tell what was revoked.
        """
        if any(one.lodged is not None for one in asked.commitments):
            asked = replace(asked, commitments=tuple(one for one in asked.commitments if one.lodged is None))
        decision = decide(asked)
        missing = [why.about for why in decision.missing if why.reason is Reason.COMMITMENT_MISSING]
        found = self.standing(asked, missing, epoch, now) if missing else []
        if not found:
            return asked, decision
        asked = replace(asked, commitments=(*asked.commitments, *found))
        return asked, decide(asked)

    def standing(
        self, asked: Application, templates: Sequence[str], epoch: InForce, now: datetime
    ) -> list[UseCommitment]:
        """Those of these templates that stand for ``asked``, one of each: the last that was lodged."""
        key = (asked.consumer.department, asked.dataset, asked.purpose)
        known = self._known
        if epoch.sequence != known.epoch:
            known = self._known = _Known(epoch.sequence)
        found = [one for one in known.found.get(key, ()) if now < one.expires]
        if not {one.template for one in found}.issuperset(templates):
            found = list(self._read(key, asked, epoch, now))
            if len(known.found) < MOST_KEYS:
                known.found[key] = tuple(found)
        return [one for one in found if one.template in templates]

    def _read(self, key: Key, asked: Application, epoch: InForce, now: datetime) -> Iterator[UseCommitment]:
        leaves = self.store.commitments(*key)
        gone, seen = withdrawn(leaves), set[str]()
        for leaf in leaves:
            if leaf.entry.kind is not EntryKind.COMMITMENT or leaf.index in gone:
                continue
            found = self._verified(leaf, asked, epoch)
            if found and now < found.expires and found.template not in seen:
                seen.add(found.template)
                yield found

    def _verified(self, leaf: Leaf, asked: Application, epoch: InForce) -> UseCommitment | None:
        """As it would be taken today, signed then; None for one that was erased or no longer fits. What a key
        signed before its certificate was revoked stands, unless somebody else may have had the key."""
        revoked = replace(epoch.revocations, serials=epoch.revocations.compromised)
        verifier = Verifier(epoch.bundle.catalog, self.ca, revoked, leaf.entry.recorded_at)
        for message in self.store.acts(leaf.index, ()):
            try:
                return replace(verifier.lodged(message, asked.consumer), lodged=leaf.index)
            except MalformedRequest:
                continue
        return None


def withdrawn(leaves: Sequence[Leaf]) -> dict[int, int]:
    """Commitment's leaf → the leaf that withdraws it, of leaves newest first."""
    acts = [leaf for leaf in leaves if leaf.entry.kind is EntryKind.EPOCH]
    return {orjson.loads(leaf.entry.statement)["commitment"]["leaf"]: leaf.index for leaf in acts}
