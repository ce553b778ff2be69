"""Leaves about one delivery, judged together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.acknowledge.signed import Acknowledgement, read, sign
from broker.audit.verify.deliveries import (
    DELIVERED,
    DISPUTED,
    DUE,
    MISSING,
    NO_DEADLINE,
    REPEATED,
    SETTLED,
    SETTLES,
    SIGNED,
    judge,
)
from broker.audit.verify.remarks import Nature
from broker.audit.verify.ties import End, key_of
from broker.keys import cose
from broker.keys.authority import Authority
from broker.model import Entry, EntryKind, Role
from broker.receipt.acknowledgements import Delivered, acknowledgement, dispute, missing
from broker.receipt.memory import remembered
from broker.receipt.merkle import leaf_entry, leaf_hash
from tests.audit.verify.conftest import Auditor, natures

NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
"""Within the dates of certificates that are issued when tests have come to it, however late that is."""
KEY = key_of(1)
BY, THIS, ELSE = 1_000, 77, 78
"""A deadline; what stands for a leaf with its digest, and for something else."""


@dataclass(frozen=True)
class Evidence:
    """What is known of it."""

    as_of: int = 0
    missing: frozenset[int] = frozenset()
    newest_missing: int = -1

    def hidden(self, leaf: int) -> bool:
        return leaf in self.missing

    def hides(self, leaf: int, *kinds: str) -> bool:
        return self.newest_missing > leaf


def end(leaf: int, role: int, number: int = 1, fact: int = THIS) -> End:
    return End("delivery", KEY, leaf, role, number, fact)


def acknowledged(leaf: int, due: int = BY) -> tuple[End, End]:
    return end(leaf, SIGNED), end(leaf, SETTLED, due, 1)


def found(*ends: End, known: Evidence = Evidence()) -> list[tuple[Nature, int]]:
    remarks = judge(ends, known)
    return [(r.nature, int(r.finding.row.removeprefix("leaf_index="))) for r in remarks]


DELIVERY = end(1, DUE, BY)


@pytest.mark.parametrize(
    "ends",
    [
        (DELIVERY, *acknowledged(2)),
        (DELIVERY, end(2, MISSING, BY, 1), *acknowledged(3)),
        (DELIVERY, end(2, DISPUTED, fact=ELSE), *acknowledged(3), end(4, DISPUTED, fact=ELSE)),
        (end(1, DELIVERED, NO_DEADLINE), *acknowledged(2, NO_DEADLINE)),
        (end(1, REPEATED, 0), end(2, SIGNED), end(2, SETTLES, 0)),
    ],
)
def test_what_a_broker_does_is_in_order(ends: tuple[End, ...]) -> None:
    """In time, late, disputed before and after, unasked, and of a stream that came again."""
    assert found(*ends, known=Evidence(as_of=2 * BY)) == []


@pytest.mark.parametrize(
    ("ends", "leaf"),
    [
        ((DELIVERY, end(2, SIGNED, fact=ELSE), end(2, SETTLED, BY, 1)), 2),
        ((DELIVERY, *acknowledged(2), end(3, DISPUTED)), 3),
        ((DELIVERY, *acknowledged(2, BY + 1)), 2),
        ((DELIVERY, *acknowledged(2), end(3, SETTLED, BY, 1)), 3),
        ((DELIVERY, *acknowledged(2), end(3, MISSING, BY, 1)), 3),
        ((DELIVERY, end(2, MISSING, BY + 1, 1), *acknowledged(3)), 2),
        ((DELIVERY, end(2, MISSING, BY, 1), end(3, MISSING, BY, 1), *acknowledged(4)), 3),
        ((end(2, SIGNED),), 2),
        ((end(2, SETTLED, BY, 1),), 2),
        ((end(2, MISSING, BY, 1),), 2),
        ((end(1, SIGNED), end(2, DELIVERED, NO_DEADLINE)), 1),
        ((end(1, REPEATED, 0), end(2, SIGNED), end(2, SETTLES, 5)), 2),
        ((end(1, REPEATED, 0), end(2, SIGNED)), 2),
        ((DELIVERY, *acknowledged(2), end(2, SETTLES, 5)), 2),
    ],
)
def test_what_does_not_go_together_is_named(ends: tuple[End, ...], leaf: int) -> None:
    """Of each pair that contradicts itself, the later one."""
    assert found(*ends) == [(Nature.CONTRADICTORY, leaf)]


def test_what_is_not_acknowledged_in_time_is_overdue() -> None:
    """When the time has passed, whether or not a leaf says so; before, there is nothing to say."""
    assert found(DELIVERY, known=Evidence(as_of=BY)) == []
    for said in ((), (end(2, MISSING, BY, 1),), (end(2, DISPUTED, fact=ELSE),)):
        assert found(DELIVERY, *said, known=Evidence(as_of=BY + 1)) == [(Nature.OVERDUE, 1)]


def test_what_is_not_there_is_held_against_nobody() -> None:
    """An erased delivery contradicts nothing; an erased acknowledgement may have been there."""
    ends = (*acknowledged(2), end(3, MISSING, BY, 1))
    assert found(*ends[:2], known=Evidence(missing=frozenset({1}))) == []
    assert found(DELIVERY, known=Evidence(as_of=2 * BY, newest_missing=5)) == [(Nature.ERASED, 1)]


def said_of(auditor: Auditor, tmp_path: Path, *, says: str, member: str = "consumer") -> set[tuple[str, str]]:
    """(nature, row) of what an auditor finds where a broker has logged of the delivery at leaf 1 that
    ``says``, at leaf 2, as if it were somebody else's; all that is signed is signed."""
    own = tmp_path / "log"
    own.mkdir()
    log = auditor.log.__class__(f"sqlite:///{own}/log.db", own)
    due_at = NOW - timedelta(days=1)
    delivery = log.delivery(due_at)
    delivered = Delivered.of(1, orjson.loads(delivery.statement))
    assert delivered is not None
    false = dict(delivered.statement)
    uri = "spiffe://xinghe/department/civil_affairs/system/counter-1"
    false[member] = {"department": "civil_affairs", "uri": uri} if member == "consumer" else "other"
    other = replace(delivered, statement=false)
    issued = Authority.create(tmp_path / "pki", "xinghe").issue("civil_affairs", Role.SYSTEM, "counter-1")
    key = serialization.load_pem_private_key(issued.key_pem, None)
    assert isinstance(key, cose.PrivateKey)
    digest = b"x" * 32 if says == "dispute" else delivered.digest
    message = sign(
        Acknowledgement(leaf_hash(leaf_entry(delivery.statement)), digest, NOW),
        key,
        x509.load_pem_x509_certificate(issued.cert_pem),
    )
    signed = read(message).signed(1)
    statement = {
        "acknowledgement": lambda: acknowledgement(other, signed, NOW, due_at),
        "dispute": lambda: dispute(other, signed, NOW),
        "missing": lambda: missing(1, told_of(delivery, false), due_at, NOW),
    }[says]()
    kind = EntryKind(orjson.loads(statement)["kind"])
    with log.running() as running:
        assert running.append(delivery).receipt.leaf_index == 1
        entry = log.said_of(kind, 1, delivery)
        assert running.append(replace(entry, statement=statement)).receipt.leaf_index == 2
    own_auditor = replace(auditor, log=log, note=remembered(log.state, log.key))
    return {
        (nature, row) for nature, _, row, column in natures(own_auditor.database()) if column != "decision"
    }


def told_of(delivery: Entry, false: dict[str, Any]) -> Entry:
    consumer = false["consumer"]
    return replace(
        delivery,
        consumer=consumer["department"],
        consumer_uri=consumer["uri"],
        provider=false["provider"],
    )


@pytest.mark.parametrize("says", ["acknowledgement", "dispute", "missing"])
def test_nothing_is_said_of_a_delivery_for_another_department(
    auditor: Auditor, tmp_path: Path, says: str
) -> None:
    """A broker that has a department sign for what another one received, or says that it owes a signature,
    contradicts the delivery; which stays unacknowledged."""
    found = said_of(auditor, tmp_path, says=says)
    assert found == {("contradictory", "leaf_index=2"), ("overdue", "leaf_index=1")}


def test_nothing_is_said_of_a_delivery_of_something_else(auditor: Auditor, tmp_path: Path) -> None:
    """Nor of another provider's data."""
    assert ("contradictory", "leaf_index=2") in said_of(auditor, tmp_path, says="missing", member="provider")
