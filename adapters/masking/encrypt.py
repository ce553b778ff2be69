"""Deterministic encryption (确定性加密) of names and other texts that have no form to keep.

AES-SIV (RFC 5297) needs no nonce: equal texts give equal results within one key context, and whoever holds
the key turns them back. It tells who is the same, and how long a text is; where that is too much, redact.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from typing import ClassVar

import pyarrow as pa
from cryptography.exceptions import InvalidTag

from adapters.masking.arrays import require, text_mask
from adapters.masking.cipher import SIV, Siv
from adapters.masking.contract import (
    Becomes,
    BoundMask,
    KeyContext,
    KnownAnswer,
    Params,
    Properties,
    TypeTest,
)

KEY_LABEL = "encrypt/aes-siv-512"
_KEY_BYTES = 64


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
        siv = _siv(params, keys)
        return _of_texts(lambda text: _written(siv.encrypt(b"\0" + text.encode(), None)))

    def unbind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """The way back; what was not encrypted under these keys becomes null."""
        siv = _siv(params, keys)

        def read(text: str) -> str | None:
            try:
                padded = text + "=" * (-len(text) % 4)
                return siv.decrypt(urlsafe_b64decode(padded), None)[1:].decode()
            except (InvalidTag, NotBase64, ValueError):
                return None

        return _of_texts(read)


def _siv(params: Params, keys: KeyContext | None) -> Siv:
    EncryptParams.model_validate(params)
    if keys is None:
        raise ValueError("encrypt needs a key")
    return SIV(keys.derive(KEY_LABEL, _KEY_BYTES))


def _written(encrypted: bytes) -> str:
    return urlsafe_b64encode(encrypted).rstrip(b"=").decode("ascii")


def _of_texts(one: Callable[[str], str | None]) -> BoundMask:
    """``one`` for each distinct text: columns of names repeat themselves."""

    def many(texts: pa.Array) -> pa.Array:
        encoded = texts.dictionary_encode()
        return pa.array(map(one, encoded.dictionary.to_pylist()), pa.string()).take(encoded.indices)

    return text_mask(one, many)
