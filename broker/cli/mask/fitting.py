"""Whether a plan fits a file: what its masks would lose, and what would go out that should not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from adapters.masking.classes import ClassCounter, TooManyClasses
from adapters.sources.rounded import Rounded
from broker.bulk.plan import BulkField, Gate
from broker.cli.mask.assessment import MOST_COMBINATIONS
from broker.cli.mask.reading import Table
from broker.cli.mask.trial import Trial, TriedColumn
from broker.errors import SetUpError
from broker.formats import FORMATS
from broker.model import Below, FieldType
from broker.reasons import Sentence

_CARD_SHARE = 0.5
"""One number in ten passes for a bank card's by chance: only a column of them is one."""
_WITHIN = {
    "resident_id": r"(?:^|[^0-9])(?P<found>[1-9][0-9]{16}[0-9Xx])(?:$|[^0-9A-Za-z])",
    "mobile": r"(?:^|[^0-9])(?P<found>1[3-9][0-9]{9})(?:$|[^0-9])",
}
"""RE2: an identifier alone or within a longer text."""
_WHOLE_CARD = "^[0-9]{16,19}$"
_LEADING_ZERO = "^[+-]?0[0-9]"


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one column, and what to do. Holds counts, never a value."""

    severity: Severity
    column: str
    zh: str
    en: str


@dataclass(slots=True)
class ColumnTally:
    """What was counted in one field's column so far."""

    planned: BulkField
    rows: int = 0
    empty: int = 0
    bad: int = 0
    """Values not of the field's type or format."""
    curable: int = 0
    """Of those, such as only need their blanks taken away or an x in capitals."""
    lost: int = 0
    """Values of the right type and format that the operator makes null of."""
    rounded: int = 0
    """Long numbers that a spreadsheet has cut short."""
    zeros: int = 0
    """Texts with leading zeros that the field's type drops."""
    clear: dict[str, int] = field(default_factory=dict)
    """Format of an identifier → values that go out as they are and hold one."""

    def add(self, tried: TriedColumn) -> None:
        """Count a batch of the column."""
        before, typed = tried.before, tried.typed
        self.rows += len(before)
        self.empty += before.null_count
        self.bad += typed.null_count - before.null_count
        if tried.after is not None:
            lost = pc.and_(tried.after.is_null(), typed.is_valid())
            self.lost += int(lost.true_count)
        texts = _texts(before)
        if texts is None:
            return
        self.rounded += len(Rounded(texts))
        if self.planned.field.type in (FieldType.INTEGER, FieldType.DECIMAL):
            self.zeros += int(pc.match_substring_regex(texts, _LEADING_ZERO).true_count)
        form = FORMATS.get(self.planned.field.format or "")
        if form is not None and typed.null_count > before.null_count:
            bad = texts.filter(pc.and_(typed.is_null(), before.is_valid()))
            tidy = pc.utf8_upper(pc.utf8_trim_whitespace(bad))
            self.curable += int(form.matches_all(tidy).true_count)
        if self.planned.released and self.planned.mask is None:
            self._look_for_identifiers(texts)

    def _look_for_identifiers(self, texts: pa.Array) -> None:
        for name, pattern in _WITHIN.items():
            found = pc.struct_field(pc.extract_regex(texts, pattern), "found")
            self._count(name, pc.utf8_upper(found))
        cards = texts.filter(pc.fill_null(pc.match_substring_regex(texts, _WHOLE_CARD), False))
        self._count("bank_card", cards)

    def _count(self, name: str, texts: pa.Array) -> None:
        number = int(FORMATS[name].matches_all(texts).true_count)
        if number:
            self.clear[name] = self.clear.get(name, 0) + number


@dataclass(frozen=True, slots=True)
class Fit:
    """A whole file, masked and counted."""

    columns: Sequence[ColumnTally]
    unread: Sequence[str]
    """Columns of the file that the plan does not name."""
    gate: Gate | None
    small: int
    """Rows whose class is smaller than the gate demands."""

    def findings(self) -> Iterator[Finding]:
        """Everything to say, column by column."""
        for tally in self.columns:
            yield from _of_column(tally)
        for name in self.unread:
            yield Finding(Severity.NOTE, name, "计划未提及，不给出", "not in the plan, so not released")
        if self.gate is not None and self.small:
            yield _of_gate(self.gate, self.small)


def fit(trial: Trial, table: Table) -> Fit:
    """Mask the whole file batch by batch, and count.

    Raises:
        SetUpError: it cannot be read, lacks a column, or an operator failed.
    """
    trial.check_columns(table)
    counted = [ColumnTally(one) for one in trial.plan.fields]
    gate = trial.plan.gate
    classes = ClassCounter(MOST_COMBINATIONS)
    for batch in table.batches(trial.columns):
        tried = trial.on(batch)
        for tally, one in zip(counted, tried, strict=True):
            tally.add(one)
        if gate is not None:
            _count_classes(classes, gate, tried)
    sizes = classes.counts.to_numpy()
    small = int(sizes[sizes < gate.k].sum()) if gate else 0
    read = {tally.planned.column for tally in counted}
    return Fit(counted, [name for name in table.columns if name not in read], gate, small)


def _count_classes(classes: ClassCounter, gate: Gate, tried: Sequence[TriedColumn]) -> None:
    after = {one.field.field.name: one.after for one in tried if one.after is not None}
    try:
        classes.add([after[name] for name in gate.quasi_identifiers])
    except TooManyClasses:
        pass
    else:
        return
    raise SetUpError(
        f"k_anonymity 的数据项脱敏后仍有超过 {MOST_COMBINATIONS:,} 种组合，请加强其脱敏。",
        f"Masked, the fields of k_anonymity still have more than {MOST_COMBINATIONS:,} combinations.",
    )


def _of_gate(gate: Gate, small: int) -> Finding:
    names = "、".join(gate.quasi_identifiers)
    if gate.below is Below.REFUSE:
        zh, en = (
            f"{small} 行所在的组不足 {gate.k} 行，整个文件不给出",
            f"{small} rows in groups below {gate.k}",
        )
        return Finding(Severity.ERROR, names, zh, f"{en}: nothing is released")
    zh, en = (
        f"{small} 行所在的组不足 {gate.k} 行，会删去",
        f"{small} rows in groups below {gate.k} are left out",
    )
    return Finding(Severity.WARNING, names, zh, en)


def _of_column(tally: ColumnTally) -> Iterator[Finding]:
    for severity, zh, en in _found(tally):
        yield Finding(severity, tally.planned.column, zh, en)


def _found(tally: ColumnTally) -> Iterator[tuple[Severity, str, str]]:
    values, kind = tally.rows - tally.empty, _kind(tally.planned)
    for name, number in tally.clear.items():
        if name == "bank_card" and number < _CARD_SHARE * values:
            continue
        title = FORMATS[name].title
        zh = f"{number} 个值含{title}，却原样给出：请脱敏"
        yield Severity.ERROR, zh, f"{number} values hold a {name} and go out as they are: mask them"
    if values and tally.bad == values:
        zh = f"没有一个值是{kind.zh}，全部会变为空值：请核对类型、格式"
        yield Severity.ERROR, zh, f"no value is a {kind.en}, all become null: look at type and format"
    elif tally.bad:
        zh = f"{tally.bad} 个值（{_share(tally.bad, values)}）不是{kind.zh}，会变为空值"
        yield Severity.WARNING, zh, f"{tally.bad} values are no {kind.en} and become null"
    if tally.curable:
        zh = f"其中 {tally.curable} 个只是有空格或小写 x，整理后可用"
        yield Severity.NOTE, zh, f"{tally.curable} of them only have blanks or a small x: tidy them first"
    if tally.lost:
        zh = f"{tally.lost} 个值（{_share(tally.lost, values)}）过短或不合算子要求，会变为空值"
        yield Severity.WARNING, zh, f"{tally.lost} values are too short or unfit for the mask and become null"
    if tally.rounded:
        zh = f"{tally.rounded} 个长号码被表格软件舍入，已不可信，请按文本重新导出"
        yield (
            Severity.ERROR,
            zh,
            f"{tally.rounded} long numbers were rounded by a spreadsheet: export as text",
        )
    if tally.zeros:
        zh = f"{tally.zeros} 个值有前导零，按{kind.zh}会丢失：编号请写 type: text"
        yield (
            Severity.WARNING,
            zh,
            f"{tally.zeros} values lose their leading zeros as {kind.en}: use type: text",
        )
    if tally.rows and not values:
        yield Severity.NOTE, "全部为空", "empty throughout"


def _kind(one: BulkField) -> Sentence:
    form = FORMATS.get(one.field.format or "")
    if form is not None:
        return Sentence(form.title, form.name)
    return Sentence(f"{one.field.type} 类型", f"value of type {one.field.type}")


def _share(number: int, values: int) -> str:
    return f"{number / max(1, values):.1%}"


def _texts(values: pa.Array) -> pa.Array | None:
    """``values`` as ``string`` where they are texts or whole numbers, else None."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    kind = values.type
    is_text = kind in (pa.string(), pa.large_string(), pa.string_view())
    return values.cast(pa.string()) if is_text or pa.types.is_integer(kind) else None
