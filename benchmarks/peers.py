"""The same rules in general policy engines: departments, fields, purposes, dates; deny overrides.

Each in the form that serves it best: cedarpy with its policies parsed once, pycasbin's FastEnforcer indexed
by owner and dataset, regopy with its module and data compiled into a bundle, rules by dataset.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Protocol

import casbin
import cedarpy
import regopy

from broker.approve.rule import Effect, Rule
from broker.model import Application


class Peer(Protocol):
    """A general engine that has the rules."""

    name: str

    def allows(self, asked: Application, now: int) -> bool:
        """Whether the one field asked may be released at ``now``, in seconds since 1970."""


class Cedar:
    """Cedar policies by way of ``cedarpy``."""

    name = "cedarpy"

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._policies = cedarpy.PolicySet.from_str("\n".join(map(_cedar, rules)))
        self._entities = cedarpy.Entities.from_json_str("[]")

    def allows(self, asked: Application, now: int) -> bool:
        request = {
            "principal": f'Department::"{asked.consumer.department}"',
            "action": 'Action::"use"',
            "resource": f'Dataset::"{asked.dataset}"',
            "context": _input(asked, now),
        }
        return bool(cedarpy.is_authorized(request, self._policies, self._entities).allowed)


def _cedar(rule: Rule) -> str:
    effect = "permit" if rule.effect is Effect.PERMIT else "forbid"
    first, last = _dates(rule)
    return (
        f'{effect} (principal, action, resource == Dataset::"{rule.dataset}") when {{'
        f" {_list(rule.departments)}.contains(context.department)"
        f" && {_list(rule.fields)}.contains(context.field)"
        f" && {_list(rule.purposes)}.contains(context.purpose)"
        f" && context.now >= {first} && context.now < {last} }};"
    )


_CASBIN = """
[request_definition]
r = owner, dataset, department, field, purpose, now
[policy_definition]
p = owner, dataset, departments, fields, purposes, first, last, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = has(p.departments, r.department) && has(p.purposes, r.purpose) && has(p.fields, r.field) \
  && within(p.first, p.last, r.now)
"""


class Casbin:
    """``pycasbin``'s fast enforcer."""

    name = "pycasbin"

    def __init__(self, rules: Iterable[Rule]) -> None:
        model = casbin.FastModel([0, 1])
        model.load_model_from_text(_CASBIN)
        self._enforcer = casbin.FastEnforcer(model, cache_key_order=[0, 1])
        self._enforcer.add_function("has", lambda names, name: name in names)
        self._enforcer.add_function("within", lambda first, last, now: first <= now < last)
        policy = self._enforcer.model.model["p"]["p"].policy
        for rule in rules:  # adding by the enforcer's own method takes time that grows with the square
            effect = "allow" if rule.effect is Effect.PERMIT else "deny"
            names = (rule.departments, rule.fields, rule.purposes)
            policy.append([rule.owner, rule.dataset, *names, *_dates(rule), effect])

    def allows(self, asked: Application, now: int) -> bool:
        owner = asked.dataset.split(".")[0]
        department = asked.consumer.department
        return bool(
            self._enforcer.enforce(owner, asked.dataset, department, asked.fields[0], asked.purpose, now)
        )


_REGO = """
package share
fits(rule) if {
  rule.departments[input.department]
  rule.fields[input.field]
  rule.purposes[input.purpose]
  rule.first <= input.now
  input.now < rule.last
}
permitted if { some rule in data.rules[input.dataset]; rule.effect == "permit"; fits(rule) }
denied if { some rule in data.rules[input.dataset]; rule.effect == "deny"; fits(rule) }
allow if { permitted; not denied }
"""


class Rego:
    """Rego by way of ``regopy`` (rego-cpp)."""

    name = "regopy"

    def __init__(self, rules: Iterable[Rule]) -> None:
        about: dict[str, list[dict[str, object]]] = {}
        for rule in rules:
            about.setdefault(rule.dataset, []).append(_rego(rule))
        self._interpreter = regopy.Interpreter()
        self._interpreter.add_data({"rules": about})
        self._interpreter.add_module("share", _REGO)
        self._bundle = self._interpreter.build("data.share.allow")

    def allows(self, asked: Application, now: int) -> bool:
        self._interpreter.set_input(regopy.Input({"dataset": asked.dataset, **_input(asked, now)}))
        return "true" in str(self._interpreter.query_bundle(self._bundle))


def _rego(rule: Rule) -> dict[str, object]:
    first, last = _dates(rule)
    return {
        "effect": str(rule.effect),
        "departments": dict.fromkeys(rule.departments or (), True),
        "fields": dict.fromkeys(rule.fields, True),
        "purposes": dict.fromkeys(rule.purposes or (), True),
        "first": first,
        "last": last,
    }


def _input(asked: Application, now: int) -> dict[str, Any]:
    department = asked.consumer.department
    return {"department": department, "field": asked.fields[0], "purpose": asked.purpose, "now": now}


def _dates(rule: Rule) -> tuple[int, int]:
    assert rule.valid_from is not None
    assert rule.valid_until is not None
    return int(rule.valid_from.timestamp()), int(rule.valid_until.timestamp())


def _list(names: Iterable[str] | None) -> str:
    return json.dumps(sorted(names or ()))
