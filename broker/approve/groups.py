"""What several permits demand of groups of rows together: ``docs/policy-language.md``, 5.8 to 5.10."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from broker.approve.rule import Rule
from broker.model import Aggregate, Application, Below, KAnonymity, Obligations, Why
from broker.reasons import Reason


def k_anonymity(duties: Sequence[Obligations], asked: Sequence[str]) -> KAnonymity | None:
    """All of them together, about the fields asked; None where none of these is a quasi-identifier (5.8)."""
    demanded = [duty.k_anonymity for duty in duties if duty.k_anonymity]
    together = frozenset(asked).intersection(
        *[frozenset().union(*[one.quasi_identifiers for one in demanded])]
    )
    if not together:
        return None
    refuse = any(one.below is Below.REFUSE for one in demanded)
    return KAnonymity(
        tuple(sorted(together)), max(one.k for one in demanded), Below.REFUSE if refuse else Below.SUPPRESS
    )


def aggregate(rules: Sequence[Rule], troubled: set[str]) -> Aggregate | None:
    """The one that all demand, at its strictest; rules that group or measure otherwise are troubled (5.9)."""
    demanded = {rule.id: rule.obligations.aggregate for rule in rules if rule.obligations.aggregate}
    found = list(demanded.values())
    if not found:
        return None
    if any((one.by, one.measures) != (found[0].by, found[0].measures) for one in found):
        troubled.update(demanded)
    shares = [one.largest_share for one in found if one.largest_share is not None]
    return Aggregate(
        found[0].by,
        found[0].measures,
        max(one.smallest_group for one in found),
        min(shares, default=None),
        all(one.named_subjects for one in found),
    )


def misasked(wanted: Aggregate | None, asked: Application) -> Iterator[Why]:
    """Why an application cannot be answered by totals only (5.10); nothing where it can."""
    if wanted is None:
        return
    measured = wanted.measured
    for field in asked.fields:
        if field not in wanted.by and field not in measured:
            yield Why(Reason.FIELD_NOT_AGGREGATED, field)
    for field in wanted.by:
        if field not in asked.fields:
            yield Why(Reason.GROUPING_INCOMPLETE, field)
    if asked.subjects and not wanted.named_subjects:
        yield Why(Reason.SUBJECTS_NOT_AGGREGATED)
