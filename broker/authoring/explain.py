"""A decision in words: what was decided, by which rules, what must be kept to, and what was missing.

Nothing here decides: decision and near misses are :func:`broker.approve.near.explain`'s, and are only put
into sentences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from broker.approve import near
from broker.approve.bundle import Bundle
from broker.approve.problem import Position
from broker.approve.rule import Limits, Rule
from broker.authoring import groups, sentences
from broker.authoring.lacking import Lacking
from broker.authoring.troubles import troubles
from broker.model import Application, Catalog, Decision, Grant, RowScope, Suspension, Verdict, Why
from broker.reasons import Reason, Sentence, sentence

_VERDICTS = {
    Verdict.PERMIT: Sentence("同意共享", "Permitted"),
    Verdict.DENY: Sentence("不同意共享", "Denied"),
    Verdict.REVIEW: Sentence("转人工审核", "Left to a person's review"),
    Verdict.NEEDS_SUPPLEMENT: Sentence("待补正", "To be supplemented"),
}


@dataclass(frozen=True, slots=True)
class RuleInWords:
    """A rule that played a part: where it is written, and what it does."""

    id: str
    at: Position
    does: Sentence


@dataclass(frozen=True, slots=True)
class MissInWords:
    """A rule that would have let the application pass, and all that is missing for it."""

    rule: RuleInWords
    lacks: tuple[Sentence, ...]
    """At least one."""


@dataclass(frozen=True, slots=True)
class InWords:
    """One decision, explained in both languages."""

    decision: Decision
    """Exactly that of :func:`broker.approve.evaluate.evaluate`."""
    said: Sentence
    """The decision itself, naming who asked for what."""
    reasons: tuple[Sentence, ...]
    """Why not, or what is missing; as the consumer is told."""
    duties: tuple[Sentence, ...]
    """What a permit, or a review that agrees, comes with."""
    rules: tuple[RuleInWords, ...]
    """The rules that decided; for their owner."""
    troubles: tuple[Sentence, ...] = ()
    """Where rules could not be decided by: what they contradict each other in, or lack; for their owner."""
    near: tuple[MissInWords, ...] = ()
    """Where nothing permits: the nearest rules, nearest first; for their owner."""


def explain(
    application: Application,
    grant: Grant | None,
    bundle: Bundle,
    now: datetime,
    suspensions: Sequence[Suspension] = (),
) -> InWords:
    """What :func:`~broker.approve.evaluate.evaluate` decides of these, in words."""
    explained = near.explain(application, grant, bundle, now, suspensions)
    decision, deciding = explained.decision, explained.deciding
    return InWords(
        decision=decision,
        said=_under(grant, decision, _said(decision, application, bundle.catalog)),
        reasons=tuple(_reason(w, application, bundle) for w in (*decision.reasons, *decision.missing)),
        duties=tuple(_duties(decision, application, deciding, bundle.catalog)),
        rules=tuple(_in_words(rule, bundle.catalog) for rule in deciding),
        troubles=tuple(_troubles(explained, application, bundle, now)),
        near=tuple(_miss(miss, explained.uncovered, application, bundle, now) for miss in explained.near),
    )


def _under(grant: Grant | None, decision: Decision, said: Sentence) -> Sentence:
    """With what a grant has to do with it: that it was asked under one, or that one may answer a review."""
    if grant is not None:
        return Sentence(
            f"{said.zh}依共享授权 {grant.name} 申请。", f"{said.en} Asked under grant {grant.name}."
        )
    if decision.verdict is Verdict.REVIEW:
        return Sentence(
            f"{said.zh}可提出共享申请，获同意后凭共享授权调用。",
            f"{said.en} Apply; once approved, ask under the grant.",
        )
    return said


def _troubles(
    explained: near.Explanation, asked: Application, bundle: Bundle, now: datetime
) -> Iterator[Sentence]:
    if any(why.reason is Reason.RULE_ERROR for why in explained.decision.reasons):
        yield from troubles(explained.deciding, asked, bundle, now)


def _miss(
    miss: near.NearMiss, uncovered: tuple[str, ...], asked: Application, bundle: Bundle, now: datetime
) -> MissInWords:
    lacking = Lacking(miss.rule, asked, uncovered, now, bundle)
    return MissInWords(_in_words(miss.rule, bundle.catalog), tuple(map(lacking.said, miss.unmet)))


def _reason(why: Why, asked: Application, bundle: Bundle) -> Sentence:
    """Why, as the consumer is told; what the law withholds with the law."""
    said = sentence(why.reason, why.about)
    if why.reason is not Reason.DATASET_WITHHELD:
        return said
    basis = bundle.catalog.datasets[asked.dataset].attribute_basis
    return Sentence(f"{said.zh}依据：{basis}。", f"{said.en} Basis: {basis}.")


def _in_words(rule: Rule, catalog: Catalog) -> RuleInWords:
    return RuleInWords(rule.id, rule.at, sentences.sentence(rule, catalog))


def _said(decision: Decision, asked: Application, catalog: Catalog) -> Sentence:
    verdict = _VERDICTS[decision.verdict]
    department = catalog.departments.get(asked.consumer.department)
    who = Sentence(department.title, department.title_en) if department else _same(asked.consumer.department)
    dataset = catalog.datasets.get(asked.dataset)
    what = Sentence(f"《{dataset.title}》" if dataset else asked.dataset, asked.dataset)
    titles = [dataset.fields[f].title if dataset and f in dataset.fields else f for f in asked.fields]
    purpose = catalog.purposes.get(asked.purpose, asked.purpose)
    return Sentence(
        f"{verdict.zh}：{who.zh}为“{purpose}”申请查看{what.zh}的{'、'.join(titles)}。",
        f"{verdict.en}: {who.en} asks for {', '.join(asked.fields)} of {what.en} for {asked.purpose}.",
    )


def _duties(
    decision: Decision, asked: Application, deciding: Sequence[Rule], catalog: Catalog
) -> Iterator[Sentence]:
    dataset = catalog.datasets.get(asked.dataset)
    if dataset is None or decision.verdict not in (Verdict.PERMIT, Verdict.REVIEW):
        return
    for name, mask in decision.obligations.masks.items():
        left = sentences.mask_words(mask)
        yield Sentence(f"{dataset.fields[name].title}：{left.zh}", f"{name}: {left.en}")
    for scope in decision.row_scopes:
        yield _scope(scope, dataset.fields[scope.field].title)
    yield from sentences.limits(
        Limits(rows_per_call=decision.rows_per_call, minimum_group_size=decision.minimum_group_size)
    )
    for rule in deciding:
        yield from _quotas(rule)
    yield from sentences.duties(decision.obligations)
    yield from groups.words(decision.obligations, dataset)
    for review in decision.reviews:
        yield sentences.review(review, catalog)


def _quotas(rule: Rule) -> Iterator[Sentence]:
    limits = rule.limits
    for said in sentences.limits(
        Limits(
            calls_per_day=limits.calls_per_day,
            rows_per_day=limits.rows_per_day,
            calls_per_month=limits.calls_per_month,
            rows_per_month=limits.rows_per_month,
        )
    ):
        yield Sentence(f"{said.zh}（规则 {rule.id}）", f"{said.en} (rule {rule.id})")


def _scope(scope: RowScope, title: str) -> Sentence:
    if scope.values:
        values = "、".join(scope.values), " or ".join(scope.values)
        return Sentence(f"只给{title}为 {values[0]} 的行", f"only rows whose {scope.field} is {values[1]}")
    return Sentence(
        f"只给{title}以 {scope.prefix} 开头的行", f"only rows whose {scope.field} begins with {scope.prefix}"
    )


def _same(name: str) -> Sentence:
    return Sentence(name, name)
