"""A difference in words: for the terminal, for a proposal (Markdown), for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from zoneinfo import ZoneInfo

from broker.authoring.condition_words import (
    ABOUT,
    Called,
    demand_words,
    joined,
    mask_of,
    reviews_words,
    rows_words,
    when_words,
)
from broker.authoring.conditions import Conditions
from broker.authoring.difference import CatalogChange, Change, Difference, Direction, Entry
from broker.authoring.release import Release
from broker.authoring.sentences import MOST_NAMES, mask_words
from broker.reasons import Sentence

HEADINGS = {
    Direction.GRANTED: Sentence("新增", "newly granted"),
    Direction.WEAKER: Sentence("放宽", "weakened"),
    Direction.UNCLEAR: Sentence("无法比较，请阅读", "cannot be compared, read them"),
    Direction.STRONGER: Sentence("收紧", "strengthened"),
    Direction.REMOVED: Sentence("取消", "taken away"),
    Direction.NEUTRAL: Sentence("仅供了解", "for information"),
}
_WIDER = Sentence("访问范围有扩大，或有无法比较之处。", "Access widens, or cannot be compared everywhere.")
_NOT_WIDER = Sentence("访问范围没有扩大。", "Access does not widen.")
_NOTHING = Sentence("没有差别。", "There is no difference.")


def text(difference: Difference) -> str:
    """For the terminal; the same for the same two bundles, whenever and wherever it is made."""
    return "\n".join(_Page(difference, "", "  ", "    ").lines()) + "\n"


def markdown(difference: Difference) -> str:
    """For a proposal; as stable as :func:`text`."""
    return "\n".join(_Page(difference, "## ", "### ", "- ").lines()) + "\n"


def summary(difference: Difference) -> Sentence:
    """One sentence: whether access widens, and how many entries of each kind there are."""
    counts = Counter([each.direction for each in difference.entries])
    counts.update(each.direction for each in difference.catalog)
    if not counts:
        return _NOTHING
    said = _WIDER if difference.widened else _NOT_WIDER
    found = [(HEADINGS[direction], counts[direction]) for direction in Direction if counts[direction]]
    zh, en = (
        "，".join(f"{h.zh} {n}" for h, n in found),
        ", ".join(f"{h.en} {n}" for h, n in found),
    )
    return Sentence(f"{said.zh}{zh}。", f"{said.en} {en[:1].upper()}{en[1:]}.")


def as_json(difference: Difference) -> dict[str, object]:
    """For machines: hashes, ``widened``, entries and catalog edits; instants and times as ISO 8601."""
    return {
        "format": "share-policy-diff/v1",
        "old": difference.old,
        "new": difference.new,
        "widened": difference.widened,
        "summary": {"zh": summary(difference).zh, "en": summary(difference).en},
        "entries": [_entry_json(entry, difference) for entry in difference.entries],
        "catalog": [asdict(change) for change in difference.catalog],
    }


class _Page:
    """Lines under two levels of headings and one of items."""

    def __init__(self, difference: Difference, first: str, second: str, item: str) -> None:
        self._difference = difference
        self._first, self._second, self._item = first, second, item
        self._said = _Said(difference)

    def lines(self) -> Iterator[str]:
        difference, said = self._difference, summary(self._difference)
        yield f"{self._item.lstrip()}旧 old  {difference.old}"
        yield f"{self._item.lstrip()}新 new  {difference.new}"
        yield from ("", said.zh, said.en)
        for dataset, entries in groupby(difference.entries, key=lambda entry: entry.dataset):
            title = self._said.name(dataset).zh
            yield from ("", f"{self._first}《{title}》 {dataset}")
            yield from self._dataset(list(entries))
        if difference.catalog:
            yield from ("", f"{self._first}目录 catalog")
            for direction, changes in _by_direction(difference.catalog):
                yield from self._heading(direction)
                for change in changes:
                    yield f"{self._item}{catalog_words(change)}"

    def _dataset(self, entries: list[Entry]) -> Iterator[str]:
        for direction, found in groupby(entries, key=lambda entry: entry.direction):
            yield from self._heading(direction)
            for alike in _alike(found):
                said = self._said.entries(alike)
                rules = _rules(alike[0])
                blank = " " * len(self._item)
                yield f"{self._item}{said.zh}"
                yield f"{blank}{said.en}"
                if rules:
                    yield f"{blank}规则 rules: {rules}"

    def _heading(self, direction: Direction) -> Iterator[str]:
        heading = HEADINGS[direction]
        if self._second.startswith("#"):
            yield ""
        yield f"{self._second}{heading.zh} {heading.en}"


class _Said:
    """Entries as sentences."""

    def __init__(self, difference: Difference) -> None:
        self._titles = difference.titles
        self._zone = ZoneInfo(difference.zone)

    def name(self, id_: str) -> Sentence:
        return self._titles.get(id_, Sentence(id_, id_))

    def entry(self, entry: Entry) -> Sentence:
        return self.entries([entry])

    def entries(self, alike: Sequence[Entry]) -> Sentence:
        """Who, what for, what; then what changed, or under which demands; then when."""
        entry = alike[0]
        who, why = self._listed(entry.departments), self._listed(entry.purposes)
        what = [self._fields(each) for each in alike]
        fields = Sentence("、".join(w.zh for w in what), ", ".join(w.en for w in what))
        said = [_VERBS[entry.direction](who, why, fields)]
        called = self._called(entry.dataset)
        if entry.direction is Direction.GRANTED and entry.after:
            said += demand_words(entry.after, called)
        said += [change_words(change, entry.before, entry.after, called) for change in entry.changes]
        if when := when_words(entry.when, self._zone):
            words = joined(when)
            said.append(Sentence(f"当：{words.zh}", f"when: {words.en}"))
        whole = joined(said)
        return Sentence(f"{whole.zh}。", f"{whole.en}.")

    def _fields(self, entry: Entry) -> Sentence:
        """The fields, with their mask where it is granted."""
        names = self._listed(f"{entry.dataset}.{name}" for name in entry.fields)
        if entry.direction is not Direction.GRANTED or entry.after is None:
            return names
        mask = mask_of(entry.after)
        return Sentence(f"{names.zh}（{mask.zh}）", f"{names.en} ({mask.en})")

    def _called(self, dataset: str) -> Called:
        return lambda name: self._titles.get(f"{dataset}.{name}", self.name(name))

    def _listed(self, ids: Iterable[str]) -> Sentence:
        names = [self.name(id_) for id_ in ids]
        zh, en = "、".join(n.zh for n in names[:MOST_NAMES]), ", ".join(n.en for n in names[:MOST_NAMES])
        if (more := len(names) - MOST_NAMES) <= 0:
            return Sentence(zh, en)
        return Sentence(f"{zh} 等 {len(names)} 项", f"{en} and {more} more")


_VERBS = {
    Direction.GRANTED: lambda who, why, what: Sentence(
        f"{who.zh}为“{why.zh}”新可看{what.zh}", f"{who.en} may now see {what.en} for {why.en}"
    ),
    Direction.REMOVED: lambda who, why, what: Sentence(
        f"{who.zh}为“{why.zh}”不再能看{what.zh}", f"{who.en} may no longer see {what.en} for {why.en}"
    ),
    Direction.WEAKER: lambda who, why, what: Sentence(
        f"{who.zh}为“{why.zh}”看{what.zh}，要求放宽",
        f"{who.en} sees {what.en} for {why.en} under weaker demands",
    ),
    Direction.STRONGER: lambda who, why, what: Sentence(
        f"{who.zh}为“{why.zh}”看{what.zh}，要求收紧",
        f"{who.en} sees {what.en} for {why.en} under stronger demands",
    ),
    Direction.UNCLEAR: lambda who, why, what: Sentence(
        f"{who.zh}为“{why.zh}”看{what.zh}，改动无法比较",
        f"{who.en} sees {what.en} for {why.en}, under demands that cannot be compared",
    ),
}


def change_words(change: Change, before: Release | None, after: Release | None, called: Called) -> Sentence:
    """E.g. ``每次行数 10 → 20``."""
    about = ABOUT[change.about]
    if change.about == "mask" and before and after:
        masks = [mask_words(each.mask.mask) if each.mask else None for each in (before, after)]
        zh, en = (f"{m.zh if m else '原样'}" for m in masks), (f"{m.en if m else 'as it is'}" for m in masks)
        return Sentence(f"{about.zh}：{' → '.join(zh)}", f"{about.en}: {' → '.join(en)}")
    if change.about in ("rows", "reviewers") and before and after:
        sides = [_side_words(change.about, each, called) for each in (before, after)]
        return Sentence(
            f"{about.zh}：{' → '.join(side.zh for side in sides)}",
            f"{about.en}: {' → '.join(side.en for side in sides)}",
        )
    if change.before in ("", "yes") and change.after in ("", "yes"):
        on = bool(change.after)
        return Sentence(
            f"{about.zh}：{'新增' if on else '取消'}", f"{about.en}: {'added' if on else 'dropped'}"
        )
    values = f"{change.before or '—'} → {change.after or '—'}"
    return Sentence(f"{about.zh} {values}", f"{about.en} {values}")


def _side_words(about: str, release: Release, called: Called) -> Sentence:
    if about == "rows":
        return rows_words(release.rows, called) if release.rows else Sentence("不限", "any")
    return reviews_words(release.reviews, called) if release.reviews else Sentence("—", "—")


_KINDS = {
    "city": Sentence("城市", "city"),
    "department": Sentence("部门", "department"),
    "group": Sentence("部门组", "group"),
    "purpose": Sentence("使用场景", "purpose"),
    "service_item": Sentence("事项", "service item"),
    "dataset": Sentence("数据资源", "dataset"),
    "field": Sentence("数据项", "field"),
    "mask_profile": Sentence("脱敏方案", "masking profile"),
}
_EDITS = {"added": Sentence("新增", "added"), "removed": Sentence("删除", "removed")}


def catalog_words(change: CatalogChange) -> str:
    """E.g. ``数据项 field tax.income.amount: level L3 → L2``."""
    kind = _KINDS[change.kind]
    if edit := _EDITS.get(change.about):
        return f"{kind.zh} {kind.en} {change.name}: {edit.zh} {edit.en}"
    values = f"{change.before or '—'} → {change.after or '—'}"
    return f"{kind.zh} {kind.en} {change.name}: {change.about} {values}"


def _alike(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Entries that differ in nothing but fields and the masks that these keep."""
    found: dict[object, list[Entry]] = {}
    for entry in entries:
        sides = [replace(each, mask=None) if each else None for each in (entry.before, entry.after)]
        key = (
            *(entry.departments, entry.purposes, entry.when, *sides, entry.rules_before, entry.rules_after),
            tuple((change.about, change.before, change.after) for change in entry.changes),
        )
        found.setdefault(key, []).append(entry)
    return list(found.values())


def _rules(entry: Entry) -> str:
    before, after = (", ".join(rules) for rules in (entry.rules_before, entry.rules_after))
    return before if before == after else f"{before or '—'} → {after or '—'}"


def _by_direction(
    changes: Iterable[CatalogChange],
) -> Iterator[tuple[Direction, list[CatalogChange]]]:
    rank = list(Direction)
    ordered = sorted(changes, key=lambda change: rank.index(change.direction))  # stable
    for direction, found in groupby(ordered, key=lambda change: change.direction):
        yield direction, list(found)


# ── for machines ─────────────────────────────────────────────────────────────────────────────────


def _entry_json(entry: Entry, difference: Difference) -> dict[str, object]:
    said = _Said(difference).entry(entry)
    return {
        "direction": entry.direction,
        "dataset": entry.dataset,
        "departments": entry.departments,
        "purposes": entry.purposes,
        "fields": entry.fields,
        "when": conditions_json(entry.when),
        "before": release_json(entry.before),
        "after": release_json(entry.after),
        "changes": [asdict(change) for change in entry.changes],
        "rules_before": entry.rules_before,
        "rules_after": entry.rules_after,
        "said": {"zh": said.zh, "en": said.en},
    }


def release_json(release: Release | None) -> dict[str, object] | None:
    """A release, what it does not demand left out."""
    if release is None:
        return None
    mask = release.mask
    said: dict[str, object] = {
        "review": release.review,
        "mask": {"operator": mask.operator, "params": mask.mask.params} if mask else None,
        "rows": [asdict(row) for row in release.rows],
        "limits": {name: bound for name, bound in asdict(release.limits).items() if bound is not None},
        "retain_days": release.retain_days,
        "acknowledge_hours": release.acknowledge_hours,
        "duties": sorted(release.duties),
        "commitments": sorted(release.commitments),
        "reviews": sorted(
            (
                {
                    "departments": sorted(review.departments),
                    "count": review.count,
                    "within_working_days": review.within_working_days,
                }
                for review in release.reviews
            ),
            key=str,
        ),
    }
    return {name: value for name, value in said.items() if value not in (None, [], {}, False)}


def conditions_json(when: Conditions) -> dict[str, object]:
    """Conditions, those that always hold left out."""
    said: dict[str, object] = {}
    for name, names in (("legal_basis", when.legal_basis), ("systems", when.systems)):
        if names.listed or not names.but:
            said[name] = {"other_than" if names.but else "one_of": sorted(names.listed)}
    if when.periods != ((None, None),):
        said["periods"] = [{"from": first, "before": last} for first, last in when.periods]
    if when.days is not None:
        days = sorted(when.days, key=lambda day: (day.weekday, str(day.working)))
        said["days"] = [{"weekday": day.weekday + 1, "working": day.working} for day in days]
    if when.zone is not None:
        said["clock"] = [{"from": first, "before": last} for first, last in when.clock]
    said["subjects"] = [name for name, on in (("named", when.named), ("all", when.whole)) if on]
    if when.expressions:
        said["expressions"] = [
            {"source": source, "is": sorted(truths, key=str)} for source, truths in when.expressions
        ]
    return said
