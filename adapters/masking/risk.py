"""How likely somebody is found again in a table, and what is then learned of them.

Re-identification by the three attackers (检察官 prosecutor, 记者 journalist, 营销者 marketer): K. El Emam,
*Guide to the De-Identification of Personal Health Information*, 2013; ISO/IEC 20889:2018. k-anonymity:
L. Sweeney, 2002. (α,k)-anonymity: Wong et al., 2006. l-diversity: Machanavajjhala et al., 2007. t-closeness:
Li, Li and Venkatasubramanian, 2007.

Sizes of equivalence classes are whole numbers from 1 on, of shape (classes,); every figure is a share from 0
to 1 unless it says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adapters.masking.classes import Codes

Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Risk:
    """What an attacker can hope for, over all rows."""

    highest: float
    """For the row most at risk."""
    average: float
    """Over the rows: the share of them that are found again if all are tried."""
    above: float
    """Share of the rows that are at more risk than the threshold."""


@dataclass(frozen=True, slots=True)
class Anonymity:
    """How many rows nobody can tell apart."""

    rows: int
    classes: int
    k: int
    """Rows in the smallest class."""
    unique: int
    """Rows alone in their class."""

    @classmethod
    def of(cls, sizes: Codes) -> Anonymity:
        """By the sizes of the classes, at least one."""
        return cls(int(sizes.sum()), len(sizes), int(sizes.min()), int((sizes == 1).sum()))


def prosecutor(sizes: Codes, threshold: float) -> Risk:
    """The attacker knows that the person is in the table: 1/f for each row of a class of f rows.

    The average, classes / rows, is also the marketer's risk: the share of rows that somebody who tries to
    match all of them with a register of the same people matches rightly.
    """
    return _risk(sizes, 1 / sizes, threshold)


def journalist(sizes: Codes, population: Codes, threshold: float) -> Risk:
    """The attacker knows only that the person is in the population: 1/F for a class that has F people there.

    ``population``: F of each class, shape (classes,). Where it is smaller than the class itself (a register
    that lacks people of the table) the class counts: so many there are at least. The average is the
    marketer's risk with that population.
    """
    return _risk(sizes, 1 / np.maximum(sizes, population), threshold)


def journalist_by_size(sizes: Codes, people: int, threshold: float) -> Risk:
    """The same where only the number of ``people`` in the population is known: expected 1/F given f.

    F given f is negative binomial with the sampling fraction as its probability, the model of μ-ARGUS
    (L. Franconi and S. Polettini, *Individual risk estimation in μ-ARGUS: a review*, 2004, §2.1).

    Raises:
        ValueError: fewer people than rows.
    """
    fraction = int(sizes.sum()) / people
    if fraction > 1:
        raise ValueError("the population has fewer people than the table has rows")
    return _risk(sizes, _expected_inverse(sizes, fraction), threshold)


def _risk(sizes: Codes, risks: Shares, threshold: float) -> Risk:
    rows = sizes.sum()
    above = sizes[risks > threshold].sum() / rows
    return Risk(float(risks.max()), float((sizes * risks).sum() / rows), float(above))


_TERMS = 64


def _expected_inverse(sizes: Codes, fraction: float) -> Shares:
    """E[1/F] for each f of ``sizes``: the integral over y from 0 to 1 of y^(f-1) / (1 + ay), a = (1-π) / π.

    As a series it is π/f · Σ i! / ((f+1) … (f+i)) · (1-π)^i, whose terms fall below 2^-i for a large f, or
    where π is at least one half. Else from f to f + 1 by (1/f - E) / a, where a > 1 makes each error smaller.
    """
    term = total = np.ones(len(sizes))
    for i in range(1, _TERMS):
        term = term * (1 - fraction) * i / (sizes + i)
        total = total + term
    expected: Shares = fraction / sizes * total
    ratio = (1 - fraction) / fraction
    if ratio > 1:
        step = np.log1p(ratio) / ratio
        for size in range(1, _TERMS):
            expected[sizes == size] = step
            step = (1 / size - step) / ratio
    return expected


# ── what is learned of somebody found ────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What the rows of a class have in common in one sensitive column; the worst of all classes."""

    distinct: int
    """l of distinct l-diversity: different values in the least diverse class."""
    entropy: float
    """l of entropy l-diversity: e to the least entropy (in nats) of a class."""
    closeness: float
    """t of t-closeness: the greatest distance between a class and the table."""
    alpha: float
    """Greatest share that one value has in a class."""


def disclosure(classes: Codes, values: Codes, rows: Codes, *, ordered: bool) -> Disclosure:
    """By pairs of class and value, and how many rows have each; all of shape (pairs,).

    ``classes`` and ``values`` are numbered densely from 0. Where values are ``ordered`` their numbers are
    their ranks, and the distance between them is that of their ranks; else it is the same for any two.
    """
    many = int(values.max()) + 1
    pairs, places = np.unique(classes * many + values, return_inverse=True)
    classes, values, rows = pairs // many, pairs % many, np.bincount(places, weights=rows).astype(np.int64)
    sizes = np.bincount(classes, weights=rows)
    share = rows / sizes[classes]
    entropy = -np.bincount(classes, weights=share * np.log(share))
    whole = np.bincount(values, weights=rows) / rows.sum()
    distance = _ordered_distance if ordered else _equal_distance
    return Disclosure(
        int(np.bincount(classes).min()),
        float(np.exp(entropy.min())),
        float(distance(classes, values, share, whole).max()),
        float(share.max()),
    )


def _equal_distance(classes: Codes, values: Codes, share: Shares, whole: Shares) -> Shares:
    """The earth mover's distance is half of Σ|p - q|: what the class has more than the table."""
    more: Shares = np.bincount(classes, weights=np.maximum(share - whole[values], 0)).astype(np.float64)
    return more


def _ordered_distance(classes: Codes, values: Codes, share: Shares, whole: Shares) -> Shares:
    """Σ |cumulated share of the class - of the table| / (m - 1), over the m values.

    Between two values that a class has its cumulated share stands still, and the table's rises: so the sum is
    taken stretch by stretch from prefix sums, and no class is spread out over all values.
    """
    if len(whole) < 2:
        return np.zeros(1)
    order = np.lexsort((values, classes))
    classes, values, share = classes[order], values[order], share[order]
    first = np.flatnonzero(np.diff(classes, prepend=-1))
    level = np.cumsum(share)
    before = np.repeat(level[first] - share[first], np.diff(np.append(first, len(classes))))
    table = _Prefix(np.cumsum(whole))
    ends = np.append(values[1:], len(whole))
    ends[first[1:] - 1] = len(whole)
    moved: Shares = np.bincount(classes, weights=table.distance(values, ends, level - before)).astype(
        np.float64
    )
    return (moved + table.below(values[first])) / (len(whole) - 1)


class _Prefix:
    """Sums over stretches of the table's cumulated shares."""

    def __init__(self, cumulated: Shares) -> None:
        self._cumulated = cumulated
        self._sums = np.concatenate(([0.0], np.cumsum(cumulated)))

    def below(self, ends: Codes) -> Shares:
        """Of all before ``ends``: there the class has nothing yet."""
        result: Shares = self._sums[ends]
        return result

    def distance(self, starts: Codes, ends: Codes, level: Shares) -> Shares:
        """Σ |level - cumulated| over each stretch from ``starts`` to before ``ends``."""
        crossing = np.clip(np.searchsorted(self._cumulated, level), starts, ends)
        under = level * (crossing - starts) - (self._sums[crossing] - self._sums[starts])
        over = self._sums[ends] - self._sums[crossing] - level * (ends - crossing)
        result: Shares = under + over
        return result
