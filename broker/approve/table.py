"""Typed reading of one YAML mapping: each accessor gives a value of its type and reports what is wrong.

After a report the value given is a harmless stand-in (``""``, ``None``, ``()``). No half-right object gets
out: whoever loads calls :meth:`Problems.refuse` before using anything.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import date
from enum import StrEnum
from typing import TypeVar

from broker.approve.document import MappingNode, Node, ScalarNode, SequenceNode
from broker.approve.problem import KEY, WORD, Code, Kind, Position, Problems

NAME = re.compile(r"[a-z][a-z0-9_]*")
"""Ids that stand in requests and resource names: departments, datasets, fields, purposes."""
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""Ids of policies and rules."""
DAY = re.compile("(19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}")
"""GB/T 7408.1 calendar date, extended form, of the years 1900 to 2999."""
ALL = "all"
"""Written where everything is meant: nothing is meant by leaving it out."""

_NULLS = ("~", "null", "Null", "NULL")
_WORDS = {MappingNode: ("映射（键: 值）", "a mapping (key: value)"), SequenceNode: ("列表", "a list")}
Word = TypeVar("Word", bound=StrEnum)


class Table:
    """A mapping whose keys are known; what is missing or unknown has been reported."""

    def __init__(
        self,
        node: Node | None,
        problems: Problems,
        required: Collection[str] = (),
        optional: Collection[str] = (),
    ) -> None:
        self.problems = problems
        self.at = node.at if node is not None else Position("")
        self._entries = {key.value: value for key, value in mapping_items(node, problems)} if node else {}
        if not isinstance(node, MappingNode):
            return  # reported already, or absent with leave
        for key, _ in node.entries.values():
            if key.value not in required and key.value not in optional and not key.broken:
                problems.unknown(key.at, KEY, key.value, [*required, *optional])
        for name in required:
            if name not in node.entries:
                problems.add(self.at, Code.MISSING_KEY, f"缺少键“{name}”", f"key “{name}” is missing")

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def node(self, key: str) -> Node | None:
        return self._entries.get(key)

    def place(self, key: str) -> Position:
        """Where the value of ``key`` stands, or the mapping when it has none."""
        node = self.node(key)
        return node.at if node is not None else self.at

    def add(self, key: str, code: Code, zh: str, en: str) -> None:
        """Report a problem at the value of ``key``."""
        self.problems.add(self.place(key), code, zh, en)

    # ── scalars ──

    def text(self, key: str) -> str:
        node = self.node(key)
        return "" if node is None else text(node, self.problems)

    def id(self, key: str, pattern: re.Pattern[str]) -> str:
        node = self.node(key)
        return "" if node is None else identifier(node, pattern, self.problems)

    def word(self, key: str, words: type[Word], default: Word) -> Word:
        """One of a closed list of words."""
        if not (value := self.text(key)):
            return default
        if value not in list(words):
            self.problems.unknown(self.place(key), WORD, value, list(words))
            return default
        return words(value)

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.text(key)
        if value not in ("", "true", "false"):
            self.add(key, Code.BAD_BOOLEAN, "只能写 true 或 false", "write true or false")
        return default if value == "" else value == "true"

    def count(self, key: str) -> int | None:
        """A whole number of at least 1 and at most nine digits."""
        value = self.text(key)
        if value and not re.fullmatch("[1-9][0-9]{0,8}", value):
            self.add(key, Code.BAD_COUNT, "须为 1 以上的整数", "write a whole number of at least 1")
            return None
        return int(value) if value else None

    def day(self, key: str) -> date | None:
        if not (value := self.text(key)):
            return None
        try:
            if DAY.fullmatch(value):
                return date.fromisoformat(value)
        except ValueError:
            pass  # the 30th of February: reported below like any other text
        self.add(
            key, Code.BAD_DATE, "须为存在的日期，形如 2026-01-31", "write an existing day such as 2026-01-31"
        )
        return None

    def name(self, key: str, known: Collection[str], kind: Kind) -> str:
        """A name that must be one of ``known``."""
        value = self.text(key)
        if value and value not in known:
            self.problems.unknown(self.place(key), kind, value, known)
        return value

    # ── collections ──

    def texts(self, key: str) -> tuple[ScalarNode, ...]:
        """A list of at least one text, none repeated."""
        node = self.node(key)
        if node is None:
            return ()
        if not isinstance(node, SequenceNode):
            _report_shape(node, SequenceNode, self.problems)
            return ()
        if not node.items:
            self.add(key, Code.EMPTY_LIST, "列表不能为空", "the list is empty")
        found: dict[str, ScalarNode] = {}
        for item in node.items:
            value = text(item, self.problems)
            if value in found:
                zh, en = f"“{value}”重复", f"“{value}” is repeated"
                self.problems.add(item.at, Code.DUPLICATE_VALUE, zh, en)
            elif value and isinstance(item, ScalarNode):
                found[value] = item
        return tuple(found.values())

    def names(self, key: str, known: Collection[str], kind: Kind) -> tuple[str, ...]:
        """A list of names that must be among ``known``."""
        items = self.texts(key)
        for item in items:
            if item.value not in known:
                self.problems.unknown(item.at, kind, item.value, known)
        return tuple(item.value for item in items)

    def is_all(self, key: str) -> bool:
        """Whether ``all`` is written in place of a list."""
        node = self.node(key)
        return isinstance(node, ScalarNode) and node.value == ALL

    def names_or_all(self, key: str, known: Collection[str], kind: Kind) -> frozenset[str] | None:
        """The names listed; None for ``all`` and for a missing key."""
        if key not in self or self.is_all(key):
            return None
        return frozenset(self.names(key, known, kind))

    def table(self, key: str, required: Collection[str] = (), optional: Collection[str] = ()) -> Table:
        """The mapping under ``key``; an empty one when the key is missing."""
        return Table(self.node(key), self.problems, required, optional)

    def items(self, key: str) -> Iterator[tuple[ScalarNode, Node]]:
        """The entries of the mapping under ``key``, whose keys the writer chose."""
        node = self.node(key)
        if node is not None:
            yield from mapping_items(node, self.problems)

    def named_items(self, key: str, pattern: re.Pattern[str]) -> Iterator[tuple[str, Node]]:
        """The same where keys are ids: at least one is expected, misformed ones are reported."""
        entries = tuple(self.items(key))
        if isinstance(self.node(key), MappingNode) and not entries:
            self.add(key, Code.EMPTY_LIST, "不能为空", "nothing is listed")
        for name, node in entries:
            yield identifier(name, pattern, self.problems), node


def text(node: Node, problems: Problems) -> str:
    """The text of a scalar, or ``""`` when it is none or empty."""
    if not isinstance(node, ScalarNode):
        problems.add(node.at, Code.EXPECTED_TEXT, "此处须为文字", "text is expected here")
        return ""
    if node.broken:
        return ""
    value = node.value.rstrip("\n")  # block text (| and >) ends with a line break
    if not value.strip() or (node.plain and value in _NULLS):
        problems.add(node.at, Code.EMPTY_VALUE, "值不能为空", "the value is empty")
        return ""
    if value != value.strip():
        zh, en = "首尾不能有空格或空行", "must not begin or end with spaces or empty lines"
        problems.add(node.at, Code.INVISIBLE_CHARACTER, zh, en)
    return value


def identifier(node: Node, pattern: re.Pattern[str], problems: Problems) -> str:
    """A text that fits ``pattern``."""
    value = text(node, problems)
    if value and not pattern.fullmatch(value):
        zh = f"编号“{value}”须符合 {pattern.pattern}"
        problems.add(node.at, Code.BAD_ID, zh, f"the id “{value}” must match {pattern.pattern}")
    return value


def mapping_items(node: Node, problems: Problems) -> tuple[tuple[ScalarNode, Node], ...]:
    """Keys and values of a mapping; nothing when it is none."""
    if isinstance(node, MappingNode):
        return tuple(node.entries.values())
    _report_shape(node, MappingNode, problems)
    return ()


def _report_shape(node: Node, expected: type[MappingNode] | type[SequenceNode], problems: Problems) -> None:
    if isinstance(node, ScalarNode) and node.broken:
        return
    code = Code.EXPECTED_MAPPING if expected is MappingNode else Code.EXPECTED_LIST
    zh, en = _WORDS[expected]
    problems.add(node.at, code, f"此处须为{zh}", f"{en} is expected here")
