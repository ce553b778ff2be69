"""Comments and empty lines of a YAML file, handed out to what they belong to; each exactly once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import yaml

_COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)


class _Kept(NamedTuple):
    begin: int
    end: int
    first: int
    last: int
    """First and last line."""
    bracket: bool


@dataclass(frozen=True, slots=True)
class Trivia:
    """A comment, or an empty line, which has no text. Lines and columns count from 0."""

    line: int
    column: int
    text: str
    alone: bool
    """Nothing else stands on its line."""


class Source:
    """A text, its nodes' places, and what stands between them."""

    def __init__(self, text: str, root: yaml.Node) -> None:
        self._text = text
        self.lines = text.removesuffix("\n").split("\n")
        self._kept = sorted(self._kept_together(root))
        self.comments = tuple(self._found())
        self._waiting = sorted([*self._outside(self.comments), *self._blanks()], key=lambda found: found.line)

    def of(self, node: yaml.Node) -> str:
        """The text of a scalar or of what stands in brackets."""
        return self._text[node.start_mark.index : node.end_mark.index].rstrip()

    def last_line(self, node: yaml.Node) -> int:
        """Where a scalar or what stands in brackets ends."""
        return node.start_mark.line + self.of(node).count("\n")

    def several_lines(self, node: yaml.Node) -> list[str]:
        """A node over several lines: the others two columns in, as deep below one another as they were."""
        first, *rest = self.of(node).split("\n")
        if isinstance(node, yaml.ScalarNode) and node.style not in ("|", ">"):
            return [first.rstrip(), *(f"  {line.strip()}" if line.strip() else "" for line in rest)]
        closing = rest[-1].strip()[:1] in ("]", "}") and not isinstance(node, yaml.ScalarNode)
        depths = [len(line) - len(line.lstrip()) for line in (rest[:-1] if closing else rest) if line.strip()]
        least = min(depths, default=0)
        moved = [f"  {line[least:]}".rstrip() if line.strip() else "" for line in rest]
        return [first.rstrip(), *moved[:-1], rest[-1].strip() if closing else moved[-1]]

    # ── what stands between ──────────────────────────────────────────────────────────────────────

    def before(self, line: int) -> list[str]:
        """What waits above ``line``."""
        taken = [found for found in self._waiting if found.line < line]
        self._waiting = self._waiting[len(taken) :]
        return [found.text for found in taken]

    def within(self, line: int, column: int) -> list[str]:
        """What waits above ``line`` and is indented to ``column`` at least."""
        count = 0
        for place, found in enumerate(self._waiting):
            if found.line >= line or (found.text and found.column < column):
                break
            count = place + 1 if found.text else count
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return [found.text for found in taken]

    def beside(self, line: int) -> str:
        """The comment behind something in ``line``, with a blank before it."""
        for place, found in enumerate(self._waiting):
            if found.line > line:
                break
            if found.line == line and found.text and not found.alone:
                del self._waiting[place]
                return f" {found.text}"
        return ""

    # ── finding it ───────────────────────────────────────────────────────────────────────────────

    def _kept_together(self, node: yaml.Node) -> Iterator[_Kept]:
        """Spans in which nothing is looked for: scalars, and brackets over several lines."""
        begin, first = node.start_mark.index, node.start_mark.line
        if isinstance(node, yaml.ScalarNode):
            written = self.of(node)
            yield _Kept(begin, begin + len(written), first, first + written.count("\n"), False)
            return
        if not isinstance(node, yaml.CollectionNode):
            return
        if node.flow_style and node.end_mark.line > first:
            yield _Kept(begin, node.end_mark.index, first, node.end_mark.line, True)
        parts = (
            node.value if isinstance(node, yaml.SequenceNode) else [p for pair in node.value for p in pair]
        )
        for part in parts:
            yield from self._kept_together(part)

    def _found(self) -> Iterator[Trivia]:
        """Whatever looks like a comment outside of scalars."""
        at = 0
        scalars = [(kept.begin, kept.end) for kept in self._kept if not kept.bracket]
        for begin, end in [*scalars, (len(self._text), len(self._text))]:
            for found in _COMMENT.finditer(self._text, at, begin):
                yield self._trivia(found.start(), found[0].rstrip())
            at = max(at, end)

    def _trivia(self, at: int, text: str) -> Trivia:
        begin = self._text.rfind("\n", 0, at) + 1
        alone = not self._text[begin:at].strip()
        return Trivia(self._text.count("\n", 0, at), at - begin, text, alone)

    def _outside(self, comments: tuple[Trivia, ...]) -> Iterator[Trivia]:
        """Without those in brackets over several lines, which are written together with them."""
        lines = self._inner_lines(brackets_only=True)
        return (found for found in comments if found.line not in lines)

    def _blanks(self) -> Iterator[Trivia]:
        inner = self._inner_lines(brackets_only=False)
        for number, line in enumerate(self.lines):
            if not line.strip() and number not in inner:
                yield Trivia(number, 0, "", True)

    def _inner_lines(self, *, brackets_only: bool) -> set[int]:
        """Lines that end inside of something kept together."""
        inner: set[int] = set()
        for kept in self._kept:
            if kept.bracket or not brackets_only:
                inner |= set(range(kept.first, kept.last))
        return inner
