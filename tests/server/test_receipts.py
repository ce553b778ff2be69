"""What auditors read is on record before they read it; lists are proved against the head that holds."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from broker.audit.verify.evidence import DatabasePlace
from broker.audit.verify.heads import open_head
from broker.audit.verify.remarks import Nature
from broker.audit.verify.run import Job, verify
from broker.audit.verify.said import Anchors
from broker.cli.receipt_text import lines
from broker.client.proving import ProvedReceipts
from broker.errors import MalformedRequest, NotFound, Unavailable
from broker.journal import Cosigned
from broker.model import DepartmentKind, Entry, EntryKind, Identity, Role
from broker.receipt.finding import Finding
from broker.receipt.fsck import open_fsck
from broker.receipt.log import ReceiptLog
from broker.receipt.log_keys import LogKeys
from broker.receipt.lookups import audit_read
from broker.receipt.note import parse_checkpoint, verify_note
from broker.receipt.verify import verify_receipt
from broker.server import paging
from broker.server.receipts import ReceiptService
from broker.store import open_store
from broker.v1 import receipt_pb2

AUDITOR = Identity("xinghe", "data_authority", Role.AUDITOR, "li", 1, datetime.max, b"f" * 32)
CATALOG = SimpleNamespace(departments={"data_authority": SimpleNamespace(kind=DepartmentKind.AUTHORITY)})
EPOCHS: Any = SimpleNamespace(current=lambda: SimpleNamespace(bundle=SimpleNamespace(catalog=CATALOG)))
CALL: Any = SimpleNamespace(identity=AUDITOR, facts={})


@dataclass
class Desk:
    """A log, and the service of it."""

    log: Any
    running: ReceiptLog

    @property
    def service(self) -> ReceiptService:
        return ReceiptService(self.running, EPOCHS, lambda: datetime.now(UTC))

    def list(self, **asked: Any) -> receipt_pb2.ListReceiptsResponse:
        return self.service.ListReceipts(receipt_pb2.ListReceiptsRequest(**asked), CALL)


@pytest.fixture
def desk(tmp_path: Path, broker_log: Callable[..., Any]) -> Iterator[Desk]:
    """A log of 11 leaves."""
    log = broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path)
    log.fill(10)
    with log.running() as running:
        yield Desk(log, running)


@pytest.mark.parametrize("proofs", [False, True])
def test_no_receipt_no_answer(desk: Desk, proofs: bool) -> None:
    """A log that takes no more leaves still could be read, and is not: neither listed nor got, nor denied."""
    asked = receipt_pb2.GetReceiptRequest(name="receipts/3")
    assert desk.service.GetReceipt(asked, CALL).receipt.leaf_index == 3
    desk.running.close()
    assert desk.running.entry(3) is not None
    with pytest.raises(Unavailable):
        desk.list(proofs=proofs)
    with pytest.raises(Unavailable):
        desk.service.GetReceipt(asked, CALL)
    with pytest.raises(Unavailable):
        desk.service.GetReceipt(receipt_pb2.GetReceiptRequest(name="receipts/999"), CALL)


def test_fsck_and_audit_verify_know_the_leaf(desk: Desk) -> None:
    """A log with reads in it agrees with itself and verifies."""
    desk.list(proofs=True, kind="exchange", subject_tags=[b"t" * 16])
    with pytest.raises(NotFound):
        desk.service.GetReceipt(receipt_pb2.GetReceiptRequest(name="receipts/999"), CALL)
    note = desk.running.checkpoint()
    with open_fsck(desk.log.url, desk.log.state, desk.log.key) as check:
        assert list(check.findings()) == []
    anchors = Anchors(LogKeys.of(desk.log.key))
    head, _ = open_head(note, anchors)
    report = verify(Job(DatabasePlace(desk.log.url), anchors, head))
    assert report.remarks == []
    assert report.kinds[EntryKind.AUDIT_READ] == 2


def test_a_read_of_what_was_not_there_contradicts_itself(desk: Desk) -> None:
    """Of leaves after its own, or more than lie between the first and the last."""
    now = datetime.now(UTC)
    for found in ([99], [2, 2, 2]):
        statement = audit_read(AUDITOR, now, {}, (), found, proofs=False)
        desk.running.append(Entry(EntryKind.AUDIT_READ, statement, now))
    anchors = Anchors(LogKeys.of(desk.log.key))
    head, _ = open_head(desk.running.checkpoint(), anchors)
    remarks = verify(Job(DatabasePlace(desk.log.url), anchors, head)).remarks
    assert [(one.nature, one.finding.row) for one in remarks] == [
        (Nature.CONTRADICTORY, "leaf_index=11"),
        (Nature.CONTRADICTORY, "leaf_index=12"),
    ]
    assert all(isinstance(one.finding, Finding) for one in remarks)


def test_a_cosigned_head_is_what_lists_are_proved_against(desk: Desk) -> None:
    """Where witnesses have cosigned one, so that who asks for cosignatures can verify the list."""
    seen = desk.running.checkpoint()
    with closing(open_store(desk.log.url)) as store:
        store.publish_cosigned(Cosigned(11, seen))
    desk.running.append(desk.log.exchange())
    page = desk.list(proofs=True)
    assert (page.checkpoint, page.tree_size) == (seen, 11)
    assert [receipt.leaf_index for receipt in page.receipts] == list(range(10, -1, -1))
    for receipt in ProvedReceipts(desk.log.key).of_page(page):
        verify_receipt(receipt, desk.log.key)


def test_a_forged_page_token_is_refused(desk: Desk) -> None:
    """Its binding is no secret: a tree that is not signed, or a position beyond it, gives nothing more."""
    page = desk.list(proofs=True, page_size=2)
    verify_note(page.checkpoint, desk.log.key)
    size = parse_checkpoint(verify_note(page.checkpoint, desk.log.key)).size
    query = f"proved receipts {desk.service._filter(receipt_pb2.ListReceiptsRequest(), AUDITOR)}"
    assert paging.encode(size - 2, query, size) == page.next_page_token
    for forged in (paging.encode(5, query, 10**6), paging.encode(5, query), paging.encode(5, query, 2**63)):
        with pytest.raises(MalformedRequest) as refused:
            desk.list(proofs=True, page_token=forged)
        assert [violation.field for violation in refused.value.violations] == ["page_token"]
    beyond = desk.list(proofs=True, page_token=paging.encode(10**6, query, size), page_size=1)
    assert [receipt.leaf_index for receipt in beyond.receipts] == [size - 1]


def test_a_statement_that_was_altered_is_not_handed_over_with_a_proof(desk: Desk) -> None:
    """Neither the database's statement nor its tiles are believed."""
    path = desk.log.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE statement SET content = ? WHERE leaf_index = 4", (b'{"kind":"exchange"}',))
    with pytest.raises(Unavailable):
        desk.list(proofs=True)


def test_the_leaf_in_words() -> None:
    """Who, by what, how many; in both languages; tags only as a digest."""
    tags = [secrets.token_bytes(16)]
    statement = audit_read(AUDITOR, datetime.now(UTC), {"operator": "GJJ-0088"}, tags, [3, 9], proofs=True)
    for zh in (True, False):
        said = {label: text for _, label, text in lines(orjson.loads(statement), zh)}
        assert said["reader"] == f"data_authority  {AUDITOR.uri}"
        assert (said["receipts given"], said["leaves"]) == ("2", "3-9")
        assert "operator: GJJ-0088" in said["filters"]
        assert "sha256" in said["filters"]
        assert tags[0].hex() not in str(said)
