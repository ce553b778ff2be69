"""Pages that are walked again: what is typed there is typed, and what is said must be what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"^( (?: ?\[[^\]\n]*\])?> )(.*)$", re.MULTILINE)


class Officer:
    """Somebody who follows the page, in a folder with a broker running."""

    def __init__(self, folder: Path, columns: int = 100, **environment: str) -> None:
        self.folder = folder
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {
            **os.environ,
            "PATH": path,
            "PYTHONUNBUFFERED": "1",
            "PYTHONUTF8": "1",
            "COLUMNS": str(columns),
            **environment,
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


def unpadded(page: str) -> str:
    """The page without blanks at the ends of lines, which editors take away."""
    return re.sub(" +$", "", page, flags=re.MULTILINE)
