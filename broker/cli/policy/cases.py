"""``sharebroker policy test``: run case files against a policy folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.authoring.casefile import read_case_files, read_cases
from broker.authoring.cases import Result, run_cases
from broker.authoring.facts import facts, written
from broker.authoring.junit import junit
from broker.cli.connection import Json
from broker.cli.policy.app import policy
from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, bundle_in_folder
from broker.reasons import Sentence, sentence

EXIT_FAILED = 1


@policy.command("test")
def run(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="策略文件夹 / folder of policies")],
    cases: Annotated[
        Path | None,
        typer.Argument(help="用例文件或文件夹，默认为策略文件夹的 cases/ / case file or folder of them"),
    ] = None,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", help="另写 JUnit 报告 / also write a JUnit report")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """逐个运行用例，与期望比对 / run every case and compare the decision with what it expects."""
    bundle = bundle_in_folder(folder, config)
    results = run_cases(read_cases(read_case_files(cases or folder), bundle), bundle)
    if junit_file:
        junit_file.write_bytes(junit(results))
    if as_json:
        print(orjson.dumps({"bundle": bundle.hash, "cases": [_record(r) for r in results]}).decode())
    else:
        _tell(results)
    if not all(result.passed for result in results):
        sys.exit(EXIT_FAILED)


def _tell(results: Sequence[Result]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for result in results:
        console.print(Text(f"{'✓' if result.passed else '✗'} {result.case.name}"))
        if not result.passed:
            console.print(_compared(result))
            for said in _sentences(result):
                console.print(Text(f"    {said.zh} / {said.en}"))
    failed = sum(not result.passed for result in results)
    passed = len(results) - failed
    console.print(
        Text(
            f"{len(results)} 个用例：{passed} 个符合，{failed} 个不符 / "
            f"{len(results)} cases: {passed} passed, {failed} failed"
        )
    )


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


def _sentences(result: Result) -> list[Sentence]:
    decision = result.decision
    return [sentence(why.reason, why.about) for why in (*decision.reasons, *decision.missing)]


def _record(result: Result) -> dict[str, object]:
    return {
        "case": result.case.name,
        "line": result.case.at.line,
        "passed": result.passed,
        "decision": facts(result.decision),
        "differences": [{"fact": d.fact, "expected": d.expected, "got": d.got} for d in result.differences],
    }
