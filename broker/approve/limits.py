"""``limits.yaml`` → :class:`broker.model.TimeLimits` of each jurisdiction.

The file may be absent: then those of 《政务数据共享条例》 hold everywhere. A jurisdiction writes what
differs; the rest is that of the next wider one listed. What is shorter binds officers more and may be
written, what is longer than the wider one's may not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from broker.approve.catalog_grammar import JURISDICTION, TIME_LIMITS
from broker.approve.document import Node
from broker.approve.problem import Code, Problems
from broker.approve.table import Table, headed
from broker.model import NATIONAL, TimeLimits, region_prefix

_BOUNDED = (
    "unconditional_reply",
    "conditional_reply",
    "extension",
    "delivery",
    "correction",
    "catalog_update",
    "catalog_update_extension",
    "catalog_publication",
)
"""Where the regulation sets the longest that is lawful."""


def read_limits(node: Node | None, problems: Problems) -> Mapping[str, TimeLimits]:
    """GB/T 2260 code → the limits there, whole; to be used only if no problem was found."""
    if node is None:
        return MappingProxyType({})
    tables = {
        code: Table(entry, problems, JURISDICTION)
        for code, entry in headed(node, problems, TIME_LIMITS).named_items("jurisdictions")
        if code
    }
    found: dict[str, TimeLimits] = {}
    for code in sorted(tables, key=lambda code: len(region_prefix(code))):
        within = [wider for wider in found if code.startswith(region_prefix(wider))]
        found[code] = _limits(tables[code], found[within[-1]] if within else NATIONAL)
    return MappingProxyType(found)


def _limits(table: Table, wider: TimeLimits) -> TimeLimits:
    written: dict[str, Any] = {name: table.count(name) for name in (*_BOUNDED, "supplement") if name in table}
    limits = replace(wider, **{name: count for name, count in written.items() if count})
    for name in _BOUNDED:
        _check(table, name, getattr(limits, name), getattr(wider, name))
    if "remind_before" in table:
        days = {int(item.value) for item in table.texts("remind_before")}
        limits = replace(limits, remind_before=tuple(sorted(days, reverse=True)))
    return _staged(table, limits, wider)


def _staged(table: Table, limits: TimeLimits, wider: TimeLimits) -> TimeLimits:
    """The parts make up the answer's limit; who writes that limit alone has no parts."""
    if "stages" not in table:
        alone = "conditional_reply" in table
        return replace(limits, conformity=None, answer=None) if alone else limits
    if "conditional_reply" in table:
        zh, en = "“conditional_reply”与“stages”只能写一个", "write “conditional_reply” or “stages”, not both"
        table.add("stages", Code.CONFLICTING_KEYS, zh, en)
    parts = table.table("stages")
    conformity, answer = parts.count("conformity") or 1, parts.count("answer") or 1
    whole = conformity + answer
    _check(table, "stages", whole, wider.conditional_reply)
    return replace(limits, conditional_reply=whole, conformity=conformity, answer=answer)


def _check(table: Table, name: str, days: int, most: int) -> None:
    if days > most:
        zh = f"办理时限不得长于上级或国家的规定：最多 {most} 个工作日"
        en = f"longer than the wider jurisdiction's or the national limit: at most {most} working days"
        table.add(name, Code.LIMIT_TOO_LONG, zh, en)
