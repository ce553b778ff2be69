"""How sure it is that words are tokens under a key: by how many fit, beside how many would fit by chance.

Under a foreign key a word that looks like a token turns into a number too, only seldom into a sound one. How
seldom is measured on the very words, under keys made up for it. The chance that as many fit if none were a
token is bounded by Chernoff: exp(−n·KL(h/n ‖ p)), for h of n that fit and a chance of p for each.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from math import exp, log, sqrt

from adapters.masking.keys import FieldKeys

TRIALS = 20_000
"""Words tried under made-up keys, at least."""
MOST_DECOYS = 400
SURE, LIKELY = 1e-9, 1e-3
"""Chances of error up to which a finding is certain, and likely; what is less likely names nobody."""


def chance_of(hits: int, words: int, each: float) -> float:
    """At most the chance that ``hits`` of ``words`` fit, if each does with chance ``each``."""
    if not hits or not words or hits <= each * words:
        return 1.0
    rate, each = hits / words, max(each, 1e-300)
    divergence = rate * log(rate / each)
    if rate < 1:
        divergence += (1 - rate) * log((1 - rate) / (1 - each))
    return exp(-min(words * divergence, 700.0))


def chance_of_each(words: int, hits_under: Callable[[FieldKeys], int]) -> float:
    """At most the chance that one of ``words`` fits under a foreign key, as measured under made-up ones."""
    rounds = min(MOST_DECOYS, -(-TRIALS // words))
    hits = sum(hits_under(FieldKeys(0, secrets.token_bytes(32))) for _ in range(rounds))
    return min(1.0, (hits + 3 + 3 * sqrt(hits)) / (rounds * words))
