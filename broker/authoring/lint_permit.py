"""Findings about what one permit gives: wider than the catalog means, unguarded, or impossible."""

from __future__ import annotations

from collections.abc import Iterator

from broker.approve.rule import Rule
from broker.authoring.finding import Finding, Lint
from broker.authoring.reach import has_quota
from broker.model import IMPORTANT, Catalog, Dataset, MaskOrder, SharingAttribute

_BULK_MODES = frozenset({"batch", "file"})
_SMALLER_FIRST = (
    ("calls_per_day", "calls_per_month"),
    ("rows_per_day", "rows_per_month"),
    ("rows_per_call", "rows_per_day"),
    ("rows_per_call", "rows_per_month"),
)


def permit_findings(rule: Rule, catalog: Catalog) -> Iterator[Finding]:
    """What can be said of a permit, knowing the catalog."""
    dataset = catalog.datasets[rule.dataset]
    yield from _wider_than_catalog(rule, dataset)
    yield from _unguarded(rule, dataset)
    yield from _weak_masks(rule, dataset, catalog.mask_order)
    yield from _too_small(rule, dataset)
    yield from _no_totals(rule)
    yield from _another_retention(rule, catalog)
    if rule.rows.own_grid and not _has_grids(rule, catalog):
        zh = "规则中的部门没有一个系统登记了网格，按网格限定就什么也给不出；请主管部门登记系统的网格"
        en = "no system of its departments has grids, so grid: caller releases nothing; "
        yield Finding.of(rule.at, Lint.NEVER_RELEASES, zh, f"{en}let the authority enter them")
    yield from _limits(rule)


def _wider_than_catalog(rule: Rule, dataset: Dataset) -> Iterator[Finding]:
    if rule.rows.whole_dataset and _BULK_MODES.isdisjoint(dataset.sharing_modes):
        zh = f"许可了整体共享（subjects: all），目录登记的共享方式只有 {'、'.join(dataset.sharing_modes)}"
        en = (
            f"permits the whole dataset (subjects: all), but its modes are {', '.join(dataset.sharing_modes)}"
        )
        zh, en = f"{zh}；请改规则，或在目录登记 batch、file", f"{en}; change the rule, or enter batch or file"
        yield Finding.of(rule.at, Lint.WIDER_THAN_MODES, zh, en)
    conditions = ("purposes", rule.purposes), ("legal_basis", rule.legal_basis)
    open_ = [key for key, names in conditions if names is None]
    if open_ and dataset.sharing_attribute is SharingAttribute.CONDITIONAL:
        zh = f"{dataset.id} 属有条件共享，{'、'.join(open_)} 却写了 all；请列出条件所许的"
        en = f"{dataset.id} is shared on conditions, but {' and '.join(open_)} is all; list what they allow"
        yield Finding.of(rule.at, Lint.WIDER_THAN_CONDITIONS, zh, en)
    if important := sorted(field for field in rule.fields if dataset.fields[field].level == IMPORTANT):
        zh = f"{'、'.join(important)} 属重要数据，问及时总转人工审核，不会自动给出"
        en = f"asking for {', '.join(important)} always leads to a review: important data is never automatic"
        yield Finding.of(rule.at, Lint.ALWAYS_REVIEWED, zh, en)


def _unguarded(rule: Rule, dataset: Dataset) -> Iterator[Finding]:
    if rule.rows.whole_dataset and not has_quota(rule):
        zh = "许可了整体共享，却没有每日或每月额度；请在 limits 中写 calls_per_day、rows_per_day 等"
        en = (
            "permits the whole dataset without a quota; add calls_per_day, rows_per_day or the like to limits"
        )
        yield Finding.of(rule.at, Lint.QUOTA_MISSING, zh, en)
    if dataset.sharing_attribute is not SharingAttribute.CONDITIONAL:
        return
    if rule.obligations.retain_days is None:
        zh = f"{dataset.id} 属有条件共享，却没有限定保存期限；请在 obligations 中写 retain_days"
        en = f"{dataset.id} is shared on conditions, but may be kept for ever; add retain_days to obligations"
        yield Finding.of(rule.at, Lint.RETENTION_MISSING, zh, en)


def _weak_masks(rule: Rule, dataset: Dataset, order: MaskOrder) -> Iterator[Finding]:
    """§5.3: below the floor of its level, not ranked, or no mask at all."""
    for level, floor in order.floors.items():
        levelled = [name for name in rule.fields if dataset.fields[name].level == level]
        weak = sorted(name for name in levelled if _is_weak(rule, name, floor, order))
        if weak:
            shown = [_masked(rule, name) for name in weak]
            zh = f"{level} 级数据项至少须用 {floor}，现为 {'、'.join(zh for zh, _ in shown)}；请改用更严的"
            en = f"a field of {level} needs {floor} or stricter, here: {', '.join(en for _, en in shown)}"
            yield Finding.of(rule.at, Lint.MASK_TOO_WEAK, zh, f"{en}; use a stricter mask")


def _is_weak(rule: Rule, field: str, floor: str, order: MaskOrder) -> bool:
    mask, wanted = rule.obligations.masks.get(field), order.strictness(floor)
    strictness = None if mask is None else order.strictness(mask.operator)
    return strictness is None or (wanted is not None and strictness < wanted)


def _masked(rule: Rule, field: str) -> tuple[str, str]:
    if (mask := rule.obligations.masks.get(field)) is None:
        return f"{field}（未脱敏）", f"{field} (no mask)"
    return f"{field}（{mask.operator}）", f"{field} ({mask.operator})"


def _too_small(rule: Rule, dataset: Dataset) -> Iterator[Finding]:
    """A row is about as many subjects as the dataset has subject fields, at most (§5.6)."""
    smallest, rows = rule.limits.minimum_group_size, rule.limits.rows_per_call
    bounds = [] if rows is None else [rows * max(len(dataset.subject_fields), 1)]
    if rule.limits.subjects_per_call is not None and not rule.rows.whole_dataset:
        bounds.append(rule.limits.subjects_per_call)
    if smallest is not None and bounds and min(bounds) < smallest:
        zh = f"一次最多涉及 {min(bounds)} 个对象，不足 {smallest} 个又不给出；请改 minimum_group_size"
        en = f"one call reaches at most {min(bounds)} subjects, fewer than {smallest} are never shown"
        yield Finding.of(rule.at, Lint.NEVER_RELEASES, zh, f"{en}; change minimum_group_size or the limits")


def _no_totals(rule: Rule) -> Iterator[Finding]:
    """§5.9 and §5.10: totals that nobody can ask for, or of groups that no call is large enough for."""
    totals, rows = rule.obligations.aggregate, rule.limits.rows_per_call
    if totals is None:
        return
    if not totals.named_subjects and not rule.rows.whole_dataset:
        zh = "只给整体汇总，却没有许可整体共享；请写 subjects: all，或 named_subjects: true"
        en = (
            "totals over the whole only, which it does not permit; add subjects: all, or named_subjects: true"
        )
        yield Finding.of(rule.at, Lint.NEVER_RELEASES, zh, en)
    if rows is not None and rows < totals.smallest_group:
        zh = f"一次最多 {rows} 行，不足 {totals.smallest_group} 人的组又不给出；请改 rows_per_call"
        en = f"at most {rows} rows a call, and no group of fewer than {totals.smallest_group} people is shown"
        yield Finding.of(rule.at, Lint.NEVER_RELEASES, zh, f"{en}; change rows_per_call")


def _another_retention(rule: Rule, catalog: Catalog) -> Iterator[Finding]:
    """What the consumer signs is not what the rule demands of it."""
    days = rule.obligations.retain_days
    for name in rule.obligations.commitments:
        signed = catalog.commitments[name].retain_days
        if signed is not None and signed != days:
            ruled = days or "不限"
            zh = f"责任状“{name}”写的是最多保存 {signed} 天，规则的 retain_days 是 {ruled}；请改成一致"
            en = f"the commitment “{name}” says {signed} days, the rule's retain_days {days or 'nothing'}"
            yield Finding.of(rule.at, Lint.COMMITMENT_DIFFERS, zh, f"{en}; make them the same")


def _has_grids(rule: Rule, catalog: Catalog) -> bool:
    return any(
        system.grids and (rule.systems is None or name in rule.systems)
        for department in (catalog.departments if rule.departments is None else rule.departments)
        for name, system in catalog.departments[department].systems.items()
    )


def _limits(rule: Rule) -> Iterator[Finding]:
    for small, large in _SMALLER_FIRST:
        first, second = getattr(rule.limits, small), getattr(rule.limits, large)
        if first is not None and second is not None and first > second:
            zh = f"{small} 为 {first}，大于 {large} 的 {second}，永远达不到；请改其一"
            en = f"{small} is {first}, more than {large} with {second}, and can never be reached; change one"
            yield Finding.of(rule.at, Lint.LIMIT_UNREACHABLE, zh, en)
