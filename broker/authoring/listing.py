"""A list of findings for people, for programs, and for code scanning (SARIF)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from urllib.parse import quote

from broker.approve.problem import Code
from broker.authoring.finding import ABOUT, SEVERITIES, Finding, Lint, Severity
from broker.authoring.titles import TITLES

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_NONE = "没有发现问题。", "Nothing found."


def count_line(findings: Sequence[Finding]) -> str:
    """How many findings of each severity, in both languages."""
    if not findings:
        return " / ".join(_NONE)
    zh, en = [], []
    for severity, (severity_zh, severity_en) in SEVERITIES.items():
        if count := sum(finding.severity is severity for finding in findings):
            zh.append(f"{severity_zh} {count} 处")
            en.append(f"{count} {severity_en}{'s' if count > 1 else ''}")
    return f"{'，'.join(zh)}。 / {', '.join(en)}."


def fails(findings: Sequence[Finding], strict: bool) -> bool:
    """Whether a check must fail: by errors, if ``strict`` by warnings too."""
    grave = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return any(finding.severity in grave for finding in findings)


def as_data(findings: Sequence[Finding]) -> dict[str, object]:
    """The findings as plain values for JSON."""
    return {
        "findings": [
            {
                "file": finding.file,
                "line": finding.line,
                "column": finding.column,
                "code": finding.code,
                "severity": finding.severity.value,
                "zh": finding.zh,
                "en": finding.en,
            }
            for finding in findings
        ],
        "counts": {
            severity.value: sum(finding.severity is severity for finding in findings) for severity in Severity
        },
    }


def as_sarif(findings: Sequence[Finding], folder: str = "") -> dict[str, object]:
    """One run of SARIF 2.1.0 (OASIS, errata 01). ``folder`` is where the policies are below the root of what
    is scanned, with ``/``; places are relative URIs."""
    codes = sorted({finding.code for finding in findings})
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "sharebroker",
                        "version": version("sharebroker"),
                        "language": "zh-CN",
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, codes.index(finding.code), folder) for finding in findings],
            }
        ],
    }


def _rule(code: str) -> dict[str, object]:
    """§3.49, reportingDescriptor."""
    if code in Lint.__members__:
        severity, zh, en = ABOUT[Lint(code)]
    else:
        severity, (zh, en) = Severity.ERROR, TITLES[Code(code)]
    return {
        "id": code,
        "shortDescription": {"text": f"{zh} / {en}"},
        "defaultConfiguration": {"level": severity.value},
    }


def _result(finding: Finding, rule: int, folder: str) -> dict[str, object]:
    """§3.27; our severities are SARIF's levels."""
    uri = quote(f"{folder}/{finding.file}" if folder else finding.file)
    region = {"startLine": finding.line, "startColumn": finding.column}
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.severity.value,
        "message": {"text": f"{finding.zh} / {finding.en}"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}],
    }
