"""The yearly notice is read whole or not at all."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from broker.authoring.calendar_csv import read_csv
from broker.authoring.calendar_file import calendar_of, differences, with_year
from broker.authoring.notice import STATUTORY_DAYS, Arrangement, Holiday, Unreadable, read_notice
from broker.errors import SetUpError

HERE = Path(__file__).parent
SHIPPED = (HERE.parents[1] / "policies/calendar.yaml").read_text("utf-8")
NOTICES = {year: (HERE / f"notices/{year}.txt").read_text("utf-8") for year in (2025, 2026)}
NEW_YEAR = "一、元旦：1月1日（周四）至3日（周六）放假调休，共3天。1月4日（周日）上班。"


def troubles(text: str) -> list[tuple[int, str]]:
    with pytest.raises(Unreadable) as unread:
        read_notice(text)
    return [(one.line, one.zh) for one in unread.value.troubles]


def new_year(written: str) -> str:
    """The notice of 2026 with another first item, which stands in line 7."""
    assert NEW_YEAR in NOTICES[2026]
    return NOTICES[2026].replace(NEW_YEAR, written)


LINE = NOTICES[2026].splitlines().index(f"  {NEW_YEAR}") + 1
LAST = len(NOTICES[2026].splitlines())


@pytest.mark.parametrize("year", [2025, 2026])
def test_notices_as_published(year: int) -> None:
    """The texts of 2025 and 2026 give the days of the shipped calendar, and as many as the law has."""
    found = read_notice(NOTICES[year])
    assert found.year == year
    assert differences(calendar_of(SHIPPED.encode()), found) == []
    assert found.moved == STATUTORY_DAYS


def test_year_of_the_notice_is_all_that_changes_in_the_file() -> None:
    """What is there already is written as it stands: an import done twice changes nothing."""
    for year, notice in NOTICES.items():
        again = with_year(SHIPPED, read_notice(notice))
        assert calendar_of(again.encode()) == calendar_of(SHIPPED.encode())
        assert with_year(again, read_notice(notice)) == again
        others = SHIPPED[SHIPPED.index("  2027:") :]
        assert again.endswith(others)
        assert again.startswith(SHIPPED[: SHIPPED.index(f"  {year}:")])


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("一、元旦：1月1日（星期四）放假，与周末连休。", ["2026-01-01"]),
        ("一、元旦：1月1日放假，1月2日（星期五）补休。", ["2026-01-01", "2026-01-02"]),
        ("一、元旦：2026年1月1日至3日放假，共3天。", ["2026-01-01", "2026-01-02", "2026-01-03"]),
        (
            "一、元旦：2025年12月31日至2026年1月2日放假调休，共3天。2026年1月4日（星期天）上班。",
            ["2025-12-31", "2026-01-01", "2026-01-02"],
        ),
        ("一、元旦:1月1日(周四)放假1天,不调休。鼓励各单位安排职工在1月2日休息。", ["2026-01-01"]),
        ("  一、元旦： 1 月 1 日放假1天，不调休", ["2026-01-01"]),
    ],
)
def test_wordings_of_other_years(written: str, days: list[str]) -> None:
    """What notices since 2017 have said of New Year, with full or half-width punctuation."""
    found = read_notice(new_year(written))
    assert [str(day) for one in found.holidays if "元旦" in one.names for day in one.days()] == days


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (NEW_YEAR.replace("共3天", "共4天"), "写的是 4 天，起止日期之间是 3 天"),
        (NEW_YEAR.replace("1月1日（周四）", "1月1日（周五）"), "2026-01-01 是周四，与所写不符"),
        (NEW_YEAR.replace("1月1日（周四）", "1月1日（暂定）"), "括号里的话没有读懂"),
        (NEW_YEAR.replace("1月4日（周日）上班", "1月5日上班"), "2026-01-05 不能是调休上班日"),
        (NEW_YEAR.replace("1月4日（周日）上班", "1月3日上班"), "2026-01-03 不能是调休上班日"),
        (NEW_YEAR.replace("1月4日（周日）上班", "1月4日休息"), "有一句没有读懂"),
        (NEW_YEAR.replace("1月4日（周日）上班", "1月32日上班"), "没有这一天"),
        (NEW_YEAR.replace("1月4日（周日）上班", "1月4日、4日上班"), "有的调休上班日写了两次"),
        (NEW_YEAR.replace("元旦", "泼水节"), "不是法定节假日的名称"),
        (NEW_YEAR.replace("1月4日（周日）", "10月4日（周日）"), "2026-10-04 上班离这个假期太远"),
        ("一、元旦：1月3日至1日放假，共3天。", "放假的截止日期早于起始日期"),
        ("一、元旦：2月16日放假。", "有的日子放了两次假"),
        ("一、元旦：2024年1月1日放假。", "2024-01-01 不是 2026 年的日期"),
        ("元旦放假三天。", "没有读懂，请照通知原文"),
        (f"经国务院批准，{NEW_YEAR}", "没有读懂，请照通知原文"),
        ("", "没有元旦的安排，通知不完整"),
    ],
)
def test_what_is_not_understood_is_named_by_its_line(written: str, said: str) -> None:
    """A slip in one line is told with its line; where the whole does not fit, with the last."""
    found = troubles(new_year(written))
    assert any(zh.startswith(said) for _, zh in found), found
    assert {line for line, _ in found} <= {LINE, LAST}


@pytest.mark.parametrize("year", [2025, 2026])
def test_no_lost_character_changes_a_day(year: int) -> None:
    """Whatever character of an item is lost, or is another: the notice is refused, or says the same."""
    text = NOTICES[year]
    sound = read_notice(text)
    items = [at for at, line in enumerate(text.splitlines(keepends=True)) if "放假" in line and "：" in line]
    lines = text.splitlines(keepends=True)
    begin, end = len("".join(lines[: items[0]])), len("".join(lines[: items[-1] + 1]))
    for at in range(begin, end):
        for instead in ("", "日", "、"):
            try:
                found = read_notice(text[:at] + instead + text[at + 1 :])
            except Unreadable:
                continue
            assert found == sound, text[at - 9 : at + 9]


def test_all_troubles_are_told_at_once() -> None:
    """Who has to correct a text wants the whole list."""
    text = new_year("元旦放假三天。").replace("共9天", "共8天")
    assert [line for line, _ in troubles(text)] == [LINE, LINE + 2, LAST]
    assert (LINE + 2, "春节写了两次") in troubles(new_year(NEW_YEAR.replace("元旦", "元旦、春节")))


def test_year_is_never_guessed() -> None:
    """A text that does not say its year, or says two, is refused."""
    assert troubles(NEW_YEAR)[0][1].startswith("没有“关于……年")
    assert troubles(NOTICES[2026].replace("现将2026", "现将2027")) == [(1, "标题与正文的年份不一致")]
    assert troubles("") == troubles("\n")


# ── a table ──────────────────────────────────────────────────────────────────────────────────────

TABLE = """\
起始,截止,安排,名称
2027-01-01,2027/1/3,放假,元旦
2027年1月9日,,上班,
"""


def test_table_is_read() -> None:
    """Days as spreadsheets write them, with Chinese or English headings."""
    expected = Arrangement(
        2027, (Holiday(("元旦",), date(2027, 1, 1), date(2027, 1, 3)),), (date(2027, 1, 9),)
    )
    assert read_csv(TABLE) == expected
    english = "\ufeffFirst,kind,name,last\n2027-01-01,off,元旦,2027-01-03\n\n2027-01-09,work,,\n"
    assert read_csv(english) == expected


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "表头须为"),
        ("日期,安排\n", 1, "表头须为"),
        ("起始,安排\n", 1, "表中没有一天"),
        ("起始,安排\n2027-02-30,放假\n", 2, "起止日期"),
        ("起始,安排\n明天,放假\n", 2, "起止日期"),
        ("起始,截止,安排\n2027-01-03,2027-01-01,放假\n", 2, "起止日期"),
        ("起始,安排\n2027-01-01,放假\n2027-01-09,补班\n", 3, "安排须为"),
        ("起始,安排\n2027-01-01,放假,元旦\n", 2, "列数多于表头"),
        ("起始,安排\n2027-01-04,上班\n", 1, "2027-01-04 不能是调休上班日"),
        ("起始,安排\n2026-11-01,放假\n2027-01-01,放假\n", 1, "2026-11-01 不是 2027 年的日期"),
    ],
)
def test_table_that_is_wrong_is_refused(text: str, line: int, said: str) -> None:
    """Each slip with its line, counted as the spreadsheet counts."""
    with pytest.raises(Unreadable) as unread:
        read_csv(text)
    (found,) = unread.value.troubles
    assert found.line == line
    assert found.zh.startswith(said)


# ── the file ─────────────────────────────────────────────────────────────────────────────────────

FILE = """\
# 上面的话
format: share-calendar/v1
years:
  2025: # 第一年
    holidays: ["2025-01-01"]
    # 属于 2025
  # 属于 2027
  2027: # 待定
    provisional: true
    holidays:
      - "2027-01-01" # 元旦
    # 属于 2027 里面

# 末尾的话
"""
TABLE_2027 = read_csv(TABLE)


def test_other_comments_stay() -> None:
    """The year is written anew; what stands above, below and at other years is as it was."""
    assert (
        with_year(FILE, TABLE_2027)
        == """\
# 上面的话
format: share-calendar/v1
years:
  2025: # 第一年
    holidays: ["2025-01-01"]
    # 属于 2025
  # 属于 2027
  2027:
    holidays:
      - "2027-01-01/2027-01-03" # 元旦
    makeup_days: ["2027-01-09"]

# 末尾的话
"""
    )


@pytest.mark.parametrize("year", [2024, 2026, 2028])
def test_years_stay_in_order(year: int) -> None:
    """A new year comes where it belongs: before, between or after those there are."""
    new = with_year(FILE, Arrangement(year, (Holiday((), date(year, 5, 1), date(year, 5, 1)),), ()))
    written = [line.strip()[:4] for line in new.splitlines() if line.startswith("  2")]
    assert written == sorted(["2025", "2027", str(year)])
    comments = [line.strip() for line in FILE.splitlines() if "#" in line]
    assert [one for one in comments if one not in new] == []


def test_file_is_begun() -> None:
    """Without a calendar there is one afterwards."""
    found = calendar_of(with_year("", TABLE_2027).encode())
    assert (found.years, found.makeup_days) == ({2027}, {date(2027, 1, 9)})


def test_years_in_braces_are_left_alone() -> None:
    """What cannot be changed by itself is not changed at all."""
    with pytest.raises(SetUpError, match="line of its own"):
        with_year('format: share-calendar/v1\nyears: {2025: {holidays: ["2025-01-01"]}}\n', TABLE_2027)
