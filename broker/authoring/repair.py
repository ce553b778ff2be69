"""What ``sharebroker policy lint --fix`` can put right by itself: slips of the keyboard, never a meaning.

The reader's own report says where something is wrong; each place is put right only where there is one way to.
A file without such problems stays as it is, but for quotes around dates and codes and blanks at line ends.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

import yaml

from broker.approve.document import MappingNode, Node, ScalarNode, parse
from broker.approve.files import Files
from broker.approve.problem import Code, PolicyProblems, Problem, Problems
from broker.authoring.quoting import quoted

_ROUNDS = 500
"""Readings at most: where a slip breaks the syntax, the reader reports one at a time."""
_INDENTS = (2, 4, 8)
"""Blanks that a tab, or half of which a full-width space, may stand for at the beginning of a line."""

_ASCII = dict(zip("：，；、｛｝［］【】", ":,,,{}[][]", strict=True))
_CURLY = "“”‘’「」＂＇"
_KEY_BEFORE = re.compile(r"(?:^|[{\[,，；、]|- )\s*[A-Za-z_][\w.-]*\s*$", re.ASCII)
_KEY_AFTER = re.compile(r"\s*[A-Za-z_][\w.-]*\s*[:：]", re.ASCII)
_NAME_BEFORE = re.compile(r"[\w.\-\"'\]}]\s*$", re.ASCII)
_NAME_AFTER = re.compile(r"\s*[\w\"'\[{]", re.ASCII)
_VALUE_BEFORE = re.compile(r"(?:^\s*-|[:：,，、\[{［｛【])\s*$")
_VALUE_AFTER = re.compile(r"\s*(?:$|#|[,，；、\]}］｝】])")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_WIDE_GAP = re.compile("(?<=[:：,，-])[\u3000\u00a0]+")
_LEADING = re.compile("^[ \t\u3000\u00a0]*")


def repaired(text: str, file: str = "") -> str:
    """``text`` with what is mechanical put right; what is left is for its writer, and the reader tells."""
    if _read(text, file)[1]:
        text = "\n".join(_gaps(line) for line in text.split("\n"))
        for _ in range(_ROUNDS):
            before = text
            text = _indented(_round(text, file), file)
            if text == before:
                break
    if _read(text, file)[1]:
        return text
    return quoted(_without_blanks(text))


def repaired_files(files: Files) -> dict[str, bytes]:
    """The YAML files of a bundle put right, each by itself; one that is not UTF-8 stays as it is."""
    yaml_files = {file: content for file, content in files.items() if file.endswith(".yaml")}
    return {file: _repaired_bytes(content, file) for file, content in yaml_files.items()}


def _repaired_bytes(content: bytes, file: str) -> bytes:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content
    fixed = repaired(text, file)
    return content if fixed == text else fixed.encode()


def _read(text: str, file: str) -> tuple[Node | None, tuple[Problem, ...]]:
    problems = Problems()
    node = parse(text.encode("utf-8", "surrogatepass"), file, problems)
    try:
        problems.refuse()
    except PolicyProblems as refused:
        return node, refused.problems
    return node, ()


def _round(text: str, file: str) -> str:
    """Every place reported, the last first, so that the others stay where they are."""
    lines = text.split("\n")
    for problem in reversed(_read(text, file)[1]):
        fix, place = _FIXES.get(problem.code), problem.line - 1
        if fix is not None and place < len(lines) and problem.column <= len(lines[place]):
            lines[place] = fix(lines[place], problem.column - 1)
    return "\n".join(lines)


# ── single characters ────────────────────────────────────────────────────────────────────────────


def _full_width(line: str, at: int) -> str:
    """Separators from a Chinese keyboard: where one is, there may be more behind it."""
    quoted_parts = [found.span() for found in _QUOTED.finditer(line)]
    for place in range(len(line) - 1, at - 1, -1):
        if line[place] in _ASCII and not any(begin <= place < end for begin, end in quoted_parts):
            line = _separator(line, place)
    return line


def _separator(line: str, at: int) -> str:
    """One of them, where only a separator can stand."""
    before, character, after = line[:at], line[at], line[at + 1 :]
    ascii_ = _ASCII[character]
    if ascii_ == ":":
        separates = _KEY_BEFORE.search(before) is not None
        return f"{before}:{'' if after[:1] in ('', ' ') else ' '}{after}" if separates else line
    if ascii_ == ",":
        separates = _separates(before, after)
        return f"{before},{'' if after[:1] == ' ' else ' '}{after}" if separates else line
    fits = _VALUE_BEFORE.search(before) if ascii_ in "[{" else _VALUE_AFTER.match(after)
    return f"{before}{ascii_}{after}" if fits else line


def _separates(before: str, after: str) -> bool:
    """Between names or quoted texts of a list, or before the next key of a mapping; else it may be text."""
    if _innermost(before) == "{":
        return _KEY_AFTER.match(after) is not None
    return _NAME_BEFORE.search(before) is not None and _NAME_AFTER.match(after) is not None


def _innermost(before: str) -> str:
    opened: list[str] = []
    for character in _QUOTED.sub("", before):
        plain = _ASCII.get(character, character)
        if plain in "[{":
            opened.append(plain)
        elif plain in "]}" and opened:
            opened.pop()
    return opened[-1] if opened else ""


def _curly(line: str, at: int) -> str:
    """Typographic quotes around a whole value become ASCII ones; around a part of it they are text, and the
    whole is quoted."""
    after = line[at + 1 :]
    for end, character in enumerate(after):
        if character in _CURLY + "\"'":
            if _ends_value(after[end + 1 :]):
                return _in_quotes(line, at, after[:end], after[end + 1 :])
            break
    comment = _COMMENT.search(after)
    value = (after[: comment.start()] if comment else after).rstrip()
    if _innermost(line[:at]):
        return line
    return _in_quotes(line, at, line[at] + value, after[len(value) :])


def _ends_value(rest: str) -> bool:
    return _VALUE_AFTER.match(rest) is not None or re.match(r"\s*[:：]", rest) is not None


def _in_quotes(line: str, at: int, value: str, rest: str) -> str:
    if '"' in value or "\\" in value or line[:at].endswith('"'):
        return line
    return f'{line[:at]}"{value}"{rest}'


def _invisible(line: str, at: int) -> str:
    """Spaces of other scripts become spaces, what has no width goes."""
    return line[:at] + "".join(map(_visible, line[at:]))


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if character.isascii() or category not in ("Zs", "Cf"):
        return character
    return " " if category == "Zs" else ""


def _tab(line: str, at: int) -> str:
    """A tab inside a line; at its beginning it says how deep the line is, which is looked into apart."""
    return line[:at] + line[at:].replace("\t", " ") if line[:at].strip() else line


_FIXES: dict[Code, Callable[[str, int], str]] = {
    Code.FULL_WIDTH: _full_width,
    Code.CURLY_QUOTE: _curly,
    Code.INVISIBLE_CHARACTER: _invisible,
    Code.TAB: _tab,
}


# ── spaces ───────────────────────────────────────────────────────────────────────────────────────


def _gaps(line: str) -> str:
    """Full-width spaces behind separators, which YAML does not take for spaces."""
    comment = _COMMENT.search(_QUOTED.sub(lambda found: "x" * len(found[0]), line))
    end = comment.start() if comment else len(line)
    return _WIDE_GAP.sub(" ", line[:end]) + line[end:]


def _indented(text: str, file: str) -> str:
    """Tabs and full-width spaces at the beginnings of lines, if only one depth makes sense of them."""
    lines = text.split("\n")
    if not any(set(_leading(line)) - {" "} for line in lines if line.strip()):
        return text
    sensible: dict[str, str] = {}
    for width in _INDENTS:
        tried = "\n".join(_expanded(line, width) for line in lines)
        node, problems = _read(tried, file)
        if node is not None and not any(problem.code in _SHAPELESS for problem in problems):
            sensible.setdefault(repr(_without_places(node)), tried)
    return next(iter(sensible.values())) if len(sensible) == 1 else text


_SHAPELESS = (Code.SYNTAX, Code.TAB, Code.SEVERAL_LINES, Code.DUPLICATE_KEY)


def _leading(line: str) -> str:
    found = _LEADING.match(line)
    return found[0] if found else ""


def _expanded(line: str, width: int) -> str:
    leading = _leading(line)
    blanks = sum({" ": 1, "\t": width}.get(character, width // 2) for character in leading)
    return " " * blanks + line[len(leading) :]


def _without_places(node: Node) -> object:
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, MappingNode):
        return {name: _without_places(value) for name, (_, value) in node.entries.items()}
    return [_without_places(item) for item in node.items]


def _without_blanks(text: str) -> str:
    """Without blanks at line ends, but in texts over several lines."""
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    kept = {line for first, last in _block_texts(root) for line in range(first, last)} if root else set()
    return "\n".join(
        line if number in kept else line.rstrip(" ") for number, line in enumerate(text.split("\n"))
    )


def _block_texts(node: yaml.Node) -> Iterator[tuple[int, int]]:
    if isinstance(node, yaml.ScalarNode):
        if node.end_mark.line > node.start_mark.line:
            yield node.start_mark.line, node.end_mark.line
        return
    for part in node.value if isinstance(node, yaml.SequenceNode) else sum(node.value, ()):
        yield from _block_texts(part)
