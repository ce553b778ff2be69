"""A year put into the text of ``calendar.yaml``; all that stands there besides stays, comments too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import yaml

from broker.approve.calendar import read_calendar
from broker.approve.document import parse
from broker.approve.grammar import CALENDAR_FILE
from broker.approve.problem import Problems
from broker.authoring.layout import formatted
from broker.authoring.notice import Arrangement, Holiday
from broker.errors import SetUpError
from broker.model import SATURDAY, Calendar

_NEW = """\
# 工作日历：依国务院办公厅每年的节假日安排。 · Working days by the State Council's yearly notice.
format: share-calendar/v1
years:
"""


def calendar_of(content: bytes) -> Calendar:
    """What a ``calendar.yaml`` says.

    Raises:
        PolicyProblems: it is none.
    """
    problems = Problems()
    node = parse(content, CALENDAR_FILE.path, problems)
    found = read_calendar(node, problems)
    problems.refuse()
    return found


def differences(calendar: Calendar, arrangement: Arrangement) -> list[date]:
    """Days of the year (and of the December before) that the calendar, which has it, holds otherwise."""
    off = {day for day in arrangement.days_off() if day.weekday() < SATURDAY}
    year = arrangement.year
    found = (off ^ calendar.holidays) | (set(arrangement.makeup_days) ^ calendar.makeup_days)
    touched = off | set(arrangement.makeup_days)
    return sorted(day for day in found if day.year == year or day in touched)


def with_year(text: str, arrangement: Arrangement) -> str:
    """``text`` with the year of ``arrangement`` written anew, in canonical layout; an empty text is begun.

    Raises:
        SetUpError: the years do not each begin a line.
    """
    text = text or _NEW
    lines = text.splitlines()
    before, after = _span(text, lines, arrangement.year)
    return formatted("\n".join([*lines[:before], *_block(arrangement), *lines[after:]]) + "\n")


def _block(arrangement: Arrangement) -> Iterator[str]:
    yield f"  {arrangement.year}:"
    yield "    holidays:"
    for holiday in arrangement.holidays:
        yield f'      - "{_days(holiday)}"' + (f" # {holiday.title}" if holiday.names else "")
    if arrangement.makeup_days:
        days = ", ".join(f'"{day}"' for day in arrangement.makeup_days)
        yield f"    makeup_days: [{days}]"


def _days(holiday: Holiday) -> str:
    return str(holiday.first) if holiday.first == holiday.last else f"{holiday.first}/{holiday.last}"


def _span(text: str, lines: list[str], year: int) -> tuple[int, int]:
    """Lines of the year's entry, or the place, between two lines, where it belongs."""
    years = _years(yaml.compose(text, Loader=yaml.CSafeLoader))
    if years is None:
        return len(lines), len(lines)
    for key, value in years:
        end = _end(value, lines, key.start_mark.column)
        if int(key.value) == year:
            return key.start_mark.line, end
        if int(key.value) > year:
            return key.start_mark.line, key.start_mark.line
    return end, end


def _years(root: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]] | None:
    """The entries under ``years``, in the order of the file; None when there are none yet."""
    assert isinstance(root, yaml.MappingNode)  # noqa: S101 - it was read as a calendar, or is the new one
    years = next(value for key, value in root.value if key.value == "years")
    if isinstance(years, yaml.ScalarNode):
        return None
    if years.flow_style or any(value.flow_style for _, value in years.value):
        raise SetUpError(
            "calendar.yaml 的年份写在花括号里，无法只改一年；请改为每年另起一行",
            "calendar.yaml has its years in braces; write each year on a line of its own",
        )
    return list(years.value)


def _end(value: yaml.Node, lines: list[str], column: int) -> int:
    """The line after an entry: after its last value, and the comments below that are part of it."""
    end = _last_line(value) + 1
    while end < len(lines) and lines[end].lstrip().startswith("#"):
        if len(lines[end]) - len(lines[end].lstrip()) <= column:
            break
        end += 1
    return end


def _last_line(node: yaml.Node) -> int:
    if not isinstance(node, yaml.CollectionNode) or node.flow_style:
        return node.end_mark.line
    parts = node.value if isinstance(node, yaml.SequenceNode) else [part for _, part in node.value]
    return max(map(_last_line, parts))
