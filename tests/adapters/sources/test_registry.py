from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from adapters.sources import registry
from adapters.sources.contract import ENTRY_POINT_GROUP
from adapters.sources.files import FileSource
from adapters.sources.registry import load_sources
from adapters.sources.sql import SqlSource


def test_installed_sources_are_found() -> None:
    """The broker's own sources are found as a third party's would be."""
    assert load_sources(("sql", "files")) == {"sql": SqlSource, "files": FileSource}
    assert load_sources(("files",)) == {"files": FileSource}


def installed(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    found = EntryPoints(EntryPoint(name, value, ENTRY_POINT_GROUP) for name, value in points)
    monkeypatch.setattr(registry, "entry_points", lambda group: found)


def test_what_is_not_allowed_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that nobody allowed runs no code."""
    installed(monkeypatch, ("sql", "adapters.sources.sql:SqlSource"), ("other", "no_such_module:Source"))
    assert load_sources(("sql",)) == {"sql": SqlSource}


@pytest.mark.parametrize(
    "points",
    [
        (),
        (("sql", "adapters.sources.sql:SqlSource"), ("sql", "adapters.sources.files:FileSource")),
        (("sql", "adapters.sources.files:FileSource"),),
    ],
    ids=["absent", "twice", "another name"],
)
def test_what_cannot_be_trusted_is_refused(
    monkeypatch: pytest.MonkeyPatch, points: tuple[tuple[str, str], ...]
) -> None:
    """An allowed source must be there, once, and be what it is called."""
    installed(monkeypatch, *points)
    with pytest.raises(ValueError, match="sql"):
        load_sources(("sql",))
