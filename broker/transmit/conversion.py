"""From whatever a source gives to the catalog's types; what does not fit becomes null, and never raises.

A source stores dates as text, amounts as floating point, booleans as 0 and 1. What is taken is what can be
meant in one way only; the rest is for the quality check to count as bad.

====================  =======================================================================================
catalog type          taken, beside the type itself
====================  =======================================================================================
text                  integers; not text with U+FFFD, which stands where characters were lost
integer               whole floats up to ±2^53, text of at most 18 digits, ``1,234`` included
decimal (text)        integers, decimals, floats (shortest form, no exponent), text such as ``-12.50``,
                      ``1,234.50`` included
boolean               0 and 1, text ``0 1 true false`` in lower, upper or title case, ``是 否 Y N y n``
date                  local midnights without offset, text ``2026-11-23`` or ``20261123`` (GB/T 7408.1),
                      ``2026/1/3``, ``2026.01.03``, ``2026年1月3日``
timestamp (UTC)       dates (their midnight), times with or without offset, text of these
====================  =======================================================================================

A time without offset is local: it is taken in the zone given. Years are 1 to 9999. A comma stands between
thousands and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adapters.sources.times import in_iso
from broker.arrow import arrow_type
from broker.formats import FORMATS, Format, by_pattern
from broker.model import FieldType

_STRING, _INT64, _INSTANT, _LOCAL = pa.string(), pa.int64(), pa.timestamp("us", "UTC"), pa.timestamp("us")
_HOUR = 3_600_000_000
"""In microseconds."""
_ONE_HOUR, _MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATES = (-719_162, 2_932_896)
"""0001-01-01 to 9999-12-31 in days since 1970; beyond, Python has no dates."""
_INSTANTS = (-62_135_596_800_000_000, 253_402_300_799_999_999)
"""The same in microseconds."""

_TIME = "[ T](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\\.[0-9]{1,6})?)?"
_OFFSET = "(?:Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
WHOLE_TEXT = by_pattern("whole", "完好文本", "[^\ufffd]*")
WHOLE_NUMBER = by_pattern("integer", "整数", "[+-]?[0-9]{1,18}")
DECIMAL = by_pattern("decimal", "小数", "-?[0-9]{1,38}(?:\\.[0-9]{1,38})?")
TRUTH = by_pattern("truth", "是否", "[01]|true|True|TRUE|false|False|FALSE")
DATE = FORMATS["date"]
_COMPACT_DATE = "^([0-9]{4})([0-9]{2})([0-9]{2})$"
_MIDNIGHT = "[ T]00:00(?::00(?:\\.0{1,6})?)?$"
_GROUPED = "^[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\\.[0-9]+)?$"
_SAID = (("^(?:是|[Yy])$", "true"), ("^(?:否|[Nn])$", "false"))


def _on_a_day(form: Format) -> Format:
    """``form``, whose texts begin with a date, where that is in the calendar."""

    def matches_all(texts: pa.Array) -> pa.Array:
        return pc.and_(form.matches_all(texts), DATE.matches_all(pc.utf8_slice_codeunits(texts, 0, 10)))

    return Format(form.name, form.title, lambda t: form.matches(t) and DATE.matches(t[:10]), matches_all)


LOCAL_TIME = _on_a_day(by_pattern("local_time", "当地时间", f"{_DAY}(?:{_TIME})?"))
OFFSET_TIME = _on_a_day(by_pattern("offset_time", "带时差的时间", f"{_DAY}{_TIME}{_OFFSET}"))


def converted(values: pa.Array, kind: FieldType, zone: tzinfo) -> pa.Array:
    """``values`` (of any type, length n) as ``arrow_type(kind)``, length n; null where they do not fit."""
    wanted = arrow_type(kind)
    try:
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if _is_text(values.type):
            values = values if values.type == _STRING else values.cast(_STRING)
        result = _CONVERSIONS[kind](values, zone)
    except pa.ArrowException:
        result = None  # no value of a type that Arrow cannot bring to the wanted one fits
    return pa.nulls(len(values), wanted) if result is None else result


def _text(values: pa.Array, _zone: tzinfo) -> pa.Array | None:
    if _is_text(values.type):
        return _fitting(values, WHOLE_TEXT)
    return values.cast(_STRING) if pa.types.is_integer(values.type) else None


def _integer(values: pa.Array, _zone: tzinfo) -> pa.Array | None:
    if pa.types.is_integer(values.type):
        return values.cast(_INT64)
    if pa.types.is_floating(values.type):
        whole = pc.and_(pc.equal(pc.floor(values), values), pc.less_equal(pc.abs(values), 2.0**53))
        return _where(whole, values).cast(_INT64)
    if _is_text(values.type) or pa.types.is_decimal(values.type):
        return _parsed(_ungrouped(values.cast(_STRING), WHOLE_NUMBER), WHOLE_NUMBER, _INT64)
    return None


def _decimal(values: pa.Array, _zone: tzinfo) -> pa.Array | None:
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or _is_text(kind):
        return _parsed(_ungrouped(values.cast(_STRING), DECIMAL), DECIMAL, _STRING)
    return None


def _boolean(values: pa.Array, _zone: tzinfo) -> pa.Array | None:
    if pa.types.is_boolean(values.type):
        return values
    if pa.types.is_integer(values.type):
        values = values.cast(_STRING)
    if not _is_text(values.type):
        return None
    if not TRUTH.holds_for(values):
        for pattern, truth in _SAID:
            values = pc.replace_substring_regex(values, pattern, truth)
    return _parsed(values, TRUTH, pa.bool_())


def _date(values: pa.Array, _zone: tzinfo) -> pa.Array | None:
    kind = values.type
    if _is_text(kind):
        if not DATE.holds_for(values):
            values = pc.replace_substring_regex(values, _COMPACT_DATE, "\\1-\\2-\\3")
            values = pc.replace_substring_regex(in_iso(values), _MIDNIGHT, "")
        return _parsed(values, DATE, pa.date32())
    if pa.types.is_timestamp(kind) and kind.tz is None:
        local = values.cast(_LOCAL, safe=False)
        days = local.cast(pa.date32(), safe=False)
        return _within(_where(pc.equal(days.cast(_LOCAL), local), days), pa.int32(), _DATES)
    return _within(values.cast(pa.date32()), pa.int32(), _DATES) if pa.types.is_date(kind) else None


def _timestamp(values: pa.Array, zone: tzinfo) -> pa.Array | None:
    kind = values.type
    if _is_text(kind):
        return _parsed_times(values, zone)
    if pa.types.is_date(kind):
        return _from_local(values.cast(_LOCAL), zone)
    if not pa.types.is_timestamp(kind):
        return None
    if kind.tz is None:
        return _from_local(values.cast(_LOCAL, safe=False), zone)
    return _within(values.cast(_INSTANT, safe=False), _INT64, _INSTANTS)


_CONVERSIONS: Mapping[FieldType, Callable[[pa.Array, tzinfo], pa.Array | None]] = {
    FieldType.TEXT: _text,
    FieldType.INTEGER: _integer,
    FieldType.DECIMAL: _decimal,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.TIMESTAMP: _timestamp,
}


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def _is_text(kind: pa.DataType) -> bool:
    return kind in (_STRING, pa.large_string(), pa.string_view())


def _where(fits: pa.Array, values: pa.Array) -> pa.Array:
    """``values``, null where they do not fit. (Their bytes stay; the rows are bad and are filtered out.)"""
    return pc.if_else(fits, values, pa.scalar(None, values.type))


def _fitting(texts: pa.Array, form: Format) -> pa.Array:
    return texts if form.holds_for(texts) else _where(form.matches_all(texts), texts)


def _ungrouped(texts: pa.Array, form: Format) -> pa.Array:
    """``texts`` without the commas between thousands."""
    if form.holds_for(texts):
        return texts
    grouped = pc.fill_null(pc.match_substring_regex(texts, _GROUPED), False)
    return pc.if_else(grouped, pc.replace_substring(texts, ",", ""), texts)


def _parsed(texts: pa.Array, form: Format, wanted: pa.DataType) -> pa.Array:
    fitting = _fitting(texts, form)
    return fitting if wanted == _STRING else fitting.cast(wanted)


def _parsed_times(texts: pa.Array, zone: tzinfo) -> pa.Array:
    if OFFSET_TIME.holds_for(texts):
        return _within(texts.cast(_INSTANT), _INT64, _INSTANTS)
    if not LOCAL_TIME.holds_for(texts):
        texts = in_iso(texts)
    known = _within(_fitting(texts, OFFSET_TIME).cast(_INSTANT), _INT64, _INSTANTS)
    return pc.coalesce(known, _from_local(_fitting(texts, LOCAL_TIME).cast(_LOCAL), zone))


def _within(values: pa.Array, number: pa.DataType, bounds: tuple[int, int]) -> pa.Array:
    """``values`` stored as ``number``, null outside ``bounds`` (both inside)."""
    numbers = values.cast(number)
    least, greatest = pc.min_max(numbers).as_py().values()
    if least is None or bounds[0] <= least <= greatest <= bounds[1]:
        return values
    return _where(pc.and_(pc.greater_equal(numbers, bounds[0]), pc.less_equal(numbers, bounds[1])), values)


def _from_local(local: pa.Array, zone: tzinfo) -> pa.Array:
    """Local times as instants, by Python's zones: Arrow needs the system's, which a container may lack."""
    local = _within(local, _INT64, (_INSTANTS[0] + 24 * _HOUR, _INSTANTS[1] - 24 * _HOUR))
    micros = local.cast(_INT64).fill_null(0).to_numpy(zero_copy_only=False)
    hours, places = np.unique(micros // _HOUR, return_inverse=True)
    offsets = np.array([_offset(zone, int(hour)) // _MICROSECOND for hour in hours], np.int64)
    instants = pa.array(micros - offsets[places], _INT64, mask=~np.asarray(local.is_valid()))
    return instants.cast(_INSTANT)


def offset_of(zone: tzinfo, local: datetime) -> timedelta:
    """The zone's offset when its walls' clocks show ``local``, which is marked as UTC."""
    return _offset(zone, (local - _EPOCH) // _ONE_HOUR)


@lru_cache(maxsize=65_536)
def _offset(zone: tzinfo, hour: int) -> timedelta:
    """Offset of the local ``hour`` (hours since 1970, read from the wall's clock)."""
    local = (_EPOCH + timedelta(hours=hour)).replace(tzinfo=zone)
    return local.utcoffset() or timedelta()
