"""``sharebroker mask risk``: how likely somebody is found again in a file, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.mask.columns import Encoding, HeaderRow, Sheet
from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, operators
from broker.errors import SetUpError

if TYPE_CHECKING:
    from adapters.masking.risk import Risk
    from broker.cli.mask.assessment import Assessment, Outcome, Sensitive

_SHOWN = 8
"""Changes shown, the best first."""


def risk(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV、Excel 或 Parquet / the file")],
    quasi: Annotated[
        str,
        typer.Option(help="准标识列，以逗号分隔 / quasi-identifiers, separated by commas: what others know"),
    ],
    sensitive: Annotated[
        str, typer.Option(help="敏感列，以逗号分隔 / sensitive columns: what others want to know")
    ] = "",
    threshold: Annotated[
        float, typer.Option(help="可以接受的风险，0.2 即 k=5 / risk that is acceptable; 0.2 means k=5")
    ] = 0.2,
    population: Annotated[
        Path | None, typer.Option(help="人口表，有同样的准标识列 / table of the population, same columns")
    ] = None,
    people: Annotated[
        int | None,
        typer.Option(min=1, help="人口总数，没有人口表时 / size of the population, without a table"),
    ] = None,
    sheet: Sheet = "",
    header_row: HeaderRow = "",
    encoding: Encoding = "",
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """评估文件的重标识风险 / how likely somebody is found again in a file; 1 when above the threshold."""
    from broker.cli.mask.assessment import Population, assess
    from broker.cli.mask.reading import opened_table
    from broker.importing.opening import Wanted

    if not 0 < threshold <= 1:
        raise SetUpError("--threshold 须大于 0、不超过 1。", "--threshold is above 0 and at most 1.")
    if not _names(quasi):
        raise SetUpError("--quasi 至少写一列。", "--quasi names at least one column.")
    if population is not None and people is not None:
        raise SetUpError("--population 和 --people 只写一个。", "Give --population or --people, not both.")
    wanted = Wanted(sheet=sheet, header_row=header_row, encoding=encoding)
    with ExitStack() as files:
        table = files.enter_context(opened_table(file, wanted))
        register = files.enter_context(opened_table(population)) if population else None
        known = Population(register, people)
        found = assess(table, _names(quasi), _names(sensitive), threshold, known, operators(config))
        notes = table.notes
    if as_json:
        typer.echo(orjson.dumps(found, default=dict).decode())
    else:
        for line in (*(f"{note.zh} · {note.en}" for note in notes), *_lines(file.name, found)):
            typer.echo(line)
    if found.prosecutor.highest > threshold:
        raise typer.Exit(1)


def _names(written: str) -> list[str]:
    return [name.strip() for name in written.replace("，", ",").split(",") if name.strip()]


def _lines(name: str, found: Assessment) -> Iterator[str]:
    known = found.anonymity
    yield f"{name}：{known.rows:,} 行，按 {'、'.join(found.quasi_identifiers)} 分为 {known.classes:,} 类"
    yield f"  {known.rows:,} rows in {known.classes:,} classes that these columns cannot tell apart"
    yield f"k = {known.k}　最小的一类有 {known.k} 行 · the smallest class has {known.k} row(s)"
    yield f"独一无二 unique        {known.unique:,} 行 rows，{_share(known.unique / known.rows)}"
    yield f"检察官风险 prosecutor  {_risk(found.prosecutor, found.threshold)}"
    if found.journalist is None:
        yield "记者风险 journalist    不高于检察官风险（未给人口表或人口总数）"
        yield "                       at most the prosecutor's (no --population, no --people)"
    else:
        yield f"记者风险 journalist    {_risk(found.journalist, found.threshold)}"
    marketer = found.journalist or found.prosecutor
    yield f"营销者风险 marketer    {_share(marketer.average)}"
    if found.missing:
        yield f"  人口表中有 {found.missing} 类的人比文件中少，按文件计 · {found.missing} classes lack people"
    for column, one in found.sensitive.items():
        yield from _sensitive(column, one)
    yield from _advice(found)
    yield "定义 definitions: El Emam 2013（三种风险）；Sweeney 2002（k）；Machanavajjhala 2007（l）；"
    yield "  Li 2007（t）；Wong 2006（α）；ISO/IEC 20889:2018。详见 docs/masking.md"


def _risk(risk: Risk, threshold: float) -> str:
    return (
        f"最高 highest {_share(risk.highest)}，平均 average {_share(risk.average)}，"
        f"超过 above {threshold:g} 的行 {_share(risk.above)}"
    )


def _sensitive(column: str, one: Sensitive) -> Iterator[str]:
    known = one.disclosure
    kind = "有序 ordered" if one.ordered else "无序 unordered"
    yield (
        f"敏感项 sensitive {column}: l = {known.distinct}（熵 entropy {known.entropy:.2f}），"
        f"t = {known.closeness:.3f}（{kind}），α = {known.alpha:.3f}"
    )
    if known.distinct == 1:
        yield f"  有的类中 {column} 全部相同：不必认出是哪一行就知道了他的 {column}"
        yield f"  in some class all have the same {column}: it is learned without telling the rows apart"


def _advice(found: Assessment) -> Iterator[str]:
    if found.prosecutor.highest <= found.threshold:
        yield f"结论：不超过门限 {found.threshold:g}。Within the threshold {found.threshold:g}."
        return
    wanted = found.wanted_k
    yield f"结论：超过门限 {found.threshold:g}，k 须至少为 {wanted}。Above the threshold: k must be {wanted}."
    yield "怎么办 what to do，改一列 by one column:"
    for outcome in found.single[:_SHOWN]:
        yield f"  {_outcome(outcome)}"
    if found.together and len(found.together.changes) > 1:
        yield f"合在一起 together: {_outcome(found.together)}"
    above = round(found.prosecutor.above * found.anonymity.rows)
    yield f"或用 k_anonymity 不给少于 {wanted} 行的类：少给 {above:,} 行，{_share(found.prosecutor.above)}"
    yield f"or release no class below {wanted} rows (k_anonymity in a policy or plan): {above:,} rows less"


def _outcome(outcome: Outcome) -> str:
    known = outcome.anonymity
    return (
        f"{_changes(outcome)} → k = {known.k}，独一无二 unique {known.unique:,}，"
        f"超过门限 above {_share(outcome.prosecutor.above)}"
    )


def _changes(outcome: Outcome) -> str:
    from broker.authoring.masks import mask_text

    return "，".join(
        f"{change.column}: {mask_text(change.mask)}" if change.mask else f"{change.column}: 去掉 left out"
        for change in outcome.changes
    )


def _share(share: float) -> str:
    return "<0.01%" if 0 < share < 0.0001 else f"{share:.2%}"
