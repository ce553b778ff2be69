"""docs/policy-toolkit.md on cases and explanations: its example is run, its keys are all there are."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.authoring import grammar
from broker.cli.main import app

ROOT = Path(__file__).parents[2]


def section(name):
    """The text under a heading that begins with ``name``."""
    page = (ROOT / "docs/policy-toolkit.md").read_text("utf-8")
    return next(part for part in re.split(r"^## ", page, flags=re.M) if part.startswith(f"{name}："))


def blocks(name, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", section(name), re.M | re.S)


def test_example_passes_in_the_sample_city(tmp_path):
    """The case file on the page, copied out, passes."""
    (example,) = blocks("test", "yaml")
    (tmp_path / "example.yaml").write_text(example, "utf-8")
    result = CliRunner().invoke(
        app, ["policy", "test", str(ROOT / "policies"), str(tmp_path / "example.yaml")]
    )
    assert result.exit_code == 0, result.output
    assert "3 个符合" in result.output


@pytest.mark.parametrize("keys", ["APPLICATION", "CASE", "CASES", "EXPECT"])
def test_every_key_is_explained(keys):
    """What the reader takes stands on the page."""
    text = section("test")
    assert {name for name in getattr(grammar, keys).shapes if not re.search(rf"\b{name}\b", text)} == set()


def test_commands_run(monkeypatch):
    """The explanations that need no file of one's own, as written."""
    monkeypatch.chdir(ROOT)
    (commands,) = blocks("explain", "")
    run = [line for line in commands.splitlines() if "--department" in line or "--case" in line]
    assert len(run) == 2
    for line in run:
        words = shlex.split(line.partition("#  ")[0])[1:]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        assert "共享：" in result.output
