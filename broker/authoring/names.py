"""What people call things: by id or by title, with a slip of the pen or without."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from broker.approve.problem import MAX_LISTED, Kind
from broker.errors import SetUpError
from broker.model import Catalog
from broker.reasons import Sentence


def resolve(said: str, kind: Kind, titles: Mapping[str, str]) -> str:
    """The id in ``titles`` that ``said`` is, or whose only title it is.

    Raises:
        SetUpError: there is none, or there are several; says which is nearest.
    """
    if said in titles:
        return said
    found = [name for name, title in titles.items() if title == said]
    if len(found) == 1:
        return found[0]
    if found:
        raise SetUpError(
            f"有 {len(found)} 个{kind.zh}叫“{said}”，请写编号：{'、'.join(found)}。",
            f"{len(found)} of them are called “{said}”; give the id: {', '.join(found)}.",
        )
    raise SetUpError(*unknown(said, kind, titles))


def unknown(said: str, kind: Kind, titles: Mapping[str, str]) -> Sentence:
    """That there is no ``said``, and the nearest id or title, or all when they are few."""
    zh, en = f"没有{kind.zh}“{said}”", f"There is no {kind.en} “{said}”"
    if near := nearest(said, titles):
        named = f"{titles[near]} {near}"
        return Sentence(f"{zh}，是否指“{named}”？", f"{en}; did you mean “{named}”?")
    if len(titles) <= MAX_LISTED:
        return Sentence(f"{zh}，可用：{'、'.join(titles)}。", f"{en}; possible: {', '.join(titles)}.")
    return Sentence(f"{zh}。", f"{en}.")


def nearest(said: str, titles: Mapping[str, str]) -> str | None:
    """The only id that has ``said`` in itself or its title; else the one that is spelled most like it."""
    holding = [name for name, title in titles.items() if said and (said in title or said in name)]
    if len(holding) == 1:
        return holding[0]
    spelled = {**{title: name for name, title in titles.items()}, **{name: name for name in titles}}
    close = difflib.get_close_matches(said, spelled, n=1)
    return spelled[close[0]] if close else None


def departments(catalog: Catalog) -> dict[str, str]:
    """Id → title."""
    return {name: department.title for name, department in catalog.departments.items()}


def datasets(catalog: Catalog) -> dict[str, str]:
    """Id → title."""
    return {name: dataset.title for name, dataset in catalog.datasets.items()}
