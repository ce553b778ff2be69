"""Which stages a review has, and how long each may take."""

from __future__ import annotations

from broker.model import SharingAttribute, Stage, TimeLimits


def stages(limits: TimeLimits, attribute: SharingAttribute) -> tuple[tuple[Stage, int], ...]:
    """The stages in order, each with its working days. Data shared without conditions are answered at once
    everywhere; of others a jurisdiction may let the authority check first."""
    if attribute is SharingAttribute.UNCONDITIONAL:
        return ((Stage.ANSWER, limits.unconditional_reply),)
    if limits.conformity is None or limits.answer is None:
        return ((Stage.ANSWER, limits.conditional_reply),)
    return (Stage.CONFORMITY, limits.conformity), (Stage.ANSWER, limits.answer)
