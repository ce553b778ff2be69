"""What every source must do. A third party's tests call the two public checks.

Load :data:`ROWS` (and, for the second check, rows of your own) into a table or file of your source, columns
named as in :data:`COLUMNS`; all are text but ``born`` (a date) and ``changed`` (a time), or ISO 8601 text::

    def test_conformance(tmp_path):
        check_source(MySource(options_of_a_table_with(ROWS), str(tmp_path)))

Each function raises ``AssertionError`` with the clause of the contract that does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

from adapters.sources.contract import Query, Source, SourceError

COLUMNS = ("sfzh", "po_sfzh", "xm", "qh", "born", "changed")
"""Source columns: two that may hold the subject, a name, a region, a date, a time."""

ROWS: Sequence[Mapping[str, object]] = tuple(
    dict(zip(COLUMNS, row, strict=True))
    for row in (
        ("A1", "B1", "007", "990101", date(2001, 2, 3), datetime(2026, 1, 1, tzinfo=UTC)),
        ("A2", "B2", "甲'\"; --", "990102", date(2002, 2, 3), datetime(2026, 1, 3, tzinfo=UTC)),
        ("A3", "A1", "乙%_\\", "990201", None, datetime(2026, 1, 2, tzinfo=UTC)),
        ("a1", None, None, None, date(2003, 2, 3), None),
        ("A1", "A1", "丙", "990101", date(2004, 2, 3), datetime(2025, 1, 1, tzinfo=UTC)),
    )
)
NEWEST = datetime(2026, 1, 3, tzinfo=UTC)

FIELDS = {"name": "xm", "id": "sfzh"}
"""Catalog's field → source's column, in another order and with other names than the source has."""
BOTH = ("sfzh", "po_sfzh")


def check_source(source: Source) -> None:
    """Everything the contract says, on :data:`ROWS`."""
    _check_projection(source)
    _check_subjects(source)
    _check_prefixes(source)
    _check_within(source)
    _check_order_and_limit(source)
    _check_batches(source)
    _check_newest(source)
    _check_refusals(source)


def check_subjects_are_data(source: Source, column: str, texts: Iterable[str]) -> None:
    """``column`` holds each of ``texts`` in one row; each finds that row and no other."""
    for text in texts:
        rows = read(source, Query({"it": column}, (column,), (text,)))
        _holds(rows == [{"it": text}], "a subject is data: it finds the rows that equal it, and no others")


def read(source: Source, query: Query, batch_rows: int = 100) -> list[dict[str, object]]:
    """All rows of a read, as dictionaries."""
    return [row for batch in source.read(query, batch_rows) for row in batch.to_pylist()]


def _names(source: Source, query: Query) -> list[str]:
    return sorted(str(row["name"]) for row in read(source, query))


def _check_projection(source: Source) -> None:
    for batch in source.read(Query(FIELDS, BOTH, ()), 100):
        _holds(
            batch.schema.names == ["name", "id"], "columns come under the field names, in the query's order"
        )
    rows = read(source, Query(FIELDS, BOTH, ("A1",), order_by=("xm",)))
    _holds(rows[0] == {"name": "007", "id": "A1"}, "a text stays as it is")
    twice = read(source, Query({"one": "xm", "two": "xm"}, BOTH, ("A2",)))
    _holds(twice == [{"one": "甲'\"; --", "two": "甲'\"; --"}], "two fields may read one column")
    swapped = read(source, Query({"sfzh": "xm", "xm": "sfzh"}, BOTH, ("A2",), order_by=("sfzh",)))
    _holds(swapped[0]["xm"] == "A2", "a field may be named like another field's column")


def _check_subjects(source: Source) -> None:
    _holds(len(read(source, Query(FIELDS, BOTH, ()))) == len(ROWS), "no subjects: all rows")
    found = _names(source, Query(FIELDS, BOTH, ("A1",)))
    _holds(found == ["007", "丙", "乙%_\\"], "any subject column may hold the subject; each row comes once")
    _holds(
        _names(source, Query(FIELDS, ("po_sfzh",), ("A1",))) == ["丙", "乙%_\\"], "only in the columns named"
    )
    found = _names(source, Query(FIELDS, BOTH, ("A2", "B1", "A2", "nobody")))
    _holds(found == ["007", "甲'\"; --"], "any of the subjects; a repeated one does not repeat its rows")
    _holds(_names(source, Query(FIELDS, BOTH, ("a1",))) == ["None"], "case matters")
    _holds(read(source, Query(FIELDS, BOTH, ("None",))) == [], "a null is nobody")


def _check_prefixes(source: Source) -> None:
    def scoped(*prefixes: tuple[str, str], subjects: Sequence[str] = ()) -> list[str]:
        return _names(source, Query(FIELDS, BOTH, subjects, prefixes))

    _holds(scoped(("qh", "9901")) == ["007", "丙", "甲'\"; --"], "a prefix keeps what begins with it")
    _holds(scoped(("qh", "9901"), subjects=("A1",)) == ["007", "丙"], "prefix and subject both hold")
    _holds(scoped(("qh", "9901"), ("xm", "00")) == ["007"], "all prefixes hold")
    _holds(scoped(("xm", "%")) == scoped(("xm", "_")) == [], "a prefix is no pattern")
    _holds(scoped(("xm", "乙%_\\")) == ["乙%_\\"], "a prefix is data")
    _holds(scoped(("sfzh", "a")) == ["None"], "case matters")
    _holds(len(scoped(("qh", ""))) == len(ROWS) - 1, "a null begins with nothing, not even with nothing")


def _check_within(source: Source) -> None:
    def scoped(
        *within: tuple[str, Sequence[str]],
        subjects: Sequence[str] = (),
        prefixes: Sequence[tuple[str, str]] = (),
    ) -> list[str]:
        return _names(source, Query(FIELDS, BOTH, subjects, prefixes, within))

    found = scoped(("qh", ("990102", "990201", "nowhere")))
    _holds(found == ["乙%_\\", "甲'\"; --"], "within keeps what equals one of the values")
    _holds(scoped(("qh", ("9901",))) == [], "a value is no prefix")
    _holds(scoped(("qh", ("990101",)), subjects=("A1",)) == ["007", "丙"], "within and subject both hold")
    found = scoped(("qh", ("990101", "990201")), prefixes=(("qh", "9902"),), subjects=("A1",))
    _holds(found == ["乙%_\\"], "within and prefix both hold")
    _holds(scoped(("qh", ("990101",)), ("xm", ("007", "乙%_\\"))) == ["007"], "every list holds")
    _holds(scoped(("xm", ("甲'\"; --", "%"))) == ["甲'\"; --"], "a value is data")
    _holds(scoped(("xm", ("7",))) == [], "values are compared as texts")
    _holds(scoped(("sfzh", ("a1",))) == ["None"], "case matters")
    _holds(scoped(("qh", ("None", ""))) == [], "a null is within nothing")
    _holds(scoped(("qh", ())) == scoped(("qh", ()), subjects=("A1",)) == [], "nothing is within no values")


def _check_order_and_limit(source: Source) -> None:
    ordered = read(source, Query(FIELDS, BOTH, ("A1", "A2"), order_by=("born", "sfzh"), limit=2))
    _holds(len(ordered) == 2, "limit: no more rows than that")
    ordered = read(source, Query(FIELDS, BOTH, ("A1", "A2"), (("qh", "9901"),), order_by=("born",)))
    _holds([row["name"] for row in ordered] == ["007", "甲'\"; --", "丙"], "order_by orders")
    _holds(
        len(read(source, Query(FIELDS, BOTH, (), limit=4), batch_rows=3)) == 4, "limit over several batches"
    )
    _holds(read(source, Query(FIELDS, BOTH, (), limit=0)) == [], "limit 0: nothing")


def _check_batches(source: Source) -> None:
    sizes = [batch.num_rows for batch in source.read(Query(FIELDS, BOTH, ()), 2)]
    _holds(max(sizes) <= 2, "a batch has at most batch_rows rows")
    _holds(sum(sizes) == len(ROWS), "batches together are all rows")
    for _ in source.read(Query(FIELDS, BOTH, ()), 1):
        break  # a reader may stop early
    _holds(
        len(read(source, Query(FIELDS, BOTH, ()))) == len(ROWS),
        "after an abandoned read the source still works",
    )


def _check_newest(source: Source) -> None:
    newest = source.newest("changed")
    if newest is not None and newest.tzinfo is None:
        newest = newest.replace(tzinfo=UTC)
    _holds(newest == NEWEST, "newest: the greatest time there is")
    born = source.newest("born")
    _holds(born == datetime(2004, 2, 3), "newest: a date counts from its midnight, without a zone")


def _check_refusals(source: Source) -> None:
    for query in (
        Query({"it": "no_such_column"}, BOTH, ("A1",)),
        Query(FIELDS, ("no_such_column",), ("secret-subject",)),
        Query(FIELDS, (), ("secret-subject",)),
    ):
        _holds(_fails_without_a_word(source, query), "raises SourceError, without values and unchained")


def _fails_without_a_word(source: Source, query: Query) -> bool:
    try:
        read(source, query)
    except SourceError as failure:
        chained = failure.__cause__ or (failure.__context__ and not failure.__suppress_context__)
        return not chained and "secret-subject" not in repr(failure)
    return False


def _holds(truth: object, clause: str) -> None:
    """Not ``assert``: that vanishes under ``python -O``."""
    if not truth:
        raise AssertionError(clause)
