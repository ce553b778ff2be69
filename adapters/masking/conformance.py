"""What every masking operator must do. A third party's tests call :func:`check_operator`.

::

    def test_conformance():
        check_operator(MyOperator())

It raises ``AssertionError`` with the clause of the contract that does not hold. What is tried are the
operator's own known answers, in every way that Arrow may hold them, and texts that must not be found again in
the bytes that leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import repeat
from typing import cast

import numpy as np
import pyarrow as pa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.masking.contract import (
    BESIDE,
    VALUE,
    Beside,
    BoundMask,
    KeyContext,
    KnownAnswer,
    Operator,
    Params,
    ReversibleOperator,
)

MANY = 1_000
"""Rows in which a value must be masked as it is alone; a nightly test may ask for a million."""

CANARIES = tuple(f"canary-{number:03d}-金丝雀-{number:03d}-yranac" for number in range(90))
"""Texts that no operator knows, and none of which may be found in what it gives."""

CANARIES_BESIDE = tuple(text.replace("canary", "beside") for text in CANARIES)
"""The same for what stands beside a value."""

_SAMPLES = (
    pa.string(), pa.int64(), pa.bool_(), pa.date32(), pa.timestamp("us", "UTC"), pa.decimal256(76, 20),
    pa.float64(), pa.binary(),
)  # fmt: skip
_THREADS = 4


class KnownKeys:
    """Keys that everybody knows: HKDF-SHA256 over 32 zero bytes, with ``context/label`` as info."""

    version = 1

    def __init__(self, context: str = "known") -> None:
        self._context = context

    def derive(self, label: str, length: int) -> bytes:
        """As :meth:`~adapters.masking.contract.KeyContext.derive`."""
        info = f"{self._context}/{label}".encode()
        return HKDF(hashes.SHA256(), length, salt=None, info=info).derive(bytes(32))


def check_operator(operator: Operator, rows: int = MANY) -> None:
    """Everything the contract says.

    Raises:
        AssertionError: what does not hold.
    """
    for check in _checks(operator, rows):
        check()


def violations(operator: Operator, rows: int = MANY) -> Iterator[str]:
    """Each clause that does not hold, where :func:`check_operator` stops at the first.

    Of another exception than the contract's own only the type is told: its message may quote a value.
    """
    for check in _checks(operator, rows):
        try:
            check()
        except AssertionError as clause:
            yield str(clause)
        except Exception as error:  # noqa: BLE001 - an operator may be anybody's
            yield f"{operator.name}: raised {type(error).__name__}"


def _checks(operator: Operator, rows: int) -> Iterator[Callable[[], None]]:
    yield partial(_check_description, operator)
    for known in operator.known_answers:
        yield partial(_check_known_answer, operator, known, rows)
        for check in (
            _Trial.check_beside,
            _Trial.check_encodings,
            _Trial.check_hidden,
            _Trial.check_values,
            _Trial.check_keys,
            _Trial.check_threads,
            _Trial.check_way_back,
        ):
            yield partial(_check_clause, operator, known, check)
    if operator.known_answers:
        yield partial(_check_types, operator)


def _check_known_answer(operator: Operator, known: KnownAnswer, rows: int) -> None:
    _Trial(operator, known).check_answers(rows)


def _check_clause(operator: Operator, known: KnownAnswer, check: Callable[[_Trial], None]) -> None:
    check(_Trial(operator, known))


class _Trial:
    """One operator, bound as one of its known answers says."""

    def __init__(self, operator: Operator, known: KnownAnswer) -> None:
        self.operator, self.known = operator, known
        self.params: Params = operator.params.model_validate(dict(known.params))
        self.values = self.operands(pa.array(known.values, known.given), self.beside_of(known))
        self.answers = list(known.answers)
        self.result = operator.result_type(known.given, self.params)

    def beside_of(self, known: KnownAnswer) -> pa.Array | None:
        match self.operator.properties.beside:
            case Beside.NOTHING:
                return None
            case Beside.SUBJECT:
                kind = pa.string()
            case Beside.CLAIM:
                kind = known.given
        self.holds(
            len(known.beside) == len(known.values), "a known answer says what stands beside each value"
        )
        return pa.array(known.beside, kind)

    def operands(self, values: pa.Array, beside: pa.Array | None) -> pa.Array:
        return values if beside is None else pa.StructArray.from_arrays([values, beside], [VALUE, BESIDE])

    def nothing(self, rows: int) -> pa.Array:
        """So many nulls, none of them null as a whole."""
        if not pa.types.is_struct(self.values.type):
            return pa.nulls(rows, self.values.type)
        return pa.StructArray.from_arrays(
            [pa.nulls(rows, field.type) for field in self.values.type], [VALUE, BESIDE]
        )

    def bound(self, context: str = "known") -> BoundMask:
        return self.operator.bind(self.params, self.keys(context))

    def keys(self, context: str = "known") -> KeyContext | None:
        return KnownKeys(context) if self.operator.properties.needs_key else None

    def gives(self, mask: BoundMask, values: pa.Array, answers: list[object], clause: str) -> None:
        result = mask(values)
        self.holds(len(result) == len(values), "the result has as many rows as the values")
        self.holds(result.type == self.result, "the result is of the type that result_type says")
        result.validate(full=True)
        self.holds(result.to_pylist() == answers, clause)

    def holds(self, truth: object, clause: str) -> None:
        _holds(truth, f"{self.operator.name} {dict(self.known.params)}: {clause}")

    # ── the clauses ──────────────────────────────────────────────────────────────────────────────

    def check_answers(self, rows: int) -> None:
        mask = self.bound()
        self.gives(mask, self.values, self.answers, "a known answer")
        self.gives(mask, self.values.slice(0, 0), [], "nothing of nothing")
        self.gives(mask, self.nothing(3), [self.of_null()] * 3, "nulls alone")
        times = -(-rows // len(self.values))
        many = pa.concat_arrays([self.values] * times)
        self.gives(mask, many, self.answers * times, f"a row of {len(many)} is masked as it is alone")
        for place, answer in enumerate(self.answers):
            self.gives(mask, self.values.slice(place, 1), [answer], "a slice is masked as its own rows")
        parts = [mask(many.slice(0, 7)), mask(many.slice(7))]
        self.holds(pa.concat_arrays(parts).equals(mask(many)), "chunks are masked as the whole")
        if self.operator.properties.deterministic:
            self.holds(self.bound()(many).equals(mask(many)), "deterministic: the same when bound again")

    def of_null(self) -> object:
        return self.bound()(self.nothing(1))[0].as_py()

    def check_beside(self) -> None:
        """Either may be null where the other is not."""
        if not pa.types.is_struct(self.values.type):
            return
        for operands in (self.values, pa.concat_arrays([self.values] * 40)):
            value, beside = operands.flatten()
            without = self.operands(value, pa.nulls(len(value), beside.type))
            self.gives(self.bound(), without, [None] * len(value), "without what stands beside it, null")
            answers = [self.of_null()] * len(value)
            absent = self.operands(pa.nulls(len(value), value.type), beside)
            self.gives(self.bound(), absent, answers, "a null is masked alike whatever stands beside it")

    def check_encodings(self) -> None:
        for repeated in (self.values, pa.concat_arrays([self.values] * 40)):
            answers = self.bound()(repeated).to_pylist()
            for values in self.held(repeated, encodings):
                self.gives(self.bound(), values, answers, f"{values.type} is masked as plain text")

    def check_hidden(self) -> None:
        """What a slice, a null or a dictionary hides stays in Arrow's buffers, and would travel with them."""
        for rows in (5, len(CANARIES)):
            for values in self.held(self.canaries(rows), hidden):
                message = ipc_bytes(self.bound()(values))
                found = any(text.encode() in message for text in (*CANARIES, *CANARIES_BESIDE))
                self.holds(not found, f"no plaintext in the serialized bytes of {values.type}")

    def canaries(self, rows: int) -> pa.Array:
        """So many operands; whatever of them is text is a canary."""
        repeated = pa.concat_arrays([self.values] * -(-rows // len(self.values))).slice(0, rows)
        if not pa.types.is_struct(repeated.type):
            return pa.array(CANARIES[:rows]) if repeated.type == pa.string() else repeated
        children = [
            pa.array(texts[:rows]) if child.type == pa.string() else child
            for child, texts in zip(repeated.flatten(), (CANARIES, CANARIES_BESIDE), strict=True)
        ]
        return self.operands(*children)

    def held(self, operands: pa.Array, ways: Ways) -> Iterator[pa.Array]:
        """``operands`` in all ``ways`` to hold texts; of a pair both are, and the pair as a slice too."""
        if operands.type == pa.string():
            yield from ways(operands)
        if not pa.types.is_struct(operands.type):
            return
        yield pa.concat_arrays([operands, operands]).slice(len(operands))
        value, beside = operands.flatten()
        if pa.string() not in (value.type, beside.type):
            return
        for pair in zip(_ways(value, ways), _ways(beside, ways), strict=False):
            rows = min(len(child) for child in pair)
            yield self.operands(*[child.slice(0, rows) for child in pair])

    def check_values(self) -> None:
        """Of a :class:`~adapters.masking.contract.ValueMask`."""
        mask = self.bound()
        of_values = getattr(mask, "of_values", None)
        if of_values is None:
            return
        for values in (self.values, self.values.slice(1), self.nothing(3)):
            self.holds(
                of_values(values.to_pylist()) == mask(values).to_pylist(), "values are masked as their array"
            )

    def check_keys(self) -> None:
        if not self.operator.properties.needs_key:
            return
        _refuses(
            lambda: self.operator.bind(self.params, None), ValueError, "binding without a key is refused"
        )
        ours, theirs = self.bound()(self.values), self.bound("another")(self.values)
        apart = [one != other for one, other in zip(ours.to_pylist(), theirs.to_pylist(), strict=True) if one]
        self.holds(all(apart), "another key context gives other results")

    def check_threads(self) -> None:
        mask, many = self.bound(), pa.concat_arrays([self.values] * 50)
        expected = mask(many)
        if not self.operator.properties.deterministic:
            return
        with ThreadPoolExecutor(_THREADS) as pool:
            same = [result.equals(expected) for result in pool.map(mask, [many] * (2 * _THREADS))]
        self.holds(all(same), "a bound mask is safe for use by several threads")

    def check_way_back(self) -> None:
        if not self.operator.properties.reversible:
            return
        back = cast("ReversibleOperator", self.operator).unbind(self.params, self.keys())
        for values in (self.values, pa.concat_arrays([self.values] * 40)):
            masked = self.bound()(values)
            restored = zip(values.to_pylist(), masked.to_pylist(), back(masked).to_pylist(), strict=True)
            self.holds(
                all(again == value for value, token, again in restored if token is not None), "turns back"
            )


def _check_description(operator: Operator) -> None:
    for member in ("name", "version", "title", "summary"):
        _holds(getattr(operator, member), f"{operator.name}: has a {member}")
    _holds(not operator.title.isascii(), f"{operator.name}: the title is Chinese")
    _holds(operator.summary.endswith("."), f"{operator.name}: the summary is a sentence")
    _holds(operator.known_answers, f"{operator.name}: has known answers")
    unknown = {"no_such_parameter": 1}
    _refuses(lambda: operator.params.model_validate(unknown), ValueError, "an unknown parameter is refused")


def _check_types(operator: Operator) -> None:
    """Of the types that it does not accept, each is refused by name."""
    known = operator.known_answers[0]
    params = operator.params.model_validate(dict(known.params))
    for kind in _SAMPLES:
        if not any(accepts(kind) for accepts in operator.accepts.values()):
            _refuses(lambda k=kind: operator.result_type(k, params), TypeError, f"{kind} is refused")  # type: ignore[misc]


# ── how Arrow may hold a column ──────────────────────────────────────────────────────────────────


Ways = Callable[[pa.Array], Iterator[pa.Array]]


def _ways(child: pa.Array, ways: Ways) -> Iterator[pa.Array]:
    """What is no text is held as it is beside every way to hold one."""
    return ways(child) if child.type == pa.string() else repeat(child)


def encodings(texts: pa.Array) -> Iterator[pa.Array]:
    """The same texts as every kind of string, as a dictionary, and as slices of longer arrays."""
    longer = pa.concat_arrays([pa.array(["before"] * 3), texts, pa.array(["after"])])
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        yield texts.cast(kind)
        yield longer.cast(kind).slice(3, len(texts))
    for kind in (pa.string(), pa.large_string()):
        yield texts.cast(kind).dictionary_encode()
        yield longer.cast(kind).dictionary_encode().slice(3, len(texts))


def hidden(texts: pa.Array) -> Iterator[pa.Array]:
    """Arrays whose buffers hold more of ``texts`` than their rows show."""
    chosen = pa.array([place % 3 == 0 for place in range(len(texts))])
    yield texts
    yield texts.slice(2, len(texts) - 3)
    yield nulled_by_bitmap(texts)
    yield texts.dictionary_encode().filter(chosen)
    yield nulled_by_bitmap(texts).dictionary_encode().slice(1)
    yield texts.cast(pa.string_view()).slice(2)
    yield nulled_by_bitmap(texts.cast(pa.large_string()))


def nulled_by_bitmap(values: pa.Array) -> pa.Array:
    """The same buffers, with every second value marked absent."""
    bits = np.packbits(np.arange(len(values)) % 2 == 0, bitorder="little")
    return pa.Array.from_buffers(values.type, len(values), [pa.py_buffer(bits), *values.buffers()[1:]])


def ipc_bytes(values: pa.Array) -> bytes:
    """The Arrow IPC stream in which an array would travel."""
    batch = pa.RecordBatch.from_arrays([values], ["value"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    message: bytes = sink.getvalue().to_pybytes()
    return message


def _refuses(call: Callable[[], object], error: type[Exception], clause: str) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(clause)


def _holds(truth: object, clause: str) -> None:
    """Not ``assert``: that vanishes under ``python -O``."""
    if not truth:
        raise AssertionError(clause)
