"""Between rows and the words of the domain."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import orjson
from sqlalchemy import ColumnElement, RowMapping, literal_column, or_, select

from broker.journal import Claim, Leaf
from broker.model import Entry, EntryKind, Particulars, ReceiptFilter, Verdict
from broker.particulars import particulars_of
from broker.store.tables import LEAF, SUBJECT_TAG

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_INDEXED = ("consumer", "consumer_uri", "provider", "dataset", "purpose")
_EQUAL = (
    *("dataset", "purpose", "kind", "verdict", "consumer_uri"),
    *("operator", "case_no", "service_item"),
)


def microseconds(time: datetime) -> int:
    """An aware time as microseconds since 1970-01-01 UTC: exact, and the same in both databases."""
    return (time - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """The time, aware in UTC, of so many microseconds since 1970-01-01 UTC."""
    return _EPOCH + timedelta(microseconds=value)


def particulars(entry: Entry) -> Particulars:
    """Those of an entry's statement."""
    return entry.particulars or particulars_of(orjson.loads(entry.statement))


def leaf_row(leaf: Leaf, said: Particulars) -> dict[str, object]:
    """The row of table ``leaf``."""
    entry = leaf.entry
    return {
        "leaf_index": leaf.index,
        "log_entry": leaf.log_entry,
        "kind": entry.kind.value,
        "recorded_at": microseconds(entry.recorded_at),
        "verdict": entry.verdict and entry.verdict.value,
        **{name: getattr(entry, name) for name in _INDEXED},
        **columns(said),
    }


def columns(said: Particulars) -> dict[str, str]:
    """As columns of table ``leaf``."""
    return {
        "operator": said.operator,
        "case_no": said.case_no,
        "service_item": said.service_item,
        "rules": listed(said.rules),
        "reasons": listed(said.reasons),
    }


def listed(ids: Collection[str]) -> str:
    """Several ids in one column, so that each is found with a blank before and after."""
    return f" {' '.join(ids)} " if ids else ""


def tag_rows(leaf: Leaf, said: Particulars) -> list[dict[str, object]]:
    """The rows of table ``subject_tag``."""
    return [{"tag": tag, "leaf_index": leaf.index} for tag in said.subject_tags]


def statement_row(leaf: Leaf) -> dict[str, object]:
    """The row of table ``statement``."""
    return {"leaf_index": leaf.index, "content": leaf.entry.statement}


def act_rows(leaf: Leaf) -> list[dict[str, object]]:
    """The rows of table ``act``."""
    return [
        {"leaf_index": leaf.index, "digest": sha256(act).hexdigest(), "content": act}
        for act in leaf.entry.acts
    ]


def request_row(leaf: Leaf) -> dict[str, object]:
    """The row of table ``request``, for an entry that claims its request id."""
    entry = leaf.entry
    return {
        "consumer_uri": entry.consumer_uri,
        "request_id": entry.request_id,
        "leaf_index": leaf.index,
        "request_mac": entry.request_mac,
        "answer_digest": entry.answer_digest,
        "verdict": entry.verdict and entry.verdict.value,
    }


def delivery_rows(leaves: Sequence[Leaf]) -> list[dict[str, object]]:
    """The rows of table ``delivery``, for entries that must be acknowledged."""
    due = ((leaf.index, leaf.entry.acknowledge_by) for leaf in leaves)
    return [{"leaf_index": index, "due_at": microseconds(at)} for index, at in due if at is not None]


def leaf(row: RowMapping) -> Leaf:
    """The leaf of a row of ``leaf`` beside its ``content`` (None once erased)."""
    return Leaf(row["leaf_index"], row["log_entry"], entry(row, row["content"] or b""))


def entry(row: RowMapping, statement: bytes) -> Entry:
    """What the columns of ``leaf`` tell of an entry with that statement."""
    return Entry(
        kind=EntryKind(row["kind"]),
        statement=statement,
        recorded_at=instant(row["recorded_at"]),
        verdict=_verdict(row["verdict"]),
        **{name: row[name] for name in _INDEXED},
    )


def claim(leaf_index: int, request_mac: bytes, answer_digest: bytes, verdict: str | None) -> Claim:
    """The claim of these columns of ``request``."""
    return Claim(leaf_index, request_mac, answer_digest, _verdict(verdict))


def conditions(wanted: ReceiptFilter) -> list[ColumnElement[bool]]:
    """What the leaves must fulfil; an empty member asks nothing."""
    found = [_is_party(department) for department in (wanted.department, wanted.party) if department]
    equal = {name: value for name in _EQUAL if (value := getattr(wanted, name))}
    found.extend(LEAF.c[name] == str(value) for name, value in equal.items())
    # The databases take an index of some rows only where they are told that it has all that is wanted.
    found.extend(_differs(name, "") for name in ("operator", "case_no") if name in equal)
    if wanted.kind not in (None, EntryKind.EXCHANGE):
        found.append(_differs("kind", EntryKind.EXCHANGE))
    if wanted.verdict not in (None, Verdict.PERMIT):
        found.append(_differs("verdict", Verdict.PERMIT))
    if wanted.reason:
        found += [_differs("reasons", ""), _has(LEAF.c.reasons, wanted.reason)]
    if wanted.rule:
        found.append(_has(LEAF.c.rules, wanted.rule))
    if wanted.subject_tags:
        tagged = select(SUBJECT_TAG.c.leaf_index).where(SUBJECT_TAG.c.tag.in_(wanted.subject_tags))
        found.append(LEAF.c.leaf_index.in_(tagged))
    if wanted.since is not None:
        found.append(LEAF.c.recorded_at >= microseconds(wanted.since))
    if wanted.until is not None:
        found.append(LEAF.c.recorded_at < microseconds(wanted.until))
    return found


def _differs(name: str, value: str) -> ColumnElement[bool]:
    """As the condition of an index says it: with the value in the statement's text."""
    return LEAF.c[name] != literal_column(f"'{value}'")


def _has(column: ColumnElement[str], id: str) -> ColumnElement[bool]:
    """Whether a column has this one among its ids."""
    return column.contains(listed([id]), autoescape=True)


def _is_party(department: str) -> ColumnElement[bool]:
    return or_(LEAF.c.consumer == department, LEAF.c.provider == department)


def _verdict(value: str | None) -> Verdict | None:
    return None if value is None else Verdict(value)
