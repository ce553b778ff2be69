"""Findings about rules in view of one another: shadowed, repeated, contradictory, not delegated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import product

from broker.approve.bundle import Bundle
from broker.approve.index import DatasetRules
from broker.approve.rule import Effect, Rule
from broker.authoring.finding import Finding, Lint
from broker.authoring.reach import (
    demands_no_more,
    has_quota,
    may_speak_together,
    reaches_as_far,
    reaches_but_fields,
    speak_together,
)

_SCOPED = (Effect.PERMIT, Effect.DELEGATE)
Written = Mapping[str, tuple[Rule, ...]]
"""Id → the rules that it stands for: several where it is about a category."""


class _Near:
    """Rules, found by what another rule must have in common with them."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._by: defaultdict[tuple[str, str | None, str | None], list[Rule]] = defaultdict(list)
        for rule in rules:
            for department, purpose in product(rule.departments or (None,), rule.purposes or (None,)):
                self._by[rule.dataset, department, purpose].append(rule)

    def as_wide(self, rule: Rule) -> Iterator[Rule]:
        """Every rule that names all departments and purposes of ``rule``, among others that do not."""
        departments = {None} if rule.departments is None else {None, min(rule.departments)}
        purposes = {None} if rule.purposes is None else {None, min(rule.purposes)}
        for department, purpose in product(departments, purposes):
            yield from self._by.get((rule.dataset, department, purpose), ())


def between(bundle: Bundle, written: Written) -> Iterator[Finding]:
    """What the rules of ``bundle`` do to one another; ``written`` holds those that do speak."""
    yield from _doing_nothing(bundle, written)
    alive = written.keys()
    for about in bundle.about.values():
        rules = [rule for rule in about.rules if rule.id in alive]
        yield from _rows_contradict(rules)
        yield from _delegation(rules, about)


# ── shadowed and repeated ────────────────────────────────────────────────────────────────────────


def _doing_nothing(bundle: Bundle, written: Written) -> Iterator[Finding]:
    by_effect: defaultdict[Effect, list[Rule]] = defaultdict(list)
    for about in bundle.about.values():
        for rule in about.rules:
            by_effect[rule.effect].append(rule)
    near = {effect: _Near(some) for effect, some in by_effect.items()}
    denies = near.get(Effect.DENY, _Near(()))
    for instances in written.values():
        if any(_bears_scope(rule, bundle) for rule in instances):
            continue
        if instances[0].effect is not Effect.DENY:
            found = tuple(_shadowed(instances, denies))
            yield from found
            if found:
                continue
        yield from _repeated(instances, near[instances[0].effect])


def _bears_scope(rule: Rule, bundle: Bundle) -> bool:
    """Whether its being there holds back rules of lower scopes, even where it does not speak (§3.3, §3.5)."""
    about = bundle.about[rule.dataset]
    provider = bundle.catalog.departments[about.dataset.department].scope
    if rule.effect not in _SCOPED or about.written == (provider,):
        return False
    others = {other.scope for other in about.rules if other.effect in _SCOPED and other.id != rule.id}
    return {*others, min({*others, provider}, key=lambda scope: scope.rank)} != set(about.written)


def _shadowed(instances: tuple[Rule, ...], denies: _Near) -> Iterator[Finding]:
    by: dict[str, Rule] = {}
    fields: set[str] = set()
    left = False
    for rule in instances:
        denied: set[str] = set()
        for deny in denies.as_wide(rule):
            if shadowed := reaches_but_fields(deny, rule):
                denied |= shadowed
                by[deny.id] = deny
        fields |= denied
        left = left or denied != rule.fields
    if not by:
        return
    rule, named = instances[0], placed(by.values())
    if not left:
        zh = f"从不起作用：凡它适用之处，禁止规则 {named} 也适用，而禁止优先；请删改其一"
        en = f"never matters: wherever it applies, {named} denies; change or remove one of them"
        yield Finding.of(rule.at, Lint.SHADOWED, zh, en)
    elif rule.effect is Effect.PERMIT:
        listed = sorted(fields)
        zh = f"虽已列出，{'、'.join(listed)} 总被禁止规则 {named} 盖过，给不出；请从 fields 中删去"
        en = f"{', '.join(listed)}: listed, but always denied by {named}; take it out of fields"
        yield Finding.of(rule.at, Lint.PARTLY_SHADOWED, zh, en)


def _repeated(instances: tuple[Rule, ...], near: _Near) -> Iterator[Finding]:
    if len(instances) > 1 and has_quota(instances[0]):
        return  # it also counts what is asked about other datasets
    wider: dict[str, Rule] = {}
    for rule in instances:
        wide = next((other for other in near.as_wide(rule) if _repeats(rule, other)), None)
        if wide is None:
            return
        wider[wide.id] = wide
    named = placed(wider.values())
    zh = f"与规则 {named} 重复：那条规则适用范围不比它小，要求不比它松；请删去此规则"
    en = f"repeats rule {named}, which reaches as far and demands no less; remove this one"
    yield Finding.of(instances[0].at, Lint.REDUNDANT, zh, en)


def _repeats(rule: Rule, wide: Rule) -> bool:
    """Of two rules that say the same, the one with the larger id repeats the other."""
    return (
        rule.id != wide.id
        and _says_no_more(rule, wide)
        and not (rule.id < wide.id and _says_no_more(wide, rule))
    )


def _says_no_more(rule: Rule, wide: Rule) -> bool:
    return (
        (rule.scope is wide.scope or rule.effect is Effect.DENY)
        and reaches_as_far(wide, rule)
        and demands_no_more(rule, wide)
    )


# ── contradictions ───────────────────────────────────────────────────────────────────────────────


def _rows_contradict(about: Collection[Rule]) -> Iterator[Finding]:
    permits = [rule for rule in about if rule.effect is Effect.PERMIT and rule.rows.lists]
    for field in sorted({field for rule in permits for field in rule.rows.lists}):
        listing = [rule for rule in permits if field in rule.rows.lists]
        for rule, other in pairs(listing, partial(_disjoint, field)):
            zh = f"rows 中 {field} 与规则 {placed((other,))} 没有相同的值，同时适用时总不同意；请改其一"
            en = f"rows: no value of {field} is also in {placed((other,))}; where both apply the answer is "
            yield Finding.of(rule.at, Lint.ROWS_CONTRADICT, zh, f"{en}always deny; change one")


def _disjoint(field: str, one: Rule, other: Rule) -> bool:
    return set(one.rows.lists[field]).isdisjoint(other.rows.lists[field])


def pairs(rules: Collection[Rule], contradict: Callable[[Rule, Rule], bool]) -> Iterator[tuple[Rule, Rule]]:
    """Each rule that another contradicts where both speak, with the first such."""
    by_department: defaultdict[str | None, list[Rule]] = defaultdict(list)
    for rule in rules:
        for department in rule.departments or (None,):
            by_department[department].append(rule)
    for rule in rules:
        near: Iterable[Iterable[Rule]] = (
            (rules,)
            if rule.departments is None
            else (by_department.get(department, ()) for department in (None, *sorted(rule.departments)))
        )
        other = next(
            (o for some in near for o in some if contradict(rule, o) and speak_together(rule, o)), None
        )
        if other is not None:
            yield rule, other


# ── scopes ───────────────────────────────────────────────────────────────────────────────────────


def _delegation(rules: Collection[Rule], about: DatasetRules) -> Iterator[Finding]:
    """§3.5: a permit or review of a lower scope covers only what delegates of each scope above it name."""
    served = [rule for rule in rules if rule.effect in (Effect.PERMIT, Effect.REVIEW)]
    delegates = [rule for rule in rules if rule.effect is Effect.DELEGATE]
    for delegate in delegates:
        if not any(_serves(delegate, rule) for rule in served):
            zh = "没有下级的许可或审核用到此授权；请核对 who、what，或删去"
            en = "nothing of a lower scope relies on this delegate; check who and what, or remove it"
            yield Finding.of(delegate.at, Lint.UNUSED_DELEGATE, zh, en)
    for permit in served:
        for scope in about.above(permit.scope) if permit.effect is Effect.PERMIT else ():
            if not any(delegate.scope is scope and _serves(delegate, permit) for delegate in delegates):
                zh = f"属下级（{permit.scope}），上级（{scope}）没有授权给它，什么也给不出；请上级写 delegate"
                en = f"of scope {permit.scope}, but nothing of scope {scope} delegates it, so it releases "
                yield Finding.of(
                    permit.at, Lint.NOT_DELEGATED, zh, f"{en}nothing; ask for a delegate rule there"
                )
                break


def _serves(delegate: Rule, rule: Rule) -> bool:
    return (
        delegate.scope.rank < rule.scope.rank
        and not delegate.fields.isdisjoint(rule.fields)
        and may_speak_together(delegate, rule)
    )


def placed(rules: Iterable[Rule]) -> str:
    """The first by id with its place, and how many more."""
    ordered = sorted(rules, key=lambda rule: rule.id)
    at, more = ordered[0].at, f" (+{len(ordered) - 1})" if len(ordered) > 1 else ""
    place = f" ({at.file}:{at.line})" if at.file else ""
    return f"{ordered[0].id}{place}{more}"
