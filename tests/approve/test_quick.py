"""The short cut through sound files: it changes nothing but the time that reading takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.approve import quick
from broker.approve.bundle import Bundle, load_bundle
from broker.approve.document import MappingNode, Node, ScalarNode, SequenceNode, parse
from broker.approve.problem import Problems
from broker.approve.quick import QuickParser

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SOUND = sorted([*(ROOT / "policies").rglob("*.yaml"), *(HERE / "base").rglob("*.yaml")])
BROKEN = sorted((HERE / "broken").glob("*.yaml"))
TEXTS = [path.read_text("utf-8") for path in [*SOUND, *BROKEN]]
TYPED = st.text(alphabet="a1:：,，[]{}'\"“ -\n#&*!|>%?~.=数\u2028\x85\u3000", max_size=6)
Load = Callable[[Path], Bundle]


def bare(node: Node | None) -> object:
    """What the document says, without places."""
    if isinstance(node, MappingNode):
        return {name: (bare(key), bare(value)) for name, (key, value) in node.entries.items()}
    if isinstance(node, SequenceNode):
        return [bare(item) for item in node.items]
    return node and (node.value, node.plain, node.broken)


def same(text: str) -> None:
    """The document is as :func:`parse` reads it, and has a problem if and only if that finds one."""
    slow, fast, content = Problems(), Problems(), text.encode(errors="surrogatepass")
    expected, found = parse(content, "f.yaml", slow), QuickParser().parse(content, "f.yaml", fast)
    assert bool(slow) == bool(fast)
    assert bare(found) == bare(expected)


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.stem)
def test_sound_files_are_read_alike(path: Path) -> None:
    """The shipped files say the same either way."""
    same(path.read_text("utf-8"))


@given(st.sampled_from(TEXTS), st.floats(0, 1), st.integers(0, 12), TYPED)
@settings(max_examples=300)
def test_any_edit_is_read_alike(text: str, where: float, length: int, typed: str) -> None:
    """Whatever is done to a file, nothing is read that is not there, and nothing passed over."""
    at = int(where * len(text))
    same(text[:at] + typed + text[at + length :])


LINE = st.sampled_from(
    [
        "a: 1",
        "b:",
        "c: {d: 1, e: [x]}",
        "- f: 2",
        "- g",
        "h: [1, {i: j}]",
        "k: 'l: m'",
        "n: o # p",
        "# q",
        "",
        "r: {s: 1",
        "}",
        "t: - u",
        "v: w: x",
        "- - y: 1",
        "z: |",
        "aa: &b 1",
        "bb: *b",
        "cc: {a: 1}: 2",
        "...",
        "---",
        'dd: "a\\',
        "ee: [a",
        "ff: !x 1",
        "gg: ",
        "a: 2",
        "hh: {{{{{{{{{}}}}}}}}}",
        "<<: {a: 1}",
    ]
)
INDENTED = st.builds(lambda depth, line: " " * depth + line, st.sampled_from([0, 0, 2, 2, 3, 4, 6]), LINE)


@example("z: |\n  # q")
@example("z: >-\n  # q\n\n  a: 1")
@example("k: 'a\n# b'")
@example("k: {a: 1,\n# b}\n  c: 2}")
@given(st.lists(INDENTED, max_size=8).map("\n".join))
@settings(max_examples=500)
def test_any_layout_is_read_alike(text: str) -> None:
    """Lines in any order and at any depth mean what YAML says they mean."""
    same(text)


def test_usual_layout_takes_the_short_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the values is given to the whole parser, and equal values once."""
    read: list[bytes] = []

    def counted(content: bytes, file: str, problems: Problems) -> Node | None:
        read.append(content)
        return parse(content, file, problems)

    monkeypatch.setattr(quick, "parse", counted)
    parser = QuickParser()
    for path in (ROOT / "policies/sharing").glob("*.yaml"):
        content = path.read_bytes()
        assert parser.parse(content, path.name, Problems())
        assert content not in read
    values = b"".join(read).splitlines()
    assert len(values) == len(set(values))


def test_equal_values_are_one_node() -> None:
    """So what is made of one of them is made for all."""
    node = QuickParser().parse(b"- a: {b: 1}\n- a: {b: 1}\n", "f.yaml", Problems())
    assert isinstance(node, SequenceNode)
    one, other = (item.entries["a"][1] for item in node.items if isinstance(item, MappingNode))
    assert one is other


def test_problems_have_their_places(folder: Path, load: Load) -> None:
    """A mistake in a value that stands in many lines is told where it is."""
    file = folder / "sharing/marriage.yaml"
    text = file.read_text("utf-8")
    rule = text[text.index("  - id:") :]
    again = rule.replace("fund-withdrawal", "again").replace("rows_per_call: 10", "rows_per_cal: 10")
    file.write_text(text + again, "utf-8")
    with pytest.raises(Exception, match=r"sharing/marriage\.yaml:22:14 UNKNOWN_KEY"):
        load(folder)


def test_rules_know_their_place() -> None:
    """Where a rule is written is told without the whole parser too."""
    for rule in load_bundle(ROOT / "policies", lambda *_: None).rules:
        lines = (ROOT / "policies" / rule.at.file).read_text("utf-8").splitlines()
        assert lines[rule.at.line - 1][rule.at.column - 1 :].startswith(f"id: {rule.id.partition('/')[2]}")


def test_rules_on_one_line_know_their_own_file() -> None:
    """The same line stands in two files: by which approval a rule speaks hangs on its file."""
    line, parser = b'id: p\nrules: [{id: a, note: "\xe4\xb8\xad"}]\n', QuickParser()
    for file in ("sharing/a.yaml", "sharing/b.yaml"):
        node = parser.parse(line, file, Problems())
        assert isinstance(node, MappingNode)
        rules = node.entries["rules"][1]
        assert isinstance(rules, SequenceNode)
        assert rules.items[0].at.file == file


def test_scalars_alone_are_left_to_the_parser() -> None:
    """A file that is no mapping is what it is."""
    node = QuickParser().parse(b"x", "f.yaml", Problems())
    assert isinstance(node, ScalarNode)
