"""A draft's YAML says what is meant, whatever a column is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.approve.document import MappingNode, ScalarNode, parse
from broker.approve.problem import Problems
from broker.importing.draft import scalar
from broker.importing.vocabulary import UNKNOWN, field_id, word_for

printable = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(
    lambda text: text.isprintable() and text == text.strip()
)


@given(printable)
def test_any_text_is_read_back(text: str) -> None:
    """Inside braces, as titles stand there."""
    problems = Problems()
    node = parse(f"a: {{b: {scalar(text)}, c: d}}\n".encode(), "x", problems)
    problems.refuse()
    assert isinstance(node, MappingNode)
    _, inner = node.entries["a"]
    assert isinstance(inner, MappingNode)
    _, value = inner.entries["b"]
    assert isinstance(value, ScalarNode)
    assert value.value == text


@pytest.mark.parametrize(("text", "plain"), [("姓名", True), ("L1", True), ("no", False), ("990101", False)])
def test_quotes_only_where_needed(text: str, plain: bool) -> None:
    """An officer reads and edits this: plain words stay plain."""
    assert (scalar(text) == text) is plain


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("XM", "xm"),
        ("id card-no", "id_card_no"),
        ("身份证号", "resident_id"),
        ("男方_身份证号", "husband_resident_id"),
        ("配偶姓名", "spouse_name"),
        ("不明之物", "field_7"),
        ("null", "field_null"),
        ("_x", "field_7"),
        ("2024年", "field_7"),
    ],
)
def test_ids_of_data_items(column: str, expected: str) -> None:
    """The column's own name, what it says, or its place; never one that is taken."""
    assert field_id(column, 7, word_for(column), ()) == expected
    assert field_id(column, 7, word_for(column), (expected,)) == f"{expected}_2"


@given(st.text(max_size=8), st.sets(st.sampled_from(["a", "a_2", "field_1", "name"])))
def test_ids_are_always_ids(column: str, taken: set[str]) -> None:
    """Whatever a column is called, the catalog takes the id."""
    found = field_id(column, 1, UNKNOWN, taken)
    assert found not in taken
    assert found.isascii()
    assert found[0].isalpha()
    assert found == found.lower()
    assert found.replace("_", "").isalnum()
