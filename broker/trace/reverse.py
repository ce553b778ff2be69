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

DECOYED = 2_000
"""So many words are tried under made-up keys."""
_PROVEN = {"encrypt": 2.0**-100}
"""Operator → the chance that a word fits under a foreign key, where it is known: RFC 5297 §7."""
_PROVEN_FROM, _PROVEN_MOST = 23, 100_000
"""Shortest result of these, and how many words are tried: each takes as long as a hundred tokens."""
_OLDEST = 1870
"""Resident ids were first given in 1984, when nobody born earlier was alive."""
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
    """What the context's key makes of ``words``, text, of which any first part is a fair sample."""
    if (each := _PROVEN.get(context.key.operator)) is not None:
        words = words.filter(pc.greater_equal(pc.utf8_length(words), _PROVEN_FROM))[:_PROVEN_MOST]
        _, tokens, values = _fitting(context, context.keys, words)
        return Hits(len(words), each * len(words), chance_of(len(tokens), len(words), each), tokens, values)
    formed, tokens, values = _fitting(context, context.keys, words)
    if not len(tokens):
        return Hits(len(formed), 0.0, 1.0, tokens, values)
    decoyed = formed[:DECOYED]
    each = chance_of_each(len(decoyed), lambda keys: len(_fitting(context, keys, decoyed)[1]))
    chance = chance_of(len(tokens), len(formed), each)
    return Hits(len(formed), each * len(formed), chance, tokens, values)


def _fitting(context: Context, keys: KeyContext, words: pa.Array) -> tuple[pa.Array, pa.Array, pa.Array]:
    """The words of a token's form; of these the ones that give themselves again by way of a plausible value;
    and that value."""
    unbind = context.masked.unbind(keys)
    if unbind is None:
        return words[:0], words[:0], words[:0]
    found = unbind(words)
    again = pc.fill_null(pc.equal(context.masked.bind(keys)(found), words), False)
    fits = pc.and_(again, _plausible(found, context))
    return words.filter(pc.is_valid(found)), words.filter(fits), found.filter(fits)


def _plausible(values: pa.Array, context: Context) -> pa.Array:
    """Whether it can be somebody's: of a person who can have been given an id, alive or dead."""
    if context.masked.format != _RESIDENT_ID:
        return pc.is_valid(values)
    years = pc.utf8_slice_codeunits(pc.fill_null(values, "0" * 18), 6, 10)
    numeric = pc.match_substring_regex(years, "^[0-9]{4}$")
    born = np.asarray(pc.if_else(numeric, years, "0").cast(pa.int64()))
    return pa.array((born >= _OLDEST) & (born <= date.today().year))
