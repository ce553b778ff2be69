"""Masks beside what else can do the same, and beside a copy of the bytes: one thread, one run.

A figure counts once the output has been checked: equal to a peer's, to the value's own mask when it stands
alone, or turned back. Time is that of the process on its processors, all threads together; least of a few
rounds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

import numpy as np
import pyarrow as pa

from adapters.masking.conformance import KnownKeys
from adapters.masking.contract import BESIDE, VALUE, BoundMask, Operator
from adapters.masking.keys import FieldKeys
from adapters.masking.registry import load_operators
from benchmarks.mask_columns import Columns
from benchmarks.report import show
from broker.desensitize.column import PlannedColumn, masked_column
from broker.desensitize.plan import MaskPlan
from broker.model import FieldType, Mask

T = TypeVar("T")
ROWS = 1_000_000
SLOW_ROWS = 20_000
"""Of a peer that masks fewer than some ten thousand values a second."""
ROUNDS = 5
LOOKED_AT = 200
"""Rows that are masked again, each alone."""
RECORD_CALLS = 2_000
KEY = bytes(range(32))


def run() -> None:
    """Print the operators beside peers, all of them beside a copy, and one small record."""
    os.environ["POLARS_MAX_THREADS"] = "1"
    pa.set_cpu_count(1)
    columns, operators = Columns(ROWS), load_operators(None)
    _show_beside_peers(columns, operators)
    _show_all(columns, operators)
    _show_record(operators)


# ── beside peers ─────────────────────────────────────────────────────────────────────────────────


def _show_beside_peers(columns: Columns, operators: Mapping[str, Operator]) -> None:
    rows = [
        *(
            _partial(what, values, operators)
            for what, values in (("mobile", columns.mobiles), ("name", columns.names))
        ),
        _pseudonym(columns.resident_ids, operators),
        _token(columns.cards, operators),
        _resident_token(columns.resident_ids, operators),
        _encrypted(columns.resident_ids, operators),
    ]
    show(
        f"Masks beside peers: {ROWS:,} values, one thread; million values a second, × that ours is",
        ("operator", "ours", "loop", "other loop", "presidio", "polars", "duckdb", "numpy copy"),
        rows,
        "loops: slices; hmac, CMAC object per value; FF1 by the book, the ff3 package (FF3-1: it has no\n"
        f"FF1); AES-SIV by value. FF1 and FF3 over {SLOW_ROWS:,} values. presidio: mask (all but the end),\n"
        "salted hash, encrypt (AES-CBC at random); duckdb: salted SHA-256. –: cannot",
    )


@dataclass(frozen=True, slots=True)
class _Ours:
    """A mask of a column, its result, and the values of both as Python has them."""

    mask: BoundMask
    values: pa.Array
    result: pa.Array
    rate: float

    @property
    def texts(self) -> list[str]:
        texts: list[str] = self.values.to_pylist()
        return texts

    def beside(
        self, call: Callable[[], Sequence[object] | pa.Table], rows: int = ROWS, *, equal: bool = True
    ) -> str:
        """A peer's rate and how many times that ours is; with ``equal`` its output must be ours."""
        rate, result = _rate(call, rows, 1 if rows < ROWS else 2)
        if equal:
            given = result["v"] if isinstance(result, pa.Table) else result
            assert list(_values(given)) == self.result.slice(0, rows).to_pylist(), "a peer disagrees"
        return f"{rate:.3g}  ×{self.rate / rate:,.0f}"

    def copied(self) -> str:
        rate = _copy_rate(self.values)
        return f"{rate:,.0f}  ÷{rate / self.rate:,.0f}"


def _values(given: object) -> Sequence[object]:
    values: Sequence[object] = (
        given
        if isinstance(given, list)
        else given.to_pylist()
        if hasattr(given, "to_pylist")
        else given.to_list()
    )  # type: ignore[attr-defined]
    return values


def _ours(operator: Operator, values: pa.Array, **params: object) -> _Ours:
    mask = operator.bind(operator.params.model_validate(params), KnownKeys())
    rate, result = _rate(lambda: mask(values), len(values))
    _check_alone(mask, values, result)
    return _Ours(mask, values, result, rate)


def _check_alone(mask: BoundMask, values: pa.Array, result: pa.Array) -> None:
    """Rows here and there are masked as they are alone."""
    for place in np.random.default_rng(1).integers(0, len(values), LOOKED_AT).tolist():
        assert mask(values.slice(place, 1)).to_pylist() == [result[place].as_py()], (
            "a row alone is masked otherwise"
        )


def _partial(what: str, values: pa.Array, operators: Mapping[str, Operator]) -> Sequence[str]:
    from benchmarks import mask_peers as peers

    start, end = (3, 4) if what == "mobile" else (1, 0)
    ours = _ours(operators["partial"], values, keep_start=start, keep_end=end)
    texts = ours.texts
    tail = _ours(operators["partial"], values, keep_end=end or 1)
    return (
        f"partial {start}+{end} of a {what}",
        f"{ours.rate:,.0f}",
        ours.beside(lambda: peers.partial_loop(texts, start, end)),
        "",
        tail.beside(lambda: peers.presidio_mask(texts, end or 1)),
        ours.beside(peers.polars_partial(values, start, end)),
        ours.beside(peers.duckdb_partial(values, start, end)),
        ours.copied(),
    )


def _pseudonym(values: pa.Array, operators: Mapping[str, Operator]) -> Sequence[str]:
    from adapters.masking.pseudonym import KEY_LABEL
    from benchmarks import mask_peers as peers

    ours = _ours(operators["pseudonym"], values)
    texts, key = ours.texts, KnownKeys().derive(KEY_LABEL, 16)
    return (
        "pseudonym of a resident id",
        f"{ours.rate:,.0f}",
        ours.beside(lambda: peers.hmac_loop(texts, KEY), equal=False),
        ours.beside(lambda: peers.cmac_loop(texts, key)),
        ours.beside(lambda: peers.presidio_hash(texts, KEY), equal=False),
        "–",
        ours.beside(peers.duckdb_hash(values, KEY), equal=False),
        ours.copied(),
    )


def _token(values: pa.Array, operators: Mapping[str, Operator]) -> Sequence[str]:
    from adapters.masking.token import KEY_LABEL
    from benchmarks import mask_peers as peers

    ours = _ours(operators["token"], values, profile="digits")
    _check_turned_back(operators["token"], ours, profile="digits")
    texts, key = ours.texts[:SLOW_ROWS], KnownKeys().derive(KEY_LABEL, 32)
    return (
        "token (FF1) of 16 digits",
        f"{ours.rate:.1f}",
        ours.beside(lambda: peers.ff1_loop(texts, key, b"digits"), SLOW_ROWS),
        ours.beside(lambda: peers.ff3_loop(texts, KEY), SLOW_ROWS, equal=False),
        "–",
        "–",
        "–",
        ours.copied(),
    )


def _resident_token(values: pa.Array, operators: Mapping[str, Operator]) -> Sequence[str]:
    from benchmarks import mask_peers as peers

    ours = _ours(operators["token"], values, profile="resident_id")
    _check_turned_back(operators["token"], ours, profile="resident_id")
    bodies = [text[:17] for text in ours.texts[:SLOW_ROWS]]
    return (
        "token (FF1) of a resident id, checked",
        f"{ours.rate:.1f}",
        ours.beside(lambda: peers.ff1_loop(bodies, KEY, b"resident_id"), SLOW_ROWS, equal=False),
        ours.beside(lambda: peers.ff3_loop(bodies, KEY), SLOW_ROWS, equal=False),
        "–",
        "–",
        "–",
        ours.copied(),
    )


def _encrypted(values: pa.Array, operators: Mapping[str, Operator]) -> Sequence[str]:
    from adapters.masking.encrypt import KEY_LABEL
    from benchmarks import mask_peers as peers

    ours = _ours(operators["encrypt"], values)
    _check_turned_back(operators["encrypt"], ours)
    texts, key = ours.texts, KnownKeys().derive(KEY_LABEL, 64)
    return (
        "encrypt (AES-SIV) of a resident id",
        f"{ours.rate:.2f}",
        ours.beside(lambda: peers.siv_loop(texts, key)),
        "",
        ours.beside(lambda: peers.presidio_encrypt(texts[:SLOW_ROWS], KEY), SLOW_ROWS, equal=False),
        "–",
        "–",
        ours.copied(),
    )


def _check_turned_back(operator: Operator, ours: _Ours, **params: object) -> None:
    back = operator.unbind(operator.params.model_validate(params), KnownKeys())  # type: ignore[attr-defined]
    assert back(ours.result).equals(ours.values), "it does not turn back"


# ── all of them ──────────────────────────────────────────────────────────────────────────────────


def _show_all(columns: Columns, operators: Mapping[str, Operator]) -> None:
    cases = _cases(columns)
    missing = set(operators) - {name for name, _, _, _ in cases}
    assert not missing, f"not measured: {', '.join(missing)}"
    rows = []
    for name, what, values, params in cases:
        ours = _ours(operators[name], values, **params)
        rows.append((name, what, f"{ours.rate:,.1f}", ours.copied()))
    show(
        f"Every operator: {ROWS:,} rows, one thread; million rows a second",
        ("operator", "of", "ours", "numpy copy"),
        rows,
        "beside a copy of the column's buffers by numpy; each row looked at is masked as it is alone",
    )


def _cases(columns: Columns) -> list[tuple[str, str, pa.Array, dict[str, object]]]:
    shifted = pa.StructArray.from_arrays([columns.births, columns.resident_ids], [VALUE, BESIDE])
    claimed = pa.StructArray.from_arrays([columns.names, columns.names], [VALUE, BESIDE])
    married = {"map": {"初婚": "已婚", "再婚": "已婚"}, "otherwise": "其他"}
    return [
        ("redact", "names", columns.names, {}),
        ("constant", "names", columns.names, {"value": "保密"}),
        ("partial", "mobiles", columns.mobiles, {"keep_start": 3, "keep_end": 4}),
        ("partial", "names", columns.names, {"keep_start": 1}),
        ("truncate", "resident ids", columns.resident_ids, {"keep": 6}),
        ("region", "resident ids", columns.resident_ids, {"to": "city"}),
        ("year", "dates", columns.births, {}),
        ("year", "moments", columns.moments, {}),
        ("month", "dates", columns.births, {}),
        ("age_band", "dates", columns.births, {"at": date(2026, 1, 1)}),
        ("date_shift", "dates and resident ids", shifted, {"days": 180}),
        ("bucket", "integers", columns.numbers, {"width": 10_000}),
        ("bucket", "decimals", columns.amounts, {"width": 10_000}),
        ("round", "integers", columns.numbers, {"to": 100}),
        ("round", "decimals", columns.amounts, {"to": 100}),
        ("clip", "integers", columns.numbers, {"high": 500_000}),
        ("clip", "decimals", columns.amounts, {"high": 500_000}),
        ("category", "marital statuses", columns.statuses, married),
        ("predicate", "integers", columns.numbers, {"op": "ge", "value": 500_000}),
        ("predicate", "marital statuses", columns.statuses, {"op": "in", "value": ["初婚", "再婚"]}),
        ("match", "names and claims", claimed, {}),
        ("pseudonym", "resident ids", columns.resident_ids, {}),
        ("pseudonym", "names", columns.names, {}),
        ("token", "resident ids", columns.resident_ids, {"profile": "resident_id"}),
        ("token", "mobiles", columns.mobiles, {"profile": "mobile"}),
        ("token", "bank cards", columns.cards, {"profile": "bank_card"}),
        ("encrypt", "names (few differ)", columns.names, {}),
        ("encrypt", "resident ids", columns.resident_ids, {}),
    ]


# ── one small record ─────────────────────────────────────────────────────────────────────────────

_RECORD: Mapping[str, tuple[FieldType, object, str, dict[str, object]]] = {
    "name": (FieldType.TEXT, "张三丰", "partial", {"keep_start": 1}),
    "id_no": (FieldType.TEXT, "990101189901010015", "pseudonym", {}),
    "mobile": (FieldType.TEXT, "15400000000", "partial", {"keep_start": 3, "keep_end": 4}),
    "card": (FieldType.TEXT, "4539578763621486", "token", {"profile": "bank_card"}),
    "born_on": (FieldType.DATE, date(1899, 1, 1), "year", {}),
    "address": (FieldType.TEXT, "星河市东城区甲路一号", "truncate", {"keep": 6}),
    "region": (FieldType.TEXT, "990101", "region", {"to": "city"}),
    "income": (FieldType.DECIMAL, "12345.67", "bucket", {"width": 10_000}),
    "balance": (FieldType.DECIMAL, "500.00", "predicate", {"op": "ge", "value": "100"}),
    "employer": (FieldType.TEXT, "星河市第一机械厂", "encrypt", {}),
}


def _show_record(operators: Mapping[str, Operator]) -> None:
    keys = FieldKeys(1, KEY)
    columns = [
        masked_column(name, kind, Mask(operator, params), operators[operator], lambda: keys, "")
        for name, (kind, _, operator, params) in _RECORD.items()
    ]
    rows = [(column.name, _RECORD[column.name][2], *_record_times([column])) for column in columns]
    rows.append(("the whole record", "", *_record_times(columns)))
    show(
        "One record of ten fields, µs",
        ("field", "operator", "as values", "as an Arrow batch"),
        rows,
        f"least of {ROUNDS} rounds of {RECORD_CALLS:,} calls; both ways give the same",
    )


def _record_times(columns: Sequence[PlannedColumn]) -> tuple[str, str]:
    plan = MaskPlan.of(tuple(columns))
    values = {name: [value] for name, (_, value, _, _) in _RECORD.items()}
    batch = pa.RecordBatch.from_pydict({name: _arrow(name) for name in values})
    assert plan.apply(batch).to_pydict() == {
        name: list(v) for name, v in plan.apply_to_values(values).items()
    }
    return _micros(lambda: plan.apply_to_values(values)), _micros(lambda: plan.apply(batch))


def _arrow(name: str) -> pa.Array:
    kind, value, _, _ = _RECORD[name]
    return pa.array([value], pa.date32() if kind is FieldType.DATE else pa.string())


def _micros(call: Callable[[], object]) -> str:
    def calls() -> None:
        for _ in range(RECORD_CALLS):
            call()

    rate, _ = _rate(calls, RECORD_CALLS)
    return f"{1 / rate:.1f}"


# ── measuring ────────────────────────────────────────────────────────────────────────────────────


def _rate(call: Callable[[], T], rows: int, rounds: int = ROUNDS) -> tuple[float, T]:
    """Million rows a second of the best round, and what the last one gave."""
    least = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        result = call()
        least = min(least, time.process_time() - began)
    return rows / least / 1e6, result


def _copy_rate(values: pa.Array) -> float:
    buffers = [np.frombuffer(buffer, np.uint8) for buffer in values.buffers() if buffer]
    return _rate(lambda: [buffer.copy() for buffer in buffers], len(values))[0]
