"""``lint --fix``: slips of the keyboard are put right, meanings never guessed, sound files left alone."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from broker.approve.bundle import bundle_of
from broker.approve.document import MappingNode, Node, ScalarNode, parse
from broker.approve.files import read_folder
from broker.approve.problem import PolicyProblems, Problems
from broker.authoring.renaming import one_slip, renamed
from broker.authoring.repair import repaired, repaired_files
from broker.cli.main import app
from tests.approve.conftest import BASE, check_mask

BROKEN = BASE.parent / "broken"
ROOT = BASE.parent.parent.parent
SOUND = [
    path.read_text("utf-8")
    for path in [*sorted(BASE.rglob("*.yaml")), *sorted((ROOT / "policies").rglob("*.yaml"))]
    if "cases" not in path.parts
]
MECHANICAL = (
    "curly-quotes",
    "enumeration-comma",
    "full-width-brackets",
    "full-width-colon",
    "full-width-colon-in-braces",
    "full-width-colon-nested",
    "full-width-comma",
    "full-width-space",
    "tab",
    "zero-width-space",
)


def problems_of(text: str) -> tuple[str, ...]:
    problems = Problems()
    parse(text.encode(), "f", problems)
    try:
        problems.refuse()
    except PolicyProblems as refused:
        return tuple(problem.code for problem in refused.problems)
    return ()


@pytest.mark.parametrize("name", MECHANICAL)
def test_mechanical_slip_is_put_right(name: str) -> None:
    """The broken files that hold nothing but a slip of the keyboard are sound with one line changed."""
    broken = (BROKEN / f"{name}.yaml").read_text("utf-8")
    fixed = repaired(broken)
    changed = [line for line in fixed.split("\n") if line not in broken.split("\n")]
    assert problems_of(broken)
    assert (problems_of(fixed), len(changed)) == ((), 1)


@pytest.mark.parametrize(
    "line",
    [
        "title: {zh: 甲，乙}",  # text or separator? its writer knows
        "legal_basis: [甲条例 第一条，乙条例 第二条]",
        'x: “甲” 与 “乙"',
        "note: {a: “双减”政策}",
        "a: [b、丙]",
    ],
)
def test_what_may_be_meant_otherwise_is_left(line: str) -> None:
    """Where a character may be part of a text, only its writer can say."""
    assert repaired(f"{line}\n") == f"{line}\n"


@pytest.mark.parametrize(
    ("line", "fixed"),
    [
        ("title：“婚姻登记”  # 说明", 'title: "婚姻登记"  # 说明'),
        ("title: “双减”政策", 'title: "“双减”政策"'),
        ("what：｛dataset：d.one，fields：［a，b］｝", "what: {dataset: d.one, fields: [a, b]}"),
        ("basis: [“甲条例”，“乙条例”]", 'basis: ["甲条例", "乙条例"]'),
        ("who:　{departments:　all}", "who: {departments: all}"),
        ("a:\tb", "a: b"),
    ],
)
def test_several_slips_in_one_line(line: str, fixed: str) -> None:
    """A line typed with the Chinese keyboard on becomes what it was meant to be."""
    assert repaired(f"{line}\n") == f"{fixed}\n"


def test_slips_that_hide_one_another_are_all_found() -> None:
    """Each breaks the syntax, so that the reader sees one after the other; all are put right."""
    text = "rules:\n" + "".join(f"  - id: r{number}\n    effect: permit\n" for number in range(60))
    assert repaired(text.replace("effect: ", "effect：")) == text


def test_dates_and_codes_get_quotes() -> None:
    """Where other readers of YAML would take a date or a number, and only there; a mask's parameters stay."""
    text = """\
format: share-policy/v1
rules:
  - effect: permit
    who: {departments: [fund], regions: [990100]}
    when: {from: 2026-01-01, until: 2027-12-31}
    limits: {rows_per_call: 10}
    obligations: {mask: {a: {region: {to: 990100}}}, signed_application: true}
"""
    wanted = text.replace("[990100]", '["990100"]')
    wanted = wanted.replace("2026-01-01", '"2026-01-01"').replace("2027-12-31", '"2027-12-31"')
    assert repaired(text) == wanted


# ── whatever is written ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", SOUND)
def test_sound_file_is_left_alone(text: str) -> None:
    """What is right already does not change by a byte."""
    assert repaired(text) == text


DAMAGES = (
    (r"(?m)^( *(?:- )?[a-z_]+): (?=[^\s#])", r"\1："),
    (r"(?<=[{,]) ?([a-z_]+): ", r"\1："),
    (r"(?<=\w), (?=[a-z_]+: )", "，"),
    (r'"([^"“”]*)"', r"“\1”"),
    (r"(?<=: )(?=[a-z\[{])", "\u3000"),
    (r"(?<=: )(?=[a-z])", "\u200b"),
    (r"\{(?=[a-z])", "｛"),
)


@settings(deadline=None)
@given(st.sampled_from(SOUND), st.sampled_from(DAMAGES), st.integers(1, 3))
def test_damage_by_a_keyboard_is_undone(text: str, damage: tuple[str, str], times: int) -> None:
    """A sound file in which separators, quotes or spaces were typed full-width says the same after repair."""
    damaged = re.sub(*damage, text, count=times)
    assert said(repaired(damaged)) == said(text)


@settings(deadline=None)
@given(
    st.sampled_from(SOUND),
    st.integers(0, 4000),
    st.integers(0, 9),
    st.text("a1:：,，[]{}'\"“ -\n#|　\t", max_size=5),
)
def test_what_is_understood_stays_understood(text: str, at: int, length: int, typed: str) -> None:
    """Of any text: it never crashes; what the reader took before it takes afterwards, and as the same."""
    edited = text[:at] + typed + text[at + length :]
    fixed = repaired(edited)
    if not problems_of(edited):
        assert said(fixed) == said(edited)
    assert repaired(fixed) == fixed


def said(text: str) -> object:
    def of(node: Node) -> object:
        if isinstance(node, MappingNode):
            return {key: of(value) for key, (_, value) in node.entries.items()}
        return node.value if isinstance(node, ScalarNode) else [of(item) for item in node.items]

    problems = Problems()
    node = parse(text.encode(), "f", problems)
    problems.refuse()
    assert node is not None
    return of(node)


# ── names ────────────────────────────────────────────────────────────────────────────────────────


def test_name_one_slip_away_is_put_right() -> None:
    """One letter too many, missing, wrong or swapped."""
    assert all(
        one_slip(*pair) for pair in (("fnd", "fund"), ("fuund", "fund"), ("fuxd", "fund"), ("fudn", "fund"))
    )
    assert not any(
        one_slip(*pair) for pair in (("fund", "fund"), ("fd", "fund"), ("dnuf", "fund"), ("a", "bcd"))
    )


def test_names_are_put_right_in_files() -> None:
    """Keys, words and names alike; the bundle is then sound."""
    files = dict(read_folder(BASE, Problems()))
    text = files["sharing/marriage.yaml"].decode()
    broken = text.replace("[fund]", "[fnd]").replace("effect: permit", "efect: pemrit", 1)
    fixed = renamed({**files, "sharing/marriage.yaml": broken.encode()}, check_mask)
    fixed = renamed(fixed, check_mask)  # what a wrong key hides is found the second time
    assert fixed["sharing/marriage.yaml"].decode() == text
    assert bundle_of(fixed, check_mask).hash == bundle_of(files, check_mask).hash


# ── as a command ─────────────────────────────────────────────────────────────────────────────────


def lint(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["policy", "lint", *map(str, arguments), "--at", "2026-11-23"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(BASE, tmp_path / "policies"))
    path = folder / "sharing/marriage.yaml"
    path.write_text(path.read_text("utf-8").replace("effect: permit", "effect：permit", 1), "utf-8")
    return folder


def test_fix_shows_what_it_changes(folder: Path) -> None:
    """The difference is shown, the file is written, and what is left is told as always."""
    broken = (folder / "sharing/marriage.yaml").read_bytes()
    shown = lint(folder, "--fix", "--dry-run")
    assert "+    effect: permit" in shown.output
    assert (folder / "sharing/marriage.yaml").read_bytes() == broken
    assert lint(folder).exit_code == 1
    done = lint(folder, "--fix")
    assert (done.exit_code, done.output) == (0, shown.output)
    assert (folder / "sharing/marriage.yaml").read_bytes() == (BASE / "sharing/marriage.yaml").read_bytes()


def test_fix_leaves_what_it_cannot_read(folder: Path) -> None:
    """A file in another encoding is told of, not touched."""
    (folder / "sharing/other.yaml").write_bytes("标题: 甲".encode("gb18030"))
    files = read_folder(folder, Problems())
    assert repaired_files(files)["sharing/other.yaml"] == files["sharing/other.yaml"]
    assert "NOT_UTF8" in lint(folder, "--fix").output
