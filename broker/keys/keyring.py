"""The broker's secret keys: one master per version, and a derived key for every use.

Source: RFC 5869 (HKDF-SHA256), RFC 2104 (HMAC). Each use has a label of its own, so no key serves two uses
and knowing one derived key tells nothing of another or of the master.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from adapters.masking.cipher import derived
from adapters.masking.keys import FieldKeys, unambiguous
from broker.errors import SetUpError
from broker.model import KeyInUse

MASTER_BYTES = 32
_TAG_BYTES = 16
_FINGERPRINT_BYTES = 8
_CACHED_KEYS = 8192


@dataclass(frozen=True, slots=True)
class Master:
    """One version of the keyring."""

    key: bytes = field(repr=False)
    """32 bytes."""
    created: datetime | None = None
    """None for one that a ``share-keyring/v1`` held."""


class Keyring:
    """Masters by version, one of them in use. Immutable; safe for use by many threads.

    ``binding`` is the version that recognises retries and persons. It stays when masks move on to another:
    or a retry would be taken for another request, and a person's receipts of before not be found.

    Raises:
        SetUpError: it has no such version.
    """

    def __init__(self, masters: Mapping[int, Master], binding: int, version: int | None = None) -> None:
        self.masters = dict(masters)
        self.binding = binding
        self.version = self.newest if version is None else version
        for needed in (self.binding, self.version):
            self._require(needed)
        self._derived = lru_cache(maxsize=_CACHED_KEYS)(self._derive)

    def __repr__(self) -> str:
        return f"Keyring(version={self.version})"  # never the keys

    @classmethod
    def new(cls, created: datetime) -> Keyring:
        """A keyring with version 1."""
        return cls({1: Master(secrets.token_bytes(MASTER_BYTES), created)}, binding=1)

    def with_another(self, created: datetime) -> Keyring:
        """The keyring with a further, newest version, which is the one in use."""
        master = Master(secrets.token_bytes(MASTER_BYTES), created)
        return Keyring({**self.masters, self.newest + 1: master}, self.binding)

    def using(self, version: int) -> Keyring:
        """The keyring with ``version`` in use; raises SetUpError if it has none such."""
        return self if version == self.version else Keyring(self.masters, self.binding, version)

    def in_use(self, named: KeyInUse) -> Keyring:
        """The keyring with that key in use; the newest where none is named.

        Raises:
            SetUpError: it has no such version, or another key of that version.
        """
        if not named.version:
            return self.using(self.newest)
        keyring = self.using(named.version)
        if keyring.fingerprint() != named.fingerprint:
            raise SetUpError(
                f"密钥文件中第 {named.version} 版密钥的指纹是 {keyring.fingerprint()}，"
                f"生效的却是 {named.fingerprint}：这是另一份密钥文件，请换回同一份。",
                f"The keyring's version {named.version} has the fingerprint {keyring.fingerprint()}, but in "
                f"force is {named.fingerprint}: this is another keyring; put back the one that all brokers "
                "of the database share.",
            )
        return keyring

    @property
    def newest(self) -> int:
        """The highest version."""
        return max(self.masters)

    @property
    def versions(self) -> tuple[int, ...]:
        """All there are, ascending; those before the one in use are kept to turn back what they made."""
        return tuple(sorted(self.masters))

    @property
    def key(self) -> KeyInUse:
        """The key in use, by name."""
        return KeyInUse(self.version, self.fingerprint())

    def fingerprint(self, version: int | None = None) -> str:
        """16 hexadecimal digits, the same for the same key and binding key only; they tell nothing of it."""
        binding = self.derive(("fingerprint",), 32, self.binding)
        return _prf(self.derive(("fingerprint",), 32, version), binding)[:_FINGERPRINT_BYTES].hex()

    def for_field(
        self, provider: str, consumer: str, purpose: str, domain: str, version: int | None = None
    ) -> FieldKeys:
        """Keys for one field domain: other providers, consumers, purposes or domains get unrelated ones.

        ``version`` is the one in use, or that which a receipt names.

        Raises:
            SetUpError: the keyring has no such version.
        """
        return self._of_field(("mask", provider, consumer, purpose, domain), version)

    def for_link(
        self, link: str, consumer: str, purpose: str, domain: str, version: int | None = None
    ) -> FieldKeys:
        """The same for all that the link domain ``link`` joins: it takes the provider's place, and that of
        what is empty. Raises as above.
        """
        return self._of_field(("link", link, consumer, purpose, domain), version)

    def request_mac(self, data: bytes) -> bytes:
        """32 bytes (HMAC-SHA256) that bind a request: an outsider cannot test guesses of its content."""
        return _prf(self._binding_key("request-mac"), data)

    @property
    def held_key(self) -> bytes:
        """64 bytes (AES-SIV) under which the broker keeps what is held of a person apart from the log."""
        return self.derive(("held",), 64, self.binding)

    def nonce(self, consumer_uri: str, request_id: str) -> bytes:
        """32 bytes that salt an answer's digest; the same for a retry, unknown to all but the consumer."""
        return _prf(self._binding_key("nonce"), unambiguous((consumer_uri, request_id)))

    def subject_tag(self, subject: str, request_id: str, version: int | None = None) -> bytes:
        """16 bytes by which the holder of the vault key finds a person's receipts; nobody else can.

        ``version`` is that of the masks beside a receipt's tag: keyrings of before also tagged with it.

        Raises:
            SetUpError: the keyring has no such version.
        """
        version = self.binding if version is None else min(version, self.binding)
        own_key = _prf(self.derive(("subject-vault",), 32, version), subject.encode())
        return _prf(own_key, request_id.encode())[:_TAG_BYTES]

    def match_tag(self, subject: str, asked: tuple[str, ...]) -> bytes:
        """16 bytes by which claims on one person are counted, for who ``asked`` for which field on which day;
        nobody without the key can tell whose they are."""
        return _prf(self._binding_key("match-tag"), unambiguous((*asked, subject)))[:_TAG_BYTES]

    def derive(self, context: tuple[str, ...], length: int, version: int | None = None) -> bytes:
        """``length`` bytes for ``context``, from the master in use or that of ``version``. Cached.

        Raises:
            SetUpError: the keyring has no such version.
        """
        return self._derived(context, length, self.version if version is None else version)

    def _of_field(self, context: tuple[str, ...], version: int | None) -> FieldKeys:
        version = self.version if version is None else version
        return FieldKeys(version, self.derive(context, MASTER_BYTES, version))

    def _binding_key(self, label: str) -> bytes:
        return self.derive((label,), 32, self.binding)

    def _derive(self, context: tuple[str, ...], length: int, version: int) -> bytes:
        self._require(version)
        info = unambiguous(("sharebroker/v1", *context, str(length)))
        return derived(self.masters[version].key, info, length)

    def _require(self, version: int) -> None:
        if version not in self.masters:
            there = "、".join(map(str, self.versions)), ", ".join(map(str, self.versions))
            raise SetUpError(
                f"密钥文件中没有第 {version} 版密钥，只有第 {there[0]} 版：请放上含有该版本的密钥文件。",
                f"The keyring has no key of version {version}, only {there[1]}: put a keyring in place that "
                "has it.",
            )


def _prf(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")
