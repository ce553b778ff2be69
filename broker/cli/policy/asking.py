"""Questions in a terminal, each of which an option can answer instead."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import typer

from broker.approve.problem import Kind
from broker.authoring.names import resolve
from broker.errors import SetUpError
from broker.reasons import Sentence

T = TypeVar("T")
Titles = Mapping[str, str]
"""What may be chosen: id → title."""

ALL = ("all", "全部", "不限")
_BETWEEN = re.compile(r"[,，、\s]+")
_RANGE = re.compile(r"([0-9]{1,3})[-~—至]([0-9]{1,3})")


@dataclass(frozen=True, slots=True)
class Question:
    """One question: the option that answers it, its words, and what ``?`` says."""

    option: str
    zh: str
    en: str
    help: Sentence


class Terminal:
    """Asks what was not given as an option.

    Args:
        given: option → answer.
        asks: False, where nobody is there to ask: what is not given takes its default.
    """

    def __init__(self, given: Mapping[str, str], *, asks: bool) -> None:
        self._given = given
        self._asks = asks
        self._asked = 0
        if asks:
            _prepare()

    def is_given(self, question: Question) -> bool:
        """Whether an option answers it."""
        return question.option in self._given

    def one(self, question: Question, kind: Kind, titles: Titles, default: str | None = None) -> str:
        """One of ``titles``, by number, id or title."""
        return self.read(question, lambda said: one_of(said, kind, titles), default, titles)

    def several(
        self,
        question: Question,
        kind: Kind,
        titles: Titles,
        default: str | None = None,
        *,
        or_all: bool = True,
        shown: Titles | None = None,
    ) -> tuple[str, ...] | None:
        """Some of ``titles``, in their order; None for ``all``. ``shown`` says more than the titles."""

        def parse(said: str) -> tuple[str, ...] | None:
            if or_all and said in ALL:
                return None
            if said and not any(_BETWEEN.split(said)):
                raise SetUpError("请至少选一个。", "Choose at least one.")
            chosen = {name for part in _BETWEEN.split(said) if part for name in _some(part, kind, titles)}
            return tuple(name for name in titles if name in chosen)

        listed = {**(shown or titles), **({"all": "全部"} if or_all else {})}
        return self.read(question, parse, default, listed)

    def yes(self, question: Question, default: str | None = None) -> bool:
        """Yes or no."""
        return self.read(question, _yes, default, {}, " [y/n]")

    def read(
        self,
        question: Question,
        parse: Callable[[str], T],
        default: str | None = None,
        titles: Titles | None = None,
        hint: str = "",
    ) -> T:
        """The answer as ``parse`` reads it, which raises SetUpError for a slip: then it is asked again.

        Raises:
            SetUpError: a slip in what was given as an option, or no answer is to be had.
        """
        said = self._given.get(question.option)
        if said is None and not self._asks:
            said = default
            if said is None:
                raise SetUpError(
                    f"请给出 --{question.option}：{question.zh}", f"Give --{question.option}: {question.en}"
                )
        if said is not None:
            try:
                return parse(said.strip())
            except SetUpError as slip:
                raise SetUpError(
                    f"--{question.option}：{slip.zh}", f"--{question.option}: {slip.en}"
                ) from None
        return self._asked_until_right(question, parse, default, titles or {}, hint)

    def _asked_until_right(
        self, question: Question, parse: Callable[[str], T], default: str | None, titles: Titles, hint: str
    ) -> T:
        self._asked += 1
        typer.echo(f"\n{self._asked}. {question.zh}{hint}\n   {question.en}")
        for line in _listed(titles):
            typer.echo(line)
        while True:
            said = _line(default)
            if said in ("?", "？"):
                typer.echo(f"   {question.help.zh}\n   {question.help.en}")
                continue
            if not said and default is None:
                typer.echo("   ! 请回答，输入 ? 看说明 · please answer; ? explains")
                continue
            try:
                return parse(said or default or "")
            except SetUpError as slip:
                typer.echo(f"   ! {slip.zh}\n   ! {slip.en}")


def one_of(said: str, kind: Kind, titles: Titles) -> str:
    """What was chosen, by number, id or title; raises SetUpError with the nearest name for a slip."""
    names = list(titles)
    if said.isdecimal() and 1 <= int(said) <= len(names):
        return names[int(said) - 1]
    return resolve(said, kind, titles)


def _prepare() -> None:
    with suppress(ImportError):
        import readline  # noqa: F401 - arrow keys and erasing of Chinese characters
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")


def _line(default: str | None) -> str:
    shown = f" [{default}]" if default else ""
    try:
        return input(f" {shown}> ").strip()
    except EOFError:
        raise SetUpError(
            "回答到此为止，规则还不完整，什么都没有写。", "The answers end here; nothing was written."
        ) from None


def _listed(titles: Titles) -> Iterator[str]:
    numbers = iter(range(1, len(titles) + 1))
    for name, title in titles.items():
        number = "" if name == "all" else next(numbers)
        yield f"   {number:>3}  {title} {name}".rstrip()


def _some(said: str, kind: Kind, titles: Titles) -> list[str]:
    if span := _RANGE.fullmatch(said):
        first, last = (one_of(end, kind, titles) for end in span.groups())
        names = list(titles)
        return names[names.index(first) : names.index(last) + 1]
    return [one_of(said, kind, titles)]


def _yes(said: str) -> bool:
    if said.lower() in ("y", "yes", "true", "是"):
        return True
    if said.lower() in ("n", "no", "false", "否"):
        return False
    raise SetUpError("请回答 y（是）或 n（否）。", "Answer y or n.")
