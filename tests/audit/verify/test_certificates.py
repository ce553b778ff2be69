"""Certificates and what they acted in: the chain comes first, and the times fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.audit.verify.certificates import CHAIN, UNTIL, USED, judge
from broker.audit.verify.evidence import DatabasePlace
from broker.audit.verify.heads import open_head
from broker.audit.verify.remarks import Nature
from broker.audit.verify.run import Job, Report, verify
from broker.audit.verify.said import Anchors
from broker.audit.verify.ties import End, key_of
from broker.keys.authority import Authority
from broker.model import CertificateChain, Entry, Role
from broker.receipt.leaves import ORDER_TOLERANCE
from broker.receipt.log_keys import LogKeys
from broker.receipt.memory import remembered

DER = serialization.Encoding.DER
DAY = 24 * 3600 * 1_000_000


@dataclass(frozen=True)
class Evidence:
    """What is known of it."""

    as_of: int = 0
    chains_missing: bool = False

    def hidden(self, leaf: int) -> bool:
        return False

    def hides(self, leaf: int, *kinds: str) -> bool:
        return self.chains_missing


def end(leaf: int, role: int, number: int = 0, fact: int = 1) -> End:
    return End("certificate", key_of("certificate"), leaf, role, number, fact)


def logged(leaf: int, fact: int = 1) -> tuple[End, End]:
    """A chain, valid for the first day of time."""
    return end(leaf, CHAIN, 0, fact), end(leaf, UNTIL, DAY, fact)


def found(*ends: End, known: Evidence = Evidence()) -> list[tuple[Nature, int]]:
    remarks = judge(ends, known)
    return [(r.nature, int(r.finding.row.removeprefix("leaf_index="))) for r in remarks]


@pytest.mark.parametrize(
    "ends",
    [
        (end(3, USED, 5),),
        (end(3, USED, 5), *logged(4), end(5, USED, 5)),
        (*logged(4), end(5, USED, 5), *logged(6, 2), end(7, USED, DAY + ORDER_TOLERANCE, 2)),
    ],
)
def test_what_a_broker_does_is_in_order(ends: tuple[End, ...]) -> None:
    """Logs of before, logs that were upgraded, and certificates used to their last moment."""
    assert found(*ends) == []


@pytest.mark.parametrize(
    ("ends", "leaf"),
    [
        ((*logged(4), end(5, USED, 5, 2)), 5),
        ((*logged(4), end(5, USED, 5, 2), *logged(6, 2)), 5),
        ((*logged(4), *logged(6)), 6),
        ((*logged(4), end(5, USED, DAY + ORDER_TOLERANCE + 1)), 5),
        ((*logged(4), end(5, USED, -1)), 5),
    ],
)
def test_what_contradicts_the_rule_is_named(ends: tuple[End, ...], leaf: int) -> None:
    """No chain, one that came later, one twice, and certificates outside their dates."""
    assert found(*ends) == [(Nature.CONTRADICTORY, leaf)]


def test_a_chain_that_may_be_erased_is_held_against_nobody() -> None:
    """Nor one that stands outside an export."""
    assert found(*logged(4), end(5, USED, 5, 2), known=Evidence(chains_missing=True)) == []


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("city") / "pki", "xinghe")


def acting(log: Any, city: Authority, holder: str = "", *, chain: bool = True) -> Entry:
    """An exchange by a system of the city."""
    issued = city.issue("tax", Role.SYSTEM, "counter-1")
    der = x509.load_pem_x509_certificate(issued.cert_pem).public_bytes(DER)
    entry, holder = log.exchange(), holder or str(issued.spiffe_id)
    consumer = {"department": "tax", "uri": str(issued.spiffe_id), "certificate": sha256(der).hexdigest()}
    said = orjson.loads(entry.statement) | {"consumer": consumer}
    ders = (der, city.certificate.public_bytes(DER))
    return replace(
        entry,
        statement=orjson.dumps(said, option=orjson.OPT_SORT_KEYS),
        consumer_uri=str(issued.spiffe_id),
        chains=(CertificateChain(holder, sha256(der).digest(), ders),) if chain else (),
    )


def verified(log: Any, authority: x509.Certificate) -> Report:
    anchors = Anchors(LogKeys.of(log.key), authority=authority.public_bytes(DER))
    head, _ = open_head(remembered(log.state, log.key), anchors)
    return verify(Job(DatabasePlace(log.url), anchors, head))


def said_of(report: Report) -> list[tuple[Nature, str, str]]:
    return [(one.nature, one.finding.row, one.finding.column) for one in report.remarks]


def test_a_log_with_chains_verifies_under_its_authority_only(
    tmp_path: Path, broker_log: Callable[..., Any], city: Authority
) -> None:
    """From the leaves: the chain is before the act, and who issued it is asked of the trusted certificate."""
    log = broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path)
    with log.running() as running:
        for _ in range(2):
            running.append(acting(log, city))
    assert said_of(verified(log, city.certificate)) == []
    other = Authority.create(tmp_path / "other", "xinghe").certificate
    assert said_of(verified(log, other)) == [
        (Nature.FORGED, "leaf_index=1", "chain"),
        (Nature.FORGED, "leaf_index=3", "chain"),
    ]


def test_acts_whose_chain_is_missing_or_anothers_are_found(
    tmp_path: Path, broker_log: Callable[..., Any], city: Authority
) -> None:
    """A broker that leaves out a chain, or logs one under another name, is seen to."""
    log = broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path)
    with log.running() as running:
        running.append(acting(log, city))
        missing = running.append(acting(log, city, chain=False)).receipt.leaf_index
        forged = running.append(
            acting(log, city, "spiffe://xinghe/department/tax/system/x")
        ).receipt.leaf_index
    assert said_of(verified(log, city.certificate)) == [
        (Nature.FORGED, f"leaf_index={forged - 1}", "chain"),
        (Nature.CONTRADICTORY, f"leaf_index={missing}", "certificate"),
        (Nature.CONTRADICTORY, f"leaf_index={forged}", "certificate"),
    ]
