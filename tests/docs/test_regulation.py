"""docs/regulation.md: every article has its section, and every name in it is the name of something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from broker.cli.lazy import Later
from broker.cli.main import app
from broker.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "regulation.md"
ARTICLES = {3, 13, 14, 15, 17, 19, 20, 21, 22, 24, 25, 26, 27, 28, 29, 31, 34}
"""Those of 《政务数据共享条例》 that ask something of a broker."""
OTHERS = {"共享方式", "工作日", "分级", "GB/T 45396-2025 6.3", "GB/T 45574-2025"}
_ITEM = re.compile(r"^- (Pages|RPC|Test|Command|Setting|Not covered): (.+)$", re.MULTILINE)
_NAME = re.compile(r"`([^`]+)`")


@cache
def sections() -> dict[str, str]:
    """Heading → what stands under it."""
    parts = re.split(r"^## (.+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def named(kind: str) -> Iterator[str]:
    """Every name of a kind on the page."""
    for text in sections().values():
        for found, rest in _ITEM.findall(text):
            if found == kind:
                yield from _NAME.findall(rest)


@cache
def methods() -> frozenset[str]:
    """Service and method of everything in the wire contract."""
    found = set()
    for file in (ROOT / "proto").rglob("*.proto"):
        for service in re.finditer(r"^service (\w+) \{(.*?)^\}", file.read_text("utf-8"), re.M | re.S):
            found |= {f"{service[1]}.{name}" for name in re.findall(r"^  rpc (\w+)\(", service[2], re.M)}
    return frozenset(found)


def test_every_article_has_its_section() -> None:
    """None that asks something of a broker is left out, and each says what it is met by or that it is not."""
    told = {int(number) for heading in sections() for number in _articles(heading)}
    assert told == ARTICLES
    for other in OTHERS:
        assert any(heading.startswith(other) for heading in sections()), other
    for heading, text in sections().items():
        kinds = {kind for kind, _ in _ITEM.findall(text)}
        assert {"RPC", "Test"} <= kinds or "Not covered" in kinds, heading


def _articles(heading: str) -> list[str]:
    found = re.search(r"Articles? ([0-9, and]+)", heading)
    return re.findall("[0-9]+", found[1]) if found else []


@pytest.mark.parametrize("name", sorted(set(named("RPC"))))
def test_method_is_in_the_wire_contract(name: str) -> None:
    """By its service."""
    assert name in methods()


@pytest.mark.parametrize("name", sorted(set(named("Test"))))
def test_test_is_there(name: str) -> None:
    """In the file that is named."""
    file, _, test = name.partition("::")
    assert re.search(rf"^def {test}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", sorted(set(named("Command"))))
def test_command_is_there(name: str) -> None:
    """As it is typed."""
    program, *words = name.split()
    assert program == "sharebroker"
    command = get_command(app)
    for word in words:
        found = command.commands[word]  # type: ignore[attr-defined]
        command = found.load() if isinstance(found, Later) else found


@pytest.mark.parametrize("name", sorted(set(named("Setting"))))
def test_setting_is_there(name: str) -> None:
    """In its section of the settings file."""
    section, _, key = name.partition(".")
    kind = Settings.model_fields[section].annotation
    assert key in kind.model_fields  # type: ignore[union-attr]


def test_pages_are_there() -> None:
    """Every link of the page leads to a page."""
    for target in re.findall(r"\]\(([^)#]+)", PAGE.read_text("utf-8")):
        assert (ROOT / "docs" / target).is_file(), target
