"""What a process of the pool does: it masks one part at a time into a file of its own.

It holds the keys of the plan's fields and never the keyring. What goes wrong is given back as two sentences,
for an exception may quote a value, and need not survive the way back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from broker.bulk.inputs import InputFile, Part, Surveyed, batches, survey
from broker.bulk.parts import write_part
from broker.bulk.recipe import Masker, Recipe
from broker.children import serve_parent
from broker.errors import BrokerError, SetUpError
from broker.reasons import Sentence


@dataclass(frozen=True, slots=True)
class Task:
    """One part to mask, and where to."""

    file: InputFile
    surveyed: Surveyed
    part: Part
    target: Path


@dataclass(frozen=True, slots=True)
class Masked:
    """A part that is masked and on disk."""

    sha256: str
    rows: int
    bad: dict[str, int]
    """Field → how many values were not of its type or format."""


_masker: Masker
"""Of this process."""


def start(recipe: Recipe) -> None:
    """Make a process ready to :func:`mask`."""
    global _masker
    serve_parent()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    _masker = Masker(recipe)


def look(file: InputFile) -> Surveyed | Sentence:
    """The survey of a file."""
    try:
        return survey(file, _masker.columns)
    except Exception as error:  # noqa: BLE001 - see the module
        return _said(error, file)


def mask(task: Task) -> Masked | Sentence:
    """Mask one part."""
    try:
        tally = _Tally()
        sha256 = write_part(task.target, _masker.schema, _masked(task, tally))
        task.file.check_unchanged()
        return Masked(sha256, tally.rows, dict(tally.bad))
    except Exception as error:  # noqa: BLE001 - see the module
        return _said(error, task.file)


@dataclass(slots=True)
class _Tally:
    rows: int = 0
    bad: Counter[str] = field(default_factory=Counter)


def _masked(task: Task, tally: _Tally) -> Iterator[pa.RecordBatch]:
    for batch in batches(task.file, task.part, _masker.columns, task.surveyed):
        result, bad = _masker.mask(batch)
        tally.rows += result.num_rows
        tally.bad.update(bad)
        yield result


def _said(error: Exception, file: InputFile) -> Sentence:
    if isinstance(error, SetUpError):
        return Sentence(error.zh, error.en)
    if isinstance(error, BrokerError):
        return Sentence(
            f"处理文件 {file.name} 时：{error.sentence.zh}", f"While masking {file.name}: {error.sentence.en}"
        )
    if isinstance(error, OSError):
        return Sentence(
            f"处理文件 {file.name} 时无法读写：{error.strerror}。处理好后重新运行，会接着做。",
            f"While masking {file.name} a file could not be read or written: {error.strerror}. Put it "
            "right and run again; what is finished stays.",
        )
    return Sentence(
        f"处理文件 {file.name} 时出错（{type(error).__name__}）。",
        f"Masking {file.name} failed ({type(error).__name__}).",
    )
