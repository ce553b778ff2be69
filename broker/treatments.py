"""Treatments (脱敏做法): what the word in ``mask: {id_no: token}`` means for a field of its kind.

The authority's masking profiles say it, one profile for each format or type of fields; there is no default
that an officer could not read. The result is a :class:`~broker.model.Mask` as if it had been written in full.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

from broker.model import FieldType, Mask, MaskProfile
from broker.reasons import Sentence

BY_LEVEL = "by_level"
"""Written where the profile's treatment of the field's level is meant."""
Profiles = Mapping[str, MaskProfile]
"""By the format or, for fields without one that has a profile, the type of the fields that they are for."""
Complain = Callable[[Mask], Sentence | None]
"""Says why a mask cannot be applied to the field in question, or None when it can."""

_NO_PROFILE = MaskProfile()


def profile_for(format_: str | None, field_type: FieldType, profiles: Profiles) -> MaskProfile:
    """The profile of a field's format, else that of its type, else an empty one."""
    return profiles.get(format_ or "") or profiles.get(field_type) or _NO_PROFILE


def meant(word: str, profile: MaskProfile) -> Mask:
    """The treatment of that name, else the operator of that name without parameters, be there one or not."""
    return profile.treatments.get(word) or Mask(word)


def resolve(
    word: str,
    format_: str | None,
    field_type: FieldType,
    level: str,
    profiles: Profiles,
    complain: Complain,
) -> Mask | Sentence:
    """The mask that ``word`` stands for: a treatment of the field's profile, else an operator that needs no
    parameters; for :data:`BY_LEVEL` the profile's treatment of ``level``. What is wrong, if it is none.

    That the mask fits the field is for the caller to ask.
    """
    profile = profile_for(format_, field_type, profiles)
    if word == BY_LEVEL:
        if level not in profile.levels:
            return _no_level(level, profile)
        word = profile.levels[level]
    mask = meant(word, profile)
    if word in profile.treatments or (complaint := complain(mask)) is None:
        return mask
    return _unknown(word, profile, complaint)


def _no_level(level: str, profile: MaskProfile) -> Sentence:
    if not profile.levels:
        return Sentence(
            f"masking-profiles.yaml 没有写明此类数据项各级的做法，不能写 {BY_LEVEL}",
            f"masking-profiles.yaml says of no level how such fields are treated: write no {BY_LEVEL}",
        )
    said = ", ".join(profile.levels)
    if not level:
        return Sentence(
            f"没有写明此数据项的分级，不能用 {BY_LEVEL}（--level）；有做法的是 {said}",
            f"its level is not stated, which {BY_LEVEL} needs (--level); there are treatments of {said}",
        )
    return Sentence(
        f"masking-profiles.yaml 没有写明此类数据项在 {level} 级的做法，只有 {said}",
        f"masking-profiles.yaml does not say how such fields of {level} are treated, only of {said}",
    )


def _unknown(word: str, profile: MaskProfile, complaint: Sentence) -> Sentence:
    words = [*profile.treatments, *((BY_LEVEL,) if profile.levels else ())]
    zh, en = f"没有做法“{word}”", f"there is no treatment “{word}”"
    if near := difflib.get_close_matches(word, words, n=1):
        zh, en = f"{zh}，是否指“{near[0]}”？", f"{en}; did you mean “{near[0]}”?"
    else:
        zh, en = f"{zh}。", f"{en}."
    if words:
        zh, en = f"{zh}此数据项可用：{'、'.join(words)}", f"{en} This field has: {', '.join(words)}"
    else:
        zh = f"{zh}masking-profiles.yaml 没有此类数据项的方案"
        en = f"{en} masking-profiles.yaml has no profile for such fields"
    return Sentence(f"{zh}；若指脱敏方式：{complaint.zh}", f"{en}; if the operator is meant: {complaint.en}")
