"""A small bundle of files, and what the loader needs to read it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.approve.bundle import Bundle, load_bundle
from broker.model import Field, Mask
from broker.reasons import Sentence

BASE = Path(__file__).parent / "base"


def check_mask(field: Field, mask: Mask, _subjects: object = ()) -> Sentence | None:
    """Knows three operators, of which ``year`` needs a date."""
    if mask.operator not in ("redact", "partial", "year"):
        return Sentence("没有这种脱敏方式", "no such operator")
    if mask.operator == "year" and field.type not in ("date", "timestamp"):
        return Sentence("只用于日期", "dates only")
    return None


Edit = Callable[[str, str, str], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound policy folder of its own."""
    return Path(shutil.copytree(BASE, tmp_path / "policies"))


@pytest.fixture
def load() -> Callable[[Path], Bundle]:
    return lambda folder: load_bundle(folder, check_mask)


@pytest.fixture
def edit(folder: Path) -> Edit:
    """Replaces one text in one file of the folder, and gives the folder."""

    def replace(file: str, old: str, new: str) -> Path:
        path = folder / file
        content = path.read_text("utf-8")
        assert old in content
        path.write_text(content.replace(old, new, 1), "utf-8")
        return folder

    return replace
