"""A rule in words: what an officer reads to know what it does, in Chinese and in English.

Names in Chinese are the catalog's titles; in English, where the catalog has none but for departments, ids.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from broker.approve.rule import NEVER, Effect, Limits, Rows, Rule, WorkingHours
from broker.authoring import groups
from broker.model import Catalog, Dataset, Mask, Obligations, ReviewBy
from broker.reasons import Sentence

MOST_NAMES = 6
"""So many departments are named; of more, the first of them and their number."""

_WEEKDAYS = tuple(zip("一二三四五六日", ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))
_ASKS = {
    "eq": ("等于", "equal to"),
    "ne": ("不等于", "other than"),
    "ge": ("不小于", "at least"),
    "gt": ("大于", "more than"),
    "le": ("不大于", "at most"),
    "lt": ("小于", "less than"),
    "in": ("属于", "one of"),
}
_REGIONS = {"province": "省", "city": "市", "district": "区县"}


def sentence(rule: Rule, catalog: Catalog) -> Sentence:
    """What ``rule`` does, whole: who may see what, why, when, which rows, how much, and what they owe for it.

    The rule's names must be those of ``catalog``.
    """
    days = period(rule, ZoneInfo(catalog.zone))
    valid = Sentence(f"有效期 {days.zh}", f"valid {days.en}")
    dated = [valid] if rule.valid_from or rule.valid_until else []
    parts = [_effect(rule, catalog), *dated, *conditions(rule), *demands(rule, catalog)]
    return Sentence("；".join(part.zh for part in parts) + "。", "; ".join(part.en for part in parts) + ".")


def consumers(departments: Collection[str] | None, catalog: Catalog) -> Sentence:
    """Departments by name; None is every one."""
    if departments is None:
        return Sentence("任何部门", "any department")
    found = [department for name, department in catalog.departments.items() if name in departments]
    zh, en = "、".join(d.title for d in found[:MOST_NAMES]), ", ".join(d.title_en for d in found[:MOST_NAMES])
    if len(found) <= MOST_NAMES:
        return Sentence(zh, en)
    return Sentence(f"{zh} 等 {len(found)} 个部门", f"{en} and {len(found) - MOST_NAMES} more departments")


def purposes(names: Collection[str] | None, catalog: Catalog) -> Sentence:
    """Purposes by name; None is every one."""
    if names is None:
        return Sentence("任何使用场景", "any purpose")
    found = [name for name in catalog.purposes if name in names]
    return Sentence("、".join(f"“{catalog.purposes[name]}”" for name in found), ", ".join(found))


def fields(rule: Rule, dataset: Dataset) -> Sentence:
    """The fields, each with its mask; all of them by that word when none is left out."""
    masks = rule.obligations.masks
    reachable = {name for name, field in dataset.fields.items() if field.shared or not _releases(rule)}
    if reachable <= rule.fields:
        masked = _listed(masks, masks, dataset)
        zh, en = "全部数据项", "every field"
        return Sentence(f"{zh}（{masked.zh}）", f"{en} ({masked.en})") if masks else Sentence(zh, en)
    return _listed(rule.fields, masks, dataset)


def mask_words(mask: Mask) -> Sentence:
    """What is left of a value under ``mask``. One of an operator that others have added goes by its name."""
    describe = _MASKS.get(mask.operator)
    if describe is None:
        return Sentence(f"以 {mask.operator} 脱敏", f"masked by {mask.operator}")
    return describe(mask.params)


def period(rule: Rule, zone: ZoneInfo) -> Sentence:
    """The days on which the rule is in force, first and last included."""
    first = _day(rule.valid_from, zone)
    last = _day(rule.valid_until - timedelta(microseconds=1) if rule.valid_until else None, zone)
    if first and last:
        return Sentence(f"{first} 至 {last}", f"from {first} to {last}")
    if first or last:
        return (
            Sentence(f"{first} 起", f"from {first} on") if first else Sentence(f"至 {last}", f"until {last}")
        )
    return Sentence("不限期", "without end")


def conditions(rule: Rule) -> Iterator[Sentence]:
    """What must hold beside department, purpose, fields and days."""
    if rule.systems is not None:
        names = ", ".join(sorted(rule.systems))
        yield Sentence(f"只限系统 {names}", f"only the systems {names}")
    if rule.legal_basis is not None:
        bases = sorted(rule.legal_basis)
        yield Sentence(f"依据：{'、'.join(bases)}", f"on the basis of {', '.join(bases)}")
    if rule.working_hours is not None:
        yield _working_hours(rule.working_hours)
    if rule.expression is not None:
        yield Sentence(f"并须满足 {rule.expression.source}", f"only if {rule.expression.source}")


def demands(rule: Rule, catalog: Catalog) -> Iterator[Sentence]:
    """Rows, limits and duties under which it releases, and who reviews."""
    yield from _rows(rule.rows, catalog.datasets[rule.dataset])
    yield from limits(rule.limits)
    yield from duties(rule.obligations)
    yield from groups.words(rule.obligations, catalog.datasets[rule.dataset])
    if rule.review is not None:
        yield review(rule.review, catalog)
    if rule.consent is not None:
        number = rule.consent.application_no
        yield Sentence(f"依据共享申请 {number}", f"under application {number}")
    if rule.standing_until == NEVER:
        yield Sentence("没有预先审核同意", "without a standing approval")
    elif rule.standing_until is not None:
        last = _day(rule.standing_until - timedelta(microseconds=1), ZoneInfo(catalog.zone))
        yield Sentence(f"预先审核同意至 {last} 止", f"standing approval until {last}")


# ── what it does ─────────────────────────────────────────────────────────────────────────────────


def _effect(rule: Rule, catalog: Catalog) -> Sentence:
    dataset = catalog.datasets[rule.dataset]
    owner = catalog.departments[rule.owner or dataset.department]
    who, why, what = (
        consumers(rule.departments, catalog),
        purposes(rule.purposes, catalog),
        fields(rule, dataset),
    )
    zh = f"{who.zh}为{why.zh}查看《{dataset.title}》的{what.zh}"
    en = f"{what.en} of {dataset.id} for {why.en}"
    match rule.effect:
        case Effect.PERMIT:
            return Sentence(f"{owner.title}许可{zh}", f"{owner.title_en} permits {who.en} to see {en}")
        case Effect.DENY:
            return Sentence(f"{owner.title}禁止{zh}", f"{owner.title_en} forbids {who.en} to see {en}")
        case Effect.REVIEW:
            return Sentence(
                f"{owner.title}要求人工审核：{zh}",
                f"{owner.title_en} demands a person's review when {who.en} asks for {en}",
            )
        case Effect.DELEGATE:
            return Sentence(
                f"{owner.title}授权下级制定规则，可许可{zh}",
                f"{owner.title_en} lets lower scopes permit {who.en} to see {en}",
            )


def _releases(rule: Rule) -> bool:
    return rule.effect in (Effect.PERMIT, Effect.DELEGATE)


def _listed(names: Collection[str], masks: Mapping[str, Mask], dataset: Dataset) -> Sentence:
    """Fields in the catalog's order."""
    zh, en = [], []
    for field in dataset.fields.values():
        if field.name not in names:
            continue
        words = mask_words(masks[field.name]) if field.name in masks else None
        zh.append(f"{field.title}（{words.zh}）" if words else field.title)
        en.append(f"{field.name} ({words.en})" if words else field.name)
    return Sentence("、".join(zh), ", ".join(en))


# ── masks ────────────────────────────────────────────────────────────────────────────────────────


_DISPLAYS = {
    "name": ("只留姓", "surname kept"),
    "mobile": ("只留前 3 位、后 4 位", "first 3 and last 4 kept"),
    "phone": ("只留区号、后 2 位", "area code and last 2 kept"),
    "bank_card": ("只留后 4 位", "last 4 kept"),
    "resident_id": ("只留前 1 位、后 1 位", "first 1 and last 1 kept"),
    "uscc": ("只留前 2 位、后 4 位", "first 2 and last 4 kept"),
    "address": ("只留到区县", "kept to the district"),
    "email": ("只留首字符和域名", "first character and domain kept"),
}


def _partial(params: Mapping[str, object]) -> Sentence:
    if profile := params.get("profile"):
        return Sentence(*_DISPLAYS.get(str(profile), (str(profile), str(profile))))
    start, end = params.get("keep_start", 0), params.get("keep_end", 0)
    kept = [(f"前 {start} 位", f"first {start}")] if start else []
    kept += [(f"后 {end} 位", f"last {end}")] if end else []
    return Sentence(f"只留{'、'.join(zh for zh, _ in kept)}", f"{' and '.join(en for _, en in kept)} kept")


def _region(params: Mapping[str, object]) -> Sentence:
    level = str(params.get("to"))
    return Sentence(f"只到{_REGIONS.get(level, level)}", f"{level} only")


def _predicate(params: Mapping[str, object]) -> Sentence:
    op, value = str(params.get("op")), params.get("value")
    if op not in _ASKS:
        return Sentence("只答有无", "only whether there is one")
    written = [str(one) for one in value] if isinstance(value, tuple) else [str(value)]
    zh, en = _ASKS[op]
    return Sentence(f"只答是否{zh} {'、'.join(written)}", f"only whether {en} {', '.join(written)}")


def _clip(params: Mapping[str, object]) -> Sentence:
    bounds = [("下限", "at least", params.get("low")), ("上限", "at most", params.get("high"))]
    given = [(zh, en, bound) for zh, en, bound in bounds if bound is not None]
    return Sentence(
        f"{'、'.join(f'{zh} {bound}' for zh, _, bound in given)}，超出的按限给",
        f"shown as {' and '.join(f'{en} {bound}' for _, en, bound in given)}",
    )


def _category(params: Mapping[str, object]) -> Sentence:
    categories = params.get("map")
    given = [*(categories.values() if isinstance(categories, Mapping) else ()), params.get("otherwise")]
    distinct = list(dict.fromkeys(str(one) for one in given if one is not None))
    shown, more = distinct[:MOST_NAMES], len(distinct) > MOST_NAMES
    return Sentence(
        f"只答属于 {'、'.join(shown)}{' 等' if more else ''} 中的哪一类",
        f"only which of {', '.join(shown)}{' and others' if more else ''}",
    )


_MASKS: Mapping[str, Callable[[Mapping[str, object]], Sentence]] = {
    "redact": lambda _: Sentence("全部遮盖", "blanked"),
    "pseudonym": lambda _: Sentence("换成假名", "pseudonym"),
    "year": lambda _: Sentence("只留年份", "year only"),
    "partial": _partial,
    "region": _region,
    "predicate": _predicate,
    "constant": lambda params: Sentence(f"一律给“{params.get('value')}”", f"always “{params.get('value')}”"),
    "truncate": lambda params: Sentence(
        f"只留前 {params.get('keep')} 个字", f"first {params.get('keep')} only, of longer texts"
    ),
    "month": lambda _: Sentence("只留年月", "year and month only"),
    "age_band": lambda params: Sentence(
        f"只给 {params.get('at')} 的年龄段（每 {params.get('width', 10)} 岁）",
        f"age band of {params.get('width', 10)} years on {params.get('at')}",
    ),
    "bucket": lambda params: Sentence(
        f"只给所在档次（每档 {params.get('width')}）", f"only the bucket of {params.get('width')}"
    ),
    "round": lambda params: Sentence(f"按 {params.get('to')} 取整", f"rounded to {params.get('to')}"),
    "clip": _clip,
    "token": lambda _: Sentence("换成可逆令牌", "reversible token"),
    "encrypt": lambda _: Sentence("加密", "encrypted"),
    "category": _category,
    "date_shift": lambda params: Sentence(
        f"按人平移至多 {params.get('days')} 天",
        f"a person's dates moved alike, by at most {params.get('days')} days",
    ),
    "match": lambda _: Sentence("只答与需求方所称是否一致", "only whether it is what the consumer says"),
}


# ── conditions and demands ───────────────────────────────────────────────────────────────────────


def _working_hours(hours: WorkingHours) -> Sentence:
    zh, en = [], []
    if hours.calendar is not None:
        zh.append("工作日")
        en.append("working days")
    if hours.weekdays is not None:
        zh.append("".join(f"周{_WEEKDAYS[day][0]}" for day in sorted(hours.weekdays)))
        en.append(", ".join(_WEEKDAYS[day][1] for day in sorted(hours.weekdays)))
    ranges = [f"{first:%H:%M}–{last:%H:%M}" for first, last in hours.hours]
    return Sentence(f"只限 {' '.join([*zh, *ranges])}", f"only {' '.join([*en, *ranges])}")


def _rows(rows: Rows, dataset: Dataset) -> Iterator[Sentence]:
    if rows.own_region:
        yield Sentence("只给调用方本辖区的数据", "only rows of the caller's own region")
    if rows.own_grid:
        yield Sentence("只给调用方本网格的数据", "only rows of the caller's own grids")
    for name, values in rows.lists.items():
        field = dataset.fields[name]
        yield Sentence(
            f"只给{field.title}为 {'、'.join(values)} 的数据",
            f"only rows whose {name} is {' or '.join(values)}",
        )
    if rows.whole_dataset:
        yield Sentence("可不写明查询对象，整体共享", "also without naming subjects, the whole dataset")


_BOUNDS = {
    "rows_per_call": ("每次最多 {} 行", "at most {} a call", "row"),
    "subjects_per_call": ("每次最多 {} 个查询对象", "at most {} a call", "subject"),
    "calls_per_day": ("每日最多 {} 次", "at most {} a day", "call"),
    "rows_per_day": ("每日最多 {} 行", "at most {} a day", "row"),
    "calls_per_month": ("每月最多 {} 次", "at most {} a month", "call"),
    "rows_per_month": ("每月最多 {} 行", "at most {} a month", "row"),
    "matches_per_subject_per_day": (
        "对同一人每日最多比对 {} 次",
        "at most {} of one subject a day",
        "comparison",
    ),
    "minimum_group_size": ("不足 {} 人的结果不给", "nothing about fewer than {}", "subject"),
}


def limits(bounds: Limits) -> Iterator[Sentence]:
    """Each bound that is given."""
    for name, (zh, en, noun) in _BOUNDS.items():
        if (bound := getattr(bounds, name)) is not None:
            yield Sentence(zh.format(bound), en.format(_count(bound, noun)))


_DUTIES = {
    "signed_application": ("须附签名的申请", "a signed application is demanded"),
    "no_onward_sharing": ("不得转供他人", "not to be passed on"),
    "watermark": ("结果带水印", "what is handed over is watermarked"),
    "notify_subject": ("须告知当事人", "the citizen must be told"),
    "countersignature": ("须经提供部门会签", "with the provider's countersignature"),
}


def duties(obligations: Obligations) -> Iterator[Sentence]:
    """What is owed for the data beside their masks."""
    if (days := obligations.retain_days) is not None:
        yield Sentence(f"最多保存 {days} 天", f"kept for at most {_count(days, 'day')}")
    if (hours := obligations.acknowledge_hours) is not None:
        yield Sentence(f"{hours} 小时内确认收到", f"receipt acknowledged within {_count(hours, 'hour')}")
    for template in obligations.commitments:
        yield Sentence(f"须签数据使用责任状“{template}”", f"the use commitment “{template}” must be signed")
    for name, duty in _DUTIES.items():
        if getattr(obligations, name):
            yield Sentence(*duty)


def review(wanted: ReviewBy, catalog: Catalog) -> Sentence:
    """Who reviews, how many, how soon."""
    who = consumers(wanted.departments, catalog)
    zh, en = f"由{who.zh}的 {wanted.count} 人审核", f"reviewed by {wanted.count} of {who.en}"
    if (days := wanted.within_working_days) is not None:
        zh, en = f"{zh}，{days} 个工作日内", f"{en} within {_count(days, 'working day')}"
    return Sentence(zh, en)


def _day(instant: datetime | None, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).date().isoformat() if instant else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
