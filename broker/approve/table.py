"""Typed reading of one YAML mapping: each accessor gives a value of its type and reports what is wrong.

What keys there may be, and what form their values have, is taken from :mod:`broker.approve.grammar`. After a
report the value given is a harmless stand-in (``""``, ``None``, ``()``). No half-right object gets out:
whoever loads calls :meth:`Problems.refuse` before using anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from enum import StrEnum
from typing import TypeVar

from broker.approve.document import MappingNode, Node, ScalarNode, SequenceNode
from broker.approve.grammar import ALL
from broker.approve.problem import KEY, WORD, Code, Kind, Position, Problems
from broker.approve.shapes import DAY, Constant, Keys, ListOf, MapOf, Scalar

_NULLS = ("~", "null", "Null", "NULL")
_WORDS = {MappingNode: ("映射（键: 值）", "a mapping (key: value)"), SequenceNode: ("列表", "a list")}
_NO_KEYS = Keys(())
Word = TypeVar("Word", bound=StrEnum)


class Table:
    """A mapping whose keys are known; what is missing or unknown has been reported."""

    __slots__ = ("_entries", "_keys", "at", "problems")

    def __init__(self, node: Node | None, problems: Problems, keys: Keys) -> None:
        self.problems = problems
        self.at = node.at if node is not None else Position("")
        self._keys = keys
        self._entries = node.entries if isinstance(node, MappingNode) else {}
        if isinstance(node, MappingNode):
            self._check_keys()
        elif node is not None:
            _report_shape(node, MappingNode, problems)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    @property
    def is_written(self) -> bool:
        """Whether there is any key."""
        return bool(self._entries)

    def node(self, key: str) -> Node | None:
        found = self._entries.get(key)
        return None if found is None else found[1]

    def place(self, key: str) -> Position:
        """Where the value of ``key`` stands, or the mapping when it has none."""
        node = self.node(key)
        return node.at if node is not None else self.at

    def add(self, key: str, code: Code, zh: str, en: str) -> None:
        """Report a problem at the value of ``key``."""
        self.problems.add(self.place(key), code, zh, en)

    # ── scalars ──

    def text(self, key: str) -> str:
        """The text of ``key``, of the form that the grammar says."""
        if (entry := self._entries.get(key)) is None:
            return ""
        shape = self._keys.shapes[key]
        if isinstance(shape, Scalar):
            return formed(entry[1], shape, self.problems)
        return text(entry[1], self.problems)

    def word(self, key: str, words: type[Word], default: Word) -> Word:
        """One of a closed list of words."""
        if not (value := self.text(key)):
            return default
        try:
            return words(value)
        except ValueError:
            self.problems.unknown(self.place(key), WORD, value, list(words))
            return default

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.text(key)
        return value == "true" if value else default

    def count(self, key: str) -> int | None:
        value = self.text(key)
        return int(value) if value else None

    def day(self, key: str) -> date | None:
        node = self.node(key)
        return day(node, self.text(key), self.problems) if node is not None else None

    def name(self, key: str, among: Collection[str], kind: Kind) -> str:
        """A name that must be ``among`` these."""
        value = self.text(key)
        if value and value not in among:
            self.problems.unknown(self.place(key), kind, value, among)
        return value

    # ── collections ──

    def texts(self, key: str) -> tuple[ScalarNode, ...]:
        """A list of at least one text of the form that the grammar says, none repeated."""
        if (entry := self._entries.get(key)) is None:
            return ()
        shape = self._keys.shapes[key]
        return texts(entry[1], self.problems, shape) if isinstance(shape, ListOf) else ()

    def names(self, key: str, among: Collection[str], kind: Kind) -> tuple[str, ...]:
        """A list of names that must be ``among`` these."""
        return known(self.texts(key), among, kind, self.problems)

    def words(self, key: str, words: type[Word]) -> tuple[Word, ...]:
        """A list from a closed list of words."""
        if key not in self._entries:
            return ()
        return tuple(words(name) for name in self.names(key, list(words), WORD) if name in list(words))

    def says(self, key: str, word: str) -> bool:
        """Whether ``word`` is written in place of a list."""
        node = self.node(key)
        return isinstance(node, ScalarNode) and node.value == word

    def is_all(self, key: str) -> bool:
        """Whether ``all`` is written in place of a list."""
        return self.says(key, ALL)

    def names_or_all(self, key: str, among: Collection[str], kind: Kind) -> frozenset[str] | None:
        """The names listed; None for ``all`` and for a missing key."""
        if key not in self or self.is_all(key):
            return None
        return frozenset(self.names(key, among, kind))

    def table(self, key: str) -> Table:
        """The mapping under ``key``; an empty one when the key is missing."""
        shape = self._keys.shapes.get(key)
        if not isinstance(shape, Keys):  # a deny has no obligations, which reads as none
            return Table(None, self.problems, _NO_KEYS)
        return Table(self.node(key), self.problems, shape)

    def items(self, key: str) -> Iterator[tuple[ScalarNode, Node]]:
        """The entries of the mapping under ``key``, whose keys the writer chose."""
        node = self.node(key)
        shape = self._keys.shapes.get(key)
        if node is None or not isinstance(shape, MapOf):
            return
        entries = mapping_items(node, self.problems)
        if isinstance(node, MappingNode) and not entries and not shape.may_be_empty:
            self.add(key, Code.EMPTY_LIST, "不能为空", "nothing is listed")
        for name in shape.required:
            if isinstance(node, MappingNode) and name not in node.entries:
                _report_missing(node.at, (name,), self.problems)
        yield from entries

    def named_items(self, key: str) -> Iterator[tuple[str, Node]]:
        """The same with the names themselves; misformed ones are reported."""
        shape = self._keys.shapes[key]
        for name, node in self.items(key):
            form = shape.key if isinstance(shape, MapOf) else None
            if isinstance(form, Scalar):
                yield formed(name, form, self.problems), node
            else:
                yield text(name, self.problems), node

    # ── keys ──

    def _check_keys(self) -> None:
        keys, written = self._keys, self._entries.keys()
        if not written <= keys.shapes.keys():
            for key, _ in self._entries.values():
                if key.value not in keys.shapes and not key.broken:
                    self.problems.unknown(key.at, KEY, key.value, list(keys.shapes))
            self._entries = {name: entry for name, entry in self._entries.items() if name in keys.shapes}
        if not keys.required <= written:
            for name in keys.shapes:
                if name in keys.required and name not in written:
                    _report_missing(self.at, (name,), self.problems)
        if keys.exactly_one:
            self._check_one(keys.exactly_one)
        if keys.at_least_one and written.isdisjoint(keys.at_least_one):
            _report_missing(self.at, keys.at_least_one, self.problems)

    def _check_one(self, names: tuple[str, ...]) -> None:
        written = [name for name in names if name in self._entries]
        if not written:
            _report_missing(self.at, names, self.problems)
        for name in written[1:]:
            key, _ = self._entries[name]
            zh, en = f"“{written[0]}”与“{name}”只能写一个", f"write “{written[0]}” or “{name}”, not both"
            self.problems.add(key.at, Code.CONFLICTING_KEYS, zh, en)


def headed(node: Node, problems: Problems, keys: Keys) -> Table:
    """A file's outermost mapping, whose ``format`` must be the grammar's."""
    table = Table(node, problems, keys)
    expected = keys.shapes["format"]
    if (found := table.text("format")) and isinstance(expected, Constant) and found != expected.text:
        problems.unknown(table.place("format"), WORD, found, [expected.text])
    return table


def text(node: Node, problems: Problems) -> str:
    """The text of a scalar, or ``""`` when it is none or empty."""
    if not isinstance(node, ScalarNode):
        problems.add(node.at, Code.EXPECTED_TEXT, "此处须为文字", "text is expected here")
        return ""
    value = node.value
    if not node.broken and value and value.strip() == value and value not in _NULLS:
        return value  # as nearly every text is
    return _odd_text(node, problems)


def _odd_text(node: ScalarNode, problems: Problems) -> str:
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


def formed(node: Node, form: Scalar, problems: Problems) -> str:
    """A text of a certain form."""
    value = text(node, problems)
    if value and form.pattern is not None and not form.pattern.fullmatch(value):
        problems.add(node.at, form.code, f"须为{form.zh}", f"write {form.en}")
        return ""
    return value


def day(node: Node, written: str, problems: Problems, form: Scalar = DAY) -> date | None:
    """The day ``written``, which has the form of one; None for none and for the 30th of February."""
    try:
        return date.fromisoformat(written) if written else None
    except ValueError:
        problems.add(node.at, form.code, f"须为{form.zh}", f"write {form.en}")
        return None


def texts(node: Node, problems: Problems, shape: ListOf) -> tuple[ScalarNode, ...]:
    """A list of at least one text of the form that the grammar says, none repeated."""
    if not isinstance(node, SequenceNode):
        _report_shape(node, SequenceNode, problems)
        return ()
    if not node.items:
        problems.add(node.at, Code.EMPTY_LIST, "列表不能为空", "the list is empty")
    form = shape.item if isinstance(shape.item, Scalar) else None
    found: dict[str, ScalarNode] = {}
    for item in node.items:
        value = text(item, problems) if form is None else formed(item, form, problems)
        if value in found:
            zh, en = f"“{value}”重复", f"“{value}” is repeated"
            problems.add(item.at, Code.DUPLICATE_VALUE, zh, en)
        elif value and isinstance(item, ScalarNode):
            found[value] = item
    return tuple(found.values())


def mapping_items(node: Node, problems: Problems) -> tuple[tuple[ScalarNode, Node], ...]:
    """Keys and values of a mapping; nothing when it is none."""
    if isinstance(node, MappingNode):
        return tuple(node.entries.values())
    _report_shape(node, MappingNode, problems)
    return ()


def known(
    items: Sequence[ScalarNode], names: Collection[str], kind: Kind, problems: Problems
) -> tuple[str, ...]:
    """The names in a list, which must be among ``names``."""
    for item in items:
        if item.value not in names:
            problems.unknown(item.at, kind, item.value, names)
    return tuple(item.value for item in items)


def _report_missing(at: Position, names: tuple[str, ...], problems: Problems) -> None:
    zh = f"缺少键{'或'.join(f'“{name}”' for name in names)}"
    en = f"key {' or '.join(f'“{name}”' for name in names)} is missing"
    problems.add(at, Code.MISSING_KEY, zh, en)


def _report_shape(node: Node, expected: type[MappingNode] | type[SequenceNode], problems: Problems) -> None:
    if isinstance(node, ScalarNode) and node.broken:
        return
    code = Code.EXPECTED_MAPPING if expected is MappingNode else Code.EXPECTED_LIST
    zh, en = _WORDS[expected]
    problems.add(node.at, code, f"此处须为{zh}", f"{en} is expected here")
