"""A bundle as an officer reads it: by dataset, who may see what, why, under which mask, until when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from dataclasses import fields as parts_of
from zoneinfo import ZoneInfo

from broker.approve.bundle import Bundle
from broker.approve.problem import DATASET, DEPARTMENT, PURPOSE, Code, Kind
from broker.approve.rule import Effect, Limits, Rows, Rule
from broker.authoring.facts import mask_facts
from broker.authoring.names import datasets, departments, resolve
from broker.authoring.sentences import conditions, demands, mask_words, period, sentence
from broker.model import Catalog, Dataset, Obligations, SharingAttribute
from broker.reasons import Sentence

RULE = Kind(Code.UNKNOWN_WORD, "规则", "rule")

EFFECTS = {
    Effect.PERMIT: Sentence("许可", "permit"),
    Effect.REVIEW: Sentence("人工审核", "review"),
    Effect.DENY: Sentence("禁止", "deny"),
    Effect.DELEGATE: Sentence("授权下级", "delegate"),
}
ATTRIBUTES = {
    SharingAttribute.UNCONDITIONAL: Sentence("无条件共享", "unconditional"),
    SharingAttribute.CONDITIONAL: Sentence("有条件共享", "conditional"),
    SharingAttribute.WITHHELD: Sentence("不予共享", "withheld"),
}
_NO_RULE = Sentence("没有规则，一律不给", "no rule: nothing is shared")
_WITHHELD = Sentence("任何规则都不能许可", "no rule can permit it")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rules to show; empty is any. Names are ids or titles; a rule's may lack its policy's."""

    department: str = ""
    """Provider or consumer."""
    dataset: str = ""
    purpose: str = ""
    rule: str = ""

    def within(self, bundle: Bundle) -> Wanted:
        """The same by ids.

        Raises:
            SetUpError: something of that name is not there; says which is nearest.
        """
        catalog = bundle.catalog
        rules = {rule.id: rule.id.partition("/")[2] for rule in _rules(bundle)}
        return Wanted(
            self.department and resolve(self.department, DEPARTMENT, departments(catalog)),
            self.dataset and resolve(self.dataset, DATASET, datasets(catalog)),
            self.purpose and resolve(self.purpose, PURPOSE, catalog.purposes),
            self.rule and resolve(self.rule, RULE, rules),
        )

    def includes(self, rule: Rule, catalog: Catalog) -> bool:
        """Whether ``rule`` is one of those; these names are ids."""
        return (
            self.rule in ("", rule.id)
            and self.dataset in ("", rule.dataset)
            and (not self.purpose or _holds(rule.purposes, self.purpose))
            and (
                not self.department
                or self.department == catalog.datasets[rule.dataset].department
                or _holds(rule.departments, self.department)
            )
        )


def selected(bundle: Bundle, wanted: Wanted) -> tuple[Rule, ...]:
    """The rules wanted, by dataset and id; raises as :meth:`Wanted.within`."""
    wanted = wanted.within(bundle)
    order = {name: place for place, name in enumerate(bundle.catalog.datasets)}
    found = (rule for rule in _rules(bundle) if wanted.includes(rule, bundle.catalog))
    return tuple(sorted(found, key=lambda rule: (order[rule.dataset], rule.id)))


def _rules(bundle: Bundle) -> Iterator[Rule]:
    """Those that are written, and the default permits of what is shared unconditionally."""
    for about in bundle.about.values():
        yield from about.rules


# ── for people ───────────────────────────────────────────────────────────────────────────────────


def page(rules: Iterable[Rule], catalog: Catalog, headed: Collection[str]) -> Iterator[str]:
    """The rules in lines, below the heading of their dataset; of ``headed`` those without rules as well."""
    by_dataset: dict[str, list[Rule]] = {name: [] for name in headed}
    for rule in rules:
        by_dataset.setdefault(rule.dataset, []).append(rule)
    for name, found in by_dataset.items():
        yield from _heading(catalog.datasets[name], catalog)
        if not found:
            is_withheld = catalog.datasets[name].sharing_attribute is SharingAttribute.WITHHELD
            yield f"  {_both(_WITHHELD if is_withheld else _NO_RULE)}"
        for rule in found:
            yield from _block(rule, catalog)
        yield ""


def spoken(rule: Rule, catalog: Catalog) -> Iterator[str]:
    """One rule as its sentence in both languages, and where it is written."""
    said = sentence(rule, catalog)
    yield f"{rule.id}  {_place(rule)}"
    yield f"  {said.zh}"
    yield f"  {said.en}"


def _heading(dataset: Dataset, catalog: Catalog) -> Iterator[str]:
    provider, attribute = catalog.departments[dataset.department], ATTRIBUTES[dataset.sharing_attribute]
    yield f"{dataset.title} {dataset.id}"
    yield f"  {provider.title} {provider.title_en} · {attribute.zh} {attribute.en}"


def _block(rule: Rule, catalog: Catalog) -> Iterator[str]:
    effect, zone = EFFECTS[rule.effect], ZoneInfo(catalog.zone)
    others = [*conditions(rule), *demands(rule, catalog)]
    yield ""
    yield f"  {effect.zh} {effect.en}  {rule.id}"
    yield from _labelled("谁 who", _names(rule.departments, departments(catalog)))
    yield from _labelled("为何 why", _names(rule.purposes, catalog.purposes))
    yield from _labelled("看什么 what", _fields(rule, catalog.datasets[rule.dataset]))
    yield from _labelled("何时 when", [_both(period(rule, zone))])
    yield from _labelled("另 also", [_both(said) for said in others])


def _labelled(label: str, lines: Iterable[str]) -> Iterator[str]:
    wide = sum(character > "\u2e80" for character in label)  # takes two columns in a terminal
    for line in lines:
        yield f"    {label:<{13 - wide}}{line}"
        label, wide = "", 0


def _names(names: Collection[str] | None, titles: Mapping[str, str]) -> Iterator[str]:
    if names is None:
        yield "不限 · any"
    yield from (f"{title} {name}" for name, title in titles.items() if names and name in names)


def _fields(rule: Rule, dataset: Dataset) -> Iterator[str]:
    masks = rule.obligations.masks
    for field in dataset.fields.values():
        if field.name in rule.fields:
            masked = f"（{_both(mask_words(masks[field.name]))}）" if field.name in masks else ""
            yield f"{field.title} {field.name}{masked}"


def _both(said: Sentence) -> str:
    return f"{said.zh} · {said.en}"


# ── for machines ─────────────────────────────────────────────────────────────────────────────────


def record(rule: Rule, catalog: Catalog) -> dict[str, object]:
    """The rule as JSON; ``null`` where everything is meant, a field's mask ``null`` where it has none."""
    duties, said = rule.obligations, sentence(rule, catalog)
    masks = {name: mask_facts(mask) for name, mask in duties.masks.items()}
    return {
        "id": rule.id,
        "effect": rule.effect,
        "owner": rule.owner,
        "scope": rule.scope,
        "dataset": rule.dataset,
        "fields": {name: masks.get(name) for name in sorted(rule.fields)},
        "departments": _sorted(rule.departments),
        "systems": _sorted(rule.systems),
        "purposes": _sorted(rule.purposes),
        "legal_basis": _sorted(rule.legal_basis),
        "valid_from": rule.valid_from,
        "valid_until": rule.valid_until,
        "standing_until": rule.standing_until,
        "rows": _given(rule.rows, Rows()),
        "limits": _given(rule.limits, Limits()),
        "obligations": _given(replace(duties, masks={}), Obligations()),
        "sentence": {"zh": said.zh, "en": said.en},
        "at": _place(rule),
    }


def _given(value: Rows | Limits | Obligations, nothing: Rows | Limits | Obligations) -> dict[str, object]:
    """What of ``value`` is not as in ``nothing``."""
    found = {part.name: getattr(value, part.name) for part in parts_of(value)}
    return {
        name: dict(one) if isinstance(one, Mapping) else one
        for name, one in found.items()
        if one != getattr(nothing, name)
    }


def _place(rule: Rule) -> str:
    return f"{rule.at.file}:{rule.at.line}" if rule.at.file else "（无条件共享的默认许可 default permit）"


def _sorted(names: Collection[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _holds(names: Collection[str] | None, name: str) -> bool:
    return names is None or name in names
