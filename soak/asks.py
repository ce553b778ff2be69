"""What the clients ask: a mix of datasets, fields and purposes, of permits and refusals, many people."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

from broker.formats import FORMATS
from broker.v1 import exchange_pb2 as pb

FUND, POLICE, INSURANCE, AUTHORITY = "housing_fund", "public_security", "medical_insurance", "data_authority"
DEPARTMENTS = (FUND, POLICE, INSURANCE, AUTHORITY)
"""All who need a certificate; the last one audits."""
FUND_BASIS, POLICE_BASIS = "住房公积金管理条例 第二十四条", "户口登记条例 第七条"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a department asks of one dataset, and whether the sample city's policy permits it."""

    department: str
    dataset: str
    fields: tuple[str, ...]
    purpose: str
    service_item: str
    legal_basis: str
    case_no: str
    permitted: bool = True


def _fund(dataset: str, *fields: str, purpose: str = "", permitted: bool = True) -> Ask:
    item = "990100-GJJ-0009" if purpose else "990100-GJJ-0003"
    purpose = purpose or "housing_fund_withdrawal"
    return Ask(FUND, dataset, fields, purpose, item, FUND_BASIS, "GJJ-2026-000001", permitted)


def _police(dataset: str, *fields: str) -> Ask:
    item = "990100-GA-0012"
    return Ask(POLICE, dataset, fields, "newborn_registration", item, POLICE_BASIS, "GA-2026-000001")


MARRIAGE = _fund("civil_affairs.marriage", "status", "registered_on")
HOUSEHOLD = _fund("public_security.household", "relation", "household_no", "district")
"""Of which everybody has a record."""
AUDIT = _fund(
    "civil_affairs.marriage", "status", "registered_on", purpose="housing_fund_audit", permitted=False
)
"""A purpose that nobody permits."""
UNARY_ASKS = (
    *[MARRIAGE] * 4,
    _fund("civil_affairs.marriage", "status"),
    *[HOUSEHOLD] * 2,
    _fund("public_security.household", "relation", "household_no", "address"),
    _fund("natural_resources.property", "address", "area_m2", "registered_on", "district"),
    _fund("social_security.retirement", "retired", "retired_on", "pension_monthly"),
    AUDIT,
    _fund("civil_affairs.marriage", "husband_name", permitted=False),  # for a person to review
    _police("civil_affairs.marriage", "status", "registered_on"),
    *[_police("healthcare.birth", "certificate_no", "child_name", "mother_id", "father_id")] * 2,
)
"""Each as often as it is to be asked; some one in seven is refused."""
PACKAGE = Ask(
    INSURANCE,
    "public_security.household",
    ("resident_id", "name", "district"),
    "grid_service",
    "990100-YB-0007",
    "医疗保障基金使用监督管理条例 第六条",
    "YB-2026-000001",
)
"""A stream of the whole household register."""


def unary(ask: Ask, subject: str) -> bytes:
    """A request about one person under a new request id, serialised."""
    application = _application(ask)
    application.subjects.append(subject)
    return pb.ExchangeRequest(request_id=str(uuid.uuid4()), application=application).SerializeToString()


def stream(ask: Ask = PACKAGE) -> bytes:
    """A request for a stream under a new request id, serialised."""
    request = pb.StreamExchangeRequest(request_id=str(uuid.uuid4()), application=_application(ask))
    return request.SerializeToString()


def of(department: str, chance: Random) -> Ask:
    """One of the department's, by chance."""
    return chance.choice([ask for ask in UNARY_ASKS if ask.department == department])


def residents(data: Path) -> list[str]:
    """Everybody in the household register in ``data`` whose id is a sound one."""
    sound = FORMATS["resident_id"].matches
    with closing(sqlite3.connect(data / "public_security.db")) as database:
        ids = [str(row[0]) for row in database.execute("SELECT DISTINCT sfzh FROM czrk ORDER BY sfzh")]
    return [one for one in ids if sound(one)]


def _application(ask: Ask) -> pb.Application:
    return pb.Application(
        dataset=f"datasets/{ask.dataset}",
        fields=ask.fields,
        purpose=ask.purpose,
        service_item=ask.service_item,
        case_no=ask.case_no,
        legal_basis=ask.legal_basis,
        operator="SOAK-0001",
    )
