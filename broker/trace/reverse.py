"""Reversible tokens: turned back under each key that they may be of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adapters.masking.contract import KeyContext
from broker.trace.chance import chance_of, chance_of_each
from broker.trace.contexts import Context

SCREENED = 20_000
"""So many words tell whether a key is the one."""
DECOYED = 2_000
_PROVEN = {"encrypt": 2.0**-100}
"""Operator → the chance that a word fits under a foreign key, where it is known: RFC 5297 §7."""
_OLDEST = 1900
_RESIDENT_ID = "resident_id"


@dataclass(frozen=True, slots=True)
class Hits:
    """What a key makes of the words."""

    tried: int
    """Words that can be tokens of this kind under some key."""
    expected: float
    """How many of them would fit by chance."""
    chance: float
    """At most that of as many hits, if none were a token."""
    tokens: pa.Array
    """Those that fit."""
    values: pa.Array
    """What they stand for."""


def turned_back(context: Context, words: pa.Array) -> Hits:
    """What the context's key makes of ``words``, text."""
    tried, tokens, values = _fitting(context, context.keys, words[:SCREENED])
    if not len(tokens):
        return Hits(tried, 0.0, 1.0, tokens, values)
    each = _PROVEN.get(context.key.operator) or chance_of_each(
        _tried(context, words[:DECOYED]),
        lambda keys: len(_fitting(context, keys, words[:DECOYED])[1]),
    )
    # Where the form itself proves the key, every word was tried.
    tried = len(words[:SCREENED]) if context.key.operator in _PROVEN else tried
    chance = chance_of(len(tokens), tried, each)
    if len(words) > SCREENED:
        _, tokens, values = _fitting(context, context.keys, words)
    return Hits(tried, each * tried, chance, tokens, values)


def _tried(context: Context, words: pa.Array) -> int:
    return max(1, _fitting(context, context.keys, words)[0])


def _fitting(context: Context, keys: KeyContext, words: pa.Array) -> tuple[int, pa.Array, pa.Array]:
    """How many words have a token's form; those that give themselves again by way of a plausible value, and
    that value."""
    unbind = context.masked.unbind(keys)
    if unbind is None:
        return 0, words[:0], words[:0]
    found = unbind(words)
    tried = len(found) - found.null_count
    again = pc.fill_null(pc.equal(context.masked.bind(keys)(found), words), False)
    fits = pc.and_(again, _plausible(found, context))
    return tried, words.filter(fits), found.filter(fits)


def _plausible(values: pa.Array, context: Context) -> pa.Array:
    """Whether it can be somebody's: a person who can be alive."""
    if context.masked.format != _RESIDENT_ID:
        return pc.is_valid(values)
    years = pc.utf8_slice_codeunits(pc.fill_null(values, "0" * 18), 6, 10)
    numeric = pc.match_substring_regex(years, "^[0-9]{4}$")
    born = np.asarray(pc.if_else(numeric, years, "0").cast(pa.int64()))
    return pa.array((born >= _OLDEST) & (born <= date.today().year))
