"""What a report says of a person: held apart from the log, sealed, and only for as long as it is needed.

It is sealed under a key of the broker's keyring, so that the database alone tells nothing. Where there is a
vault that knows the person, it is first sealed under the person's own key: who is forgotten is forgotten
here too, in every backup. Source: RFC 5297 (AES-SIV).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import orjson
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from broker.errors import Unavailable
from broker.keys.keyring import Keyring
from broker.marks import Marks
from broker.reasons import Reason
from broker.receipt.statement import SALT_BYTES

log = structlog.get_logger("sharebroker.corrections")

_REF_CHARACTERS = 32
_NOBODY = b" " * _REF_CHARACTERS
"""Stands where there is no key of the person's own."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a report says of a person; never to be logged, listed or put into a statement."""

    subject: str = field(repr=False)
    """Identifier; empty where the report names none."""
    claimed: Mapping[str, str] = field(repr=False)
    """Field → what would be right, as the consumer believes."""
    grounds: str = field(repr=False)
    """Why, in the consumer's words."""

    def salted(self) -> bytes:
        """As it is held: UTF-8 JSON with a salt of its own, so that its hash tells nothing."""
        content = {
            "subject": self.subject,
            "claimed": dict(self.claimed),
            "grounds": self.grounds,
            "salt": secrets.token_hex(SALT_BYTES),
        }
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def of(cls, salted: bytes) -> Content:
        """The inverse of :meth:`salted`."""
        content = orjson.loads(salted)
        return cls(content["subject"], content["claimed"], content["grounds"])


def seal(content: Content, keyring: Keyring, marks: Marks) -> tuple[bytes, bytes]:
    """What is held, and the digest that the statement has of it.

    Raises:
        Unavailable: VAULT_UNAVAILABLE.
    """
    salted = content.salted()
    digest = sha256(salted).digest()
    ref, inner = _NOBODY, salted
    if marks.vault is not None and content.subject:
        known = marks.vault.ref(content.subject)
        if (key := marks.vault.key_of(known)) is not None:
            ref, inner = known.encode(), key.seal_held(salted, digest)
    return AESSIV(keyring.held_key).encrypt(ref + inner, [b"correction", digest]), digest


def unseal(held: bytes, digest: bytes, keyring: Keyring, marks: Marks) -> Content | None:
    """What is held under that digest; None once it is erased, or the person forgotten.

    Raises:
        Unavailable: VAULT_UNAVAILABLE; LOG_UNAVAILABLE, it was altered.
    """
    if not held:
        return None
    try:
        opened = AESSIV(keyring.held_key).decrypt(held, [b"correction", digest])
    except InvalidTag:
        log.critical("held_content_altered")
        raise Unavailable(Reason.LOG_UNAVAILABLE) from None
    ref, inner = opened[:_REF_CHARACTERS], opened[_REF_CHARACTERS:]
    if ref == _NOBODY:
        return Content.of(inner)
    key = None if marks.vault is None else marks.vault.key_of(ref.decode())
    if key is None:
        return None
    try:
        return Content.of(key.open_held(inner, digest))
    except ValueError:
        return None  # forgotten, and known to the vault anew
