"""A city with two departments, and tables to import, as departments have them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from broker.importing.drafting import Asked, Drafted, draft_table
from broker.importing.opening import Wanted
from broker.model import Catalog

IDS = ("990101189901010015", "990101189901010023", "99010118990101004X")
"""Synthetic resident ids."""

Draft = Callable[..., Drafted]


@pytest.fixture
def catalog() -> Catalog:
    """Enough of a catalog to draft for."""
    return Catalog("xinghe", "星河市", "Asia/Shanghai", ("L1", "L2", "L3", "L4"), {}, {}, {}, {})


@pytest.fixture
def draft(tmp_path: Path, catalog: Catalog) -> Draft:
    """Drafts ``civil_affairs.it`` from a target: a URL, or a file's name and its content as text or bytes."""

    def make(
        target: str, content: str | bytes | None = None, wanted: Wanted | None = None, **asked: object
    ) -> Drafted:
        if content is not None:
            (tmp_path / target).write_bytes(content.encode() if isinstance(content, str) else content)
        where = target if "://" in target else str(tmp_path / target)
        order = Asked("civil_affairs", "it", **asked)  # type: ignore[arg-type]
        return draft_table(where, wanted or Wanted(), order, catalog, tmp_path, date(2026, 11, 23))

    return make
