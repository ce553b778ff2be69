"""Writing a dataset as a draft for the catalog: every field is ``shared: false``, so no rule can release it.

The text is what an officer goes on to edit, so its comments say what was found and what to decide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from broker.importing.survey import Column, Roles
from broker.importing.vocabulary import MASKS, YAML_WORDS, Care
from broker.model import FieldType

_PLAIN = re.compile(r"[A-Za-z_\u4e00-\u9fff][A-Za-z0-9_\u4e00-\u9fff]*")
"""Text that YAML and an officer read alike without quotes."""
_MASKS_OF: Mapping[str, tuple[FieldType, ...]] = {
    "redact": tuple(FieldType),
    "partial": (FieldType.TEXT,),
    "truncate": (FieldType.TEXT,),
    "pseudonym": (FieldType.TEXT,),
    "year": (FieldType.DATE, FieldType.TIMESTAMP),
    "predicate": (FieldType.INTEGER, FieldType.DECIMAL),
}


@dataclass(frozen=True, slots=True)
class Heading:
    """What a dataset's entry says beside its fields."""

    name: str
    title: str
    catalog_code: str
    origin: str
    """File or table, and the day of the import."""
    update_cycle: str
    sharing_attribute: str = "conditional"
    attribute_basis: str = "导入草稿：共享的范围、用途和条件待提供部门确定，确定前不共享"
    sharing_modes: tuple[str, ...] = ("api",)
    use_conditions: str = "导入草稿，尚未开放"


def dataset_text(
    heading: Heading,
    columns: Sequence[Column],
    roles: Roles,
    source: Mapping[str, str],
    levels: Sequence[str],
) -> str:
    """The dataset's entry, indented by two, as it stands below ``datasets:``."""
    lines = [
        f"  {heading.name}:",
        f"    # 草稿，由 sharebroker catalog import 起草：{heading.origin}",
        "    # 所有数据项都不共享。逐项核对；要开放的删去 shared: false，再在 sharing/ 写规则。",
        "    # A draft: no field is shared. Check each; to open one, delete shared: false and write a rule.",
        f"    title: {scalar(heading.title)}",
        f"    catalog_code: {scalar(heading.catalog_code)} # 待填国家目录代码 · the national code goes here",
        f"    sharing_attribute: {heading.sharing_attribute} # 待定 · unconditional | conditional | withheld",
        f"    attribute_basis: {scalar(heading.attribute_basis)}",
        f"    sharing_modes: [{', '.join(heading.sharing_modes)}]",
        f"    use_conditions: {scalar(heading.use_conditions)}",
        f"    update_cycle: {heading.update_cycle} # 待核对，超过的算过期 · older data are stale",
        f"    subject: {{format: {roles.subject_format}, fields: [{', '.join(roles.subjects)}]}}",
        f"    as_of: {roles.as_of}",
        *([f"    region: {roles.region}"] if roles.region else []),
        f"    source: {{{', '.join(f'{key}: {scalar(value)}' for key, value in source.items())}}}",
        "    fields:",
    ]
    for column in columns:
        lines += _field_lines(column, column.field in roles.subjects, levels)
    return "\n".join(lines) + "\n"


def scalar(text: str) -> str:
    """``text`` as it is written in YAML, also inside braces."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in YAML_WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


def _field_lines(column: Column, is_subject: bool, levels: Sequence[str]) -> Iterator[str]:
    yield f"      # {_remark(column)}"
    if mask := _suggested_mask(column):
        yield f"      # 建议脱敏 · suggested mask: {mask}"
    entries = {
        "title": scalar(column.title),
        "type": str(column.guess.type),
        "format": column.guess.format,
        "level": scalar(column.care.level(levels)),
        "column": scalar(column.name) if column.name != column.field else "",
        "required": "true" if is_subject and column.count.values and not column.count.empty else "",
        "shared": "false",
    }
    written = ", ".join(f"{key}: {value}" for key, value in entries.items() if value)
    yield f"      {column.field}: {{{written}}}"


def _suggested_mask(column: Column) -> str:
    """The usual mask of such a column, if its type can be masked so."""
    mask = column.word.mask or MASKS.get(column.guess.format, "")
    types = next((types for operator, types in _MASKS_OF.items() if mask.startswith(f"{{{operator}:")), ())
    return mask if column.care >= Care.PERSONAL and column.guess.type in types else ""


def _remark(column: Column) -> str:
    count, zh, en = column.count, column.guess.zh, column.guess.en
    if count.odd:
        zh += f"，{count.values} 行中 {count.odd} 行异常"
        en += f", {count.odd} odd of {count.values}"
    if count.rounded:
        zh += f"，其中 {count.rounded} 个数被表格软件舍入，已不可信"
        en += f", {count.rounded} rounded by a spreadsheet and not to be trusted"
    if column.guess.type is FieldType.TEXT and not column.guess.format and column.word.field == "":
        zh += "；含义不明，分级从严"
        en += "; meaning unknown, so a careful level"
    return f"{zh} · {en}"
