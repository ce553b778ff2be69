"""Partial display (部分遮盖): some characters at either end stay, the rest becomes a fill character.

No national standard fixes how many characters may stay. A resident id shown with its first 6 and last 4
leaves about 2,500 candidates, and 33 when the birth year is known: prefer 1 + 1, or a pseudonym.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BeforeValidator, Field, field_validator, model_validator

from adapters.masking.arrays import (
    Bools,
    Bytes,
    Positions,
    TextBytes,
    fixed_width_texts,
    is_valid,
    offsets_of,
    one_width,
    rebuilt,
    require,
    text_mask,
    texts_of,
)
from adapters.masking.contract import (
    Becomes,
    BoundMask,
    KeyContext,
    KnownAnswer,
    Params,
    Properties,
    TypeTest,
    WholeNumber,
)
from adapters.masking.displays import DISPLAYS, Display

Threes = npt.NDArray[np.void]

_EMPTY = pa.scalar("", pa.string())
_NO_CHARACTERS = pa.scalar(0, pa.int32())
_SEPARATORS = "- "
_SEPARATOR_BYTES = np.frombuffer(_SEPARATORS.encode(), np.uint8)
_BARE = str.maketrans("", "", _SEPARATORS)
_SOME = 65_536
"""Rows at a time, character by character: each character takes some 60 bytes while it is looked at."""
_BITS, _FEW_KINDS = 32, 8
"""Where texts are shown in so few ways, it is faster to mask those of each way together."""
_NOT_ASCII = 0x80
_THREE, _LEAD_OF_THREE = 3, 0xE0
_FALL_IN_STEP = (1, 3)
"""Bytes of a fill that may be repeated past characters of three bytes: it begins again after each."""
_ROWS_AT_ONCE = 4096


def _as_tuple(written: object) -> object:
    """One word, or a list."""
    if isinstance(written, str):
        return (written,)
    return tuple(written) if isinstance(written, list) else written


class PartialParams(Params):
    """Characters (Unicode code points) kept at the start and at the end, or as many as ``profile`` says, and
    what replaces the others. ``keep: separators`` leaves hyphens and spaces; they do not count.
    """

    keep_start: WholeNumber = Field(default=0, ge=0, le=64)
    keep_end: WholeNumber = Field(default=0, ge=0, le=64)
    profile: (
        Literal["name", "mobile", "phone", "bank_card", "resident_id", "uscc", "address", "email"] | None
    ) = None
    keep: Annotated[tuple[Literal["separators"], ...], BeforeValidator(_as_tuple), Field(max_length=1)] = ()
    fill: str = "*"

    @field_validator("fill")
    @classmethod
    def _cannot_pass_for_data(cls, fill: str) -> str:
        if len(fill) != 1 or fill.isalnum() or fill.isspace() or not fill.isprintable():
            raise ValueError("fill is one visible character, neither letter nor digit")
        return fill

    @model_validator(mode="after")
    def _keeps_something(self) -> PartialParams:
        if self.profile is not None and self.keep_start + self.keep_end:
            raise ValueError("a profile says itself how much is kept: leave out keep_start and keep_end")
        if self.profile is None and self.keep_start + self.keep_end == 0:
            raise ValueError("nothing is kept: use redact, which hides the length as well")
        return self


class Partial:
    """Keeps both ends of a text. The result has as many characters as the value.

    A value no longer than ``keep_start + keep_end``, or not of the profile's form, is filled throughout, its
    separators too: it is never shown and never stretched. Null stays null.
    """

    name: ClassVar[str] = "partial"
    version: ClassVar[str] = "2"
    title: ClassVar[str] = "部分遮盖"
    summary: ClassVar[str] = "Keeps characters at the start and the end of a text and fills the rest."
    params: ClassVar[type[Params]] = PartialParams
    properties: ClassVar[Properties] = Properties(short=Becomes.MASKED, invalid=Becomes.MASKED)
    accepts: ClassVar[Mapping[str, TypeTest]] = {"text": pa.types.is_string}
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            ("13800138000", "1380013", "张三丰", "", None),
            ("138****8000", "*******", "***", "", None),
            {"keep_start": 3, "keep_end": 4},
        ),
        KnownAnswer(("张三丰", "张"), ("张##", "#"), {"keep_start": 1, "fill": "#"}),
        KnownAnswer(
            ("0990-123 4567", "12-34", "-", None),
            ("099*-*** *567", "*****", "*", None),
            {"keep_start": 3, "keep_end": 3, "keep": "separators"},
        ),
        KnownAnswer(
            ("欧阳明月", "欧阳", "张三", "古丽·阿布都", "张", "John", ""),
            ("欧阳**", "欧*", "张*", "古*****", "*", "****", ""),
            {"profile": "name"},
        ),
        KnownAnswer(
            ("6222 0212 3456 7890", "6222-0212"),
            ("**** **** **** 7890", "*********"),
            {"profile": "bank_card", "keep": "separators"},
        ),
        KnownAnswer(
            ("99010118990101004X", "990101189901010041"),
            ("9****************X", "******************"),
            {"profile": "resident_id"},
        ),
        KnownAnswer(
            ("星河市东城区甲路一号", "星河市幸福小区3栋", "甲路一号", "星河市东城区"),
            ("星河市东城区****", "*********", "****", "******"),
            {"profile": "address"},
        ),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """``string``.

        Raises:
            TypeError: ``values`` is not text.
        """
        require(self.name, values, self.accepts)
        return pa.string()

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Needs no key.

        Raises:
            ValueError: a bound is negative or over 64, nothing is kept, there is no such profile, or ``fill``
                could pass for data.
        """
        bounds = PartialParams.model_validate(params)
        start, end, fill = bounds.keep_start, bounds.keep_end, bounds.fill
        if bounds.profile or bounds.keep:
            display = DISPLAYS[bounds.profile] if bounds.profile else None
            shown = Shown(display, start, end, bool(bounds.keep), fill)
            return text_mask(shown.one, shown.many)

        def one(text: str) -> str:
            hidden = len(text) - start - end
            if hidden <= 0:
                return fill * len(text)
            return text[:start] + fill * hidden + text[len(text) - end :]

        return text_mask(one, lambda texts: _many(texts, start, end, fill))


@dataclass(frozen=True, slots=True)
class Shown:
    """Characters shown by a display, or a number at each end, of those that are no separators."""

    display: Display | None
    start: int
    end: int
    separators: bool
    """They stay, and do not count."""
    fill: str

    def one(self, text: str) -> str:
        bare = text.translate(_BARE) if self.separators else text
        start, end = self._ends(bare)
        if start + end == 0:
            return self.fill * len(text)
        first_hidden, after_hidden = start, len(bare) - end
        shown, counted = [], 0
        for character in text:
            if self.separators and character in _SEPARATORS:
                shown.append(character)
                continue
            hidden = first_hidden <= counted < after_hidden
            shown.append(self.fill if hidden else character)
            counted += 1
        return "".join(shown)

    def many(self, texts: pa.Array) -> pa.Array:
        """The same of each of an array."""
        heads, tails = self._all_ends(texts)
        if not self.separators:
            kinds, kind = np.unique(heads << _BITS | tails, return_inverse=True)
            if len(kinds) <= _FEW_KINDS:
                return self._by_kind(texts, kinds, kind)
        parts = [
            self._some(texts.slice(at, _SOME), heads[at : at + _SOME], tails[at : at + _SOME])
            for at in range(0, len(texts), _SOME)
        ]
        return pa.concat_arrays(parts)

    def _by_kind(self, texts: pa.Array, kinds: Positions, kind: Positions) -> pa.Array:
        """Texts of which as many characters are shown are masked together."""
        bounds = [(int(each) >> _BITS, int(each) & (1 << _BITS) - 1) for each in kinds]
        if len(kinds) == 1:
            return _shown_alike(texts, *bounds[0], self.fill)
        rows = [np.flatnonzero(kind == each) for each in range(len(kinds))]
        parts = [
            _shown_alike(texts.take(pa.array(some)), *bound, self.fill)
            for some, bound in zip(rows, bounds, strict=True)
        ]
        return pa.concat_arrays(parts).take(pa.array(np.argsort(np.concatenate(rows))))

    def _ends(self, bare: str) -> tuple[int, int]:
        if self.display is not None:
            return self.display.ends(bare)
        return (self.start, self.end) if len(bare) > self.start + self.end else (0, 0)

    def _all_ends(self, texts: pa.Array) -> tuple[Positions, Positions]:
        bare = pc.replace_substring_regex(texts, "[- ]", "") if self.separators else texts
        if self.display is not None:
            return self.display.all_ends(bare)
        lengths = pc.fill_null(pc.utf8_length(bare), 0).to_numpy(zero_copy_only=False)
        longer = (lengths > self.start + self.end).astype(np.int64)
        return longer * self.start, longer * self.end

    def _some(self, texts: pa.Array, heads: Positions, tails: Positions) -> pa.Array:
        """Character by character; kept are those whose number among the counted ones of their row says so."""
        layout = TextBytes.of(rebuilt(texts))
        begin = int(layout.starts[0])
        data = layout.data[begin : begin + int(layout.lengths.sum())]
        at = np.flatnonzero((data & 0xC0) != 0x80)
        bounds = np.searchsorted(at, np.concatenate(([0], np.cumsum(layout.lengths))))
        row = np.repeat(np.arange(len(texts)), np.diff(bounds))
        stays = np.isin(data[at], _SEPARATOR_BYTES) & self.separators
        counted = np.concatenate(([0], np.cumsum(~stays)))
        number, of_row = counted[:-1] - counted[bounds[row]], np.diff(counted[bounds])
        kept = stays | (number < heads[row]) | (number >= of_row[row] - tails[row])
        kept &= (heads + tails > 0)[row]
        return self._written(data, at, kept, bounds, is_valid(texts))

    def _written(self, data: Bytes, at: Positions, kept: Bools, bounds: Positions, valid: Bools) -> pa.Array:
        """Texts of the characters that begin ``at`` bytes of ``data``, those not ``kept`` filled."""
        fill = np.frombuffer(self.fill.encode(), np.uint8)
        widths = np.diff(np.append(at, len(data)))
        offsets = offsets_of(np.where(kept, widths, len(fill)))
        result = np.empty(int(offsets[-1]), np.uint8)
        for byte in range(int(widths.max(initial=0))):
            those = kept & (widths > byte)
            result[offsets[:-1][those] + byte] = data[at[those] + byte]
        for byte, value in enumerate(fill):
            result[offsets[:-1][~kept] + byte] = value
        return texts_of(offsets[bounds], result, valid)


def _shown_alike(texts: pa.Array, start: int, end: int, fill: str) -> pa.Array:
    if start + end:
        return _many(texts, start, end, fill)
    return rebuilt(pc.binary_repeat(pa.scalar(fill, pa.string()), pc.utf8_length(texts)))


def _many(texts: pa.Array, start: int, end: int, fill: str) -> pa.Array:
    characters = one_width(texts) if fill.isascii() else None
    if characters is not None and characters.max() < _NOT_ASCII:
        return fixed_width_texts(_filled(characters, start, end, fill), is_valid(texts))
    layout = TextBytes.of(rebuilt(texts) if texts.null_count else texts)
    if len(fill.encode()) in _FALL_IN_STEP and _is_of_three_bytes(layout):
        return _in_threes(layout, start, end, fill.encode(), is_valid(texts))
    return _any_width(texts, start, end, fill)


def _is_of_three_bytes(layout: TextBytes) -> bool:
    """Whether every character takes three bytes in UTF-8, as nearly all of Chinese do.

    After a character of three the next begins three bytes on: so it is enough to look at every third byte.
    """
    if not len(layout.starts):
        return False
    begin, end = int(layout.starts[0]), int(layout.starts[-1] + layout.lengths[-1])
    return bool(((layout.data[begin:end:_THREE] & 0xF0) == _LEAD_OF_THREE).all())


def _in_threes(layout: TextBytes, start: int, end: int, fill: bytes, valid: Bools) -> pa.Array:
    """Texts of characters of three bytes: all filled, and then those that stay are put in their places."""
    lengths = layout.lengths // _THREE
    shown = np.flatnonzero(lengths > start + end)
    sizes = lengths * len(fill)
    sizes[shown] += (start + end) * (_THREE - len(fill))
    offsets = offsets_of(sizes)
    result = np.frombuffer(bytearray(fill) * -(-int(offsets[-1]) // len(fill)), np.uint8)[: offsets[-1]]
    if len(shown):
        given, put = _threes(layout.data), _threes(result)
        begins, ends = layout.starts[shown], layout.starts[shown] + layout.lengths[shown]
        heads, tails = offsets[shown], offsets[shown + 1]
        for place in range(0, start * _THREE, _THREE):
            put[heads + place] = given[begins + place]
        for place in range(_THREE, (end + 1) * _THREE, _THREE):
            put[tails - place] = given[ends - place]
    return texts_of(offsets, result, valid)


def _threes(data: Bytes) -> Threes:
    """The three bytes from every place of ``data``; writes through."""
    return np.ndarray((len(data) - _THREE + 1,), "V3", data.data, strides=(1,))


def _filled(characters: Bytes, start: int, end: int, fill: str) -> Bytes:
    """Each row of ASCII ``characters``, shape (n, width), filled between the ends that stay."""
    rows, width = characters.shape
    kept = np.zeros(width, np.uint8)
    if width > start + end:
        kept[:start] = kept[width - end :] = 0xFF
    # The same pattern over many rows at once: a row is too short to be worth a loop of its own.
    some = min(rows, _ROWS_AT_ONCE)
    shown, filler = np.tile(kept, some), np.tile(~kept & np.uint8(ord(fill)), some)
    given = characters.reshape(-1)
    result = np.empty_like(given)
    for first in range(0, len(given), len(shown)):
        part = slice(first, first + len(shown))
        size = len(given[part])
        np.bitwise_and(given[part], shown[:size], out=result[part])
        np.bitwise_or(result[part], filler[:size], out=result[part])
    return result.reshape(rows, width)


def _any_width(texts: pa.Array, start: int, end: int, fill: str) -> pa.Array:
    lengths = pc.utf8_length(texts)
    hidden = pc.subtract(lengths, pa.scalar(start + end, lengths.type))
    short = pc.less_equal(hidden, _NO_CHARACTERS)
    showable = pc.if_else(short, _EMPTY, texts)
    parts = [pc.binary_repeat(pa.scalar(fill, pa.string()), pc.if_else(short, lengths, hidden))]
    if start:
        parts.insert(0, pc.utf8_slice_codeunits(showable, 0, start))
    if end:  # a slice from -0 would be the whole text
        parts.append(pc.utf8_slice_codeunits(showable, -end))
    return pc.binary_join_element_wise(*parts, _EMPTY)
