"""The report: every figure counted by hand once, a page that loads nothing and shows text as text."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from broker.audit.files import write_export
from broker.audit.form import Form, Header, Line
from broker.audit.reporting import Reporter, Waiting
from broker.cli.audit.plots import Bar, bars
from broker.cli.main import app
from broker.model import Calendar
from broker.receipt.statement import instant

NOON = datetime(2026, 9, 1, 12).astimezone()
"""A Tuesday."""


def at(days: float) -> str:
    """So many days after NOON."""
    return instant(NOON + timedelta(days=days))


def statement(kind: str, when: float, consumer: str = "tax", **more: Any) -> dict[str, Any]:
    """One of a department."""
    return {
        "format": "share-statement/v1",
        "kind": kind,
        "recorded_at": at(when),
        "consumer": {"department": consumer, "uri": f"spiffe://x/{consumer}"},
        **more,
    }


def asked(when: float, verdict: str, *codes: str, rows: int = 0, **more: Any) -> dict[str, Any]:
    """An exchange."""
    decision = {"verdict": verdict, "reasons": [{"code": code, "about": ""} for code in codes]}
    outcome = {"outcome": {"rows": {"released": rows}}} if verdict == "permit" else {}
    about = {"dataset": "civil_affairs.marriage", "purpose": "low_income", **more}
    return statement("exchange", when, decision=decision, **outcome, **about)


SAID = [
    asked(0, "deny", "PURPOSE_NOT_PERMITTED"),
    asked(2, "needs_supplement", "PURPOSE_NOT_PERMITTED", "CONSENT_MISSING"),
    asked(6, "permit", rows=3),
    asked(7, "permit", rows=4),
    asked(8, "deny", "DATASET_UNKNOWN", dataset="tax.<b>bikes</b>"),
    asked(9, "permit", rows=9, of=2) | {"kind": "redelivered"},
    asked(10, "permit") | {"kind": "validation"},
    statement("acknowledgement_missing", 11, of=2),
    statement("acknowledgement_missing", 12, of=3),
    statement("acknowledgement", 13, of=2, delivery=2),
    statement("acknowledgement_disputed", 14, of=3),
    *(statement("correction_report", 15) for _ in range(2)),
    statement("correction_overdue", 16, correction=5),
    *(statement("disposal_order", 15) for _ in range(3)),
    *(statement("disposal_missing", 16, of=order) for order in (11, 12)),
    statement("disposal_certificate", 17, of=12),
    asked(40, "permit", rows=2) | {"consumer": {"department": "housing_fund", "uri": "spiffe://x/h"}},
    asked(41, "permit") | {"kind": "stream_decision"},
    statement("stream_outcome", 41.1, outcome={"rows": {"released": 100}}, decision_leaf=12),
    statement("stream_outcome", 41.2, outcome={"rows": {"released": 100}}, decision_leaf=13, of=13),
]


def lines(said: Iterable[dict[str, Any]] = SAID) -> list[Line]:
    """As an export has them, one of them erased."""
    told = [Line(index, orjson.dumps(one)) for index, one in enumerate(said)]
    return [Line(len(told), b""), *reversed(told)]


def report(calendar: Calendar | None = None) -> Any:
    """Of the statements above."""
    reporter = Reporter(calendar or Calendar(), NOON + timedelta(days=45))
    reporter.take(lines())
    return reporter.report()


def test_every_figure() -> None:
    """Requests, verdicts, reasons, rows, acknowledgements, times: of each department in its month."""
    found = report()
    assert list(found.by) == [("housing_fund", "2026-10"), ("tax", "2026-09"), ("tax", "2026-10")]
    tax = found.by["tax", "2026-09"]
    assert (tax.requests, tax.rows) == (5, 7)
    assert tax.verdicts == {"permit": 2, "deny": 2, "needs_supplement": 1}
    assert tax.reasons == {"PURPOSE_NOT_PERMITTED": 2, "CONSENT_MISSING": 1, "DATASET_UNKNOWN": 1}
    assert (tax.unacknowledged, tax.late, tax.disputed) == (1, 1, 1)
    assert (tax.corrections, tax.corrections_overdue) == (2, 1)
    assert (tax.disposals, tax.undisposed, tax.disposed_late) == (3, 1, 1)
    assert (tax.days, tax.median_days, tax.overdue) == ([4], 4, 0)
    october = found.by["tax", "2026-10"]
    assert (october.requests, october.rows, october.median_days) == (1, 100, None)
    assert found.total().requests == 7
    assert found.total("tax").rows == 107
    assert found.by["housing_fund", "2026-10"].days == [0]
    assert (found.receipts, found.erased, found.oldest, found.newest) == (25, 1, 0, 24)
    first = (NOON + timedelta(days=8)).date()
    assert found.waiting == (Waiting("tax", "tax.<b>bikes</b>", "low_income", first, 27),)
    assert found.guessed_years == (2026,)


def test_holidays_are_no_working_days() -> None:
    """With the year's notice they are taken off, and make-up days counted."""
    known = Calendar(frozenset({2026}), frozenset({date(2026, 9, 3)}), frozenset({date(2026, 9, 5)}))
    found = report(known)
    assert found.by["tax", "2026-09"].days == [4]
    without_makeup = Calendar(frozenset({2026}), frozenset({date(2026, 9, 3)}))
    assert report(without_makeup).by["tax", "2026-09"].days == [3]
    assert found.guessed_years == ()


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """The statements as a file."""
    told = lines()
    write_export(tmp_path / "all.jsonl", Form.JSONL, Header(at(0), "spiffe://x/y", len(told)), told)
    return tmp_path / "all.jsonl"


def run(export: Path, *words: str) -> Any:
    """The command on that file."""
    period = ("--from", "2026-09-01", "--to", "2026-12-31", "--export", str(export))
    return CliRunner().invoke(app, ["audit", "report", *period, *words])


def test_the_page_loads_nothing_and_shows_text(export: Path, tmp_path: Path) -> None:
    """No script, no address, every plot sound; a dataset's name is no markup."""
    out = tmp_path / "report.html"
    done = run(export, "--out", str(out))
    assert done.exit_code == 0, done.output
    text = out.read_text("utf-8")
    assert not re.search(r"<script|https?:|src=|href=|url\(", text)
    assert "&lt;b&gt;bikes" in text
    assert "<b>" not in text
    plots = [ET.fromstring(plot) for plot in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]  # noqa: S314
    assert len(plots) == 3
    assert "15 个工作日" in text
    assert "未扣节假日" in text
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_for_machines(export: Path, tmp_path: Path) -> None:
    """The same figures; with a calendar they rest on it; a department alone where one is named."""
    calendar = tmp_path / "calendar.yaml"
    calendar.write_text('format: share-calendar/v1\nyears:\n  2026:\n    holidays: ["2026-09-03"]\n')
    done = run(export, "--json", "--calendar", str(calendar))
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["total"]["requests"] == 7
    (tax,) = [one for one in found["by"] if (one["department"], one["month"]) == ("tax", "2026-09")]
    assert (tax["median_working_days"], tax["unacknowledged"]) == (3, 1)
    assert found["years_without_calendar"] == []
    alone = json.loads(run(export, "--json", "--department", "housing_fund").stdout)
    assert [one["department"] for one in alone["by"]] == ["housing_fund"]


def test_a_period_of_nothing(export: Path, tmp_path: Path) -> None:
    """Is a report of zeros, and no fault; one that ends before it begins is refused."""
    words = ["audit", "report", "--export", str(export), "--out", str(tmp_path / "none.html")]
    assert CliRunner().invoke(app, [*words, "--from", "2020-01-01", "--to", "2020-01-31"]).exit_code == 0
    assert CliRunner().invoke(app, [*words, "--from", "2020-02-01", "--to", "2020-01-31"]).exit_code != 0


def test_bars_are_to_scale() -> None:
    """The longest fills the plot, others in proportion; nothing has no bar."""
    plot = bars("t", [Bar("a<", (10, 10)), Bar("b", (5, 0)), Bar("c", (0, 0))], ("red", "blue"))
    widths = [float(rect.get("width") or 0) for rect in ET.fromstring(plot).iter("rect")]  # noqa: S314
    assert widths == [225.0, 225.0, 112.5]
    assert bars("t", [], ("red",)).startswith("<svg")
