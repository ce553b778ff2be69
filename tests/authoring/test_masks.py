"""Masks that are offered can be used, and are as strict as the level demands."""

from dataclasses import replace

import pytest

from adapters.masking.registry import load_operators
from broker.authoring.masks import is_enough, mask_from, mask_text, ready_masks, ready_words
from broker.errors import SetUpError
from broker.model import Field, FieldType, Mask, MaskOrder, MaskProfile
from broker.server.bundles import checker

ORDER = MaskOrder(("year", "partial", "pseudonym", "predicate", "redact"), {"L3": "pseudonym"})


@pytest.fixture(scope="module")
def check():
    return checker(load_operators(None))


@pytest.mark.parametrize("type_", list(FieldType))
def test_every_mask_offered_fits(check, type_):
    """What stands in the list can be applied to the field."""
    offered = list(ready_masks(Field("f", "f", type_, "L1"), check, ORDER))
    assert Mask("redact") in offered
    assert all(check(Field("f", "f", type_, "L1"), mask) is None for mask in offered)
    assert (Mask("year") in offered) == (type_ in (FieldType.DATE, FieldType.TIMESTAMP))


def test_nothing_weaker_than_the_level_demands_is_offered(check):
    """Where the city has a floor for a level, neither the plain value nor a weaker mask can be chosen."""
    field = Field("f", "f", FieldType.TEXT, "L3")
    assert {mask.operator for mask in ready_masks(field, check, ORDER)} == {
        "pseudonym",
        "predicate",
        "redact",
    }
    assert not is_enough(None, field, ORDER)
    assert not is_enough(Mask("somebody_elses"), field, ORDER)
    assert is_enough(None, Field("f", "f", FieldType.TEXT, "L1"), ORDER)


def test_words_of_the_profile_are_offered_the_level_s_own_first(check):
    """An officer is shown what the authority's words mean for this field, none too weak."""
    profile = MaskProfile(
        {"weak": Mask("partial", {"keep_start": 3}), "year": Mask("year"), "token": Mask("pseudonym")},
        {"L3": "token", "L1": "token"},
    )
    profiles = {"text": profile}
    low, high = (Field("f", "f", FieldType.TEXT, level) for level in ("L1", "L3"))
    assert [word for word, _ in ready_words(low, profiles, check, ORDER)] == ["token", "weak", "year"]
    assert list(ready_words(high, profiles, check, ORDER)) == [("token", Mask("pseudonym"))]
    assert list(ready_words(replace(low, type=FieldType.INTEGER), profiles, check, ORDER)) == []


@pytest.mark.parametrize(
    "mask",
    [
        Mask("redact"),
        Mask("partial", {"keep_start": 3, "keep_end": 4}),
        Mask("predicate", {"op": "in", "value": ("在婚", "离婚")}),
        Mask("predicate", {"op": "le", "value": "0.5"}),
        Mask("category", {"map": {"在婚": "有配偶", "离婚": "无配偶", "1": 2}, "otherwise": "其他"}),
    ],
)
def test_words_and_back(mask):
    """A mask in one line is the same mask again."""
    assert mask_from(mask_text(mask)) == mask


def test_other_words_are_refused():
    """A slip is answered with an example."""
    with pytest.raises(SetUpError, match="keep_start=3"):
        mask_from("partial 3 4")
