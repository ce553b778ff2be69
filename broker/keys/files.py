"""Private files on disk: a key that others can read is no key, so it is refused."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from broker.errors import SetUpError


def read_private_file(path: Path) -> bytes:
    """The bytes of a key file.

    Raises:
        SetUpError: the file is missing, cannot be read, is no regular file, or others can read or write it.
    """
    try:
        with path.open("rb") as file:
            # Of the open file, not of the path: between two looks at a path it may be another file.
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode) or mode & 0o077:
                raise SetUpError(
                    f"密钥文件 {path} 可被他人访问，已拒绝使用，请执行 chmod 600 {path}。",
                    f"Key file {path} is open to others, so it is refused; run chmod 600 {path}.",
                )
            return file.read()
    except OSError as error:
        raise SetUpError(
            f"无法读取密钥文件 {path}（{error.strerror}）。",
            f"Key file {path} cannot be read ({error.strerror}).",
        ) from None


def write_private_file(path: Path, data: bytes) -> None:
    """Write a key file, readable by its owner only, durably and in one step (old or new, never half).

    Raises:
        SetUpError: the file cannot be written.
    """
    try:
        # mkstemp gives mode 0600 whatever the umask.
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise SetUpError(
            f"无法写入密钥文件 {path}（{error.strerror}）。",
            f"Key file {path} cannot be written ({error.strerror}).",
        ) from None
