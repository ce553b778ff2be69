"""Whether an expression (``when_expr``) always says the same, told by trying everything it can depend on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from math import prod
from zoneinfo import ZoneInfo

from broker.approve.rule import Effect, Expression, Rule
from broker.model import Application, Catalog, Identity, Role

MOST_TRIED = 20_000
"""An expression with more possibilities is not judged."""

_TEXT = re.compile(r"""(?is)[rb]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')""")
_COMMENT = re.compile("//[^\n]*")
_NAME = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\b(?!\s*\()")
_WORDS = frozenset({"true", "false", "null", "in"})
_STEPS = (("minute", timedelta(minutes=1)), ("hour", timedelta(hours=1)), ("weekday", timedelta(days=1)))
_MONDAY = datetime(2026, 1, 5)

_CALLER = Identity("city", "department", Role.SYSTEM, "system", 1, datetime.max.replace(tzinfo=UTC), b"")


class Trials:
    """Tries expressions out; what was tried once is remembered."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._zone = ZoneInfo(catalog.zone)
        self._said: dict[object, frozenset[bool | None]] = {}

    def outcomes(self, rule: Rule) -> frozenset[bool | None]:
        """All that the rule's expression can say, None for an error; empty when it cannot be told.

        Told only of ``dataset``, ``department``, ``purpose``, ``whole_dataset``, ``weekday``,
        ``hour`` and ``minute``, and over ``system`` and ``legal_basis`` where the rule lists them.
        """
        if rule.expression is None:
            return frozenset()
        used, values = variables(rule.expression.source), _values(rule, self._catalog)
        if not used <= values.keys() | {name for name, _ in _STEPS}:
            return frozenset()
        varied = {name: choice if name in used else choice[:1] for name, choice in values.items()}
        key = rule.expression.source, *((name, varied[name]) for name in sorted(used & values.keys()))
        if key not in self._said:
            self._said[key] = self._tried(rule.expression, rule, varied, used)
        return self._said[key]

    def _tried(
        self, expression: Expression, rule: Rule, varied: dict[str, tuple[str, ...]], used: frozenset[str]
    ) -> frozenset[bool | None]:
        instants = _instants(used, self._zone)
        if not 0 < prod(map(len, varied.values())) * len(instants) <= MOST_TRIED:
            return frozenset()
        said: set[bool | None] = set()
        for outcome in _each(expression, rule, varied, instants):
            said.add(outcome)
            if {True, False} <= said:
                break
        return frozenset(said)


def variables(source: str) -> frozenset[str]:
    """The names that a CEL expression without macros uses."""
    bare = _COMMENT.sub(" ", _TEXT.sub(" ", source))
    return frozenset(_NAME.findall(bare)) - _WORDS


def _values(rule: Rule, catalog: Catalog) -> dict[str, tuple[str, ...]]:
    """Variable → the values it can have where the rule's other conditions hold."""
    refuses = rule.effect in (Effect.DENY, Effect.REVIEW)
    values = {
        "dataset": (rule.dataset,),
        "department": tuple(sorted(catalog.departments if rule.departments is None else rule.departments)),
        "purpose": tuple(sorted(catalog.purposes if rule.purposes is None else rule.purposes)),
        "whole_dataset": ("", "whole") if refuses or rule.rows.whole_dataset else ("",),
    }
    if rule.systems is not None:
        values["system"] = tuple(sorted(rule.systems))
    if rule.legal_basis is not None:
        given = tuple(sorted(rule.legal_basis))
        values["legal_basis"] = given if rule.effect is Effect.DENY else ("", *given)
    return values


def _instants(used: frozenset[str], zone: ZoneInfo) -> tuple[datetime, ...]:
    """Instants that together show every weekday, hour and minute, as far as they are used."""
    step = next((step for name, step in _STEPS if name in used), timedelta(days=7))
    return tuple((_MONDAY + step * i).replace(tzinfo=zone) for i in range(timedelta(days=7) // step))


def _each(
    expression: Expression, rule: Rule, varied: dict[str, tuple[str, ...]], instants: tuple[datetime, ...]
) -> Iterator[bool | None]:
    for combination in product(*varied.values()):
        application = _application(rule, dict(zip(varied, combination, strict=True)))
        for now in instants:
            try:
                yield expression.holds(application, now)
            except Exception:  # noqa: BLE001 - however it fails, it cannot be told
                yield None


def _application(rule: Rule, chosen: dict[str, str]) -> Application:
    caller = Identity(
        _CALLER.city,
        chosen["department"],
        _CALLER.role,
        chosen.get("system", _CALLER.name),
        _CALLER.serial,
        _CALLER.not_after,
        _CALLER.fingerprint,
    )
    return Application(
        consumer=caller,
        request_id="lint",
        dataset=rule.dataset,
        fields=tuple(sorted(rule.fields)),
        subjects=() if chosen["whole_dataset"] else ("subject",),
        purpose=chosen["purpose"],
        legal_basis=chosen.get("legal_basis", ""),
    )
