"""Strict YAML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.approve.document import MappingNode, Node, ScalarNode, SequenceNode, parse
from broker.approve.problem import Code, PolicyProblems, Problems

HOSTILE = st.text(alphabet="ab01 :,-#'\"[]{}&*!|>%@`\n\t\\~<：，“”；　\ufeff\u200b\x00é", max_size=60)


def read(content: bytes) -> tuple[Node | None, list[Code]]:
    problems = Problems()
    node = parse(content, "f.yaml", problems)
    try:
        problems.refuse()
    except PolicyProblems as refused:
        return node, [problem.code for problem in refused.problems]
    return node, []


def value(text: str) -> str:
    """The scalar under ``a``."""
    node, codes = read(text.encode())
    assert codes == []
    assert isinstance(node, MappingNode)
    scalar = node.entries["a"][1]
    assert isinstance(scalar, ScalarNode)
    return scalar.value


@pytest.mark.parametrize("written", ["NO", "12:30", "0777", "1e3", "null", "2026-01-01", "0x1F", "1_000"])
def test_scalars_stay_text(written: str) -> None:
    """YAML's guesses (NO is False, 12:30 is 750) are made for no value."""
    assert value(f"a: {written}") == written


@pytest.mark.parametrize(
    "written",
    [
        "《条例》：第一条，第二款",
        '"a：b"',
        "'“x”'",
        "有“引号”在中间",
        "x # 注释里的：，“”全角字符",
    ],
)
def test_full_width_characters_belong_in_values(written: str) -> None:
    """Chinese punctuation inside a value or a comment is nobody's mistake."""
    assert value(f"a: {written}")


def test_positions_count_characters_from_one() -> None:
    """A place is what an editor shows: Chinese characters count as one column."""
    node, codes = read("键: [值, x]\n".encode())
    assert codes == []
    assert isinstance(node, MappingNode)
    items = node.entries["键"][1]
    assert isinstance(items, SequenceNode)
    assert [(item.at.line, item.at.column) for item in items.items] == [(1, 5), (1, 8)]


def test_byte_order_mark_and_crlf_are_accepted() -> None:
    """Windows editors write both; neither changes what is read."""
    assert read("\ufeffa: 1\r\nb: 2\r\n".encode()) == (read(b"a: 1\nb: 2\n")[0], [])


def test_other_encodings_are_refused_with_their_line() -> None:
    """A file saved as GBK is refused at the first line that shows it."""
    problems = Problems()
    assert parse(b"a: 1\nb: " + "中文".encode("gbk"), "f.yaml", problems) is None
    with pytest.raises(PolicyProblems, match=r"f\.yaml:2:1 NOT_UTF8"):
        problems.refuse()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: &x 1", Code.ANCHOR),
        ("a: *x", Code.ANCHOR),
        ("a: !!python/object/apply:os.system [x]", Code.TAG),
        ("a: !x 1", Code.TAG),
        ("<<: {a: 1}", Code.MERGE),
        ("a: 1\na: 2", Code.DUPLICATE_KEY),
        ("a: 1\n'a': 2", Code.DUPLICATE_KEY),
        ("? [a]\n: 1", Code.EXPECTED_TEXT),
        ("a: 1\n---\na: 2", Code.SEVERAL_DOCUMENTS),
        ("", Code.EMPTY_DOCUMENT),
        ("a: 1\x07", Code.SYNTAX),
        ("a: b\u200bc", Code.INVISIBLE_CHARACTER),
        ("a: 'b\u3000c'", Code.INVISIBLE_CHARACTER),
        ("a: b\u202ec", Code.INVISIBLE_CHARACTER),
        ("a:\tb", Code.TAB),
        ("a: b\n  c", Code.SEVERAL_LINES),
    ],
)
def test_what_yaml_allows_and_we_do_not(text: str, code: Code) -> None:
    """Each way to say something other than what it looks like is refused under its own code."""
    assert code in read(text.encode())[1]


def test_bombs_are_cheap() -> None:
    """Deep nesting and nested aliases end in a report, not in memory or recursion."""
    assert read(b"[" * 100_000)[1] == [Code.TOO_DEEP]
    bomb = "a: &a [x]\n" + "".join(f"{c}: &{c} [{', '.join(['*a'] * 50)}]\n" for c in "bcdefgh")
    assert set(read(bomb.encode())[1]) == {Code.ANCHOR}


@given(st.one_of(HOSTILE.map(str.encode), st.binary(max_size=60)))
def test_no_content_breaks_the_parser(content: bytes) -> None:
    """Whatever the bytes, they give a document or a report, never another error."""
    node, codes = read(content)
    assert node is not None or codes


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# YAML folds line breaks within quotes into spaces (YAML 1.1, 9.1.2): texts of one line come back as written.
ONE_LINE = st.characters(exclude_characters="\n\r\x85\u2028\u2029")


@given(
    st.dictionaries(
        st.text(ONE_LINE, min_size=1, max_size=8), st.text(ONE_LINE, max_size=20), min_size=1, max_size=5
    )
)
def test_quoted_printable_text_comes_back_as_written(written: dict[str, str]) -> None:
    """A quoted text of one line is read exactly, or refused; never read differently."""
    lines = (f"{quoted(key)}: {quoted(value)}" for key, value in written.items())
    node, codes = read("\n".join(lines).encode(errors="surrogatepass"))
    if not codes:
        assert isinstance(node, MappingNode)
        found = {k: v.value for k, (_, v) in node.entries.items() if isinstance(v, ScalarNode)}
        assert found == written
