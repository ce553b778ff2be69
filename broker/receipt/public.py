"""The log as anybody may read it: the resources of C2SP tlog-tiles (https://c2sp.org/tlog-tiles).

Hash tiles and entry bundles under their paths, and the signed checkpoint that they lead to. Nothing beyond
that checkpoint is given out, and no statement: an entry is a version and a hash.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from broker.errors import VerificationFailed
from broker.model import Receipt
from broker.receipt import key_history
from broker.receipt.log_keys import LogKeys
from broker.receipt.merkle import HASH_SIZE, leaf_hash
from broker.receipt.note import Checkpoint, VerifierKey
from broker.receipt.tiles import TILE_HEIGHT, TILE_WIDTH, CorruptLog, TileCache, Tree

CHECKPOINT = "checkpoint"
ENTRIES = -1
"""In the place of a level: the log's entries themselves."""
MAX_LEVEL = 63

_PATH = re.compile(r"tile/(entries|\d{1,2})/((?:x\d{3}/){0,6}\d{3})(?:\.p/(\d{1,3}))?", re.ASCII)


class Tables(Protocol):
    """What is read of the database. Only what is committed may be given."""

    def tile(self, level: int, index: int) -> bytes:
        """See :meth:`broker.journal.Journal.tile`."""
        ...

    def log_entries(self, start: int, stop: int) -> list[bytes]:
        """The entries of the leaves from ``start`` to before ``stop``, in order."""
        ...


class Keys(Protocol):
    """What is known of a log's keys: :class:`~broker.receipt.log_keys.LogKeys`, or a witness's own list."""

    @property
    def name(self) -> str:
        """The log's origin."""
        ...

    def checkpoint(self, note: str) -> Checkpoint:
        """The log's head in a note that it has signed; raises VerificationFailed when it has not."""
        ...


@dataclass(frozen=True, slots=True)
class History:
    """Where successions of the log's key are looked up."""

    keys: Callable[[], LogKeys]
    """All that are known now."""
    statement: Callable[[int], bytes]
    """The statement of the leaf of a succession."""


@dataclass(frozen=True, slots=True)
class Part:
    """A hash tile or an entry bundle, full (256 wide) or partial."""

    level: int
    """0 to 63, or :data:`ENTRIES`."""
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """``tile/<L>/<N>[.p/<W>]``, N in elements of three digits, of which all but the last begin with x."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        digits = f"{self.index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        elements = [f"x{digits[at : at + 3]}/" for at in range(0, len(digits) - 3, 3)]
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{''.join(elements)}{digits[-3:]}{partial}"

    @property
    def stop(self) -> int:
        """Number of leaves that a log must have for this part to exist."""
        return (self.index * TILE_WIDTH + self.width) << (TILE_HEIGHT * max(self.level, 0))


def parse_path(path: str) -> Part | None:
    """The part that ``path`` names in the one way there is to name it; None when it names none."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    level, index, width = found.groups()
    part = Part(
        ENTRIES if level == "entries" else int(level),
        int(index.replace("x", "").replace("/", "")),
        int(width) if width else TILE_WIDTH,
    )
    in_range = part.level <= MAX_LEVEL and 0 < part.width <= TILE_WIDTH
    return part if in_range and part.path == path else None


class PublicLog:
    """What is public of a log, up to its newest signed head; safe for use by several threads.

    Args:
        read_note: gives the newest signed checkpoint, empty before the first.
        history: what is known of successions of the log's key, if anything is.

    Raises (every method):
        Unavailable: the database cannot be reached.
        VerificationFailed: what is stored is not what was signed. Nothing is given out then.
    """

    def __init__(
        self,
        tables: Tables,
        read_note: Callable[[], str],
        keys: VerifierKey | Keys,
        history: History | None = None,
    ) -> None:
        self._history = history
        self.keys: Keys = LogKeys(keys) if isinstance(keys, VerifierKey) else keys
        self._tables = tables
        self._read_note = read_note
        self._cache = TileCache()
        self._lock = Lock()
        self._note = ""
        self._newest = Checkpoint(keys.name, 0, Tree(0, tables.tile).root())

    def checkpoint(self) -> tuple[str, Checkpoint] | None:
        """The newest signed head, as a signed note and read; None when nothing was signed yet."""
        note = self._read_note()
        with self._lock:
            if note and note != self._note:
                self._adopt(note)
            return (self._note, self._newest) if self._note else None

    def key_history(self) -> bytes | None:
        """``log-keys``: how the log's first key leads to the one that signs
        (:mod:`broker.receipt.key_history`); None while it has had one only."""
        signed = self.checkpoint()
        if signed is None or self._history is None or not (successions := self._history.keys().successions):
            return None
        note, head = signed
        tree = Tree(head.size, self._tables.tile, self._cache)
        leaves = [one.leaf_index for one in successions if one.since <= head.size]
        return key_history.export(
            Receipt(self._history.statement(index), index, head.size, tree.inclusion_proof(index), note)
            for index in leaves
        )

    def read(self, part: Part) -> bytes | None:
        """A part's content; None when the signed log has no such part."""
        if part.stop > self._newest.size:
            self.checkpoint()
        if part.stop > self._newest.size:
            return None
        return self._bundle(part) if part.level == ENTRIES else self._tile(part)

    def _adopt(self, note: str) -> None:
        if self._history is not None:
            self.keys = self._history.keys()
        checkpoint = self.keys.checkpoint(note)
        if checkpoint.size < self._newest.size:  # the newest was being written over when it was read
            return
        if Tree(checkpoint.size, self._tables.tile, self._cache).root() != checkpoint.root:
            raise VerificationFailed("数据库与已签名的日志头不符 / log: the database is not what was signed")
        self._note, self._newest = note, checkpoint

    def _tile(self, part: Part) -> bytes:
        content = self._tables.tile(part.level, part.index)
        if len(content) < part.width * HASH_SIZE:
            raise _corrupt(part)
        return content[: part.width * HASH_SIZE]

    def _bundle(self, part: Part) -> bytes:
        """Each entry after its length, 16 bits, big-endian. Entries that are not in the tree stay here."""
        start = part.index * TILE_WIDTH
        entries = self._tables.log_entries(start, start + part.width)
        hashes = self._tile(Part(0, part.index, part.width))
        if b"".join(map(leaf_hash, entries)) != hashes:
            raise _corrupt(part)
        return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def _corrupt(part: Part) -> CorruptLog:
    return CorruptLog(f"日志 {part.path} 缺失或损坏 / log: {part.path} is missing or corrupt")
