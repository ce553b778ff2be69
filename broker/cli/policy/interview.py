"""The questions of ``policy new`` in their order; the answers make a rule as its YAML says it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial

from broker.approve.bundle import Bundle
from broker.approve.masks import CheckMask
from broker.approve.problem import DATASET, DEPARTMENT, FIELD, PURPOSE, WORD, Code, Kind
from broker.approve.rule import Effect
from broker.authoring.masks import is_enough, mask_entry, mask_from, mask_text, ready_masks, ready_words
from broker.authoring.names import datasets, departments
from broker.authoring.new import Place, free, policies_of, policy_file, slug
from broker.authoring.sentences import mask_words
from broker.cli.policy import questions as ask
from broker.cli.policy.asking import Terminal, one_of
from broker.errors import SetUpError
from broker.model import Dataset, DepartmentKind, Field, Mask, SharingAttribute
from broker.reasons import Sentence
from broker.treatments import resolve

_MASK = Kind(Code.BAD_MASK, "脱敏方式", "mask")
_NO_MASK = "none"
_EFFECTS: Mapping[str, str] = {
    Effect.PERMIT: "许可",
    Effect.REVIEW: "转人工审核",
    Effect.DENY: "禁止",
    Effect.DELEGATE: "授权下级制定许可",
}
_DUTIES = {
    "signed_application": "须附签名的申请",
    "no_onward_sharing": "不得转供他人",
    "watermark": "结果带水印",
    "notify_subject": "须告知当事人",
    "countersignature": "须经提供部门会签",
}
_REVIEWERS = {"provider": "提供部门", "authority": "主管部门"}
_A_YEAR = timedelta(days=364)
"""From the first day to the last."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A rule to be written, and where."""

    place: Place
    heading: str
    """First line of a new file, as a comment."""
    entry: Mapping[str, object]
    remark: str


class Interview:
    """Asks for one rule about ``bundle``'s catalog."""

    def __init__(self, terminal: Terminal, bundle: Bundle, check_mask: CheckMask, today: date) -> None:
        self._terminal = terminal
        self._bundle = bundle
        self._catalog = bundle.catalog
        self._check_mask = check_mask
        self._today = today

    def answered(self) -> Answered:
        """The rule, when everything is answered; raises as :meth:`Terminal.read`."""
        terminal, titles = self._terminal, departments(self._catalog)
        owner = terminal.one(ask.OWNER, DEPARTMENT, titles)
        effect = Effect(terminal.one(ask.EFFECT, WORD, _EFFECTS, Effect.PERMIT))
        dataset = self._dataset(owner, effect)
        releases = effect in (Effect.PERMIT, Effect.DELEGATE)
        rule: dict[str, object] = {"effect": effect.value}
        fields = self._fields(dataset, releases)
        rule["what"] = {"dataset": dataset.id, "fields": _or_all(fields)}
        rule["who"] = self._who()
        rule |= self._why_and_when(releases)
        if releases:
            rule |= self._demands(dataset, fields)
        elif effect is Effect.REVIEW:
            rule["review"] = self._review()
        place, name = self._place(owner, dataset, rule)
        remark = terminal.read(ask.REMARK, _line, "")
        heading = f"{titles[owner]}对《{dataset.title}》的共享规则。"
        order = ("effect", "who", "what")
        entry = {"id": name, **{key: rule.pop(key) for key in order}, **rule}
        return Answered(place, heading, entry, remark)

    # ── what, who, why, when ──

    def _dataset(self, owner: str, effect: Effect) -> Dataset:
        own = {name: one.title for name, one in self._catalog.datasets.items() if one.department == owner}
        is_authority = self._catalog.departments[owner].kind is DepartmentKind.AUTHORITY
        titles = datasets(self._catalog) if is_authority or not own else own

        def parse(said: str) -> Dataset:
            found = self._catalog.datasets[one_of(said, DATASET, titles)]
            if found.sharing_attribute is SharingAttribute.WITHHELD and effect is Effect.PERMIT:
                raise SetUpError(
                    "该数据资源属不予共享类，任何规则都不能许可。",
                    "This dataset is withheld; no rule can permit it.",
                )
            return found

        return self._terminal.read(ask.DATASET, parse, titles=titles)

    def _fields(self, dataset: Dataset, releases: bool) -> tuple[str, ...] | None:
        open_ = {name: field for name, field in dataset.fields.items() if field.shared or not releases}
        titles = {name: field.title for name, field in open_.items()}
        shown = {name: f"{field.title}（{field.level}）" for name, field in open_.items()}
        return self._terminal.several(ask.FIELDS, FIELD, titles, shown=shown)

    def _who(self) -> dict[str, object]:
        catalog = self._catalog
        groups = {name: f"部门组（{len(members)} 个部门）" for name, members in catalog.groups.items()}
        chosen = self._terminal.several(ask.DEPARTMENTS, DEPARTMENT, {**departments(catalog), **groups})
        if chosen is None:
            return {"departments": "all"}
        who = {
            "departments": [name for name in chosen if name in catalog.departments],
            "groups": [name for name in chosen if name not in catalog.departments],
        }
        return {key: names for key, names in who.items() if names}

    def _why_and_when(self, releases: bool) -> dict[str, dict[str, object]]:
        terminal, optional = self._terminal, None if releases else ""
        purposes = terminal.several(
            ask.PURPOSES, PURPOSE, self._catalog.purposes, None if releases else "all"
        )
        why: dict[str, object] = {"purposes": _or_all(purposes)} if purposes or releases else {}
        if releases:
            why["legal_basis"] = self._legal_basis(purposes)
        first = terminal.read(ask.FROM, _day, self._today.isoformat() if releases else optional)

        def last_day(said: str) -> date | None:
            day = _day(said)
            if day and first and day < first:
                raise SetUpError("截止日早于起始日。", "The last day is before the first.")
            return day

        last = terminal.read(
            ask.UNTIL, last_day, (first + _A_YEAR).isoformat() if releases and first else optional
        )
        when = {"from": first and first.isoformat(), "until": last and last.isoformat()}
        stated: dict[str, dict[str, object]] = {
            "why": why,
            "when": {key: day for key, day in when.items() if day},
        }
        return {key: value for key, value in stated.items() if value}

    def _legal_basis(self, purposes: tuple[str, ...] | None) -> object:
        """Those of other rules for the same purposes are offered."""
        known = {
            basis: ""
            for rule in self._bundle.rules
            if rule.purposes and rule.purposes & set(purposes or ())
            for basis in sorted(rule.legal_basis or ())
        }

        def parse(said: str) -> object:
            parts = [part.strip() for part in re.split("[;；]", said) if part.strip()]
            bases = [one_of(part, WORD, known) if part.isdecimal() else _text(part) for part in parts]
            return "all" if bases == ["all"] else bases or _text("")

        return self._terminal.read(ask.LEGAL_BASIS, parse, titles=known)

    # ── what a permit demands ──

    def _demands(self, dataset: Dataset, fields: tuple[str, ...] | None) -> dict[str, object]:
        terminal = self._terminal
        rows: dict[str, object] = {}
        if dataset.region_field and terminal.yes(ask.DISTRICT, "y"):
            rows["district"] = "caller"
        if terminal.yes(ask.SUBJECTS, "n"):
            rows["subjects"] = "all"
        bounds = (ask.SUBJECTS_PER_CALL, ask.ROWS_PER_CALL, ask.CALLS_PER_DAY)
        limits = {one.option.replace("-", "_"): terminal.read(one, _count, "") for one in bounds}
        obligations: dict[str, object] = {"mask": self._masks(dataset, fields)}
        obligations["retain_days"] = terminal.read(ask.RETAIN_DAYS, _count, "30")
        duties = terminal.several(ask.DUTIES, WORD, _DUTIES, "", or_all=False) or ()
        obligations |= dict.fromkeys(duties, True)
        demands: dict[str, dict[str, object]] = {
            "rows": rows,
            "limits": {name: bound for name, bound in limits.items() if bound},
            "obligations": {name: duty for name, duty in obligations.items() if duty},
        }
        if dataset.sharing_attribute is SharingAttribute.CONDITIONAL:
            papers = (ask.APPLICATION_NO, ask.CONSUMER_HEAD, ask.PROVIDER_HEAD)
            demands["consent"] = {one.option.replace("-", "_"): terminal.read(one, _text) for one in papers}
        return {key: value for key, value in demands.items() if value}

    def _masks(self, dataset: Dataset, fields: tuple[str, ...] | None) -> dict[str, object]:
        names = fields or [name for name, field in dataset.fields.items() if field.shared]
        if self._terminal.is_given(ask.MASK):
            return self._terminal.read(ask.MASK, lambda said: self._given_masks(said, dataset, names))
        found = {name: self._mask(dataset.fields[name]) for name in names}
        return {name: mask for name, mask in found.items() if mask}

    def _given_masks(self, said: str, dataset: Dataset, names: Collection[str]) -> dict[str, object]:
        """``field=mask; field=mask``."""
        found: dict[str, object] = {}
        for part in filter(None, (part.strip() for part in re.split("[;；]", said))):
            name, _, words = part.partition("=")
            field = one_of(name.strip(), FIELD, {one: dataset.fields[one].title for one in names})
            if mask := self._checked(words.strip(), dataset.fields[field]):
                found[field] = mask
        return found

    def _mask(self, field: Field) -> object:
        """What is to be written for the field; None to release it as it is."""
        order = self._catalog.mask_order
        titles = {_NO_MASK: "原样给出 as it is"} if is_enough(None, field, order) else {}
        words = dict(ready_words(field, self._catalog.mask_profiles, self._check_mask, order))
        known = list(words.values())
        others = [mask for mask in ready_masks(field, self._check_mask, order) if mask not in known]
        for said, mask in (*words.items(), *((mask_text(mask), mask) for mask in others)):
            meant = mask_words(mask)
            titles[said] = f"{meant.zh} {meant.en} ·"
        about = f"{field.title} {field.name}（{field.level}）"
        question = replace(ask.MASK, zh=f"{about}{ask.MASK.zh}", en=f"{ask.MASK.en}")
        first = next(iter(titles), None)

        def parse(said: str) -> object:
            number = said.isdecimal()
            return self._checked(one_of(said, _MASK, titles) if number else said, field)

        return self._terminal.read(question, parse, first, titles)

    def _checked(self, words: str, field: Field) -> object:
        """The mask as it is to be written: a word, or an operator with parameters; None for none."""
        if words == _NO_MASK:
            return None
        mask: Mask | Sentence = mask_from(words)
        if "=" not in words:
            profiles, complain = self._catalog.mask_profiles, partial(self._check_mask, field)
            mask = resolve(words, field.format, field.type, field.level, profiles, complain)
        complaint = self._check_mask(field, mask) if isinstance(mask, Mask) else mask
        if complaint:
            raise SetUpError(f"脱敏方式不可用：{complaint.zh}", f"Unusable mask: {complaint.en}")
        return words if "=" not in words else mask_entry(mask_from(words))

    def _review(self) -> dict[str, object]:
        by = self._terminal.several(ask.REVIEW_BY, DEPARTMENT, _REVIEWERS, "provider", or_all=False)
        return {
            "by": list(by or ()),
            "count": self._terminal.read(ask.REVIEW_COUNT, _count, "1"),
            "within_working_days": self._terminal.read(ask.REVIEW_DAYS, _count, "5"),
        }

    # ── where ──

    def _place(self, owner: str, dataset: Dataset, rule: Mapping[str, object]) -> tuple[Place, str]:
        policies, taken = (
            policies_of(self._bundle, owner),
            {one.id.partition("/")[0] for one in self._bundle.rules},
        )
        about = [one.id.partition("/")[0] for one in self._bundle.rules if one.dataset == dataset.id]
        own = next((policy for policy in policies if policy in about), None)

        def policy_id(said: str) -> str:
            found = (
                list(policies)[int(said) - 1]
                if said.isdecimal() and 1 <= int(said) <= len(policies)
                else said
            )
            if found in taken and found not in policies:
                raise SetUpError("这是别的部门的策略编号。", "This is the id of another department's policy.")
            return _slug(found)

        fresh = free(slug(f"{dataset.id}-001"), taken)
        policy = self._terminal.read(ask.POLICY, policy_id, own or fresh, policies)
        rules = {one.id.partition("/")[2] for one in self._bundle.rules if one.id.startswith(f"{policy}/")}

        def rule_id(said: str) -> str:
            if said in rules:
                raise SetUpError("这份策略里已有此编号。", "The policy has a rule of that id.")
            return _slug(said)

        name = self._terminal.read(ask.RULE, rule_id, free(_named_after(rule), rules))
        return Place(policy, owner, policies.get(policy, policy_file(policy))), name


# ── forms of answers ─────────────────────────────────────────────────────────────────────────────


def _or_all(names: tuple[str, ...] | None) -> object:
    return "all" if names is None else list(names)


def _named_after(rule: Mapping[str, object]) -> str:
    why = rule.get("why")
    purposes = why.get("purposes") if isinstance(why, Mapping) else None
    return slug(str(purposes[0])) if isinstance(purposes, list) else str(rule["effect"])


def _day(said: str) -> date | None:
    """A day in any customary order of year, month, day; None for nothing."""
    if not said:
        return None
    numbers = re.fullmatch(r"([0-9]{4})\D+([0-9]{1,2})\D+([0-9]{1,2})\D?", said)
    try:
        if numbers:
            return date(*map(int, numbers.groups()))
    except ValueError:
        pass
    raise SetUpError("没有这一天，请写如 2026-01-31。", "There is no such day; write it like 2026-01-31.")


def _count(said: str) -> int | None:
    if said and not re.fullmatch("[1-9][0-9]{0,8}", said):
        raise SetUpError("须为 1 以上的整数。", "Write a whole number of at least 1.")
    return int(said) if said else None


def _line(said: str) -> str:
    if not said.isprintable():
        raise SetUpError("含不可见字符或全角空格。", "It holds an invisible character or a full-width space.")
    return said


def _text(said: str) -> str:
    if not said:
        raise SetUpError("请写明。", "Say it.")
    return _line(said)


def _slug(said: str) -> str:
    if not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", said):
        raise SetUpError("编号只用小写字母、数字、连字符。", "An id is of small letters, digits and -.")
    return said
