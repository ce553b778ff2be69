"""Row scopes, held against every row that came: a source that breaks one releases nothing by it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from broker.model import RowScope
from broker.transmit.quality import Checked


def within(checked: Checked, scopes: Sequence[RowScope]) -> Checked:
    """The same with those rows bad too that are outside any of ``scopes``, which speak of texts."""
    outside: set[int] = set()
    for scope in scopes:
        texts = checked.texts(scope.field)
        outside.update(_outside_few(texts, scope) if isinstance(texts, list) else _outside(texts, scope))
    return checked.without(outside) if outside else checked


def _outside_few(texts: Sequence[object], scope: RowScope) -> list[int]:
    return [row for row, text in enumerate(texts) if not (isinstance(text, str) and _holds(text, scope))]


def _holds(text: str, scope: RowScope) -> bool:
    return text in scope.values if scope.values else text.startswith(scope.prefix)


def _outside(texts: pa.Array, scope: RowScope) -> list[int]:
    if scope.values:
        inside = pc.is_in(texts, pa.array(scope.values, pa.string()))
    else:
        inside = pc.fill_null(pc.starts_with(texts, scope.prefix), False)
    rows: list[int] = np.flatnonzero(~np.asarray(inside)).tolist()
    return rows
