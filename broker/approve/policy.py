"""Policy files (``share-policy/v1``) → :class:`~broker.approve.rule.Rule`, checked against the catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from broker.approve.catalog import zone
from broker.approve.document import MappingNode, Node, ScalarNode, SequenceNode
from broker.approve.expression import VARIABLES, Complaint, compile_expression
from broker.approve.grammar import POLICY, RULE, WORKING, Weekday
from broker.approve.masks import CheckMask
from broker.approve.problem import DEPARTMENT, PURPOSE, VARIABLE, Code, Position, Problems
from broker.approve.reach import RELEASING, Author, Reach, What, departments_of
from broker.approve.rule import Effect, Expression, Rule, WorkingHours
from broker.approve.shapes import HOURS
from broker.approve.table import Table, headed
from broker.approve.terms import TermReader, read_consent, read_limits
from broker.model import Catalog, ReviewBy, Scope, SharingAttribute

__all__ = ["CheckMask", "PolicyReader"]

T = TypeVar("T")


class PolicyReader:
    """Reads policy files one after the other; remembers the ids taken."""

    def __init__(self, catalog: Catalog, check_mask: CheckMask, problems: Problems) -> None:
        self._catalog = catalog
        self._problems = problems
        self._zone = _zone_info(catalog.zone)
        self._what = What(catalog, problems)
        self._terms = TermReader(catalog, check_mask, problems)
        self._policies: dict[str, str] = {}
        self._parts: dict[tuple[object, ...], tuple[object, Any]] = {}
        """Of each node read what was made of it; the node too, lest another gets its number."""

    def read(self, file: str, node: Node) -> Iterator[Rule]:
        """The rules of one file; to be used only if no problem was found."""
        table = headed(node, self._problems, POLICY)
        policy, author = table.text("id"), self._author(table)
        if policy and (other := self._policies.setdefault(policy, file)) != file:
            zh, en = f"策略编号已在 {other} 使用", f"{other} has this policy id already"
            table.add("id", Code.DUPLICATE_POLICY, zh, en)
        rules = table.node("rules")
        if rules is not None and not (isinstance(rules, SequenceNode) and rules.items):
            zh, en = "此处须为至少一条规则的列表", "a list of at least one rule is expected"
            table.add("rules", Code.EXPECTED_LIST, zh, en)
        seen: set[str] = set()
        for entry in rules.items if isinstance(rules, SequenceNode) else ():
            yield from self._rules(policy, author, entry, seen)

    def _author(self, policy: Table) -> Author | None:
        """Who makes the policy; None after a report."""
        owner = self._catalog.departments.get(policy.name("owner", self._catalog.departments, DEPARTMENT))
        if owner is None:
            return None
        scope = policy.word("scope", Scope, owner.scope)
        if scope.rank < owner.scope.rank:
            zh = f"高于制定部门自己的层级 {owner.scope}"
            policy.add("scope", Code.SCOPE_TOO_HIGH, zh, f"above the owner's own scope, {owner.scope}")
        return Author(owner, scope)

    def _rules(self, policy: str, author: Author | None, node: Node, seen: set[str]) -> Iterator[Rule]:
        """One rule as written: one for each dataset that it is about."""
        effect = _effect(node)
        table = Table(node, self._problems, RULE.cases[effect])
        table.word("effect", Effect, effect)
        name = table.text("id")
        if name in seen:
            table.add("id", Code.DUPLICATE_RULE, "本文件已有此规则编号", "this file has that rule id already")
        seen.add(name)
        by = author and (author.owner.id, author.scope)
        reach = self._part(table, "what", lambda what: self._what.reach(what, effect, author), effect, by)
        departments, systems = self._part(table, "who", self._who)
        purposes, legal_basis = self._part(table, "why", self._why, effect)
        valid_from, valid_until, working_hours, local = self._part(table, "when", self._when, effect)
        expression = self._expression(table, local)
        limits, consent = self._part(table, "limits", read_limits), self._part(table, "consent", read_consent)
        self._check_consent(table, effect, reach)
        rows = self._part(table, "rows", lambda rows: self._terms.rows(rows, reach), id(reach))
        demanded = self._part(table, "obligations", self._terms.demanded)
        duties = self._terms.obligations(demanded, reach)
        reviews: tuple[ReviewBy | None, ...] = (None,) * len(reach)
        if effect is Effect.REVIEW:
            reviews = self._part(
                table, "review", lambda review: self._terms.reviews(review, reach), id(reach)
            )
        for number, (dataset, fields) in enumerate(reach):
            yield Rule(
                id=f"{policy}/{name}",
                effect=effect,
                dataset=dataset.id,
                fields=fields,
                owner=author.owner.id if author else "",
                scope=author.scope if author else Scope.CITY,
                departments=departments,
                systems=systems,
                purposes=purposes,
                legal_basis=legal_basis,
                valid_from=valid_from,
                valid_until=valid_until,
                working_hours=working_hours,
                expression=expression,
                rows=rows[number],
                limits=limits,
                obligations=duties[number],
                review=reviews[number],
                consent=consent,
                at=table.at,
                by_words=demanded.by_words,
            )

    def _part(self, rule: Table, key: str, read: Callable[[Table], T], *context: object) -> T:
        """What ``read`` makes of the mapping under ``key``. The same node is read once for each context, for
        most rules of a folder share most of their parts word for word."""
        node = rule.node(key)
        found = self._parts.get((key, id(node), *context))
        if found is not None and found[0] is node:
            return cast(T, found[1])
        value = read(rule.table(key))
        if not self._problems:
            self._parts[key, id(node), *context] = node, value
        return value

    def _check_consent(self, rule: Table, effect: Effect, reach: Reach) -> None:
        """Article 20: both heads agree before data of a conditional dataset are shared."""
        conditional = any(d.sharing_attribute is SharingAttribute.CONDITIONAL for d, _ in reach)
        if conditional and effect in RELEASING and "consent" not in rule:
            zh = "有条件共享须写 consent：申请编号 application_no，双方负责人 consumer_head、provider_head"
            en = "a conditional dataset needs consent: application_no, consumer_head, provider_head"
            self._problems.add(rule.at, Code.CONSENT_MISSING, zh, en)

    # ── who, why, when ──

    def _who(self, who: Table) -> tuple[frozenset[str] | None, frozenset[str] | None]:
        """Departments and systems; None for all."""
        if not who.is_written:
            return None, None  # reported
        systems = frozenset(item.value for item in who.texts("systems")) if "systems" in who else None
        return departments_of(who, self._catalog), systems

    def _why(self, why: Table) -> tuple[frozenset[str] | None, frozenset[str] | None]:
        """Purposes and legal bases; None for all."""
        return why.names_or_all("purposes", self._catalog.purposes, PURPOSE), _legal_basis(why)

    def _when(self, when: Table) -> tuple[datetime | None, datetime | None, WorkingHours | None, ZoneInfo]:
        """First instant, first instant no longer valid, hours, and the zone of all."""
        local = _zone_info(zone(when)) if "zone" in when else self._zone
        return *_period(when, local), self._working_hours(when, local), local

    def _working_hours(self, when: Table, local: ZoneInfo) -> WorkingHours | None:
        if "hours" not in when and "days" not in when:
            return None
        hours = tuple(self._hours(item) for item in when.texts("hours"))
        if when.says("days", WORKING):
            if not self._catalog.calendar.years:
                zh = "没有工作日历，请先写 calendar.yaml"
                en = "there is no calendar of working days; write calendar.yaml first"
                when.add("days", Code.NO_CALENDAR, zh, en)
            return WorkingHours(local, hours, calendar=self._catalog.calendar)
        days = frozenset(list(Weekday).index(day) for day in when.words("days", Weekday))
        return WorkingHours(local, hours, days if "days" in when else None)

    def _hours(self, item: ScalarNode) -> tuple[time, time]:
        """Midnight as the end is written 24:00."""
        first_written, _, last_written = item.value.partition("-")
        first = time.fromisoformat(first_written)
        if last_written == "24:00":
            return first, time()
        last = time.fromisoformat(last_written)
        if last <= first:
            self._problems.add(item.at, HOURS.code, f"须为{HOURS.zh}", f"write {HOURS.en}")
        return first, last

    def _expression(self, rule: Table, local: ZoneInfo) -> Expression | None:
        if not (source := rule.text("when_expr")):
            return None
        compiled = compile_expression(source, local, self._catalog)
        if isinstance(compiled, Expression):
            return compiled
        at = _place(rule.node("when_expr"), compiled)
        if compiled.unknown:
            self._problems.unknown(at, VARIABLE, compiled.unknown, [*VARIABLES, "size"])
        else:
            self._problems.add(at, compiled.code, compiled.zh, compiled.en)
        return None


def _effect(node: Node) -> Effect:
    """The rule's effect, which tells its keys; the usual one where none is written."""
    entry = node.entries.get("effect") if isinstance(node, MappingNode) else None
    written = entry[1].value if entry and isinstance(entry[1], ScalarNode) else ""
    return Effect(written) if written in list(Effect) else RULE.otherwise


def _legal_basis(why: Table) -> frozenset[str] | None:
    if "legal_basis" not in why or why.is_all("legal_basis"):
        return None
    return frozenset(item.value for item in why.texts("legal_basis"))


def _period(when: Table, local: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """Both days count in full, in their zone."""
    first, last = when.day("from"), when.day("until")
    if first and last and last < first:
        when.add("until", Code.BAD_PERIOD, "截止日期早于起始日期", "until is before from")
    return (
        _midnight(first, local) if first else None,
        _midnight(last + timedelta(days=1), local) if last else None,
    )


@lru_cache(maxsize=4096)
def _midnight(day: date, local: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), local).astimezone(UTC)


def _zone_info(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return ZoneInfo("UTC")  # reported; no rule read in this zone gets out


def _place(node: Node | None, complaint: Complaint) -> Position:
    """Where in the file the complaint is, if the expression stands on one line as it is."""
    at = node.at if node else Position("")
    if not isinstance(node, ScalarNode) or "\n" in node.value or "\\" in node.value:
        return at
    return at._replace(column=at.column + complaint.column - (1 if node.plain else 0))
