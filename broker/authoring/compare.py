"""Two releases of one field compared, demand by demand: which became weaker, which stronger."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from broker.authoring.difference import Change, Direction
from broker.authoring.facts import aggregate_facts, k_anonymity_facts
from broker.authoring.groups import gate_demands_no_more, totals_demand_no_more
from broker.authoring.release import CALLER, DUTIES, MaskText, Release, RowLimit
from broker.model import MaskOrder, ReviewBy

_UPPER = (
    "rows_per_call",
    "subjects_per_call",
    "calls_per_day",
    "rows_per_day",
    "calls_per_month",
    "rows_per_month",
    "matches_per_subject_per_day",
)
_UNBOUND = float("inf")


def changes(before: Release, after: Release, order: MaskOrder) -> Iterator[Change]:
    """Every demand that differs; ``order`` says which of two masks is the stricter."""
    if before == after:
        return
    if before.review != after.review:
        direction = Direction.STRONGER if after.review else Direction.WEAKER
        yield Change("review", direction, _flag(before.review), _flag(after.review))
    yield from _reviews(before, after)
    if before.mask != after.mask:
        yield Change("mask", _mask(before.mask, after.mask, order), _words(before.mask), _words(after.mask))
    yield from _rows(before.rows, after.rows)
    for name in _UPPER:
        yield from _bound(name, getattr(before.limits, name), getattr(after.limits, name))
    yield from _bound("retain_days", before.retain_days, after.retain_days)
    yield from _bound("acknowledge_hours", before.acknowledge_hours, after.acknowledge_hours)
    smallest = before.limits.minimum_group_size, after.limits.minimum_group_size
    if smallest[0] != smallest[1]:
        weaker = (smallest[1] or 0) < (smallest[0] or 0)
        yield Change("minimum_group_size", _towards(weaker), _number(smallest[0]), _number(smallest[1]))
    yield from _groups(before, after)
    for name in DUTIES:
        if (name in before.duties) is not (name in after.duties):
            weaker = name in before.duties
            yield Change(name, _towards(weaker), _flag(weaker), _flag(not weaker))
    for template in sorted(before.commitments ^ after.commitments):
        weaker = template in before.commitments
        said = (template, "") if weaker else ("", template)
        yield Change("commitments", _towards(weaker), *said)


def direction(found: tuple[Change, ...]) -> Direction:
    """The gravest of ``found``, which are not none."""
    rank = list(Direction)
    return min((change.direction for change in found), key=rank.index)


def _towards(weaker: bool) -> Direction:
    return Direction.WEAKER if weaker else Direction.STRONGER


def _bound(name: str, before: int | None, after: int | None) -> Iterator[Change]:
    if before != after:
        weaker = (_UNBOUND if after is None else after) > (_UNBOUND if before is None else before)
        yield Change(name, _towards(weaker), _number(before), _number(after))


def _mask(before: MaskText | None, after: MaskText | None, order: MaskOrder) -> Direction:
    if before is None or after is None:
        return _towards(after is None)
    ranks = order.strictness(before.operator), order.strictness(after.operator)
    if before.operator == after.operator or ranks[0] is None or ranks[1] is None:
        return Direction.UNCLEAR  # other parameters, or an operator without a place in the order
    return _towards(ranks[1] < ranks[0])


# ── groups ───────────────────────────────────────────────────────────────────────────────────────


def _groups(before: Release, after: Release) -> Iterator[Change]:
    gates = before.k_anonymity, after.k_anonymity
    if gates[0] != gates[1]:
        kind = _between(gate_demands_no_more(*gates), gate_demands_no_more(*reversed(gates)))
        yield Change(
            "k_anonymity", kind, *[_canonical(k_anonymity_facts(gate) if gate else None) for gate in gates]
        )
    totals = before.aggregate, after.aggregate
    if totals[0] != totals[1]:
        kind = _between(totals_demand_no_more(*totals), totals_demand_no_more(*reversed(totals)))
        yield Change(
            "aggregate", kind, *[_canonical(aggregate_facts(one) if one else None) for one in totals]
        )


def _between(kept: bool, kept_backwards: bool) -> Direction:
    """``kept``: what was demanded before still is; ``kept_backwards``: what is demanded now was before."""
    return Direction.UNCLEAR if not kept and not kept_backwards else _towards(not kept)


def _canonical(demand: dict[str, object] | None) -> str:
    return orjson.dumps(demand, option=orjson.OPT_SORT_KEYS).decode() if demand else ""


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────


def _rows(before: tuple[RowLimit, ...], after: tuple[RowLimit, ...]) -> Iterator[Change]:
    """Rows are those that meet every limit: one that is gone, or lets more through, shows more of them."""
    if before == after:
        return
    if all(any(_within(new, old) for new in after) for old in before):
        kind = Direction.STRONGER
    elif {(row.kind, row.field) for row in before} <= {(row.kind, row.field) for row in after}:
        kind = Direction.WEAKER
    elif {row.kind for row in before} <= {row.kind for row in after}:
        kind = Direction.UNCLEAR  # the same scope by another field
    else:
        kind = Direction.WEAKER
    yield Change("rows", kind, rows_text(before), rows_text(after))


def _within(new: RowLimit, old: RowLimit) -> bool:
    """Whether ``new`` lets no row through that ``old`` does not."""
    if (new.kind, new.field) != (old.kind, old.field):
        return False
    if new.kind == "region" and CALLER not in (*new.values, *old.values):
        return new.values[0].startswith(old.values[0])
    return set(new.values) <= set(old.values)


def rows_text(rows: tuple[RowLimit, ...]) -> str:
    """Canonical, for machines: e.g. ``district=caller; status=married,widowed``."""
    return "; ".join(f"{row.field}={','.join(row.values)}" for row in rows)


# ── reviews ──────────────────────────────────────────────────────────────────────────────────────


def _reviews(before: Release, after: Release) -> Iterator[Change]:
    """How it is reviewed, where it is both before and after."""
    if not (before.review and after.review) or before.reviews == after.reviews:
        return
    if all(any(_asks_as_much(new, old) for new in after.reviews) for old in before.reviews):
        kind = Direction.STRONGER
    elif {review.departments for review in before.reviews} <= {
        review.departments for review in after.reviews
    }:
        kind = Direction.WEAKER
    else:
        kind = Direction.UNCLEAR if after.reviews else Direction.WEAKER
    yield Change("reviewers", kind, reviews_text(before.reviews), reviews_text(after.reviews))


def _asks_as_much(new: ReviewBy, old: ReviewBy) -> bool:
    return (
        new.departments == old.departments and new.count >= old.count and new.never_own >= old.never_own
    )  # how soon is a service to the consumer, not a guard of the data


def reviews_text(reviews: frozenset[ReviewBy]) -> str:
    """Canonical, for machines: e.g. ``2 of civil_affairs within 3 working days``."""
    return "; ".join(sorted(_review_text(review) for review in reviews))


def _review_text(review: ReviewBy) -> str:
    soon = f" within {review.within_working_days} working days" if review.within_working_days else ""
    own = "" if review.never_own else ", the asking department's own too"
    return f"{review.count} of {','.join(sorted(review.departments))}{soon}{own}"


# ── canonical text ───────────────────────────────────────────────────────────────────────────────


def _number(bound: int | None) -> str:
    return "" if bound is None else str(bound)


def _flag(on: bool) -> str:
    return "yes" if on else ""


def _words(mask: MaskText | None) -> str:
    if mask is None:
        return ""
    return mask.operator if mask.params == "{}" else f"{mask.operator} {mask.params}"
