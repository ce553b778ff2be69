"""The masking operators installed here, found by entry point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from adapters.masking.contract import ENTRY_POINT_GROUP, Operator

_MEMBERS = (
    "name", "version", "title", "summary", "params", "properties", "accepts", "known_answers",
    "result_type", "bind",
)  # fmt: skip


def load_operators(allowed: Sequence[str] | None) -> Mapping[str, Operator]:
    """The operators named in ``allowed`` (all that are installed for None), by name.

    Only what is allowed is imported: an installed package that nobody asked for runs no code here.

    Raises:
        ValueError: an allowed operator is not installed, two packages offer one name, or an operator cannot
            be imported, lacks a member or calls itself otherwise than its entry point does.
    """
    found = tuple(entry_points(group=ENTRY_POINT_GROUP))
    wanted = sorted({point.name for point in found} if allowed is None else set(allowed))
    offers = Counter(point.name for point in found)
    for name in wanted:
        if not offers[name]:
            raise ValueError(
                f"no masking operator {name!r} is installed; there are {', '.join(sorted(offers))}"
            )
        if offers[name] > 1:
            sources = ", ".join(sorted(point.value for point in found if point.name == name))
            raise ValueError(f"masking operator {name!r} is offered more than once: {sources}")
    by_name = {point.name: point for point in found}
    return MappingProxyType({name: _load(by_name[name]) for name in wanted})


def _load(point: EntryPoint) -> Operator:
    try:
        operator: Operator = point.load()()
    except Exception as error:
        raise ValueError(f"masking operator {point.name!r} cannot be loaded from {point.value}") from error
    missing = [member for member in _MEMBERS if not hasattr(operator, member)]
    if missing:
        raise ValueError(f"masking operator {point.name!r} has no {', '.join(missing)}")
    if operator.name != point.name:
        raise ValueError(f"masking operator {point.name!r} calls itself {operator.name!r}")
    return operator
