"""The canonical layout: what it looks like, that it stays, and that nothing is said otherwise."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from broker.approve.document import MappingNode, Node, ScalarNode, SequenceNode, parse
from broker.approve.problem import PolicyProblems, Problems
from broker.authoring.layout import formatted
from broker.cli.main import app

ROOT = Path(__file__).parent.parent.parent
SHIPPED = [
    path
    for folder in (ROOT / "policies", ROOT / "tests/approve/base")
    for path in sorted(folder.rglob("*.yaml"))
    if "cases" not in path.parts
]
SOUND = [path.read_text("utf-8") for path in SHIPPED]


def said(text: str) -> object:
    """What our reader understands, keys in no order; of masks, with the writing of each parameter."""

    def of(node: Node, in_mask: bool) -> object:
        match node:
            case MappingNode():
                return {key: of(value, in_mask or key == "mask") for key, (_, value) in node.entries.items()}
            case SequenceNode():
                return [of(item, in_mask) for item in node.items]
            case ScalarNode():
                return (node.value, node.plain) if in_mask else node.value

    problems = Problems()
    node = parse(text.encode(), "f", problems)
    problems.refuse()
    assert node is not None
    return of(node, False)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_shipped_policies_are_in_canonical_layout(path: Path) -> None:
    """What ships is what fmt writes, so an officer who copies it starts right."""
    text = path.read_text("utf-8")
    difference = list(difflib.unified_diff(text.splitlines(), formatted(text).splitlines(), lineterm=""))
    assert difference == []


BEFORE = """\
# 说明一
rules:
- what: {fields: [a,b], dataset: d.one}   # 看什么
  # 谁都可以
  who:
      departments: all
  id: r1


  effect: permit
  when: {from: 2026-01-01, until: '2027-12-31'}
  obligations:
    retain_days: 30 # 三十天
    mask:
        a: {region: {to: 990100}}
    # 义务到此为止
  limits: {rows_per_call: 10}
  why: {legal_basis: [ "甲条例 第一条" ,
     乙条例 ], purposes: all}
# 第二条
- id: r2
  effect: deny
  who: {departments: MANY}
  what:
    dataset: d.one
    fields: all
  # 完
owner: 990100
id: p1
format: share-policy/v1
# 全文完
"""
AFTER = """\
# 说明一
format: share-policy/v1
id: p1
owner: "990100"
rules:
  - id: r1

    effect: permit
    # 谁都可以
    who:
      departments: all
    what: {dataset: d.one, fields: [a, b]} # 看什么
    why: {legal_basis: [ "甲条例 第一条" ,
      乙条例 ], purposes: all}
    when: {from: "2026-01-01", until: '2027-12-31'}
    limits: {rows_per_call: 10}
    obligations:
      mask:
        a: {region: {to: 990100}}
      retain_days: 30 # 三十天
      # 义务到此为止
  # 第二条
  - id: r2
    effect: deny
    who:
      departments: MANY
    what:
      dataset: d.one
      fields: all
    # 完
# 全文完
"""


def test_layout_is_canonical() -> None:
    """Keys in the order of the grammar, two blanks a level, needed quotes; comments stay with their key."""
    many = f"[{', '.join(f'department_{i}' for i in range(7))}]"
    assert formatted(BEFORE.replace("MANY", many)) == AFTER.replace("MANY", many)


def test_lines_that_stay_as_they_are() -> None:
    """Block text, folded quotes and comments in brackets are kept but for their depth."""
    text = """\
format: share-catalog/v1
datasets:
    one:
        title: |
            第一行
              第二行
        sharing_modes: [
            api, # 接口
            batch,
        ]
        use_conditions: "很长的
            一句话"
"""
    assert formatted(text) == text.replace("    ", "  ")


def test_windows_line_ends_tabs_of_nobody_and_blanks_at_ends() -> None:
    """A file from another editor becomes one of ours, byte-order mark and all."""
    assert formatted("\ufefftitle: x  \r\n\r\n\r\n\r\nzone: y\r\n\r\n") == "title: x\n\nzone: y\n"


# ── whatever is written ──────────────────────────────────────────────────────────────────────────

WORDS = st.sampled_from(
    ("甲", "a b", "x#y", "2026-01-01", "990100", "on", "12:30", "-1", "1.5", "it's", 'say "x"')
)
KEYS = st.sampled_from(
    ("id", "effect", "who", "what", "limits", "mask", "rules", "rows_per_call", "format", "x")
)
VALUES = st.recursive(
    WORDS, lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """YAML of many looks, with comments, empty lines and several styles."""
    value = draw(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
    if draw(st.booleans()):
        value["format"] = "share-policy/v1"
    flow = draw(st.sampled_from((True, False, None)))
    text = yaml.safe_dump(
        value,
        allow_unicode=True,
        default_flow_style=flow,
        width=draw(st.sampled_from((20, 400))),
        sort_keys=False,
    )
    lines = []
    for line in text.splitlines():
        if draw(st.integers(0, 5)) == 0:
            lines.append(draw(st.sampled_from(("", "# 说明", "      # 缩进的说明", "  # x"))))
        lines.append(
            line + draw(st.sampled_from(("", "", "   # 旁注"))) if line.endswith(("]", "}", ":")) else line
        )
    return "\n".join(lines) + "\n"


@settings(deadline=None)
@given(documents())
def test_layout_says_the_same_and_stays(text: str) -> None:
    """Whatever our reader takes: the same values and comments come out, and a second time the same text."""
    try:
        before = said(text)
    except Exception:  # noqa: BLE001 - not a file that fmt is asked to lay out
        return
    once = formatted(text)
    assert said(once) == before
    assert formatted(once) == once
    assert once.count("#") == text.count("#")


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(SOUND), st.data())
def test_disturbed_layout_is_put_right(text: str, data: st.DataObject) -> None:
    """Blanks added anywhere between lines and after them are taken out again."""
    lines = [line + data.draw(st.sampled_from(("", "", " ", "   "))) for line in text.splitlines()]
    assert formatted("\r\n".join(lines)) == text


# ── as a command ─────────────────────────────────────────────────────────────────────────────────


def fmt(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["policy", "fmt", *map(str, arguments)])


def test_files_are_put_in_layout_and_stay(tmp_path: Path) -> None:
    """``--check`` names what would change and fails; without it the files are written."""
    folder = Path(shutil.copytree(ROOT / "tests/approve/base", tmp_path / "policies"))
    untidy = folder / "sharing/marriage.yaml"
    untidy.write_text(untidy.read_text("utf-8") + "\n\n", "utf-8")
    untidy.chmod(0o640)
    checked = fmt(folder, "--check")
    assert (checked.exit_code, checked.output.splitlines()[0]) == (1, "sharing/marriage.yaml")
    assert fmt(folder).exit_code == 0
    assert fmt(folder, "--check").exit_code == 0
    assert untidy.stat().st_mode & 0o777 == 0o640
    assert not list(folder.rglob(".*"))


def test_broken_file_stops_everything(tmp_path: Path) -> None:
    """Where one file is no sound YAML, none is touched and the problem is told."""
    folder = Path(shutil.copytree(ROOT / "tests/approve/base", tmp_path / "policies"))
    (folder / "sharing/marriage.yaml").write_text("format: share-policy/v1\n  id：x\n", "utf-8")
    (folder / "city.yaml").write_text((folder / "city.yaml").read_text("utf-8") + "\n\n", "utf-8")
    before = (folder / "city.yaml").read_bytes()
    assert isinstance(fmt(folder).exception, PolicyProblems)
    assert (folder / "city.yaml").read_bytes() == before
