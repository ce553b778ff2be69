"""``sharebroker policy test``: run case files against a policy folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.approve.conditions import Condition
from broker.authoring.casefile import read_case_files, read_cases
from broker.authoring.cases import Result, passed_line, run_cases
from broker.authoring.exercised import RuleExercise, exercised, percent, share_line
from broker.authoring.explain import explain
from broker.authoring.facts import facts, written
from broker.authoring.junit import junit
from broker.cli.connection import Json
from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, bundle_in_folder
from broker.reasons import Sentence

EXIT_FAILED = 1

_TITLES: Mapping[Condition, str] = {
    Condition.DEPARTMENT: "部门",
    Condition.FIELDS: "数据项",
    Condition.PURPOSE: "使用场景",
    Condition.LEGAL_BASIS: "使用依据",
    Condition.VALIDITY: "有效期",
    Condition.HOURS: "时段",
    Condition.SYSTEM: "系统",
    Condition.EXPRESSION: "表达式",
    Condition.WHOLE_DATASET: "整体共享",
}


def run(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="策略文件夹 / folder of policies")],
    cases: Annotated[
        Path | None,
        typer.Argument(help="用例文件或文件夹，默认为策略文件夹的 cases/ / case file or folder of them"),
    ] = None,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", help="另写 JUnit 报告 / also write a JUnit report")
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="列出每条规则的覆盖情况 / show what is exercised of each rule")
    ] = False,
    fail_under: Annotated[
        float, typer.Option(min=0, max=100, help="覆盖率低于此数即不通过（%） / fail below so many per cent")
    ] = 0,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """逐个运行用例，与期望比对 / run every case and compare the decision with what it expects."""
    bundle = bundle_in_folder(folder, config)
    results = run_cases(read_cases(read_case_files(cases or folder), bundle))
    rules = exercised(results, bundle)
    too_low = percent(rules) < fail_under
    if junit_file:
        junit_file.write_bytes(junit(results))
    if as_json:
        told = {
            "bundle": bundle.hash,
            "cases": [_record(r) for r in results],
            "coverage": {"percent": round(percent(rules), 1), "rules": [_exercise_record(r) for r in rules]},
        }
        print(orjson.dumps(told).decode())
    else:
        _tell(results)
        _tell_coverage(rules, whole=coverage, gaps=coverage or too_low)
    if too_low or not all(result.passed for result in results):
        sys.exit(EXIT_FAILED)


def _tell(results: Sequence[Result]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for result in results:
        console.print(Text(f"{'✓' if result.passed else '✗'} {result.case.name}"))
        if not result.passed:
            console.print(_compared(result))
            for said in _sentences(result):
                console.print(Text(f"    {said.zh} / {said.en}"))
    console.print(Text(passed_line(results)))


def _tell_coverage(rules: Sequence[RuleExercise], *, whole: bool, gaps: bool) -> None:
    """A line for each rule (of those with gaps, unless the ``whole`` is wanted), and the sum."""
    for rule in rules:
        shown, there = rule.counted
        if whole or (gaps and shown < there):
            conditions = "  ".join(f"{_mark(alone)} {_TITLES[c]} {c}" for c, alone in rule.conditions.items())
            typer.echo(f"{_mark(rule.spoke)} {rule.at.file}:{rule.at.line} {rule.id}  {conditions}")
    if whole or gaps:
        typer.echo("规则前 ✗：没有用例使它起作用；条件前 ✗：没有用例只差这一个条件。")
        typer.echo(
            "✗ before a rule: in no case does it speak; before a condition: no case fails on it alone."
        )
    typer.echo(share_line(rules))


def _mark(shown: bool) -> str:
    return "✓" if shown else "✗"


def _exercise_record(rule: RuleExercise) -> dict[str, object]:
    return {
        "rule": rule.id,
        "file": rule.at.file,
        "line": rule.at.line,
        "spoke": rule.spoke,
        "conditions": {str(condition): alone for condition, alone in rule.conditions.items()},
    }


def _compared(result: Result) -> Table:
    """Expected and got, side by side."""
    at = result.case.at
    table = Table(title=f"{at.file}:{at.line}", title_justify="left", box=None, pad_edge=False)
    for heading in ("    ", "期望 expected", "实际 got"):
        table.add_column(heading, overflow="fold")
    for difference in result.differences:
        table.add_row(
            f"    {difference.fact}", Text(written(difference.expected)), Text(written(difference.got))
        )
    return table


def _sentences(result: Result) -> Iterator[Sentence]:
    """What was decided and why; where nothing permits, what the nearest rule misses."""
    case = result.case
    explained = explain(case.application, case.grant, case.bundle, case.now, case.suspensions)
    yield explained.said
    yield from explained.reasons
    for miss in explained.near[:1]:
        yield from miss.lacks


def _record(result: Result) -> dict[str, object]:
    return {
        "case": result.case.name,
        "line": result.case.at.line,
        "passed": result.passed,
        "decision": facts(result.decision),
        "differences": [{"fact": d.fact, "expected": d.expected, "got": d.got} for d in result.differences],
    }
