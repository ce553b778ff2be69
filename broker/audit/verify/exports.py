"""``audit verify`` of an export: every line by its proof, and what the lines have to do with each other.

Nothing shows that no line is missing, but lines that point to others: what an export lacks is counted, and
what it might tell is not held against anybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import islice

from broker.audit.form import Export, Line
from broker.audit.verify.absent import Absent
from broker.audit.verify.checks import RELATIONS
from broker.audit.verify.chunks import Chunk
from broker.audit.verify.journal import Journal
from broker.audit.verify.packing import Waiting
from broker.audit.verify.remarks import Nature, Remark
from broker.audit.verify.run import Job, Report, asking, identity, in_order, take
from broker.audit.verify.spans import Checked
from broker.audit.verify.whole import Facts
from broker.errors import VerificationFailed
from broker.receipt.finding import Finding
from broker.receipt.leaves import ORDER_TOLERANCE, out_of_order
from broker.store.snapshot import Progress, no_progress

CHUNK_LINES = 2_048


def verify_export(job: Job, export: Export, progress: Progress = no_progress) -> Report:
    """Verify an export whose header's head is that of ``job``.

    Raises:
        SetUpError: the journal cannot be used.
    """
    report, absent = Report(job.head, root=job.head.root), Absent()
    lines = _Lines(export, job)
    with ExitStack() as stack:
        journal = stack.enter_context(closing(Journal(job.journal, identity(job))))
        waiting = stack.enter_context(closing(Waiting()))
        ask = stack.enter_context(asking(job, None))
        done = 0
        for _, checked in in_order(job, lines.chunks(), journal, ask, report):
            take(report, checked)
            absent.add(checked)
            report.kinds += checked.kinds
            waiting.add(checked.ends)
            for remark in lines.dated(checked):
                report.add(remark)
            done = min(done + CHUNK_LINES, export.header.count)
            progress("line", done, export.header.count)
        if lines.broken is not None:
            report.add(lines.broken)
        facts = lines.facts(job.as_of)
        report.absent, report.expired = facts.absent, absent.expired()
        for ends in waiting.groups():
            for remark in RELATIONS[ends[0].relation].judge(ends, facts):
                report.add(remark)
    return report


class _Lines:
    """The lines as they are read, newest first; what is between them is not there."""

    def __init__(self, export: Export, job: Job) -> None:
        self._export = export
        self._job = job
        self._before = job.head.size
        self._runs: list[tuple[int, int]] = []
        self._oldest = (0, 0)
        self._newest = 0
        self.broken: Remark | None = None
        """Where reading ended before the last line."""

    def chunks(self) -> Iterator[Chunk]:
        """The lines, some at a time."""
        lines, number = self._whole(), 0
        while chunk := tuple(islice(lines, CHUNK_LINES)):
            yield Chunk(number, chunk, self._job.head)
            number += 1

    def dated(self, checked: Checked) -> Iterator[Remark]:
        """What is out of order between a chunk and the newer ones before it."""
        time, leaf = self._oldest
        if time and checked.newest > time + ORDER_TOLERANCE:
            yield Remark(Nature.CONTRADICTORY, out_of_order(leaf))
        if checked.oldest[0]:
            self._oldest = min(self._oldest, checked.oldest) if time else checked.oldest
        self._newest = max(self._newest, checked.newest)

    def facts(self, as_of: int | None) -> Facts:
        """What is known of the whole, once all lines were read."""
        self._lack(0)
        facts = Facts(self._newest if as_of is None else as_of)
        for first, stop in reversed(self._runs):
            facts.without(first, stop)
        if self._runs:
            facts.last_erased[""] = self._runs[0][1] - 1
        return facts

    def _whole(self) -> Iterator[Line]:
        try:
            for line in self._export.lines:
                self._lack(line.leaf_index + bool(line.statement))
                self._before = line.leaf_index
                yield line
        except VerificationFailed as error:
            zh, _, en = str(error).partition(" / ")
            self.broken = Remark(Nature.FORGED, Finding("export", "", "", zh, en or zh))

    def _lack(self, stop: int) -> None:
        """Leaves from ``stop`` to the line before have no statement here."""
        if stop < self._before:
            self._runs.append((stop, self._before))
