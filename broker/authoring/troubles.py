"""Why rules could not be decided by (``RULE_ERROR``), in words: what they contradict each other in, or lack.

``docs/policy-language.md``, 4.2, 5.2, 5.4, 5.5 and 5.9. For the rules' owners.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import chain

from broker.approve.bundle import Bundle
from broker.approve.conditions import OF_THE_MOMENT, accepted
from broker.approve.rule import Rule
from broker.authoring.sentences import mask_words
from broker.model import Application, Dataset, Mask, MaskOrder, region_prefix
from broker.reasons import Sentence


def troubles(rules: Sequence[Rule], asked: Application, bundle: Bundle, now: datetime) -> Iterator[Sentence]:
    """What is wrong with ``rules``, those of a decision, for ``asked``; nothing where nothing is."""
    dataset = bundle.catalog.datasets[asked.dataset]
    return chain(
        _untold(rules, asked, bundle, now),
        _masks(rules, asked, dataset, bundle.catalog.mask_order),
        _regions(rules, asked, dataset, bundle),
        _grids(rules, asked, dataset, bundle),
        _lists(rules, dataset),
        _aggregates(rules),
    )


def _untold(rules: Sequence[Rule], asked: Application, bundle: Bundle, now: datetime) -> Iterator[Sentence]:
    for rule in rules:
        for condition, holds in OF_THE_MOMENT.items():
            try:
                holds(rule, asked, now)
            except Exception:  # noqa: BLE001 - whatever it fails with, it cannot be told
                what = " ".join(accepted(rule, condition, bundle.zone))
                yield Sentence(
                    f"规则 {rule.id} 的条件 {what} 无法判定（表达式出错，或日历没有这一年）",
                    f"the condition {what} of rule {rule.id} cannot be told "
                    "(its expression fails, or the calendar has no such year)",
                )


def _masks(
    rules: Sequence[Rule], asked: Application, dataset: Dataset, order: MaskOrder
) -> Iterator[Sentence]:
    for field in asked.fields:
        masks = {
            rule.id: rule.obligations.masks[field]
            for rule in rules
            if field in rule.fields and field in rule.obligations.masks
        }
        if not _is_ranked(masks.values(), order):
            title = dataset.fields[field].title
            zh = "，".join(f"规则 {id_} 要求{mask_words(mask).zh}" for id_, mask in masks.items())
            en = ", ".join(f"rule {id_} wants it {mask_words(mask).en}" for id_, mask in masks.items())
            yield Sentence(
                f"{title}：{zh}；masking.yaml 没有排定哪一种更强",
                f"{field}: {en}; masking.yaml does not rank them",
            )


def _is_ranked(masks: Collection[Mask], order: MaskOrder) -> bool:
    """Whether of any two that differ one is the stricter."""
    distinct: list[Mask] = []
    for mask in masks:
        if mask not in distinct:
            distinct.append(mask)
    ranks = [order.strictness(mask.operator) for mask in distinct]
    return len(distinct) < 2 or (None not in ranks and len(set(ranks)) == len(ranks))


def _regions(
    rules: Sequence[Rule], asked: Application, dataset: Dataset, bundle: Bundle
) -> Iterator[Sentence]:
    department = bundle.catalog.departments[asked.consumer.department]
    system = department.systems.get(asked.consumer.name)
    region = (system and system.region) or department.region
    for rule in rules:
        if rule.rows.own_region and dataset.region_field is None:
            yield Sentence(
                f"规则 {rule.id} 按辖区限定，目录却没有写明 region",
                f"rule {rule.id} gives rows by region, and the catalog names no region field",
            )
        elif rule.rows.own_region and not region_prefix(region):
            yield Sentence(
                f"规则 {rule.id} 按辖区限定，需求方的辖区却是全国",
                f"rule {rule.id} gives rows by region, and the caller's region is the whole country",
            )


def _grids(rules: Sequence[Rule], asked: Application, dataset: Dataset, bundle: Bundle) -> Iterator[Sentence]:
    system = bundle.catalog.departments[asked.consumer.department].systems.get(asked.consumer.name)
    for rule in rules:
        if rule.rows.own_grid and dataset.grid_field is None:
            yield Sentence(
                f"规则 {rule.id} 按网格限定，目录却没有写明 grid",
                f"rule {rule.id} gives rows by grid, and the catalog names no grid field",
            )
        elif rule.rows.own_grid and not (system and system.grids):
            yield Sentence(
                f"规则 {rule.id} 按网格限定，departments.yaml 里系统 {asked.consumer.name} 没有网格",
                f"rule {rule.id} gives rows by grid, and system {asked.consumer.name} has no grids "
                "in departments.yaml",
            )


def _lists(rules: Sequence[Rule], dataset: Dataset) -> Iterator[Sentence]:
    for field in sorted({field for rule in rules for field in rule.rows.lists}):
        lists = {rule.id: rule.rows.lists[field] for rule in rules if field in rule.rows.lists}
        if not set.intersection(*map(set, lists.values())):
            title = dataset.fields[field].title
            zh = "，".join(f"规则 {id_} 只给 {'、'.join(values)}" for id_, values in lists.items())
            en = ", ".join(f"rule {id_} gives only {' or '.join(values)}" for id_, values in lists.items())
            yield Sentence(f"{title}：{zh}；没有共同的值", f"{field}: {en}; nothing is in all of them")


def _aggregates(rules: Sequence[Rule]) -> Iterator[Sentence]:
    wanted = [(rule.id, rule.obligations.aggregate) for rule in rules if rule.obligations.aggregate]
    if len({(one.by, one.measures) for _, one in wanted}) > 1:
        ids = [id_ for id_, _ in wanted]
        yield Sentence(
            f"规则 {'、'.join(ids)} 都只给汇总，分组或汇总的数据项却不同",
            f"rules {', '.join(ids)} give totals only, but group or measure differently",
        )
