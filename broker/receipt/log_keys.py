"""The keys that a log has signed under, one after the other, and which trees each of them may sign.

A succession names the next key. It is a C2SP signed note that both keys have signed, the old one because it
hands over, the new one to prove that somebody holds it, and stands in a leaf of the log::

    share-log-key/v1
    xinghe.example/receipts                          the log's origin
    old xinghe.example/receipts+8ab76d9e+AQOh…       verifier keys
    signs until 41                                   size of the largest tree that it is believed about
    new xinghe.example/receipts+1f0c22d7+AYpz…
    signs from 42                                    size of its smallest tree: the first with this leaf
    both until 2026-12-24T00:00:00Z                  the old key signs along, for those who have not heard
                                                     blank line
    — xinghe.example/receipts irdtnv2j…              signatures of both keys over the lines above
    — xinghe.example/receipts HwwivX0…

No checkpoint can be mistaken for it: a checkpoint's third line is a root. Whoever trusts one key of a chain
of successions can tell the others from it, later and earlier ones, as with the roots of TUF. A key is
believed about trees of its own sizes only, so one that is stolen after it was succeeded signs nothing larger.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.errors import VerificationFailed
from broker.model import EntryKind
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.receipt.note import Checkpoint, VerifierKey, open_note, parse_checkpoint, sign_note

FORMAT = "share-log-key/v1"
KIND = EntryKind.LOG_KEY
MAX_SUCCESSIONS = 1000
"""A key a month for longer than anybody keeps a log; a bound for what verifiers are made to read."""

_TEXT = re.compile(
    rf"{FORMAT}\n(.+)\nold (.+)\nsigns until (\d{{1,19}})\n"
    r"new (.+)\nsigns from (\d{1,19})\nboth until (.+)\n",
    re.ASCII,
)
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Succession:
    """One key after another.

    Raises:
        ValueError: the keys are the same or of two logs, or the sizes contradict each other.
    """

    old: VerifierKey
    until: int
    """Size of the largest tree that the old key is believed about; after a theft perhaps an early one."""
    new: VerifierKey
    since: int
    """Size of the smallest tree that the new key is believed about: one more than the index of the leaf."""
    both_until: datetime
    """UTC, whole seconds."""

    def __post_init__(self) -> None:
        if self.old == self.new or self.old.name != self.new.name:
            raise ValueError("a key is succeeded by another one of the same log")
        if not 0 <= self.until < self.since:
            raise ValueError("the old key signs smaller trees than the new one")

    @property
    def leaf_index(self) -> int:
        """Where the log says so."""
        return self.since - 1

    def text(self) -> str:
        """The note text that both keys sign."""
        return (
            f"{FORMAT}\n{self.old.name}\nold {self.old}\nsigns until {self.until}\n"
            f"new {self.new}\nsigns from {self.since}\nboth until {self.both_until:{_TIME}}\n"
        )

    def signed(self, old: Ed25519PrivateKey, new: Ed25519PrivateKey) -> str:
        """The signed note.

        Raises:
            ValueError: these are other keys.
        """
        if (VerifierKey.of(self.old.name, old), VerifierKey.of(self.new.name, new)) != (self.old, self.new):
            raise ValueError("a succession is signed by the keys that it names")
        return sign_note(self.text(), self.old.name, old, new)


def parse_succession(note: str) -> Succession:
    """The succession in a note that both its keys have signed. Which of them to trust, if any, is not said.

    Raises:
        VerificationFailed: it is none, or a signature is missing or does not verify.
    """
    found = _TEXT.match(note)
    succession = _read(*found.groups()) if found else None
    if succession is None or not note.startswith(succession.text() + "\n"):
        raise VerificationFailed("密钥更替声明格式不符 / log key succession: malformed")
    text, signers = open_note(note, (succession.old, succession.new))
    if text != succession.text() or len(signers) != 2:
        raise VerificationFailed(
            "密钥更替未经新旧密钥共同签名 / log key succession: not signed by both the old and the new key"
        )
    return succession


@dataclass(frozen=True, slots=True)
class LogKeys:
    """What verifies a log's checkpoints: one key, or a chain of them from ``first`` on.

    ``notes`` are signed successions, oldest first. That they form a chain and are signed is checked here;
    that the chain has a key that somebody trusts, by :meth:`extended`, which is the way to learn of others.

    Raises:
        VerificationFailed: a succession does not hold, or does not follow the one before.
    """

    first: VerifierKey
    notes: tuple[str, ...] = ()
    successions: tuple[Succession, ...] = field(init=False, repr=False)
    """As the notes say."""

    def __post_init__(self) -> None:
        if len(self.notes) > MAX_SUCCESSIONS:
            raise VerificationFailed("密钥更替过多 / log keys: too many successions")
        successions = tuple(map(parse_succession, self.notes))
        _require_chain(self.first, successions)
        object.__setattr__(self, "successions", successions)

    @classmethod
    def of(cls, trust: Trust) -> LogKeys:
        """The keys of who trusts a single one, or these themselves."""
        return cls(trust) if isinstance(trust, VerifierKey) else trust

    @property
    def name(self) -> str:
        """The log's origin."""
        return self.first.name

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """All of them, oldest first."""
        return (self.first, *(one.new for one in self.successions))

    @property
    def newest(self) -> VerifierKey:
        """The key that signs now."""
        return self.keys[-1]

    @property
    def last_leaf(self) -> int:
        """Index of the leaf with the last succession; 0, the genesis leaf, without any."""
        return self.successions[-1].leaf_index if self.successions else 0

    def at(self, size: int) -> VerifierKey | None:
        """The key that is believed about a tree of ``size``; None where an emergency left none."""
        for one in reversed(self.successions):
            if size >= one.since:
                return one.new
            if size > one.until:
                return None
        return self.first

    def checkpoint(self, note: str) -> Checkpoint:
        """The log head in a note that is signed by the key which signs trees of that size. Lines of others
        (earlier or later keys, witnesses) may stand beside.

        Raises:
            NotSigned: none of these keys has signed it; perhaps a later one has.
            VerificationFailed: the note is malformed, a signature does not verify, or the tree has another
                size than the keys that signed it are believed about.
        """
        checkpoint, signers = self._signed(note)
        if self.at(checkpoint.size) not in signers:
            raise VerificationFailed(
                "签名的密钥无权签署此大小的日志，它已被更替 / signature: by a key that is not believed about "
                "a log of this size, because another had or has its place"
            )
        return checkpoint

    def recognised(self, note: str) -> Checkpoint:
        """The log head in a note that any of these keys has signed, however large the tree: for who asks
        whether something was ever signed, not whether to believe it.

        Raises:
            VerificationFailed: as of :meth:`checkpoint`, but for the size.
        """
        return self._signed(note)[0]

    def extended(self, notes: Iterable[str]) -> LogKeys:
        """The chain that these successions make, if it has all the keys of this one; or this one, if it says
        less.

        Raises:
            VerificationFailed: they make no chain, or one that contradicts this or leads past it.
        """
        if not (chain := tuple(notes)):
            return self
        found = LogKeys(parse_succession(chain[0]).old, chain)
        if self.includes(found):
            return self
        if not found.includes(self):
            raise VerificationFailed(
                "密钥历史与所信任的公钥无关 / log keys: the history does not lead to the trusted key"
            )
        return found

    def includes(self, other: LogKeys) -> bool:
        """Whether the other chain is a part of this one."""
        if other.first not in self.keys:
            return False
        start = self.keys.index(other.first)
        return self.successions[start : start + len(other.successions)] == other.successions

    def _signed(self, note: str) -> tuple[Checkpoint, frozenset[VerifierKey]]:
        text, signers = open_note(note, self.keys)
        checkpoint = parse_checkpoint(text)
        if checkpoint.origin != self.name:
            raise VerificationFailed("日志名与信任公钥不符 / checkpoint: origin is not the trust key's name")
        return checkpoint, signers


@dataclass(frozen=True, slots=True)
class SuccessionLeaf:
    """A leaf of kind ``log_key``, and the proof that a log has it."""

    statement: bytes
    leaf_index: int
    proof: tuple[bytes, ...]

    def note(self) -> str:
        """The signed succession.

        Raises:
            VerificationFailed: the statement has none.
        """
        return succession_of(self.statement)

    def hash(self) -> bytes:
        """The leaf's hash (RFC 6962 §2.1)."""
        return leaf_hash(leaf_entry(self.statement))


def succession_of(statement: bytes) -> str:
    """The signed note in a statement of kind ``log_key``; nothing is verified.

    Raises:
        VerificationFailed: it has none.
    """
    try:
        content = orjson.loads(statement)
    except ValueError:
        content = None
    note = content.get("succession") if isinstance(content, dict) and content.get("kind") == KIND else None
    if not isinstance(note, str):
        raise VerificationFailed("不是密钥更替的存证 / log keys: a statement that is no succession")
    return note


Trust = VerifierKey | LogKeys
"""What a verifier begins with: one key, or a chain of them that it has learnt before."""


@lru_cache(maxsize=64)
def led(trust: Trust, successions: tuple[str, ...]) -> LogKeys:
    """The keys that ``trust`` leads to by these successions; see :meth:`LogKeys.extended`.

    Raises:
        VerificationFailed: they lead to none that is trusted.
    """
    return LogKeys.of(trust).extended(successions)


def _require_chain(first: VerifierKey, successions: Sequence[Succession]) -> None:
    broken = bool(successions) and successions[0].old != first
    for before, after in pairwise(successions):
        broken |= after.old != before.new or after.until < before.since - 1 or after.since <= before.since
    if broken or len({first, *(one.new for one in successions)}) != len(successions) + 1:
        raise VerificationFailed("密钥历史不连贯 / log keys: the successions form no chain")


def _read(name: str, old: str, until: str, new: str, since: str, both_until: str) -> Succession | None:
    """The succession in these words; None when they make none. How they are spelt is seen by printing it."""
    try:
        keys = VerifierKey.parse(old), VerifierKey.parse(new)
        end = datetime.strptime(both_until, _TIME).replace(tzinfo=UTC)
        succession = Succession(keys[0], int(until), keys[1], int(since), end)
    except (ValueError, VerificationFailed):
        return None
    return succession if succession.old.name == name else None
