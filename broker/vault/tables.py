"""The vault's three tables, which name nobody, and the statements that an issue of numbers needs.

They have no order of arrival to give away: SQLite keeps them by their random-looking keys alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, select

from broker.store.prepared import Prepared, PreparedInsert, insert_into, is_among

BIG = BigInteger().with_variant(Integer, "sqlite")
METADATA = MetaData()

VAULT = Table(
    "vault",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("format", String, nullable=False),
    Column("wrapped_by", String, nullable=False),
    # Index key and wrapping key, wrapped under the vault's master key.
    Column("keys", LargeBinary, nullable=False),
    Column("created", String, nullable=False),
    # Leaves of the log below this one were looked through for acts of forgetting.
    Column("obeyed", BIG, nullable=False),
)
SUBJECT = Table(
    "subject",
    METADATA,
    # HMAC of the subject's identifier under the index key, hexadecimal.
    Column("ref", String(32), primary_key=True),
    # Random: what the log calls the row by when it is to be forgotten.
    Column("name", String(32), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("last", BIG, nullable=False),
    sqlite_with_rowid=False,
)
NUMBER = Table(
    "number",
    METADATA,
    Column("slot", String(32), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class Statements:
    """What is executed straight through the driver."""

    subjects: Prepared
    numbers: Prepared
    upsert_subject: PreparedInsert
    insert_number: PreparedInsert


@cache
def statements(dialect: str) -> Statements:
    """The statements in the words of "sqlite" or "postgresql"."""
    upsert = insert_into(SUBJECT, dialect)
    upsert = upsert.on_conflict_do_update(SUBJECT.primary_key, set_={"last": upsert.excluded["last"]})
    subjects = select(SUBJECT.c.ref, SUBJECT.c.name, SUBJECT.c.wrapped, SUBJECT.c.last)
    numbers = select(NUMBER.c.slot, NUMBER.c.sealed)
    return Statements(
        subjects=Prepared(subjects.where(is_among(SUBJECT.c.ref, dialect)), dialect),
        numbers=Prepared(numbers.where(is_among(NUMBER.c.slot, dialect)), dialect),
        upsert_subject=PreparedInsert(upsert, dialect),
        insert_number=PreparedInsert(NUMBER.insert(), dialect),
    )
