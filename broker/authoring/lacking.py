"""What an application lacks for a rule to let it pass, in words: what it says, and what the rule accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from broker.approve.bundle import Bundle
from broker.approve.conditions import WORKING, Condition
from broker.approve.near import Unmet
from broker.approve.rule import Effect, Rule
from broker.authoring.sentences import consumers, purposes
from broker.model import Application, Catalog, Scope
from broker.reasons import Sentence

_SCOPES = {
    Scope.NATIONAL: Sentence("国家级", "national"),
    Scope.PROVINCE: Sentence("省级", "province"),
    Scope.CITY: Sentence("市级", "city"),
    Scope.COUNTY: Sentence("县级", "county"),
}
_WEEKDAYS = {
    day: f"周{zh}"
    for day, zh in zip(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "一二三四五六日", strict=True)
}
_LETS = {Effect.PERMIT: Sentence("许可", "permits"), Effect.REVIEW: Sentence("受理", "reviews")}


@dataclass(frozen=True, slots=True)
class Lacking:
    """One near miss, to be put into words."""

    rule: Rule
    asked: Application
    uncovered: tuple[str, ...]
    """The fields that nothing permits."""
    now: datetime
    bundle: Bundle

    def said(self, unmet: Unmet) -> Sentence:
        """What the application says, then what the rule would have accepted."""
        if not unmet.told:
            return self._untold(unmet)
        return _WORDS[unmet.condition](self, unmet.accepts)

    @property
    def _catalog(self) -> Catalog:
        return self.bundle.catalog

    @property
    def _name(self) -> str:
        """Without its policy's: the whole id and the place stand above."""
        return self.rule.id.rpartition("/")[2]

    def _lets(self, is_zh: str, is_en: str, zh: str, en: str) -> Sentence:
        lets = _LETS[self.rule.effect]
        return Sentence(
            f"{is_zh}；规则 {self._name} {lets.zh}{zh}", f"{is_en}; rule {self._name} {lets.en} {en}"
        )

    def _untold(self, unmet: Unmet) -> Sentence:
        source = " ".join(unmet.accepts)
        return Sentence(
            f"规则 {self._name} 的条件 {source} 无法判定，按不符合处理",
            f"the condition {source} of rule {self._name} cannot be told, which counts as not met",
        )

    def department(self, accepts: Sequence[str]) -> Sentence:
        asks = consumers({self.asked.consumer.department}, self._catalog)
        wanted = consumers(accepts, self._catalog)
        return self._lets(f"需求部门是{asks.zh}", f"the consumer is {asks.en}", wanted.zh, wanted.en)

    def fields(self, accepts: Sequence[str]) -> Sentence:
        beyond = [field for field in self.uncovered if field not in self.rule.fields]
        zh, en = self._titles(beyond), ", ".join(beyond)
        accepted = [field for field in self._titled() if field in accepts]
        return self._lets(f"申请了{zh}", f"{en} is asked for", self._titles(accepted), ", ".join(accepted))

    def purpose(self, accepts: Sequence[str]) -> Sentence:
        asks, wanted = purposes({self.asked.purpose}, self._catalog), purposes(accepts, self._catalog)
        return self._lets(
            f"使用场景是{asks.zh}", f"the purpose is {asks.en}", wanted.zh, wanted.en.replace(", ", " and ")
        )

    def legal_basis(self, accepts: Sequence[str]) -> Sentence:
        zh, en = "、".join(f"“{basis}”" for basis in accepts), " or ".join(f"“{basis}”" for basis in accepts)
        given = self.asked.legal_basis
        return self._lets(
            f"使用依据是“{given}”",
            f"the legal basis is “{given}”",
            f"的依据须一字不差：{zh}",
            f"{en}, character by character",
        )

    def validity(self, accepts: Sequence[str]) -> Sentence:
        first, last = accepts
        zh = f"{f' {first} 起' if first else ''}{f' {last} 止' if last else ''}"
        en = f"{f'from {first} ' if first else ''}{f'until {last}' if last else ''}".strip()
        today = self._local().date().isoformat()
        return self._lets(f"日期是 {today}", f"the day is {today}", f"的有效期为{zh}", en)

    def standing(self, accepts: Sequence[str]) -> Sentence:
        if not accepts:
            return Sentence(
                f"规则 {self._name} 没有预先审核同意", f"rule {self._name} has no standing approval"
            )
        last = accepts[-1]
        return Sentence(
            f"规则 {self._name} 的预先审核同意到 {last} 为止，须重新同意",
            f"the standing approval of rule {self._name} ended on {last}; it must be given anew",
        )

    def hours(self, accepts: Sequence[str]) -> Sentence:
        local = self._local()
        day = tuple(_WEEKDAYS)[local.weekday()]
        zh = "、".join("工作日" if one == WORKING else _WEEKDAYS.get(one, one) for one in accepts)
        en = ", ".join("working days" if one == WORKING else one for one in accepts)
        return self._lets(
            f"时间是 {local:%Y-%m-%d} {_WEEKDAYS[day]} {local:%H:%M}",
            f"the time is {day} {local:%Y-%m-%d %H:%M}",
            f"的时间为 {zh}",
            f"only at {en}",
        )

    def system(self, accepts: Sequence[str]) -> Sentence:
        name, wanted = self.asked.consumer.name, ", ".join(accepts)
        return self._lets(f"调用系统是 {name}", f"the system is {name}", f"的系统是 {wanted}", wanted)

    def expression(self, accepts: Sequence[str]) -> Sentence:
        source = " ".join(accepts)
        return self._lets(
            "申请不符合条件", "the condition is not met", f"须满足 {source}", f"only if {source}"
        )

    def whole_dataset(self, _: Sequence[str]) -> Sentence:
        return self._lets(
            "申请没有写明查询对象", "no subjects are named", "的申请须写明查询对象", "named subjects only"
        )

    def delegation(self, accepts: Sequence[str]) -> Sentence:
        scopes = [_SCOPES[Scope(name)] for name in accepts]
        zh, en = "、".join(scope.zh for scope in scopes), " and ".join(scope.en for scope in scopes)
        return Sentence(
            f"规则 {self._name} 须由{zh}授权（delegate）才起作用",
            f"rule {self._name} counts only where the {en} scope delegates",
        )

    def _titled(self) -> Sequence[str]:
        """The dataset's fields in the catalog's order."""
        return tuple(self._catalog.datasets[self.rule.dataset].fields)

    def _titles(self, names: Sequence[str]) -> str:
        fields = self._catalog.datasets[self.rule.dataset].fields
        return "、".join(fields[name].title for name in names)

    def _local(self) -> datetime:
        hours = self.rule.working_hours
        return self.now.astimezone(hours.zone if hours else self.bundle.zone)


_WORDS: Mapping[Condition, Callable[[Lacking, Sequence[str]], Sentence]] = {
    Condition.DEPARTMENT: Lacking.department,
    Condition.FIELDS: Lacking.fields,
    Condition.PURPOSE: Lacking.purpose,
    Condition.LEGAL_BASIS: Lacking.legal_basis,
    Condition.VALIDITY: Lacking.validity,
    Condition.STANDING: Lacking.standing,
    Condition.HOURS: Lacking.hours,
    Condition.SYSTEM: Lacking.system,
    Condition.EXPRESSION: Lacking.expression,
    Condition.WHOLE_DATASET: Lacking.whole_dataset,
    Condition.DELEGATION: Lacking.delegation,
}
