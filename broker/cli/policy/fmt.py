"""``sharebroker policy fmt``: policy files in canonical layout."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from broker.approve.files import Files, read_folder
from broker.approve.problem import Problems
from broker.errors import SetUpError

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="策略文件夹 / folder of policies")]


def fmt(
    folder: Folder,
    check: Annotated[bool, typer.Option(help="只检查，不改写 / only check, change nothing")] = False,
) -> None:
    """整理策略文件的写法：键的次序、缩进、引号；注释保留 / put policy files in canonical layout."""
    changed = _changed(files_in(folder))
    if not check:
        write(folder, changed)
    for file in changed:
        typer.echo(file)
    done = ("应整理", "to be formatted") if check else ("已整理", "formatted")
    typer.echo(f"{done[0]} {len(changed)} 个文件。 / {len(changed)} file(s) {done[1]}.")
    if check and changed:
        raise typer.Exit(1)


def files_in(folder: Path) -> Files:
    """The bundle's files in ``folder``.

    Raises:
        SetUpError: there is no such folder.
        PolicyProblems: some cannot be read, are missing or in the wrong place.
    """
    problems = Problems()
    files = read_folder(folder, problems)
    problems.refuse()
    return {file: content for file, content in files.items() if file.endswith(".yaml")}


def write(folder: Path, changed: Mapping[str, bytes]) -> None:
    """Write the files anew, each whole or not at all; who may read them stays as it was."""
    for file, content in changed.items():
        path = (folder / file).resolve()
        draft = path.with_name(f".{path.name}.new")
        draft.write_bytes(content)
        shutil.copymode(path, draft)
        draft.replace(path)


def _changed(files: Files) -> dict[str, bytes]:
    """File → its canonical text where that is another.

    Raises:
        PolicyProblems: a file is no sound YAML; lint says more, and ``--fix`` may help.
    """
    from broker.approve.document import parse

    problems = Problems()
    for file, content in files.items():
        parse(content, file, problems)
    problems.refuse()
    texts = {file: content.decode("utf-8-sig") for file, content in files.items()}
    laid_out = {file: _laid_out(file, text).encode() for file, text in texts.items()}
    return {file: content for file, content in laid_out.items() if content != files[file]}


def _laid_out(file: str, text: str) -> str:
    from broker.authoring.layout import LayoutError, formatted

    try:
        return formatted(text)
    except LayoutError:
        raise SetUpError(
            f"{file} 的写法无法整理而不改变内容或注释，一个文件也没有改；请简化其中跨行的写法。",
            f"{file} cannot be laid out without changing what it says, so no file was changed; "
            "simplify what spans several lines.",
        ) from None
