"""Columns to mask: a million made-up people, each value of the form that its kind has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from adapters.masking.arrays import fixed_width_texts
from adapters.masking.check_characters import DIGITS, RESIDENT_CHECKS, columns_of, luhn_check, resident_check

_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"
_GIVEN = "伟芳娜敏静强磊军洋勇艳杰娟涛明超秀霞平刚"
_NUMERALS = np.frombuffer(DIGITS.encode(), np.uint8)
_CHECKS = np.frombuffer(RESIDENT_CHECKS.encode(), np.uint8)


@dataclass(frozen=True)
class Columns:
    """``rows`` people, the same in each run."""

    rows: int

    @cached_property
    def resident_ids(self) -> pa.Array:
        """Of the unassigned region 990101, with the right check character."""
        dates = np.char.replace(np.datetime_as_string(self._days), "-", "")
        dated = np.frombuffer(dates.astype("S8").tobytes(), np.uint8).reshape(-1, 8) - ord("0")
        region = np.tile(np.array([9, 9, 0, 1, 0, 1], np.uint8), (self.rows, 1))
        body = np.hstack((region, dated, self._numerals(3))).astype(np.uint8)
        return self._texts(_NUMERALS[body], _CHECKS[resident_check(columns_of(body))])

    @cached_property
    def mobiles(self) -> pa.Array:
        head = np.tile(np.array([1, 3, 8], np.uint8), (self.rows, 1))
        return self._texts(_NUMERALS[np.hstack((head, self._numerals(8)))])

    @cached_property
    def cards(self) -> pa.Array:
        body = self._numerals(15)
        return self._texts(_NUMERALS[body], _NUMERALS[luhn_check(columns_of(body))])

    @cached_property
    def names(self) -> pa.Array:
        """Of two and of three characters."""
        return pa.array(
            [
                _SURNAMES[a] + _GIVEN[b] + _GIVEN[c] * (b % 3 > 0)
                for a, b, c in self._some(len(_SURNAMES), 20, 20)
            ]
        )

    @cached_property
    def births(self) -> pa.Array:
        return pa.array(self._days)

    @cached_property
    def moments(self) -> pa.Array:
        return pa.array(self._days.astype("datetime64[us]"), pa.timestamp("us")).cast(
            pa.timestamp("us", "UTC")
        )

    @cached_property
    def numbers(self) -> pa.Array:
        return pa.array(self._random.integers(0, 1_000_000, self.rows))

    @cached_property
    def amounts(self) -> pa.Array:
        """Exact decimals, as the broker hands them to an operator."""
        return self.numbers.cast(pa.decimal256(76, 20))

    @cached_property
    def statuses(self) -> pa.Array:
        return pa.array(("未婚", "初婚", "再婚", "离婚", "丧偶")).take(
            pa.array(self._random.integers(0, 5, self.rows))
        )

    @property
    def _random(self) -> np.random.Generator:
        return np.random.default_rng(990101)

    @property
    def _days(self) -> npt.NDArray[np.datetime64]:
        return np.datetime64("1940-01-01") + self._random.integers(0, 30_000, self.rows)

    def _numerals(self, width: int) -> npt.NDArray[np.uint8]:
        return self._random.integers(0, 10, (self.rows, width)).astype(np.uint8)

    def _some(self, *bounds: int) -> list[list[int]]:
        rows: list[list[int]] = self._random.integers(0, bounds, (self.rows, len(bounds))).tolist()
        return rows

    def _texts(
        self, characters: npt.NDArray[np.uint8], checks: npt.NDArray[np.uint8] | None = None
    ) -> pa.Array:
        whole = characters if checks is None else np.hstack((characters, checks[:, None]))
        return fixed_width_texts(whole, np.ones(self.rows, np.bool_))
