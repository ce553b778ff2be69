"""The keyring on disk: each version wrapped under the master key (:mod:`broker.keys.wrapping`).

``share-keyring/v2``, JSON::

    {"format": …, "wrapped_by": id of the master key, "binding": 1,
     "versions": {"1": {"wrapped": hexadecimal, "created": RFC 3339 or null}}}

What is wrapped is the version (8 bytes, big-endian) before the 32 bytes of the key, so that versions cannot
be exchanged in the file. ``share-keyring/v1`` held the keys as they are; it is read, and written as v2.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from broker.durable import sync_folder
from broker.errors import SetUpError
from broker.keys.files import read_private_file, write_private_file
from broker.keys.keyring import MASTER_BYTES, Keyring, Master
from broker.keys.wrapping import KeyWrapper

FORMAT, FORMAT_BEFORE = "share-keyring/v2", "share-keyring/v1"
_VERSION_BYTES = 8


@dataclass(frozen=True, slots=True)
class KeyringFile:
    """A file readable by its owner only; ``wrapper`` is asked for the master key when that is needed.

    Every method raises SetUpError when the file or the master key is missing, damaged, open to others or
    not of the other.
    """

    path: Path
    wrapper: Callable[[], KeyWrapper]

    def create(self, now: datetime) -> Keyring:
        """A new keyring in a new file; raises SetUpError where there is one."""
        with self._locked():
            if self.path.exists():
                raise SetUpError(
                    f"密钥文件 {self.path} 已存在，未作改动。",
                    f"Key file {self.path} exists; nothing changed.",
                )
            keyring = Keyring.new(now)
            self._write(keyring, self.wrapper())
            return keyring

    def read(self) -> Keyring:
        """The keyring, its newest version in use."""
        content = self._content()
        try:
            if content["format"] == FORMAT_BEFORE:
                return _before(content["keys"])
            return self._unwrapped(content)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._damaged() from None

    def prepare(self, beyond: int, now: datetime) -> Keyring:
        """The keyring, with a newest version above ``beyond``: one is added where there is none.

        On disk when this returns, before anybody uses it: what it masks could not be turned back otherwise.
        """
        with self._locked():
            keyring = self.read()
            if keyring.newest <= beyond:
                keyring = keyring.with_another(now)
                self._write(keyring, self.wrapper())
            return keyring

    def rewrap(self, wrapper: KeyWrapper) -> Keyring:
        """The same keys, from here on wrapped by ``wrapper``."""
        with self._locked():
            keyring = self.read()
            self._write(keyring, wrapper)
            return keyring

    @property
    def wrapped_by(self) -> str:
        """Id of the master key that opens the file; empty for one of ``share-keyring/v1``."""
        content = self._content()
        return "" if content.get("format") == FORMAT_BEFORE else str(content.get("wrapped_by", ""))

    def _content(self) -> dict[str, Any]:
        try:
            content = orjson.loads(read_private_file(self.path))
        except ValueError:
            raise self._damaged() from None
        if not isinstance(content, dict) or content.get("format") not in (FORMAT, FORMAT_BEFORE):
            raise self._damaged()
        return content

    def _unwrapped(self, content: dict[str, Any]) -> Keyring:
        wrapper, expected = self.wrapper(), content["wrapped_by"]
        if wrapper.id != expected:
            raise SetUpError(
                f"主密钥不符：密钥文件 {self.path} 须用编号 {expected} 的主密钥打开，现有的是 {wrapper.id}。",
                f"Another master key: key file {self.path} opens with master key {expected}, but here is "
                f"{wrapper.id}.",
            )
        masters = {
            int(version): Master(_opened(wrapper, int(version), entry["wrapped"]), _time(entry["created"]))
            for version, entry in content["versions"].items()
        }
        return _checked(masters, content["binding"])

    def _write(self, keyring: Keyring, wrapper: KeyWrapper) -> None:
        versions = {
            str(version): {
                "wrapped": wrapper.wrap(version.to_bytes(_VERSION_BYTES, "big") + master.key).hex(),
                "created": master.created and master.created.isoformat(timespec="seconds"),
            }
            for version, master in sorted(keyring.masters.items())
        }
        content = {
            "format": FORMAT,
            "wrapped_by": wrapper.id,
            "binding": keyring.binding,
            "versions": versions,
        }
        write_private_file(self.path, orjson.dumps(content, option=orjson.OPT_INDENT_2))
        sync_folder(self.path.parent)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else writes the file meanwhile: two who add a version at once would lose one key."""
        try:
            handle = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise SetUpError(
                f"目录 {self.path.parent} 无法打开（{error.strerror}）。",
                f"Folder {self.path.parent} cannot be opened ({error.strerror}).",
            ) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _damaged(self) -> SetUpError:
        return SetUpError(
            f"密钥文件 {self.path} 不是 {FORMAT} 或已损坏，请从备份恢复。",
            f"Key file {self.path} is not {FORMAT} or is damaged; restore it from a backup.",
        )


def _before(keys: dict[str, str]) -> Keyring:
    """Of version 1 of the format, in which the newest key also bound requests and persons."""
    masters = {int(version): Master(bytes.fromhex(key)) for version, key in keys.items()}
    return _checked(masters, max(masters))


def _checked(masters: dict[int, Master], binding: object) -> Keyring:
    whole = masters and min(masters) > 0 and all(len(one.key) == MASTER_BYTES for one in masters.values())
    if not whole or not isinstance(binding, int) or binding not in masters:
        raise ValueError("not a keyring")
    return Keyring(masters, binding)


def _opened(wrapper: KeyWrapper, version: int, wrapped: str) -> bytes:
    opened = wrapper.unwrap(bytes.fromhex(wrapped))
    if opened[:_VERSION_BYTES] != version.to_bytes(_VERSION_BYTES, "big"):
        raise ValueError("the key of another version")
    return opened[_VERSION_BYTES:]


def _time(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)
