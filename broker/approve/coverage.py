"""Which fields permits and reviews cover, by their scopes: ``docs/policy-language.md``, section 3."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from broker.approve.index import DatasetRules
from broker.approve.rule import Rule
from broker.model import Scope


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the permits and reviews of one application come to."""

    fields: frozenset[str]
    """Of those asked, the ones that may be released, or reviewed."""
    relied_on: tuple[Rule, ...] = ()
    """Delegates to these rules; their demands hold whether or not anything is covered by them (3.7)."""


def coverage(
    fields: Collection[str], rules: Iterable[Rule], delegates: Sequence[Rule], about: DatasetRules
) -> Coverage:
    """What ``rules``, permits and reviews, cover of ``fields``, given the delegates that speak."""
    covered: set[str] = set()
    relied_on: dict[str, Rule] = {}
    for rule in rules:
        above = about.above(rule.scope)
        for field in rule.fields.intersection(fields):
            through = [d for d in delegates if d.scope in above and field in d.fields]
            relied_on.update((delegate.id, delegate) for delegate in through)
            if len({delegate.scope for delegate in through}) == len(above):
                covered.add(field)
    return Coverage(frozenset(covered), tuple([relied_on[id_] for id_ in sorted(relied_on)]))


def undelegated(
    field: str, scope: Scope, delegates: Sequence[Rule], about: DatasetRules
) -> tuple[Scope, ...]:
    """The scopes that would have to delegate ``field`` before a rule of ``scope`` could cover it."""
    given = {delegate.scope for delegate in delegates if field in delegate.fields}
    return tuple([higher for higher in about.above(scope) if higher not in given])
