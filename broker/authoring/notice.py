"""The State Council's yearly notice on holidays (部分节假日安排的通知), read from its text.

Every line must be understood: what is neither a holiday nor one of the sentences that each notice has is
named, and then nothing of the notice is used. What the notice says twice must agree: the day of the week
beside a date, and the number of days beside a holiday. ::

    一、元旦：1月1日（周四）至3日（周六）放假调休，共3天。1月4日（周日）上班。
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from broker.model import SATURDAY

HOLIDAYS = ("元旦", "春节", "清明节", "劳动节", "端午节", "中秋节", "国庆节")
"""Those that every notice arranges (《全国年节及纪念日放假办法》第二条), in the order of the year."""
STATUTORY_DAYS = 13
"""Days off by law in a year (第二条, as revised in 2024); what a notice moves, it makes up for."""
WEEKDAYS = "一二三四五六日"


class Trouble(NamedTuple):
    """A line, counted from 1, that is not understood or contradicts itself."""

    line: int
    zh: str
    en: str

    def __str__(self) -> str:
        return f"第 {self.line} 行：{self.zh} / line {self.line}: {self.en}"


@dataclass(frozen=True, slots=True)
class Holiday:
    """Days off, both included."""

    names: tuple[str, ...]
    first: date
    last: date

    @property
    def title(self) -> str:
        return "、".join(self.names)

    def days(self) -> tuple[date, ...]:
        return tuple(self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1))


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What one year's notice arranges."""

    year: int
    holidays: tuple[Holiday, ...]
    """In order."""
    makeup_days: tuple[date, ...]
    """In order."""

    def days_off(self) -> frozenset[date]:
        return frozenset(day for holiday in self.holidays for day in holiday.days())

    @property
    def moved(self) -> int:
        """Weekdays off less days worked in their place; of a whole notice the :data:`STATUTORY_DAYS`."""
        return sum(day.weekday() < SATURDAY for day in self.days_off()) - len(self.makeup_days)


class Unreadable(Exception):
    """The notice was not understood; ``troubles`` are all that is wrong, by line."""

    def __init__(self, troubles: tuple[Trouble, ...]) -> None:
        self.troubles = troubles
        super().__init__("\n".join(map(str, troubles)))


_NEAR = timedelta(weeks=3)
_FULL_WIDTH = str.maketrans("（）：，。；〔〕　", "():,.;[] ")
_TITLE = re.compile(r"国务院办公厅关于(\d{4})年部分节假日安排的通知")
_YEAR = re.compile(r"现将(\d{4})年[^.]*?放假调休日期的具体安排通知如下")
_TALK = r"(?:(?!上班|共\d+天|补休).)*[.]"
"""Text to the end of the line in which no day is arranged."""
_FRAME = tuple(
    map(
        re.compile,
        (
            r"国务院办公厅关于(\d{4})年",  # the title over two lines
            r"部分节假日安排的通知",
            r"(?:新华社北京\d{1,2}月\d{1,2}日电)?国务院办公厅关于\d{4}年部分节假日安排的通知(?:,全文如下:)?",
            r"国办发明电\[\d{4}\]\d+号",
            r"各省、自治区、直辖市人民政府,国务院各部委、各直属机构:",
            rf"经(?:党中央、)?国务院批准,{_TALK}",
            rf"按照上述原则,{_TALK}",
            rf"鼓励单位和个人{_TALK}",
            rf"节假日期间,各地区、各部门要{_TALK}",
            r"国务院办公厅",
            r"\d{4}年\d{1,2}月\d{1,2}日",
        ),
    )
)
"""The lines of a notice that arrange nothing."""
_ITEM = re.compile(r"[一二三四五六七八九十]+、([^:]+):(.+)")
_NOTE = r"(?:\(([^()]*)\))?"
_DATE = rf"(?:(\d{{4}})年)?(?:(\d{{1,2}})月)?(\d{{1,2}})日{_NOTE}"
_ONE_DATE = re.compile(_DATE)
_OFF = re.compile(
    rf"({_DATE})(?:至({_DATE}))?放假(?:调休)?(?:(\d+)天)?(?:,与周末连休|,不调休)?(?:,共(\d+)天)?"
    rf"(?:,({_DATE})补休)?"
)
_WORKED = re.compile(rf"({_DATE}(?:、{_DATE})*)上班")
_ADVICE = re.compile(r"鼓励.+")
_WEEKDAY = re.compile(r"(?:农历[^、]*、)?(?:周|星期)([一二三四五六日天])|农历[^、]*")
_FIRST, _LAST, _DAYS, _TOTAL, _REST = 1, 6, 11, 12, 13
"""Groups of :data:`_OFF`; a date has four of its own."""


def read_notice(text: str) -> Arrangement:
    """What the notice in ``text`` arranges.

    Raises:
        Unreadable: some line is not understood, something contradicts itself, or a holiday is missing.
    """
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        lines = enumerate(text.removeprefix("\ufeff").splitlines(), 1)
        self._lines = [(at, _plain(line)) for at, line in lines if line.strip()]
        self._troubles: list[Trouble] = []
        self._year = 0
        self._at = 1

    def read(self) -> Arrangement:
        self._year = self._find_year()
        holidays: list[Holiday] = []
        makeup_days: list[date] = []
        for at, line in self._lines if self._year else ():
            self._at = at
            if item := _ITEM.fullmatch(line):
                names = tuple(item[1].split("、"))
                self._check_names(names, holidays)
                for sentence in item[2].removesuffix(".").split("."):
                    self._sentence(sentence, names, holidays, makeup_days)
            elif not any(frame.fullmatch(line) for frame in _FRAME):
                self._say("没有读懂，请照通知原文", "not understood; paste the notice as it is")
        found = Arrangement(
            self._year, tuple(sorted(holidays, key=lambda one: one.first)), tuple(sorted(makeup_days))
        )
        if self._year:
            self._check_whole(found)
        if self._troubles:
            raise Unreadable(tuple(sorted(set(self._troubles))))
        return found

    def _find_year(self) -> int:
        whole = "".join(line for _, line in self._lines)
        years = {int(match[1]) for form in (_TITLE, _YEAR) for match in form.finditer(whole)}
        if len(years) == 1:
            return years.pop()
        if years:
            self._say("标题与正文的年份不一致", "title and text name different years")
        else:
            zh = "没有“关于……年部分节假日安排的通知”或“现将……年……通知如下”，不知是哪一年"
            self._say(zh, "neither the title nor the preamble is there, so the year is not known")
        return 0

    def _check_names(self, names: tuple[str, ...], holidays: list[Holiday]) -> None:
        for name in names:
            if name not in HOLIDAYS:
                self._say("不是法定节假日的名称", "not the name of a statutory holiday")
            elif any(name in holiday.names for holiday in holidays):
                self._say(f"{name}写了两次", f"{name} stands twice")

    def _sentence(
        self, sentence: str, names: tuple[str, ...], holidays: list[Holiday], makeup_days: list[date]
    ) -> None:
        if off := _OFF.fullmatch(sentence):
            holidays += self._off(off, names)
        elif worked := _WORKED.fullmatch(sentence):
            days = list(self._worked(worked[1]))
            self._check_near(days, [one for one in holidays if one.names == names])
            makeup_days += days
        elif not _ADVICE.fullmatch(sentence):
            self._say(
                "有一句没有读懂，请照通知原文", "a sentence is not understood; paste the notice as it is"
            )

    def _off(self, off: re.Match[str], names: tuple[str, ...]) -> Iterator[Holiday]:
        first = self._date(off[_FIRST])
        last = self._date(off[_LAST], first) if off[_LAST] else first
        if first is None or last is None:
            return
        days = (last - first).days + 1
        if days < 1:
            self._say("放假的截止日期早于起始日期", "the last day off is before the first")
            return
        for said in (off[_DAYS], off[_TOTAL]):
            if said and int(said) != days:
                self._say(
                    f"写的是 {said} 天，起止日期之间是 {days} 天", f"{said} days are said, {days} are named"
                )
        yield Holiday(names, first, last)
        if off[_REST] and (rest := self._date(off[_REST])):
            yield Holiday(names, rest, rest)

    def _worked(self, written: str) -> Iterator[date]:
        before: date | None = None
        for match in _ONE_DATE.finditer(written):
            before = self._date(match[0], before)
            if before is not None:
                yield before

    def _date(self, written: str, after: date | None = None) -> date | None:
        """A date as written; what it leaves out is that of the one before it."""
        match = _ONE_DATE.fullmatch(written)
        assert match is not None  # noqa: S101 - it was found by this very form
        year = int(match[1]) if match[1] else after.year if after else self._year
        month = int(match[2]) if match[2] else after.month if after else 0
        try:
            found = date(year, month, int(match[3]))
        except ValueError:
            self._say("没有这一天", "there is no such day")
            return None
        self._check_note(found, match[4])
        return found

    def _check_note(self, day: date, note: str | None) -> None:
        if note is None:
            return
        match = _WEEKDAY.fullmatch(note)
        if match is None:
            self._say("括号里的话没有读懂", "what stands in brackets is not understood")
        elif match[1] and WEEKDAYS.index(match[1].replace("天", "日")) != day.weekday():
            zh, en = f"{day} 是周{WEEKDAYS[day.weekday()]}，与所写不符", f"{day} is another day of the week"
            self._say(zh, en)

    def _check_near(self, days: list[date], holidays: list[Holiday]) -> None:
        """A day is made up within weeks of its holiday: a wrong month is found by that alone where the day
        of the week happens to agree."""
        for day in days:
            if not any(one.first - _NEAR <= day <= one.last + _NEAR for one in holidays):
                self._say(f"{day} 上班离这个假期太远，请核对", f"{day} is too far from its holiday")

    def _check_whole(self, found: Arrangement) -> None:
        self._at = self._lines[-1][0]
        named = {name for holiday in found.holidays for name in holiday.names}
        if missing := [name for name in HOLIDAYS if name not in named]:
            zh, en = (
                f"没有{'、'.join(missing)}的安排，通知不完整",
                f"{', '.join(missing)}: nothing is arranged",
            )
            self._say(zh, en)
        for trouble in contradictions(found):
            self._say(*trouble)

    def _say(self, zh: str, en: str) -> None:
        self._troubles.append(Trouble(self._at, zh, en))


def contradictions(found: Arrangement) -> Iterator[tuple[str, str]]:
    """What a year's arrangement cannot mean, in Chinese and English."""
    off = found.days_off()
    if len(off) != sum(len(holiday.days()) for holiday in found.holidays):
        yield "有的日子放了两次假", "a day is off twice"
    for day in found.makeup_days:
        if day.weekday() < SATURDAY or day in off:
            yield (
                f"{day} 不能是调休上班日：须为周六或周日，且不在放假日之内",
                f"{day} cannot be a make-up day: it must be a Saturday or Sunday that is no holiday",
            )
    for day in sorted(off | set(found.makeup_days)):
        if day.year != found.year and (day.year, day.month) != (found.year - 1, 12):
            yield f"{day} 不是 {found.year} 年的日期", f"{day} is not a day of {found.year}"
    if len(set(found.makeup_days)) != len(found.makeup_days):
        yield "有的调休上班日写了两次", "a make-up day stands twice"


def _plain(line: str) -> str:
    return re.sub(r"\s+", "", line.translate(_FULL_WIDTH))
