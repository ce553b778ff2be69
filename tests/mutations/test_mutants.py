"""The list of mutants fits the program as it is; ``make mutants`` applies them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
from mutants import ALL, Mutant  # noqa: E402

sys.path.remove(str(HERE))


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_each_can_be_made_and_has_its_test(mutant: Mutant) -> None:
    """The guard stands in the program exactly once, and the test that is to miss it exists."""
    assert (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.before) == 1
    file, _, name = mutant.test.partition("::")
    assert re.search(
        rf"^def {name.partition('[')[0]}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE
    )


def test_each_is_told_of() -> None:
    """The page on traps names every one, and no other."""
    page = (ROOT / "docs" / "masking-traps.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| .*? \| `[^`]+` \| `([^`]+)` \|$", page, re.MULTILINE)
    assert sorted(told) == sorted(mutant.test.removeprefix("tests/") for mutant in ALL)
