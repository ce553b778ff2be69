from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.formats import FEW, FORMATS, USCC_ALPHABET, resident_id_check_characters

VALID = {
    "resident_id": ["990101189901010015", "990101189901010023", "99010118990101004X"],
    "uscc": ["91990101MA0000007H", "11990101000000D11Y"],
    "organisation_code": ["MA0000007", "000000D11"],
    "bank_card": ["4111111111111111", "6222020000000000000"],
    "date": ["2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31"],
    "mobile": ["13800000000", "19900000000"],
    "region": ["990101", "990100", "990000"],
    "postal_code": ["010000"],
    "gender": ["0", "1", "2", "9"],
    "name": ["甲", "阿依古丽·买买提", "星河市民政局", "Ada Lovelace", "𠮷" * 100],
    "address": ["星河市东城区甲路一号", "1", "路" * 300],
    "amount": ["0", "-12.50", "123456789012345.1234"],
}
INVALID = {
    "resident_id": [
        "990101189901010016",  # check character
        "99010118990101004x",  # lower case
        "990101202302290012",  # no such day
        "99010118990101001",  # too short
        "9901011899010100155",  # too long
        "990101189901010015\n",
        "９９０１０１189901010015",  # full-width digits
    ],
    "uscc": ["91990101MA0000007J", "91990101MA0000006H", "91990101MA000000IH", "91990101ma0000007h"],
    "organisation_code": ["MA0000008", "MA000000-7", "000000D1I"],
    "bank_card": ["4111111111111112", "411111111111", "41111111111111110000"],
    "date": ["2023-02-29", "1900-02-29", "2023-13-01", "2023-00-10", "20240229", "0000-01-01", "2024-2-9"],
    "mobile": ["12800000000", "1380000000", "+8613800000000"],
    "region": ["990001", "090101", "9901", "99010a"],
    "postal_code": ["10000", "०१००००"],
    "gender": ["3", "", "male"],
    "name": ["", " 甲", "\u3000甲", "甲\n", "甲\u0000乙", "甲" * 101],
    "address": ["", " ", "甲路\t一号", "路" * 301],
    "amount": ["", "+1", "1.", ".5", "1e3", "1,000", "1234567890123456", "1.12345", "１"],
}


@pytest.mark.parametrize("name", FORMATS)
def test_known_examples(name: str) -> None:
    """Each format takes its synthetic examples and refuses each known defect."""
    for text in VALID[name]:
        assert FORMATS[name].matches(text), text
    for text in INVALID[name]:
        assert not FORMATS[name].matches(text), text


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "type_",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
    ids=str,
)
def test_a_column_of_any_string_type(name: str, type_: pa.DataType) -> None:
    """The vectorised form honours offsets, nulls and every string type."""
    texts = ["padding", *VALID[name], None, *INVALID[name], "padding"]
    column = pa.array(texts, pa.string()).cast(type_)[1:-1]
    expected = [True] * len(VALID[name]) + [None] + [False] * len(INVALID[name])
    assert FORMATS[name].matches_all(column).to_pylist() == expected


@pytest.mark.parametrize("name", FORMATS)
def test_empty_and_null_columns(name: str) -> None:
    """A column without a single text is no special case."""
    assert FORMATS[name].matches_all(pa.array([], pa.string())).to_pylist() == []
    assert FORMATS[name].matches_all(pa.array([None, None], pa.string())).to_pylist() == [None, None]


def near(name: str) -> st.SearchStrategy[str]:
    """Texts close to valid ones: one character replaced by another, plausible or not."""
    return st.builds(
        lambda text, at, new: text[: at % len(text)] + new + text[at % len(text) + 1 :],
        st.sampled_from(VALID[name]),
        st.integers(0, 30),
        st.sampled_from([*USCC_ALPHABET, "-", "x", "一", "", "\n"]),
    )


@given(data=st.data())
@pytest.mark.parametrize("name", FORMATS)
def test_both_forms_agree(name: str, data: st.DataObject) -> None:
    """Whatever the text, one at a time and a column at once give the same."""
    texts = data.draw(st.lists(st.none() | st.text(max_size=20) | near(name), max_size=20))
    expected = [None if text is None else FORMATS[name].matches(text) for text in texts]
    column = pa.array(texts, pa.string())
    assert FORMATS[name].matches_all(column).to_pylist() == expected
    assert FORMATS[name].holds_for(column) == (False not in expected)
    assert FORMATS[name].holds_for(pa.array([None] * FEW + texts, pa.string())) == (False not in expected)


@given(at=st.integers(0, 17), add=st.integers(1, 9), which=st.sampled_from(VALID["resident_id"]))
def test_every_single_error_in_a_resident_id_is_found(at: int, add: int, which: str) -> None:
    """GB 11643: the check character finds any one wrong character."""
    old = "0123456789X".index(which[at])
    new = "0123456789X"[(old + add) % (11 if at == 17 else 10)]
    assert not FORMATS["resident_id"].matches(which[:at] + new + which[at + 1 :])


@given(at=st.integers(0, 17), add=st.integers(1, 30), which=st.sampled_from(VALID["uscc"]))
def test_every_single_error_in_a_credit_code_is_found(at: int, add: int, which: str) -> None:
    """GB 32100: the check character finds any one wrong character."""
    new = USCC_ALPHABET[(USCC_ALPHABET.index(which[at]) + add) % 31]
    assert not FORMATS["uscc"].matches(which[:at] + new + which[at + 1 :])


@given(
    days=st.lists(st.tuples(st.dates(date(1800, 1, 1), date(2999, 12, 31)), st.integers(0, 999)), min_size=1)
)
def test_generated_check_characters_are_accepted(days: list[tuple[date, int]]) -> None:
    """What the generator's function completes is a resident id to both forms."""
    bodies = [f"990101{day:%Y%m%d}{number:03}" for day, number in days]
    checks = resident_id_check_characters(np.array([[int(c) for c in body] for body in bodies], np.uint8))
    ids = [body + chr(check) for body, check in zip(bodies, checks, strict=True)]
    assert all(map(FORMATS["resident_id"].matches, ids))
    assert all(FORMATS["resident_id"].matches_all(pa.array(ids)).to_pylist())
