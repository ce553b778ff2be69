"""What the law and the policy in force ask of an application: its papers, and who must review it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from broker.approve.bundle import Bundle
from broker.approve.rule import Effect, Rule
from broker.model import IMPORTANT, ReviewBy, Terms, Why
from broker.reasons import Reason


def missing(terms: Terms, bundle: Bundle, now: datetime) -> tuple[Why, ...]:
    """Everything that the application lacks, all at once (一次性告知): Article 20 asks for 使用依据,
    使用场景, 使用范围, 共享方式 and 使用时限, and somebody must answer questions about it."""
    return tuple(_missing(terms, bundle, now))


def reviews(terms: Terms, bundle: Bundle) -> tuple[ReviewBy, ...]:
    """Whose officers must approve, each of them: as the reviewing rules say that could speak about what is
    applied for at some time; at least one officer of the provider."""
    dataset = bundle.catalog.datasets[terms.dataset]
    provider = ReviewBy(frozenset({dataset.department}))
    found = [
        rule.review or provider
        for rule in bundle.about[terms.dataset].about(terms.consumer)
        if rule.effect is Effect.REVIEW and _concerns(rule, terms)
    ]
    if any(dataset.fields[name].level == IMPORTANT for name in terms.fields if name in dataset.fields):
        found.append(provider)
    return tuple(dict.fromkeys(found)) or (provider,)


def _missing(terms: Terms, bundle: Bundle, now: datetime) -> Iterator[Why]:
    dataset = bundle.catalog.datasets.get(terms.dataset)
    if dataset is None or terms.purpose not in bundle.catalog.purposes:
        yield Why(Reason.NO_LONGER_IN_CATALOG, "dataset" if dataset is None else "purpose")
        return
    for name in terms.fields:
        if name not in dataset.fields:
            yield Why(Reason.NO_LONGER_IN_CATALOG, name)
    if not terms.legal_basis:
        yield Why(Reason.LEGAL_BASIS_MISSING, "legal_basis")
    if not terms.scenario:
        yield Why(Reason.SCENARIO_MISSING, "scenario")
    if terms.mode is None:
        yield Why(Reason.SHARING_MODE_MISSING, "mode")
    elif terms.mode not in dataset.sharing_modes:
        yield Why(Reason.SHARING_MODE_NOT_OFFERED, terms.mode)
    if terms.rows_per_call is None:
        yield Why(Reason.ROWS_MISSING, "rows_per_call")
    if terms.valid_from is None or terms.valid_until is None:
        yield Why(Reason.PERIOD_MISSING, "valid_from" if terms.valid_from is None else "valid_until")
    elif terms.valid_until <= now:
        yield Why(Reason.PERIOD_OVER, "valid_until")
    if not terms.operator:
        yield Why(Reason.OPERATOR_MISSING, "operator")


def _concerns(rule: Rule, terms: Terms) -> bool:
    return (
        (rule.purposes is None or terms.purpose in rule.purposes)
        and not rule.fields.isdisjoint(terms.fields)
        and (rule.valid_from is None or terms.valid_until is None or rule.valid_from < terms.valid_until)
        and (rule.valid_until is None or terms.valid_from is None or terms.valid_from < rule.valid_until)
    )
