"""Deterministic encryption (确定性加密) of names and other texts that have no form to keep.

AES-SIV (RFC 5297) needs no nonce: equal texts give equal results within one key context, and whoever holds
the key turns them back. It tells who is the same, and how long a text is; where that is too much, redact.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from string import ascii_letters, digits
from typing import ClassVar

import numpy as np
import pyarrow as pa
from cryptography.exceptions import InvalidTag

from adapters.masking.arrays import Bytes, fixed_width_texts, require, text_mask
from adapters.masking.cipher import BLOCK, SIV
from adapters.masking.contract import (
    Becomes,
    BoundMask,
    KeyContext,
    KnownAnswer,
    Params,
    Properties,
    TypeTest,
)
from adapters.masking.siv import siv_decrypted, siv_encrypted
from adapters.masking.widths import OfOneWidth, by_width

KEY_LABEL = "encrypt/aes-siv-512"
_KEY_BYTES = 64
_LOOKED_AT = 65_536
"""Rows at the beginning by which it is told whether texts repeat themselves."""

_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")
_DIGITS = (ascii_letters + digits + "-_").encode()


class EncryptParams(Params):
    """None: consumer, purpose and field domain are in the key."""


class Encrypt:
    """AES-SIV of a zero byte and the text's UTF-8 bytes, in unpadded base64url (RFC 4648 §5)."""

    name: ClassVar[str] = "encrypt"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "确定性加密"
    summary: ClassVar[str] = "Encrypts a text so that equal texts match and only the key's holder reads them."
    params: ClassVar[type[Params]] = EncryptParams
    properties: ClassVar[Properties] = Properties(
        reversible=True, linkable=True, needs_key=True, short=Becomes.MASKED, invalid=Becomes.MASKED
    )
    accepts: ClassVar[Mapping[str, TypeTest]] = {"text": pa.types.is_string}
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(("张三", "", None), ("y7DBazdP-SW9pp-8wqm5-0Wdid_5E3A", "bCE9oMIrtCuT1SH9xmLB0Lc", None)),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """``string``.

        Raises:
            TypeError: ``values`` is not text.
        """
        require(self.name, values, self.accepts)
        return pa.string()

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Derives the key once.

        Raises:
            ValueError: there are parameters, or no keys.
        """
        key = _key(params, keys)
        siv = SIV(key)

        def one(text: str) -> str:
            return _written(siv.encrypt(b"\0" + text.encode(), None))

        return _of_texts(one, lambda characters: _all_written(key, characters))

    def unbind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """The way back; what was not encrypted under these keys becomes null."""
        key = _key(params, keys)
        siv = SIV(key)

        def one(text: str) -> str | None:
            try:
                padded = text + "=" * (-len(text) % 4)
                return siv.decrypt(urlsafe_b64decode(padded), None)[1:].decode()
            except (InvalidTag, NotBase64, ValueError):
                return None

        return _of_texts(one, lambda characters: _all_read(key, characters))


def _key(params: Params, keys: KeyContext | None) -> bytes:
    EncryptParams.model_validate(params)
    if keys is None:
        raise ValueError("encrypt needs a key")
    return keys.derive(KEY_LABEL, _KEY_BYTES)


def _written(encrypted: bytes) -> str:
    return urlsafe_b64encode(encrypted).rstrip(b"=").decode("ascii")


def _of_texts(one: Callable[[str], str | None], of_one_width: OfOneWidth) -> BoundMask:
    """``one`` for each distinct text, where texts repeat themselves as names do."""

    def many(texts: pa.Array) -> pa.Array:
        first = texts[:_LOOKED_AT]
        if len(first.unique()) > len(first) // 2:
            return by_width(texts, one, of_one_width)
        encoded = texts.dictionary_encode()
        return by_width(encoded.dictionary, one, of_one_width).take(encoded.indices)

    return text_mask(one, many)


def _all_written(key: bytes, characters: Bytes) -> pa.Array:
    """``characters``, the bytes of texts of one length, encrypted."""
    rows, width = characters.shape
    messages = np.zeros((rows, width + 1), np.uint8)
    messages[:, 1:] = characters
    encrypted = siv_encrypted(key, messages)
    size = encrypted.shape[1]
    filled = np.zeros((rows, -(-size // 3) * 3), np.uint8)
    filled[:, :size] = encrypted
    written = np.frombuffer(b2a_base64(filled.data, newline=False).translate(_TO_URL), np.uint8)
    return fixed_width_texts(written.reshape(rows, -1)[:, : -(-size * 4 // 3)], np.ones(rows, np.bool_))


def _all_read(key: bytes, written: Bytes) -> pa.Array | None:
    """The way back; None where a row has something odd in it and they had better be read one by one."""
    rows, width = written.shape
    size = width * 3 // 4
    if size <= BLOCK or width % 4 == 1 or written.tobytes().translate(None, _DIGITS):
        return None
    filled = np.full((rows, -(-width // 4) * 4), ord("A"), np.uint8)
    filled[:, :width] = written
    encrypted = np.frombuffer(a2b_base64(filled.tobytes().translate(_FROM_URL)), np.uint8)
    messages, genuine = siv_decrypted(key, encrypted.reshape(rows, -1)[:, :size])
    texts = fixed_width_texts(messages[genuine, 1:], genuine)
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return None
    return texts
