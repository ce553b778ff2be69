"""What a masking operator is. The broker knows operators by this contract and by entry point only.

An operator is a class found under the entry point group ``sharebroker.masking``. The broker binds it
once per field and plan, and then calls the bound function on every batch, be it one row or a million::

    class Redact:
        name = "redact"
        ...
        def bind(self, params, keys): return lambda values: ...

Everything fails closed: a value that is too short, invalid or of another shape than the operator
expects comes out fully masked or null, never in the clear and never half masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, ClassVar, Protocol

import pyarrow as pa
from pydantic import BaseModel, BeforeValidator, ConfigDict

ENTRY_POINT_GROUP = "sharebroker.masking"

BoundMask = Callable[[pa.Array], pa.Array]
"""Takes an array of an accepted type, of any offset and length; gives one of the same length and of
:meth:`Operator.result_type`. Its buffers hold no byte of the values it masks."""


class ValueMask(Protocol):
    """A bound mask that takes Python values too: for a single record Arrow's fixed cost would be most of the
    work. Optional; an operator of another result than text, whole number or truth gains nothing by it."""

    def __call__(self, values: pa.Array) -> pa.Array:
        """As :data:`BoundMask`."""
        ...

    def of_values(self, values: Sequence[object]) -> list[object]:
        """What the mask makes of an array of these, as its ``to_pylist`` has it."""
        ...


class Params(BaseModel):
    """Base of every parameter model: strict, immutable, unknown keys refused.

    An instance is validated again wherever it is passed, so that ``bind`` can trust no constructor:
    ``params = PartialParams.model_validate(params)``.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", revalidate_instances="always")


def _whole_number(written: object) -> object:
    return int(written) if isinstance(written, str) and re.fullmatch(r"[+-]?[0-9]{1,9}", written) else written


WholeNumber = Annotated[int, BeforeValidator(_whole_number)]
"""An ``int`` parameter that a policy may also write as text: in YAML every scalar is a text until typed."""


class Becomes(StrEnum):
    """What an operator makes of a value that it cannot mask as others. Never the value itself."""

    NULL = "null"
    MASKED = "masked"
    """Hidden throughout."""
    ANSWER = "answer"
    """An answer about its absence, yes or no."""


class Beside(StrEnum):
    """What an operator must know of a row beside the value itself."""

    NOTHING = "nothing"
    SUBJECT = "subject"
    """The identifier of whom the row is about, as text. The operator's parameters have a ``subject``: the
    field that says it, where the dataset has several."""
    CLAIM = "claim"
    """What the consumer says that the value is, of the value's type; null where it says nothing."""


VALUE, BESIDE = "value", "beside"
"""The two fields of the struct array that an operator with :attr:`Properties.beside` is given."""


@dataclass(frozen=True, slots=True)
class Properties:
    """What an officer needs to know before choosing an operator."""

    reversible: bool = False
    """Whoever has the key turns it back: such an operator is a :class:`ReversibleOperator`."""
    deterministic: bool = True
    format_preserving: bool = False
    linkable: bool = False
    """Equal values give equal results (within one key context), so records can be joined."""
    needs_key: bool = False
    beside: Beside = Beside.NOTHING
    """Other than nothing: the bound mask takes a struct array of :data:`VALUE` and :data:`BESIDE`, no row of
    it null as a whole; where the latter is null, so is the result. What the operator accepts, and what it
    makes of it, is still said of the value."""
    null: Becomes = Becomes.NULL
    """A null."""
    short: Becomes = Becomes.NULL
    """A value too short to hide anything of."""
    invalid: Becomes = Becomes.NULL
    """A value of another shape than the operator expects."""


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """What an operator makes of ``values`` of Arrow type ``given``, under ``params`` as a policy has them.

    Keys are those of :class:`adapters.masking.conformance.KnownKeys`.
    """

    values: tuple[object, ...]
    answers: tuple[object, ...]
    params: Mapping[str, object] = field(default_factory=dict)
    given: pa.DataType = field(default_factory=pa.string)
    beside: tuple[object, ...] = ()
    """What stands beside each of ``values``, for an operator with :attr:`Properties.beside`."""


TypeTest = Callable[[pa.DataType], bool]


class KeyContext(Protocol):
    """Keys for one field of one (provider, consumer, purpose); other contexts give unrelated keys."""

    @property
    def version(self) -> int:
        """Version of the master key."""
        ...

    def derive(self, label: str, length: int) -> bytes:
        """``length`` key bytes for ``label``, the operator's own name for the use (HKDF, RFC 5869)."""
        ...


class Operator(Protocol):
    """One way to mask. Stateless; ``version`` changes whenever any output would change."""

    name: ClassVar[str]
    version: ClassVar[str]
    title: ClassVar[str]
    """Chinese name for officers."""
    summary: ClassVar[str]
    """One English sentence."""
    params: ClassVar[type[Params]]
    properties: ClassVar[Properties]
    accepts: ClassVar[Mapping[str, TypeTest]]
    """The types it takes: a word for each, and whether a type without its encoding is of that kind."""
    known_answers: ClassVar[tuple[KnownAnswer, ...]]
    """At least one; by them anybody can tell that an installed operator does what its version promises."""

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """Type of the result for ``values``.

        Raises:
            TypeError: the operator does not accept this type (names the types it does).
        """
        ...

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Fix parameters and keys. Bounds are validated here, not when the mask runs.

        The bound mask is safe for use by several threads.

        Raises:
            ValueError: parameters out of bounds, or a key is needed and ``keys`` is None.
        """
        ...


class ReversibleOperator(Operator, Protocol):
    """An operator whose results turn back under the same parameters and keys."""

    def unbind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """The way back; what is no result of the operator becomes null.

        Raises:
            ValueError: as :meth:`bind`.
        """
        ...
