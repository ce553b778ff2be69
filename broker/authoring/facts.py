"""A decision in the words of a case file: what it is expected to be, and what it is, compare as these.

Facts are plain values (text, numbers, lists, mappings) in a fixed order, so that they print as YAML and as
JSON. What there is none of is None, written ``none``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from broker.approve.near import NearMiss
from broker.model import Aggregate, Decision, KAnonymity, Mask, Obligations, ReviewBy, RowScope, Why

Facts = Mapping[str, object]

DUTIES = ("signed_application", "no_onward_sharing", "watermark", "notify_subject", "countersignature")
"""Duties that are or are not; each is an attribute of :class:`~broker.model.Obligations`."""

OPEN = ".."
"""An interval without beginning or end (ISO 8601-2 §4.4)."""

_PLAIN = re.compile(r"[^\W\d_][\w./ -]*")


def facts(decision: Decision) -> dict[str, object]:
    """Every fact of ``decision``, by the name that a case file gives it."""
    obligations = decision.obligations
    return {
        "decision": decision.verdict.value,
        "rules": _some(sorted(set(decision.rules))),
        "reasons": _some(sorted({said(why) for why in decision.reasons})),
        "missing": _some(sorted({said(why) for why in decision.missing})),
        "masks": _some({name: mask_facts(mask) for name, mask in sorted(obligations.masks.items())}),
        "retain_days": obligations.retain_days,
        "acknowledge_hours": obligations.acknowledge_hours,
        "duties": _some(duties(obligations)),
        "commitments": _some(list(obligations.commitments)),
        "rows_per_call": decision.rows_per_call,
        "minimum_group_size": decision.minimum_group_size,
        "matches_per_day": decision.matches_per_day,
        "k_anonymity": obligations.k_anonymity and k_anonymity_facts(obligations.k_anonymity),
        "aggregate": obligations.aggregate and aggregate_facts(obligations.aggregate),
        "row_scopes": _some(sorted(map(_row_scope, decision.row_scopes), key=str)),
        "quotas": _some({charge.counter: charge.limit for charge in decision.charges}),
        "reviews": _some(sorted(map(_review, decision.reviews), key=str)),
    }


def near_facts(misses: Iterable[NearMiss]) -> object:
    """The nearest rules, nearest first, and of each the conditions that are not met, with what it accepts."""
    return _some(
        [
            {
                "rule": miss.rule.id,
                "lacks": {u.condition.value: _some([one or OPEN for one in u.accepts]) for u in miss.unmet},
            }
            for miss in misses
        ]
    )


def said(why: Why) -> str:
    """A reason as a case file writes it: its code, and what it is about."""
    return f"{why.reason} {why.about}".rstrip()


def mask_facts(mask: Mask) -> dict[str, object]:
    """``{operator: {parameter: value}}``, as in a policy."""
    return {mask.operator: {name: plain(value) for name, value in sorted(mask.params.items())}}


def k_anonymity_facts(wanted: KAnonymity) -> dict[str, object]:
    """As in a policy, everything written."""
    return {"quasi_identifiers": list(wanted.quasi_identifiers), "k": wanted.k, "below": wanted.below.value}


def aggregate_facts(wanted: Aggregate) -> dict[str, object]:
    """As in a policy, defaults left out."""
    found: dict[str, object] = {"by": list(wanted.by), "smallest_group": wanted.smallest_group}
    if wanted.measures:
        found["measures"] = {field: [one.value for one in measures] for field, measures in wanted.measures}
    if wanted.largest_share is not None:
        found["largest_share"] = wanted.largest_share
    if wanted.named_subjects:
        found["named_subjects"] = True
    return found


def duties(obligations: Obligations) -> list[str]:
    return sorted(name for name in DUTIES if getattr(obligations, name))


def plain(value: object) -> object:
    """Lists for tuples, so that values compare however they came about."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in sorted(value.items())}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def written(fact: object) -> str:
    """A fact as YAML in one line, to be read beside another or pasted into a case file."""
    if fact is None:
        return "none"
    if isinstance(fact, Mapping):
        return "{" + ", ".join(f"{_quoted(str(name))}: {written(item)}" for name, item in fact.items()) + "}"
    if isinstance(fact, Sequence) and not isinstance(fact, str):
        return "[" + ", ".join(written(item) for item in fact) + "]"
    if isinstance(fact, bool):
        return str(fact).lower()
    return _quoted(fact) if isinstance(fact, str) else str(fact)


def _quoted(text: str) -> str:
    """In quotes where YAML, or the reader of cases, would take it for something else."""
    if _PLAIN.fullmatch(text) and text not in ("true", "false", "none", "all"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _row_scope(scope: RowScope) -> dict[str, object]:
    """Field → the values it may have, or what it must begin with."""
    return {scope.field: list(scope.values) if scope.values else scope.prefix}


def _review(review: ReviewBy) -> dict[str, object]:
    return {
        "departments": sorted(review.departments),
        "count": review.count,
        "within_working_days": review.within_working_days,
        "never_own": review.never_own,
    }


def _some(collection: object) -> object:
    return collection or None
