"""Applications as officers write them, for cases and ``policy explain``: YAML, or JSON, which is YAML."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from broker.approve.bundle import Bundle
from broker.approve.document import Node, ScalarNode, SequenceNode
from broker.approve.grammar import ALL
from broker.approve.problem import COMMITMENT, DATASET, DEPARTMENT, FIELD, PURPOSE, Code, Kind, Problems
from broker.approve.table import Table, text
from broker.authoring.grammar import APPLICATION, GRANT
from broker.model import Application, Claim, Dataset, Grant, Identity, Role, UseCommitment, Voice
from broker.reasons import Reason

PAPERS = ("service_item", "case_no", "legal_basis", "operator")
KEYS = tuple(APPLICATION.shapes)

SERVICE_ITEM = Kind(Code.UNKNOWN_WORD, "事项编码", "service item")

_DEFAULT_SYSTEM = "counter"
_ANY_SERIAL, _ANY_FINGERPRINT = 1, bytes(32)
_SIGNED = bytes(32)
"""Stands for the digest of a signed application: policy asks only whether there is one."""
_TIME = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Asked:
    """An application as values, before anything is known of the city: what :func:`application` takes."""

    department: str
    dataset: str
    fields: tuple[str, ...]
    purpose: str
    system: str = _DEFAULT_SYSTEM
    subjects: int | None = 1
    """How many subjects are named; None asks for the whole dataset."""
    service_item: str = ""
    case_no: str = ""
    legal_basis: str = ""
    operator: str = ""
    grant: str = ""
    signed_application: bool = False
    claims: tuple[str, ...] = ()
    """Fields of which something is claimed."""
    commitments: tuple[str, ...] = ()
    """Templates of which a commitment is signed."""


def application(asked: Asked, city: str) -> Application:
    """The application, by a system in good standing; subjects are stand-ins, as policy only counts them."""
    consumer = Identity(
        city,
        asked.department,
        Role.SYSTEM,
        asked.system,
        _ANY_SERIAL,
        datetime.max.replace(tzinfo=UTC),
        _ANY_FINGERPRINT,
    )
    return Application(
        consumer=consumer,
        request_id="",
        dataset=asked.dataset,
        fields=asked.fields,
        subjects=tuple(f"subject-{number}" for number in range(1, (asked.subjects or 0) + 1)),
        purpose=asked.purpose,
        service_item=asked.service_item,
        case_no=asked.case_no,
        legal_basis=asked.legal_basis,
        operator=asked.operator,
        grant=asked.grant,
        signed_digest=_SIGNED if asked.signed_application else b"",
        streamed=asked.subjects is None,
        claims=tuple(Claim(field, ("claim",) * (asked.subjects or 0)) for field in asked.claims),
        commitments=tuple(_commitment(template, asked, consumer) for template in asked.commitments),
    )


def _commitment(template: str, asked: Asked, consumer: Identity) -> UseCommitment:
    """A stand-in: policy asks only of which templates there is one."""
    return UseCommitment(
        template,
        version=1,
        text="",
        consumer=asked.department,
        dataset=asked.dataset,
        purpose=asked.purpose,
        case_no=asked.case_no,
        request_id="",
        issued=datetime.min.replace(tzinfo=UTC),
        expires=datetime.max.replace(tzinfo=UTC),
        message=b"",
        digest=_SIGNED,
        signer=consumer,
    )


def read_asked(
    node: Node | None, bundle: Bundle, problems: Problems, refused_as: Collection[str] = ()
) -> Asked:
    """The application in ``node``; names that the catalog lacks are reported with the nearest one it has.

    ``refused_as`` holds reasons that are expected: who tests how an unknown dataset is refused may name one.
    """
    table = Table(node, problems, APPLICATION)
    asked = Asked(
        department=table.text("department"),
        dataset=table.text("dataset"),
        fields=tuple(item.value for item in table.texts("fields")),
        purpose=table.text("purpose"),
        system=table.text("system") or _DEFAULT_SYSTEM,
        subjects=_subjects(table),
        signed_application=table.flag("signed_application"),
        grant=table.text("grant"),
        claims=tuple(item.value for item in table.texts("claims")) if "claims" in table else (),
        commitments=table.names("commitments", bundle.catalog.commitments, COMMITMENT),
        **{name: table.text(name) for name in PAPERS},
    )
    _check_names(asked, table, bundle, refused_as)
    return asked


def read_time(table: Table, key: str, zone: ZoneInfo) -> datetime | None:
    """An instant written ``2026-11-23 10:30``, in ``zone``; None when it is not written, or reported."""
    node = table.node(key)
    return None if node is None else time_in(node, zone, table.problems)


def time_in(node: Node, zone: ZoneInfo, problems: Problems) -> datetime | None:
    """The same, of a node."""
    value = text(node, problems)
    try:
        return parse_time(value, zone) if value else None
    except ValueError:
        zh, en = "须为日期和时间，形如 2026-11-23 10:30", "write day and time such as 2026-11-23 10:30"
        problems.add(node.at, Code.BAD_DATE, zh, en)
        return None


def parse_time(text: str, zone: ZoneInfo) -> datetime:
    """The instant in ``text``, ``2026-11-23 10:30`` in ``zone``.

    Raises:
        ValueError: it is none.
    """
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def read_grant(name: str, node: Node, bundle: Bundle, zone: ZoneInfo, problems: Problems) -> Grant:
    """A grant (共享授权) that a case's application may name."""
    table = Table(node, problems, GRANT)
    dataset = table.name("dataset", bundle.catalog.datasets, DATASET)
    known = bundle.catalog.datasets.get(dataset)
    fields = table.names("fields", known.fields, FIELD) if known else ()
    never = datetime.min.replace(tzinfo=UTC)
    return Grant(
        name=name,
        consumer=table.name("department", bundle.catalog.departments, DEPARTMENT),
        dataset=dataset,
        fields=frozenset(fields),
        purpose=table.name("purpose", bundle.catalog.purposes, PURPOSE),
        valid_from=read_time(table, "from", zone) or never,
        valid_until=read_time(table, "until", zone) or never,
        whole=table.flag("whole"),
        rows_per_call=table.count("rows_per_call"),
        voices=tuple(_voices(table, bundle, problems)),
    )


def _voices(table: Table, bundle: Bundle, problems: Problems) -> Iterator[Voice]:
    for name, count in table.items("approved_by"):
        if name.value not in bundle.catalog.departments:
            problems.unknown(name.at, DEPARTMENT, name.value, bundle.catalog.departments)
        if isinstance(count, ScalarNode) and count.value.isdigit():  # else the grammar has complained
            yield from [Voice(name.value, name.value)] * int(count.value)


def _subjects(table: Table) -> int | None:
    node = table.node("subjects")
    if node is None:
        return 1
    if isinstance(node, ScalarNode) and node.value == ALL:
        return None
    return table.count("subjects") or 1


def _check_names(asked: Asked, table: Table, bundle: Bundle, refused_as: Collection[str]) -> None:
    catalog = bundle.catalog
    checks: Mapping[str, tuple[Collection[str], Kind, Reason | None]] = {
        "department": (catalog.departments, DEPARTMENT, Reason.DEPARTMENT_UNKNOWN),
        "dataset": (catalog.datasets, DATASET, Reason.DATASET_UNKNOWN),
        "purpose": (catalog.purposes, PURPOSE, None),
        "service_item": (catalog.service_items, SERVICE_ITEM, Reason.SERVICE_ITEM_MISMATCH),
    }
    for key, (known, kind, reason) in checks.items():
        name = getattr(asked, key)
        if name and name not in known and reason not in refused_as:
            table.problems.unknown(table.place(key), kind, name, known)
    dataset = catalog.datasets.get(asked.dataset)
    if dataset is not None and Reason.FIELD_NOT_SHARED not in refused_as:
        _check_fields(table, dataset)


def _check_fields(table: Table, dataset: Dataset) -> None:
    node = table.node("fields")
    for item in node.items if isinstance(node, SequenceNode) else ():
        if isinstance(item, ScalarNode) and item.value and item.value not in dataset.fields:
            table.problems.unknown(item.at, FIELD, item.value, dataset.fields)
