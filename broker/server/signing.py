"""The signer process of a broker, started again whenever it dies."""

from __future__ import annotations

import subprocess

import structlog

from broker.errors import SetUpError
from broker.receipt.signer import spawn_signer
from broker.settings import Settings

log = structlog.get_logger("sharebroker.server")


class KeptSigner:
    """Runs from the start until :meth:`close`. Between its death and :meth:`revive` nothing is released.

    Raises:
        SetUpError: its key or state cannot be used, or another signer uses them.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process = self._spawn()

    @property
    def pid(self) -> int:
        return self._process.pid

    def revive(self) -> None:
        """To be called now and then: starts it again if it died. One that cannot start is tried again."""
        if self._process.poll() is None:
            return
        log.error("signer died", code=self._process.returncode)
        try:
            self._process = self._spawn()
        except SetUpError as error:
            log.error("signer cannot start", zh=error.zh, en=error.en)

    def close(self) -> None:
        """End it; to be called when nobody needs a signature any more."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def _spawn(self) -> subprocess.Popen[bytes]:
        keys, path = self._settings.keys, self._settings.path
        return spawn_signer(path(keys.log_key), path(keys.signer_state), self._settings.log.origin)
