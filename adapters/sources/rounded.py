"""Long numbers that a spreadsheet has rounded, and whose they may be."""

from __future__ import annotations

from decimal import Decimal

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
        self._numbers = [int(Decimal(f"{digits}E{exponent}")) for digits, _, exponent in found]
        self._units = [10 ** (int(e) - len(d.partition(".")[2])) for d, _, e in found]
        """What one more in a number's last digit makes."""
        self._approximate = np.array(self._numbers, dtype=float), np.array(self._units, dtype=float)

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, text: str) -> int | None:
        """Number of a row that may have held ``text`` before it was rounded or cut off: one of several, for
        one is enough to doubt.
        """
        if not len(self._rows) or not (text.isascii() and text.isdigit()):
            return None
        numbers, units = self._approximate
        for near in np.flatnonzero(np.abs(numbers - float(text)) < 2 * units):
            if abs(self._numbers[near] - int(text)) < self._units[near]:  # exactly: a float has no 17 digits
                return int(self._rows[near])
        return None
