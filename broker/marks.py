"""What a statement holds in its subjects' place: made, and recognised again.

With a vault every person has a key of their own (:mod:`broker.vault`); without one, a tag is derived from
the broker's keyring, and nothing counts or forgets. Logs may have both: a statement with sealed numbers was
made with a vault.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from broker.keys.keyring import Keyring
from broker.model import SubjectMark
from broker.vault.seals import SubjectKey
from broker.vault.vault import Marked, Vault

NUMBERS = "subject_numbers"
"""Member of a statement that was made with a vault."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Makes and recognises marks; with or without a vault."""

    vault: Vault | None = None

    def made(
        self,
        subjects: Sequence[str],
        request_id: str,
        at: datetime,
        keyring: Keyring,
        write: Callable[[Sequence[SubjectMark]], bytes],
    ) -> Marked:
        """The marks of the subjects for one statement dated ``at``, and the statement that ``write`` makes
        with them.

        Raises:
            Unavailable: VAULT_UNAVAILABLE.
        """
        if self.vault is not None and subjects:
            return self.vault.issue(subjects, request_id, at, write)
        marks = tuple(SubjectMark(keyring.subject_tag(subject, request_id)) for subject in subjects)
        return marks, write(marks)

    def recogniser(self, subjects: Collection[str], keyring: Keyring) -> Recogniser:
        """Recognises these persons. One whose key was destroyed is recognised by nothing.

        Raises:
            Unavailable: VAULT_UNAVAILABLE.
        """
        return Recogniser(keyring, {} if self.vault is None else self.vault.keys(subjects))

    def close(self) -> None:
        """Close the vault, if there is one."""
        if self.vault is not None:
            self.vault.close()


NO_VAULT = Marks()


@dataclass(frozen=True, slots=True)
class Recogniser:
    """Tells whether a statement is about a person."""

    keyring: Keyring
    keys: Mapping[str, SubjectKey]

    def names(self, statement: Mapping[str, Any], subject: str, version: int | None = None) -> bool:
        """As :meth:`place`, whichever it is."""
        return self.place(statement, subject, version) is not None

    def place(self, statement: Mapping[str, Any], subject: str, version: int | None = None) -> int | None:
        """Which of the statement's subjects the person is, from 0 on; None if not one of them. ``version`` is
        that of the masks beside the tags, see :meth:`Keyring.subject_tag`.

        Raises:
            KeyError, TypeError: it is no statement of ours.
            SetUpError: the keyring has no such version.
        """
        tags, request_id = statement["subject_tags"], statement["request_id"]
        if not tags:
            return None
        if not statement.get(NUMBERS):
            tag = self.keyring.subject_tag(subject, request_id, version).hex()
        elif (key := self.keys.get(subject)) is not None:
            tag = key.tag(request_id).hex()
        else:
            return None
        return tags.index(tag) if tag in tags else None
