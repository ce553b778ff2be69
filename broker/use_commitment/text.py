"""The text of a use commitment: a template, its blanks, and what fills them.

Whoever fills a template with the same blanks gets the same characters, and these are what is signed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from broker.model import Application, Catalog, CommitmentTemplate

MOST_CHARACTERS = 8_000
"""Of a template, with its duties, in both languages."""


class Blank(StrEnum):
    """What may stand in braces in a template, and nothing else may."""

    CONSUMER = "consumer"
    """Title of the department that signs."""
    PROVIDER = "provider"
    """Title of the department whose data they are."""
    DATASET = "dataset"
    PURPOSE = "purpose"
    FIELDS = "fields"
    LEGAL_BASIS = "legal_basis"
    SERVICE_ITEM = "service_item"
    CASE_NO = "case_no"
    OPERATOR = "operator"
    REQUEST_ID = "request_id"
    RETAIN_DAYS = "retain_days"
    DATE = "date"
    """Day on which it was signed, in the city's zone."""
    UNTIL = "until"
    """Last day on which it holds, likewise."""


OF_ONE_CALL = frozenset(
    {
        Blank.FIELDS,
        Blank.LEGAL_BASIS,
        Blank.SERVICE_ITEM,
        Blank.CASE_NO,
        Blank.OPERATOR,
        Blank.REQUEST_ID,
    }
)
"""Nobody knows these when a commitment is signed for a period."""
SIGNED_WITH = frozenset({Blank.DATE, Blank.UNTIL})
"""These come from what is signed, and not from what is asked."""

Blanks = Mapping[str, str]

_BRACED = re.compile(r"\{([^{}\n]*)\}")


def document(template: CommitmentTemplate) -> str:
    """The whole template as people read it, blanks unfilled: title, text, duties, Chinese, then English."""
    return "\n\n".join(
        part
        for title, text, duties in (
            (template.title, template.text, template.duties),
            (template.title_en, template.text_en, template.duties_en),
        )
        for part in (title, text.strip("\n"), _numbered(duties))
        if part
    )


def blanks_in(text: str) -> Iterator[str]:
    """What stands in braces; a brace that has no fellow as itself."""
    yield from _BRACED.findall(text)
    yield from re.findall("[{}]", _BRACED.sub("", text))


def fill(text: str, blanks: Blanks) -> str:
    """The text that is signed, of a :func:`document`; what fills a blank is never read as a blank itself.

    Raises:
        KeyError: nothing fills one of them.
    """
    return _BRACED.sub(lambda found: blanks[found[1]], text)


def blanks_of(template: CommitmentTemplate, asked: Application, catalog: Catalog) -> dict[str, str]:
    """What ``asked`` fills; of what the catalog does not have, the id. Without :data:`SIGNED_WITH`."""
    dataset = catalog.datasets.get(asked.dataset)
    item = catalog.service_items.get(asked.service_item)
    titles = {} if dataset is None else {field.name: field.title for field in dataset.fields.values()}
    provider = asked.dataset.partition(".")[0]
    return {
        Blank.CONSUMER: _title(catalog, asked.consumer.department),
        Blank.PROVIDER: _title(catalog, provider),
        Blank.DATASET: asked.dataset if dataset is None else dataset.title,
        Blank.PURPOSE: catalog.purposes.get(asked.purpose, asked.purpose),
        Blank.FIELDS: "、".join(titles.get(field, field) for field in asked.fields),
        Blank.LEGAL_BASIS: asked.legal_basis,
        Blank.SERVICE_ITEM: asked.service_item if item is None else f"{item.title}（{item.code}）",
        Blank.CASE_NO: asked.case_no,
        Blank.OPERATOR: asked.operator,
        Blank.REQUEST_ID: asked.request_id,
        Blank.RETAIN_DAYS: str(template.retain_days or ""),
    }


def days_of(issued: datetime, expires: datetime, zone: str) -> dict[str, str]:
    """What the times of a commitment fill."""
    city = ZoneInfo(zone)
    return {
        Blank.DATE: issued.astimezone(city).date().isoformat(),
        Blank.UNTIL: expires.astimezone(city).date().isoformat(),
    }


def _title(catalog: Catalog, department: str) -> str:
    known = catalog.departments.get(department)
    return department if known is None else known.title


def _numbered(duties: tuple[str, ...]) -> str:
    return "\n".join(f"{number}. {duty}" for number, duty in enumerate(duties, 1))
