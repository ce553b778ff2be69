"""docs/your-own-table.md, followed to the letter: every file it shows is saved, every command is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "your-own-table.md"
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SERVE = "sharebroker serve"


class Reader:
    """Somebody who follows the page, in a terminal of their own."""

    def __init__(self, folder: Path, serving: Serving) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        self._serving = serving

    def save(self, file: str, content: str) -> None:
        (self.folder / file).write_text(content, "utf-8")

    def edit(self, file: str, changes: str) -> None:
        """Replace each line marked ``-`` by the one marked ``+`` that follows."""
        path = self.folder / file
        text = path.read_text("utf-8")
        lines = changes.splitlines()
        for old, new in zip(lines[::2], lines[1::2], strict=True):
            assert (old[0], new[0]) == ("-", "+")
            assert f"{old[1:]}\n" in text, f"the draft has no line {old[1:]}"
            text = text.replace(f"{old[1:]}\n", f"{new[1:]}\n")
        path.write_text(text, "utf-8")

    def run(self, command: str, shown: list[str]) -> None:
        if command.startswith("export PATH="):
            return  # done: the page says it of its own .venv
        if command.startswith("cd "):
            self.folder /= command.removeprefix("cd ")
        elif command == SERVE:
            self._serving.start(self)
        else:
            done = subprocess.run(
                ["bash", "-c", command], cwd=self.folder, env=self.environment, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            for line in shown:
                assert line in done.stdout.splitlines()


class Serving:
    """The broker that the page starts and leaves running."""

    process: subprocess.Popen[bytes] | None = None

    def start(self, reader: Reader) -> None:
        with (reader.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                SERVE.split(), cwd=reader.folder, env=reader.environment, stderr=log
            )
        end = time.monotonic() + 300
        port_file = reader.folder / "broker.port"
        while not (port_file.exists() and port_file.read_text().strip()):
            assert self.process.poll() is None, (reader.folder / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)


@contextmanager
def serving() -> Iterator[Serving]:
    broker = Serving()
    yield broker
    if broker.process is not None:
        broker.process.terminate()
        broker.process.wait(300)


def commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block, with the output that is shown below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def test_the_page_works(tmp_path: Path) -> None:
    """From an untidy table to a verified receipt, by nothing but what the page says."""
    with serving() as broker:
        reader = Reader(tmp_path, broker)
        for language, file, content in _BLOCK.findall(PAGE.read_text("utf-8")):
            if language == "console":
                for command, shown in commands(content):
                    reader.run(command, shown)
            elif language == "diff":
                reader.edit(file, content)
            elif file:
                reader.save(file, content)
        assert (reader.folder / "receipt.json").is_file()
        assert reader.folder.name == "mycity"


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_page_is_linked(readme: str) -> None:
    """Who reads the README finds it."""
    assert "docs/your-own-table.md" in (ROOT / readme).read_text("utf-8")
