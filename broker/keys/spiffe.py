"""SPIFFE ids: the names in certificates, parsed strictly and built in one place.

Source: SPIFFE-ID standard §2. A department's holder is ``spiffe://<city>/department/<id>/<role>/<name>``,
the broker itself ``spiffe://<city>/broker/<name>``. Of what the standard allows only lower case letters,
digits, ``-`` and ``_`` are taken, so two different strings are never the same id: there is nothing to
decode, fold or normalise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from broker.model import Role

_PART = r"[a-z][a-z0-9_-]{0,62}"
_ID = re.compile(_PART)
_DEPARTMENT = re.compile(rf"spiffe://({_PART})/department/({_PART})/({'|'.join(Role)})/({_PART})")
_BROKER = re.compile(rf"spiffe://({_PART})/broker/({_PART})")


@dataclass(frozen=True, slots=True)
class DepartmentId:
    """Who acts for a department: a system, officer, auditor or gateway.

    Raises:
        ValueError: a part breaks the pattern ``[a-z][a-z0-9_-]{0,62}``.
    """

    city: str
    department: str
    role: Role
    name: str

    def __post_init__(self) -> None:
        _check(city=self.city, department=self.department, name=self.name)

    def __str__(self) -> str:
        return f"spiffe://{self.city}/department/{self.department}/{self.role}/{self.name}"


@dataclass(frozen=True, slots=True)
class BrokerId:
    """A broker's server.

    Raises:
        ValueError: a part breaks the pattern ``[a-z][a-z0-9_-]{0,62}``.
    """

    city: str
    name: str

    def __post_init__(self) -> None:
        _check(city=self.city, name=self.name)

    def __str__(self) -> str:
        return f"spiffe://{self.city}/broker/{self.name}"


SpiffeId = DepartmentId | BrokerId


def parse(uri: str) -> SpiffeId:
    """The id that ``uri`` spells.

    Raises:
        ValueError: it is none of ours (other scheme, part, role or character); does not echo it.
    """
    if match := _DEPARTMENT.fullmatch(uri):
        return DepartmentId(match[1], match[2], Role(match[3]), match[4])
    if match := _BROKER.fullmatch(uri):
        return BrokerId(match[1], match[2])
    raise ValueError("not a SPIFFE id of a department or broker")


def is_id(text: str) -> bool:
    """Whether ``text`` may stand for a city, a department or a name."""
    return _ID.fullmatch(text) is not None


def _check(**parts: str) -> None:
    for part, text in parts.items():
        if not is_id(text):
            raise ValueError(f"{part} must match {_PART}")
