"""``sharebroker mask run``: files masked by a pool of processes, published whole with a signed manifest.

1. Every input file is looked through once: its digest, and the parts that it is cut into.
2. The work is begun, or taken up where a run of the very same was killed (:mod:`broker.bulk.journal`).
3. The pool masks part after part, a bounded number ahead of what is being written.
4. The rows of each file are put together in their order; with a gate, only after all have been counted.
5. The manifest is signed, and the output appears by one rename.

Steps 4 and 5 are the same whoever has masked: see :func:`finish` and :mod:`broker.bulk.spark`.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol, TypeVar

import orjson
import pyarrow as pa

from broker.bulk import journal, worker
from broker.bulk.gate import Counted, Figures, Refused
from broker.bulk.grammar import BadValues
from broker.bulk.inputs import InputFile, Surveyed
from broker.bulk.journal import Work
from broker.bulk.manifest import Manifest, Result, Signer, manifest_of, write_manifest
from broker.bulk.outputs import GROUP_ROWS, Form, Written, write_rows
from broker.bulk.parts import read_part
from broker.bulk.plan import BulkPlan
from broker.bulk.recipe import Masker, Recipe
from broker.bulk.worker import Masked, Task
from broker.children import interrupts_held
from broker.errors import SetUpError
from broker.reasons import Sentence

T = TypeVar("T")

AHEAD = 2
"""Parts under way for each process, so that none waits for the next; it bounds memory and disk."""


@dataclass(frozen=True, slots=True)
class Job:
    """A run as it was asked for."""

    plan: BulkPlan
    recipe: Recipe
    inputs: tuple[InputFile, ...]
    out: Path
    signer: Signer
    form: Form = Form.PARQUET
    workers: int = 1
    """Processes."""


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


class Progress(Protocol):
    """Who is told how far a run is."""

    def looked(self, parts: int) -> None:
        """All files are looked through; there are so many parts."""
        ...

    def masked(self, rows: int) -> None:
        """One part more is masked."""
        ...


class MaskedFiles(Protocol):
    """Masked rows, file by file."""

    def rows(self, number: int) -> Iterator[pa.RecordBatch]:
        """The rows of file ``number`` in their order; may be asked for more than once."""
        ...

    def bad(self, number: int) -> Mapping[str, int]:
        """Field → values that were not of its type or format, once the rows have been read."""
        ...

    def forget(self, number: int) -> None:
        """The rows are not needed any more."""
        ...


def run(job: Job, progress: Progress) -> Manifest:
    """Mask the files of ``job``.

    Raises:
        SetUpError: something must be put right first; what is finished stays and is taken up again.
        Refused: the plan does not allow these data to go out; nothing is left.
    """
    job.signer.identity(job.plan.provider)
    schema = Masker(job.recipe).schema
    with journal.locked(job.out) as folder, _pool(job) as pool:
        with interrupts_held():
            looked = pool.map(worker.look, job.inputs)
        surveyed = [_told(one) for one in looked]
        progress.looked(sum(len(one.parts) for one in surveyed))
        with journal.opened(folder, identity(job, surveyed)) as work:
            return finish(job, work, surveyed, schema, _Pooled(job, surveyed, pool, work, progress))


def finish(
    job: Job, work: Work, surveyed: Sequence[Surveyed], schema: pa.Schema, masked: MaskedFiles
) -> Manifest:
    """Put masked rows together, sign what was done and publish it; raises as :func:`run`."""
    try:
        counted = _counted(job, masked)
        figures = counted.figures() if counted else None
        results = []
        for number, (file, one) in enumerate(zip(job.inputs, surveyed, strict=True)):
            results.append(_output(job, work, schema, masked, counted, Place(number, file, one)))
        return _publish(job, work, results, figures)
    except Refused:
        journal.discard(work)
        raise


def identity(job: Job, surveyed: Sequence[Surveyed]) -> str:
    """SHA-256 of all that the output depends on; work is only ever taken up for the same."""
    keys = [one.keys.derive("bulk/identity", 16).hex() if one.keys else "" for one in job.recipe.columns]
    inputs = [(file.name, one.sha256) for file, one in zip(job.inputs, surveyed, strict=True)]
    told = [job.plan.digest, job.plan.file_sha256, job.recipe.masks, keys, inputs, job.form]
    return hashlib.sha256(
        orjson.dumps([told, pa.__version__, GROUP_ROWS], option=orjson.OPT_SORT_KEYS)
    ).hexdigest()


# ── putting together ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Place:
    """A file of the run."""

    number: int
    file: InputFile
    surveyed: Surveyed


def _counted(job: Job, masked: MaskedFiles) -> Counted | None:
    """The classes of all rows, where the plan has a gate."""
    if job.plan.gate is None:
        return None
    counted = Counted(job.plan.gate)
    for number in range(len(job.inputs)):
        for batch in masked.rows(number):
            counted.add(batch)
    return counted


def _output(
    job: Job, work: Work, schema: pa.Schema, masked: MaskedFiles, counted: Counted | None, at: Place
) -> Result:
    name = f"{at.file.name.rpartition('.')[0]}.{job.form}"
    path, key = work.out / name, f"out {name}"
    if (told := work.finished(key, path)) is not None:
        written = Written(told["rows"], path.stat().st_size, told["sha256"])
        return Result(at.file, at.surveyed, name, written, told["bad"])
    rows = masked.rows(at.number)
    written = write_rows(path, job.form, schema, counted.passed(rows) if counted else rows)
    bad = masked.bad(at.number)
    refuse_bad(job.plan, at.file, bad)
    work.record(key, {"sha256": written.sha256, "rows": written.rows, "bad": bad})
    masked.forget(at.number)
    return Result(at.file, at.surveyed, name, written, bad)


def _publish(job: Job, work: Work, results: Sequence[Result], figures: Figures | None) -> Manifest:
    signer = job.signer.identity(job.plan.provider)
    manifest = manifest_of(job.plan, job.recipe, results, figures, signer, datetime.now(UTC))
    write_manifest(work.out, manifest, job.signer)
    journal.publish(work, job.out)
    return manifest


def refuse_bad(plan: BulkPlan, file: InputFile, bad: Mapping[str, int]) -> None:
    """
    Raises:
        Refused: values are not of their type or format, and the plan says refuse.
    """
    if bad and plan.bad_values is BadValues.REFUSE:
        said = ", ".join(f"{name} {count:,}" for name, count in sorted(bad.items()))
        raise Refused(
            f"文件 {file.name} 有不合类型或格式的值（{said}），按计划不予输出。",
            f"{file.name} has values that are not of their type or format ({said}); the plan says refuse.",
        )


# ── the pool ─────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _pool(job: Job) -> Iterator[ProcessPoolExecutor]:
    # Spawned, not forked: a copy of this process would have the keyring in its memory.
    pool = ProcessPoolExecutor(job.workers, get_context("spawn"), worker.start, (job.recipe,))
    try:
        yield pool
    except BrokenProcessPool:
        raise SetUpError(
            "一个工作进程被终止（可能内存不足）；请减少 --workers 后重新运行，会接着做。",
            "A worker process was ended (out of memory, perhaps); run again with fewer --workers, what is "
            "finished stays.",
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


class _Pooled:
    """The parts of all files, masked by the pool a bounded number ahead."""

    def __init__(
        self,
        job: Job,
        surveyed: Sequence[Surveyed],
        pool: ProcessPoolExecutor,
        work: Work,
        progress: Progress,
    ) -> None:
        self._job, self._pool, self._work, self._progress = job, pool, work, progress
        self._tasks: list[Task] = []
        self._ranges: list[range] = []
        for file, one in zip(job.inputs, surveyed, strict=True):
            first = len(self._tasks)
            self._tasks += [Task(file, one, part, work.part(first + n)) for n, part in enumerate(one.parts)]
            self._ranges.append(range(first, len(self._tasks)))
        self._begun: dict[int, Callable[[], Masked]] = {}
        self._masked: dict[int, Masked] = {}

    def rows(self, number: int) -> Iterator[pa.RecordBatch]:
        for part in self._ranges[number]:
            self._finish(part)
            yield from read_part(self._work.part(part))

    def bad(self, number: int) -> Mapping[str, int]:
        total: Counter[str] = Counter()
        for part in self._ranges[number]:
            total.update(self._masked[part].bad)
        return dict(total)

    def forget(self, number: int) -> None:
        for part in self._ranges[number]:
            self._work.part(part).unlink(missing_ok=True)

    def _finish(self, part: int) -> None:
        """Wait until ``part`` is masked."""
        if part in self._masked:
            return
        for following in range(part, min(len(self._tasks), part + AHEAD * self._job.workers)):
            if following not in self._begun:
                self._begun[following] = self._begin(following)
        done = self._begun.pop(part)()
        refuse_bad(self._job.plan, self._tasks[part].file, done.bad)
        self._masked[part] = done
        self._progress.masked(done.rows)

    def _begin(self, part: int) -> Callable[[], Masked]:
        """Have ``part`` masked, unless an earlier run has; gives how to wait for it."""
        key, target = f"part {part}", self._work.part(part)
        if (told := self._work.finished(key, target)) is not None:
            earlier = Masked(told["sha256"], told["rows"], told["bad"])
            return lambda: earlier
        with interrupts_held():
            future = self._pool.submit(worker.mask, self._tasks[part])
        return lambda: self._recorded(key, future)

    def _recorded(self, key: str, future: Future[Masked | Sentence]) -> Masked:
        done = _told(future.result())
        self._work.record(key, {"sha256": done.sha256, "rows": done.rows, "bad": done.bad})
        return done


def _told(answer: T | Sentence) -> T:
    if isinstance(answer, Sentence):
        raise SetUpError(answer.zh, answer.en)
    return answer
