"""The suite that third parties run: every operator here passes it, and each mistake it is for fails it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import ConfigDict

from adapters.masking.arrays import apart, plain
from adapters.masking.category import Category
from adapters.masking.conformance import check_operator
from adapters.masking.constant import Constant
from adapters.masking.contract import (
    BESIDE,
    ENTRY_POINT_GROUP,
    VALUE,
    Beside,
    KnownAnswer,
    Operator,
    Params,
    Properties,
)
from adapters.masking.dates import AgeBand, Month
from adapters.masking.encrypt import Encrypt
from adapters.masking.generalise import Region, Year
from adapters.masking.match import Match
from adapters.masking.number import Bucket, Clip, Round
from adapters.masking.partial import Partial
from adapters.masking.predicate import Predicate
from adapters.masking.pseudonym import Pseudonym
from adapters.masking.redact import Redact
from adapters.masking.shift import DateShift
from adapters.masking.token import Token
from adapters.masking.truncate import Truncate

OPERATORS = (
    AgeBand,
    Bucket,
    Category,
    Clip,
    Constant,
    DateShift,
    Encrypt,
    Match,
    Month,
    Partial,
    Predicate,
    Pseudonym,
    Redact,
    Region,
    Round,
    Token,
    Truncate,
    Year,
)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_every_operator_conforms(operator: type[Operator]) -> None:
    """Each clause of the contract, on each operator that ships."""
    check_operator(operator())


def test_every_operator_is_among_them() -> None:
    """What this package installs is what is checked here."""
    installed = {point for point in entry_points(group=ENTRY_POINT_GROUP) if point.dist.name == "sharebroker"}
    assert {point.name for point in installed} == {operator.name for operator in OPERATORS}


class _ResidentToken(Token):
    known_answers = Token.known_answers[:1]


def test_one_row_equals_the_same_row_in_a_million() -> None:
    """The vectorised paths meet their chunk borders."""
    check_operator(_ResidentToken(), rows=1_000_000)


class _Nothing(Params):
    pass


class Upper:
    """A sound operator: upper case. Each mistake below is made in it."""

    name = "upper"
    version = "1"
    title = "大写"
    summary = "Writes in capitals."
    params: Any = _Nothing
    properties = Properties()
    accepts: ClassVar[Any] = {"text": pa.types.is_string}
    known_answers: ClassVar[Any] = (KnownAnswer(("a", None, "bc"), ("A", None, "BC")),)

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        inner = values.value_type if pa.types.is_dictionary(values) else values
        if inner not in (pa.string(), pa.large_string(), pa.string_view()):
            raise TypeError(f"upper takes text; not {values}")
        return pa.string()

    def bind(self, params: Params, keys: object) -> Any:
        def mask(values: pa.Array) -> pa.Array:
            given = plain(values).to_pylist()
            return pa.array([None if text is None else self.one(text) for text in given], pa.string())

        return mask

    def one(self, text: str) -> str:
        return "".join(chr(ord(c) + 1) for c in text) if len(text) > 2 else text.upper()


class Undescribed(Upper):
    title = "upper"


class NoAnswers(Upper):
    known_answers = ()


class WrongAnswer(Upper):
    known_answers = (KnownAnswer(("a",), ("B",)),)


class TakesAnyParameter(Upper):
    class params(Params):
        model_config = ConfigDict(extra="ignore")


class TakesNumbers(Upper):
    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        return pa.string()


class Longer(Upper):
    def bind(self, params: Params, keys: object) -> Any:
        mask = super().bind(params, keys)
        return lambda values: pa.concat_arrays(
            [mask(values), pa.array([None] * (len(values) > 5), pa.string())]
        )


class AnotherType(Upper):
    def bind(self, params: Params, keys: object) -> Any:
        mask = super().bind(params, keys)
        return lambda values: mask(values).cast(pa.large_string())


class ForgetsOffsets(Upper):
    def bind(self, params: Params, keys: object) -> Any:
        mask = super().bind(params, keys)

        def masked(values: pa.Array) -> pa.Array:
            if values.type != pa.string() or not values.offset:
                return mask(values)
            whole = pa.Array.from_buffers(values.type, len(values), values.buffers())
            return mask(whole)

        return masked


class ByPosition(Upper):
    def bind(self, params: Params, keys: object) -> Any:
        mask = super().bind(params, keys)

        def masked(values: pa.Array) -> pa.Array:
            result = mask(values).to_pylist()
            return pa.array([text if i < 100 else None for i, text in enumerate(result)], pa.string())

        return masked


class PlainStringsOnly(Upper):
    def bind(self, params: Params, keys: object) -> Any:
        mask = super().bind(params, keys)
        return lambda values: mask(values if values.type == pa.string() else values.slice(0, 0))


class NullsByBitmap(Upper):
    def bind(self, params: Params, keys: object) -> Any:
        mask = super().bind(params, keys)

        def masked(values: pa.Array) -> pa.Array:
            texts = plain(values)
            if len(texts) and pc.any(pc.match_substring(texts, "canary")).as_py():
                return pc.if_else(pa.array([False] * len(texts)), texts, pa.scalar(None, pa.string()))
            return mask(values)

        return masked


class Random(Upper):
    def one(self, text: str) -> str:
        return text.upper() if len(text) <= 2 and random.random() < 0.9 else "?"


class NeedsNoKeyAfterAll(Upper):
    properties = Properties(needs_key=True)


class OneKeyForAll(Upper):
    properties = Properties(needs_key=True)

    def bind(self, params: Params, keys: object) -> Any:
        if keys is None:
            raise ValueError("upper needs a key")
        return super().bind(params, keys)


class NoWayBack(Upper):
    properties = Properties(reversible=True)

    def unbind(self, params: Params, keys: object) -> Any:
        return lambda values: values


class SharesState(Upper):
    def bind(self, params: Params, keys: object) -> Any:
        mask = super().bind(params, keys)
        busy = threading.Lock()
        barrier: list[int] = []

        def masked(values: pa.Array) -> pa.Array:
            if not busy.acquire(blocking=False):
                barrier.append(1)
                return pa.nulls(len(values), pa.string())
            try:
                if threading.current_thread() is not threading.main_thread():
                    threading.Event().wait(0.02)
                return mask(values)
            finally:
                busy.release()

        return masked


class Counted(Upper):
    """A sound operator that sees something beside: how long that is stands after the value."""

    properties = Properties(beside=Beside.SUBJECT)
    known_answers = (KnownAnswer(("a", None, "bc"), ("A/1", None, "BC/2"), beside=("x", "x", "yz")),)

    def bind(self, params: Params, keys: object) -> Any:
        def mask(pairs: pa.Array) -> pa.Array:
            rows = zip(*[child.to_pylist() for child in apart(pairs)], strict=True)
            return pa.array([self.both(value, beside) for value, beside in rows], pa.string())

        return mask

    def both(self, value: str | None, beside: str | None) -> str | None:
        return None if value is None or beside is None else f"{self.one(value)}/{len(beside)}"


class NothingBeside(Counted):
    known_answers = Upper.known_answers


class AnswersAboutNobody(Counted):
    def both(self, value: str | None, beside: str | None) -> str | None:
        return super().both(value, beside or "x")


class TellsOfAbsentValues(Counted):
    def both(self, value: str | None, beside: str | None) -> str | None:
        return super().both(value or "", beside) if beside == "yz" else super().both(value, beside)


class NamesWhoItIs(Counted):
    def both(self, value: str | None, beside: str | None) -> str | None:
        return beside if beside and len(beside) > 2 else super().both(value, beside)


class KeepsWhoInBuffers(Counted):
    def bind(self, params: Params, keys: object) -> Any:
        mask = super().bind(params, keys)

        def masked(pairs: pa.Array) -> pa.Array:
            beside = apart(pairs)[1]
            if pc.any(pc.match_substring(beside, "beside")).as_py():
                return pc.if_else(pa.array([False] * len(pairs)), beside, pa.scalar(None, pa.string()))
            return mask(pairs)

        return masked


class ForgetsPairOffsets(Counted):
    def bind(self, params: Params, keys: object) -> Any:
        mask = super().bind(params, keys)

        def masked(pairs: pa.Array) -> pa.Array:
            if not pairs.offset:
                return mask(pairs)
            value, beside = apart(pairs)
            shifted = pa.concat_arrays([beside.slice(1), beside.slice(0, 1)])
            return mask(pa.StructArray.from_arrays([value, shifted], [VALUE, BESIDE]))

        return masked


MISTAKES: list[tuple[type[Upper], str]] = [
    (NothingBeside, "what stands beside each value"),
    (AnswersAboutNobody, "without what stands beside it, null"),
    (TellsOfAbsentValues, "a null is masked alike"),
    (NamesWhoItIs, "no plaintext"),
    (KeepsWhoInBuffers, "no plaintext"),
    (ForgetsPairOffsets, "chunks are masked as the whole"),
    (Undescribed, "title is Chinese"),
    (NoAnswers, "has known answers"),
    (WrongAnswer, "a known answer"),
    (TakesAnyParameter, "unknown parameter"),
    (TakesNumbers, "int64 is refused"),
    (Longer, "as many rows"),
    (AnotherType, "type that result_type says"),
    (ForgetsOffsets, "a slice is masked"),
    (ByPosition, "as it is alone"),
    (PlainStringsOnly, "as many rows"),
    (NullsByBitmap, "no plaintext"),
    (Random, "known answer|as it is alone|deterministic|nulls alone|slice"),
    (NeedsNoKeyAfterAll, "without a key"),
    (OneKeyForAll, "another key context"),
    (NoWayBack, "turns back"),
    (SharesState, "several threads"),
]


def test_a_sound_operator_passes() -> None:
    """Third parties' operators pass without being of this package."""
    for sound in (Upper(), Counted()):
        check_operator(sound)  # type: ignore[arg-type]


@pytest.mark.parametrize(("operator", "clause"), MISTAKES, ids=lambda part: getattr(part, "__name__", ""))
def test_each_mistake_is_found(operator: Callable[[], Any], clause: str) -> None:
    """What the suite is for: each of these mistakes was made in some masking product."""
    with pytest.raises(AssertionError, match=clause):
        check_operator(operator())
