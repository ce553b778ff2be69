"""What the signer remembers: the last log head it signed, on disk before anyone sees the signature.

The state file holds that signed checkpoint, and the one before it (:mod:`broker.receipt.slots`). It lives
outside the database, so a database restored from a backup, or replaced, no longer fits it. If the file is
lost, the newest published checkpoint of the log takes its place.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.errors import SetUpError, VerificationFailed
from broker.receipt.cose_receipt import sign_root
from broker.receipt.merkle import verify_consistency
from broker.receipt.note import Checkpoint, VerifierKey, parse_checkpoint, sign_note, verify_note
from broker.receipt.slots import Slots, read_slots

MAX_ORIGIN = 1024
"""Bytes of a log's name, so that a note fits where it is remembered."""


class SignerMemory:
    """The log's key and the last head signed with it. Not safe for use by several threads at once.

    Raises:
        SetUpError: the origin is no key name, the state file is not this log's, cannot be used, or another
            signer uses it.
    """

    def __init__(self, state: Path, key: Ed25519PrivateKey, origin: str) -> None:
        self._key = key
        try:
            self.verifier_key = VerifierKey.of(origin, key)
        except ValueError:
            raise SetUpError(
                "日志名称 [log] origin 不得为空，不得含空格或加号。",
                "The log's name [log] origin must not be empty, nor have spaces or plus signs.",
            ) from None
        if len(origin.encode()) > MAX_ORIGIN:
            raise SetUpError(
                f"日志名称 [log] origin 不得超过 {MAX_ORIGIN} 字节。",
                f"The log's name [log] origin must not be longer than {MAX_ORIGIN} bytes.",
            )
        self._lock = _lock(state)
        texts = _read(state)
        self._slot, self.note, self._last = _newest(texts, self.verifier_key)
        if self._last is None and any(texts):
            raise _foreign(state)
        self._slots = _open(state, texts)
        self._forked = False

    def extend(self, size: int, root: bytes, first_size: int, proof: Sequence[bytes]) -> str:
        """The newest signed checkpoint, after signing the head (size, root) if that extends the last one.

        ``proof`` is the RFC 6962 consistency proof from ``first_size``; when that is not the last size
        signed, or ``size`` is smaller, nothing is signed and the answer tells the asker where the log is.
        Empty text: nothing was ever signed.

        Raises:
            VerificationFailed: the head contradicts the last one, now or once before. The log has forked,
                and only a person who restarts the signer makes it sign again.
            OSError: the state file cannot be written; nothing was signed.
        """
        if self._forked:
            raise _forked()
        try:
            if self._extends(size, root, first_size, proof):
                self._remember(Checkpoint(self.verifier_key.name, size, root))
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
        return self.note, sign_root(self._last.root, self._key, self.verifier_key)

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

    def _remember(self, checkpoint: Checkpoint) -> None:
        note = sign_note(checkpoint.text(), self.verifier_key.name, self._key)
        slot = 1 - self._slot
        self._slots.write(slot, note)
        self._slot, self.note, self._last = slot, note, checkpoint


def remembered(state: Path, key: VerifierKey) -> str:
    """The newest signed checkpoint in a state file; empty without one. When ``key`` signed nothing
    of what is in it, something that does not verify. A signer may be using the file.

    Raises:
        SetUpError: the file cannot be read.
    """
    texts = _read(state)
    _, note, _ = _newest(texts, key)
    return note or next(filter(None, texts), "")


def _newest(texts: Sequence[str], key: VerifierKey) -> tuple[int, str, Checkpoint | None]:
    """Slot, note and checkpoint of the largest one that ``key`` has signed; slot 1, so that 0 is written
    next, when there is none. A slot that does not verify was being written when the power failed."""
    found: tuple[int, str, Checkpoint | None] = (1, "", None)
    for slot, note in enumerate(texts):
        with suppress(VerificationFailed):
            checkpoint = parse_checkpoint(verify_note(note, key))
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
