"""Findings about one rule: whether it ever speaks, and whether what it names is there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from broker.approve.rule import WARN_BEFORE, Effect, Rule
from broker.authoring.constant import Trials
from broker.authoring.finding import Finding, Lint
from broker.authoring.lint_permit import permit_findings
from broker.model import CORE, Catalog, SharingAttribute

REFUSING = (Effect.DENY, Effect.REVIEW)
_DAYS_TRIED = 400
"""A rule that lasts longer is taken to have a day that it speaks on."""
_INSTANT = timedelta(microseconds=1)


class RuleChecks:
    """What can be said of a rule at ``now`` (aware), knowing the catalog."""

    def __init__(self, catalog: Catalog, now: datetime) -> None:
        self._catalog = catalog
        self._now = now
        self._trials = Trials(catalog)
        self._zone = ZoneInfo(catalog.zone)
        self._served = {(item.department, item.purpose) for item in catalog.service_items.values()}
        self._purposes_served = {purpose for _, purpose in self._served}

    def lifeless(self, rule: Rule) -> Iterator[Finding]:
        """Why the rule never speaks from now on, or never matters whatever other rules say."""
        yield from self._over(rule)
        yield from self._moot(rule)
        yield from self._no_time(rule)
        if rule.expression is not None and _never(rule, self._trials.outcomes(rule)):
            zh = "在此规则的部门、使用场景和时间之内，when_expr 从不成立，规则不会适用；请改写或删去"
            en = "within its other conditions when_expr never holds, so the rule never applies; change it"
            yield Finding.of(rule.at, Lint.NEVER_APPLIES, zh, en)

    def findings(self, rule: Rule) -> Iterator[Finding]:
        """Everything else about a rule that does speak."""
        yield from self._ends_soon(rule)
        if rule.expression is not None and _always(rule, self._trials.outcomes(rule)):
            zh = "在此规则的部门、使用场景和时间之内，when_expr 总是成立，不起作用；请改写或删去"
            en = "within its other conditions when_expr always holds and restricts nothing; change or drop it"
            yield Finding.of(rule.at, Lint.CONSTANT_EXPRESSION, zh, en)
        if rule.working_hours is not None:
            yield from self._calendar(rule)
        if rule.systems is not None:
            yield from self._systems(rule)
        if rule.effect is not Effect.DENY:
            yield from self._service_items(rule)
        if rule.review is not None:
            yield from _reviewers(rule)
        if rule.effect is Effect.PERMIT:
            yield from permit_findings(rule, self._catalog)

    # ── rules that never speak or never matter ───────────────────────────────────────────────────

    def _over(self, rule: Rule) -> Iterator[Finding]:
        if rule.valid_until is not None and rule.valid_until <= self._now:
            day = self._last_day(rule.valid_until)
            zh = f"有效期到 {day} 为止，已过；请延长 until，或删去此规则"
            en = f"its validity ended on {day}; extend until, or remove the rule"
            yield Finding.of(rule.at, Lint.EXPIRED, zh, en)
        elif rule.standing_until is not None and rule.standing_until <= self._now:
            day = self._last_day(rule.standing_until)
            zh = f"预先审核同意到 {day} 为止，已过；请重新审批此策略"
            en = f"the standing approval ended on {day}; have the policy approved again"
            yield Finding.of(rule.at, Lint.EXPIRED, zh, en)

    def _moot(self, rule: Rule) -> Iterator[Finding]:
        dataset = self._catalog.datasets[rule.dataset]
        fields = [dataset.fields[name] for name in rule.fields]
        if dataset.sharing_attribute is SharingAttribute.WITHHELD:
            zh = f"{rule.dataset} 属不予共享，任何规则都不起作用；可删去此规则"
            en = f"{rule.dataset} is withheld, so no rule about it matters; this one can be removed"
            yield Finding.of(rule.at, Lint.MOOT, zh, en)
        elif all(field.level == CORE or not field.shared for field in fields):
            zh = "所列数据项在目录中都不对外共享（shared: false）或属核心数据，不必再写规则"
            en = "the catalog releases none of its fields anyway (shared: false, or core); it can be removed"
            yield Finding.of(rule.at, Lint.MOOT, zh, en)

    def _no_time(self, rule: Rule) -> Iterator[Finding]:
        begin, hours = rule.valid_from, rule.working_hours
        if begin is not None and rule.standing_until is not None and rule.standing_until <= begin:
            zh = "有效期开始之前，预先审核同意就到期了；请重新审批，或改早 from"
            en = "the standing approval ends before the validity begins; have it approved again"
            yield Finding.of(rule.at, Lint.NEVER_APPLIES, zh, en)
        elif hours is not None:
            no_hour = bool(hours.hours) and all(first >= end for first, end in hours.hours)
            if no_hour or not self._has_a_day(rule):
                zh = "有效期内没有一天、一刻符合 hours 和 days；请改写时间"
                en = "no day or hour of its validity fits hours and days; change them"
                yield Finding.of(rule.at, Lint.NEVER_APPLIES, zh, en)

    def _has_a_day(self, rule: Rule) -> bool:
        """Whether some day left may fit the days of the rule; one that cannot be told is taken to fit."""
        hours, last = rule.working_hours, rule.valid_until
        if hours is None or (hours.weekdays is None and (hours.calendar is None or last is None)):
            return True
        if last is None:
            return bool(hours.weekdays)
        day = max(self._now, rule.valid_from or self._now).astimezone(hours.zone).date()
        end = min((last - _INSTANT).astimezone(hours.zone).date(), day + timedelta(_DAYS_TRIED))
        cut = end == day + timedelta(_DAYS_TRIED)
        while day <= end:
            if hours.weekdays is None or day.weekday() in hours.weekdays:
                calendar = hours.calendar
                if calendar is None or day.year not in calendar.years or calendar.is_working(day):
                    return True
            day += timedelta(1)
        return cut and bool(hours.weekdays is None or hours.weekdays)

    # ── time, systems, service items, reviewers ──────────────────────────────────────────────────

    def _ends_soon(self, rule: Rule) -> Iterator[Finding]:
        soon = self._now + WARN_BEFORE
        if rule.valid_until is not None and rule.valid_until <= soon:
            day = self._last_day(rule.valid_until)
            zh, en = (
                f"有效期到 {day} 为止；要继续的，请尽早延长",
                f"its validity ends on {day}; extend it in time",
            )
            yield Finding.of(rule.at, Lint.ENDS_SOON, zh, en)
        if rule.standing_until is not None and rule.standing_until <= soon:
            day = self._last_day(rule.standing_until)
            zh = f"预先审核同意到 {day} 为止；要继续的，请尽早重新审批"
            en = f"the standing approval ends on {day}; have the policy approved again in time"
            yield Finding.of(rule.at, Lint.ENDS_SOON, zh, en)

    def _calendar(self, rule: Rule) -> Iterator[Finding]:
        """Only of the year that is, and of the next as soon as it is near: later ones nobody can know yet."""
        hours = rule.working_hours
        if hours is None or hours.calendar is None:
            return
        near = [i for i in (self._now, self._now + WARN_BEFORE) if rule.in_force(i)]
        for year in sorted({instant.astimezone(hours.zone).year for instant in near} - hours.calendar.years):
            refuses = rule.effect in REFUSING
            effect = ("时时适用", "always applies") if refuses else ("不起作用", "does not apply")
            zh = f"没有 {year} 年的工作日历，那一年此规则{effect[0]}；请主管部门按国务院通知补上"
            en = f"there is no calendar of {year}, when the rule {effect[1]}; let the authority add it"
            yield Finding.of(rule.at, Lint.CALENDAR_MISSING, zh, en)

    def _systems(self, rule: Rule) -> Iterator[Finding]:
        departments = self._catalog.departments
        asking = departments if rule.departments is None else rule.departments
        described = {name for department in asking for name in departments[department].systems}
        for name in sorted((rule.systems or frozenset()) - described if described else ()):
            near = difflib.get_close_matches(name, sorted(described), n=1)
            zh, en = f"这些部门没有登记系统“{name}”", f"no department of the rule describes a system “{name}”"
            if near:
                zh, en = f"{zh}，是否指“{near[0]}”？", f"{en}; did you mean “{near[0]}”?"
            yield Finding.of(rule.at, Lint.UNKNOWN_SYSTEM, zh, en)

    def _service_items(self, rule: Rule) -> Iterator[Finding]:
        """Without a fitting service item no call gets further than being asked for one (§2.6, §6.1)."""
        purposes = self._purposes_served if rule.purposes is None else rule.purposes
        if rule.departments is None:
            served = not self._purposes_served.isdisjoint(purposes)
        else:
            served = any(
                (department, purpose) in self._served
                for department in rule.departments
                for purpose in purposes
            )
        if not served:
            zh = "规则中的部门没有一个事项服务于这些使用场景，任何申请都办不成；请登记事项，或改写 who、why"
            en = "no department of the rule has a service item for its purposes, so no call can succeed; "
            yield Finding.of(rule.at, Lint.NO_SERVICE_ITEM, zh, f"{en}add one, or change who or why")

    def _last_day(self, end: datetime) -> str:
        """The last whole day before ``end``."""
        return (end - _INSTANT).astimezone(self._zone).date().isoformat()


def _never(rule: Rule, said: frozenset[bool | None]) -> bool:
    """An error counts as speaking for a rule that refuses, as silence for one that permits (§4.2)."""
    return bool(said) and not said & ({True, None} if rule.effect in REFUSING else {True})


def _always(rule: Rule, said: frozenset[bool | None]) -> bool:
    return bool(said) and not said & ({False} if rule.effect in REFUSING else {False, None})


def _reviewers(rule: Rule) -> Iterator[Finding]:
    by = rule.review
    if by is None or not by.never_own or rule.departments is None:
        return
    if len(by.departments) == 1 and rule.departments <= by.departments:
        (own,) = by.departments
        zh = f"只有 {own} 申请，也只有它能审核，而申请部门不得自审；请另写审核部门"
        en = f"only {own} asks and only it could review, which is not allowed; name another reviewer"
        yield Finding.of(rule.at, Lint.REVIEWER_ASKS, zh, en)
