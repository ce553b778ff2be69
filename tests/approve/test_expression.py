"""Conditions in CEL: typed, without macros, and never quietly true."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from broker.approve.bundle import Bundle
from broker.approve.expression import MACROS, MAX_LENGTH, VARIABLES, Complaint, compile_expression
from broker.approve.problem import Code
from broker.approve.rule import Expression
from broker.model import Application, Catalog, Identity, Role

NOW = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)
"""Monday 01:30 in Shanghai."""
SHANGHAI = ZoneInfo("Asia/Shanghai")
CALLER = Identity("testcity", "counter", Role.SYSTEM, "desk", 1, NOW, b"")
ASKED = Application(
    CALLER, "r-1", "registry.marriage", ("status", "registered_on"), ("1", "2"), "withdrawal", "C-1", "案-1",
    "条例 第一条", "op",
)  # fmt: skip
Load = Callable[[Path], Bundle]


@pytest.fixture
def catalog(folder: Path, load: Load) -> Catalog:
    return load(folder).catalog


def condition(source: str, catalog: Catalog) -> Expression:
    compiled = compile_expression(source, SHANGHAI, catalog)
    assert isinstance(compiled, Expression), compiled
    return compiled


@pytest.mark.parametrize(
    "source",
    [
        'department == "counter" && region == "990102" && system == "desk"',
        'dataset == "registry.marriage" && purpose == "withdrawal" && service_item == "C-1"',
        'case_no.startsWith("案-") && legal_basis == "条例 第一条" && operator == "op"',
        '"status" in fields && size(fields) == 2 && fields[1] == "registered_on"',
        "subject_count == 2 && !whole_dataset",
        'hour == 1 && minute == 30 && weekday == 1 && day == "2026-11-23"',
        'now == timestamp("2026-11-22T17:30:00Z")',
    ],
)
def test_variables_mean_what_is_documented(source: str, catalog: Catalog) -> None:
    """Every variable has its documented value, times of day in the rule's zone."""
    assert condition(source, catalog).holds(ASKED, NOW)
    assert not condition(f"!({source})", catalog).holds(ASKED, NOW)


def test_region_is_the_systems_own(catalog: Catalog) -> None:
    """A system that the catalog does not narrow has its department's region."""
    other = replace(ASKED, consumer=replace(CALLER, department="fund", name="desk"))
    assert condition('region == "990100"', catalog).holds(other, NOW)
    assert condition("whole_dataset", catalog).holds(replace(other, subjects=()), NOW)


@pytest.mark.parametrize(
    "source", ["1 / (subject_count - 2) == 1", 'fields[7] == "x"', "timestamp(day) < now"]
)
def test_failure_at_run_time_raises(source: str, catalog: Catalog) -> None:
    """The library gives failures as values, which are true in Python; here they raise and tell nothing."""
    with pytest.raises(ValueError, match="gave no truth value"):
        condition(source, catalog).holds(ASKED, NOW)


def test_department_that_is_gone_raises(catalog: Catalog) -> None:
    """What cannot be told counts against release."""
    with pytest.raises(LookupError):
        condition("true", catalog).holds(replace(ASKED, consumer=replace(CALLER, department="x")), NOW)


@pytest.mark.parametrize("macro", MACROS)
def test_macros_are_banned(macro: str, catalog: Catalog) -> None:
    """They would make an expression's cost depend on the request."""
    source = f"{macro}(fields.x)" if macro == "has" else f'fields.{macro}(f, f == "a")'
    complaint = compile_expression(source, SHANGHAI, catalog)
    assert isinstance(complaint, Complaint)
    assert complaint.code is Code.EXPRESSION_MACRO


@pytest.mark.parametrize("source", ["dyn(true)", "hour", '"true"', "null", "[true][0] ? 1 : 2"])
def test_what_is_not_boolean_is_refused(source: str, catalog: Catalog) -> None:
    """Also what would only turn out at run time to be a truth value."""
    complaint = compile_expression(source, SHANGHAI, catalog)
    assert isinstance(complaint, Complaint)
    assert complaint.code is Code.EXPRESSION_NOT_BOOLEAN


def test_length_is_bounded(catalog: Catalog) -> None:
    """Characters count, not bytes: Chinese text has as much room."""
    longest = f'case_no == "{"案" * (MAX_LENGTH - 13)}"'
    assert len(longest) == MAX_LENGTH
    assert not condition(longest, catalog).holds(ASKED, NOW)
    complaint = compile_expression(f"{longest} ", SHANGHAI, catalog)
    assert isinstance(complaint, Complaint)
    assert complaint.code is Code.EXPRESSION_TOO_LONG


def test_one_expression_serves_many_threads(catalog: Catalog) -> None:
    """Workers decide in several threads at once, each with its own values."""
    expression = condition('subject_count > 5 && "status" in fields', catalog)

    def decide(count: int) -> bool:
        return expression.holds(replace(ASKED, subjects=("1",) * count), NOW)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(decide, [n % 12 for n in range(4_000)])) == [n % 12 > 5 for n in range(4_000)]


def test_variables_are_documented() -> None:
    """The normative page names each of them."""
    page = (Path(__file__).parent.parent.parent / "docs/policy-language.md").read_text("utf-8")
    section = page.partition("## 8")[2].partition("## 9")[0]
    assert {name for name in VARIABLES if f"`{name}`" not in section} == set()
