"""Salted commitments to the subjects and claims of a signed application (RFC 9901, SD-JWT, in CBOR).

The payload that is signed has the SHA-256 of each value with a salt of its own, in the value's place. The
salts travel beside it, unsigned, and are stripped before the message is held: what is held then names nobody,
and whoever kept a salt can still prove whom it named. Both sides spell it alike; the client imports it too.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain
from typing import TypeAlias

from broker.errors import VerificationFailed
from broker.keys import cose

SALT_BYTES = 16
"""128 bits (RFC 9901 §9.3); each salt is used once."""

HEADER = "salts"
"""Label in the unprotected header."""

Texts: TypeAlias = Sequence[str]


@dataclass(frozen=True, slots=True)
class Salts:
    """One for each subject in the order asked, and one for each value claimed, empty where there is none."""

    subjects: tuple[bytes, ...]
    claims: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)

    @classmethod
    def fresh(cls, subjects: Texts, claims: Mapping[str, Texts]) -> Salts:
        """Random salts for these values."""
        return cls(
            tuple(secrets.token_bytes(SALT_BYTES) for _ in subjects),
            {
                name: tuple(secrets.token_bytes(SALT_BYTES) if text else b"" for text in texts)
                for name, texts in claims.items()
            },
        )

    @classmethod
    def of(cls, header: Mapping[int | str, cose.Cbor]) -> Salts:
        """Those in an unprotected header, which must hold nothing else.

        Raises:
            VerificationFailed: it does, or they are malformed, or one comes twice.
        """
        match header:
            case {"salts": {"subjects": list(subjects), **rest}, **others} if not others:
                claims = rest.pop("claims", {})
                if rest or not isinstance(claims, dict):
                    raise _malformed()
            case _:
                raise _malformed()
        salts = cls(_salts(subjects), {str(name): _salts(each) for name, each in claims.items()})
        used = [salt for salt in chain(salts.subjects, *salts.claims.values()) if salt]
        if len(set(used)) != len(used):
            raise _malformed()
        return salts

    @property
    def header(self) -> dict[int | str, cose.Cbor]:
        """The unprotected header that carries them."""
        salts: dict[int | str, cose.Cbor] = {"subjects": self.subjects}
        if self.claims:
            claims: dict[int | str, cose.Cbor] = {name: each for name, each in self.claims.items()}  # noqa: C416
            salts["claims"] = claims
        return {HEADER: salts}

    def subject_commitments(self, subjects: Texts) -> list[bytes]:
        """What is signed in the subjects' place.

        Raises:
            VerificationFailed: there is not one salt for each.
        """
        return _committed(subjects, self.subjects)

    def claim_commitments(self, claims: Mapping[str, Texts]) -> dict[int | str, cose.Cbor]:
        """What is signed in the claims' place; empty where nothing is claimed of a subject.

        Raises:
            VerificationFailed: there is not one salt for each.
        """
        if claims.keys() != self.claims.keys():
            raise _unfit()
        return {name: _committed(texts, self.claims[name]) for name, texts in claims.items()}


def commitment(salt: bytes, text: str) -> bytes:
    """SHA-256 of the deterministic CBOR of ``[salt, text]`` (RFC 9901 §4.2.2, §4.2.3), 32 bytes."""
    return sha256(cose.encode([salt, text])).digest()


def _committed(texts: Texts, salts: Sequence[bytes]) -> list[bytes]:
    if [bool(text) for text in texts] != [bool(salt) for salt in salts]:
        raise _unfit()
    return [commitment(salt, text) if text else b"" for text, salt in zip(texts, salts, strict=True)]


def _salts(values: cose.Cbor) -> tuple[bytes, ...]:
    if not isinstance(values, list):
        raise _malformed()
    found = tuple(value for value in values if isinstance(value, bytes) and len(value) in (0, SALT_BYTES))
    if len(found) != len(values):
        raise _malformed()
    return found


def _malformed() -> VerificationFailed:
    return VerificationFailed("the salts of subjects and claims are missing, malformed or used twice")


def _unfit() -> VerificationFailed:
    return VerificationFailed("there is not one salt for each subject and each value claimed")
