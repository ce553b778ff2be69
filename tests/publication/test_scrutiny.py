"""What lets a rule speak, and which signatures meet which demands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from broker.approve.bundle import Bundle, compile_bundle
from broker.approve.problem import Position
from broker.approve.rule import Effect
from broker.demo.setup import load_shipped, shipped_policies
from broker.model import MaskOrder, SharingAttribute
from broker.publication.scrutiny import (
    NEVER,
    Change,
    bases_of,
    changes,
    covers,
    digests_of,
    file_of,
    with_standing,
)
from broker.publication.signing import Approving, Covered

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FILES = {"sharing/a.yaml": b"a", "catalog/tax.yaml": b"c", "city.yaml": b"x"}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_shipped(shipped_policies())


def test_permits_and_delegates_speak_by_an_approval_and_nothing_else_does(bundle: Bundle) -> None:
    """Denies and reviews need none; the default permit speaks by its catalog's."""
    name, dataset = next(iter(bundle.catalog.datasets.items()))
    opened = replace(dataset, sharing_attribute=SharingAttribute.UNCONDITIONAL)
    catalog = replace(bundle.catalog, datasets={**bundle.catalog.datasets, name: opened})
    bundle = replace(bundle, catalog=catalog)
    approved = {f"catalog/{dataset.department}.yaml": NOW, "sharing/tax-income.yaml": NOW}
    stamped = with_standing(bundle, approved)
    rules = [rule for about in stamped.about.values() for rule in about.rules]
    assert f"unconditional/{name}" in {rule.id for rule in rules}
    for rule in rules:
        if rule.effect in (Effect.PERMIT, Effect.DELEGATE):
            assert rule.standing_until == approved.get(file_of(rule), NEVER)
        else:
            assert rule.standing_until is None
    assert {NOW, NEVER} <= {rule.standing_until for rule in rules}
    assert stamped.hash == bundle.hash


def test_rule_of_no_file_never_speaks(bundle: Bundle) -> None:
    """Whatever became of its place."""
    rule = next(rule for rule in bundle.rules if rule.effect is Effect.PERMIT)
    assert file_of(replace(rule, at=Position(""))) == ""


def test_policies_rest_on_the_catalogs_that_they_are_about(bundle: Bundle) -> None:
    """Each rule's dataset says which; and on the profiles, where a word of theirs stands for a mask."""
    bases = bases_of(bundle)
    assert bases["sharing/tax-income.yaml"] == {"catalog/tax.yaml"}
    assert bases["sharing/civil-affairs-marriage.yaml"] == {
        "catalog/civil_affairs.yaml",
        "masking-profiles.yaml",
    }


def test_a_catalog_that_permits_by_itself_rests_on_what_its_levels_demand(bundle: Bundle) -> None:
    """A default permit masks by the authority's floors alone, and by the words that these are."""
    name, dataset = next(iter(bundle.catalog.datasets.items()))
    file = f"catalog/{dataset.department}.yaml"
    assert file not in bases_of(bundle)
    opened = replace(dataset, sharing_attribute=SharingAttribute.UNCONDITIONAL)
    catalog = replace(bundle.catalog, datasets={**bundle.catalog.datasets, name: opened})
    for order, files in (
        (catalog.mask_order, {"masking.yaml", "masking-profiles.yaml"}),
        (replace(catalog.mask_order, floors={}), {"masking.yaml"}),
        (MaskOrder(), set()),
    ):
        changed = replace(catalog, mask_order=order)
        assert bases_of(compile_bundle(changed, bundle.rules, bundle.hash))[file] == files


def test_what_became_of_each_file() -> None:
    """The manifest is no file of anybody's."""
    after = {"sharing/a.yaml": b"b", "city.yaml": b"x", "sharing/b.yaml": b"", "manifest.json": b"{}"}
    assert dict(changes(FILES, after)) == {
        "sharing/a.yaml": Change.CHANGED,
        "catalog/tax.yaml": Change.REMOVED,
        "city.yaml": Change.UNCHANGED,
        "sharing/b.yaml": Change.ADDED,
    }


def test_approval_covers_a_text_about_a_catalog_and_no_other() -> None:
    """Another text, another catalog or none, another file: not covered. A removal is a removal."""
    digests = digests_of(FILES)
    basis = {"catalog/tax.yaml": digests["catalog/tax.yaml"]}

    def said(covered: Covered, file: str = "sharing/a.yaml") -> Approving:
        return Approving("a" * 64, NOW, NOW + timedelta(days=1), {file: covered})

    sound = Covered(digests["sharing/a.yaml"], basis)
    assert covers(said(sound), "sharing/a.yaml", digests)
    assert not covers(said(sound), "city.yaml", digests)
    assert not covers(said(replace(sound, digest=b"x" * 32)), "sharing/a.yaml", digests)
    assert not covers(said(sound), "sharing/a.yaml", {**digests, "catalog/tax.yaml": b"x" * 32})
    assert not covers(said(sound), "sharing/a.yaml", {"sharing/a.yaml": digests["sharing/a.yaml"]})
    assert covers(said(Covered(b""), "sharing/gone.yaml"), "sharing/gone.yaml", digests)
    assert not covers(said(Covered(b"")), "sharing/a.yaml", digests)
