"""The JSON Schema of statements: every kind, strict, bounded; and what the code writes is as it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import orjson
import pytest
from jsonschema import Draft202012Validator

from broker.errors import MalformedRequest, SetUpError
from broker.journal import CrlInForce
from broker.model import (
    CertificateChain,
    Delegation,
    DisposalCause,
    DisposalMethod,
    Entry,
    EntryKind,
    Epoch,
    Holding,
    Identity,
    Role,
    Suspension,
    Target,
    UseCommitment,
    Withdrawal,
)
from broker.receipt.acknowledgements import Delivered, Signed, acknowledgement, dispute, missing
from broker.receipt.chains import certificate_chain
from broker.receipt.commitments import lodged_statement
from broker.receipt.delegations import delegation
from broker.receipt.disposals import Certified, Kept, Ordered, certificate, order, ordered_of, set_of
from broker.receipt.disposals import missing as not_certified
from broker.receipt.log import append_alone
from broker.receipt.lookups import Named, audit_read, subject_access, subject_forgotten, trace
from broker.receipt.statement import MAX_BYTES, epoch_act, fits, genesis, instant, log_key, retention
from tests.applications.making import consented, draft
from tests.applications.making import entry as applied
from tests.correction import making as correcting
from tests.statement_schema import SCHEMA, wrong_in

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
SYSTEM = "spiffe://xinghe/department/tax/system/counter-1"
DIGEST = bytes(range(32))
AUDITOR = Identity("xinghe", "data_authority", Role.AUDITOR, "li", 1, NOW, DIGEST)
OFFICER = replace(AUDITOR, role=Role.OFFICER)
LENT = Delegation(1, OFFICER.uri, "data_authority", SYSTEM, "tax", NOW, NOW, serial=1 << 100)


def test_every_kind_of_statement_has_a_schema() -> None:
    """A new kind is documented in the same commit."""
    kinds = {str(kind) for kind in EntryKind}
    assert set(SCHEMA["properties"]["kind"]["enum"]) == kinds
    assert {each["if"]["properties"]["kind"]["const"] for each in SCHEMA["allOf"]} == kinds
    assert {name.removeprefix("kind_") for name in SCHEMA["$defs"] if name.startswith("kind_")} == kinds


def parts(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each schema in the schema."""
    if isinstance(schema, dict):
        yield path, schema
        for name, each in schema.items():
            yield from parts(each, f"{path}/{name}")
    elif isinstance(schema, list):
        for number, each in enumerate(schema):
            yield from parts(each, f"{path}/{number}")


def test_schema_is_strict_and_bounded() -> None:
    """No member that is not named, no text, list or number without a bound."""
    Draft202012Validator.check_schema(SCHEMA)
    loose = [
        path
        for path, part in parts(SCHEMA)
        if (part.get("type") == "string" and not part.keys() & {"maxLength", "pattern"})
        or (part.get("type") == "array" and "maxItems" not in part)
        or (part.get("type") == "object" and path and "additionalProperties" not in part)
    ]
    assert loose == []


def delivered() -> Delivered:
    """A stream that came again, and whole."""
    parties = {"consumer": {"department": "tax", "uri": SYSTEM}, "provider": "civil_affairs"}
    return Delivered(7, 5, DIGEST, parties | {"dataset": "civil_affairs.marriage", "purpose": "check"})


def retained(cases: Sequence[str] = (), **periods: dict[str, int]) -> bytes:
    """Statements whose time is over are erased."""
    by = {"actor": "甲", "reason": "期满"}
    return retention(
        (1, 9, 3), NOW, years=3, before=NOW, periods=periods, hold=["p.d"], hold_cases=cases, **by
    )


def disposals() -> list[bytes]:
    """An order by the clock, one by an officer, a certificate with an exception, one that did not come."""
    of = Holding("tax", "civil_affairs", "civil_affairs.marriage", "check", "17")
    sets = (set_of(NOW, [3, 5]), set_of(NOW + timedelta(days=1), [4]))
    officer = Identity("xinghe", "civil_affairs", Role.OFFICER, "li", 1, NOW, DIGEST)
    ordered = Ordered(of, DisposalCause.RETENTION, DisposalMethod.CLEAR, sets, NOW)
    early = replace(
        ordered, cause=DisposalCause.MISUSE, actor=officer, reason="超范围使用", of=replace(of, grant="")
    )
    disposal = ordered_of(orjson.loads(order(ordered, NOW)), 7)
    certified = Certified(
        message=b"message",
        digest=DIGEST,
        method=DisposalMethod.PURGE,
        disposed_at=NOW,
        operator="GJJ-0088",
        exceptions=(Kept((4,), "会计档案管理办法 第十四条"),),
        signer=SYSTEM,
        certificate=DIGEST,
        epoch=3,
    )
    return [
        order(ordered, NOW),
        order(early, NOW),
        certificate(disposal, certified, NOW),
        not_certified(disposal, NOW),
    ]


def commitment() -> UseCommitment:
    """One for a period."""
    signer = Identity("xinghe", "tax", Role.SYSTEM, "counter-1", 1, NOW, DIGEST)
    bound = ("tax", "civil_affairs.marriage", "check", "", "", NOW, NOW)
    return UseCommitment("use", 1, "text", *bound, b"message", DIGEST, signer)


def examples() -> list[bytes]:
    """Statements of the kinds that the end-to-end tests make seldom or never."""
    signed = Signed(b"message", DIGEST, NOW, SYSTEM, DIGEST, 3)
    entry = Entry(
        EntryKind.EXCHANGE, b"", NOW, consumer="tax", consumer_uri=SYSTEM, provider="p", dataset="p.d"
    )
    epoch = Epoch(4, DIGEST.hex(), 2, NOW)
    named = Named("tax", "check", "civil_affairs", ["civil_affairs.marriage/status"], 3, 1e-9, [1, 2])
    chain = CertificateChain(SYSTEM, sha256(b"one").digest(), (b"one", b"two"))
    approval = {"officer": SYSTEM, "digest": DIGEST.hex()}
    published = {"sequence": 2, "previous": DIGEST.hex(), "proposal": 1, "proposer": SYSTEM}

    def act(name: str, **more: Any) -> bytes:
        return epoch_act(name, epoch, crl_digest=DIGEST, actor="甲", reason="", **more)

    return [
        genesis("log.example", "log.example+key", NOW),
        certificate_chain(chain, NOW, None),
        certificate_chain(chain, NOW, CrlInForce(1 << 100, DIGEST)),
        act("grant", grant={"number": 7, "act": "activate"}),
        act("policy", publication=published | {"approvals": [approval]}),
        act("suspend", suspension=Suspension(4, Target.EVERYTHING, "", "", "甲", NOW)),
        act(
            "lift",
            suspension=Suspension(4, Target.PURPOSE, "check", "", "甲", NOW, provider="tax", mend_by=NOW),
            caller=AUDITOR,
        ),
        act(
            "withdraw",
            withdrawal=Withdrawal(7, "use", "tax", "civil_affairs", "civil_affairs.marriage", "check"),
        ),
        lodged_statement(commitment(), commitment().signer, "civil_affairs", NOW, 3),
        acknowledgement(delivered(), signed, NOW, None),
        acknowledgement(delivered(), signed, NOW, NOW),
        dispute(delivered(), signed, NOW),
        missing(7, entry, NOW, NOW),
        *disposals(),
        delegation(LENT, NOW, OFFICER, f"delegation/{uuid4()}"),
        delegation(replace(LENT, revoked_at=NOW), NOW, OFFICER),
        log_key("— note\n", "log.example+key", 0, NOW, actor="甲", reason=""),
        retained(),
        retained(datasets={"p.d": 10}, purposes={"check": 5}, cases=["GJJ-1"]),
        trace("甲", "", NOW, sha256=DIGEST.hex(), size=5, words=2, keys=1, found=[named]),
        subject_access("甲", "", NOW, str(uuid4()), [], receipts=0, missing=0),
        subject_forgotten("甲", "", NOW, "0" * 32),
        applied(draft()).statement,
        applied(consented(draft()), NOW, str(uuid4())).statement,
        *correcting.examples(AUDITOR),
        audit_read(AUDITOR, NOW, {"receipt": 7}, (), (7,), proofs=True),
        audit_read(AUDITOR, NOW, {"kind": "exchange", "until": instant(NOW)}, (DIGEST,), (), proofs=False),
    ]


@pytest.mark.parametrize("statement", examples(), ids=lambda said: orjson.loads(said)["kind"])
def test_what_the_code_writes_is_as_documented(statement: bytes) -> None:
    """And with a member more, one fewer or of another type it is not."""
    assert wrong_in(statement) == []
    said = orjson.loads(statement)
    assert wrong_in(orjson.dumps(said | {"more": 1}))
    assert wrong_in(orjson.dumps({name: value for name, value in said.items() if name != "salt"}))
    assert wrong_in(orjson.dumps(said | {"recorded_at": 0}))


def test_too_long_a_statement_is_refused_before_anything_is_recorded(tmp_path: Any, broker_log: Any) -> None:
    """Of what goes out afterwards the outcome fits in any case: it may be longer."""
    log = broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path)
    long = Entry(EntryKind.EXCHANGE, bytes(MAX_BYTES), NOW)
    with log.running() as running:
        size = running.size()
        with pytest.raises(MalformedRequest):
            running.append(long)
        assert running.size() == size
    with pytest.raises(SetUpError):
        append_alone(None, None, long)  # type: ignore[arg-type]  # it is refused before either is asked
    assert not fits(EntryKind.STREAM_DECISION, bytes(MAX_BYTES))
    assert fits(EntryKind.STREAM_OUTCOME, bytes(MAX_BYTES))
