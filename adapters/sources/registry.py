"""Finding sources by entry point: a third party adds one by installing a package."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.metadata import entry_points
from types import MappingProxyType

from adapters.sources.contract import ENTRY_POINT_GROUP, Source


def load_sources(allowed: Collection[str]) -> Mapping[str, type[Source]]:
    """The allowed kinds of source, by name; a package that is installed but not allowed is not even imported.

    Raises:
        ValueError: an allowed kind is not installed, is installed twice, or calls itself otherwise.
    """
    found: dict[str, type[Source]] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        if entry.name not in allowed:
            continue
        if entry.name in found:
            raise ValueError(f"source {entry.name!r} is offered more than once; remove one of the packages")
        found[entry.name] = entry.load()
        if found[entry.name].kind != entry.name:
            raise ValueError(f"source {entry.name!r} calls itself {found[entry.name].kind!r}")
    if absent := sorted(set(allowed) - found.keys()):
        raise ValueError(f"source {', '.join(absent)} is allowed but not installed")
    return MappingProxyType(found)
