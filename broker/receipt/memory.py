"""What the signer remembers: the last log head it signed, on disk before anyone sees the signature.

The state file holds that signed checkpoint, and the one before it (:mod:`broker.receipt.slots`). It lives
outside the database, so a database restored from a backup, or replaced, no longer fits it. If the file is
lost, the newest published checkpoint of the log takes its place.

Another key signs from the moment on that the log has a leaf which says so (:mod:`broker.receipt.log_keys`),
proved to the signer together with the head that it is to sign. So whatever process or host put the leaf
there, each signer of the log changes its key at the same size, or signs nothing.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.errors import SetUpError, VerificationFailed
from broker.receipt.cose_receipt import sign_root
from broker.receipt.key_file import known_keys, read_keys, write_keys
from broker.receipt.key_ring import KeyMissing, KeyRing
from broker.receipt.log_keys import LogKeys, Succession, SuccessionLeaf, Trust
from broker.receipt.merkle import verify_consistency, verify_inclusion
from broker.receipt.note import Checkpoint, VerifierKey, sign_note
from broker.receipt.slots import Slots, read_slots

MAX_ORIGIN = 1024
"""Bytes of a log's name, so that a note fits where it is remembered."""


class SignerMemory:
    """The log's keys and the last head signed with them. Not safe for use by several threads at once.

    Args:
        load: the private keys that are on disk now, the log's first one first.

    Raises:
        SetUpError: the origin is no key name, the state file is not this log's, cannot be used, or another
            signer uses it; or the key that must sign now is not on disk.
    """

    def __init__(self, state: Path, load: Callable[[], Sequence[Ed25519PrivateKey]], origin: str) -> None:
        if len(origin.encode()) > MAX_ORIGIN:
            raise SetUpError(
                f"日志名称 [log] origin 不得超过 {MAX_ORIGIN} 字节。",
                f"The log's name [log] origin must not be longer than {MAX_ORIGIN} bytes.",
            )
        self._state = state
        self._ring = KeyRing(load, origin)
        self._lock = _lock(state)
        texts = _read(state)
        self.keys = read_keys(state) or self._ring.beginning(texts)
        """The log's keys as far as this signer was told, and had it proved by the log."""
        self._ring.require(self.keys.newest)
        self._slot, self.note, self._last = _newest(texts, self.keys)
        if self._last is None and any(texts):
            raise _foreign(state)
        self._slots = _open(state, texts)
        self._forked = False

    @property
    def verifier_key(self) -> VerifierKey:
        """The key that signs now."""
        return self.keys.newest

    def extend(
        self,
        size: int,
        root: bytes,
        first_size: int,
        proof: Sequence[bytes],
        history: Sequence[SuccessionLeaf] = (),
    ) -> str:
        """The newest signed checkpoint, after signing the head (size, root) if that extends the last one.

        ``proof`` is the RFC 6962 consistency proof from ``first_size``; when that is not the last size
        signed, or ``size`` is smaller, nothing is signed and the answer tells the asker where the log is.
        Empty text: nothing was ever signed. ``history`` has all successions of the log's key, if there may be
        one among the leaves that this signer was not told of: it signs this head under the newest of them.

        Raises:
            KeyMissing: that key is not on disk here; nothing was signed.
            VerificationFailed: the head contradicts the last one, now or once before. The log has forked,
                and only a person who restarts the signer makes it sign again.
            OSError: the state file cannot be written; nothing was signed.
        """
        if self._forked:
            raise _forked()
        try:
            if self._extends(size, root, first_size, proof):
                self._learn(history, size, root)
                if self.keys.at(size) is not None:
                    self._remember(Checkpoint(self.keys.name, size, root))
        except KeyMissing:
            raise
        except VerificationFailed:
            self._forked = True
            raise
        return self.note

    def cose(self) -> tuple[str, bytes]:
        """The newest signed checkpoint, and a signature over its root for RFC 9942 receipts.

        So the key signs no root but one it has signed, and remembered, as a checkpoint. Both are empty when
        nothing was ever signed.

        Raises:
            VerificationFailed: the log has forked.
        """
        if self._forked:
            raise _forked()
        if self._last is None:
            return "", b""
        key = self._private(self._last.size)
        return self.note, sign_root(self._last.root, key, VerifierKey.of(self.keys.name, key))

    def succeed(self, new: VerifierKey, until: int, since: int, both_until: datetime) -> str:
        """The succession to another key, signed by the present one and that; see :class:`Succession`.

        It comes into force once it is a leaf of a log that this signer is asked to sign.

        Raises:
            KeyMissing: one of the keys is not on disk here.
            ValueError: the sizes contradict each other, or heads as large were signed.
            VerificationFailed: the log has forked, or it had that key before.
        """
        if self._forked:
            raise _forked()
        if self._last is not None and since <= self._last.size:
            raise ValueError("a succession is about heads that were not signed yet")
        succession = Succession(self.keys.newest, until, new, since, both_until)
        note = succession.signed(self._ring.private(succession.old), self._ring.private(new))
        return self.keys.extended([*self.keys.notes, note]).notes[-1]

    def close(self) -> None:
        """Let another signer use the state."""
        self._slots.close()
        os.close(self._lock)

    def _extends(self, size: int, root: bytes, first_size: int, proof: Sequence[bytes]) -> bool:
        if self._last is None:
            return size > 0 and first_size == 0
        if size < self._last.size:
            return False
        if size == self._last.size:
            verify_consistency(size, size, self._last.root, root, ())
            return False
        if first_size != self._last.size:
            return False
        verify_consistency(first_size, size, self._last.root, root, proof)
        return True

    def _learn(self, history: Sequence[SuccessionLeaf], size: int, root: bytes) -> None:
        """Take over the keys that the log's leaves say it has, durably: before a head is signed with them."""
        keys = self.keys.extended([leaf.note() for leaf in history])
        if keys == self.keys:
            return
        for leaf, succession in zip(history, keys.successions, strict=True):
            if leaf.leaf_index != succession.leaf_index:
                raise VerificationFailed("密钥更替的位置不符 / log key succession: another leaf than it says")
            verify_inclusion(leaf.hash(), leaf.leaf_index, size, leaf.proof, root)
        self._ring.require(keys.newest)
        write_keys(self._state, keys)
        self.keys = keys

    def _private(self, size: int) -> Ed25519PrivateKey:
        return self._ring.private(self.keys.at(size) or self.keys.newest)

    def _remember(self, checkpoint: Checkpoint) -> None:
        signing = [self._private(checkpoint.size), *self._signing_along(checkpoint.size)]
        note = sign_note(checkpoint.text(), self.keys.name, *signing)
        slot = 1 - self._slot
        self._slots.write(slot, note)
        self._slot, self.note, self._last = slot, note, checkpoint

    def _signing_along(self, size: int) -> list[Ed25519PrivateKey]:
        """The key before, as long as the succession says, and it is still there."""
        if not self.keys.successions or size < (last := self.keys.successions[-1]).since:
            return []
        old = self._ring.held.get(last.old) if datetime.now(UTC) < last.both_until else None
        return [] if old is None else [old]


def remembered(state: Path, trust: Trust) -> str:
    """The newest signed checkpoint in a state file; empty without one. When none of the keys that ``trust``
    leads to signed anything of what is in it, something that does not verify. A signer may be using the file.

    Raises:
        SetUpError: the file, or that of the keys beside it, cannot be read.
        VerificationFailed: the keys beside it are another log's.
    """
    texts = _read(state)
    _, note, _ = _newest(texts, known_keys(state, trust))
    return note or next(filter(None, texts), "")


def _newest(texts: Sequence[str], keys: LogKeys) -> tuple[int, str, Checkpoint | None]:
    """Slot, note and checkpoint of the largest one that any of the keys has signed; slot 1, so that 0 is
    written next, when there is none. A slot that does not verify was being written when the power failed."""
    found: tuple[int, str, Checkpoint | None] = (1, "", None)
    for slot, note in enumerate(texts):
        with suppress(VerificationFailed):
            checkpoint = keys.recognised(note)
            if found[2] is None or checkpoint.size > found[2].size:
                found = slot, note, checkpoint
    return found


def _lock(state: Path) -> int:
    """Held as long as this process lives: two signers with one memory could sign two histories."""
    try:
        lock = os.open(f"{state}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SetUpError(
            f"签名状态文件 {state} 正被另一签名进程使用，请先停止另一个服务。",
            f"Signer state {state} is in use by another signer; stop the other broker first.",
        ) from None
    except OSError as error:
        raise _unusable(state, error) from None
    return lock


def _read(state: Path) -> list[str]:
    try:
        return read_slots(state)
    except OSError as error:
        raise _unusable(state, error) from None


def _open(state: Path, texts: Sequence[str]) -> Slots:
    try:
        return Slots(state, texts)
    except (OSError, ValueError) as error:
        raise _unusable(state, error) from None


def _forked() -> VerificationFailed:
    return VerificationFailed("日志曾分叉，签名已停止 / log: it had forked, signing has stopped")


def _foreign(state: Path) -> SetUpError:
    return SetUpError(
        f"签名状态文件 {state} 不是由本日志密钥签发；请核对 [keys] 与 [log] origin，"
        "或以最近公布的日志头替换该文件。",
        f"Signer state {state} was not signed by this log's key; check [keys] and [log] "
        "origin, or put the newest published checkpoint in its place.",
    )


def _unusable(state: Path, error: OSError | ValueError) -> SetUpError:
    said = getattr(error, "strerror", None) or error
    return SetUpError(
        f"无法使用签名状态文件 {state}（{said}）。", f"Signer state {state} cannot be used ({said})."
    )
