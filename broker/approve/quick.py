"""A short cut through the YAML of sound files: rules are written line by line, most lines many times over.

Lines of the form ``key: value`` are put together here. Their values are read by :func:`parse`, all new ones
of a file at once and each text only once, so equal texts are one node, which the reader reads once as well.
What is laid out in any other way is left to :func:`parse` as a whole. The nodes are the same (a test
compares them) but for places: only block mappings have theirs. Who finds a problem reads all again without
the short cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from broker.approve.document import MappingNode, Node, ScalarNode, SequenceNode, parse
from broker.approve.problem import Position, Problems

_BEGIN = "[A-Za-z0-9_\u4e00-\u9fff]"
_WORD = f"{_BEGIN}(?:[A-Za-z0-9_./\u4e00-\u9fff-]| (?={_BEGIN}))*"
"""Text that is itself in YAML, whatever stands around it."""
_ITEM = f"""(?:{_WORD}|"[^"\\\\]*"|'[^']*')"""
_KEY = "[A-Za-z_][A-Za-z0-9_-]*"
_IS_WORD, _ITEMS = re.compile(_WORD), re.compile(_ITEM)
_PAIR = re.compile(rf"({_KEY}): (?:({_ITEM})|\[({_ITEM}(?:, {_ITEM})*)\])(?:, |$)")
_LIST = re.compile(rf"\[({_ITEM}(?:, {_ITEM})*)\]")
_LINE = re.compile(f"( *)(- )?({_KEY}):(?: +(?:#.*|([^ #].*))?)?")
_NOWHERE = Position("")
_DASH = 2
"""Columns of ``- ``."""
_DEEPEST = 8
"""Deepest nesting of blocks, and of braces within a value: together not more than :func:`parse` allows."""


class _Line(NamedTuple):
    """A key, or without one the beginning of a list's item."""

    indent: int
    key: str
    value: str
    number: int


class _Unusual(Exception):
    """The file is laid out in another way, or wrongly."""


class QuickParser:
    """Reads one file after the other; remembers the values."""

    def __init__(self) -> None:
        self._values: dict[str, Node] = {}
        self._items: dict[str, ScalarNode] = {}

    def parse(self, content: bytes, file: str, problems: Problems) -> Node | None:
        """As :func:`broker.approve.document.parse`, with places for block mappings only."""
        try:
            lines = list(_lines(content))
            self._read_values({line.value for line in lines}, file)
            node, end = self._block(lines, 0, file, 0)
            if end < len(lines):
                raise _Unusual
        except (_Unusual, UnicodeDecodeError):
            return parse(content, file, problems)
        return node

    # ── values ──

    def _read_values(self, texts: Iterable[str], file: str) -> None:
        """Reads them as one list: no problem may be found, and each must be one item on its own line."""
        unknown = []
        for text in texts:
            if text and text not in self._values:
                if text[0] in "|>":
                    raise _Unusual  # block text: in it lines are text that look like comments
                node = self._simple(text)
                if node is None:
                    unknown.append(text)
                else:
                    self._values[text] = node
        if not unknown:
            return
        problems = Problems()
        node = parse("".join(f"- {text}\n" for text in unknown).encode(), file, problems)
        if problems or not isinstance(node, SequenceNode) or len(node.items) != len(unknown):
            raise _Unusual
        for number, (text, item) in enumerate(zip(unknown, node.items, strict=True), 1):
            if item.at.line != number or type(item) is not _kind(text) or _depth(text) > _DEEPEST:
                raise _Unusual
            if isinstance(item, SequenceNode) and any(isinstance(one, MappingNode) for one in item.items):
                raise _Unusual  # rules on one line: each must know its own file, and values are shared
            self._values[text] = item

    def _simple(self, text: str) -> Node | None:
        """A word, a list of words, or keys with such; None for all else."""
        if text[0] == "{":
            return self._pairs(text)
        if found := _LIST.fullmatch(text):
            return self._list(found[1])
        return self._item(text) if _IS_WORD.fullmatch(text) else None

    def _pairs(self, text: str) -> MappingNode | None:
        entries: dict[str, tuple[ScalarNode, Node]] = {}
        at, end = 1, len(text) - 1
        while at < end and (found := _PAIR.match(text, at, end)):
            key, item, items = found.groups()
            if key in entries:
                return None
            entries[key] = self._item(key), self._list(items) if item is None else self._item(item)
            at = found.end()
        return MappingNode(_NOWHERE, entries) if at == end and text[end] == "}" else None

    def _list(self, text: str) -> SequenceNode:
        return SequenceNode(_NOWHERE, tuple([self._item(item) for item in _ITEMS.findall(text)]))

    def _item(self, text: str) -> ScalarNode:
        if (node := self._items.get(text)) is None:
            quoted = text[0] in "\"'"
            node = ScalarNode(_NOWHERE, text[1:-1] if quoted else text, plain=not quoted)
            self._items[text] = node
        return node

    # ── blocks ──

    def _block(self, lines: list[_Line], at: int, file: str, depth: int) -> tuple[Node, int]:
        """The block that begins ``at`` a line, and the line after it."""
        if at == len(lines) or depth > _DEEPEST:
            raise _Unusual
        return (self._mapping if lines[at].key else self._sequence)(lines, at, file, depth)

    def _sequence(self, lines: list[_Line], at: int, file: str, depth: int) -> tuple[Node, int]:
        first, items = lines[at], []
        while at < len(lines) and lines[at].indent == first.indent and not lines[at].key:
            item, at = self._mapping(lines, at + 1, file, depth + 1)
            items.append(item)
        return SequenceNode(_NOWHERE, tuple(items)), at

    def _mapping(self, lines: list[_Line], at: int, file: str, depth: int) -> tuple[Node, int]:
        indent, _, _, number = lines[at]
        place, item, values = Position(file, number, indent + 1), self._item, self._values
        entries: dict[str, tuple[ScalarNode, Node]] = {}
        while at < len(lines):
            line_indent, key, text, _ = lines[at]
            if line_indent != indent or not key:
                break
            if key in entries:
                raise _Unusual
            at += 1
            if text:
                value = values[text]
            else:
                deeper = at < len(lines) and (lines[at].indent > indent or not lines[at].key)
                if not deeper or lines[at].indent < indent:
                    raise _Unusual
                value, at = self._block(lines, at, file, depth + 1)
            entries[key] = item(key), value
        if at < len(lines) and lines[at].indent > indent:
            raise _Unusual
        return MappingNode(place, entries), at


def _lines(content: bytes) -> Iterable[_Line]:
    """The lines that say something; a list's item is a line of its own.

    Nothing that YAML takes for the end of a line, but this does not, may stand in the text.
    """
    text = content.decode()
    if not text.replace("\n", "").isprintable():
        raise _Unusual
    for number, line in enumerate(text.split("\n"), 1):
        found = _LINE.fullmatch(line)
        if found is None:
            bare = line.lstrip(" ")
            if bare and not bare.startswith("#"):
                raise _Unusual
            continue
        indent, item, key, value = found.groups()
        column = len(indent)
        if item:
            yield _Line(column, "", "", number)
            column += _DASH
        yield _Line(column, key, value.rstrip(" ") if value else "", number)


def _kind(text: str) -> type[Node]:
    """What a value is by its first character; a key where no key can stand makes it something else."""
    return {"{": MappingNode, "[": SequenceNode}.get(text[0], ScalarNode)


def _depth(text: str) -> int:
    return text.count("{") + text.count("[")
