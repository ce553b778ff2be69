"""The contract every operator keeps, whatever it does to a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from adapters.masking.conformance import CANARIES, hidden
from adapters.masking.contract import Operator

TEXT_MASKS: list[tuple[str, dict[str, object]]] = [
    ("redact", {}),
    ("partial", {"keep_start": 1, "keep_end": 1}),
    ("pseudonym", {}),
    ("year", {}),
    ("region", {"to": "city"}),
    ("predicate", {"op": "eq", "value": "canary"}),
    ("predicate", {"op": "in", "value": ["a", "b"]}),
    ("predicate", {"op": "exists"}),
]
each_text_mask = pytest.mark.parametrize(("name", "params"), TEXT_MASKS, ids=lambda part: str(part))

OTHERS: list[pa.Array] = [
    pa.array([0x5EC2E7, None, 0x7EC2E7], pa.int64()),
    pa.array([True, None, False]),
    pa.array([date(1987, 6, 5), None, date(2001, 2, 3)]),
    pa.array(
        [datetime(1987, 6, 5, tzinfo=UTC), None, datetime(2001, 2, 3, tzinfo=UTC)], pa.timestamp("us", "UTC")
    ),
    pa.array([Decimal("12345678.25"), None, Decimal("0.5")], pa.decimal256(76, 20)),
]
OTHER_MASKS: list[tuple[str, dict[str, object], tuple[int, ...]]] = [
    ("redact", {}, (0, 1, 2, 3, 4)),
    ("pseudonym", {}, (0, 2)),
    ("year", {}, (2, 3)),
    ("predicate", {"op": "ge", "value": "1"}, (0, 4)),
    ("predicate", {"op": "exists"}, (0, 1, 2, 3, 4)),
]

ENCODINGS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "string": lambda texts: texts,
    "large_string": lambda texts: texts.cast(pa.large_string()),
    "string_view": lambda texts: texts.cast(pa.string_view()),
    "dictionary": lambda texts: texts.dictionary_encode(),
    "dictionary of large_string": lambda texts: texts.cast(pa.large_string()).dictionary_encode(),
    "sliced": lambda texts: pa.concat_arrays([pa.array(["before"] * 3), texts, pa.array(["after"])]).slice(
        3, len(texts)
    ),
    "sliced view": lambda texts: (
        pa.concat_arrays([pa.array(["before"]), texts]).cast(pa.string_view()).slice(1)
    ),
    "sliced dictionary": lambda texts: (
        pa.concat_arrays([pa.array(["before"]), texts]).dictionary_encode().slice(1)
    ),
}


@each_text_mask
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("rows", [0, 1, 7, 90])
def test_every_encoding_of_text_gives_the_same(bind, operators, name, params, encoding, rows) -> None:
    """Offsets, string views, large strings and dictionaries change nothing, at any length."""
    texts = pa.array([None if i % 5 == 3 else text for i, text in enumerate(CANARIES[:rows])], pa.string())
    encoded = ENCODINGS[encoding](texts)
    mask = bind(name, **params)
    result = mask(encoded)
    operator: Operator = operators[name]
    assert result.type == operator.result_type(encoded.type, operator.params.model_validate(params))
    assert len(result) == rows
    result.validate(full=True)
    assert result.equals(mask(texts))


@each_text_mask
@pytest.mark.parametrize("rows", [5, 90])
def test_no_byte_of_a_text_stays_in_the_message(bind, ipc_bytes, name, params, rows) -> None:
    """Neither the masked rows nor those a slice, a null or a dictionary hides are in the IPC bytes."""
    texts = pa.array(CANARIES[:rows])
    for values in hidden(texts):
        message = ipc_bytes(bind(name, **params)(values))
        assert not [text for text in CANARIES if text.encode() in message]
        assert "金丝雀".encode() not in message
        assert b"canary" not in message


@pytest.mark.parametrize(("name", "params", "places"), OTHER_MASKS, ids=lambda part: str(part))
@pytest.mark.parametrize("times", [1, 40])
def test_no_byte_of_another_type_stays_in_the_buffers(bind, operators, name, params, places, times) -> None:
    """A number, date or time under a null or outside a slice has left the result's buffers."""
    for values in (OTHERS[place] for place in places):
        whole = pa.concat_arrays([values.fill_null(values[0])] * times)
        nothing = pa.Array.from_buffers(
            whole.type, len(whole), [pa.py_buffer(bytes(len(whole) // 8 + 1)), *whole.buffers()[1:]]
        )
        result = bind(name, **params)(nothing)
        operator: Operator = operators[name]
        assert result.type == operator.result_type(whole.type, operator.params.model_validate(params))
        if name == "predicate" and params["op"] == "exists":
            assert result.to_pylist() == [False] * len(whole)
        else:
            assert result.null_count == len(whole)
        for buffer in filter(None, result.buffers()):
            assert not any(buffer.to_pybytes())


@pytest.mark.parametrize(("name", "params", "places"), OTHER_MASKS, ids=lambda part: str(part))
def test_other_types_honour_offsets(bind, name, params, places) -> None:
    """A slice is masked as its own rows, few or many."""
    mask = bind(name, **params)
    for values in (OTHERS[place] for place in places):
        expected = mask(values).to_pylist()
        assert mask(pa.concat_arrays([values, values]).slice(3)).to_pylist() == expected
        assert mask(pa.concat_arrays([values] * 41).slice(3)).to_pylist() == expected * 40


def test_accepted_types_are_named(operators: Mapping[str, Operator]) -> None:
    """An operator refuses a type it cannot mask, and says which it takes."""
    for name, given, params in (
        ("partial", pa.int64(), {"keep_start": 1}),
        ("pseudonym", pa.bool_(), {}),
        ("pseudonym", pa.decimal256(76, 20), {}),
        ("year", pa.int64(), {}),
        ("region", pa.int64(), {"to": "city"}),
    ):
        operator = operators[name]
        with pytest.raises(TypeError, match=f"^{name} takes .*not {given}"[:25]):
            operator.result_type(given, operator.params.model_validate(params))


def test_every_operator_describes_itself(operators: Mapping[str, Operator]) -> None:
    """An officer finds a Chinese title and an English sentence for each operator."""
    for name, operator in operators.items():
        assert operator.name == name
        assert operator.version
        assert not operator.title.isascii()
        assert operator.summary.endswith(".")


def test_unknown_parameters_are_refused(operators: Mapping[str, Operator]) -> None:
    """A misspelled parameter is an error, never silently ignored."""
    for operator in operators.values():
        with pytest.raises(ValueError, match="keep_strat"):
            operator.params.model_validate({"keep_strat": 1})
