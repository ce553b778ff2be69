"""The masking operators installed here, found by entry point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from adapters.masking.contract import ENTRY_POINT_GROUP, Operator

_MEMBERS = (
    "name", "version", "title", "summary", "params", "properties", "accepts", "known_answers",
    "result_type", "bind",
)  # fmt: skip


def load_operators(allowed: Sequence[str] | None) -> Mapping[str, Operator]:
    """The operators named in ``allowed`` (all that are installed for None), by name.

    A name may carry the version that the operator must have: ``partial@1``. Only what is allowed is imported:
    an installed package that nobody asked for runs no code here.

    Raises:
        ValueError: an allowed operator is not installed or has another version, two packages offer one name,
            or an operator cannot be imported, lacks a member or calls itself otherwise than its entry point
            does.
    """
    found = tuple(entry_points(group=ENTRY_POINT_GROUP))
    versions = _wanted({point.name for point in found} if allowed is None else allowed)
    offers = Counter(point.name for point in found)
    for name in versions:
        if not offers[name]:
            raise ValueError(
                f"no masking operator {name!r} is installed; there are {', '.join(sorted(offers))}"
            )
        if offers[name] > 1:
            sources = ", ".join(sorted(point.value for point in found if point.name == name))
            raise ValueError(f"masking operator {name!r} is offered more than once: {sources}")
    by_name = {point.name: point for point in found}
    return MappingProxyType({name: _load(by_name[name], version) for name, version in versions.items()})


def _wanted(allowed: Iterable[str]) -> Mapping[str, str]:
    """Name → the version it must have, empty for any; in the order of the names."""
    versions: dict[str, str] = {}
    for written in sorted(allowed):
        name, at, version = written.partition("@")
        if not name or (at and not version):
            raise ValueError(f"{written!r} is no operator: write partial, or partial@1 for its version 1")
        if versions.get(name, version) not in ("", version):
            raise ValueError(
                f"masking operator {name!r} is allowed in two versions: {versions[name]}, {version}"
            )
        versions[name] = version
    return versions


def _load(point: EntryPoint, version: str) -> Operator:
    try:
        operator: Operator = point.load()()
    except Exception as error:
        raise ValueError(f"masking operator {point.name!r} cannot be loaded from {point.value}") from error
    missing = [member for member in _MEMBERS if not hasattr(operator, member)]
    if missing:
        raise ValueError(f"masking operator {point.name!r} has no {', '.join(missing)}")
    if operator.name != point.name:
        raise ValueError(f"masking operator {point.name!r} calls itself {operator.name!r}")
    if version and operator.version != version:
        raise ValueError(
            f"masking operator {point.name!r} is installed in version {operator.version}, and only version "
            f"{version} is allowed: install that one, or allow {point.name}@{operator.version}"
        )
    return operator
