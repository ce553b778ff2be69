"""The statements of the append path, as the drivers take them."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.store.prepared import AppendStatements, among, append_statements

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
"""What either database holds as text; PostgreSQL has no NUL in it."""
STATEMENTS = append_statements("sqlite")


def new_table() -> sqlite3.Cursor:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE quota (counter TEXT PRIMARY KEY, used INTEGER)")
    return connection.cursor()


@given(st.dictionaries(NAMES, st.integers(0, 2**62), max_size=600))
def test_any_number_of_rows_is_inserted_and_found(rows: dict[str, int]) -> None:
    """None, one, a full batch, more than a statement holds; whatever the names are."""
    cursor = new_table()
    insert = [{"counter": name, "used": used} for name, used in rows.items()]
    STATEMENTS.upsert_quota.run(cursor, insert)
    STATEMENTS.upsert_quota.run(cursor, insert)
    found = dict(STATEMENTS.quotas.rows(cursor, among(rows, "sqlite")))
    cursor.connection.close()
    assert found == rows


@pytest.mark.parametrize("count", [0, 1, 2, 3, 255, 256, 257, 511, 512])
def test_each_row_is_inserted_once(count: int) -> None:
    """At every border of the powers of two."""
    cursor = new_table()
    STATEMENTS.upsert_quota.run(cursor, [{"counter": str(n), "used": n} for n in range(count)])
    found = cursor.execute("SELECT used FROM quota ORDER BY used").fetchall()
    cursor.connection.close()
    assert found == [(n,) for n in range(count)]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_values_are_never_part_of_a_statement(dialect: str) -> None:
    """Every value has its place; none is written into the text."""
    statements = append_statements(dialect)
    place = "?" if dialect == "sqlite" else "%s"
    for name in AppendStatements.__dataclass_fields__:
        statement = getattr(statements, name)
        text = statement._texts[0] if hasattr(statement, "_texts") else statement._text
        assert text.count(place) == len(statement._names)
