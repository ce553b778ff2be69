"""``sharebroker calendar``: which days are worked; a year's notice brought into ``calendar.yaml``."""

from __future__ import annotations

import calendar as gregorian
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.approve.grammar import CALENDAR_FILE
from broker.authoring.calendar_csv import read_csv
from broker.authoring.calendar_file import calendar_of, differences, with_year
from broker.authoring.notice import STATUTORY_DAYS, WEEKDAYS, Arrangement, Unreadable, read_notice
from broker.cli.policy.fmt import write
from broker.errors import SetUpError
from broker.limits.days import Certainty, deadline, due, elapsed, overdue, remaining

if TYPE_CHECKING:
    from broker.model import Calendar

app = typer.Typer(
    help="工作日历：查看、检查、录入国务院放假通知 / working days: show, check, import the yearly notice",
    no_args_is_help=True,
)
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="策略文件夹 / folder of policies")]
Json = Annotated[bool, typer.Option("--json", help="机器可读输出 / print for machines")]
_AHEAD = timedelta(days=60)
"""As far as the longest limit of the law reaches."""


@app.callback()
def calendar() -> None:
    """工作日历 / working days."""


@app.command()
def show(
    folder: Folder,
    year: Annotated[int | None, typer.Option(min=1900, max=2999, help="只看这一年 / this year only")] = None,
    as_json: Json = False,
) -> None:
    """按月列出工作日、放假日和调休上班日 / list working days, days off and make-up days by month."""
    found = _read(folder)
    years = sorted(found.years | found.provisional)
    if year is not None:
        if year not in years:
            raise SetUpError(
                f"日历没有 {year} 年；有：{'、'.join(map(str, years))}。请用 calendar import 录入。",
                f"The calendar has no {year}; it has {', '.join(map(str, years))}. Use calendar import.",
            )
        years = [year]
    if as_json:
        typer.echo(orjson.dumps([_as_dict(found, one) for one in years], option=orjson.OPT_INDENT_2).decode())
        return
    for one in years:
        Console().print(_months(found, one))


@app.command()
def check(
    folder: Folder,
    at: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="按哪一天检查，默认今天 / as of this day")
    ] = None,
    as_json: Json = False,
) -> None:
    """检查临近的年份是否录入、有无可疑，有则退出码为 1 / find years without notice, or odd ones; exit 1."""
    found = _read(folder)
    today = at.date() if at else datetime.now(UTC).astimezone().date()
    troubles = list(_troubles(found, today))
    if as_json:
        said = [{"year": year, "zh": zh, "en": en} for year, zh, en in troubles]
        typer.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
    else:
        for _, zh, en in troubles:
            typer.echo(f"{zh}\n{en}")
        if not troubles:
            typer.echo("日历齐备。 / The calendar is complete.")
    if troubles:
        raise typer.Exit(1)


@app.command("deadline")
def tell_deadline(
    folder: Folder,
    days: Annotated[int, typer.Option("--days", min=1, max=1000, help="几个工作日 / how many working days")],
    since: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=["%Y-%m-%d %H:%M", "%Y-%m-%d"], help="何时开始，默认现在 / begun then"
        ),
    ] = None,
    zone: Annotated[str, typer.Option(help="时区 / time zone")] = "Asia/Shanghai",
    as_json: Json = False,
) -> None:
    """算一个期限：哪天到期，已过、还剩几个工作日 / when a period of working days ends, what is left."""
    found, place = _read(folder), _zone(zone)
    now = datetime.now(UTC)
    begun = now if since is None else since.replace(tzinfo=place)
    deadline(begun, days, found, place)  # which says what is missing where the end cannot be told
    end = due(begun, days, found, place)
    passed, left = elapsed(begun, now, found, place), remaining(now, end.at, found, place)
    late = overdue(end.at, now, found, place)
    if as_json:
        told = {"last_day": str(end.last_day), "certainty": end.certainty, "elapsed": passed}
        typer.echo(orjson.dumps(told | {"remaining": left, "overdue": late}).decode())
        return
    moves = end.certainty is Certainty.PROVISIONAL
    zh, en = ("（暂定）", " (provisional)") if moves else ("", "")
    after = f"已逾期 {late} 个工作日" if now >= end.at else f"已过 {passed} 个工作日，今天之后还剩 {left} 个"
    typer.echo(f"截止 {_day(end.last_day)} 24 时{zh}；{after}。")
    told_en = f"{late} working days overdue" if now >= end.at else f"{passed} over, {left} left after today"
    typer.echo(f"Ends with {end.last_day}{en}; {told_en}.")


@app.command("import")
def import_year(
    folder: Folder,
    notice: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="通知原文，或表格（.csv）；- 为粘贴 / text of the notice, or a table (.csv); -: pasted",
        ),
    ],
    check_only: Annotated[
        bool, typer.Option("--check", help="只预览，不写入 / show only, write nothing")
    ] = False,
    replace: Annotated[
        bool, typer.Option(help="已有的这一年与通知不同时，以通知为准 / let it overrule a year that differs")
    ] = False,
    as_json: Json = False,
) -> None:
    """把国务院的放假通知录入 calendar.yaml；有一句读不懂就什么也不写
    bring a year's notice into calendar.yaml; a sentence not understood, and nothing is written.
    """
    arrangement = _arrangement(notice)
    path = folder / CALENDAR_FILE.path
    text = path.read_text("utf-8-sig") if path.exists() else ""
    known = calendar_of(text.encode()) if text else None
    if known and arrangement.year in known.years and not replace:
        _agree(known, arrangement)
    new = with_year(text, arrangement)
    same = calendar_of(new.encode()) == known
    if as_json:
        typer.echo(orjson.dumps(_preview(arrangement, same), option=orjson.OPT_INDENT_2).decode())
    else:
        _tell(arrangement)
    if same:
        told = "日历里已是这样，没有改动。", "The calendar has it already; nothing was changed."
    elif check_only:
        told = "只是预览，没有写入。", "A preview; nothing was written."
    else:
        if not path.exists():
            folder_exists(folder)
            path.touch()
        write(folder, {CALENDAR_FILE.path: new.encode()})
        told = (
            f"已写入 {path}。发布策略（sharebroker policy publish 或 propose）后生效。",
            f"Written to {path}; in force once the policies are published.",
        )
    typer.echo("\n".join(told), err=as_json)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def folder_exists(folder: Path) -> None:
    if not folder.is_dir():
        raise SetUpError(f"没有文件夹 {folder}。", f"There is no folder {folder}.")


def _read(folder: Path) -> Calendar:
    folder_exists(folder)
    path = folder / CALENDAR_FILE.path
    if not path.exists():
        raise SetUpError(
            f"{folder} 里没有 {CALENDAR_FILE.path}；请用 sharebroker calendar import 录入国务院的放假通知。",
            f"There is no {CALENDAR_FILE.path} in {folder}; use sharebroker calendar import.",
        )
    return calendar_of(path.read_bytes())


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SetUpError(f"没有时区 {name}，请写如 Asia/Shanghai。", f"There is no zone {name}.") from None


def _arrangement(file: str) -> Arrangement:
    """The year in a file, or in what is pasted.

    Raises:
        SetUpError: something in it is not understood, each with its line.
    """
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("gb18030", "replace")  # as Excel saves
    try:
        return read_csv(text) if file.lower().endswith(".csv") else read_notice(text)
    except Unreadable as unread:
        zh = "\n".join(f"第 {one.line} 行：{one.zh}" for one in unread.troubles)
        en = "\n".join(f"line {one.line}: {one.en}" for one in unread.troubles)
        raise SetUpError(
            f"没有读懂，什么也没有写入：\n{zh}", f"Not understood, nothing was written:\n{en}"
        ) from None


def _agree(known: Calendar, arrangement: Arrangement) -> None:
    if differ := differences(known, arrangement):
        days = ", ".join(map(str, differ))
        raise SetUpError(
            f"日历里已有 {arrangement.year} 年，以下日期与通知不同：{days}。核对后加 --replace 以通知为准。",
            f"The calendar has {arrangement.year} already and differs on {days}; "
            "compare, and use --replace if the notice is right.",
        )


# ── telling ──────────────────────────────────────────────────────────────────────────────────────


def _troubles(found: Calendar, today: date) -> Iterator[tuple[int, str, str]]:
    for year in sorted({today.year, (today + _AHEAD).year}):
        if year in found.provisional:
            yield (
                year,
                f"{year} 年待定：只列了法定节假日，到那一年的期限只能暂算；通知发布后请录入。",
                f"{year} is provisional: statutory days only; import its notice when it is out.",
            )
        elif year not in found.years:
            yield (
                year,
                f"没有 {year} 年：到那一年的期限只知最早可能的日期；请录入通知，未发布的先列法定节假日。",
                f"{year} is missing: of limits reaching into it only the earliest end is known; import it.",
            )
    for year in sorted(found.years):
        if (moved := _moved(found, year)) != STATUTORY_DAYS and year >= _SINCE:
            yield (
                year,
                f"{year} 年放假的工作日减去调休上班是 {moved} 天，法定是 {STATUTORY_DAYS} 天，请核对通知。",
                f"{year}: weekdays off less make-up days are {moved}, by law {STATUTORY_DAYS}; compare it.",
            )


_SINCE = 2025
"""The year from which there are so many statutory days."""


def _moved(found: Calendar, year: int) -> int:
    return sum(day.year == year for day in found.holidays) - sum(
        day.year == year for day in found.makeup_days
    )


def _months(found: Calendar, year: int) -> Table:
    title = f"{year} 年" + ("（待定 provisional）" if year in found.provisional else "")
    headings = "月 month", "工作日 worked", "放假 weekdays off", "调休上班 make-up days"
    table = Table(*headings, title=title)
    for month in range(1, 13):
        days = [date(year, month, number + 1) for number in range(gregorian.monthrange(year, month)[1])]
        off = [day for day in days if day in found.holidays]
        worked = [day for day in days if day in found.makeup_days]
        count = sum(map(found.as_listed, days))
        table.add_row(str(month), str(count), Text(_days(off)), Text(_days(worked)))
    return table


def _days(days: list[date]) -> str:
    return "、".join(f"{day.day}（{WEEKDAYS[day.weekday()]}）" for day in days)


def _as_dict(found: Calendar, year: int) -> dict[str, object]:
    days = (date(year, 1, 1) + timedelta(days=n) for n in range(366 if gregorian.isleap(year) else 365))
    return {
        "year": year,
        "provisional": year in found.provisional,
        "working_days": sum(map(found.as_listed, days)),
        "weekdays_off": sorted(str(day) for day in found.holidays if day.year == year),
        "makeup_days": sorted(str(day) for day in found.makeup_days if day.year == year),
    }


def _tell(arrangement: Arrangement) -> None:
    table = Table("安排 what", "自 from", "至 to", "天数 days", title=f"{arrangement.year} 年")
    for holiday in arrangement.holidays:
        days = str(len(holiday.days()))
        table.add_row(Text(f"放假 off {holiday.title}"), _day(holiday.first), _day(holiday.last), days)
    for day in arrangement.makeup_days:
        table.add_row("上班 work", _day(day), _day(day), "1")
    Console().print(table)
    if arrangement.moved != STATUTORY_DAYS and arrangement.year >= _SINCE:
        typer.echo(
            f"注意：放假的工作日减去调休上班是 {arrangement.moved} 天，法定 {STATUTORY_DAYS} 天，请核对。\n"
            f"Note: weekdays off less make-up days are {arrangement.moved}, by law {STATUTORY_DAYS}; "
            "compare the notice.",
            err=True,
        )


def _day(day: date) -> str:
    return f"{day} 周{WEEKDAYS[day.weekday()]}"


def _preview(arrangement: Arrangement, same: bool) -> dict[str, object]:
    return {
        "year": arrangement.year,
        "holidays": [
            {"names": holiday.names, "first": str(holiday.first), "last": str(holiday.last)}
            for holiday in arrangement.holidays
        ],
        "makeup_days": [str(day) for day in arrangement.makeup_days],
        "unchanged": same,
    }
