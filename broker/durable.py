"""What a power failure must not take back."""

from __future__ import annotations

import os
from pathlib import Path

_BLOCK = 1024 * 1024


def sync_folder(folder: Path) -> None:
    """The names in the folder, of files made or renamed, are on disk once this returns.

    Raises:
        OSError: they may not be.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_again(file: int) -> None:
    """Everything in an open file is written once more where it stands, so that a flush of it is one of all.

    A flush that failed, of whoever had the file open before, may have left what only memory holds: Linux lets
    everybody read it, takes it for written, and never writes it. Nobody else may write meanwhile.

    Raises:
        OSError: it cannot be read or written.
    """
    at = 0
    while block := os.pread(file, _BLOCK, at):
        at += os.pwrite(file, block, at)
