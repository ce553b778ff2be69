"""Applications as officers write them (``share-application/v1``, or options of a command) → :class:`Terms`.

Only the form is judged here, and names: what is missing is told by the broker when the application is filed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from broker.approve.document import ScalarNode, SequenceNode, parse
from broker.approve.grammar import ALL, VALUES, Subjects
from broker.approve.problem import DATASET, FIELD, PURPOSE, Problems
from broker.approve.shapes import COUNT, DAY, NAME, TEXT, Constant, Key, Keys, ListOf, MapOf, OneWord, option
from broker.approve.table import Table, headed, text
from broker.authoring.names import resolve
from broker.errors import SetUpError
from broker.model import Paper, RowScope, SharingMode, Terms, UseScope
from broker.reasons import Sentence

T = TypeVar("T")
APPLICATION_FILE = Sentence("申请文件", "application")
FORMAT = "share-application/v1"
APPLICATION = Keys(
    (
        Key("format", Constant(FORMAT), "文件格式", "the file's format"),
        Key("dataset", TEXT, "数据资源", "the dataset"),
        Key("fields", ListOf(TEXT, ALL), "数据项", "its fields"),
        Key("purpose", TEXT, "使用场景", "the purpose"),
        option("legal_basis", TEXT, "使用依据", "the legal basis"),
        option("scenario", TEXT, "怎样使用", "how the data are used"),
        option(
            "subjects",
            OneWord(Subjects),
            "all：整体；named：逐个查询",
            "all for every row, named for one person after another",
        ),
        option(
            "rows",
            MapOf(TEXT, VALUES),
            "数据项 → 只要取这些值的行",
            "field → only rows with one of these values",
        ),
        option("mode", OneWord(SharingMode), "共享方式", "the sharing mode"),
        option("rows_per_call", COUNT, "每次最多行数", "the most rows of one call"),
        option("rows_total", COUNT, "合计最多行数", "the most rows of all calls"),
        option("from", DAY, "首日", "the first day"),
        option("until", DAY, "末日，含当日", "the last day, which counts"),
        option("operator", TEXT, "经办人", "who answers questions"),
        option("papers", MapOf(NAME, TEXT), "附件种类 → 文件", "kind of paper → file"),
    )
)


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wrote: names as people say them, None where nothing was written."""

    dataset: str | None = None
    fields: tuple[str, ...] | None = None
    """``("all",)`` for every field that may be shared."""
    purpose: str | None = None
    legal_basis: str | None = None
    scenario: str | None = None
    whole: bool | None = None
    rows: Mapping[str, tuple[str, ...]] | None = None
    mode: SharingMode | None = None
    rows_per_call: int | None = None
    rows_total: int | None = None
    first_day: date | None = None
    last_day: date | None = None
    operator: str | None = None
    papers: Mapping[str, Path] | None = None

    def under(self, other: Draft) -> Draft:
        """This, where ``other`` says nothing."""
        said = {one.name: getattr(other, one.name) for one in fields(self)}
        return Draft(
            **{name: getattr(self, name) if given is None else given for name, given in said.items()}
        )


@dataclass(frozen=True, slots=True)
class Names:
    """What may be asked for, id → title."""

    datasets: Mapping[str, str]
    fields: Mapping[str, Mapping[str, str]]
    """Dataset → its fields that may be shared."""
    purposes: Mapping[str, str]
    """Empty where they are not known: the broker then judges them."""
    zone: ZoneInfo
    """Whose days are meant."""


def read_draft(path: Path) -> Draft:
    """The application in a file. Papers are named from the folder that it is in.

    Raises:
        SetUpError: the file cannot be read.
        PolicyProblems: everything that is wrong with it, each with its place.
    """
    try:
        content = path.read_bytes()
    except OSError:
        raise SetUpError(f"无法读取申请文件 {path}。", f"The application {path} cannot be read.") from None
    problems = Problems(APPLICATION_FILE)
    node = parse(content, path.name, problems)
    problems.refuse()
    assert node is not None  # noqa: S101 - what is no YAML was refused
    table = headed(node, problems, APPLICATION)
    draft = _draft(table, path.parent)
    problems.refuse()
    return draft


def terms(draft: Draft, names: Names, consumer: str, before: Terms | None = None) -> Terms:
    """What is applied for; where nothing was written, as it was ``before``.

    Raises:
        SetUpError: a name that is none, with the nearest; what every application needs is not written; a
            paper cannot be read.
    """
    old = before or Terms(consumer, "", (), "")
    dataset = resolve(draft.dataset, DATASET, names.datasets) if draft.dataset else old.dataset
    known = names.fields.get(dataset, {})
    purpose = _purpose(draft.purpose, names) if draft.purpose else old.purpose
    asked = old.fields if draft.fields is None else _fields(draft.fields, known)
    _require(dataset=dataset, fields=asked, purpose=purpose)
    return Terms(
        consumer=consumer,
        dataset=dataset,
        fields=tuple(sorted(asked)),
        purpose=purpose,
        legal_basis=_or(draft.legal_basis, old.legal_basis),
        scenario=_or(draft.scenario, old.scenario),
        scope=UseScope(
            whole=_or(draft.whole, old.scope.whole),
            rows=old.scope.rows if draft.rows is None else _rows(draft.rows, known),
        ),
        mode=_or(draft.mode, old.mode),
        rows_per_call=_or(draft.rows_per_call, old.rows_per_call),
        rows_total=_or(draft.rows_total, old.rows_total),
        valid_from=_or(_midnight(draft.first_day, names.zone), old.valid_from),
        valid_until=_or(_midnight(_after(draft.last_day), names.zone), old.valid_until),
        operator=_or(draft.operator, old.operator),
        papers=old.papers if draft.papers is None else _papers(draft.papers),
    )


def _draft(table: Table, folder: Path) -> Draft:
    fields_ = (ALL,) if table.is_all("fields") else tuple(one.value for one in table.texts("fields"))
    papers = {kind: folder / text(node, table.problems) for kind, node in table.named_items("papers")}
    return Draft(
        dataset=table.text("dataset") or None,
        fields=fields_ or None,
        purpose=table.text("purpose") or None,
        legal_basis=table.text("legal_basis") or None,
        scenario=table.text("scenario") or None,
        whole=_whole(table) if "subjects" in table else None,
        rows=_written_rows(table) if "rows" in table else None,
        mode=table.word("mode", SharingMode, SharingMode.API) if "mode" in table else None,
        rows_per_call=table.count("rows_per_call"),
        rows_total=table.count("rows_total"),
        first_day=table.day("from"),
        last_day=table.day("until"),
        operator=table.text("operator") or None,
        papers=papers if "papers" in table else None,
    )


def _whole(table: Table) -> bool:
    return table.word("subjects", Subjects, Subjects.NAMED) is Subjects.ALL


def _written_rows(table: Table) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(
            one.value
            for one in (node.items if isinstance(node, SequenceNode) else ())
            if isinstance(one, ScalarNode)
        )
        for name, node in table.named_items("rows")
    }


def _fields(said: tuple[str, ...], known: Mapping[str, str]) -> tuple[str, ...]:
    if said == (ALL,):
        return tuple(known)
    return tuple(dict.fromkeys(resolve(one, FIELD, known) for one in said))


def _purpose(said: str, names: Names) -> str:
    return resolve(said, PURPOSE, names.purposes) if names.purposes else said


def _rows(said: Mapping[str, tuple[str, ...]], known: Mapping[str, str]) -> tuple[RowScope, ...]:
    return tuple(
        RowScope(resolve(name, FIELD, known), values=tuple(sorted(values))) for name, values in said.items()
    )


def _papers(said: Mapping[str, Path]) -> tuple[Paper, ...]:
    return tuple(
        Paper(kind, path.name, hashlib.sha256(_read(path)).digest()) for kind, path in sorted(said.items())
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise SetUpError(f"无法读取附件 {path}。", f"The paper {path} cannot be read.") from None


def _require(**needed: object) -> None:
    if lacking := [name for name, value in needed.items() if not value]:
        raise SetUpError(
            f"申请至少须写明 dataset、fields、purpose，缺：{'、'.join(lacking)}。",
            f"An application names at least dataset, fields and purpose; missing: {', '.join(lacking)}.",
        )


def _midnight(day: date | None, zone: ZoneInfo) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), zone).astimezone(UTC)


def _after(day: date | None) -> date | None:
    return None if day is None else day + timedelta(days=1)


def _or(said: T | None, old: T) -> T:
    return old if said is None else said
