"""Kept plans: the same exchange finds its plan again, any other makes its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from adapters.masking.registry import load_operators
from broker.desensitize.plan import plan
from broker.desensitize.planner import Planner
from broker.keys.keyring import Keyring
from broker.model import (
    Application,
    Approved,
    Dataset,
    Decision,
    Field,
    FieldType,
    Identity,
    LinkDomain,
    Mask,
    Obligations,
    Role,
    SharingAttribute,
    SourceSpec,
    Verdict,
)

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
DATASET = Dataset(
    id="tax.income",
    department="tax",
    title="个人所得税申报",
    catalog_code="990100-SW-0001",
    fields={name: Field(name, name, FieldType.TEXT, "L3") for name in ("payer", "office")},
    subject_fields=("payer",),
    subject_format="resident_id",
    sharing_attribute=SharingAttribute.CONDITIONAL,
    sharing_modes=("api",),
    use_conditions="",
    attribute_basis="",
    update_cycle=timedelta(days=1),
    as_of_field="payer",
    source=SourceSpec("sql", {}, {}),
)
CONSUMER = Identity("xinghe", "housing_fund", Role.SYSTEM, "counter", 1, NOW, b"")
APPLICATION = Application(CONSUMER, "r", DATASET.id, ("payer", "office"), ("990101189901010015",), "p")


def permit(application: Application, masks: dict[str, Mask], dataset: Dataset = DATASET) -> Approved:
    return Approved(application, Decision(Verdict.PERMIT, "h", obligations=Obligations(masks)), dataset)


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.new(datetime.now(UTC))


def test_a_plan_is_found_again(keyring: Keyring) -> None:
    """Another request for the same, whoever it is about."""
    planner = Planner(load_operators(None))
    first = planner.plan(permit(APPLICATION, {"payer": Mask("pseudonym")}), keyring)
    other = replace(APPLICATION, request_id="s", subjects=("990101189901010023",))
    assert planner.plan(permit(other, {"payer": Mask("pseudonym")}), keyring) is first


@pytest.mark.parametrize(
    "approved",
    [
        permit(APPLICATION, {"payer": Mask("redact")}),
        permit(APPLICATION, {}),
        permit(replace(APPLICATION, purpose="q"), {"payer": Mask("pseudonym")}),
        permit(replace(APPLICATION, fields=("payer",)), {"payer": Mask("pseudonym")}),
        permit(
            replace(APPLICATION, consumer=replace(CONSUMER, department="tax")), {"payer": Mask("pseudonym")}
        ),
        permit(APPLICATION, {"payer": Mask("pseudonym")}, replace(DATASET, department="finance")),
    ],
    ids=["mask", "no mask", "purpose", "fields", "consumer", "dataset"],
)
def test_whatever_a_plan_depends_on_makes_another(keyring: Keyring, approved: Approved) -> None:
    """A changed mask, purpose, consumer or catalog gives what a plan made anew would give."""
    operators = load_operators(None)
    planner = Planner(operators)
    planner.plan(permit(APPLICATION, {"payer": Mask("pseudonym")}), keyring)
    column = {"payer": ["990101189901010015"], "office": ["甲"]}
    anew = plan(approved, operators, keyring)
    assert planner.plan(approved, keyring).apply_to_values(column) == anew.apply_to_values(column)
    assert planner.plan(approved, keyring).operator_versions == anew.operator_versions


def test_another_key_makes_another_plan(keyring: Keyring) -> None:
    """After a rotation nothing is masked under the key before; with that key, as before."""
    planner, rotated = Planner(load_operators(None)), keyring.with_another(datetime.now(UTC))
    approved = permit(APPLICATION, {"payer": Mask("pseudonym")})
    column = {"payer": ["990101189901010015"], "office": ["甲"]}
    first, second, again = (planner.plan(approved, keys) for keys in (keyring, rotated, rotated.using(1)))
    assert [plan.operator_versions["payer"]["key_version"] for plan in (first, second, again)] == [1, 2, 1]
    assert first.apply_to_values(column) != second.apply_to_values(column)
    assert first.apply_to_values(column) == again.apply_to_values(column)


def test_a_link_domain_that_comes_or_ends_makes_another_plan(keyring: Keyring) -> None:
    """A plan made under a grant is not found again once the grant has ended, nor before it began."""
    planner, column = Planner(load_operators(None)), {"payer": ["990101189901010015"], "office": ["甲"]}
    alone = permit(APPLICATION, {"payer": Mask("pseudonym")})
    domain = DATASET.fields["payer"].domain or f"{DATASET.id}.payer"
    own = frozenset({CONSUMER.department, "court"})
    link = LinkDomain("one", domain, frozenset({DATASET.department}), own, frozenset(), "", date.max)
    linked = replace(alone, links={domain: link})
    first, second, again = (planner.plan(one, keyring) for one in (alone, linked, alone))
    assert second.operator_versions["payer"]["link_domain"] == "one"
    assert "link_domain" not in again.operator_versions["payer"]
    assert first.apply_to_values(column) == again.apply_to_values(column)
    assert first.apply_to_values(column) != second.apply_to_values(column)
