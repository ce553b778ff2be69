"""A masking operator for vehicle plate numbers: who issued the plate, and nothing of the number itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc

from adapters.masking.arrays import plain, rebuilt, require
from adapters.masking.contract import BoundMask, KeyContext, KnownAnswer, Params, Properties, TypeTest

_PROVINCES = "京津沪渝冀晋辽吉黑苏浙皖闽赣鲁豫鄂湘粤琼川贵云陕甘青蒙桂藏宁新"
_SIGNS = "A-HJ-NP-Z0-9"
_PLATE = f"^[{_PROVINCES}][A-HJ-NP-Z](?:[{_SIGNS}]{{5,6}}|[{_SIGNS}]{{4}}[挂学警港澳])$"
"""RE2, after GA 36: no I and no O; six signs on the plates of new-energy vehicles."""
_KEPT = {"province": 1, "authority": 2}
_NO_TEXT = pa.scalar(None, pa.string())


class PlateParams(Params):
    """What stays: the province, or the issuing authority (发牌机关代号)."""

    to: Literal["province", "authority"]


class Plate:
    """``京A12345`` becomes ``京A`` or ``京``. What is no plate becomes null, whatever it is: never shown."""

    name: ClassVar[str] = "plate"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "车牌泛化"
    summary: ClassVar[str] = "Replaces a plate number by the province or the authority that issued it."
    params: ClassVar[type[Params]] = PlateParams
    properties: ClassVar[Properties] = Properties()
    accepts: ClassVar[Mapping[str, TypeTest]] = {"text": pa.types.is_string}
    known_answers: ClassVar[tuple[KnownAnswer, ...]] = (
        KnownAnswer(
            ("京A12345", "沪AD12345", "粤Z123A港", "京I12345", "京A1234", "A12345", "", None),
            ("京A", "沪A", "粤Z", None, None, None, None, None),
            {"to": "authority"},
        ),
        KnownAnswer(("京A12345", "鲁BF00001"), ("京", "鲁"), {"to": "province"}),
    )

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        """``string``.

        Raises:
            TypeError: ``values`` is not text.
        """
        require(self.name, values, self.accepts)
        return pa.string()

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        """Needs no key.

        Raises:
            ValueError: ``to`` is neither.
        """
        kept = _KEPT[PlateParams.model_validate(params).to]

        def mask(values: pa.Array) -> pa.Array:
            texts = plain(values)
            is_plate = pc.match_substring_regex(texts, _PLATE)
            shown = pc.utf8_slice_codeunits(texts, 0, kept)
            # Under a null its first characters would still lie in the buffers: rebuilt drops them.
            return rebuilt(pc.if_else(pc.fill_null(is_plate, False), shown, _NO_TEXT))

        return mask
