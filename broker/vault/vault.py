"""The vault at work: gives each statement a tag and a number for every person in it, and forgets a person.

A number is on disk before the statement that bears it is, so no two statements of a person have the same:
what a power failure can lose is a number's statement, never the number. Calls that come at once share one
transaction: whoever holds the vault commits for all who wait (no thread of its own, so a lone call waits
for nobody).
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from broker import failpoints
from broker.errors import Unavailable
from broker.keys.wrapping import KeyWrapper
from broker.model import SubjectMark
from broker.reasons import Reason
from broker.store.connection import Database
from broker.store.prepared import Cursor, among
from broker.vault.seals import Issued, SubjectKey, digest_of
from broker.vault.tables import NUMBER, SUBJECT, VAULT, statements

log = structlog.get_logger("sharebroker.vault")

MOST_AT_ONCE = 256
"""Calls that one transaction serves."""
WAIT_SECONDS = 30.0
"""Longest wait for those who came before; a retry is safe."""
_REF_BYTES = 16
_NAME_BYTES = 16

Write = Callable[[Sequence[SubjectMark]], bytes]
"""Makes the statement with the marks of its subjects, in their order."""


Marked = tuple[tuple[SubjectMark, ...], bytes]
"""The marks of the subjects, and the statement that was made with them."""


@dataclass(frozen=True, slots=True)
class Row:
    """A person as the vault knows them."""

    ref: str
    name: str
    wrapped: bytes = field(repr=False)
    last: int
    """Highest number given out."""


@dataclass(frozen=True, slots=True)
class History:
    """Everything that the vault gave out for one person."""

    key: SubjectKey
    last: int
    issued: tuple[Issued, ...]
    """In ascending order; what is missing from 1 to ``last`` is gone from the vault itself."""


class _Call:
    """One statement to come, and where its caller waits: at a bare lock, as in the log's writer."""

    __slots__ = ("_woken", "answer", "at", "leads", "request_id", "subjects", "write")

    def __init__(self, subjects: Sequence[str], request_id: str, at: datetime, write: Write) -> None:
        self.subjects = subjects
        self.request_id = request_id
        self.at = at
        self.write = write
        self.answer: Marked | Exception | None = None
        self.leads = False
        """Its caller is to commit for all who wait."""
        self._woken = threading.Lock()
        self._woken.acquire()

    def wake(self) -> None:
        """Lets the caller look what became of it; to be called once."""
        self._woken.release()

    def wait(self) -> bool:
        """Whether it was woken in time."""
        return self._woken.acquire(timeout=WAIT_SECONDS)


class Vault:
    """An open vault; safe for use by many threads, and beside other processes that have it open.

    ``wrapper`` wraps the persons' keys, ``index_key`` hides whose they are. Every method may raise
    :class:`~broker.errors.Unavailable` (``VAULT_UNAVAILABLE``).
    """

    def __init__(self, database: Database, wrapper: KeyWrapper, index_key: bytes) -> None:
        self._database = database
        self._wrapper = wrapper
        self._index_key = index_key
        self._dialect = database.engine.dialect.name
        self._statements = statements(self._dialect)
        self._waiting: deque[_Call] = deque()
        self._mutex = threading.Lock()
        self._led = False
        """Somebody commits for all who wait."""

    # ── giving out numbers ───────────────────────────────────────────────────────────────────────

    def issue(self, subjects: Sequence[str], request_id: str, at: datetime, write: Write) -> Marked:
        """The marks of the subjects for one statement, and the statement that ``write`` makes with them,
        dated ``at``.

        Their numbers are on disk, with the statement's time and hash, when this returns. What ``write``
        raises comes back, and has used up no number.
        """
        call = _Call(subjects, request_id, at, write)
        with self._mutex:
            self._waiting.append(call)
            call.leads, self._led = not self._led, True
        if not call.leads and not call.wait():
            self._give_up(call)
        if call.leads:
            self._lead()
        if isinstance(call.answer, Exception):
            raise call.answer
        assert call.answer is not None  # noqa: S101 - who is woken leads or has an answer
        return call.answer

    def _lead(self) -> None:
        """Commits for all who wait now; of those who came meanwhile the first leads next."""
        try:
            for served in self._settle():
                if not served.leads:
                    served.wake()
        finally:
            with self._mutex:
                self._led = bool(self._waiting)
                if self._led:
                    self._waiting[0].leads = True
                    self._waiting[0].wake()

    def _give_up(self, call: _Call) -> None:
        """After too long a wait.

        Raises:
            Unavailable: unless it was woken to lead just now.
        """
        with self._mutex:
            if call.leads:
                return
            with suppress(ValueError):  # somebody has it in hand
                self._waiting.remove(call)
        raise Unavailable(Reason.VAULT_UNAVAILABLE)

    def _settle(self) -> Sequence[_Call]:
        """Serves who waits; they may know once it is committed."""
        calls: Sequence[_Call] = ()
        answers: Sequence[Marked | Exception]
        try:
            with self._writing() as connection:
                calls = self._next()
                answers = self._serve(_cursor(connection), calls)
                failpoints.hit("vault_before_commit")
            failpoints.hit("vault_after_commit")
        except Unavailable as error:
            calls = calls or self._next()
            answers = [Unavailable(error.reason) for _ in calls]
        except Exception as error:  # noqa: BLE001 - a defect; its callers report it, the others go on
            calls = calls or self._next()
            answers = [error for _ in calls]
        for call, answer in zip(calls, answers, strict=True):
            call.answer = answer
        return calls

    def _next(self) -> list[_Call]:
        with self._mutex:
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_AT_ONCE))]

    def _serve(self, cursor: Cursor, calls: Sequence[_Call]) -> list[Marked | Exception]:
        refs = {subject: self._ref(subject) for call in calls for subject in call.subjects}
        issue = _Issue(self._read(cursor, refs.values()), self._wrapper)
        answers = [issue.serve(call, refs) for call in calls]
        changed = [
            {"ref": row.ref, "name": row.name, "wrapped": row.wrapped, "last": row.last}
            for row in (issue.rows[ref] for ref in sorted(issue.changed))
        ]
        self._statements.upsert_subject.run(cursor, changed)
        self._statements.insert_number.run(cursor, issue.numbers)
        return answers

    # ── looking ──────────────────────────────────────────────────────────────────────────────────

    def keys(self, subjects: Collection[str]) -> dict[str, SubjectKey]:
        """The keys of those subjects that have one."""
        refs = {self._ref(subject): subject for subject in subjects}
        with self._reading() as connection:
            rows = self._read(_cursor(connection), refs)
        return {refs[ref]: self._key(row) for ref, row in rows.items()}

    def ref(self, subject: str) -> str:
        """What the vault knows the subject by, which tells outsiders nothing: 32 hexadecimal digits."""
        return self._ref(subject)

    def key_of(self, ref: str) -> SubjectKey | None:
        """The key of whom the vault knows by :meth:`ref`; None for nobody, or for one who was forgotten."""
        with self._reading() as connection:
            row = self._read(_cursor(connection), [ref]).get(ref)
        return None if row is None else self._key(row)

    def history(self, subject: str) -> History | None:
        """What was given out for the subject; None for one whom the vault does not know, or not any more."""
        ref = self._ref(subject)
        with self._reading() as connection:
            cursor = _cursor(connection)
            row = self._read(cursor, [ref]).get(ref)
            if row is None:
                return None
            key = self._key(row)
            slots = {key.slot(number): number for number in range(1, row.last + 1)}
            found = self._statements.numbers.rows(cursor, among(slots, self._dialect))
        issued = []
        for slot, sealed in found:
            with suppress(ValueError):  # damaged: as good as gone
                issued.append(key.open_issued(slots[slot], bytes(sealed)))
        return History(key, row.last, tuple(sorted(issued, key=lambda one: one.number)))

    def tags(self, subject: str) -> tuple[bytes, ...]:
        """The tags under which the subject's receipts are found, in the order of the requests."""
        history = self.history(subject)
        if history is None:
            return ()
        return tuple(dict.fromkeys(history.key.tag(one.request_id) for one in history.issued))

    def count(self) -> tuple[int, int]:
        """How many persons the vault knows, and how many numbers it gave out for them."""
        with self._reading() as connection:
            persons, numbers = connection.execute(
                select(func.count(), func.coalesce(func.sum(SUBJECT.c.last), 0)).select_from(SUBJECT)
            ).one()
        return int(persons), int(numbers)

    # ── forgetting ───────────────────────────────────────────────────────────────────────────────

    def name(self, subject: str) -> str | None:
        """What the log calls the subject's row by, random; None for a subject unknown to the vault."""
        ref = self._ref(subject)
        with self._reading() as connection:
            row = self._read(_cursor(connection), [ref]).get(ref)
        return None if row is None else row.name

    @property
    def obeyed(self) -> int:
        """Leaves of the log below this one were looked through for acts of forgetting."""
        with self._reading() as connection:
            return int(connection.execute(select(VAULT.c.obeyed)).scalar_one())

    def obey(self, names: Collection[str], through: int) -> int:
        """Destroys the keys of the rows with these names, and notes that the log was obeyed below leaf
        ``through``; gives how many there were."""
        with self._writing() as connection:
            query = select(SUBJECT).where(SUBJECT.c.name.in_(names))
            found = connection.execute(query).all() if names else []
            for row in found:
                key = self._key(Row(row.ref, row.name, bytes(row.wrapped), row.last))
                slots = [key.slot(number) for number in range(1, row.last + 1)]
                for start in range(0, len(slots), MOST_AT_ONCE):
                    connection.execute(
                        delete(NUMBER).where(NUMBER.c.slot.in_(slots[start : start + MOST_AT_ONCE]))
                    )
                connection.execute(delete(SUBJECT).where(SUBJECT.c.ref == row.ref))
            connection.execute(update(VAULT).where(VAULT.c.obeyed < through).values(obeyed=through))
        if found:
            self._wipe()
        return len(found)

    @property
    def created(self) -> datetime:
        """Since when there is the vault."""
        with self._reading() as connection:
            return datetime.fromisoformat(connection.execute(select(VAULT.c.created)).scalar_one())

    def close(self) -> None:
        """Give back connections and files."""
        self._database.close()

    # ── the database ─────────────────────────────────────────────────────────────────────────────

    def _ref(self, subject: str) -> str:
        return hmac.digest(self._index_key, subject.encode(), "sha256")[:_REF_BYTES].hex()

    def _read(self, cursor: Cursor, refs: Collection[str]) -> dict[str, Row]:
        found = self._statements.subjects.rows(cursor, among(refs, self._dialect))
        return {ref: Row(ref, name, bytes(wrapped), last) for ref, name, wrapped, last in found}

    def _key(self, row: Row) -> SubjectKey:
        return opened(self._wrapper, row)

    def _wipe(self) -> None:
        """Takes what was deleted from the files, as far as the database can."""
        with self._translated(), self._database.engine.connect() as connection:
            if self._dialect == "sqlite":
                driver: Any = connection.connection.driver_connection
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            else:
                outside = connection.execution_options(isolation_level="AUTOCOMMIT")
                for table in (SUBJECT, NUMBER):
                    outside.exec_driver_sql(f"VACUUM {table.name}")

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._translated(), self._database.exclusive() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._translated(), self._database.engine.connect() as connection:
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, self._database.driver_error, OSError, ValueError) as error:
            cause = getattr(error, "orig", None) or error  # its text may quote a row
            log.error("vault_failed", error=type(cause).__name__, sqlstate=getattr(cause, "sqlstate", None))
            raise Unavailable(Reason.VAULT_UNAVAILABLE) from None


class _Issue:
    """The numbers of one transaction. Nothing of a call stays that raises."""

    def __init__(self, rows: dict[str, Row], wrapper: KeyWrapper) -> None:
        self.rows = rows
        self.changed: set[str] = set()
        self.numbers: list[dict[str, object]] = []
        self._wrapper = wrapper

    def serve(self, call: _Call, refs: dict[str, str]) -> Marked | Exception:
        try:
            return self._serve(call, refs)
        except Exception as error:  # noqa: BLE001 - the caller's own, who is told; the others go on
            return error

    def _serve(self, call: _Call, refs: dict[str, str]) -> Marked:
        people = {subject: self._next(refs[subject]) for subject in call.subjects}
        marks = {}
        for subject, (row, key) in people.items():
            tag = key.tag(call.request_id)
            marks[subject] = SubjectMark(tag, key.seal(row.last, tag))
        said = tuple(marks[subject] for subject in call.subjects)
        statement = call.write(said)
        digest = digest_of(statement)
        for row, key in people.values():
            sealed = key.seal_issued(Issued(row.last, call.request_id, digest, call.at))
            self.numbers.append({"slot": key.slot(row.last), "sealed": sealed})
            self.rows[row.ref] = row
            self.changed.add(row.ref)
        return said, statement

    def _next(self, ref: str) -> tuple[Row, SubjectKey]:
        """The row as it will be, with the next number given out."""
        if (row := self.rows.get(ref)) is not None:
            return Row(ref, row.name, row.wrapped, row.last + 1), opened(self._wrapper, row)
        key, content = SubjectKey.new()
        return Row(ref, secrets.token_hex(_NAME_BYTES), self._wrapper.wrap(content), 1), key


def opened(wrapper: KeyWrapper, row: Row) -> SubjectKey:
    """A person's key.

    Raises:
        Unavailable: VAULT_UNAVAILABLE; the row was changed, or is of another vault.
    """
    try:
        return SubjectKey(wrapper.unwrap(row.wrapped))
    except ValueError:
        log.critical("vault_row_damaged")
        raise Unavailable(Reason.VAULT_UNAVAILABLE) from None


def _cursor(connection: Connection) -> Cursor:
    cursor: Cursor = connection.connection.cursor()
    return cursor
