"""A year's holidays as an officer lists them in a spreadsheet, saved as CSV.

Four columns, by their headings, Chinese or English::

    起始,截止,安排,名称            first,last,kind,name
    2027-01-01,2027-01-03,放假,元旦  2027-01-01,2027-01-03,off,New Year
    2027-01-04,,上班,               2027-01-04,,work,
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from datetime import date

from broker.authoring.notice import Arrangement, Holiday, Trouble, Unreadable, contradictions

_COLUMNS = {"起始": "first", "截止": "last", "安排": "kind", "名称": "name"}
_NEEDED = ("first", "kind")
_KINDS = {"放假": True, "off": True, "上班": False, "work": False}
_DAY = re.compile(r"(\d{4})[-/年](\d{1,2})[-/月](\d{1,2})日?")


def read_csv(text: str) -> Arrangement:
    """The arrangement of the year that the last day listed is in.

    Raises:
        Unreadable: a line is not understood, or the lines contradict one another.
    """
    rows = csv.reader(text.removeprefix("\ufeff").splitlines())
    heading = [_COLUMNS.get(name.strip(), name.strip().lower()) for name in next(rows, [])]
    if unknown := [name for name in heading if name not in _COLUMNS.values()]:
        zh = "表头须为 起始,截止,安排,名称"
        raise Unreadable((Trouble(1, zh, f"{len(unknown)} headings are none of first, last, kind, name"),))
    if missing := [name for name in _NEEDED if name not in heading]:
        zh = "表头须为 起始,截止,安排,名称"
        raise Unreadable((Trouble(1, zh, f"{' and '.join(missing)}: no such column"),))
    troubles: list[Trouble] = []
    listed = list(_listed(rows, heading, troubles))
    if not listed and not troubles:
        troubles.append(Trouble(1, "表中没有一天", "no day is listed"))
    if troubles:
        raise Unreadable(tuple(troubles))
    return _arranged(listed)


def _listed(
    rows: Iterator[list[str]], heading: list[str], troubles: list[Trouble]
) -> Iterator[tuple[bool, Holiday]]:
    for at, row in enumerate(rows, 2):
        cells = {name: cell.strip() for name, cell in zip(heading, row, strict=False)}
        if not any(cells.values()):
            continue
        first = _day(cells.get("first", ""))
        last = _day(cells["last"]) if cells.get("last") else first
        kind = _KINDS.get(cells.get("kind", "").lower())
        if len(row) > len(heading):
            troubles.append(Trouble(at, "列数多于表头", "more cells than headings"))
        elif first is None or last is None or last < first:
            zh, en = (
                "起止日期须为存在的日期，如 2027-01-01，截止不早于起始",
                "not two days in order, such as 2027-01-01",
            )
            troubles.append(Trouble(at, zh, en))
        elif kind is None:
            troubles.append(Trouble(at, "安排须为 放假 或 上班", "the kind must be off or work"))
        else:
            yield kind, Holiday(_names(cells), first, last)


def _names(cells: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in cells.get("name", "").split("、") if name)


def _day(text: str) -> date | None:
    match = _DAY.fullmatch(text)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def _arranged(listed: list[tuple[bool, Holiday]]) -> Arrangement:
    year = max(span.last.year for _, span in listed)
    holidays = sorted((span for off, span in listed if off), key=lambda span: span.first)
    worked = sorted(day for off, span in listed if not off for day in span.days())
    found = Arrangement(year, tuple(holidays), tuple(worked))
    if troubles := [Trouble(1, *each) for each in contradictions(found)]:
        raise Unreadable(tuple(troubles))
    return found
