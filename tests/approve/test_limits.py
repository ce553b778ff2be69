"""Time limits, as the authority declares them for each jurisdiction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from broker.approve.bundle import Bundle, load_bundle
from broker.limits.stages import stages
from broker.model import NATIONAL, Catalog, SharingAttribute, Stage, TimeLimits

ROOT = Path(__file__).parent.parent.parent
CONDITIONAL, UNCONDITIONAL = SharingAttribute.CONDITIONAL, SharingAttribute.UNCONDITIONAL
Load = Callable[[Path], Bundle]


def limits(folder: Path, load: Load, written: str) -> Catalog:
    (folder / "limits.yaml").write_text(f"format: share-limits/v1\njurisdictions:\n{written}", "utf-8")
    return load(folder).catalog


def test_without_the_file_the_regulation_holds(folder: Path, load: Load) -> None:
    """A city that writes nothing is under the national limits."""
    assert load(folder).catalog.limits_of("registry") == NATIONAL == TimeLimits()
    assert stages(NATIONAL, CONDITIONAL) == ((Stage.ANSWER, 10),)
    assert stages(NATIONAL, UNCONDITIONAL) == ((Stage.ANSWER, 1),)


def test_shipped_city_writes_what_differs() -> None:
    """The sample city reminds by its own days, and what it does not write is national."""
    catalog = load_bundle(ROOT / "policies", lambda *_: None).catalog
    assert catalog.limits_of("civil_affairs") == replace(NATIONAL, remind_before=(2, 1))
    assert catalog.limits["000000"] == NATIONAL == catalog.limits_of("nobody")


def test_two_parts(folder: Path, load: Load) -> None:
    """2 + 5: the authority checks, then the provider answers; what is unconditional is answered at once."""
    written = '  "990000": {stages: {conformity: 2, answer: 5}}\n'
    found = limits(folder, load, written).limits["990000"]
    assert stages(found, CONDITIONAL) == ((Stage.CONFORMITY, 2), (Stage.ANSWER, 5))
    assert stages(found, UNCONDITIONAL) == ((Stage.ANSWER, 1),)
    assert found.conditional_reply == 7


def test_heilongjiang_answers_in_a_day(folder: Path, load: Load) -> None:
    """A province's own limit holds for its departments and no others."""
    catalog = limits(folder, load, '  "230000": {conditional_reply: 1}\n')
    registry = catalog.departments["registry"]
    assert catalog.limits_of("registry") == NATIONAL
    there = {**catalog.departments, "registry": replace(registry, region="230103")}
    found = replace(catalog, departments=there).limits_of("registry")
    assert stages(found, CONDITIONAL) == ((Stage.ANSWER, 1),)


def test_narrower_jurisdiction_takes_the_rest_from_the_wider(folder: Path, load: Load) -> None:
    """Whatever the order in the file; who writes one answer for itself has no parts."""
    catalog = limits(
        folder,
        load,
        '  "990101": {conditional_reply: 3, remind_before: [1, 2]}\n'
        '  "990000": {stages: {conformity: 1, answer: 4}, delivery: 15, supplement: 5}\n'
        '  "990100": {delivery: 10}\n',
    ).limits
    assert catalog["990100"] == replace(catalog["990000"], delivery=10)
    assert stages(catalog["990000"], CONDITIONAL) == ((Stage.CONFORMITY, 1), (Stage.ANSWER, 4))
    assert catalog["990101"] == TimeLimits(
        conditional_reply=3, delivery=10, supplement=5, remind_before=(2, 1)
    )
