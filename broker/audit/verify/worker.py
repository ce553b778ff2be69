"""What a process of the pool does: it opens the evidence for itself, and verifies one span at a time."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from broker.audit.verify.evidence import Place, Reader
from broker.audit.verify.said import Anchors
from broker.audit.verify.spans import Checked, Span, check_span, digest_of
from broker.children import serve_parent
from broker.errors import SetUpError
from broker.reasons import Sentence


@dataclass(frozen=True, slots=True)
class Task:
    """A span to verify, unless what is there to read has ``digest``."""

    span: Span
    digest: bytes = b""


_open = ExitStack()
_reader: Reader
_anchors: Anchors
_statements: bool
"""Of this process."""


def start(place: Place, anchors: Anchors) -> None:
    """Make a process ready to :func:`verify`."""
    global _reader, _anchors, _statements
    serve_parent()
    _reader = _open.enter_context(place.opened())
    _anchors, _statements = anchors, place.has_statements


def verify(task: Task) -> Checked | Sentence | None:
    """:func:`done` in this process; what it raises is given back, for it need not survive the way."""
    try:
        return done(task, _reader, _anchors, _statements)
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


def done(task: Task, reader: Reader, anchors: Anchors, statements: bool) -> Checked | None:
    """What is found of a span; None when all that there is to read is as the task knows it."""
    if task.digest and digest_of(task.span, reader) == task.digest:
        return None
    return check_span(task.span, reader, anchors, statements=statements)
