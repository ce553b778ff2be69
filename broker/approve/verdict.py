"""What the rules that speak come to: ``docs/policy-language.md``, section 4."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from broker.approve.coverage import coverage
from broker.approve.demands import Demands, charges, demands
from broker.approve.groups import misasked
from broker.approve.index import DatasetRules, floor_masks
from broker.approve.rule import Effect, Rule
from broker.model import (
    IMPORTANT,
    MATCH,
    Application,
    Catalog,
    Decision,
    Grant,
    ReviewBy,
    Verdict,
    Why,
)
from broker.reasons import Reason

_PAPERS = (
    ("case_no", Why(Reason.CASE_NO_MISSING, "case_no")),
    ("service_item", Why(Reason.SERVICE_ITEM_MISSING, "service_item")),
    ("operator", Why(Reason.OPERATOR_MISSING, "operator")),
    ("legal_basis", Why(Reason.LEGAL_BASIS_MISSING, "legal_basis")),
)
_SIGNED_APPLICATION = Why(Reason.SIGNED_APPLICATION_MISSING, "signed_application")


@dataclass(frozen=True, slots=True)
class Speaking:
    """The rules that speak about an application, each by ascending id, and those that cannot be told."""

    denies: Sequence[Rule]
    reviews: Sequence[Rule]
    permits: Sequence[Rule]
    delegates: Sequence[Rule]
    untold: Sequence[Rule]
    """Of every effect; a deny or a review among them speaks as well, but lets nothing pass (4.2)."""

    @property
    def permitting(self) -> Sequence[Rule]:
        """Those that let something pass: at once, or when somebody has looked."""
        return [*self.permits, *[rule for rule in self.reviews if rule not in self.untold]]

    @classmethod
    def of(cls, rules: Sequence[Rule], untold: Sequence[Rule]) -> Speaking:
        """``rules`` that speak, by ascending id."""

        def of(effect: Effect) -> Sequence[Rule]:
            return [rule for rule in rules if rule.effect is effect]

        return cls(of(Effect.DENY), of(Effect.REVIEW), of(Effect.PERMIT), of(Effect.DELEGATE), untold)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision but for what differs from one application of a shape to the next: its papers, and how many
    subjects it names.
    """

    decision: Decision
    """If all papers are there."""
    asks_for_papers: bool = False
    deciding: tuple[str, ...] = ()
    """Rules that ask for the papers."""
    signed: bool = False
    """A signed application is one of the papers."""
    most_subjects: int | None = None
    limiting: tuple[str, ...] = ()
    """Rules that bound the subjects."""
    matched: tuple[str, ...] = ()
    """Fields that are compared with a claim, which is one of the papers."""
    commitments: tuple[str, ...] = ()
    """Templates of the use commitments that are among the papers."""
    granted: Decision | None = None
    """What becomes of a review under a grant that those whom it asks for have approved (4.10)."""
    uncovered: tuple[str, ...] = ()
    """Fields that nothing permits (4.4), which is why the decision is a denial."""

    def under(self, grant: Grant) -> Outcome:
        """What it is under a grant: a review that was made is a permit."""
        if self.granted is None or not grant.satisfies(self.decision.reviews):
            return self
        return replace(self, decision=self.granted)

    def of(self, asked: Application) -> Decision:
        """The decision on ``asked``, which is of the shape."""
        if not self.asks_for_papers:
            return self.decision
        if self.most_subjects is not None and len(asked.subjects) > self.most_subjects:
            hash_ = self.decision.bundle_hash
            return Decision(Verdict.DENY, hash_, self.limiting, (Why(Reason.TOO_MANY_SUBJECTS),))
        claimed = [claim.field for claim in asked.claims] if asked.claims else ()
        beyond = [field for field in claimed if field not in self.matched]
        if beyond and self.decision.verdict is Verdict.PERMIT:
            reasons = tuple([Why(Reason.CLAIM_NOT_TAKEN, field) for field in beyond])
            return Decision(Verdict.DENY, self.decision.bundle_hash, self.deciding, reasons)
        if (
            asked.case_no
            and asked.service_item
            and asked.operator
            and asked.legal_basis
            and (asked.signed_digest or not self.signed)
            and (not self.commitments or not self._uncommitted(asked))
            and (not self.matched or all(field in claimed for field in self.matched))
        ):
            return self.decision
        return self._supplement(asked)

    def _uncommitted(self, asked: Application) -> list[str]:
        """The templates of which no commitment is there."""
        signed = [commitment.template for commitment in asked.commitments]
        return [template for template in self.commitments if template not in signed]

    def _supplement(self, asked: Application) -> Decision:
        """Every paper that is not there, in one notice (一次性告知)."""
        missing = [why for name, why in _PAPERS if not getattr(asked, name)]
        if self.signed and not asked.signed_digest:
            missing.append(_SIGNED_APPLICATION)
        missing += [Why(Reason.COMMITMENT_MISSING, template) for template in self._uncommitted(asked)]
        claimed = [claim.field for claim in asked.claims]
        missing += [Why(Reason.CLAIM_MISSING, field) for field in self.matched if field not in claimed]
        hash_ = self.decision.bundle_hash
        return Decision(Verdict.NEEDS_SUPPLEMENT, hash_, self.deciding, missing=tuple(missing))


@dataclass(frozen=True, slots=True)
class Case:
    """An application of one shape before the rules of one bundle, at one time."""

    asked: Application
    about: DatasetRules
    catalog: Catalog
    bundle_hash: str
    local: datetime
    """The city's time."""

    def outcome(self, speaking: Speaking, nearest: Callable[[], Reason]) -> Outcome:
        """What ``speaking`` comes to; ``nearest`` tells the cause when nothing speaks (7.1)."""
        if speaking.denies:
            return self._forbidden(speaking)
        fields = self.asked.fields
        covered = coverage(fields, speaking.permitting, speaking.delegates, self.about)
        uncovered = tuple([field for field in fields if field not in covered.fields])
        if uncovered:
            reasons = tuple(_causes(uncovered, speaking, nearest))
            return Outcome(Decision(Verdict.DENY, self.bundle_hash, (), reasons), uncovered=uncovered)
        return self._allowed(sorted([*speaking.permits, *covered.relied_on], key=_id), speaking.reviews)

    def _forbidden(self, speaking: Speaking) -> Outcome:
        untold = [rule.id for rule in speaking.untold]
        reasons = [
            Why(Reason.RULE_ERROR if rule.id in untold else Reason.DENIED_BY_RULE, rule.id)
            for rule in speaking.denies
        ]
        return Outcome(Decision(Verdict.DENY, self.bundle_hash, _ids(speaking.denies), tuple(reasons)))

    def _allowed(self, binding: Sequence[Rule], reviews: Sequence[Rule]) -> Outcome:
        """Every field is covered or reviewed: what the permits and delegates that bind demand."""
        demanded = demands(binding, self.asked, self.about.dataset, self.catalog)
        if at_odds := demanded.contradictory:
            reasons = tuple([Why(Reason.RULE_ERROR, rule) for rule in at_odds])
            return Outcome(Decision(Verdict.DENY, self.bundle_hash, at_odds, reasons))
        if unfit := tuple(misasked(demanded.obligations.aggregate, self.asked)):
            aggregating = _ids([rule for rule in binding if rule.obligations.aggregate])
            return Outcome(Decision(Verdict.DENY, self.bundle_hash, aggregating, unfit))
        most = demanded.subjects_per_call
        review = self._review(binding, reviews)
        return Outcome(
            review or self._permit(binding, demanded),
            asks_for_papers=True,
            granted=review and self._granted(binding, reviews, demanded),
            deciding=_ids(sorted([*binding, *reviews], key=_id)),
            signed=demanded.obligations.signed_application,
            most_subjects=most,
            limiting=_ids([rule for rule in binding if most and rule.limits.subjects_per_call == most]),
            matched=_matched(demanded),
            commitments=demanded.obligations.commitments,
        )

    def _permit(self, binding: Sequence[Rule], demanded: Demands) -> Decision:
        return Decision(
            Verdict.PERMIT,
            self.bundle_hash,
            _ids(binding),
            obligations=demanded.obligations,
            rows_per_call=demanded.rows_per_call,
            row_scopes=demanded.row_scopes,
            charges=tuple(charges(binding, self.asked.consumer.department, self.local)),
            minimum_group_size=demanded.minimum_group_size,
            matches_per_day=demanded.matches_per_day,
        )

    def _granted(self, binding: Sequence[Rule], reviews: Sequence[Rule], demanded: Demands) -> Decision:
        """The permit with all that binds; fields that only reviews cover go by the floors of their levels."""
        named = frozenset().union(*[rule.fields for rule in binding])
        fields = self.about.dataset.fields
        floors = floor_masks([fields[name] for name in self.asked.fields if name not in named], self.catalog)
        obligations = demanded.obligations
        masks = MappingProxyType({**floors, **obligations.masks})
        permit = self._permit(binding, demanded)
        rules = _ids(sorted([*binding, *reviews], key=_id))
        return replace(permit, rules=rules, obligations=replace(obligations, masks=masks))

    def _review(self, binding: Sequence[Rule], reviews: Sequence[Rule]) -> Decision | None:
        """The review that is called for (4.7), by the provider where no rule says by whom."""
        dataset = self.about.dataset
        countersigned = [rule for rule in binding if rule.obligations.countersignature]
        important = [f for f in self.asked.fields if dataset.fields[f].level == IMPORTANT]
        if not (reviews or countersigned or important):
            return None
        provider = ReviewBy(frozenset({dataset.department}))
        by = [rule.review or provider for rule in reviews]
        if countersigned or important:
            by.append(provider)
        reasons = (
            *[Why(Reason.REVIEW_REQUIRED, rule.id) for rule in reviews],
            *[Why(Reason.IMPORTANT_LEVEL, field) for field in important],
            *[Why(Reason.COUNTERSIGNATURE_REQUIRED, rule.id) for rule in countersigned],
        )
        reviewing = _ids(sorted([*reviews, *countersigned], key=_id))
        return Decision(
            Verdict.REVIEW, self.bundle_hash, reviewing, reasons, reviews=tuple(dict.fromkeys(by))
        )


def _causes(uncovered: Sequence[str], speaking: Speaking, nearest: Callable[[], Reason]) -> Iterator[Why]:
    """Why nothing permits these fields, as much as the consumer may know of it (7.1)."""
    if untold := [rule for rule in speaking.untold if not rule.fields.isdisjoint(uncovered)]:
        yield from (Why(Reason.RULE_ERROR, rule.id) for rule in untold)
        return
    if not speaking.permitting:
        cause = nearest()
        if cause is not Reason.FIELD_NOT_PERMITTED:
            yield Why(cause)
            return
    named = frozenset().union(*[rule.fields for rule in speaking.permitting])
    for field in uncovered:
        yield Why(Reason.NOT_DELEGATED if field in named else Reason.FIELD_NOT_PERMITTED, field)


def _matched(demanded: Demands) -> tuple[str, ...]:
    masks = demanded.obligations.masks
    return tuple([field for field, mask in masks.items() if mask.operator == MATCH])


def _id(rule: Rule) -> str:
    return rule.id


def _ids(rules: Iterable[Rule]) -> tuple[str, ...]:
    return tuple([rule.id for rule in rules])
