"""What is claimed is read in one spelling for each type, into the value that a source would give."""

from datetime import UTC, date, datetime

import pytest

from broker.claims import SPELLINGS, claim_column, read_claim
from broker.model import FieldType


@pytest.mark.parametrize("kind", FieldType)
def test_the_example_that_people_are_told_is_read(kind):
    """Whoever follows it is understood; nothing is claimed by nothing."""
    for written in SPELLINGS[kind].split(" / "):
        assert read_claim(written, kind) is not None
    assert read_claim("", kind) is None


@pytest.mark.parametrize(
    ("written", "kind", "value"),
    [
        ("-12", FieldType.INTEGER, -12),
        ("12.50", FieldType.DECIMAL, "12.50"),
        ("false", FieldType.BOOLEAN, False),
        ("2020-02-29", FieldType.DATE, date(2020, 2, 29)),
        ("2026-11-23T10:30:00+08:00", FieldType.TIMESTAMP, datetime(2026, 11, 23, 2, 30, tzinfo=UTC)),
        (" 张 三 ", FieldType.TEXT, " 张 三 "),
    ],
)
def test_claims_are_values_of_their_type(written, kind, value):
    """As rows have them after the check of their quality."""
    read = read_claim(written, kind)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("1" * 19, FieldType.INTEGER),
        ("1,000", FieldType.INTEGER),
        ("١٢", FieldType.INTEGER),
        ("1.", FieldType.DECIMAL),
        ("1e3", FieldType.DECIMAL),
        ("True", FieldType.BOOLEAN),
        ("是", FieldType.BOOLEAN),
        ("2021-02-29", FieldType.DATE),
        ("20210228", FieldType.DATE),
        ("2021-02-28", FieldType.TIMESTAMP),
        ("2021-02-28T10:30:00", FieldType.TIMESTAMP),
        ("0001-01-01T00:00:00+14:00", FieldType.TIMESTAMP),
    ],
)
def test_another_spelling_is_refused_unquoted(written, kind):
    """Also what Python would read."""
    with pytest.raises(ValueError, match=r"^(another spelling|no such (day|instant))$") as refused:
        read_claim(written, kind)
    assert refused.value.__cause__ is None


def test_no_field_is_called_as_a_column_of_claims():
    """Ids of fields have no question mark."""
    assert not claim_column("status").isidentifier()
