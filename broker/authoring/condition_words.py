"""Conditions and demands of a release in words, Chinese and English."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from broker.approve.rule import Limits
from broker.authoring.conditions import ANY, Conditions, Names
from broker.authoring.moments import Clock, Day, Period
from broker.authoring.release import CALLER, DUTIES, Release, RowLimit
from broker.authoring.sentences import mask_words
from broker.model import ReviewBy
from broker.reasons import Sentence

Called = Callable[[str], Sentence]
"""What the department, or the field of the dataset in question, of that id is called."""
ABOUT = {
    "mask": Sentence("脱敏", "mask"),
    "rows": Sentence("行的范围", "rows"),
    "review": Sentence("人工审核", "review by a person"),
    "reviewers": Sentence("审核人", "reviewers"),
    "when_expr": Sentence("条件表达式", "expression"),
    "when": Sentence("时区", "zone of the hours"),
    "quota": Sentence("额度的计法", "how the quota is counted"),
    "rows_per_call": Sentence("每次行数", "rows a call"),
    "subjects_per_call": Sentence("每次对象数", "subjects a call"),
    "calls_per_day": Sentence("每日次数", "calls a day"),
    "rows_per_day": Sentence("每日行数", "rows a day"),
    "calls_per_month": Sentence("每月次数", "calls a month"),
    "rows_per_month": Sentence("每月行数", "rows a month"),
    "matches_per_subject_per_day": Sentence("每人每日比对次数", "comparisons of one subject a day"),
    "minimum_group_size": Sentence("最小人数", "smallest group"),
    "k_anonymity": Sentence("k-匿名", "k-anonymity"),
    "aggregate": Sentence("只给汇总", "totals only"),
    "retain_days": Sentence("保存天数", "days kept"),
    "acknowledge_hours": Sentence("确认收到的时限（小时）", "hours to acknowledge"),
    "commitments": Sentence("数据使用责任状", "use commitments"),
    "signed_application": Sentence("签名申请", "signed application"),
    "no_onward_sharing": Sentence("不得转供", "no onward sharing"),
    "watermark": Sentence("水印", "watermark"),
    "notify_subject": Sentence("告知当事人", "notice to the citizen"),
    "countersignature": Sentence("提供部门会签", "provider's countersignature"),
}
"""What a :class:`~broker.authoring.difference.Change` can be about."""
_WEEKDAYS = tuple(zip("一二三四五六日", ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))
_WORKED = {
    True: Sentence("工作日", "working day"),
    False: Sentence("非工作日", "day off"),
    None: Sentence("日历未公布的日子", "day of a year without calendar"),
}


def joined(parts: list[Sentence]) -> Sentence:
    return Sentence("；".join(part.zh for part in parts), "; ".join(part.en for part in parts))


def when_words(when: Conditions, zone: ZoneInfo) -> list[Sentence]:
    """When something holds; nothing for always. That subjects are named goes without saying."""
    return [*_names(when), *_times(when, zone), *_subjects(when), *_expressions(when)]


def release_words(release: Release, called: Called) -> list[Sentence]:
    """How one field is released: mask first, then review, rows, limits and duties; never empty."""
    return [mask_of(release), *demand_words(release, called)]


def mask_of(release: Release) -> Sentence:
    return mask_words(release.mask.mask) if release.mask else Sentence("原样", "as it is")


def demand_words(release: Release, called: Called) -> Iterator[Sentence]:
    """All but the mask."""
    if release.review:
        who = reviews_words(release.reviews, called)
        yield (
            Sentence(f"须人工审核（{who.zh}）", f"reviewed by a person ({who.en})")
            if release.reviews
            else Sentence("须人工审核", "reviewed by a person")
        )
    if release.rows:
        rows = rows_words(release.rows, called)
        yield Sentence(f"只给{rows.zh}的行", f"only rows {rows.en}")
    for part in fields(Limits):
        if (bound := getattr(release.limits, part.name)) is not None:
            yield _said(part.name, str(bound))
    for name in ("retain_days", "acknowledge_hours"):
        if (bound := getattr(release, name)) is not None:
            yield _said(name, str(bound))
    for template in sorted(release.commitments):
        yield _said("commitments", template)
    for duty in DUTIES:
        if duty in release.duties:
            yield ABOUT[duty]


def rows_words(rows: tuple[RowLimit, ...], called: Called) -> Sentence:
    """Which rows: of the caller's own region, of its own grids, or with listed values."""
    said = [_row_words(row, called) for row in rows]
    return Sentence("、且".join(one.zh for one in said), " and ".join(one.en for one in said))


def _row_words(row: RowLimit, called: Called) -> Sentence:
    if row.values == (CALLER,):
        return _OWN[row.kind]
    title = called(row.field)
    if row.kind == "region":
        return Sentence(f"{title.zh}属于 {row.values[0]}", f"whose {title.en} lies in {row.values[0]}")
    return Sentence(f"{title.zh}为 {'、'.join(row.values)}", f"whose {title.en} is {' or '.join(row.values)}")


_OWN = {
    "region": Sentence("需求部门本辖区", "of the caller's own region"),
    "list": Sentence("需求部门本网格", "of the caller's own grids"),
}


def reviews_words(reviews: frozenset[ReviewBy], called: Called) -> Sentence:
    """Whose officers, how many and how soon; the same order whenever it is told."""
    ordered = sorted(reviews, key=lambda one: (sorted(one.departments), one.count, str(one)))
    said = [_review_words(one, called) for one in ordered]
    return Sentence("，并".join(one.zh for one in said), " and ".join(one.en for one in said))


def _review_words(review: ReviewBy, called: Called) -> Sentence:
    names = [called(name) for name in sorted(review.departments)]
    who = Sentence("、".join(name.zh for name in names), ", ".join(name.en for name in names))
    zh, en = f"由{who.zh}的 {review.count} 人", f"{review.count} of {who.en}"
    if (days := review.within_working_days) is not None:
        zh, en = f"{zh}，{days} 个工作日内", f"{en} within {days} working day{'s' if days > 1 else ''}"
    if not review.never_own:
        zh, en = f"{zh}，可以是需求部门自己的人", f"{en}, the asking department's own too"
    return Sentence(zh, en)


def _said(about: str, value: str) -> Sentence:
    return Sentence(f"{ABOUT[about].zh} {value}", f"{ABOUT[about].en} {value}")


def _names(when: Conditions) -> Iterator[Sentence]:
    for names, (zh, en) in (
        (when.legal_basis, ("依据", "legal basis")),
        (when.systems, ("系统", "system")),
    ):
        if names != ANY:
            yield _listed(names, zh, en)


def _listed(names: Names, zh: str, en: str) -> Sentence:
    listed = sorted(names.listed)
    if names.but:
        return Sentence(f"{zh}不是 {'、'.join(listed)}", f"{en} other than {', '.join(listed)}")
    return Sentence(f"{zh}：{'、'.join(listed)}", f"{en}: {', '.join(listed)}")


def _times(when: Conditions, zone: ZoneInfo) -> Iterator[Sentence]:
    if when.periods != ((None, None),):
        periods = [period_words(period, zone) for period in when.periods]
        yield Sentence("、".join(p.zh for p in periods), ", ".join(p.en for p in periods))
    if when.days is not None and (days := _days(when.days)):
        yield days
    if when.clock != ((time(), None),):
        spans = ", ".join(_span(span) for span in when.clock)
        yield Sentence(spans, spans)


def period_words(period: Period, zone: ZoneInfo) -> Sentence:
    """Days of ``zone``, first and last included."""
    first = _instant(period[0], zone)
    last = _instant(period[1], zone, last=True)
    if first and last:
        return Sentence(f"{first} 至 {last}", f"{first} to {last}")
    return Sentence(f"{first} 起", f"from {first}") if first else Sentence(f"至 {last}", f"until {last}")


def _instant(instant: datetime | None, zone: ZoneInfo, *, last: bool = False) -> str:
    if instant is None:
        return ""
    local = instant.astimezone(zone)
    if local.time() != time():
        return f"{local:%Y-%m-%d %H:%M}"
    return (local - timedelta(days=1) if last else local).date().isoformat()


def _span(span: Clock) -> str:
    first, last = span
    return f"{first:%H:%M}–{last:%H:%M}" if last else f"{first:%H:%M}–24:00"


def _days(days: frozenset[Day]) -> Sentence | None:
    """The kinds of days, by what the calendars say of them; of two calendars the older first."""
    by_kind: dict[tuple[bool | None, ...], set[int]] = {}
    for day in days:
        by_kind.setdefault(day.working, set()).add(day.weekday)
    if len(days) == len(_WEEKDAYS) and len(by_kind) == 1 and () in by_kind:
        return None
    zh, en = [], []
    for kind, weekdays in sorted(by_kind.items(), key=str):
        words = [_WORKED[worked] for worked in kind]
        whole = len(weekdays) == len(_WEEKDAYS)
        named = [] if whole and words else [_WEEKDAYS[day] for day in sorted(weekdays)]
        zh.append("→".join(w.zh for w in words) + "".join(f"周{name}" for name, _ in named))
        en.append(" ".join([" → ".join(w.en for w in words), *(name for _, name in named)]).strip())
    return Sentence("、".join(zh), ", ".join(en))


def _subjects(when: Conditions) -> Iterator[Sentence]:
    if when.whole and when.named:
        yield Sentence("包括整体共享", "also of the whole dataset")
    elif when.whole:
        yield Sentence("整体共享时", "when the whole dataset is asked for")


def _expressions(when: Conditions) -> Iterator[Sentence]:
    for source, truths in when.expressions:
        if truths == {True}:
            yield Sentence(f"满足 {source}", f"if {source}")
        elif truths == {None}:
            yield Sentence(f"无法判定是否满足 {source}", f"if it cannot be told whether {source}")
        elif True not in truths:
            yield Sentence(f"不满足 {source}", f"unless {source}")
