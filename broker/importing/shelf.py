"""Putting a drafted dataset into a department's catalog file: beside what is there, never over it."""

from __future__ import annotations

from broker.approve.catalog import CATALOG_FOLDER
from broker.approve.document import MappingNode, parse
from broker.approve.problem import Problems
from broker.errors import SetUpError

_INDENT = 2


def catalog_file(department: str) -> str:
    """The department's catalog in the folder of policies."""
    return f"{CATALOG_FOLDER}/{department}.yaml"


def with_dataset(content: bytes | None, department: str, title: str, name: str, entry: str) -> bytes:
    """A catalog file's ``content``, None for a new file, and behind its datasets the ``entry`` of ``name``.

    Whatever was written there, comments included, stays as it is.

    Raises:
        SetUpError: the dataset is there already, or the file is not laid out so that one can be added.
        PolicyProblems: the file is no sound YAML.
    """
    if content is None:
        return f"{_head(department, title)}{entry}".encode()
    problems = Problems()
    node = parse(content, catalog_file(department), problems)
    problems.refuse()
    top = node.entries if isinstance(node, MappingNode) else {}
    datasets = top["datasets"][1] if "datasets" in top else None
    if not isinstance(datasets, MappingNode) or not datasets.entries or list(top)[-1] != "datasets":
        raise _not_appendable(department)
    if name in datasets.entries:
        raise SetUpError(
            f"{department}.{name} 已在目录中，未作改动；请换 --name，或先删去原有条目。",
            f"{department}.{name} is in the catalog; nothing was changed. Choose another --name.",
        )
    key, _ = next(iter(datasets.entries.values()))
    if _has_braces(datasets, content):
        raise _not_appendable(department)
    newline = "\r\n" if b"\r\n" in content else "\n"
    indented = _indented(entry, key.at.column - 1 - _INDENT).replace("\n", newline)
    separator = "" if content.endswith(b"\n") else newline
    return content + f"{separator}{indented}".encode()


def _head(department: str, title: str) -> str:
    return f"# {title}政务数据目录。\nformat: share-catalog/v1\ndepartment: {department}\ndatasets:\n"


def _has_braces(datasets: MappingNode, content: bytes) -> bool:
    line = content.decode("utf-8-sig").splitlines()[datasets.at.line - 1]
    return line[datasets.at.column - 1 :].startswith("{")


def _indented(entry: str, by: int) -> str:
    if by >= 0:
        return "".join(f"{' ' * by}{line}\n" for line in entry.splitlines())
    return "".join(f"{line[-by:]}\n" for line in entry.splitlines())


def _not_appendable(department: str) -> SetUpError:
    file = catalog_file(department)
    return SetUpError(
        f"{file} 中 datasets 须逐行书写（不用花括号）并排在最后，才能添加；未作改动。",
        f"Nothing was changed: in {file} datasets must come last and be written without braces.",
    )
