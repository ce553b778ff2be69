"""Which limits run for an application: pure, from the record and the bundle in force."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from broker.approve.bundle import Bundle
from broker.model import FiledApplication, Stage


def stages(filed: FiledApplication, bundle: Bundle) -> tuple[Stage, ...]:
    """The stages of its review, in order."""
    return (Stage.ANSWER,)


def wound(filed: FiledApplication, bundle: Bundle, now: datetime) -> FiledApplication:
    """The application, which an act has just brought where it is, with the limits that run from here on."""
    return replace(filed, due_at=None, remind_at=None)


def reminded(filed: FiledApplication, bundle: Bundle, now: datetime) -> FiledApplication:
    """The application, of whose limit somebody was just reminded, with the time of the next reminder."""
    return replace(filed, remind_at=None)
