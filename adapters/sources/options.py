"""Reading a source's options strictly: none may be missing, none unknown."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.sources.contract import SourceError


def check_options(kind: str, options: Mapping[str, str], required: set[str], optional: set[str]) -> None:
    """Raises:
    SourceError: names the options that are missing or unknown.
    """
    missing = required - options.keys()
    unknown = options.keys() - required - optional
    if missing or unknown:
        parts = [f"missing {', '.join(sorted(missing))}"] * bool(missing)
        parts += [f"unknown {', '.join(sorted(unknown))}"] * bool(unknown)
        raise SourceError(f"source {kind}: options {'; '.join(parts)}")
