"""The log's private keys, as the signer holds them: told apart by the verifier keys that belong to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.errors import SetUpError, VerificationFailed
from broker.receipt.log_keys import LogKeys
from broker.receipt.note import VerifierKey


class KeyMissing(VerificationFailed):
    """The log has gone on to a key that is not on this host's disk."""

    def __init__(self, digits: str) -> None:
        self.digits = digits
        """Its key id in hexadecimal."""
        super().__init__(
            f"日志密钥已更替，本机缺少编号 {digits} 的密钥文件，请从其他服务器复制 / log key: the log "
            f"has gone on to key {digits}, whose file is missing here; copy it from the other host"
        )


class KeyRing:
    """The keys on disk; read again when one is missed, for it may have been put there meanwhile.

    Raises:
        SetUpError: the origin is no key name, or a key cannot be read.
    """

    def __init__(self, load: Callable[[], Sequence[Ed25519PrivateKey]], origin: str) -> None:
        self._load = load
        self._origin = origin
        self.held: dict[VerifierKey, Ed25519PrivateKey] = {}
        """In the order of :func:`~broker.keys.log_key.log_key_files`: the log's first key first."""
        self._read()

    def beginning(self, notes: Sequence[str]) -> LogKeys:
        """What is known before anybody has told of a succession: the first key on disk that has signed one of
        the notes, or else the first."""
        for key in self.held:
            for note in notes:
                with suppress(VerificationFailed):
                    LogKeys(key).recognised(note)
                    return LogKeys(key)
        return LogKeys(next(iter(self.held)))

    def private(self, key: VerifierKey) -> Ed25519PrivateKey:
        """The private half.

        Raises:
            KeyMissing: it is not on disk.
        """
        if key not in self.held:
            with suppress(SetUpError):
                self._read()
        if key not in self.held:
            raise KeyMissing(key.id.hex())
        return self.held[key]

    def require(self, key: VerifierKey) -> None:
        """As :meth:`private`, to be sure of it."""
        self.private(key)

    def _read(self) -> None:
        try:
            self.held = {VerifierKey.of(self._origin, private): private for private in self._load()}
        except ValueError:
            raise SetUpError(
                "日志名称 [log] origin 不得为空，不得含空格或加号。",
                "The log's name [log] origin must not be empty, nor have spaces or plus signs.",
            ) from None
