"""Adding a draft to a catalog that people have written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.approve.document import MappingNode, parse
from broker.approve.problem import PolicyProblems, Problems
from broker.errors import SetUpError
from broker.importing.shelf import with_dataset

ENTRY = "  new:\n    # 草稿\n    title: 新\n"
EXISTING = """\
# 民政局政务数据目录，王科长维护
format: share-catalog/v1
department: civil_affairs
datasets:
  # 婚姻
  old: {title: 旧}   # 不要动

  older:
    title: 更旧
  # 末尾的说明
"""


def datasets(content: bytes) -> list[str]:
    problems = Problems()
    node = parse(content, "catalog/civil_affairs.yaml", problems)
    problems.refuse()
    assert isinstance(node, MappingNode)
    _, found = node.entries["datasets"]
    assert isinstance(found, MappingNode)
    return list(found.entries)


def add(content: str | bytes | None, name: str = "new") -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return with_dataset(content, "civil_affairs", "民政局", name, ENTRY.replace("new", name))


def test_a_new_file() -> None:
    """The first dataset comes with the head that a catalog needs."""
    assert datasets(add(None)) == ["new"]
    assert datasets(add(add(None), "newer")) == ["new", "newer"]


@pytest.mark.parametrize("ending", ["\n", "", "\n\n\n", "\r\n"], ids=repr)
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "byte order mark"])
def test_what_was_there_stays(ending: str, mark: str) -> None:
    """Not a byte of it changes, comments and line ends included."""
    text = mark + EXISTING.rstrip("\n")
    text = (text.replace("\n", "\r\n") if ending == "\r\n" else text) + ending
    after = add(text)
    assert after.startswith(text.encode())
    assert datasets(after) == ["old", "older", "new"]
    if ending == "\r\n":
        assert b"\n" not in after.replace(b"\r\n", b"")


@given(st.integers(1, 6))
def test_the_files_own_indentation_is_kept(indent: int) -> None:
    """The entry stands where its neighbours stand."""
    head, blanks = "format: share-catalog/v1\ndepartment: d\ndatasets:\n", " " * indent
    text = f"{head}{blanks}old:\n{blanks} title: x\n"
    assert datasets(add(text)) == ["old", "new"]


def test_nothing_is_overwritten() -> None:
    """A dataset of that name is refused, whoever wrote it."""
    with pytest.raises(SetUpError, match="nothing was changed"):
        add(EXISTING, "older")


@pytest.mark.parametrize(
    "content",
    [
        "format: share-catalog/v1\ndepartment: d\ndatasets: {old: {title: x}}\n",
        "format: share-catalog/v1\ndatasets:\n  old: {title: x}\ndepartment: d\n",
        "format: share-catalog/v1\ndepartment: d\n",
        "datasets: []\n",
        "- x\n",
    ],
    ids=repr,
)
def test_a_file_that_cannot_be_added_to(content: str) -> None:
    """It says how datasets must be written."""
    with pytest.raises(SetUpError, match="datasets must come last"):
        add(content)


def test_a_broken_file() -> None:
    """Its own problems come first, each with its place."""
    with pytest.raises(PolicyProblems, match=r"catalog/civil_affairs\.yaml:\d"):
        add("datasets: [\n")
