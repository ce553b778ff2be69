"""Strict YAML: a subset without surprises, every value with its place, every value text.

Built from parse events (YAML 1.1 as libyaml reads it), because composed nodes no longer say which anchors
and tags were written. No value is typed here (``NO`` is not False, ``12:30`` not 750): that is the schema's
part. What officers mistype with a Chinese keyboard (``：，“”``, full-width spaces) is named as such.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from broker.approve.problem import Code, Position, Problems

MAX_DEPTH = 16
"""Deepest nesting; the format itself needs eight."""


class ScalarNode(NamedTuple):
    """A text; ``plain`` when it was written without quotes, ``broken`` when it has been reported already.

    Nodes are tuples and not dataclasses because a city's folder holds a million of them.
    """

    at: Position
    value: str
    plain: bool = False
    broken: bool = False


class SequenceNode(NamedTuple):
    """A list."""

    at: Position
    items: tuple[Node, ...]


class MappingNode(NamedTuple):
    """A mapping: key → the key as written, and its value. Keys are unique."""

    at: Position
    entries: Mapping[str, tuple[ScalarNode, Node]]


Node = ScalarNode | SequenceNode | MappingNode


def parse(content: bytes, file: str, problems: Problems) -> Node | None:
    """The one document in ``content``, or None when it is not YAML; ``file`` is its name in reports."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        zh, en = "文件不是 UTF-8 编码，请另存为 UTF-8", "not UTF-8; save the file as UTF-8"
        problems.add(Position(file, line), Code.NOT_UTF8, zh, en)
        return None
    lines = text.splitlines()
    _report_tabs(lines, file, problems)
    try:
        return _Composer(text, lines, file, problems).document()
    except yaml.YAMLError as error:
        _report_syntax(error, text, file, problems)
    except _TooDeep:
        return None
    return None


class _TooDeep(Exception):
    pass


_SCALAR, _ALIAS, _MAPPING = yaml.ScalarEvent, yaml.AliasEvent, yaml.MappingStartEvent
_MAPPING_END, _SEQUENCE_END = yaml.MappingEndEvent, yaml.SequenceEndEvent
_new = tuple.__new__
"""Makes a named tuple in half the time of its own constructor."""


class _Composer:
    """Builds nodes from the events of one file.

    No other functions are called as often when policies are read, hence their shortcuts.
    """

    def __init__(self, text: str, lines: list[str], file: str, problems: Problems) -> None:
        self._next: Callable[[], Any] = yaml.CSafeLoader(text).get_event
        self._lines = lines
        self._file = file
        self._problems = problems
        self._clean: set[str] = set()
        """Texts in which no character is suspicious: most texts of a file are in it many times."""

    def document(self) -> Node | None:
        self._next()  # stream start
        if isinstance(event := self._next(), yaml.StreamEndEvent):
            self._add(event, Code.EMPTY_DOCUMENT, "文件没有内容", "the file holds nothing")
            return None
        node = self._node(self._next(), 0, False)
        self._next()  # document end
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            zh, en = "一个文件只能有一份文档，请删去 ---", "one document per file; remove the ---"
            self._add(event, Code.SEVERAL_DOCUMENTS, zh, en)
            return None
        return node

    def _node(self, event: Any, depth: int, in_flow: bool) -> Node:
        kind = event.__class__
        if kind is _SCALAR:
            return self._scalar(event, in_flow)
        if depth > MAX_DEPTH:
            zh, en = f"嵌套超过 {MAX_DEPTH} 层", f"nested deeper than {MAX_DEPTH} levels"
            self._add(event, Code.TOO_DEEP, zh, en)
            raise _TooDeep
        if kind is _ALIAS:
            self._report_properties(event)
            return ScalarNode(self._at(event), "", broken=True)
        if event.anchor is not None or event.tag is not None:
            self._report_properties(event)
        if kind is _MAPPING:
            return self._mapping(event, depth + 1, in_flow or event.flow_style)
        return self._sequence(event, depth + 1, in_flow or event.flow_style)

    def _sequence(self, start: Any, depth: int, in_flow: bool) -> SequenceNode:
        items: list[Node] = []
        while (event := self._next()).__class__ is not _SEQUENCE_END:
            items.append(self._node(event, depth, in_flow))
        return SequenceNode(self._at(start), tuple(items))

    def _mapping(self, start: Any, depth: int, in_flow: bool) -> MappingNode:
        entries: dict[str, tuple[ScalarNode, Node]] = {}
        following, scalar, node = self._next, self._scalar, self._node
        while (event := following()).__class__ is not _MAPPING_END:
            key = scalar(event, in_flow) if event.__class__ is _SCALAR else node(event, depth, in_flow)
            value = following()
            value = scalar(value, in_flow) if value.__class__ is _SCALAR else node(value, depth, in_flow)
            if key.__class__ is ScalarNode and key.value not in entries and key.value != "<<":
                entries[key.value] = key, value
            else:
                self._report_key(key, event, entries)
        return MappingNode(self._at(start), entries)

    def _report_key(self, key: Node, event: Any, entries: Mapping[str, object]) -> None:
        if not isinstance(key, ScalarNode):
            self._add(event, Code.EXPECTED_TEXT, "键必须是文字", "a key must be text")
        elif key.value in entries:
            zh, en = f"键“{key.value}”重复", f"key “{key.value}” is repeated"
            self._add(event, Code.DUPLICATE_KEY, zh, en)
        else:
            self._add(event, Code.MERGE, "不允许合并键（<<）", "merge keys (<<) are refused")

    def _scalar(self, event: Any, in_flow: bool) -> ScalarNode:
        if event.anchor is not None or event.tag is not None:
            self._report_properties(event)
        mark, value, plain = event.start_mark, event.value, not event.style
        line = mark.line
        at = _new(Position, (self._file, line + 1, mark.column + 1))
        if value in self._clean and (" " not in value or not plain or event.end_mark.line == line):
            return _new(ScalarNode, (at, value, plain, False))
        return ScalarNode(at, value, plain, broken=not self._is_sound(event, at, in_flow))

    def _is_sound(self, event: Any, at: Position, in_flow: bool) -> bool:
        """Whether a text is what its writer means; if not, that is reported."""
        value, plain = event.value, not event.style
        if not value.replace("\n", "").isprintable():
            zh = "含不可见字符或全角空格，请删去或改为半角空格"
            en = "holds an invisible character or a full-width space; delete it or use a plain space"
            self._problems.add(at, Code.INVISIBLE_CHARACTER, zh, en)
        elif plain and event.end_mark.line != event.start_mark.line:
            zh = "不加引号的文字不能跨行（可能下一行缩进有误）；长文字请用引号"
            en = "unquoted text may not span lines (is the next line indented wrongly?); quote long text"
            self._problems.add(at, Code.SEVERAL_LINES, zh, en)
        elif plain and value.startswith(tuple(_CURLY)):
            _report_character(self._problems, at, value[0])
        elif plain and (found := _SEPARATOR.search(value) if in_flow else self._key(at, value)):
            _report_character(self._problems, _moved(at, found.start(1)), found[1])
        else:
            if _CLEAN.fullmatch(value):
                self._clean.add(value)
            return True
        return False

    def _key(self, at: Position, value: str) -> re.Match[str] | None:
        """A key with a full-width colon, where a key could stand: first on its line."""
        found = _KEY.search(value)
        return found if found and not self._lines[at.line - 1][: at.column - 1].strip(" -") else None

    def _report_properties(self, event: Any) -> None:
        if getattr(event, "anchor", None) is not None:
            zh, en = "不允许锚点与别名（& 与 *）", "anchors and aliases (& and *) are refused"
            self._add(event, Code.ANCHOR, zh, en)
        if getattr(event, "tag", None) is not None:
            self._add(event, Code.TAG, "不允许类型标签（!）", "tags (!) are refused")

    def _at(self, event: Any) -> Position:
        """libyaml marks every event, counting characters from 0."""
        mark = event.start_mark
        return Position(self._file, mark.line + 1, mark.column + 1)

    def _add(self, event: Any, code: Code, zh: str, en: str) -> None:
        self._problems.add(self._at(event), code, zh, en)


# ── what a Chinese keyboard does to YAML ─────────────────────────────────────────────────────────

_CURLY = "“”‘’「」＂＇"
_ASCII = dict(zip("：，；、｛｝［］【】", ":,,,{}[][]", strict=True))
_CLEAN = re.compile(f"[^\n{_CURLY}：，；、｛｝［］【】]+")
_SEPARATOR = re.compile("([：，；、｛｝［］【】])")
_KEY = re.compile(r"^[A-Za-z_][\w.-]*\s*(：)", re.ASCII)
_QUOTED_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|(?:^|(?<=\s))#.*')
_SUSPECTS = (
    re.compile(r"(?:^|[{\[,，]|- )\s*[A-Za-z_][\w.-]*\s*(：)", re.ASCII),
    re.compile("[{\\[].*?([，；、])"),
    re.compile(f"(?:^|[:：\\[{{,，]|- )\\s*([{_CURLY}｛｝［］【】])"),
)


def _report_tabs(lines: list[str], file: str, problems: Problems) -> None:
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            zh, en = "含制表符（Tab），请改为空格", "holds a tab; use spaces"
            problems.add(Position(file, number, line.index("\t") + 1), Code.TAB, zh, en)


def _report_character(problems: Problems, at: Position, character: str) -> None:
    if character in _CURLY:
        zh = f"{character} 不能作为引号，请用半角引号；若属于文字本身，请在外面再加半角引号"
        en = f"{character} does not quote; use an ASCII quote, also around text that begins with it"
        problems.add(at, Code.CURLY_QUOTE, zh, en)
        return
    ascii_ = _ASCII[character]
    zh = f"全角 {character} 不起作用，请改为半角 {ascii_} ；若属于文字本身，请加半角引号"
    en = f"full-width {character} has no effect; use {ascii_} or quote the text it belongs to"
    problems.add(at, Code.FULL_WIDTH, zh, en)


def _report_syntax(error: yaml.YAMLError, text: str, file: str, problems: Problems) -> None:
    """The parser's complaint, or rather its likely cause: a full-width character up to there."""
    at, complaint = _complaint(error, text, file)
    lines = text.splitlines()[: at.line]
    suspects = list(_suspects(lines, file))
    for place, character in suspects:
        _report_character(problems, place, character)
    if not suspects and not any("\t" in line for line in lines):  # tabs are reported already
        zh = "YAML 语法有误，请检查此处的缩进、冒号与引号"
        problems.add(at, Code.SYNTAX, zh, f"not valid YAML: {complaint}")


def _suspects(lines: list[str], file: str) -> Iterator[tuple[Position, str]]:
    for number, line in enumerate(lines, 1):
        bare = _QUOTED_OR_COMMENT.sub(lambda found: '"' * len(found[0]), line)
        for pattern in _SUSPECTS:
            for found in pattern.finditer(bare):
                yield Position(file, number, found.start(1) + 1), found[1]


def _complaint(error: yaml.YAMLError, text: str, file: str) -> tuple[Position, str]:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return Position(file, mark.line + 1, mark.column + 1), str(getattr(error, "problem", ""))
    # A reader's error gives the place as a character's number.
    before = text[: getattr(error, "position", 0)]
    column = len(before) - (before.rfind("\n") + 1) + 1
    return Position(file, before.count("\n") + 1, column), str(getattr(error, "reason", "unreadable"))


def _moved(at: Position, columns: int) -> Position:
    return at._replace(column=at.column + columns)
