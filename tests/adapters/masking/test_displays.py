"""Displays: of each form just what is meant is shown, and of anything else nothing."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.masking.displays import COMPOUND_SURNAMES, DISPLAYS

SHOWN = {
    "name": {
        "张三": "张*",
        "欧阳明月": "欧阳**",
        "司马": "司*",
        "古丽·阿布都": "古*****",
        "𠮷野": "𠮷*",
    },
    "mobile": {"15400000000": "154****0000"},
    "phone": {"099012345678": "0990******78", "0101234567": "010*****67"},
    "bank_card": {"6222021234567890": "************7890", "1234567890123": "*********0123"},
    "resident_id": {"99010118990101004X": "9****************X"},
    "uscc": {"91990101MA0000007H": "91************007H"},
    "email": {"zhangsan@city.example": "z*******@city.example"},
    "address": {
        "星河市东城区甲路一号": "星河市东城区****",
        "甲省星河市乙县丙镇一号": "甲省星河市乙县****",
        "东海省乙自治县丙乡": "东海省乙自治县**",
        "东海省星河市镇海区一号": "东海省星河市镇海区**",
        "星河市新乡县一号": "星河市新乡县**",
    },
}
HIDDEN = {
    "name": ["", "张", "张3", "John", "张 三", "·张三", "张三\n"],
    "mobile": ["", "1380013800", "12800138000", "+8613800138000", "138001380001", "１３８００１３８０００"],
    "phone": ["12345678", "0990", "01234"],
    "bank_card": ["123456789012", "12345678901234567890", "622202123456789X"],
    "resident_id": ["990101189901010041", "99010118990101004x", "9901011899010"],
    "uscc": ["91990101MA000000IH", "91990101MA0000007"],
    "email": ["a@city.example", "zhang san@city.example", "zhangsan@city", "@city.example", "zhangsan"],
    "address": [
        "星河市东城区",
        "星河市幸福小区3栋",
        "星河市高新园区2号",
        "星河市经济开发区3号",
        "星河市乙县道旁",
        "星河市甲路1号东城区",
        "甲镇乙村一号",
        "东城区甲路一号",
        "星河市某单位一区2号",
        "星河市阳光花园东区5号",
        "星河市甲中学校东区5号",
    ],
}


def bound(bind, profile, **more):
    return bind("partial", profile=profile, **more)


@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("profile", DISPLAYS)
def test_examples(bind, profile, rows) -> None:
    """What is of the form shows what is customary; what is not is hidden throughout, never shown as it is."""
    expected = SHOWN[profile] | {text: "*" * len(text) for text in HIDDEN[profile]}
    masked = bound(bind, profile)(pa.array([*expected, None] * rows)).to_pylist()
    assert masked == [*expected.values(), None] * rows


@pytest.mark.parametrize("profile", [*DISPLAYS, None])
@settings(max_examples=40)
@given(data=st.data())
def test_few_and_many_rows_agree_and_something_is_hidden(bind, profile, data) -> None:
    """The vectorised mask equals the definition, with and without separators, and shows no value whole."""
    known = [text for texts in (SHOWN, HIDDEN) for each in texts.values() for text in each]
    parts = st.lists(st.sampled_from([*known, "-", " ", "市", "区", "欧阳", "1", "é"]), max_size=3).map(
        "".join
    )
    values = data.draw(st.lists(st.none() | parts, max_size=8))
    keep = data.draw(st.sampled_from([(), ("separators",)]))
    params = {"profile": profile} if profile else {"keep_start": 2, "keep_end": 1}
    mask = bind("partial", keep=keep, fill=data.draw(st.sampled_from("*•")), **params)
    few = mask(pa.array(values, pa.string())).to_pylist()
    many = mask(pa.array(values * 40, pa.string()))
    many.validate(full=True)
    assert many.to_pylist() == few * 40
    for value, shown in zip(values, few, strict=True):
        assert (value is None) == (shown is None)
        if value:
            assert len(shown) == len(value)
            assert shown != value


@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize(
    ("params", "value", "shown"),
    [
        ({"profile": "bank_card"}, "6222 0212 3456 7890", "**** **** **** 7890"),
        ({"profile": "mobile"}, "138-0013-8000", "138-****-8000"),
        ({"profile": "mobile"}, "138-0013-800", "************"),
        ({"keep_start": 1, "keep_end": 1}, "1-2-3", "1-*-3"),
        ({"keep_start": 1, "keep_end": 1}, "1--2", "****"),
        ({"keep_end": 2}, " 1-23 4 ", " *-*3 4 "),
        ({"keep_start": 1}, "--- -", "*****"),
    ],
)
def test_separators_stay_and_do_not_count(bind, params, value, shown, rows) -> None:
    """But of what shows nothing: then they are filled as well."""
    mask = bind("partial", keep="separators", **params)
    assert mask(pa.array([value] * rows)).to_pylist() == [shown] * rows


@pytest.mark.parametrize(
    "params",
    [
        {"profile": "name", "keep_start": 1},
        {"profile": "nickname"},
        {"keep": "separators"},
        {"keep_start": 1, "keep": "digits"},
        {"keep_start": 1, "keep": ("separators", "separators")},
    ],
)
def test_what_contradicts_itself_is_refused(bind, params) -> None:
    """Nobody guesses which of two numbers was meant."""
    with pytest.raises(ValueError, match="validation error"):
        bind("partial", **params)


def test_compound_surnames_are_of_two_characters_each_once() -> None:
    """As they stand in the primer."""
    assert len(COMPOUND_SURNAMES) == len({*COMPOUND_SURNAMES}) == 60
    assert {len(surname) for surname in COMPOUND_SURNAMES} == {2}
