"""The schemas and the reader agree: on every file there is, and on what can be made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from adapters.masking.registry import load_operators
from broker.approve.bundle import bundle_of
from broker.approve.document import MappingNode, Node, ScalarNode, SequenceNode, parse
from broker.approve.files import read_folder
from broker.approve.problem import PolicyProblems, Problems
from broker.authoring.schema import FORMS, INEXPRESSIBLE, PARTLY, file_name, schemas
from broker.server.bundles import checker

ROOT = Path(__file__).parents[2]
BASE = ROOT / "tests/approve/base"
BROKEN = sorted((ROOT / "tests/approve/broken").glob("*.yaml"))
OPERATORS = load_operators(None)
CHECK = checker(OPERATORS)


def files_of(folder):
    """The bundle's files."""
    return read_folder(folder, Problems())


class Schemas:
    """The schemas of one folder, ready to validate."""

    def __init__(self, folder: Path) -> None:
        made = schemas(bundle_of(files_of(folder), CHECK).catalog, OPERATORS)
        self._validators = {}
        for name, schema in made.items():
            Draft202012Validator.check_schema(schema)
            self._validators[name] = Draft202012Validator(schema, format_checker=FormatChecker())

    def errors(self, file: str, value: object) -> list[str]:
        """What is wrong with the file's value."""
        name = file_name(next(form for form in FORMS if form.holds(file)))
        return [error.message for error in self._validators[name].iter_errors(value)]


@pytest.fixture(scope="module")
def base() -> Schemas:
    return Schemas(BASE)


@pytest.fixture(scope="module")
def city() -> Schemas:
    return Schemas(ROOT / "policies")


# ── values as a schema sees them ─────────────────────────────────────────────────────────────────

NULL = ("", "~", "null", "Null", "NULL")
NUMBER = re.compile(r"[-+]?([0-9]+|(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?)")


def as_text(node: ScalarNode) -> object:
    """What the reader sees: text."""
    return None if node.plain and node.value in NULL else node.value


def as_typed(node: ScalarNode) -> object:
    """What an editor sees: the core schema of YAML 1.2 (§10.3.2)."""
    if not node.plain or node.value in NULL:
        return as_text(node)
    if node.value in ("true", "false"):
        return node.value == "true"
    if NUMBER.fullmatch(node.value):
        return float(node.value) if "." in node.value else int(node.value)
    return node.value


def value_of(node: Node, scalar=as_text) -> Any:
    if isinstance(node, MappingNode):
        return {key: value_of(value, scalar) for key, (_, value) in node.entries.items()}
    if isinstance(node, SequenceNode):
        return [value_of(item, scalar) for item in node.items]
    return scalar(node)


# ── files that are there ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scalar", [as_text, as_typed])
@pytest.mark.parametrize("folder", [BASE, ROOT / "policies"], ids=["base", "city"])
def test_sound_files_are_accepted(folder, scalar, request):
    """Whatever the reader takes, an editor does not underline, be it written with quotes or without."""
    made = request.getfixturevalue("base" if folder == BASE else "city")
    for path in folder.rglob("*.yaml"):
        file = path.relative_to(folder).as_posix()
        node = parse(path.read_bytes(), file, Problems())
        assert made.errors(file, value_of(node, scalar)) == []


SEEN_BY_THE_READER_ONLY = {
    "grid-of-wrong-type",
    "hours-backwards",
    "mask-of-level-does-not-fit",
    "unknown-department-in-group",
}
"""Broken files whose code is one of :data:`PARTLY`, in the part that no schema sees."""


@pytest.mark.parametrize("scalar", [as_text, as_typed])
@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_broken_files_are_refused(path, scalar, base):
    """What the reader refuses for a cause that a schema can express, the schema refuses as well."""
    content = path.read_bytes()
    file = content.decode().splitlines()[0].removeprefix("# ")
    node = parse(content, file, Problems())
    found = path.with_suffix(".txt").read_text("utf-8").splitlines()
    codes = {line.split()[1] for line in found if line.startswith(f"{file}:")}
    refused = node is None or base.errors(file, value_of(node, scalar)) != []
    if path.stem in SEEN_BY_THE_READER_ONLY:
        assert not refused
        assert codes <= set(PARTLY)
    elif codes - set(INEXPRESSIBLE):
        assert refused


def test_no_code_is_called_inexpressible_that_a_schema_sees(base):
    """A file with such a problem alone passes, if it is YAML that reads as it is written."""
    of_the_writing = INEXPRESSIBLE[next(iter(INEXPRESSIBLE))]
    passed = set()
    for path in BROKEN:
        content = path.read_bytes()
        file = content.decode().splitlines()[0].removeprefix("# ")
        codes = {line.split()[1] for line in path.with_suffix(".txt").read_text("utf-8").splitlines()}
        node = parse(content, file, Problems())
        if node is not None and not base.errors(file, value_of(node)):
            passed |= codes
    beyond = {code for code, why in INEXPRESSIBLE.items() if why != of_the_writing}
    of_the_folder = {"FILE_MISSING", "FILE_UNREADABLE", "FILE_UNEXPECTED"}
    refused_for_another_cause = {"DUPLICATE_RULE"}  # the file repeats a rule whole
    assert beyond - of_the_folder - refused_for_another_cause <= passed


# ── files that could be ──────────────────────────────────────────────────────────────────────────

OTHERS = (
    "",
    "x",
    "all",
    "true",
    "0",
    "7",
    "2026-02-30",
    "990101",
    "L3",
    "status",
    "fund",
    " x",
    [],
    ["x"],
    {},
    {"x": "y"},
)


STRIDE = 11
"""One change in so many is tried, each kind of change at many places; all of them take a minute."""


def mutants(value: Any) -> Iterator[Any]:
    """Each value that differs in one place: something else there, taken away, or one key more."""
    yield from OTHERS
    if isinstance(value, dict):
        yield {**value, "surprise": "x"}
        for key, inner in value.items():
            yield {name: one for name, one in value.items() if name != key}
            yield from ({**value, key: other} for other in mutants(inner))
    elif isinstance(value, list):
        yield [*value, *value[:1]]
        for place, inner in enumerate(value):
            yield [*value[:place], *value[place + 1 :]]
            yield from ([*value[:place], other, *value[place + 1 :]] for other in mutants(inner))


def codes_of(files, file: str, value: object) -> set[str]:
    """What the reader says of the file with that value; JSON is YAML, and in quotes all is text."""
    try:
        bundle_of({**files, file: json.dumps(value, ensure_ascii=False).encode()}, CHECK)
    except PolicyProblems as refused:
        return {problem.code for problem in refused.problems if problem.file == file}
    return set()


@pytest.mark.parametrize("file", sorted(files_of(BASE)))
def test_schema_and_reader_agree_on_every_small_change(file, base):
    """A key taken away, a value replaced: both refuse or both accept, what no schema sees apart."""
    files = files_of(BASE)
    changed = mutants(value_of(parse(files[file], file, Problems())))
    for value in islice(changed, file.count("a"), None, STRIDE):
        codes, errors = codes_of(files, file, value), base.errors(file, value)
        if errors:
            assert codes, (value, errors)
        else:
            assert codes <= set(INEXPRESSIBLE) | set(PARTLY), (value, codes)


def test_what_no_schema_sees_is_documented():
    """The page for officers lists each code that only the reader finds, with the reason."""
    page = (ROOT / "docs/policy-toolkit.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for code, why in (*INEXPRESSIBLE.items(), *PARTLY.items()):
        assert any(f"`{code}`" in row and row.endswith(f"| {why.zh} · {why.en} |") for row in rows), code
