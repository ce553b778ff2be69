"""The word of a treatment means what the authority's profiles say, and nothing where they say nothing."""

from __future__ import annotations

import pytest

from broker.model import FieldType, Mask, MaskProfile
from broker.reasons import Sentence
from broker.treatments import BY_LEVEL, profile_for, resolve

TOKEN = Mask("token", {"profile": "resident_id"})
PROFILES = {
    "resident_id": MaskProfile({"token": TOKEN}, {"L3": "token", "L4": "redact"}),
    "text": MaskProfile({"partial": Mask("partial", {"keep_start": 1})}),
}


def complain(mask: Mask) -> Sentence | None:
    """Only redact can stand without parameters."""
    return None if mask.params or mask.operator == "redact" else Sentence("不行", "no good")


def found(word: str, format_: str | None = "resident_id", level: str = "L3") -> Mask | Sentence:
    return resolve(word, format_, FieldType.TEXT, level, PROFILES, complain)


def test_the_format_s_profile_counts_before_the_type_s() -> None:
    """A resident id is a text too, but is masked as a resident id; an address without profile as a text."""
    assert profile_for("resident_id", FieldType.TEXT, PROFILES) is PROFILES["resident_id"]
    assert profile_for("address", FieldType.TEXT, PROFILES) is PROFILES["text"]
    assert profile_for(None, FieldType.DATE, PROFILES) == MaskProfile()


def test_a_word_is_a_treatment_or_an_operator_that_needs_no_more() -> None:
    """What the profile calls so, else the operator of that name."""
    assert found("token") == TOKEN
    assert found("redact") == Mask("redact")


@pytest.mark.parametrize(("level", "mask"), [("L3", TOKEN), ("L4", Mask("redact"))])
def test_by_level_is_the_treatment_of_the_field_s_level(level: str, mask: Mask) -> None:
    """One word for fields of many levels; it may stand for an operator without parameters."""
    assert found(BY_LEVEL, level=level) == mask


@pytest.mark.parametrize(
    ("word", "format_", "level", "zh", "en"),
    [
        ("tokem", "resident_id", "L3", "是否指“token”？此数据项可用：token、by_level", "mean “token”?"),
        ("partial", "resident_id", "L3", "token、by_level；若指脱敏方式：不行", "has: token, by_level"),
        ("token", "mobile", "L3", "没有做法“token”。此数据项可用：partial", "has: partial; if the operator"),
        (BY_LEVEL, "resident_id", "L1", "在 L1 级的做法，只有 L3, L4", "only of L3, L4"),
        (BY_LEVEL, "mobile", "L3", "没有写明此类数据项各级的做法", "says of no level"),
    ],
)
def test_a_word_without_meaning_is_told_with_those_that_have_one(
    word: str, format_: str, level: str, zh: str, en: str
) -> None:
    """Nothing is guessed; the officer reads in both languages what this field has."""
    said = found(word, format_, level)
    assert isinstance(said, Sentence)
    assert zh in said.zh
    assert en in said.en


def test_a_field_without_profile_says_so() -> None:
    """Nothing lies hidden behind a word that no file explains."""
    said = resolve("token", None, FieldType.DATE, "L3", {}, complain)
    assert isinstance(said, Sentence)
    assert "masking-profiles.yaml 没有此类数据项的方案" in said.zh
