"""Logs on paper: trees of leaves made up here, signed by a key of their own, and a witness of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.receipt.note import Checkpoint, VerifierKey, sign_note
from broker.receipt.public import PublicLog
from broker.receipt.tiles import Tree
from broker.receipt.witnessing import AddCheckpoint
from broker.witness.memory import WitnessMemory, create_memory
from broker.witness.witness import Witness, Witnessed

ORIGIN = "xinghe.example/log"
NAME = "audit.example/w1"
LOG = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LATER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
OWN = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))


class PaperLog:
    """A log of so many leaves, of which those from ``forked_at`` on are not those of other logs."""

    def __init__(self, size: int, forked_at: int = 1 << 62, origin: str = ORIGIN) -> None:
        self.origin = origin
        self.key = VerifierKey.of(origin, LOG)
        self._entries = [leaf_entry(b"%d" % n if n < forked_at else b"other %d" % n) for n in range(size)]
        tree = Tree(0, lambda _, __: b"")
        self._tree, self._tiles = tree.append([leaf_hash(entry) for entry in self._entries])

    def forked(self, at: int) -> PaperLog:
        """Another log, the same up to leaf ``at``."""
        return PaperLog(len(self._entries), at, self.origin)

    def tile(self, level: int, index: int) -> bytes:
        return self._tiles.get((level, index), b"")

    def log_entries(self, start: int, stop: int) -> list[bytes]:
        return self._entries[start:stop]

    def tree(self, size: int) -> Tree:
        return Tree(size, self.tile)

    def head(self, size: int) -> Checkpoint:
        return Checkpoint(self.origin, size, self.tree(size).root())

    def note(self, size: int, *keys: Ed25519PrivateKey) -> str:
        return sign_note(self.head(size).text(), self.origin, *(keys or (LOG,)))

    def proof(self, first: int, second: int) -> tuple[bytes, ...]:
        return self.tree(second).consistency_proof(first) if 0 < first <= second else ()

    def request(self, first: int, second: int) -> bytes:
        """The body that asks a witness at ``first`` to cosign ``second``."""
        return AddCheckpoint(first, self.proof(first, second), self.note(second)).body()

    def public(self, size: Callable[[], int]) -> PublicLog:
        """As it is shown, of the size that it has then."""
        return PublicLog(self, lambda: self.note(size()), self.key)


@contextmanager
def witnessing(folder: Path, *logs: Witnessed, clock: Callable[[], float] | None = None) -> Iterator[Witness]:
    """A witness with its memory in ``folder``; of the paper log's own key, if no log is named."""
    state = folder / "witness.db"
    if not state.exists():
        create_memory(state)
    known = logs or (Witnessed(ORIGIN, (VerifierKey.of(ORIGIN, LOG),)),)
    with closing(WitnessMemory(state)) as memory:
        yield Witness(
            NAME,
            OWN,
            memory,
            {log.origin: log for log in known},
            **({"clock": clock} if clock else {}),
        )


class Heard:
    """In the place of a module's log: keeps what is said, whatever other tests made of logging."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, object]]] = []

    def _hear(self, event: str, **about: object) -> None:
        self.said.append((event, about))

    critical = error = warning = info = _hear

    def count(self, event: str) -> int:
        return [said for said, _ in self.said].count(event)

    def until(self, event: str, count: int = 1) -> None:
        """Waits until it was said so often."""
        while self.count(event) < count:
            time.sleep(0.01)
