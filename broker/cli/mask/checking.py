"""``sharebroker mask check``: the operators against their contract, and a plan against a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.mask.columns import Encoding, HeaderRow, Sheet
from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, operators
from broker.errors import SetUpError

if TYPE_CHECKING:
    from adapters.masking.contract import Operator
    from broker.bulk.plan import BulkPlan
    from broker.cli.mask.fitting import ColumnTally, Finding
    from broker.importing.opening import Wanted


def check(
    plan: Annotated[
        Path | None,
        typer.Argument(metavar="[PLAN]", help="脱敏计划；不写则检查算子 / a plan; else operators"),
    ] = None,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="计划要脱敏的文件 / its file")] = None,
    named: Annotated[
        list[str] | None,
        typer.Option("--operator", help="只查此算子，未允许的也可 / this operator only, allowed or not"),
    ] = None,
    sheet: Sheet = "",
    header_row: HeaderRow = "",
    encoding: Encoding = "",
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """检查算子是否守约定，计划是否适合文件 / do operators keep their contract, does a plan fit a file?"""
    from broker.importing.opening import Wanted

    if plan is None:
        _check_operators(_chosen(named, config), as_json)
    elif named:
        raise SetUpError("--operator 不与计划同用。", "--operator does not go with a plan.")
    else:
        wanted = Wanted(sheet=sheet, header_row=header_row, encoding=encoding)
        _check_plan(plan, file, wanted, config, as_json)


# ── operators ────────────────────────────────────────────────────────────────────────────────────


def _chosen(named: Sequence[str] | None, config: Path) -> Mapping[str, Operator]:
    """Those that the settings allow; or those named, which somebody may want to vet before allowing them."""
    from adapters.masking.registry import load_operators

    if not named:
        return operators(config)
    try:
        return load_operators(named)
    except ValueError as error:
        raise SetUpError(f"算子无法载入：{error}", f"An operator cannot be loaded: {error}") from None


def _check_operators(chosen: Mapping[str, Operator], as_json: bool) -> None:
    from adapters.masking.conformance import violations

    found = {name: list(dict.fromkeys(violations(operator))) for name, operator in chosen.items()}
    if as_json:
        typer.echo(orjson.dumps({"violations": found}).decode())
    else:
        for name, clauses in found.items():
            title = f"{name}@{chosen[name].version} {chosen[name].title}"
            typer.echo(f"{'✗' if clauses else '✓'} {title}")
            for clause in clauses:
                typer.echo(f"    不守约定 breaks: {clause}")
        broken = sum(map(bool, found.values()))
        typer.echo(f"查了 {len(found)} 个算子，{broken} 个不守约定。{len(found)} checked, {broken} broken.")
    if any(found.values()):
        raise typer.Exit(1)


# ── plans ────────────────────────────────────────────────────────────────────────────────────────


def _check_plan(path: Path, file: Path | None, wanted: Wanted, config: Path, as_json: bool) -> None:
    from broker.bulk.plan import read_plan
    from broker.cli.mask.fitting import Severity, fit
    from broker.cli.mask.reading import opened_table
    from broker.cli.mask.trial import ThrowAwayKeys, Trial

    known = operators(config)
    plan = read_plan(path, known)
    if file is None:
        if as_json:
            typer.echo(orjson.dumps({"columns": [], "findings": []}).decode())
        else:
            _print_plan(plan)
            typer.echo("计划可用；再写上文件，可看它是否适合。Usable; name a file to see whether it fits.")
        return
    with opened_table(file, wanted) as table:
        fitted = fit(Trial(plan, known, ThrowAwayKeys()), table)
    found = [*_of_run(file, plan), *fitted.findings()]
    if as_json:
        columns = [_counts(one) for one in fitted.columns]
        typer.echo(orjson.dumps({"columns": columns, "findings": found}).decode())
    else:
        _print_plan(plan)
        typer.echo(f"{file.name}：{fitted.columns[0].rows:,} 行 rows")
        _print_findings(found)
    if any(one.severity is Severity.ERROR for one in found):
        raise typer.Exit(1)


def _of_run(file: Path, plan: BulkPlan) -> Iterator[Finding]:
    """What keeps ``mask run`` from reading the file, which guesses nothing: encoding, header, ending."""
    from broker.bulk.inputs import find_inputs, survey
    from broker.cli.mask.fitting import Finding, Severity

    columns = list(dict.fromkeys(one.column for one in plan.fields))
    try:
        for one in find_inputs(file, plan.encoding):
            survey(one, columns)
    except SetUpError as error:
        yield Finding(
            Severity.ERROR,
            file.name,
            f"整批脱敏（mask run）不能这样读：{error.zh}",
            f"mask run cannot read it as it is: {error.en}",
        )


def _counts(tally: ColumnTally) -> dict[str, object]:
    numbers = ("rows", "empty", "bad", "curable", "lost", "rounded", "zeros", "clear")
    return {"column": tally.planned.column, "field": tally.planned.field.name} | {
        name: getattr(tally, name) for name in numbers
    }


def _print_plan(plan: BulkPlan) -> None:
    from broker.authoring.masks import mask_text

    for one in plan.fields:
        kind = f"{one.field.type} {one.field.format or ''}".strip()
        treated = mask_text(one.mask) if one.mask else "原样 as it is" if one.released else "不给 dropped"
        typer.echo(f"  {one.column} → {one.field.name}: {kind}，{treated}")


def _print_findings(found: Sequence[Finding]) -> None:
    from broker.cli.mask.fitting import Severity

    marks = {Severity.ERROR: "错误 error", Severity.WARNING: "警告 warning", Severity.NOTE: "提示 note"}
    for one in found:
        typer.echo(f"{marks[one.severity]}  {one.column}：{one.zh}")
        typer.echo(f"    {one.en}")
    errors = sum(one.severity is Severity.ERROR for one in found)
    typer.echo(
        f"{errors} 个错误。{errors} error(s)." if errors else "计划适合此文件。The plan fits the file."
    )
