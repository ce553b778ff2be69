"""What statements have to do with each other, told one statement at a time.

A check sees one statement, for ranges of the log are verified in processes of their own. What can only be
judged beside others it hands on as an :class:`End`: all ends of one relation under one key are judged
together when everything was read. So a stream's opening and its outcome, or a delivery and its
acknowledgement, find each other however far apart they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from broker.audit.verify.remarks import Remark

KEY_BYTES = 16

_HALF = 1 << 63


@dataclass(frozen=True, slots=True)
class End:
    """One end of a relation."""

    relation: str
    """A name in :data:`broker.audit.verify.checks.RELATIONS`."""
    key: bytes
    """16 bytes, from :func:`key_of`: ends of the same key are judged together."""
    leaf: int
    """Of the statement whose end it is."""
    role: int
    """What the statement is in the relation, 0 to 255."""
    number: int = 0
    """Another leaf, a deadline, a sequence: what the relation makes of it; 64 bits, signed."""
    fact: int = 0
    """Something else, 64 bits, unsigned."""

    def __post_init__(self) -> None:
        numbers = (self.leaf, self.number, self.fact)
        if any(type(number) is not int for number in numbers):
            raise TypeError("ends are made of numbers")
        if not (-_HALF <= self.number < _HALF and 0 <= self.fact < 2 * _HALF):
            raise ValueError("an end's number is out of range")


class Known(Protocol):
    """What is known of the evidence as a whole when relations are judged."""

    @property
    def as_of(self) -> int:
        """Microseconds since 1970-01-01 UTC: what was due later is not overdue."""
        ...

    def hidden(self, leaf: int) -> bool:
        """Whether the statement of this leaf is not there: erased, or outside the evidence."""
        ...

    def hides(self, leaf: int, *kinds: str) -> bool:
        """Whether a later statement that is not there may be of one of these kinds."""
        ...


Judge = Callable[[Sequence[End], Known], Iterator[Remark]]
"""Told of all ends under one key, in the order of their leaves."""


@dataclass(frozen=True, slots=True)
class Relation:
    """How the ends of a relation are judged."""

    judge: Judge
    quiet: frozenset[int] = frozenset()
    """Roles of which one end alone under its key is nothing to remark: they are passed over quickly."""
    runs: bool = False
    """An end that says the same as the one before it in the relation is left out."""
    bounds: bool = False
    """Of the ends of one key, role and fact, those of the first leaf and of the largest number do for all."""


Relations = Mapping[str, Relation]


def key_of(*parts: str | int) -> bytes:
    """The key of these parts, the same for the same parts only."""
    return sha256("\n".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()[:KEY_BYTES]
