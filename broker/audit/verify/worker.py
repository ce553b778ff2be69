"""What a process of the pool does: it opens the evidence for itself, and verifies one part at a time."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from broker.audit.verify.chunks import Chunk, check_chunk
from broker.audit.verify.evidence import Place, Reader
from broker.audit.verify.said import Anchors
from broker.audit.verify.spans import Checked, Span, check_span, digest_of
from broker.children import serve_parent
from broker.errors import SetUpError
from broker.reasons import Sentence


@dataclass(frozen=True, slots=True)
class Task:
    """A part to verify, unless what there is to read of it has ``digest``."""

    work: Span | Chunk
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Opened:
    """Evidence that is open."""

    reader: Reader
    statements: bool
    """Whether statements are part of it."""


_open = ExitStack()
_opened: Opened | None
_anchors: Anchors
"""Of this process."""


def start(place: Place | None, anchors: Anchors) -> None:
    """Make a process ready to :func:`verify`; without ``place``, lines of an export."""
    global _opened, _anchors
    serve_parent()
    _anchors, _opened = anchors, None
    if place is not None:
        _opened = Opened(_open.enter_context(place.opened()), place.has_statements)


def verify(task: Task) -> Checked | Sentence | None:
    """:func:`done` in this process; what it raises is given back, for it need not survive the way."""
    try:
        return done(task, _opened, _anchors)
    except SetUpError as error:
        return Sentence(error.zh, error.en)


def told(answer: Checked | Sentence | None) -> Checked | None:
    """What :func:`verify` found.

    Raises:
        SetUpError: the evidence could not be read.
    """
    if isinstance(answer, Sentence):
        raise SetUpError(answer.zh, answer.en)
    return answer


def done(task: Task, opened: Opened | None, anchors: Anchors) -> Checked | None:
    """What is found of a part; None when all that there is to read of it is as the task knows it."""
    work = task.work
    if isinstance(work, Chunk):
        return None if task.digest and work.digest() == task.digest else check_chunk(work, anchors)
    assert opened is not None  # noqa: S101 - spans are of evidence that was opened
    if task.digest and digest_of(work, opened.reader) == task.digest:
        return None
    return check_span(work, opened.reader, anchors, statements=opened.statements)
