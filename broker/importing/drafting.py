"""From a file or a URL to a catalog entry: open it, read it through, decide the parts, write the draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from broker.errors import SetUpError
from broker.formats import FORMATS
from broker.importing.draft import Heading, dataset_text
from broker.importing.opening import Opened, Wanted, open_table, without_password
from broker.importing.recognise import Count, Guess
from broker.importing.survey import IDENTIFIERS, Column, Roles, roles_of, survey
from broker.importing.vocabulary import Care, Word, field_id
from broker.model import Catalog, FieldType
from broker.reasons import Sentence

FILE_TIME = "文件时间"
_DEFAULT_CYCLE = "P7D"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be drafted: as which dataset, and what the person importing decides beforehand."""

    department: str
    name: str
    title: str = ""
    catalog_code: str = ""
    subjects: tuple[str, ...] = ()
    """Columns that say whom a row is about; none: find out."""
    as_of: str = ""
    """Column that dates a row; empty: find out."""


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft, and what was learned on the way; it holds no value of the table."""

    entry: str
    columns: tuple[Column, ...]
    roles: Roles
    source: Mapping[str, str]
    rows: int
    is_complete: bool
    notes: tuple[Sentence, ...]


def draft_table(
    target: str, wanted: Wanted, asked: Asked, catalog: Catalog, base: Path, day: date, secret: str = ""
) -> Drafted:
    """A draft of the table in ``target``.

    Args:
        base: the data folder, at which relative paths of the catalog start.
        secret: path, from there, of the file that will hold the password which ``target`` has.

    Raises:
        SetUpError: it cannot be read, or has no column that says whom a row is about or when it was true.
    """
    opened = open_table(target, base, wanted)
    with closing(opened.source):
        found = survey(opened, ZoneInfo(catalog.zone))
    if not found.rows:
        raise SetUpError("表中没有数据，无从识别。", "The table holds no rows, so nothing can be recognised.")
    roles = roles_of(found.columns, asked.subjects, asked.as_of)
    if not roles.subjects:
        raise _without_subject(found.columns)
    columns, options = found.columns, dict(opened.options)
    if not roles.as_of:
        dated = _dated_by_file(opened, columns)
        columns, options = (*columns, dated), {**options, "modified_column": dated.name}
        roles = Roles(roles.subject_format, roles.subjects, dated.field, roles.region)
    if secret:
        options = {**_bare(options), "password_file": secret}
    source = {"kind": opened.kind, **options}
    heading = Heading(
        name=asked.name,
        title=asked.title or opened.title,
        catalog_code=asked.catalog_code or f"DRAFT-{asked.department}-{asked.name}",
        origin=f"{_origin(target, wanted)}，{day}",
        update_cycle=_DEFAULT_CYCLE,
    )
    entry = dataset_text(heading, columns, roles, source, catalog.levels)
    return Drafted(entry, columns, roles, source, found.rows, found.is_complete, opened.notes)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def _without_subject(columns: Sequence[Column]) -> SetUpError:
    known = "、".join(FORMATS[name].title for name in IDENTIFIERS)
    zh = f"没有一列是可以按它查询的标识（{known}）。"
    en = f"No column holds identifiers to ask by ({', '.join(IDENTIFIERS)})."
    if rounded := [column.name for column in columns if column.count.rounded]:
        names = ", ".join(rounded)
        zh += f"“{names}”中的长号码已被表格软件舍入，无法还原，请从原系统按文本格式重新导出。"
        en += (
            f" The long numbers in “{names}” were rounded by a spreadsheet and are lost: export them as text."
        )
    elif suspects := [column.name for column in columns if column.word.format in IDENTIFIERS]:
        names = ", ".join(suspects)
        zh += f"“{names}”像是标识，但多数值不合格式；核对后可用 --subject 指定。"
        en += f" “{names}” looks like one, but most values are malformed."
    return SetUpError(zh, en)


def _dated_by_file(opened: Opened, columns: Sequence[Column]) -> Column:
    """A file without a column of update times is as old as the file itself."""
    if opened.kind != "files":
        dates = (c.name for c in columns if c.guess.type in (FieldType.DATE, FieldType.TIMESTAMP))
        listed = ", ".join(dates) or "—"
        raise SetUpError(
            f"没有“更新时间”一类的列，请用 --as-of 指定哪一列是数据时点；日期列有：{listed}",
            f"No column of update times was found; name one with --as-of. Columns of dates: {listed}",
        )
    word = Word("file_time", Care.PUBLIC)
    names = [column.name for column in columns]
    name = next(n for n in (FILE_TIME, *(f"{FILE_TIME}_{i}" for i in range(2, 99))) if n not in names)
    guess = Guess(
        FieldType.TIMESTAMP, "", "文件的修改时间，作数据时点", "the file's own time, which dates its rows"
    )
    field = field_id(name, 0, word, [column.field for column in columns])
    return Column(name, "文件修改时间", field, word, guess, Count())


def _bare(options: Mapping[str, str]) -> dict[str, str]:
    return {**options, "url": without_password(options["url"])[0]}


def _origin(target: str, wanted: Wanted) -> str:
    return wanted.table if "://" in target else Path(target).name
