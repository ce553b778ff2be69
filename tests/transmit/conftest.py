"""One dataset of marriages with a field of every type, and approved applications for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broker.model import (
    Application,
    Approved,
    Dataset,
    Decision,
    Field,
    FieldType,
    Identity,
    Role,
    SharingAttribute,
    SourceSpec,
    Verdict,
)

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def field(name: str, kind: FieldType, **rules: Any) -> Field:
    return Field(name, name, kind, "L1", **rules)


FIELDS = (
    field("husband_id", FieldType.TEXT, format="resident_id", required=True),
    field("wife_id", FieldType.TEXT, format="resident_id"),
    field("status", FieldType.TEXT, required=True),
    field("children", FieldType.INTEGER),
    field("fee", FieldType.DECIMAL),
    field("first", FieldType.BOOLEAN),
    field("registered_on", FieldType.DATE),
    field("district", FieldType.TEXT, format="region"),
    field("updated_at", FieldType.TIMESTAMP),
)


@pytest.fixture(scope="session")
def now() -> datetime:
    """Noon in Shanghai."""
    return NOW


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    """Two subject fields, updated daily; source columns are named ``c_<field>``."""
    return Dataset(
        id="civil_affairs.marriage",
        department="civil_affairs",
        title="婚姻登记信息",
        catalog_code="990100-MZ-0001",
        fields={one.name: one for one in FIELDS},
        subject_fields=("husband_id", "wife_id"),
        subject_format="resident_id",
        sharing_attribute=SharingAttribute.CONDITIONAL,
        sharing_modes=("api",),
        use_conditions="",
        attribute_basis="",
        update_cycle=timedelta(days=1),
        as_of_field="updated_at",
        source=SourceSpec("sql", {}, {one.name: f"c_{one.name}" for one in FIELDS}),
        region_field="district",
    )


@pytest.fixture(scope="session")
def approve(dataset: Dataset) -> Callable[..., Approved]:
    """``approve(*subjects, fields=…, **decision)``: a permit for these subjects."""

    def permit(*subjects: str, fields: tuple[str, ...] = ("status",), **decision: Any) -> Approved:
        consumer = Identity("xinghe", "housing_fund", Role.SYSTEM, "counter-1", 1, NOW, b"")
        application = Application(consumer, "r", dataset.id, fields, subjects, "housing_fund_withdrawal")
        return Approved(application, Decision(Verdict.PERMIT, "hash", **decision), dataset)

    return permit
