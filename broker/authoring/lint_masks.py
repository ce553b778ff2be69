"""Findings about masks: permits that contradict one another, and the authority's own words about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from itertools import product

from broker.approve.bundle import Bundle
from broker.approve.document import MappingNode, Node, SequenceNode, parse
from broker.approve.files import Files
from broker.approve.grammar import MASKING_FILE, PROFILES_FILE
from broker.approve.index import default_permit_id
from broker.approve.problem import Position, Problems
from broker.approve.rule import Effect, Rule
from broker.authoring.finding import Finding, Lint
from broker.authoring.lint_rules import Written, pairs, placed
from broker.model import CORE, IMPORTANT, Catalog, Dataset, Mask, MaskOrder, MaskProfile
from broker.treatments import meant, profile_for


def of_masks(
    bundle: Bundle, written: Written, files: Files, operators: Collection[str] | None
) -> Iterator[Finding]:
    """``written`` holds the rules that speak; ``files`` tell places; ``operators`` are those that policies
    may use, None where that is not known."""
    catalog = bundle.catalog
    for dataset_id, about in bundle.about.items():
        dataset = catalog.datasets[dataset_id]
        permits = [rule for rule in about.rules if rule.effect is Effect.PERMIT and rule.obligations.masks]
        alive = [rule for rule in permits if rule.id in written]
        yield from _contradictions(alive, dataset, catalog)
        if default := about.by_id.get(default_permit_id(dataset_id)):
            yield from _against_default(alive, default, catalog.mask_order)
    yield from _unknown(catalog.mask_order, operators, Places(MASKING_FILE.path, files))
    yield from _profiles(catalog, Places(PROFILES_FILE.path, files))


# ── permits ──────────────────────────────────────────────────────────────────────────────────────


def _contradictions(permits: Collection[Rule], dataset: Dataset, catalog: Catalog) -> Iterator[Finding]:
    order = catalog.mask_order
    demanded: defaultdict[str, dict[str, Mask]] = defaultdict(dict)
    for rule in permits:
        for field, mask in rule.obligations.masks.items():
            demanded[field].setdefault(repr(mask), mask)
    disputed = {
        field: masks
        for field, masks in demanded.items()
        if any(_unordered(one, other, order) for one, other in product(masks.values(), repeat=2))
    }
    for field in sorted(disputed):
        concerned = [rule for rule in permits if field in rule.obligations.masks and field in rule.fields]
        for rule, other in pairs(concerned, partial(_disagree, field, order)):
            one, another = rule.obligations.masks[field], other.obligations.masks[field]
            masks, word = (one.operator, another.operator), _word(one, another, field, dataset, catalog)
            zh = f"{field} 的脱敏与 {placed((other,))} 矛盾（{masks[0]}、{masks[1]}），同时适用就不同意"
            en = f"its mask of {field} contradicts that of {placed((other,))} ({masks[0]}, {masks[1]}); "
            en = f"{en}where both apply the answer is always deny; "
            cure_zh, cure_en = "请改成同一种", "agree on one"
            if word:
                cure_zh, cure_en = f"请都写方案里的 {word}", f"write the profile's {word} in both"
            yield Finding.of(rule.at, Lint.MASKS_CONTRADICT, f"{zh}；{cure_zh}", f"{en}{cure_en}")


def _word(one: Mask, other: Mask, field: str, dataset: Dataset, catalog: Catalog) -> str:
    """The treatment of the field's profile that both may have meant: of their operator."""
    about = dataset.fields[field]
    profile = profile_for(about.format, about.type, catalog.mask_profiles)
    meant = [word for word, mask in profile.treatments.items() if mask.operator == one.operator]
    return meant[0] if meant and one.operator == other.operator else ""


def _against_default(permits: Collection[Rule], default: Rule, order: MaskOrder) -> Iterator[Finding]:
    """§2.9: the default permit speaks to everybody who names subjects, under the floors."""
    for rule in permits:
        for field, mask in rule.obligations.masks.items():
            floor = default.obligations.masks.get(field)
            if floor is not None and _unordered(mask, floor, order):
                name = floor.operator
                zh = f"{field} 的脱敏与默认许可的 {name}（分级下限）矛盾，写明查询对象时总不同意"
                en = (
                    f"its mask of {field} contradicts {name} of the default permit (the level's floor); with "
                )
                zh = f"{zh}；请只写 {name}，或改用更严的"
                en = f"{en}subjects named the answer is always deny; write {name} alone, or a stricter one"
                yield Finding.of(rule.at, Lint.DEFAULT_CONTRADICTS, zh, en)


def _disagree(field: str, order: MaskOrder, one: Rule, other: Rule) -> bool:
    return _unordered(one.obligations.masks[field], other.obligations.masks[field], order)


def _unordered(one: Mask, other: Mask, order: MaskOrder) -> bool:
    """§5.2: neither is the stricter."""
    if one == other:
        return False
    return (
        one.operator == other.operator
        or order.strictness(one.operator) is None
        or order.strictness(other.operator) is None
    )


# ── the authority's files ────────────────────────────────────────────────────────────────────────


def _unknown(order: MaskOrder, operators: Collection[str] | None, places: Places) -> Iterator[Finding]:
    for name in order.operators if operators is not None else ():
        if operators is not None and name not in operators:
            zh = f"没有可用的脱敏方式“{name}”（未安装，或设置不允许），排在这里不起作用；请删去或安装"
            en = f"no operator “{name}” is installed and allowed, so its place is idle; remove or install it"
            yield Finding.of(places.of("order", name), Lint.ORDER_UNKNOWN, zh, en)


def _profiles(catalog: Catalog, places: Places) -> Iterator[Finding]:
    used = [
        profile_for(field.format, field.type, catalog.mask_profiles)
        for dataset in catalog.datasets.values()
        for field in dataset.fields.values()
    ]
    unused = [kind for kind, one in catalog.mask_profiles.items() if not any(one is other for other in used)]
    if unused:
        zh = f"目录里没有数据项用到 {'、'.join(unused)} 的方案；留着以后用，或删去"
        en = f"no field of the catalog has the profile of {', '.join(unused)}; keep for later, or remove"
        yield Finding.of(places.of("profiles"), Lint.PROFILE_UNUSED, zh, en)
    for kind, profile in catalog.mask_profiles.items():
        for level, complaint in _weak_levels(profile, catalog).items():
            zh, en = complaint
            at = places.of("profiles", kind, "levels", level)
            yield Finding.of(
                at, Lint.PROFILE_TOO_WEAK, f"{zh}；请改用更严的做法", f"{en}; use a stricter treatment"
            )


def _weak_levels(profile: MaskProfile, catalog: Catalog) -> Mapping[str, tuple[str, str]]:
    """Level → why the treatment written for it is too weak: below the floor, or below a lower level's."""
    order, strictest = catalog.mask_order, -1
    found: dict[str, tuple[str, str]] = {}
    for level in (*catalog.levels, IMPORTANT, CORE):
        if (word := profile.levels.get(level)) is None:
            continue
        operator = meant(word, profile).operator
        strictness, floor = order.strictness(operator), order.floors.get(level)
        least = order.strictness(floor) if floor else None
        if floor and (strictness is None or (least is not None and strictness < least)):
            found[level] = (
                f"{level} 级至少须用 {floor}，方案却写 {word}（{operator}）",
                f"{level} needs {floor} or stricter, the profile has {word} ({operator})",
            )
        elif strictness is not None and strictness < strictest:
            found[level] = (
                f"{level} 级的做法 {word}（{operator}）弱于较低一级的",
                f"{word} ({operator}) of {level} is weaker than the treatment of a lower level",
            )
        strictest = max(strictest, -1 if strictness is None else strictness)
    return found


class Places:
    """Where something stands in a file, as far as the file is at hand."""

    def __init__(self, file: str, files: Files) -> None:
        self._file = file
        self._root = parse(files[file], file, Problems()) if file in files else None

    def of(self, *path: str) -> Position:
        """The place of the last key, or item of a list, on ``path``."""
        at, node = Position(self._file), self._root
        for name in path:
            found = _within(node, name)
            if found is None:
                return at
            at, node = found
        return at


def _within(node: Node | None, name: str) -> tuple[Position, Node] | None:
    if isinstance(node, MappingNode) and name in node.entries:
        key, value = node.entries[name]
        return key.at, value
    if isinstance(node, SequenceNode):
        return next(((item.at, item) for item in node.items if getattr(item, "value", None) == name), None)
    return None
