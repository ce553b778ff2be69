"""Mask plans kept for the next exchange like it: to bind operators costs more than to mask one row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.masking.contract import Operator
from broker.desensitize.plan import KeyContexts, MaskPlan, plan
from broker.model import Approved, Dataset, LinkDomain, Mask

_MOST_PLANS = 1024


@dataclass(frozen=True, slots=True)
class _Known:
    """A plan, and all that it was made of beside the application's own words and the keys."""

    dataset: Dataset
    masks: Mapping[str, Mask]
    links: Mapping[str, LinkDomain]
    plan: MaskPlan


class Planner:
    """Gives what :func:`~broker.desensitize.plan.plan` gives. Safe for use by many threads.

    A plan is a pure function of dataset, masks, link domains, fields, consumer, purpose and version of the
    one keyring. So a plan made under an earlier bundle is found again only where that changed none of these.
    """

    def __init__(self, operators: Mapping[str, Operator]) -> None:
        self._operators = operators
        self._known: dict[object, _Known] = {}

    def plan(self, approved: Approved, keys: KeyContexts) -> MaskPlan:
        """The mask plan of a permitted application; raises as :func:`~broker.desensitize.plan.plan`."""
        application, dataset = approved.application, approved.dataset
        masks = approved.decision.obligations.masks
        asked = application.fields, application.consumer.department, application.purpose
        claimed = tuple([claim.field for claim in application.claims])
        kind = (dataset.id, *asked, claimed, keys.version)
        known = self._known.get(kind)
        if (
            known is None
            or known.dataset is not dataset
            or (known.masks, known.links) != (masks, approved.links)
        ):
            if len(self._known) >= _MOST_PLANS:
                self._known.clear()
            known = _Known(dataset, masks, approved.links, plan(approved, self._operators, keys))
            self._known[kind] = known
        return known.plan
