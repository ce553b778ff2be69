"""The canonical layout of a policy file (``sharebroker policy fmt``): order of keys, indentation, quotes.

Written from the parsed nodes and the comments between them. (A round trip through ruamel.yaml hangs each
comment to what stands before it, so that it moves away with the wrong key when keys are put in order; here
the comments above a key belong to that key.) What stands in braces stays in braces where it fits the line,
texts keep their quotes, and what spans several lines keeps its lines.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

import yaml

from broker.approve.shapes import Keys, Shape
from broker.authoring.quoting import quoted
from broker.authoring.shapes import case_of, entries, item_shape, shape_of_file
from broker.authoring.trivia import Source

WIDTH = 120
"""Columns, of which Chinese characters take two; what is longer in brackets is written one entry a line."""
_INDENT = 2


class LayoutError(Exception):
    """The layout would not say the same as before; nothing was changed."""


def formatted(text: str) -> str:
    """``text`` (YAML as the reader takes it) in canonical layout; values and comments stay as they are.

    Raises:
        LayoutError: they would not.
    """
    clean = quoted(_clean(text))
    root = yaml.compose(clean, Loader=yaml.CSafeLoader)
    if root is None:
        return clean
    done = "\n".join(_Printer(Source(clean, root)).document(root)) + "\n"
    if _said(done) != _said(clean):
        raise LayoutError
    return done


def _clean(text: str) -> str:
    """No byte-order mark, no trailing blanks, line feeds only."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip(" ") for line in lines).strip("\n") + "\n"


def _said(text: str) -> tuple[object, list[str]]:
    """What a file says without regard to the order of keys, and its comments."""
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    return _values(root), [] if root is None else sorted(found.text for found in Source(text, root).comments)


def _values(node: yaml.Node | None) -> object:
    if isinstance(node, yaml.MappingNode):
        return sorted((key.value, repr(_values(value))) for key, value in node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_values(item) for item in node.value]
    return None if node is None else node.value


def _width(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line)


class _Printer:
    """Writes nodes as lines. Comments are taken in the order of the text, so nodes are written in it too and
    put in the order of the grammar afterwards."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def document(self, root: yaml.Node) -> Iterator[str]:
        before = self._source.before(root.start_mark.line)
        shape, end = shape_of_file(root), len(self._source.lines)
        lead, lines = self._block(root, shape, 0, end) if _is_block(root) else ([], self._inline(root, shape))
        if not _is_block(root):
            lines[-1] += self._source.beside(self._source.last_line(root))
        after = self._source.before(len(self._source.lines))
        yield from _spaced([*before, *lead, *lines, *after])

    def _block(
        self, node: yaml.Node, shape: Shape | None, depth: int, until: int
    ) -> tuple[list[str], list[str]]:
        """Comments that stand above what ends up first, and the lines; ``depth`` is in columns, and what
        follows the node begins in line ``until``."""
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, shape, depth, until)
        if isinstance(node, yaml.SequenceNode):
            return [], self._sequence(node, shape, depth, until)
        return [], self._inline(node, shape)

    def _mapping(
        self, node: yaml.MappingNode, shape: Shape | None, depth: int, until: int
    ) -> tuple[list[str], list[str]]:
        written = list(entries(node, shape))
        next_lines = [*[key.start_mark.line for key, _, _ in written[1:]], until]
        found: list[tuple[str, list[str], list[str]]] = []
        for (key, value, inner), following in zip(written, next_lines, strict=True):
            lead = self._source.before(key.start_mark.line)
            found.append((key.value, lead, self._entry(key, value, inner, depth, following)))
        foot = [] if node.flow_style else self._source.within(until, node.start_mark.column)
        order = _order(node, shape)
        found.sort(key=lambda entry: order.get(entry[0], len(order)))
        lead = _spaced(found[0][1])
        rest = [line for _, above, lines in found[1:] for line in (*above, *lines)]
        return lead, [*found[0][2], *rest, *foot]

    def _entry(
        self, key: yaml.Node, value: yaml.Node, shape: Shape | None, depth: int, until: int
    ) -> list[str]:
        name = self._source.of(key)
        if _is_block(value):
            comment = self._source.beside(key.end_mark.line)
            lead, lines = self._block(value, shape, depth + _INDENT, until)
            return [f"{name}:{comment}", *_indented(_spaced([*lead, *lines]))]
        lines = self._inline(value, shape)
        comment = self._source.beside(self._source.last_line(value))
        if _width(f"{' ' * depth}{name}: {lines[0]}") > WIDTH and _breaks(value, lines):
            lead, broken = self._block(value, shape, depth + _INDENT, until)
            return [f"{name}:{comment}", *_indented(broken)]
        lines[-1] += comment
        return [f"{name}: {lines[0]}" if lines[0] else f"{name}:", *lines[1:]]

    def _sequence(self, node: yaml.SequenceNode, shape: Shape | None, depth: int, until: int) -> list[str]:
        next_lines = [*[item.start_mark.line for item in node.value[1:]], until]
        found: list[str] = []
        for item, following in zip(node.value, next_lines, strict=True):
            above = self._source.before(item.start_mark.line)
            if _is_block(item):
                lead, lines = self._block(item, item_shape(shape), depth + _INDENT, following)
            else:
                lead, lines = [], self._inline(item, item_shape(shape))
                comment = self._source.beside(self._source.last_line(item))
                if _width(" " * (depth + _INDENT) + lines[0]) > WIDTH and _breaks(item, lines):
                    lead, lines = self._block(item, item_shape(shape), depth + _INDENT, following)
                    above += [comment.strip()] if comment else []
                else:
                    lines[-1] += comment
            found += [*above, *lead, f"- {lines[0]}", *_indented(lines[1:])]
        foot = [] if node.flow_style else self._source.within(until, node.start_mark.column)
        return [*_spaced(found), *foot]

    def _inline(self, node: yaml.Node, shape: Shape | None) -> list[str]:
        """What stands behind a key or dash: one line, or as many as it has, the first without indentation."""
        if self._source.last_line(node) > node.start_mark.line:
            return self._source.several_lines(node)
        return [self._flow(node, shape)]

    def _flow(self, node: yaml.Node, shape: Shape | None) -> str:
        if isinstance(node, yaml.MappingNode):
            order = _order(node, shape)
            written = sorted(entries(node, shape), key=lambda entry: order.get(entry[0].value, len(order)))
            pairs = [f"{self._source.of(k)}: {self._flow(v, inner)}".rstrip() for k, v, inner in written]
            return f"{{{', '.join(pairs)}}}"
        if isinstance(node, yaml.SequenceNode):
            return f"[{', '.join(self._flow(item, item_shape(shape)) for item in node.value)}]"
        return self._source.of(node)


def _order(node: yaml.MappingNode, shape: Shape | None) -> dict[str, int]:
    """Key → its place in the grammar; none where the writer chooses the keys."""
    keys = case_of(node, shape)
    return {key.name: place for place, key in enumerate(keys.entries)} if isinstance(keys, Keys) else {}


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def _breaks(node: yaml.Node, lines: Sequence[str]) -> bool:
    """Whether it can be written one entry a line."""
    return isinstance(node, yaml.CollectionNode) and bool(node.value) and len(lines) == 1


def _indented(lines: Sequence[str]) -> list[str]:
    return [" " * _INDENT + line if line else "" for line in lines]


def _spaced(lines: Sequence[str]) -> list[str]:
    """Without empty lines at the ends, and no two of them in a row."""
    found: list[str] = []
    for line in lines:
        if line or (found and found[-1]):
            found.append(line)
    while found and not found[-1]:
        found.pop()
    return found
