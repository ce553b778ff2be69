"""Coarser values for a column: what an officer may try when too few rows are alike."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from adapters.masking.contract import KeyContext, Operator
from broker.cli.mask.reading import ZONE
from broker.desensitize.column import masked_column
from broker.desensitize.plan import check_mask
from broker.importing.recognise import Guess, guess
from broker.importing.vocabulary import word_for
from broker.model import FieldType, Mask
from broker.transmit.conversion import converted

_REGIONS = (Mask("region", {"to": "city"}), Mask("region", {"to": "province"}))
_DATES = (Mask("month"), Mask("year"))
_CODES = (Mask("truncate", {"keep": 4}), Mask("truncate", {"keep": 2}))
_PARTS = (12, 5)
"""Into about so many buckets the range of a number is divided."""


def coarser(
    name: str, values: pa.Array, operators: Mapping[str, Operator]
) -> Iterator[tuple[Mask, pa.Array]]:
    """Masks that make the column coarser, and what they make of ``values``; those alone that lose none."""
    zone = ZoneInfo(ZONE)
    guessed = guess(values, word_for(name), zone)
    column = converted(values, guessed.type, zone)
    for mask in _masks(guessed, column):
        if check_mask(operators, guessed.type, mask) is not None:
            continue
        planned = masked_column(name, guessed.type, mask, operators[mask.operator], _no_keys, "")
        result = planned.release(pa.record_batch([column], [name]))
        if result.null_count <= values.null_count:
            yield mask, result


def _masks(guessed: Guess, column: pa.Array) -> Iterator[Mask]:
    if guessed.format == "region":
        yield from _REGIONS
    elif guessed.format == "postal_code":
        yield from _CODES
    elif guessed.type in (FieldType.DATE, FieldType.TIMESTAMP):
        yield from _DATES
    elif guessed.type in (FieldType.INTEGER, FieldType.DECIMAL):
        widths = {_round_width(_spread(column) / parts) for parts in _PARTS}
        yield from (Mask("bucket", {"width": width}) for width in sorted(widths) if width >= 2)


def _spread(column: pa.Array) -> float:
    least, greatest = pc.min_max(column.cast(pa.float64())).as_py().values()
    return float(greatest - least) if least is not None else 0.0


def _round_width(width: float) -> int:
    """The next larger of 1, 2, 5, 10, 20, 50 …"""
    if width <= 1:
        return 1
    power = 10 ** math.floor(math.log10(width))
    return int(next(power * step for step in (1, 2, 5, 10) if power * step >= width))


def _no_keys() -> KeyContext:
    raise AssertionError("no operator with a key makes values coarser")
