"""``audit verify`` of a log: every leaf, statement, tile and head, from nothing but the auditor's key.

1. The head is verified under the auditor's key; it says how many leaves there must be.
2. Spans of tiles are verified apart, in any number of processes (:mod:`broker.audit.verify.spans`).
3. The tree is built over them, and held against the head and every earlier one
   (:mod:`broker.audit.verify.whole`).
4. What statements have to do with each other is judged (:mod:`broker.audit.verify.ties`).

Memory does not grow with the log.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from broker.audit.verify import worker
from broker.audit.verify.absent import Absent
from broker.audit.verify.checks import RELATIONS
from broker.audit.verify.chunks import Chunk
from broker.audit.verify.evidence import Place
from broker.audit.verify.journal import Journal
from broker.audit.verify.remarks import Nature, Remark
from broker.audit.verify.said import Anchors
from broker.audit.verify.spans import Checked, Span
from broker.audit.verify.whole import Earlier, Whole
from broker.audit.verify.worker import Opened, Task
from broker.children import interrupts_held
from broker.errors import SetUpError
from broker.receipt import merkle
from broker.receipt.note import Checkpoint
from broker.receipt.tiles import TILE_WIDTH
from broker.store.snapshot import Progress, no_progress

SPAN_TILES = 32
"""Tiles of leaves that a process verifies in one go: 8,192 leaves."""
AHEAD = 2
"""Spans under way for each process, so that none waits for the next."""
MOST_REMARKS = 1_000
"""Listed; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Job:
    """A verification as it was asked for."""

    place: Place | None
    """None: an export, which :mod:`broker.audit.verify.exports` reads."""
    anchors: Anchors
    head: Checkpoint
    """Verified under the auditor's key."""
    earlier: Sequence[Earlier] = ()
    workers: int = 1
    """Processes; 1 is this one."""
    journal: Path | None = None
    as_of: int | None = None
    """See :meth:`Whole.conclude`."""


@dataclass(slots=True)
class Report:
    """What came of it."""

    head: Checkpoint
    remarks: list[Remark] = field(default_factory=list)
    """At most :data:`MOST_REMARKS`."""
    counted: Counter[Nature] = field(default_factory=Counter)
    """All of them."""
    root: bytes = b""
    kinds: Counter[str] = field(default_factory=Counter)
    """Statements by kind."""
    absent: int = 0
    """Leaves whose statement is not there."""
    expired: int = 0
    """Those of them that a leaf says were erased because of their age."""
    resumed: int = 0
    """Leaves that an earlier run had verified and that are the same still."""

    def add(self, remark: Remark) -> None:
        """Lists or counts a remark."""
        self.counted[remark.nature] += 1
        if len(self.remarks) < MOST_REMARKS:
            self.remarks.append(remark)

    @property
    def unverified(self) -> int:
        """Remarks for which the evidence must not be relied on."""
        return sum(count for nature, count in self.counted.items() if nature.unverified)


def verify(job: Job, progress: Progress = no_progress) -> Report:
    """Verify the log of ``job``.

    Raises:
        SetUpError: the evidence or the journal cannot be read.
    """
    report, absent = Report(job.head), Absent()
    assert job.place is not None  # noqa: S101 - an export is verified elsewhere
    with ExitStack() as stack:
        reader = stack.enter_context(job.place.opened())
        journal = stack.enter_context(closing(Journal(job.journal, identity(job))))
        whole = stack.enter_context(closing(Whole(job.head, job.earlier, reader)))
        ask = stack.enter_context(asking(job, Opened(reader, statements=job.place.has_statements)))
        for span, checked in in_order(job, spans(job.head.size, job.earlier), journal, ask, report):
            take(report, checked)
            absent.add(checked)
            for remark in whole.add(span, checked):
                report.add(remark)
            progress("leaf", min(span.stop * TILE_WIDTH, job.head.size), job.head.size)
        for remark in (*whole.conclude(job.as_of), *absent.remarks()):
            report.add(remark)
        report.root, report.kinds = whole.root, whole.kinds
        report.absent = whole.facts.absent if job.place.has_statements else 0
        report.expired = absent.expired()
    return report


def spans(size: int, earlier: Sequence[Earlier] = ()) -> Iterator[Span]:
    """The spans of a log of that size."""
    tiles = -(-size // TILE_WIDTH)
    edges = sorted({one.checkpoint.size for one in earlier if one.checkpoint.size % TILE_WIDTH})
    for first in range(0, tiles, SPAN_TILES):
        stop = min(first + SPAN_TILES, tiles)
        within = tuple(edge for edge in edges if edge <= size and first <= edge // TILE_WIDTH < stop)
        yield Span(first, stop, size, within)


Ask = Callable[[Task], Callable[[], Checked | None]]
"""Has a span or chunk verified; gives how to wait for it. None: it is as the journal knows it."""
Work = TypeVar("Work", Span, Chunk)


def in_order(
    job: Job, works: Iterable[Work], journal: Journal, ask: Ask, report: Report
) -> Iterator[tuple[Work, Checked]]:
    """What is found of each span or chunk, a bounded number of them under way."""
    under_way: deque[tuple[Work, Checked | None, Callable[[], Checked | None]]] = deque()

    def next_done() -> tuple[Work, Checked]:
        work, known, wait = under_way.popleft()
        found = wait()
        if found is None and known is not None:
            report.resumed += work.leaves
            return work, known
        assert found is not None  # noqa: S101 - None only answers a task that knows a digest
        journal.record(work.name, found)
        return work, found

    for work in works:
        known = journal.earlier(work.name)
        under_way.append((work, known, ask(Task(work, known.digest if known else b""))))
        if len(under_way) >= AHEAD * job.workers:
            yield next_done()
    while under_way:
        yield next_done()


@contextmanager
def asking(job: Job, opened: Opened | None) -> Iterator[Ask]:
    """Processes to verify, or this one with what it has ``opened``."""
    if job.workers == 1:
        yield lambda task: partial(worker.done, task, opened, job.anchors)
        return
    # Spawned, not forked: a connection to a database is not to be shared.
    pool = ProcessPoolExecutor(job.workers, get_context("spawn"), worker.start, (job.place, job.anchors))

    def ask(task: Task) -> Callable[[], Checked | None]:
        with interrupts_held():
            future = pool.submit(worker.verify, task)
        return lambda: worker.told(future.result())

    try:
        yield ask
    except BrokenProcessPool:
        raise SetUpError(
            "一个工作进程被终止（可能内存不足）；请减少 --workers 后重新运行。",
            "A worker process was ended (out of memory, perhaps); run again with fewer --workers.",
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def take(report: Report, checked: Checked) -> None:
    """Lists and counts what was found of a span or chunk."""
    report.counted += checked.counted
    report.remarks += checked.remarks[: max(0, MOST_REMARKS - len(report.remarks))]


def identity(job: Job) -> dict[str, Any]:
    """What the findings of a span depend on, beside the bytes that it is read from."""
    sizes = sorted({one.checkpoint.size for one in job.earlier})
    told = (
        job.head.text(),
        str(job.anchors),
        job.place and job.place.has_statements,
        sizes,
        sorted(RELATIONS),
    )
    return {"software": _software(), "of": sha256(repr(told).encode()).hexdigest()}


def _software() -> str:
    """SHA-256 of the modules that verify."""
    digest = sha256()
    for folder in (Path(__file__).parent, Path(merkle.__file__).parent):
        for file in sorted(folder.glob("*.py")):
            digest.update(sha256(file.read_bytes()).digest())
    return digest.hexdigest()
