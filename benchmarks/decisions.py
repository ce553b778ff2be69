"""Policy decisions: how the time of one grows with the number of rules, beside a linear scan of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from benchmarks.report import show
from broker.approve.bundle import Bundle, compile_bundle
from broker.approve.evaluate import evaluate
from broker.approve.rule import Effect, Rule
from broker.demo.setup import load_shipped, shipped_policies
from broker.model import Application, Identity, Role

SIZES = (100, 2_000, 20_000)
ROUNDS = 2_000


def run() -> None:
    """Print microseconds a decision at several sizes."""
    shipped = load_shipped(shipped_policies())
    application = _application()
    now = datetime.now(UTC)
    rows = []
    for size in SIZES:
        bundle = _bundle(shipped, size)
        indexed = _time(lambda b=bundle: evaluate(application, None, b, now), ROUNDS)  # type: ignore[misc]
        linear = _time(lambda b=bundle: _scan(application, b, now), max(10, ROUNDS * 100 // size))  # type: ignore[misc]
        rows.append((f"{size:,}", f"{indexed:.1f}", f"{linear:.1f}", f"{linear / indexed:.1f}"))
    show(
        "Policy decisions",
        ("rules", "evaluate µs", "linear match µs", "linear / evaluate"),
        rows,
        "a permit with a mask and a row scope; the linear column only matches rules, it makes no decision",
    )


def _bundle(shipped: Bundle, size: int) -> Bundle:
    """The shipped rules and as many more, spread over departments, datasets and purposes."""
    departments, purposes = list(shipped.catalog.departments), list(shipped.catalog.purposes)
    datasets = [key for key in shipped.catalog.datasets if key != "civil_affairs.marriage"]
    template = next(rule for rule in shipped.rules if rule.effect is Effect.PERMIT)
    more: list[Rule] = [
        replace(
            template,
            id=f"bench/{number}",
            dataset=datasets[number % len(datasets)],
            departments=frozenset({departments[number // 7 % len(departments)]}),
            purposes=frozenset({purposes[number // 61 % len(purposes)]}),
        )
        for number in range(size - len(shipped.rules))
    ]
    return compile_bundle(shipped.catalog, [*shipped.rules, *more], shipped.hash)


def _scan(application: Application, bundle: Bundle, now: datetime) -> list[Rule]:
    return [
        rule
        for rule in bundle.rules
        if rule.dataset == application.dataset
        and (rule.departments is None or application.consumer.department in rule.departments)
        and (rule.purposes is None or application.purpose in rule.purposes)
        and rule.applies(application, now)
    ]


def _application() -> Application:
    now = datetime.now(UTC)
    return Application(
        consumer=Identity("xinghe", "housing_fund", Role.SYSTEM, "counter", 1, now + timedelta(1), b""),
        request_id="0",
        dataset="civil_affairs.marriage",
        fields=("status", "registered_on"),
        subjects=("990101189901010015",),
        purpose="housing_fund_withdrawal",
        service_item="990100-GJJ-0003",
        case_no="1",
        legal_basis="住房公积金管理条例 第二十四条",
        operator="1",
    )


def _time(call: Callable[[], object], rounds: int) -> float:
    """Microseconds a call, the best of five rounds."""
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(rounds):
            call()
        best = min(best, (time.perf_counter() - began) / rounds)
    return best * 1e6
