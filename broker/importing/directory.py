"""The usual 政务数据目录 in Excel: not a table of data but a list of what tables there are.

Its columns are those that Article 13 of 《政务数据共享条例》 asks for, under headers that differ from city to
city. One row per data item, the resource named once in a merged cell; or one row per resource, its data
items in one cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from adapters.sources.layout import names_of, tidied
from adapters.sources.spreadsheet import Row
from broker.formats import FORMATS
from broker.importing.draft import Heading
from broker.importing.recognise import Count, Guess
from broker.importing.sheet import HEAD_ROWS, find_header
from broker.importing.survey import Column, Roles, roles_of
from broker.importing.vocabulary import AMOUNT, DATE, TRUTH, Care, Word, field_id, word_for
from broker.model import FieldType, SharingAttribute

_HEADERS = {
    "mode": "共享方式|提供方式|方式$",
    "code": "资源代码|资源编码|目录代码|目录编码|资源标识",
    "attribute": "共享属性|共享类型|共享类别",
    "provider": "提供单位|提供方|提供部门|责任单位|责任部门|来源部门|来源单位",
    "resource": "资源名称|目录名称|数据集名称|^名称$|^资源$",
    "item_code": "英文名|字段名$|字段代码|列名|(?:数据|信息)项(?:代码|编码)",
    "level": "分级|级别|等级",
    "type": "数据格式|数据类型|字段类型|格式|类型$",
    "item": "信息项|数据项|字段中文|字段名称|指标名称|字段$",
    "cycle": "更新频率|更新周期|频率|周期",
    "basis": "依据",
    "conditions": "使用条件|共享条件|使用要求|共享范围|条件",
}
"""The first that fits decides."""
_TELLING = ("item", "type", "cycle", "attribute", "mode", "conditions", "level", "code")
"""Besides the resource's name, three of these make a sheet a catalog."""

_CYCLES = (
    ("实时|即时", "PT1H"),
    ("时", "PT6H"),
    ("日|天", "P1D"),
    ("周|星期", "P1W"),
    ("半月|旬", "P16D"),
    ("半年", "P184D"),
    ("季", "P92D"),
    ("月", "P31D"),
    ("年", "P366D"),
)
_TYPES = (
    ("日期时间|时间|datetime|timestamp", FieldType.TIMESTAMP),
    ("日期|date|^d8?$", FieldType.DATE),
    ("布尔|bool|是否", FieldType.BOOLEAN),
    ("整|int", FieldType.INTEGER),
    ("数值|数字|number|numeric|decimal|float|double|金额|^n[0-9(,. ]*", FieldType.DECIMAL),
)
_TYPE_OF_WORD = {TRUTH: FieldType.BOOLEAN, DATE: FieldType.DATE, AMOUNT: FieldType.DECIMAL}
"""Where the catalog writes no type."""
_ATTRIBUTES = (("无条件", SharingAttribute.UNCONDITIONAL), ("不予", SharingAttribute.WITHHELD))
_MODES = (("接口|服务|api", "api"), ("批量|交换|库表", "batch"), ("文件|下载|拷贝", "file"))
_ORDINALS = {
    mark: place for place, marks in enumerate(("一1", "二2", "三3", "四4", "五5"), 1) for mark in marks
}
_DEFAULT_CYCLE = "P1D"
_OPEN, _CLOSE, _SEPARATORS = "（(", "）)", "、，,；;\n"
_TODO = "todo"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Resource:
    """One dataset as the catalog describes it, texts as written there."""

    title: str
    provider: str
    said: Mapping[str, str]
    items: list[Mapping[str, str]] = field(default_factory=list)


def resources_of(rows: Sequence[Row]) -> list[Resource] | None:
    """The datasets that a sheet describes; None when it is no catalog."""
    layout = find_header(rows[:HEAD_ROWS])
    if layout is None:
        return None
    places = _places(names_of(rows[layout.first - 1 : layout.last]))
    if "resource" not in places or sum(name in places for name in _TELLING) < 3:
        return None
    found: list[Resource] = []
    for row in rows[layout.last :]:
        said = {name: tidied(_cell(row, at)) or "" for name, at in places.items()}
        if said["resource"] and not (found and found[-1].title == said["resource"]):
            found.append(Resource(said["resource"], said.get("provider", ""), said))
        if found:
            found[-1].items.extend(_items(said))
    return found


def heading_of(resource: Resource, department: str, name: str, origin: str) -> Heading:
    """What the catalog says of the dataset, as the heading of the draft ``name`` of ``department``."""
    said = resource.said
    attribute = _first(_ATTRIBUTES, said.get("attribute", ""), SharingAttribute.CONDITIONAL)
    conditions = said.get("conditions", "")
    basis = said.get("basis", "") or conditions
    modes = tuple(mode for pattern, mode in _MODES if re.search(pattern, said.get("mode", "").lower()))
    return Heading(
        name=name,
        title=resource.title,
        catalog_code=said.get("code", "") or f"DRAFT-{department}-{name}",
        origin=origin,
        update_cycle=_first(_CYCLES, said.get("cycle", ""), _DEFAULT_CYCLE),
        sharing_attribute=str(attribute),
        attribute_basis=_one_line(basis) or "目录未写明，待提供部门确定",
        sharing_modes=modes or ("api",),
        use_conditions=_one_line(conditions) or "目录未写明，待提供部门确定",
    )


def columns_of(resource: Resource, levels: Sequence[str]) -> list[Column]:
    """The dataset's fields, by what the catalog says of them; no value was seen."""
    columns: list[Column] = []
    for number, item in enumerate(resource.items, 1):
        title = _one_line(item["item"])
        word = _as_classified(word_for(title), item.get("level", ""), levels)
        name = item.get("item_code", "") or title
        id_ = field_id(name, number, word, {column.field for column in columns})
        columns.append(Column(name, title, id_, word, _guess(item, word), Count()))
    return columns


def roles_in(columns: Sequence[Column]) -> Roles:
    """As :func:`roles_of`, with ``todo`` for what the catalog does not tell."""
    roles = roles_of(columns)
    return Roles(
        roles.subject_format or _TODO, roles.subjects or (_TODO,), roles.as_of or _TODO, roles.region
    )


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def _places(names: Sequence[str]) -> dict[str, int]:
    """What stands in which column; each column for one thing, each thing in the first that fits."""
    places: dict[str, int] = {}
    for at, name in enumerate(names):
        for what, pattern in _HEADERS.items():
            if re.search(pattern, name):
                places.setdefault(what, at)
                break
    return places


def _items(said: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    for title in _split(said.get("item", "")):
        yield {**said, "item": title}


def _split(text: str) -> Iterator[str]:
    """The items in one cell; a separator within brackets separates nothing."""
    depth, begin = 0, 0
    for at, character in enumerate(text + _SEPARATORS[0]):
        depth += (character in _OPEN) - (character in _CLOSE)
        if character in _SEPARATORS and (depth <= 0 or at == len(text)):
            if item := text[begin:at].strip():
                yield item
            begin = at + 1


def _guess(item: Mapping[str, str], word: Word) -> Guess:
    written = item.get("type", "")
    unwritten = FieldType.TEXT if written else _TYPE_OF_WORD.get(word.format, FieldType.TEXT)
    type_ = _first(_TYPES, written.lower(), unwritten)
    is_format = word.format in FORMATS and type_ in FORMATS[word.format].types
    format_ = word.format if is_format and type_ is FieldType.TEXT else ""
    said = _one_line(written) or "—"
    return Guess(type_, format_, f"目录写作“{said}”", f"written as “{said}” in the catalog")


def _as_classified(word: Word, level: str, levels: Sequence[str]) -> Word:
    """``word`` with the care that the catalog's level asks for, where that can be read; never with less."""
    at = next((i for i, known in enumerate(levels) if known.lower() == level.lower()), None)
    if at is None and level:
        ordinal = next((_ORDINALS[mark] for mark in level if mark in _ORDINALS), 0)
        at = ordinal - 1 if 0 < ordinal <= len(levels) else None
    if at is None:
        return word
    cares = [care for care in Care if care.level(levels) == levels[at]]
    care = max([word.care, *cares[-1:]])
    return Word(word.field, care, word.mask, word.format, word.is_code)


def _first(pairs: Sequence[tuple[str, T]], text: str, default: T) -> T:
    return next((value for pattern, value in pairs if re.search(pattern, text)), default)


def _one_line(text: str) -> str:
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def _cell(row: Row, at: int) -> str:
    return (row[at] or "") if at < len(row) else ""
