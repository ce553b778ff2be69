"""Long numbers that a spreadsheet has rounded, and whose they may be."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

PATTERN = r"^[1-9](?:\.[0-9]{1,16})?[eE]\+?(?:1[4-9]|2[0-9])$"
"""RE2: a number of 15 to 30 digits in exponent form; Excel keeps 15 of them, and a CSV what it showed."""


class Rounded:
    """The rounded numbers among ``texts`` (``string``, length n)."""

    def __init__(self, texts: pa.Array) -> None:
        self._rows = np.flatnonzero(pc.fill_null(pc.match_substring_regex(texts, PATTERN), False))
        found = [text.upper().partition("E") for text in texts.take(pa.array(self._rows)).to_pylist()]
        self._numbers = np.array([float(f"{digits}E{exponent}") for digits, _, exponent in found])
        self._units = np.array([10.0 ** (int(e) - len(d.partition(".")[2])) for d, _, e in found])
        """What one more in a number's last digit makes."""

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, text: str) -> int | None:
        """Number of a row that may have held ``text`` before it was rounded or cut off: one of several, for
        one is enough to doubt.
        """
        if not len(self._rows) or not (text.isascii() and text.isdigit()):
            return None
        near = np.flatnonzero(np.abs(self._numbers - float(text)) < self._units)
        return int(self._rows[near[0]]) if len(near) else None
