"""``calendar.yaml`` → :class:`broker.model.Calendar`; ``masking.yaml`` → :class:`broker.model.MaskOrder`.

Both may be absent. A rule about working days needs the first; without the second no mask is the stricter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, timedelta
from types import MappingProxyType

from broker.approve.catalog_grammar import CALENDAR, CALENDAR_YEAR, MASKING
from broker.approve.document import Node, ScalarNode
from broker.approve.problem import LEVEL, OPERATOR, Code, Problems
from broker.approve.shapes import DAYS
from broker.approve.table import Table, day, headed, text
from broker.model import SATURDAY, Calendar, MaskOrder

_DECEMBER = 12


def read_calendar(node: Node | None, problems: Problems) -> Calendar:
    """Working days by the State Council's yearly notice (节假日安排的通知)."""
    if node is None:
        return Calendar()
    years: set[int] = set()
    provisional: set[int] = set()
    holidays: set[date] = set()
    makeup_days: set[date] = set()
    for name, entry in headed(node, problems, CALENDAR).named_items("years"):
        table = Table(entry, problems, CALENDAR_YEAR)
        if name:
            (provisional if table.flag("provisional") else years).add(int(name))
            off = set(_days(table, "holidays", int(name)))
            worked = set(_makeup_days(table, int(name), off))
            holidays |= {one for one in off if one.weekday() < SATURDAY}
            makeup_days |= worked
    return Calendar(frozenset(years), frozenset(holidays), frozenset(makeup_days), frozenset(provisional))


def read_masking(node: Node | None, levels: Collection[str], problems: Problems) -> MaskOrder:
    """Which masks are stricter, and the weakest that a level's fields may be released under."""
    if node is None:
        return MaskOrder()
    table = headed(node, problems, MASKING)
    order = tuple(item.value for item in table.texts("order"))
    floors: dict[str, str] = {}
    for key, value in table.items("floors"):
        level, operator = text(key, problems), text(value, problems)
        if level and level not in levels:
            problems.unknown(key.at, LEVEL, level, levels)
        if operator and operator not in order:
            problems.unknown(value.at, OPERATOR, operator, order)
        floors[level] = operator
    return MaskOrder(order, MappingProxyType(floors))


def _makeup_days(table: Table, year: int, off: Collection[date]) -> Iterator[date]:
    for one in _days(table, "makeup_days", year):
        if one.weekday() < SATURDAY or one in off:
            zh = f"{one} 不能是调休上班日：须为周六或周日，且不在放假日之内"
            en = f"{one} cannot be a make-up day: it must be a Saturday or Sunday that is no holiday"
            table.add("makeup_days", Code.BAD_CALENDAR, zh, en)
        yield one


def _days(table: Table, key: str, year: int) -> Iterator[date]:
    for item in table.texts(key):
        yield from _interval(item, year, table.problems)


def _interval(item: ScalarNode, year: int, problems: Problems) -> Iterator[date]:
    first_written, _, last_written = item.value.partition("/")
    first = day(item, first_written, problems, DAYS)
    last = day(item, last_written, problems, DAYS) if last_written else first
    if first is None or last is None:
        return
    if last < first:
        problems.add(item.at, Code.BAD_PERIOD, "截止日期早于起始日期", "the last day is before the first")
    elif not (_belongs(first, year) and _belongs(last, year)):
        zh, en = f"不是 {year} 年的日期，请检查年份", f"not a day of {year}; check the year"
        problems.add(item.at, Code.BAD_CALENDAR, zh, en)
    else:
        yield from (first + timedelta(days=number) for number in range((last - first).days + 1))


def _belongs(one: date, year: int) -> bool:
    """A year's notice may reach into the December before it: New Year's holiday and its make-up days."""
    return one.year == year or (one.year, one.month) == (year - 1, _DECEMBER)
