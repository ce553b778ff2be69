"""docs/policy-walk.md, walked again: what is typed there is typed, and what is said must be what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies

PAGE = Path(__file__).parents[2] / "docs" / "policy-walk.md"
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"^( (?: ?\[[^\]\n]*\])?> )(.*)$", re.MULTILINE)
_VARYING = re.compile(
    r"[0-9a-f]{64}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z|\[20[0-9-]{8}\]"  # hashes, instants, today
    r"|^(错误|警告|提示) [0-9].*$|^[0-9]+ 个用例.*$|^规则与条件覆盖.*$",  # counts of all that the city holds
    re.MULTILINE,
)


class Officer:
    """Somebody who follows the page, in a folder with a broker running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {
            **os.environ,
            "PATH": path,
            "PYTHONUNBUFFERED": "1",
            "PYTHONUTF8": "1",
            "COLUMNS": "100",
        }

    def follow(self, language: str, file: str, content: str) -> str:
        """Do what a block says; gives the block as it should have been."""
        if language == "console":
            return "".join(self._run(command) for command in re.split(r"^(?=\$ )", content, flags=re.M)[1:])
        if language == "diff":
            self._edit(file, content)
        else:
            (self.folder / file).write_text(content, "utf-8")
        return content

    def _run(self, shown: str) -> str:
        command, _, rest = shown.removeprefix("$ ").partition("\n")
        answers = iter(answer for _, answer in _PROMPT.findall(rest))
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.folder,
            env=self.environment,
            input="".join(f"{answer}\n" for _, answer in _PROMPT.findall(rest)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = re.sub(
            r"^( (?: ?\[[^\]\n]*\])?> )",
            lambda prompt: f"{prompt[1]}{next(answers, '')}\n",
            done.stdout,
            flags=re.M,
        )
        code = f"[退出码 exit code {done.returncode}]\n" if done.returncode else ""
        return f"$ {command}\n{said}{code}"

    def _edit(self, file: str, changes: str) -> None:
        path = self.folder / file
        text = path.read_text("utf-8")
        old, new = changes.splitlines()
        assert f"{old[1:]}\n" in text
        path.write_text(text.replace(f"{old[1:]}\n", f"{new[1:]}\n"), "utf-8")


def walked(officer: Officer, page: str) -> str:
    """The page as it comes out when it is followed."""
    return _BLOCK.sub(
        lambda block: (
            f"```{' '.join(filter(None, block.groups()[:2]))}\n{officer.follow(*block.groups())}```"
        ),
        page,
    )


@pytest.fixture
def officer(tmp_path):
    """In ``var/demo`` as the page finds it."""
    folder = tmp_path / "demo"
    shutil.copytree(shipped_policies(), folder / "policies")
    departments = ("civil_affairs", "housing_fund", "data_authority")
    with broker_process(prepare(folder, 300, 7, folder / "policies", departments)):
        yield Officer(folder)


def test_the_walk_is_as_recorded(officer):
    """Every command says what the page says it does, but for what varies."""
    page = PAGE.read_text("utf-8")
    assert lasting(walked(officer, page)) == lasting(page)


def lasting(page: str) -> str:
    """The page without what varies, and without blanks at the ends of lines, which editors take away."""
    return _VARYING.sub("…", re.sub(" +$", "", page, flags=re.MULTILINE))
