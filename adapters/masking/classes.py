"""Equivalence classes (等价类): the rows that nobody can tell apart by the columns given.

The size of a row's class is the k of k-anonymity (Sweeney, *k-anonymity: a model for protecting privacy*,
2002). A null is a value of its own, since a reader sees that a cell is empty; every NaN is the same value,
and so are 0.0 and -0.0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from adapters.masking.arrays import Bools, is_valid, plain

Codes = npt.NDArray[np.int64]
"""Shape (rows,); equal numbers for equal values."""
Column: TypeAlias = pa.Array | pa.ChunkedArray

UNKNOWN = -1
_BITS = 32
_NONE: Bools = np.zeros(0, np.bool_)


class TooManyClasses(ValueError):
    """More distinct classes than may be held at once."""


def class_codes(columns: Sequence[Column]) -> Codes:
    """Number the classes of ``columns``, all of one length: equal rows have equal numbers, dense from 0.

    Raises:
        ValueError: no columns, or of different lengths.
        TypeError: a column of nested values.
    """
    return _Numbering(len(columns)).learn(columns)


def class_sizes(columns: Sequence[Column]) -> pa.Int64Array:
    """For each row of ``columns``, all of one length, how many rows are in its class, itself included.

    Raises:
        ValueError: no columns, or of different lengths.
        TypeError: a column of nested values.
    """
    codes = class_codes(columns)
    return pa.array(np.bincount(codes)[codes] if len(codes) else codes, pa.int64())


class ClassCounter:
    """Counts the classes of many batches, whose columns have the same types, and then tells their sizes.

    Memory is that of the distinct classes, whatever the number of rows. Not safe for several threads.
    """

    def __init__(self, most_classes: int) -> None:
        self.most_classes = most_classes
        self._numbering: _Numbering | None = None
        self._counts: Codes = np.zeros(0, np.int64)

    def __len__(self) -> int:
        """How many classes there are."""
        return len(self._counts)

    @property
    def counts(self) -> pa.Int64Array:
        """The size of each class counted, in the order of their first rows."""
        return pa.array(self._counts, pa.int64())

    def add(self, columns: Sequence[Column]) -> None:
        """Count the rows of a batch.

        Raises:
            TooManyClasses: there are more than ``most_classes``; what is counted no longer means anything.
            ValueError: no columns, of different lengths, or not of the types of earlier batches.
            TypeError: a column of nested values.
        """
        if self._numbering is None:
            self._numbering = _Numbering(len(columns))
        codes = self._numbering.learn(columns)
        if self._numbering.classes > self.most_classes:
            raise TooManyClasses(f"more than {self.most_classes} classes")
        counts = np.bincount(codes, minlength=self._numbering.classes).astype(np.int64)
        counts[: len(self._counts)] += self._counts
        self._counts = counts

    def sizes(self, columns: Sequence[Column]) -> pa.Int64Array:
        """For each row of a batch the size of its class as counted so far; 0 for a class never counted.

        Raises:
            ValueError, TypeError: as :meth:`add`.
        """
        if self._numbering is None:
            return pa.array(np.zeros(len(columns[0]), np.int64), pa.int64())
        codes = self._numbering.find(columns)
        return pa.array(np.append(self._counts, 0)[codes], pa.int64())  # UNKNOWN is the last


class CrowdCounter:
    """Tells which classes of many batches have ``enough`` distinct people, in each of one or several columns
    that say whom a row is about; a null there is nobody.

    Rows do not count: five rows about one person hide nobody. Memory is that of the distinct classes, and of
    fewer than ``enough`` people in each. Not safe for several threads.
    """

    def __init__(self, most_classes: int, enough: int) -> None:
        self.most_classes, self.enough = most_classes, enough
        self._numbering: _Numbering | None = None
        self._crowds: tuple[_Crowd, ...] = ()

    @property
    def full(self) -> Bools:
        """Of each class, in the order of their first rows, whether it has enough people."""
        return np.logical_and.reduce([crowd.full for crowd in self._crowds]) if self._crowds else _NONE

    def add(self, columns: Sequence[Column], people: Sequence[Column]) -> Codes:
        """Count the rows of a batch; gives the number of each row's class.

        Raises:
            TooManyClasses: there are more than ``most_classes``; what is counted no longer means anything.
            ValueError: no columns or no people, of different lengths, or not of the types of earlier batches.
            TypeError: a column of nested values.
        """
        if self._numbering is None:
            self._numbering = _Numbering(len(columns))
            self._crowds = tuple(_Crowd(self.enough) for _ in people)
        codes = self._numbering.learn(columns)
        if self._numbering.classes > self.most_classes:
            raise TooManyClasses(f"more than {self.most_classes} classes")
        for crowd, who in zip(self._crowds, _plain(people, len(self._crowds)), strict=True):
            crowd.add(codes, who, self._numbering.classes)
        return codes

    def crowded(self, columns: Sequence[Column]) -> Bools:
        """For each row of a batch whether its class has enough people, as counted so far; shape (rows,).

        Raises:
            ValueError, TypeError: as :meth:`add`.
        """
        if self._numbering is None:
            return np.zeros(len(columns[0]), np.bool_)
        return np.append(self.full, False)[self._numbering.find(columns)]  # UNKNOWN is the last


class _Crowd:
    """The people of each class in one column, remembered until they are enough."""

    def __init__(self, enough: int) -> None:
        if enough < 1:
            raise ValueError("enough is at least one")
        self._enough = enough
        self._met: dict[int, set[object]] = {}
        self.full: Bools = _NONE

    def add(self, codes: Codes, who: pa.Array, classes: int) -> None:
        if len(codes) != len(who):
            raise ValueError("columns of one length are needed")
        self.full = np.append(self.full, np.zeros(classes - len(self.full), np.bool_))
        rows = np.flatnonzero(~self.full[codes] & is_valid(who))
        people = who.take(pa.array(rows, pa.int64())).to_pylist()
        for code, person in zip(codes[rows].tolist(), people, strict=True):
            if not self.full[code]:
                met = self._met.setdefault(code, set())
                met.add(person)
                if len(met) >= self._enough:
                    self.full[code] = True
                    del self._met[code]


class _Numbering:
    """Numbers classes: each column's values, then pair by pair the numbers so far and the next column's."""

    def __init__(self, columns: int) -> None:
        if columns < 1:
            raise ValueError("no columns to tell rows apart by")
        self._columns = tuple(_Values() for _ in range(columns))
        self._pairs = tuple(_Values() for _ in range(columns - 1))

    @property
    def classes(self) -> int:
        return len((self._pairs or self._columns)[-1])

    def learn(self, columns: Sequence[Column]) -> Codes:
        """Classes not seen before get the next numbers."""
        plain_columns = _plain(columns, len(self._columns))
        return self._number(
            [known.learn(column) for known, column in zip(self._columns, plain_columns, strict=True)],
            _Values.learn,
        )

    def find(self, columns: Sequence[Column]) -> Codes:
        """Classes not seen before are :data:`UNKNOWN`."""
        plain_columns = _plain(columns, len(self._columns))
        return self._number(
            [known.find(column) for known, column in zip(self._columns, plain_columns, strict=True)],
            _Values.find,
        )

    def _number(self, codes: list[Codes], number: Callable[[_Values, pa.Array], Codes]) -> Codes:
        combined = codes[0]
        for pairs, following in zip(self._pairs, codes[1:], strict=True):
            pair = np.where(
                (combined == UNKNOWN) | (following == UNKNOWN), UNKNOWN, combined << _BITS | following
            )
            combined = number(pairs, pa.array(pair, pa.int64()))
        return combined


@dataclass(slots=True)
class _Values:
    """Distinct values, numbered in the order of their first appearance."""

    known: pa.Array | None = field(default=None)

    def __len__(self) -> int:
        return 0 if self.known is None else len(self.known)

    def learn(self, values: pa.Array) -> Codes:
        encoded = values.dictionary_encode(null_encoding="encode")
        distinct: pa.Array = encoded.dictionary
        if self.known is None:
            self.known = distinct.slice(0, 0)
        self._check(distinct)
        unseen = pc.index_in(distinct, value_set=self.known).is_null()
        if pc.any(unseen).as_py():
            self.known = pa.concat_arrays([self.known, distinct.filter(unseen)])
        return self.find(distinct)[_numbers(encoded.indices)]

    def find(self, values: pa.Array) -> Codes:
        if self.known is None:
            return np.full(len(values), UNKNOWN, np.int64)
        self._check(values)
        return _numbers(pc.index_in(values, value_set=self.known).fill_null(UNKNOWN))

    def _check(self, values: pa.Array) -> None:
        if self.known is not None and values.type != self.known.type:
            raise ValueError(f"a column changed its type from {self.known.type} to {values.type}")


def _numbers(values: pa.Array) -> Codes:
    numbers: Codes = values.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers


def _plain(columns: Sequence[Column], expected: int) -> list[pa.Array]:
    if len(columns) != expected or len({len(column) for column in columns}) != 1:
        raise ValueError("columns of one length, and as many as before, are needed")
    return [_comparable(column) for column in columns]


def _comparable(column: Column) -> pa.Array:
    """One array in which equal values are equal bytes."""
    values = plain(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)
    if pa.types.is_nested(values.type):
        raise TypeError(f"rows cannot be told apart by {values.type}")
    if pa.types.is_floating(values.type):
        values = pc.add(values.cast(pa.float64()), 0.0)  # -0.0 becomes 0.0
        return pc.if_else(pc.is_nan(values), float("nan"), values)
    return values.cast(pa.binary()) if pa.types.is_binary_view(values.type) else values
