from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.model import AnswerStatus
from broker.transmit.digest import MOST_INTEGER, Record, answer_digest, canonical_answer, records_of


def test_how_values_are_written() -> None:
    """Dates are ISO 8601, instants RFC 3339 in UTC, decimals the text they are; a null is absent."""
    batch = pa.RecordBatch.from_pydict(
        {
            "text": pa.array(["甲", None]),
            "decimal": pa.array(["1.50", None]),
            "integer": pa.array([7, None]),
            "large": pa.array([2**53, MOST_INTEGER]),
            "truth": pa.array([True, False]),
            "date": pa.array([date(2026, 11, 23), None]),
            "instant": pa.array([datetime(2026, 11, 23, 4, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
        }
    )
    assert records_of(batch.to_pydict()) == [
        {
            "text": "甲",
            "decimal": "1.50",
            "integer": 7,
            "large": "9007199254740992",
            "truth": True,
            "date": "2026-11-23",
            "instant": "2026-11-23T04:00:00Z",
        },
        {"large": MOST_INTEGER, "truth": False},
    ]


@pytest.mark.parametrize("value", [1.5, b"1", datetime(2026, 11, 23), ["1"]], ids=str)
def test_what_has_no_one_text_is_refused(value: object) -> None:
    """A float, raw bytes or a time without zone is never released."""
    with pytest.raises(TypeError):
        records_of({"it": [value]})


def test_canonical_answer_byte_for_byte() -> None:
    """The JSON is that of RFC 8785: sorted names, no blanks, UTF-8, shortest escapes."""
    records: list[Record] = [{"b": 'é\n"/\u007f', "a": 7}, {"c": False}]
    content = canonical_answer(
        AnswerStatus.STALE, [AnswerStatus.FOUND, AnswerStatus.STALE], records, [(0,), (0, 1)]
    )
    assert (
        content
        == (
            '{"records":[{"subjects":[0],"values":{"a":7,"b":"é\\n\\"/\u007f"}},'
            '{"subjects":[0,1],"values":{"c":false}}],"status":"stale","subjects":["found","stale"]}'
        ).encode()
    )


def test_what_has_no_canonical_form_is_refused() -> None:
    """Names beyond ASCII would sort differently, integers beyond 2^53 are not exact."""
    with pytest.raises(ValueError, match="ASCII"):
        canonical_answer(AnswerStatus.FOUND, [], [{"名": "1"}], [()])
    with pytest.raises(TypeError):
        canonical_answer(AnswerStatus.FOUND, [], [{"a": 2**53}], [()])


values = st.text() | st.booleans() | st.integers(-MOST_INTEGER, MOST_INTEGER)
names = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1)


@given(records=st.lists(st.dictionaries(names, values)))
def test_the_order_of_names_does_not_matter(records: list[Record]) -> None:
    """Equal answers have equal bytes, and Python's own JSON reads and writes the same."""
    shuffled = [dict(reversed(record.items())) for record in records]
    about = [(0,)] * len(records)
    content = canonical_answer(AnswerStatus.FOUND, [], records, about)
    assert content == canonical_answer(AnswerStatus.FOUND, [], shuffled, about)
    again = json.dumps(json.loads(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert again.encode() == content


def test_the_digest_is_salted() -> None:
    """SHA-256 over nonce and data, in this order."""
    assert answer_digest(b"n", b"data") == hashlib.sha256(b"ndata").digest()
