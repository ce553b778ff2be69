"""Apply each mutant to a copy of the program and run its test there; ``make mutants``.

A mutant is found when its test fails: neither an error of collection nor a test that is missing counts. Each
runs in a fork of a process that has the libraries loaded, for to load them costs more than most of the tests.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import cryptography.hazmat.primitives.ciphers.aead  # noqa: F401 - loaded before the forks
import hypothesis.strategies  # noqa: F401
import numpy as np  # noqa: F401
import orjson  # noqa: F401
import pyarrow.compute  # noqa: F401
import pydantic  # noqa: F401
import pytest
from mutants import ALL, Mutant  # beside this file, which is run as a program

HERE = Path(__file__).resolve().parents[2]
COPIED = ("adapters", "broker", "tests/adapters/masking", "tests/desensitize", "tests/keys")
WORKERS = 2
SECONDS = 120
"""Of one test: for a mutant that never ends."""
FAILED = 1
"""Of pytest's exit codes."""


def main() -> int:
    """Print each mutant that no test found; 0 when there is none."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="mutants-") as folder,
        get_context("fork").Pool(WORKERS, _prepare, (Path(folder),)) as pool,
    ):
        sound = pool.apply(_run, (sorted({mutant.test for mutant in ALL}),))
        outcomes = list(zip(ALL, pool.imap(_try, ALL), strict=True)) if sound == 0 else []
    if sound != 0:
        print(f"the tests do not pass in a copy of the program as it is: pytest exits with {sound}")
        return 1
    lived = [mutant for mutant, outcome in outcomes if outcome != FAILED]
    for mutant in lived:
        print(f"not found: {mutant.name} ({mutant.file}, {mutant.test})")
    print(f"{len(ALL) - len(lived)} of {len(ALL)} mutants found in {time.monotonic() - began:.0f} s")
    return 1 if lived else 0


def _prepare(folder: Path) -> None:
    """A copy of the program for this worker, from which it imports."""
    own = folder / str(os.getpid())
    for name in COPIED:
        shutil.copytree(HERE / name, own / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "pyproject.toml", own)
    os.chdir(own)
    sys.path.insert(0, str(own))
    sys.dont_write_bytecode = True


def _try(mutant: Mutant) -> int:
    """What pytest exits with when the mutant has taken its guard away."""
    file = Path(mutant.file)
    sound = file.read_text(encoding="utf-8")
    if sound.count(mutant.before) != 1:
        raise ValueError(f"{mutant.name}: not exactly once in {mutant.file}: {mutant.before}")
    file.write_text(sound.replace(mutant.before, mutant.after), encoding="utf-8")
    try:
        return _run([mutant.test])
    finally:
        file.write_text(sound, encoding="utf-8")


def _run(tests: list[str]) -> int:
    """Pytest's exit code for these tests, in a process of their own."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        os._exit(
            pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--assert=plain", *tests])
        )
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
