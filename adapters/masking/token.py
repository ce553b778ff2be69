"""Tokens (可逆令牌): format-preserving encryption of the numbers that an office knows people by.

A token looks like its number and can be turned back by whoever holds the key, and by nobody else. So that it
never passes for a real number its check character is wrong, and a mobile number's token begins with 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from adapters.masking.arrays import (
    Bools,
    Bytes,
    fixed_width_texts,
    is_valid,
    one_width,
    require,
    text_mask,
)
from adapters.masking.check_characters import (
    DIGITS,
    RESIDENT_CHECKS,
    USCC_ALPHABET,
    columns_of,
    luhn_check,
    resident_check,
    uscc_check,
)
from adapters.masking.contract import BoundMask, KeyContext, KnownAnswer, Params, Properties, TypeTest
from adapters.masking.ff1 import FF1
from adapters.masking.resident_id import have_birth_dates, is_resident_id
from adapters.masking.widths import by_width

KEY_LABEL = "token/ff1-aes-256"
_KEY_BYTES = 32
_NOT_IN_ALPHABET = 255
_ROWS_AT_ONCE = 16_384


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of number: a head, a body that is encrypted, a check character at the end."""

    title: str
    lengths: tuple[int, ...]
    """Characters of the whole."""
    alphabet: str = DIGITS
    """Of the body."""
    head: bytes = b""
    """What the number begins with; a token has :attr:`token_head` there."""
    token_head: bytes = b""
    checks: str = ""
    """Check characters; empty: it has none."""
    check: Callable[[Any], Any] | None = None
    """Numerals of the body, of one number or of columns → place in :attr:`checks`."""
    fits: Callable[[str], bool] = lambda _: True
    """Whether a text of such head, body and check is such a number."""
    all_fit: Callable[[Bytes], Bools] | None = None
    """The same of each row of characters, shape (n, length), whatever they are; None: all do."""


def _are_mobiles(characters: Bytes) -> Bools:
    """The numbering plan of the Ministry of Industry and Information Technology: 13 to 19 in front."""
    fits: Bools = (characters[:, 1] >= ord("3")) & (characters[:, 1] <= ord("9"))
    return fits


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "resident_id": Profile(
            "公民身份号码",
            (18,),
            checks=RESIDENT_CHECKS,
            check=resident_check,
            fits=is_resident_id,
            all_fit=have_birth_dates,
        ),
        "mobile": Profile(
            "手机号码",
            (11,),
            head=b"1",
            token_head=b"0",
            fits=lambda text: "3" <= text[1] <= "9",
            all_fit=_are_mobiles,
        ),
        "bank_card": Profile("银行卡号", tuple(range(13, 20)), checks=DIGITS, check=luhn_check),
        "uscc": Profile(
            "统一社会信用代码", (18,), alphabet=USCC_ALPHABET, checks=USCC_ALPHABET, check=uscc_check
        ),
        "digits": Profile("六至二十位数字", tuple(range(6, 21))),
    }
)


class TokenParams(Params):
    """The kind of number."""

    profile: Literal["resident_id", "mobile", "bank_card", "uscc", "digits"]


class Token:
    """FF1 over the number's body, the profile as tweak. What is no such number becomes null."""

    name: ClassVar[str] = "token"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "可逆令牌"
    summary: ClassVar[str] = "Replaces a number by a token of its form that only the key's holder turns back."
    params: ClassVar[type[Params]] = TokenParams
    properties: ClassVar[Properties] = Properties(
        reversible=True, format_preserving=True, linkable=True, needs_key=True
    )
    accepts: ClassVar[Mapping[str, TypeTest]] = {"text": pa.types.is_string}
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            ("99010118990101004X", "990101189901010041", None),
            ("426433838416183578", None, None),
            {"profile": "resident_id"},
        ),
        KnownAnswer(("13800138000", "12800138000"), ("05867132778", None), {"profile": "mobile"}),
        KnownAnswer(
            ("4539578763621486", "4539578763621487"), ("3057767440013929", None), {"profile": "bank_card"}
        ),
        KnownAnswer(("91990101MA0000007H",), ("L14MPAA5J8E2DWLYWD",), {"profile": "uscc"}),
        KnownAnswer(("000001", "00001"), ("117537", None), {"profile": "digits"}),
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
            ValueError: there is no such profile, or there are no keys.
        """
        coder = _coder(params, keys)
        return text_mask(coder.token, lambda texts: coder.coded(texts, coder.token, coder.tokens))

    def unbind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """The way back, under the same parameters and keys; what is no token becomes null."""
        coder = _coder(params, keys)
        return text_mask(coder.number, lambda texts: coder.coded(texts, coder.number, coder.numbers))


def _coder(params: Params, keys: KeyContext | None) -> _Coder:
    profile = TokenParams.model_validate(params).profile
    if keys is None:
        raise ValueError("token needs a key")
    return _Coder(PROFILES[profile], keys.derive(KEY_LABEL, _KEY_BYTES), profile.encode())


class _Coder:
    """One profile under one key."""

    def __init__(self, profile: Profile, key: bytes, tweak: bytes) -> None:
        self._profile = profile
        self._alphabet = np.frombuffer(profile.alphabet.encode(), np.uint8)
        self._checks = np.frombuffer(profile.checks.encode(), np.uint8)
        self._numeral = np.full(256, _NOT_IN_ALPHABET, np.uint8)
        self._numeral[self._alphabet] = np.arange(len(self._alphabet))
        self._numerals = {character: numeral for numeral, character in enumerate(profile.alphabet)}
        self._ff1 = lru_cache(maxsize=None)(lambda length: FF1(key, len(self._alphabet), length, tweak))

    # ── one ──────────────────────────────────────────────────────────────────────────────────────

    def token(self, number: str) -> str | None:
        """The token of a number; None for what is no number of the profile."""
        profile = self._profile
        body = self._body(number, profile.head.decode(), 0)
        if body is None or not profile.fits(number):
            return None
        return self._text(profile.token_head.decode(), self._ff1(len(body)).encrypt_one(body), 1)

    def number(self, token: str) -> str | None:
        """What a token stands for; None for what is none."""
        body = self._body(token, self._profile.token_head.decode(), 1)
        if body is None:
            return None
        return self._text(self._profile.head.decode(), self._ff1(len(body)).decrypt_one(body), 0)

    def _body(self, text: str, head: str, off: int) -> list[int] | None:
        """The body's numerals, if ``text`` has that head and a check character ``off`` the right one."""
        if len(text) not in self._profile.lengths or not text.startswith(head):
            return None
        end = len(text) - (1 if self._profile.checks else 0)
        body = [self._numerals.get(character, _NOT_IN_ALPHABET) for character in text[len(head) : end]]
        if _NOT_IN_ALPHABET in body or text[end:] != self._check_character(body, off):
            return None
        return body

    def _text(self, head: str, body: list[int], off: int) -> str:
        written = "".join([self._profile.alphabet[numeral] for numeral in body])
        return head + written + self._check_character(body, off)

    def _check_character(self, body: list[int], off: int) -> str:
        checks, check = self._profile.checks, self._profile.check
        return "" if check is None else checks[(check(body) + off) % len(checks)]

    # ── a column ─────────────────────────────────────────────────────────────────────────────────

    def coded(
        self, texts: pa.Array, one: Callable[[str], str | None], code: Callable[[Bytes], tuple[Bools, Bytes]]
    ) -> pa.Array:
        """``code`` applied to the characters of texts of one length: what ``one`` does to each of them."""
        characters = one_width(texts)
        if characters is not None and characters.shape[1] in self._profile.lengths:
            valid = is_valid(texts)
            valid[valid], coded = _in_parts(code, characters)
            return fixed_width_texts(coded, valid)

        def of_one_width(characters: Bytes) -> pa.Array:
            if characters.shape[1] not in self._profile.lengths:
                return pa.nulls(len(characters), pa.string())
            known, coded = code(characters)
            return fixed_width_texts(coded, known)

        return by_width(texts, one, of_one_width)

    def tokens(self, numbers: Bytes) -> tuple[Bools, Bytes]:
        """Which rows are numbers of the profile, and the tokens of those."""
        known, body = self._read(numbers, self._profile.head, 0)
        if self._profile.all_fit is not None:
            fits = self._profile.all_fit(numbers)
            body, known = _only(fits[known], body), known & fits
        return known, self._written(self._profile.token_head, self._ff1(body.shape[1]).encrypt(body), 1)

    def numbers(self, tokens: Bytes) -> tuple[Bools, Bytes]:
        """Which rows are tokens, and what they stand for."""
        known, body = self._read(tokens, self._profile.token_head, 1)
        return known, self._written(self._profile.head, self._ff1(body.shape[1]).decrypt(body), 0)

    def _read(self, characters: Bytes, head: bytes, off: int) -> tuple[Bools, Bytes]:
        """Which rows have that head and a check character ``off`` the right one, and their numerals."""
        begin, end = len(head), characters.shape[1] - (1 if self._profile.checks else 0)
        known = (characters[:, :begin] == np.frombuffer(head, np.uint8)).all(axis=1)
        body = self._read_numerals(characters[:, begin:end])
        foreign = body >= len(self._alphabet)
        if foreign.any():
            known &= ~foreign.any(axis=1)
            body[foreign] = 0
        known &= (self._check_characters(body, off) == characters[:, end:]).all(axis=1)
        return known, _only(known, body)

    def _read_numerals(self, characters: Bytes) -> Bytes:
        if self._profile.alphabet == DIGITS:  # one subtraction for many characters at once
            return characters - np.uint8(ord("0"))
        return self._numeral[characters]

    def _check_characters(self, body: Bytes, off: int) -> Bytes:
        """Shape (n, 1), or (n, 0) where the profile has none."""
        if self._profile.check is None:
            return np.empty((len(body), 0), np.uint8)
        checks: Bytes = self._checks[(self._profile.check(columns_of(body)) + off) % len(self._checks)]
        return checks[:, None]

    def _written(self, head: bytes, body: Bytes, off: int) -> Bytes:
        heads = np.broadcast_to(np.frombuffer(head, np.uint8), (len(body), len(head)))
        written = body + np.uint8(ord("0")) if self._profile.alphabet == DIGITS else self._alphabet[body]
        return np.hstack((heads, written, self._check_characters(body, off)))


def _only(chosen: Bools, rows: Bytes) -> Bytes:
    """The chosen rows; nothing is copied where that is all of them."""
    return rows if chosen.all() else rows[chosen]


def _in_parts(code: Callable[[Bytes], tuple[Bools, Bytes]], characters: Bytes) -> tuple[Bools, Bytes]:
    """``code`` of ``characters``, so many rows at once as stay in the processor's cache."""
    parts = [
        code(characters[first : first + _ROWS_AT_ONCE]) for first in range(0, len(characters), _ROWS_AT_ONCE)
    ]
    return np.concatenate([known for known, _ in parts]), np.concatenate([coded for _, coded in parts])
