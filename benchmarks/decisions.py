"""Policy decisions beside general policy engines: the same rules, the same applications, one run.

Time of the thread's own processor, which other processes disturb less.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from benchmarks.peers import Casbin, Cedar, Peer, Rego
from benchmarks.policies import applications, files, fresh
from benchmarks.report import show
from broker.approve.bundle import Bundle, bundle_of, compile_bundle, uncollected
from broker.approve.evaluate import evaluate
from broker.approve.files import Files
from broker.approve.near import explain
from broker.authoring.lint import lint_bundle
from broker.model import Application, Verdict

T = TypeVar("T")
SIZES = (100, 2_000, 20_000)
ASKED = 2_000
ROUNDS = 20
PEER_SECONDS = 2.0
"""So long a peer is measured, at most over all that is asked."""


def run() -> None:
    """Print microseconds a decision at several sizes, and what it takes to have so many rules."""
    ours, beside, ready = [], [], []
    for size in SIZES:
        contents = files(size)
        loading, bundle = _timed(lambda c=contents: bundle_of(c, lambda *_: None))  # type: ignore[misc]
        compiling, _ = _timed(lambda b=bundle: _compiled(b))  # type: ignore[misc]
        asked, now = applications(bundle, ASKED), datetime.now(UTC)
        linting, _ = _timed(lambda b=bundle, c=contents, n=now: _linted(b, c, n))  # type: ignore[misc]
        _kept(bundle)
        figures = [on(call, bundle, asked, now) for call in (evaluate, explain) for on in (_warm, _first)]
        peers = [_beside(make, bundle, asked, now, figures[0]) for make in (Cedar, Casbin, Rego)]
        gc.unfreeze()
        rules = f"{size:,}"
        ours.append((rules, *[f"{figure:.1f}" for figure in figures], _permitted(bundle, asked, now)))
        beside.append((rules, f"{figures[0]:.1f}", *[figures for figures, _ in peers]))
        ready.append(
            (
                rules,
                f"{loading:.1f}",
                f"{linting:.2f}",
                f"{compiling:.2f}",
                *[f"{took:.2f}" for _, took in peers],
            )
        )
    show(
        "Policy decisions, µs",
        ("rules", "decision", "first of its shape", "explained", "first explained", "permitted"),
        ours,
        f"{ASKED:,} applications in turn, nearly as many shapes, in strings of their own;\n"
        f"best of {ROUNDS} rounds. First: the bundle has met none of these shapes",
    )
    show(
        "Policy decisions beside general engines, µs and × ours",
        ("rules", "ours", "cedarpy", "pycasbin", "regopy"),
        beside,
        "every decision of a peer agreed with ours; ours also tells masks, limits, quotas and papers",
    )
    show(
        "Rules made ready, s",
        ("rules", "read and compiled", "linted", "compiled alone", "cedarpy", "pycasbin", "regopy"),
        ready,
        "ours from YAML with every check; the peers from values",
    )


def _linted(bundle: Bundle, contents: Files, now: datetime) -> int:
    with uncollected():
        return len(lint_bundle(bundle, now, contents))


def _permitted(bundle: Bundle, asked: Sequence[Application], now: datetime) -> str:
    permits = [evaluate(one, None, bundle, now).verdict is Verdict.PERMIT for one in asked]
    return f"{sum(permits) / len(permits):.0%}"


Decide = Callable[[Application, None, Bundle, datetime], object]


def _warm(decide: Decide, bundle: Bundle, asked: Sequence[Application], now: datetime) -> float:
    """Microseconds a decision when the bundle has met every shape."""
    best = float("inf")
    for _ in range(ROUNDS):
        best = min(best, _pass(decide, bundle, asked, now))
    return best


def _first(decide: Decide, bundle: Bundle, asked: Sequence[Application], now: datetime) -> float:
    """Microseconds a decision when the bundle has met none of them."""
    return min(_pass(decide, _kept(_compiled(bundle)), asked, now) for _ in range(5))


def _kept(bundle: Bundle) -> Bundle:
    """Out of garbage collection, as a worker has what it keeps for good."""
    gc.collect()
    gc.freeze()
    return bundle


def _compiled(bundle: Bundle) -> Bundle:
    return compile_bundle(bundle.catalog, bundle.rules, bundle.hash)


def _pass(decide: Decide, bundle: Bundle, asked: Sequence[Application], now: datetime) -> float:
    coming = [fresh(one) for one in asked]
    began = time.thread_time()
    for one in coming:
        decide(one, None, bundle, now)
    return (time.thread_time() - began) / len(asked) * 1e6


def _beside(
    make: type[Cedar] | type[Casbin] | type[Rego],
    bundle: Bundle,
    asked: Sequence[Application],
    now: datetime,
    ours: float,
) -> tuple[str, float]:
    """A peer's microseconds and how many times ours that is; and seconds until it was ready."""
    taken, peer = _timed(lambda: make(bundle.rules))
    micros = _peer(peer, bundle, asked, now)
    return f"{micros:,.0f}  ×{micros / ours:,.0f}", taken


def _peer(peer: Peer, bundle: Bundle, asked: Sequence[Application], now: datetime) -> float:
    seconds = int(now.timestamp())
    peer.allows(asked[0], seconds)
    allowed: list[bool] = []
    began = time.thread_time()
    for one in asked:
        allowed.append(peer.allows(one, seconds))
        if time.thread_time() - began > PEER_SECONDS:
            break
    taken = (time.thread_time() - began) / len(allowed)
    for one, is_allowed in zip(asked, allowed, strict=False):
        permitted = evaluate(one, None, bundle, now).verdict is Verdict.PERMIT
        assert permitted == is_allowed, f"{peer.name} disagrees"
    return taken * 1e6


def _timed(call: Callable[[], T]) -> tuple[float, T]:
    began = time.thread_time()
    result = call()
    return time.thread_time() - began, result
