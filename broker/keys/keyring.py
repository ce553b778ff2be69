"""The broker's secret keys: one master key per version, and a derived key for every use.

Source: RFC 5869 (HKDF-SHA256), RFC 2104 (HMAC). Each use has a label of its own, so no key serves two uses
and knowing one derived key tells nothing of another or of the master.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.masking.keys import FieldKeys, unambiguous
from broker.errors import SetUpError
from broker.keys.files import read_private_file, write_private_file

FORMAT = "share-keyring/v1"
_MASTER_BYTES = 32
_TAG_BYTES = 16
_CACHED_KEYS = 8192


class Keyring:
    """Master keys by version, in a JSON file readable by its owner only. The latest version is used.

    An object keeps the version it was opened with. After :meth:`rotate` (and a restart of the broker)
    pseudonyms change, subject tags of one person no longer match earlier ones, and a retry of a request
    made before is no longer recognised as one; older versions stay in the file for what was made with them.
    """

    def __init__(self, path: Path, masters: Mapping[int, bytes]) -> None:
        self._path = path
        self._masters = dict(masters)
        self.version = max(masters)
        self._derived = lru_cache(maxsize=_CACHED_KEYS)(self._derive)

    def __repr__(self) -> str:
        return f"Keyring(version={self.version})"  # never the keys

    @classmethod
    def create(cls, path: Path) -> Keyring:
        """A new keyring with version 1.

        Raises:
            SetUpError: the file exists or cannot be written.
        """
        if path.exists():
            raise SetUpError(
                f"密钥文件 {path} 已存在，未作改动。", f"Key file {path} exists; nothing changed."
            )
        keyring = cls(path, {1: secrets.token_bytes(_MASTER_BYTES)})
        keyring._write()
        return keyring

    @classmethod
    def open(cls, path: Path) -> Keyring:
        """The keyring in ``path``.

        Raises:
            SetUpError: the file is missing, damaged, or open to others.
        """
        try:
            content = orjson.loads(read_private_file(path))
            masters = {int(version): bytes.fromhex(key) for version, key in content["keys"].items()}
            usable = content["format"] == FORMAT and masters and min(masters) > 0
            if not usable or any(len(key) != _MASTER_BYTES for key in masters.values()):
                raise ValueError("not a keyring")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SetUpError(
                f"密钥文件 {path} 不是 {FORMAT} 或已损坏，请从备份恢复。",
                f"Key file {path} is not {FORMAT} or is damaged; restore it from a backup.",
            ) from None
        return cls(path, masters)

    def rotate(self) -> Keyring:
        """The keyring with a further, newest version, written to the file."""
        masters = {**self._masters, self.version + 1: secrets.token_bytes(_MASTER_BYTES)}
        keyring = Keyring(self._path, masters)
        keyring._write()
        return keyring

    @property
    def versions(self) -> tuple[int, ...]:
        """All there are, ascending; those before the one in use are kept to turn back what they made."""
        return tuple(sorted(self._masters))

    def for_field(
        self, provider: str, consumer: str, purpose: str, domain: str, version: int | None = None
    ) -> FieldKeys:
        """Keys for one field domain: other providers, consumers, purposes or domains get unrelated ones.

        ``version`` is the one in use, or that which a receipt names.

        Raises:
            SetUpError: the keyring has no such version.
        """
        version = self.version if version is None else version
        key = self.derive(("mask", provider, consumer, purpose, domain), _MASTER_BYTES, version)
        return FieldKeys(version, key)

    def request_mac(self, data: bytes) -> bytes:
        """32 bytes (HMAC-SHA256) that bind a request: an outsider cannot test guesses of its content."""
        return _prf(self.derive(("request-mac",), 32), data)

    def nonce(self, consumer_uri: str, request_id: str) -> bytes:
        """32 bytes that salt an answer's digest; the same for a retry, unknown to all but the consumer."""
        return _prf(self.derive(("nonce",), 32), unambiguous((consumer_uri, request_id)))

    def subject_tag(self, subject: str, request_id: str, version: int | None = None) -> bytes:
        """16 bytes by which the holder of the vault key finds a person's receipts; nobody else can.

        ``version`` is the one in use, or that with which a receipt was tagged.

        Raises:
            SetUpError: the keyring has no such version.
        """
        own_key = _prf(self.derive(("subject-vault",), 32, version), subject.encode())
        return _prf(own_key, request_id.encode())[:_TAG_BYTES]

    def derive(self, context: tuple[str, ...], length: int, version: int | None = None) -> bytes:
        """``length`` bytes for ``context``, from the master key in use or that of ``version``. Cached.

        Raises:
            SetUpError: the keyring has no such version.
        """
        return self._derived(context, length, self.version if version is None else version)

    def _derive(self, context: tuple[str, ...], length: int, version: int) -> bytes:
        info = unambiguous(("sharebroker/v1", *context, str(length)))
        master = self._masters.get(version)
        if master is None:
            raise self._no_version(version)
        return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(master)

    def _no_version(self, version: int) -> SetUpError:
        there = "、".join(map(str, self.versions)), ", ".join(map(str, self.versions))
        return SetUpError(
            f"密钥文件 {self._path} 没有第 {version} 版密钥，只有第 {there[0]} 版，请从备份恢复。",
            f"Key file {self._path} has no key of version {version}, only {there[1]}; restore a backup.",
        )

    def _write(self) -> None:
        keys = {str(version): key.hex() for version, key in self._masters.items()}
        write_private_file(self._path, orjson.dumps({"format": FORMAT, "keys": keys}))


def _prf(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")
