"""``sharebroker mask show``: everything about one operator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.mask.installed import Policies, order_in, packages
from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, operators

if TYPE_CHECKING:
    from adapters.masking.contract import KnownAnswer, Operator


def show(
    operator: Annotated[str, typer.Argument(metavar="OPERATOR", help="算子，编号或名称 / by name or title")],
    policies: Policies = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """查看一个脱敏算子：参数、性质、示例、写法 / one operator: parameters, properties, examples."""
    from broker.approve.problem import OPERATOR
    from broker.authoring.names import resolve
    from broker.authoring.operators import record

    allowed = operators(config)
    one = allowed[resolve(operator, OPERATOR, {name: each.title for name, each in allowed.items()})]
    order = order_in(policies, config)
    package = packages()[one.name][0]
    if as_json:
        typer.echo(orjson.dumps(record(one, package, order.strictness(one.name)), default=str).decode())
        return
    for line in _lines(one, package):
        typer.echo(line)
    if order.operators:
        rank = order.strictness(one.name)
        place = "—" if rank is None else f"{rank + 1} / {len(order.operators)}"
        typer.echo(f"强弱 rank      {place}（1 最弱 · 1 is the weakest）")


def _lines(one: Operator, package: str) -> Iterator[str]:
    from broker.authoring.operators import as_written, behaviour, parameters, property_words

    yield f"{one.name}  {one.title}  版本 version {one.version}  （{package}）"
    yield f"  {one.summary}"
    yield f"类型 takes     {'、'.join(one.accepts)}"
    words = property_words(one.properties)
    yield f"性质 is        {'、'.join(f'{said.zh} {said.en}' for said in words) or '—'}"
    for value, becomes in behaviour(one.properties):
        yield f"  {value.zh}{becomes.zh} · {value.en}: {becomes.en}"
    yield "参数 parameters"
    for each in parameters(one):
        must = "必填 required" if each.required else f"默认 default {_shown(each.default)}"
        bounds = f"，{each.bounds}" if each.bounds else ""
        yield f"  {each.name}: {each.kind}{bounds}（{must}）"
    if not parameters(one):
        yield "  无 · none"
    yield "示例 examples"
    for known in one.known_answers:
        yield from _examples(one.name, known)
    yield f"策略写法 in a policy: obligations: {{mask: {{数据项 FIELD: {as_written(one)}}}}}"


def _examples(operator: str, known: KnownAnswer) -> Iterator[str]:
    from broker.authoring.masks import mask_text
    from broker.authoring.sentences import mask_words
    from broker.model import Mask

    example = Mask(operator, known.params)
    words = mask_words(example)
    yield f"  {mask_text(example)}（{words.zh} · {words.en}）"
    beside = known.beside or [None] * len(known.values)
    for value, other, answer in zip(known.values, beside, known.answers, strict=True):
        about = f"（旁有 beside {_shown(other)}）" if known.beside else ""
        yield f"    {_shown(value)}{about} → {_shown(answer)}"


def _shown(value: object) -> str:
    if value is None:
        return "空 null"
    return f'"{value}"' if isinstance(value, str) else str(value)
