"""What the tools say of a proposal: lint, cases, and who may see more or less than now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from broker.approve.bundle import Bundle
from broker.approve.files import Files
from broker.authoring.casefile import read_cases
from broker.authoring.cases import passed_line, run_cases
from broker.authoring.diff import diff
from broker.authoring.difference_text import summary, text
from broker.authoring.exercised import exercised, share_line
from broker.authoring.finding import Severity
from broker.authoring.lint import lint_bundle
from broker.authoring.listing import count_line

MAX_TEXT = 48 * 1024
"""Characters of one tool's report; what is longer is cut, and says so."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one tool said."""

    said: str
    passed: bool = True


def lint_report(bundle: Bundle, files: Files, now: datetime) -> Report:
    """Every finding of a bundle that loads; passed when none is an error."""
    findings = lint_bundle(bundle, now, files)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    return Report(_cut("\n".join([*map(str, findings), count_line(findings)]), "lint"), not errors)


def cases_report(cases: Mapping[str, bytes], bundle: Bundle) -> Report:
    """How many cases passed, which did not, and how much of the rules they exercise."""
    results = run_cases(read_cases(cases, bundle))
    failed = [f"✗ {result.case.name}" for result in results if not result.passed]
    lines = [passed_line(results), *failed, share_line(exercised(results, bundle))]
    return Report(_cut("\n".join(lines), "test"), not failed)


def access_report(before: Bundle, after: Bundle) -> Report:
    """Who may newly see what, and who no longer."""
    difference = diff(before, after)
    said = summary(difference)
    return Report(_cut(f"{said.zh} / {said.en}\n{text(difference)}", "diff"), not difference.widened)


def _cut(said: str, command: str) -> str:
    if len(said) <= MAX_TEXT:
        return said
    cut = f"…（过长，已截断，请用 policy {command} 查看全部 / cut short: see `policy {command}`）"
    return f"{said[:MAX_TEXT]}\n{cut}"
