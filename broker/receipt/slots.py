"""A small text that is replaced often and must survive a power failure: a file of two slots, written in turn.

Whatever happens while one slot is written, the other still holds the text before. The file never changes its
size or its name, so replacing the text costs one flush of the disk, where a new file, its renaming and the
folder would cost several.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from broker.durable import sync_folder, write_again

SLOT_BYTES = 4096
"""One block of the disk or several: two slots never share one."""

_PADDING = "\n"
"""What a slot ends with; also what a text's own end is recognised by, so that people can read the file."""


class Slots:
    """The file, open for writing. ``texts`` is what :func:`read_slots` found in it; when that was not two
    slots, the file is made anew from it.

    Raises:
        OSError: it cannot be read or written.
        ValueError: a text is too long.
    """

    def __init__(self, path: Path, texts: Sequence[str]) -> None:
        if len(texts) < 2:
            _create(path, texts)
        self._file = os.open(path, os.O_RDWR)
        write_again(self._file)  # it may be of one who was killed before his flush, or whose flush failed
        os.fdatasync(self._file)

    def write(self, slot: int, text: str) -> None:
        """The text is in the slot, durably, once this returns.

        Raises:
            ValueError: it is too long.
            OSError: it may be there or not, or in part; the other slot is as before.
        """
        content = _padded(text)
        if os.pwrite(self._file, content, slot * SLOT_BYTES) != len(content):
            raise OSError(errno.EIO, "short write")
        os.fdatasync(self._file)

    def close(self) -> None:
        """Give back the file."""
        os.close(self._file)


def read_slots(path: Path) -> list[str]:
    """The texts of a file of slots, or of one that somebody put there with a single text; none without one.

    Somebody may be writing it: a text may be half old and half new, which its signature shows.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    if len(content) != 2 * SLOT_BYTES:
        return [_text(content)]
    return [_text(content[:SLOT_BYTES]), _text(content[SLOT_BYTES:])]


def _create(path: Path, texts: Sequence[str]) -> None:
    """All of it or nothing, under a new name first: a text that is there already must not be lost."""
    temporary = f"{path}.new"
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        content = b"".join(_padded(text) for text in (*texts, "", "")[:2])
        if os.write(file, content) != len(content):
            raise OSError(errno.ENOSPC, "short write")
        os.fsync(file)
    finally:
        os.close(file)
    os.replace(temporary, path)
    sync_folder(path.parent)


def _padded(text: str) -> bytes:
    content = text.encode()
    if len(content) > SLOT_BYTES:
        raise ValueError("the text is longer than a slot")
    return content.ljust(SLOT_BYTES, _PADDING.encode())


def _text(content: bytes) -> str:
    text = content.decode("utf-8", "replace").rstrip(_PADDING)
    return f"{text}{_PADDING}" if text else ""
