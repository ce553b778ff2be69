"""``masking-profiles.yaml`` → :class:`broker.model.MaskProfile`, by format or type of fields.

The file may be absent: then no word means a treatment, and masks are written in full.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from types import MappingProxyType

from broker.approve.catalog_grammar import MASKING_PROFILE, MASKING_PROFILES
from broker.approve.document import Node
from broker.approve.masks import CheckMask, read_operator
from broker.approve.problem import FORMAT_OR_TYPE, LEVEL, Code, Position, Problems
from broker.approve.shapes import NAME
from broker.approve.table import Table, formed, headed, text
from broker.formats import FORMATS
from broker.model import Field, FieldType, Mask, MaskOrder, MaskProfile
from broker.reasons import Sentence
from broker.treatments import BY_LEVEL, resolve

KINDS = (*FORMATS, *(type_.value for type_ in FieldType if type_ not in FORMATS))
"""What a profile may be for."""


class ProfileReader:
    """Reads the profiles; a mask that no field of the kind can have is reported."""

    def __init__(
        self, levels: Collection[str], order: MaskOrder, check_mask: CheckMask, problems: Problems
    ) -> None:
        self._levels = levels
        self._order = order
        self._check_mask = check_mask
        self._problems = problems

    def read(self, node: Node | None) -> Mapping[str, MaskProfile]:
        """To be used only if no problem was found."""
        if node is None:
            return MappingProxyType({})
        profiles: dict[str, MaskProfile] = {}
        for key, entry in headed(node, self._problems, MASKING_PROFILES).items("profiles"):
            kind = text(key, self._problems)
            if kind and kind not in KINDS:
                self._problems.unknown(key.at, FORMAT_OR_TYPE, kind, KINDS)
                kind = ""
            profiles[kind] = self._profile(kind, Table(entry, self._problems, MASKING_PROFILE))
        return MappingProxyType(profiles)

    def _profile(self, kind: str, table: Table) -> MaskProfile:
        fields = _fields(kind)
        treatments: dict[str, Mask] = {}
        for key, node in table.items("treatments"):
            word, found = formed(key, NAME, self._problems), read_operator(node, self._problems)
            if not word or found is None:
                continue
            at, mask = found
            if not self._is_clear(key.at, word, mask):
                continue
            treatments[word] = mask
            complaints = [self._check_mask(field, mask) for field in fields]
            if complaints and all(complaints):
                self._refuse(at, complaints[0])
        levels: dict[str, str] = {}
        profile = MaskProfile(MappingProxyType(treatments), MappingProxyType(levels))
        for key, node in table.items("levels"):
            level, word = text(key, self._problems), formed(node, NAME, self._problems)
            if level and level not in self._levels:
                self._problems.unknown(key.at, LEVEL, level, self._levels)
            if word and fields:
                self._check_level(node.at, word, profile, fields)
            levels[level] = word
        return profile

    def _is_clear(self, at: Position, word: str, mask: Mask) -> bool:
        """Whoever writes an operator's name must get that operator."""
        if word == BY_LEVEL:
            zh, en = (
                f"{BY_LEVEL} 有固定的含义，请换一个词",
                f"{BY_LEVEL} has a meaning of its own; choose another word",
            )
        elif word in self._order.operators and word != mask.operator:
            zh = f"“{word}”是另一种脱敏方式的名称，会使人误解；请换一个词"
            en = f"“{word}” is the name of another operator and would mislead; choose another word"
        else:
            return True
        self._problems.add(at, Code.BAD_MASK, zh, en)
        return False

    def _check_level(self, at: Position, word: str, profile: MaskProfile, fields: Collection[Field]) -> None:
        found = [
            resolve(word, None, field.type, "", {field.type: profile}, partial(self._check_mask, field))
            for field in fields
        ]
        if word == BY_LEVEL or all(isinstance(one, Sentence) for one in found):
            words = profile.treatments
            zh = f"没有做法“{word}”，此方案有：{'、'.join(words)}"
            self._problems.add(
                at, Code.BAD_MASK, zh, f"there is no treatment “{word}” here but {', '.join(words)}"
            )

    def _refuse(self, at: Position, complaint: Sentence | None) -> None:
        if complaint:
            zh, en = f"不能这样脱敏：{complaint.zh}", f"cannot be masked so: {complaint.en}"
            self._problems.add(at, Code.BAD_MASK, zh, en)


def _fields(kind: str) -> tuple[Field, ...]:
    """A field of each type that such fields can have; none of an unknown kind."""
    types = FORMATS[kind].types if kind in FORMATS else (kind,) if kind else ()
    types = (*types, kind) if kind in FORMATS and kind in list(FieldType) else types
    return tuple(
        Field(kind, kind, FieldType(type_), "", kind if kind in FORMATS else None) for type_ in types
    )
