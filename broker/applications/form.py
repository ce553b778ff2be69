"""What can be wrong with the form of a request about an application: told all at once, and nothing is done.

That something is *missing* is not among it: the consumer is told of that when it files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from broker.apply.admission import CANONICAL_UUID, MAX_FIELDS, list_violations, text_violations
from broker.errors import MalformedRequest, Violation
from broker.model import Catalog, Dataset, Identity, Terms

MAX_TEXT = 500
"""Characters of a reason, a legal basis, a scenario."""
MAX_NAME = 200
"""Characters of the name of a paper."""
MAX_PAPERS = 50
MAX_VALUES = 1_000
"""Values in one bound of rows."""
MOST_DAYS = 10
"""Working days of an extension (Article 21)."""
_MAX_ROWS = 2**53
_DIGEST_BYTES = 32
_ID = re.compile("[a-z][a-z0-9_]{0,99}")


def require(*violations: Iterator[Violation]) -> None:
    """Raises:
    MalformedRequest: with all of the violations, if there are any.
    """
    if found := tuple(one for each in violations for one in each):
        raise MalformedRequest(found)


def request_violations(request_id: str) -> Iterator[Violation]:
    """What is wrong with a request id."""
    if not CANONICAL_UUID.fullmatch(request_id):
        yield Violation("request_id", "须为小写带连字符的 UUID", "must be a UUID in lower case with hyphens")


def stated_violations(name: str, text: str, *, required: bool) -> Iterator[Violation]:
    """What is wrong with a reason or a legal basis."""
    if required and not text:
        yield Violation(name, "不得为空", "must not be empty")
    yield from text_violations(name, text, MAX_TEXT)


def terms_violations(terms: Terms, caller: Identity, catalog: Catalog) -> Iterator[Violation]:
    """What is wrong with terms that ``caller`` hands in."""
    if terms.consumer != caller.department:
        yield Violation("terms.consumer", "须为本部门", "must be the caller's department")
    dataset = catalog.datasets.get(terms.dataset)
    if dataset is None:
        yield Violation("terms.dataset", "目录中没有此数据资源", "is not in the catalog")
    if terms.purpose not in catalog.purposes:
        zh, en = "须为目录中的使用场景编号", "must be the id of a purpose in the catalog"
        yield Violation("terms.purpose", zh, en)
    yield from _field_violations(terms, dataset)
    for name in ("legal_basis", "scenario", "operator"):
        yield from text_violations(f"terms.{name}", getattr(terms, name), MAX_TEXT)
    yield from _bound_violations(terms)
    yield from _scope_violations(terms, dataset)
    yield from _paper_violations(terms)


def _field_violations(terms: Terms, dataset: Dataset | None) -> Iterator[Violation]:
    if not terms.fields:
        yield Violation("terms.fields", "至少写明一个数据项", "name at least one field")
    yield from list_violations("terms.fields", terms.fields, MAX_FIELDS)
    for index, name in enumerate(terms.fields[:MAX_FIELDS]):
        if not _ID.fullmatch(name) or (dataset is not None and name not in dataset.fields):
            yield Violation(f"terms.fields[{index}]", "数据资源没有此数据项", "is no field of the dataset")


def _bound_violations(terms: Terms) -> Iterator[Violation]:
    for name in ("rows_per_call", "rows_total"):
        rows = getattr(terms, name)
        if rows is not None and not 0 < rows <= _MAX_ROWS:
            yield Violation(f"terms.{name}", "须为正整数", "must be a positive number")
    start, end = terms.valid_from, terms.valid_until
    if start is not None and end is not None and not start < end:
        yield Violation("terms.valid_until_time", "须晚于开始时间", "must be later than the beginning")
    for name, at in (("valid_from_time", start), ("valid_until_time", end)):
        if at is not None and at.microsecond:
            yield Violation(f"terms.{name}", "须为整秒", "must be in whole seconds")


def _scope_violations(terms: Terms, dataset: Dataset | None) -> Iterator[Violation]:
    yield from list_violations("terms.scope.rows", tuple(row.field for row in terms.scope.rows), MAX_FIELDS)
    for index, row in enumerate(terms.scope.rows[:MAX_FIELDS]):
        path = f"terms.scope.rows[{index}]"
        if dataset is not None and row.field not in dataset.fields:
            yield Violation(f"{path}.field", "数据资源没有此数据项", "is no field of the dataset")
        if not row.values:
            yield Violation(f"{path}.values", "至少写明一个值", "name at least one value")
        yield from list_violations(f"{path}.values", row.values, MAX_VALUES)
        for place, value in enumerate(row.values[:MAX_VALUES]):
            yield from text_violations(f"{path}.values[{place}]", value)


def _paper_violations(terms: Terms) -> Iterator[Violation]:
    names = tuple(f"{paper.kind}/{paper.name}" for paper in terms.papers)
    yield from list_violations("terms.papers", names, MAX_PAPERS)
    for index, paper in enumerate(terms.papers[:MAX_PAPERS]):
        path = f"terms.papers[{index}]"
        if not _ID.fullmatch(paper.kind):
            yield Violation(f"{path}.kind", "须为编号", "must be an id")
        if not paper.name:
            yield Violation(f"{path}.name", "不得为空", "must not be empty")
        yield from text_violations(f"{path}.name", paper.name, MAX_NAME)
        if len(paper.digest) != _DIGEST_BYTES:
            yield Violation(f"{path}.digest", "须为 32 字节的 SHA-256", "must be a SHA-256 of 32 bytes")
