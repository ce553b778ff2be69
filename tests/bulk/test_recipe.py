"""What a worker is given: the fields' keys and no other, bound to the same operators or not at all."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from broker.bulk.plan import BulkPlan
from broker.bulk.recipe import Masker, Recipe, recipe_of
from broker.errors import SetUpError
from broker.keys.keyring import Keyring

from .conftest import OPERATORS, PLAN, people

LINKS = """\
format: share-link-domains/v1
link_domains:
  settlement:
    field_domain: resident_id
    providers: [civil_affairs]
    consumers: [housing_fund, public_security]
    legal_basis: 户口登记条例 第七条
    until: "{until}"
"""


def test_a_recipe_travels_without_the_master_key(recipe: Recipe, keyring: Keyring) -> None:
    """Pickled it masks alike, and no key of the keyring is in it."""
    sent = pickle.dumps(recipe)
    batch = people(10).to_batches()[0]
    assert Masker(pickle.loads(sent)).mask(batch) == Masker(recipe).mask(batch)  # noqa: S301 - our own bytes
    for master in keyring.masters.values():
        assert master.key not in sent


def test_keys_are_those_of_an_exchange(recipe: Recipe, keyring: Keyring) -> None:
    """A pseudonym in a file is the one that the same consumer gets for the same purpose in a call."""
    (person, *_) = recipe.columns
    assert person.keys == keyring.for_field("tax", "housing_fund", "housing_fund_withdrawal", "resident_id")


def test_tokens_of_a_link_domain_join_in_files_as_in_calls(
    tmp_path: Path, plan_of: Callable[[str], BulkPlan], keyring: Keyring
) -> None:
    """Where the authority has granted it for the dataset, and only until its last day."""
    shutil.copytree(Path(__file__).parents[2] / "policies", tmp_path / "policies")
    plan = PLAN[: PLAN.index("fields:")].replace("provider: tax", "provider: civil_affairs")
    plan += "policies: policies\ndataset: civil_affairs.marriage\nfields: {husband_id: {mask: pseudonym}}\n"
    links = tmp_path / "policies" / "link-domains.yaml"
    context = ("housing_fund", "housing_fund_withdrawal", "resident_id")
    digests = set()
    for until, keys in (
        ("2999-12-31", keyring.for_link("settlement", "", context[1], "resident_id")),
        ("2020-01-01", keyring.for_field("civil_affairs", *context)),
    ):
        links.write_text(LINKS.format(until=until), "utf-8")
        read = plan_of(plan)
        (husband,) = recipe_of(read, OPERATORS, keyring).columns
        assert husband.keys == keys
        assert husband.said.get("link_domain") == ("settlement" if until > "2026" else None)
        digests.add(read.digest)
    assert len(digests) == 2


def test_other_operators_than_those_of_the_plan_mask_nothing(recipe: Recipe) -> None:
    """As where an executor has another version installed."""
    (person, *others) = recipe.columns
    older = replace(person, said={**person.said, "version": "0"})
    with pytest.raises(SetUpError, match="same versions"):
        Masker(replace(recipe, columns=(older, *others)))


def test_values_not_of_their_type_or_format_are_null_and_counted(
    plan_of: Callable[[str], BulkPlan], keyring: Keyring
) -> None:
    """Whatever the file's type is; a null was no value and is not counted."""
    masker = Masker(recipe_of(plan_of(PLAN), OPERATORS, keyring))
    batch = pa.record_batch(
        {
            "身份证号": pa.array([1, None, 3]),
            "name": pa.array(["张三", "李\ufffd", None]),
            "born": pa.array(["20000101", "2000-02-30", None]),
            "town": pa.array(["990101", "SECRET", None]).dictionary_encode(),
        }
    )
    masked, bad = masker.mask(batch)
    assert bad == {"name": 1, "born": 1, "town": 1}
    assert masked["town"].to_pylist() == ["990101", None, None]
    assert b"SECRET" not in masked.serialize().to_pybytes()


def test_a_subject_is_at_hand_without_going_out(plan_of: Callable[[str], BulkPlan], keyring: Keyring) -> None:
    """Dates of one person move by one number of days, though the person's id is dropped."""
    text = PLAN.replace("mask: {pseudonym: {}}", "mask: drop").replace(
        "{year: {}}", "{date_shift: {days: 30}}"
    )
    masker = Masker(recipe_of(plan_of("subject: person\n" + text), OPERATORS, keyring))
    batch = pa.record_batch({**people(2).to_batches()[0].to_pydict(), "身份证号": ["1", "1"]})
    masked, _ = masker.mask(batch.set_column(2, "born", pa.array([10, 20], pa.int32()).cast(pa.date32())))
    first, second = masked["born"].to_pylist()
    assert masked.schema.names == ["name", "born", "town"]
    assert (second - first).days == 10
