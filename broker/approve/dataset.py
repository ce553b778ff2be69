"""One catalog entry as YAML → :class:`broker.model.Dataset`, with what Articles 13 to 15 and 19 ask of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from types import MappingProxyType

from broker.approve.catalog_grammar import CATALOG_DATASET, CATALOG_FIELD, SharingMode
from broker.approve.document import Node
from broker.approve.problem import CATEGORY, FIELD, FORMAT, LEVEL, Code, Position, Problems
from broker.approve.shapes import DURATION
from broker.approve.table import Table, text
from broker.formats import FORMATS
from broker.model import Dataset, Field, FieldType, SharingAttribute, SourceSpec

CITATION = re.compile("《.+》|〔[0-9]{4}〕")
"""A law or regulation by its title, or a document by its number."""


class DatasetReader:
    """Reads datasets one after the other; remembers codes to find two sources for one thing (一数一源)."""

    def __init__(self, levels: Collection[str], categories: Collection[str], problems: Problems) -> None:
        self._levels = levels
        self._categories = categories
        self._problems = problems
        self._catalog_codes: dict[str, str] = {}
        self._items: dict[str, str] = {}

    def read(self, department: str, name: str, node: Node) -> Dataset:
        table = Table(node, self._problems, CATALOG_DATASET)
        dataset = f"{department}.{name}"
        columns: dict[str, str] = {}
        fields = {
            field: self._field(department, dataset, field, entry, columns)
            for field, entry in table.named_items("fields")
        }
        subject = table.table("subject")
        self._check_catalog_code(department, table)
        return Dataset(
            id=dataset,
            department=department,
            title=table.text("title"),
            catalog_code=table.text("catalog_code"),
            fields=MappingProxyType(fields),
            subject_fields=_subject_fields(subject, fields),
            subject_format=subject.name("format", FORMATS, FORMAT),
            sharing_attribute=table.word("sharing_attribute", SharingAttribute, SharingAttribute.CONDITIONAL),
            sharing_modes=table.words("sharing_modes", SharingMode),
            use_conditions=table.text("use_conditions"),
            attribute_basis=_attribute_basis(table),
            update_cycle=_update_cycle(table),
            as_of_field=_field_of_type(table, "as_of", fields, (FieldType.DATE, FieldType.TIMESTAMP)),
            source=_source(table, columns),
            region_field=_field_of_type(table, "region", fields, (FieldType.TEXT,)) or None,
            grid_field=_field_of_type(table, "grid", fields, (FieldType.TEXT,)) or None,
            category=table.name("category", self._categories, CATEGORY) or None,
        )

    def _field(self, department: str, dataset: str, name: str, node: Node, columns: dict[str, str]) -> Field:
        table = Table(node, self._problems, CATALOG_FIELD)
        type_ = table.word("type", FieldType, FieldType.TEXT)
        format_ = table.name("format", FORMATS, FORMAT)
        if format_ in FORMATS and type_ not in (types := FORMATS[format_].types):
            zh = f"只有 type: {'、'.join(types)} 的数据项可写 format: {format_}"
            en = f"only a field of type {' or '.join(types)} has the format {format_}"
            table.add("format", Code.WRONG_FIELD_TYPE, zh, en)
        if item := table.text("item"):
            self._check_single_source(self._items, item, department, table.place("item"))
        columns[name] = table.text("column") or name
        return Field(
            name=name,
            title=table.text("title"),
            type=type_,
            level=table.name("level", self._levels, LEVEL),
            format=format_ or None,
            required=table.flag("required"),
            domain=table.text("domain") or format_ or f"{dataset}.{name}",
            shared=table.flag("shared", default=True),
        )

    def _check_catalog_code(self, department: str, table: Table) -> None:
        if not (code := table.text("catalog_code")):
            return
        if self._catalog_codes.get(code) == department:
            zh, en = (
                "目录代码与本部门另一数据资源相同",
                "another dataset of the department has this code",
            )
            table.add("catalog_code", Code.CATALOG_CODE_REPEATED, zh, en)
        self._check_single_source(self._catalog_codes, code, department, table.place("catalog_code"))

    def _check_single_source(self, codes: dict[str, str], code: str, department: str, at: Position) -> None:
        """Article 19: one source department for one data item."""
        if (other := codes.setdefault(code, department)) != department:
            zh = f"“{code}”已由 {other} 提供，一个数据项只能有一个来源部门（一数一源）"
            en = f"“{code}” is already provided by {other}; a data item has one source department"
            self._problems.add(at, Code.TWO_SOURCES, zh, en)


def _subject_fields(subject: Table, fields: Mapping[str, Field]) -> tuple[str, ...]:
    """Fields that hold a subject's identifier: each must have the format that subjects are asked with."""
    names, format_ = subject.names("fields", fields, FIELD), subject.text("format")
    for name in names:
        if name in fields and format_ and fields[name].format != format_:
            zh = f"数据项“{name}”的 format 须与 subject 的 format 相同"
            en = f"field “{name}” must have the format of the subject"
            subject.add("fields", Code.SUBJECT_FORMAT, zh, en)
    return names


def _field_of_type(table: Table, key: str, fields: Mapping[str, Field], types: tuple[FieldType, ...]) -> str:
    name = table.name(key, fields, FIELD)
    if name in fields and fields[name].type not in types:
        wanted = " / ".join(types)
        zh, en = f"此处的数据项类型须为 {wanted}", f"the field named here must be of type {wanted}"
        table.add(key, Code.WRONG_FIELD_TYPE, zh, en)
    return name


def _attribute_basis(table: Table) -> str:
    """Article 14: conditional states its conditions; Article 15: withheld cites its law."""
    basis, attribute = table.text("attribute_basis"), table.text("sharing_attribute")
    if attribute == SharingAttribute.CONDITIONAL and not basis:
        zh = "有条件共享须在 attribute_basis 写明范围、用途和条件"
        en = "conditional sharing must state scope, purpose and conditions in attribute_basis"
        table.add("sharing_attribute", Code.BASIS_MISSING, zh, en)
    if attribute == SharingAttribute.WITHHELD and not CITATION.search(basis):
        zh = "不予共享须在 attribute_basis 引用法律、行政法规或国务院决定，如《…法》第…条"
        en = "withheld must cite a law, regulation or State Council decision in attribute_basis, e.g. 《…》"
        table.add("sharing_attribute", Code.BASIS_MISSING, zh, en)
    return basis


def _update_cycle(table: Table) -> timedelta:
    """Weeks, or days and hours; no time at all is no cycle."""
    written = table.text("update_cycle")
    found = DURATION.pattern.fullmatch(written) if DURATION.pattern else None
    weeks, days, hours = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    cycle = timedelta(weeks=weeks, days=days, hours=hours)
    if written and not cycle:
        table.add("update_cycle", DURATION.code, f"须为{DURATION.zh}", f"write {DURATION.en}")
    return cycle


def _source(table: Table, columns: Mapping[str, str]) -> SourceSpec:
    written = {key.value: text(value, table.problems) for key, value in table.items("source")}
    kind = written.pop("kind", "")
    return SourceSpec(kind, MappingProxyType(written), MappingProxyType(dict(columns)))
