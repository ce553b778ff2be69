"""Recorded applications before another bundle: which past decisions would differ, and in what.

A statement names no subjects, only how many there were; it has every paper, the calling system and the time.
So an application can be put together again but for two things, which are told and not guessed: what was
stopped by a suspension was not policy's doing, and of an erased statement nothing is left. Quotas, and limits
found out while reading, are no part of what is compared: policy permitted there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import orjson

from broker.approve.bundle import Bundle
from broker.approve.evaluate import evaluate
from broker.authoring.asking import of_statement
from broker.authoring.facts import facts, said, written
from broker.errors import VerificationFailed
from broker.journal import Leaf
from broker.model import Decision, EntryKind, Verdict
from broker.reasons import Reason, Sentence

REPLAYED = (EntryKind.EXCHANGE, EntryKind.VALIDATION, EntryKind.STREAM_DECISION)
"""Every application leaves one of these; other leaves tell what became of it."""
_WHILE_RELEASING = {
    Reason.MATCHES_USED_UP,
    Reason.QUOTA_EXCEEDED,
    Reason.TOO_MANY_ROWS,
    Reason.GROUP_TOO_SMALL,
    Reason.CLASS_TOO_SMALL,
    Reason.TOO_MANY_CLASSES,
}
"""What refuses an application that policy permitted."""
_RELEASED = (
    "masks",
    "retain_days",
    "acknowledge_hours",
    "duties",
    "commitments",
    "rows_per_call",
    "minimum_group_size",
    "matches_per_day",
    "k_anonymity",
    "aggregate",
    "row_scopes",
    "quotas",
    "reviews",
)
"""Facts of a permit or a review that are compared."""


class Untold(StrEnum):
    """Why an application cannot be decided again."""

    ERASED = "erased"
    SUSPENDED = "suspended"
    INCOMPLETE = "incomplete"


UNTOLD = {
    Untold.ERASED: Sentence("内容已删除", "erased"),
    Untold.SUSPENDED: Sentence("当时已暂停共享", "stopped by a suspension"),
    Untold.INCOMPLETE: Sentence("内容不完整", "not a whole application"),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of a decision, as it was and as it would be, in the words of a case file."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Differing:
    """Applications alike in all that policy looks at but time and papers, and what would differ for them."""

    consumer: str
    dataset: str
    purpose: str
    fields: tuple[str, ...]
    facts: tuple[Fact, ...]
    rules_before: tuple[str, ...]
    rules_after: tuple[str, ...]
    why: tuple[str, ...]
    """Reasons of the decision that there would be."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it."""

    applications: int
    differing: Mapping[Differing, tuple[int, ...]]
    """With the numbers of the receipts, in ascending order; those of most receipts first."""
    untold: Mapping[Untold, int]


def replay(leaves: Iterable[Leaf], new: Bundle, bundle_of: Callable[[str], Bundle | None]) -> Replayed:
    """Decides every application among ``leaves`` again, under ``new``, as of when it was recorded.

    ``bundle_of`` gives the bundle of a hash, to compare masks, limits and duties with; without it only the
    recorded verdict is compared.
    """
    count, untold = 0, Counter[Untold]()
    found: dict[Differing, list[int]] = {}
    for leaf in leaves:
        if leaf.entry.kind not in REPLAYED:
            continue
        count += 1
        again = _again(leaf, new, bundle_of)
        if isinstance(again, Untold):
            untold[again] += 1
        elif again is not None:
            found.setdefault(again, []).append(leaf.index)
    most_first = sorted(found.items(), key=lambda item: (-len(item[1]), item[0].dataset, item[0].consumer))
    return Replayed(count, {each: tuple(sorted(numbers)) for each, numbers in most_first}, untold)


def _again(leaf: Leaf, new: Bundle, bundle_of: Callable[[str], Bundle | None]) -> Differing | Untold | None:
    """What would differ; None for nothing."""
    if not leaf.entry.statement:
        return Untold.ERASED
    statement = orjson.loads(leaf.entry.statement)
    try:
        question = of_statement(statement, new)
    except VerificationFailed:
        return Untold.INCOMPLETE
    recorded = statement["decision"]
    codes = {reason["code"] for reason in recorded["reasons"]}
    if Reason.SUSPENDED in codes or question.now is None:
        return Untold.SUSPENDED
    asked = question.application
    after = evaluate(asked, None, new, question.now)
    verdict = Verdict.PERMIT if codes and codes <= _WHILE_RELEASING else Verdict(recorded["verdict"])
    old = bundle_of(question.bundle_hash)
    before = evaluate(asked, None, old, question.now) if old else None
    if before is not None and before.verdict is not verdict:
        before = None  # decided by what is not in the bundle, such as an approval that had expired
    differing = tuple(_differing(verdict, before, after))
    if not differing:
        return None
    return Differing(
        asked.consumer.department,
        asked.dataset,
        asked.purpose,
        asked.fields,
        differing,
        tuple(recorded["rules"]),
        after.rules,
        tuple(sorted({said(why) for why in (*after.reasons, *after.missing)})),
    )


def _differing(verdict: Verdict, before: Decision | None, after: Decision) -> Iterator[Fact]:
    if verdict is not after.verdict:
        yield Fact("decision", verdict.value, after.verdict.value)
    elif before is not None:
        old, new = _compared(before), _compared(after)
        for name in old:
            if old[name] != new[name]:
                yield Fact(name, written(old[name]), written(new[name]))


def _compared(decision: Decision) -> dict[str, object]:
    """What of a decision its consumer would notice; a quota whatever rule it is counted for."""
    all_of_it = facts(decision)
    if decision.verdict is Verdict.NEEDS_SUPPLEMENT:
        return {"missing": all_of_it["missing"]}
    quotas = sorted((charge.amount is None, charge.limit) for charge in decision.charges)
    all_of_it["quotas"] = [f"{limit} {'rows' if rows else 'calls'}" for rows, limit in quotas]
    return {name: all_of_it[name] for name in _RELEASED} if decision.verdict is not Verdict.DENY else {}
