"""Applications to test with."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from broker.applications import steps
from broker.filing_signatures import Signed, terms_digest
from broker.model import (
    Entry,
    EntryKind,
    FiledApplication,
    Identity,
    Paper,
    Role,
    RowScope,
    SharingMode,
    Terms,
    UseScope,
)
from broker.receipt.applications import filing, key_of, listed_provider

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
MESSAGE = b"what an officer signed"


def person(department: str, name: str = "wang", role: Role = Role.OFFICER) -> Identity:
    """Somebody of a department."""
    fingerprint = sha256(f"{department} {role} {name}".encode()).digest()
    return Identity("xinghe", department, role, name, 1, NOW + timedelta(days=30), fingerprint)


def whole_terms() -> Terms:
    """Terms that lack nothing, and have everything."""
    return Terms(
        consumer="housing_fund",
        dataset="civil_affairs.marriage",
        fields=("registered_on", "status"),
        purpose="housing_fund_withdrawal",
        legal_basis="住房公积金管理条例 第二十四条",
        scenario="购房提取时核对婚姻状况",
        scope=UseScope(rows=(RowScope("district", values=("990101", "990102")),)),
        mode=SharingMode.API,
        rows_per_call=10,
        rows_total=1_000,
        valid_from=NOW - timedelta(days=1),
        valid_until=NOW + timedelta(days=90),
        operator="王敏",
        papers=(Paper("legal_basis", "条例.pdf", bytes(32)),),
    )


def draft(number: int = 1) -> FiledApplication:
    """One that its consumer has just created."""
    return steps.created(number, whole_terms(), "civil_affairs", person("housing_fund"), NOW)


def signed_by(officer: Identity, filed: FiledApplication, message: bytes = MESSAGE) -> Signed:
    """What a verified signature of the officer is read as."""
    terms = terms_digest(filed.number, filed.terms)
    return Signed(filed.number, terms, NOW, officer, sha256(message).digest(), message)


def consented(filed: FiledApplication) -> FiledApplication:
    """The same, filed by its consumer's officer."""
    return steps.consented(filed, signed_by(person("housing_fund"), filed), NOW)


def entry(filed: FiledApplication, at: datetime = NOW, request_id: str = "") -> Entry:
    """What goes into the log of its last step."""
    terms, acts = filed.terms, (MESSAGE,) if filed.steps[-1].act == "consent" else ()
    statement = filing(
        filed,
        terms_digest(filed.number, terms),
        at,
        caller=person("housing_fund"),
        request_id=key_of(request_id) if request_id else "",
        signed=[sha256(act).digest() for act in acts],
    )
    return Entry(
        kind=EntryKind.APPLICATION,
        statement=statement,
        recorded_at=at,
        consumer=terms.consumer,
        consumer_uri=filed.created_by,
        provider=listed_provider(filed),
        dataset=terms.dataset,
        purpose=terms.purpose,
        acts=acts,
    )


def recorded(filed: FiledApplication, leaf: int) -> FiledApplication:
    """As it is read back: with the leaf of its last step."""
    return replace(filed, steps=(*filed.steps[:-1], replace(filed.steps[-1], receipt=leaf)))
