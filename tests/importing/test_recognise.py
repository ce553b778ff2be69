"""Types and formats by values and names; odd values by the quality check's own measure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.formats import FORMATS
from broker.importing.recognise import Count, guess
from broker.importing.vocabulary import UNKNOWN, Care, word_for
from broker.model import Dataset, Field, FieldType, SharingAttribute, SourceSpec
from broker.transmit.quality import check

ZONE = ZoneInfo("Asia/Shanghai")
IDS = ["990101189901010015", "990101189901010023", "99010118990101004X"]
USCC = ["91990101MA0000007H", "11990101000000D11Y"]
T = FieldType


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("身份证号", IDS, (T.TEXT, "resident_id")),
        ("不明", IDS, (T.TEXT, "resident_id")),
        ("证件号码", [*IDS, "E12345678"], (T.TEXT, "resident_id")),
        ("x", [*IDS, "E12345678"], (T.TEXT, "")),
        ("身份证号", ["9.90101E+17", "9.90101E+17"], (T.TEXT, "")),
        ("xydm", USCC, (T.TEXT, "uscc")),
        ("联系电话", ["15400000001", "15400000000"], (T.TEXT, "mobile")),
        ("联系电话", ["15400000001", "0571-1234567", "0571-1234568"], (T.TEXT, "")),
        ("电话", pa.array([15400000001, 15400000000], pa.int64()), (T.TEXT, "mobile")),
        ("yhkh", ["6222020000000000000"[:18] + "8"], (T.TEXT, "")),
        ("银行卡号", ["4111111111111111"], (T.TEXT, "bank_card")),
        ("区划", ["990101", "990102"], (T.TEXT, "region")),
        ("x", ["990101", "990102"], (T.INTEGER, "")),
        ("邮编", ["310000", "010000"], (T.TEXT, "postal_code")),
        ("性别", ["1", "2"], (T.TEXT, "gender")),
        ("性别", ["男", "女"], (T.TEXT, "")),
        ("是否在职", ["是", "否", None], (T.BOOLEAN, "")),
        ("x", ["Y", "N"], (T.BOOLEAN, "")),
        ("是否在职", ["1", "0"], (T.BOOLEAN, "")),
        ("x", ["1", "0"], (T.INTEGER, "")),
        ("sfzz", pa.array([1, 0], pa.int8()), (T.BOOLEAN, "")),
        ("x", ["2026/1/3", "2026-01-03", "20260103", "2026年1月3日"], (T.DATE, "")),
        ("x", ["2026-01-03 08:00:00", "2026/1/3 8:00"], (T.TIMESTAMP, "")),
        ("更新时间", ["2026-01-03", "2026-01-03 08:00"], (T.TIMESTAMP, "")),
        ("x", ["12", "7", "1,234"], (T.INTEGER, "")),
        ("x", ["12", "7.5", "1,234.50"], (T.DECIMAL, "")),
        ("救助金额", ["800", "1,200"], (T.DECIMAL, "")),
        ("x", ["007", "012"], (T.TEXT, "")),
        ("档案编号", ["123", "456"], (T.TEXT, "")),
        ("x", ["0.5", "0.25"], (T.DECIMAL, "")),
        ("x", ["甲", "乙"], (T.TEXT, "")),
        ("x", [None, None], (T.TEXT, "")),
        ("x", pa.array([1.5, 2.0]), (T.DECIMAL, "")),
        ("x", pa.array([Decimal("1.50")]), (T.DECIMAL, "")),
        ("x", pa.array([True]), (T.BOOLEAN, "")),
        ("x", pa.array([date(2026, 1, 3)]), (T.DATE, "")),
        ("x", pa.array([datetime(2026, 1, 3, tzinfo=UTC)]), (T.TIMESTAMP, "")),
        ("x", pa.array(IDS).dictionary_encode(), (T.TEXT, "resident_id")),
        ("x", pa.array([b"x"]), (T.TEXT, "")),
    ],
    ids=str,
)
def test_what_a_column_holds(
    name: str, values: list[str | None] | pa.Array, expected: tuple[FieldType, str]
) -> None:
    """Values decide; a name helps where they alone could mean several things."""
    array = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    found = guess(array, word_for(name), ZONE)
    assert (found.type, found.format) == expected
    assert found.zh
    assert found.en


def dataset(kind: FieldType, format_: str) -> Dataset:
    field = Field("f", "f", kind, "L1", format_ or None)
    source = SourceSpec("files", {}, {"f": "f"})
    return Dataset(
        id="d.f",
        department="d",
        title="f",
        catalog_code="c",
        fields={"f": field},
        subject_fields=("f",),
        subject_format="resident_id",
        sharing_attribute=SharingAttribute.CONDITIONAL,
        sharing_modes=("api",),
        use_conditions="",
        attribute_basis="",
        update_cycle=timedelta(days=1),
        as_of_field="f",
        source=source,
    )


texts = st.sampled_from(
    [*IDS, *USCC, "1", "0", "是", "2026/1/3", "1,200", "x", "", "1.1E+17", "\ufffd", "007"]
)


@given(
    st.lists(st.none() | texts | st.text(max_size=4), max_size=40), st.sampled_from(["身份证号", "金额", "x"])
)
def test_odd_is_what_the_quality_check_calls_bad(values: list[str | None], name: str) -> None:
    """The number reported at import is the number of rows that will be bad."""
    array = pa.array(values, pa.string())
    found, count = guess(array, word_for(name), ZONE), Count()
    count.add(array, found, ZONE)
    batch = pa.RecordBatch.from_arrays([array], names=["f"])
    assert count.odd == check(batch, dataset(found.type, found.format), ZONE).bad
    assert count.values == len(values)
    assert count.empty == values.count(None)


def test_rounded_numbers_are_counted() -> None:
    """In texts by their exponent, in floating point by their length."""
    for array in (pa.array(["9.90101E+17", IDS[0], None]), pa.array([9.90101189901010015e17, 7.5, None])):
        count = Count()
        count.add(array, guess(array, UNKNOWN, ZONE), ZONE)
        assert count.rounded == 1


@pytest.mark.parametrize(
    ("name", "field", "care"),
    [
        ("身份证号", "resident_id", Care.PERSONAL),
        ("男方_身份证号", "resident_id", Care.PERSONAL),
        ("救助_是否在领", "flag", Care.PERSONAL),
        ("健康状况", "health", Care.SENSITIVE),
        ("月收入（元）", "amount", Care.SENSITIVE),
        ("起领日期", "day", Care.INTERNAL),
        ("gxsj", "updated_at", Care.PUBLIC),
        ("所属区划", "district", Care.PUBLIC),
        ("备注", "remark", Care.SENSITIVE),
        ("qwerty", "", Care.PERSONAL),
    ],
)
def test_what_a_name_says(name: str, field: str, care: Care) -> None:
    """Chinese, pinyin initials and English; what nobody explains is taken for personal."""
    assert (word_for(name).field, word_for(name).care) == (field, care)


@given(st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=6, unique=True))
def test_care_is_a_level_of_any_city(levels: list[str]) -> None:
    """However many levels a city has, more care never gives a lower one, and sensitive is the highest."""
    places = [levels.index(care.level(levels)) for care in Care]
    assert places == sorted(places)
    assert places[-1] == len(levels) - 1


def test_formats_named_by_words_exist() -> None:
    """A word's format is one of the catalog's, or one of the kinds beside them."""
    from broker.importing import vocabulary

    for _, word in vocabulary._WORDS:
        assert word.format in {"", *FORMATS, vocabulary.TRUTH, vocabulary.DATE, vocabulary.AMOUNT}
