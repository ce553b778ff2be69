"""An own copy of a log: fetched over HTTP as anybody may, all of it verified, kept as static files.

With the copy a witness can tell a fork from a wrong proof. Two heads that the log has signed contradict each
other when the tree that leads to one does not have the root of the other at its size; the tree is known to
the last leaf, so that is no opinion.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import structlog

from broker.errors import SetUpError, VerificationFailed
from broker.http.client import HttpClient, NoAnswer
from broker.receipt.export import Folder, export, exported_note, published
from broker.receipt.merkle import verify_consistency
from broker.receipt.note import Checkpoint, claimed_checkpoint
from broker.receipt.public import CHECKPOINT, ENTRIES, Part, PublicLog
from broker.receipt.tiles import TILE_HEIGHT, TILE_WIDTH, Tree
from broker.witness.witness import Witness, Witnessed, head_of

log = structlog.get_logger("sharebroker.witness")

MAX_PART = TILE_WIDTH * (1 << 16)
"""Bytes of the longest entry bundle: 256 entries of 64 KiB."""


class RemoteLog:
    """A published log's tables, as :class:`~broker.receipt.public.Tables` has them; nothing is believed."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._size = 0

    def note(self) -> str:
        """The checkpoint that the log shows now; empty when it shows none.

        Raises:
            NoAnswer: it cannot be reached. So every method.
            VerificationFailed: what it shows is no checkpoint.
        """
        note = self._content(CHECKPOINT).decode("utf-8", "replace")
        if note:
            self._size = claimed_checkpoint(note).size
        return note

    def tile(self, level: int, index: int) -> bytes:
        return self._part(level, index, self._size >> (TILE_HEIGHT * level))

    def log_entries(self, start: int, stop: int) -> list[bytes]:
        """From one bundle, where ``start`` begins it."""
        bundle = self._part(ENTRIES, start // TILE_WIDTH, self._size)
        return list(_entries(bundle))[: stop - start]

    def _part(self, level: int, index: int, width: int) -> bytes:
        """A part, as wide as the log has it; where only the full one is kept, that."""
        width = min(TILE_WIDTH, width - index * TILE_WIDTH)
        if width <= 0:
            return b""
        content = self._content(Part(level, index, width).path)
        return content or (self._content(Part(level, index).path) if width < TILE_WIDTH else b"")

    def _content(self, path: str) -> bytes:
        answer = self._client.get(path, MAX_PART)
        if answer.status not in (200, 404):
            raise NoAnswer(f"HTTP {answer.status}")
        return answer.content if answer.status == 200 else b""


@dataclass(frozen=True, slots=True)
class AnyKey:
    """The keys of a log under each of which its heads are read, whatever their sizes."""

    log: Witnessed

    @property
    def name(self) -> str:
        return self.log.origin

    def checkpoint(self, note: str) -> Checkpoint:
        self.log.opened(note)
        head = claimed_checkpoint(note)
        if head.origin != self.name:
            raise VerificationFailed("日志名不符 / checkpoint: of another log")
        return head


class Mirror:
    """The copy of one log, in a folder of its own.

    Raises:
        SetUpError: the address is none.
    """

    def __init__(self, log: Witnessed, folder: Path, url: str, ca: Path | None, witness: Witness) -> None:
        self._keys = AnyKey(log)
        self._folder = folder
        self._client = HttpClient(url, ca=ca)
        self._witness = witness
        self._lock = threading.Lock()

    def follow(self) -> Checkpoint | None:
        """Looks at the log and copies what is new of it; gives the head that the copy leads to then.

        Raises:
            NoAnswer: the log cannot be reached; what was copied before stays.
            VerificationFailed: what it shows does not hold together, or has forked, of which is told.
            SetUpError, OSError: the folder cannot be written.
        """
        remote = RemoteLog(self._client)
        with self._lock:
            try:
                public = PublicLog(remote, remote.note, self._keys)
                signed = public.checkpoint()
                if signed is None:
                    return None
                self._require_same_history(remote, *signed)
                head = export(public, self._folder).checkpoint
            finally:
                self._client.close()
        self._witness.compared(head.origin, head.size)
        return head

    def examine(self, head: Checkpoint, note: str) -> None:
        """Compares a head that the log has signed with the copy.

        Raises:
            VerificationFailed: the log has forked, of which is told; or the copy is damaged.
        """
        copied = exported_note(self._folder)
        size = self._keys.checkpoint(copied).size if copied else 0
        if 0 < head.size <= size:
            copy = Tree(head.size, published(Folder(self._folder), size))
            if copy.root() != head.root:
                self._fork(copied, note)

    def _require_same_history(self, remote: RemoteLog, note: str, shown: Checkpoint) -> None:
        """That the log shown is an extension of what was copied and cosigned before."""
        self.examine(shown, note)
        last = self._witness.cosigned(shown.origin)
        for known_note in filter(None, (exported_note(self._folder), last.uncompared, last.note)):
            known = head_of(known_note)
            if 0 < known.size <= shown.size and _proved_root(remote, known.size, shown) != known.root:
                self._fork(known_note, note)

    def _fork(self, one: str, other: str) -> NoReturn:
        self._witness.record_fork(self._keys.name, one, other)
        raise VerificationFailed("日志已分叉 / log: it has forked")


def _proved_root(remote: RemoteLog, size: int, head: Checkpoint) -> bytes:
    """The root that the tree under ``head`` had at that size.

    Raises:
        VerificationFailed: the tiles shown do not lead to ``head``: they prove nothing.
    """
    root = Tree(size, remote.tile).root()
    proof = Tree(head.size, remote.tile).consistency_proof(size)
    verify_consistency(size, head.size, root, head.root, proof)
    return root


def _entries(bundle: bytes) -> Iterator[bytes]:
    """Each entry after its length, 16 bits, big-endian (tlog-tiles, Log Entries)."""
    while bundle:
        stop = 2 + int.from_bytes(bundle[:2], "big")
        yield bundle[2:stop]
        bundle = bundle[stop:]


class Follower:
    """Keeps copies up to date, each from a thread of its own."""

    def __init__(self, origin: str, mirror: Mirror, seconds: float) -> None:
        self._origin = origin
        self._mirror = mirror
        self._seconds = seconds
        self._ending = threading.Event()
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends when the look under way has."""
        self._ending.set()

    def _run(self) -> None:
        while True:
            self._look()
            if self._ending.wait(self._seconds):
                return

    def _look(self) -> None:
        try:
            head = self._mirror.follow()
        except (NoAnswer, VerificationFailed, SetUpError, OSError) as error:
            self._say("copy_failed", str(error) or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a defect; the thread goes on, and so does the witness
            self._say("copy_failed", type(error).__name__)
        else:
            if head is not None:
                self._say("copied", "")

    def _say(self, event: str, error: str) -> None:
        """Once, until it is otherwise; at the end of the witness nothing."""
        if (said := f"{event} {error}") != self._said and not self._ending.is_set():
            self._said = said
            level = log.warning if error else log.info
            level(event, origin=self._origin, **({"error": error} if error else {}))
