"""What it takes to compare two bundles, and to work out the whole matrix of one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from benchmarks.policies import files
from benchmarks.report import show
from broker.approve.bundle import Bundle, bundle_of, compile_bundle
from broker.authoring.diff import diff
from broker.authoring.difference_text import text
from broker.authoring.matrix import matrix

T = TypeVar("T")
RULES = 20_000
CHANGED = (0.0, 0.001, 0.01, 0.1, 1.0)


def run() -> None:
    """Print seconds, by how much of the rules a change touches."""
    contents = files(RULES)
    old, read_again = (bundle_of(contents, lambda *_: None) for _ in range(2))
    rows = []
    for share in CHANGED:
        new = _changed(read_again, share) if share else read_again
        took, difference = _timed(lambda n=new: diff(old, n))  # type: ignore[misc]
        told, _ = _timed(lambda d=difference: text(d))  # type: ignore[misc]
        rows.append((f"{share:.1%}", f"{took:.2f}", f"{told:.2f}", f"{len(difference.entries):,}"))
    show(
        f"Two bundles of {RULES:,} rules compared, s",
        ("rules changed", "diff", "told as text", "entries"),
        rows,
        "a larger limit in each rule changed; processor time of the thread",
    )
    took, rectangles = _timed(lambda: sum(1 for _ in matrix(old)))
    show(
        f"The matrix of {RULES:,} rules, s",
        ("all of it", "rectangles"),
        [(f"{took:.2f}", f"{rectangles:,}")],
    )


def _changed(bundle: Bundle, share: float) -> Bundle:
    draw = random.Random(1)
    rules = [
        replace(rule, limits=replace(rule.limits, rows_per_call=20))
        if rule.limits.rows_per_call and draw.random() < share
        else rule
        for rule in bundle.rules
    ]
    return compile_bundle(bundle.catalog, rules, "0" * 64)


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.thread_time()
    done = work()
    return time.thread_time() - began, done
