"""Masks for an officer to choose from, and masks in one line of words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from broker.approve.masks import CheckMask
from broker.errors import SetUpError
from broker.model import Field, FieldType, Mask, MaskOrder
from broker.treatments import Profiles, profile_for

_READY = (
    Mask("redact"),
    Mask("pseudonym"),
    Mask("partial", {"keep_start": 1}),
    Mask("partial", {"keep_start": 1, "keep_end": 1}),
    Mask("partial", {"keep_start": 3, "keep_end": 4}),
    Mask("year"),
    Mask("region", {"to": "district"}),
    Mask("region", {"to": "city"}),
    Mask("predicate", {"op": "exists"}),
)
_PAIR = ">"
_WITH_REGION = ("region", "resident_id")


def ready_masks(field: Field, check_mask: CheckMask, order: MaskOrder) -> Iterator[Mask]:
    """Masks in customary parameters that fit the field and are not weaker than its level demands."""
    for mask in _READY:
        odd = (mask.operator == "region" and field.format not in _WITH_REGION) or (
            mask.operator == "year" and field.type is FieldType.TEXT
        )
        if not odd and is_enough(mask, field, order) and check_mask(field, mask) is None:
            yield mask


def ready_words(
    field: Field, profiles: Profiles, check_mask: CheckMask, order: MaskOrder
) -> Iterator[tuple[str, Mask]]:
    """The treatments of the field's profile that fit it and are not weaker than its level demands, the one of
    its level first; each with what it stands for."""
    profile = profile_for(field.format, field.type, profiles)
    least = profile.levels.get(field.level, "")
    for word in sorted(profile.treatments, key=lambda word: word != least):
        mask = profile.treatments[word]
        if is_enough(mask, field, order) and check_mask(field, mask) is None:
            yield word, mask


def is_enough(mask: Mask | None, field: Field, order: MaskOrder) -> bool:
    """Whether ``mask``, or none, is as strict as the field's level demands."""
    floor = order.floors.get(field.level)
    if floor is None:
        return True
    found, least = order.strictness(mask.operator) if mask else None, order.strictness(floor)
    return found is not None and least is not None and found >= least


def mask_entry(mask: Mask) -> dict[str, object]:
    """As a policy file has it: ``{operator: {parameter: value}}``."""
    return {mask.operator: dict(mask.params)}


def mask_from(words: str) -> Mask:
    """A mask written as ``partial keep_start=3 keep_end=4``; a list's items are separated by ``|``, and those
    of a mapping are written ``在婚>有配偶``.

    Raises:
        SetUpError: it is not of that form.
    """
    operator, *params = words.split()
    if not all(re.fullmatch("[a-z_]+=.+", param) for param in params):
        raise SetUpError(
            "脱敏方式请写作：partial keep_start=3 keep_end=4",
            "Write a mask like this: partial keep_start=3 keep_end=4",
        )
    pairs = (param.split("=", 1) for param in params)
    return Mask(operator, {name: _parameter(value) for name, value in pairs})


def mask_text(mask: Mask) -> str:
    """The reverse of :func:`mask_from`."""
    return " ".join([mask.operator, *(f"{name}={_written(value)}" for name, value in mask.params.items())])


def _parameter(written: str) -> object:
    items = written.split("|")
    if all(_PAIR in item for item in items):
        return {key: _scalar(value) for key, _, value in (item.partition(_PAIR) for item in items)}
    return tuple(items) if len(items) > 1 else _scalar(written)


def _scalar(written: str) -> object:
    return int(written) if re.fullmatch("-?(0|[1-9][0-9]{0,8})", written) else written


def _written(value: object) -> str:
    if isinstance(value, Mapping):
        return "|".join(f"{key}{_PAIR}{one}" for key, one in value.items())
    return "|".join(map(str, value)) if isinstance(value, tuple) else str(value)
