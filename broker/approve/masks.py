"""Masks as a file writes them: a treatment's word, or an operator with its parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from broker.approve.document import MappingNode, Node, ScalarNode, SequenceNode
from broker.approve.problem import Code, Position, Problems
from broker.approve.shapes import NAME
from broker.approve.table import formed, mapping_items, text
from broker.model import Dataset, Field, Mask
from broker.reasons import Sentence
from broker.treatments import Profiles, resolve


class CheckMask(Protocol):
    """Says why a mask cannot be applied to a field, or None when it can."""

    def __call__(self, field: Field, mask: Mask, subjects: Sequence[str] = (), /) -> Sentence | None:
        """``subjects`` are the subject fields of the field's dataset; none, where there is no dataset yet."""
        ...


MOST_VALUES = 2000
"""So many values the parameters of one mask may hold, in lists and mappings together."""
DEEPEST = 3
"""So many lists and mappings may stand within one another in one parameter."""

_INTEGER = re.compile("-?(0|[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Written:
    """A mask, or the word for one, and the places of it and of what it is for."""

    at: Position
    mask: Mask | str
    key_at: Position


class MaskReader:
    """Tells what the masks that are written mean for fields; remembers the answers, for a folder holds
    thousands of the same."""

    def __init__(self, profiles: Profiles, check_mask: CheckMask) -> None:
        self._profiles = profiles
        self._check_mask = check_mask
        self._known: dict[tuple[str, ...], Mask | Sentence] = {}

    def of(self, dataset: Dataset, field: Field, written: Mask | str) -> Mask | Sentence:
        """The mask of a field, or why it cannot be masked so."""
        # By their representation parameters differ that are equal: 1 is not true.
        key = dataset.id, field.name, repr(written)
        if key not in self._known:
            self._known[key] = self._resolved(dataset, field, written)
        return self._known[key]

    def _resolved(self, dataset: Dataset, field: Field, written: Mask | str) -> Mask | Sentence:

        def complain(mask: Mask) -> Sentence | None:
            return self._check_mask(field, mask, dataset.subject_fields)

        mask = written
        if isinstance(mask, str):
            found = resolve(mask, field.format, field.type, field.level, self._profiles, complain)
            if isinstance(found, Sentence):
                return found
            mask = found
        return complain(mask) or mask


def read_mask(key_at: Position, node: Node, problems: Problems) -> Written | None:
    """What stands after a field or level; None when it is neither word nor operator."""
    if isinstance(node, ScalarNode):
        word = formed(node, NAME, problems)
        return Written(node.at, word, key_at) if word else None
    mask = read_operator(node, problems)
    return Written(*mask, key_at) if mask else None


def read_operator(node: Node, problems: Problems) -> tuple[Position, Mask] | None:
    """An operator with its parameters, and its place; None when there is none."""
    if not isinstance(node, MappingNode) or len(node.entries) != 1:
        zh, en = "须写一个脱敏方式，如 {year: {}}", "write one operator, such as {year: {}}"
        problems.add(node.at, Code.BAD_MASK, zh, en)
        return None
    ((name, params),) = node.entries.values()
    if sum(1 for _ in _values(params)) > MOST_VALUES:
        zh, en = f"参数超过 {MOST_VALUES} 个值", f"more than {MOST_VALUES} values in its parameters"
        problems.add(params.at, Code.BAD_MASK, zh, en)
        return None
    written = {key.value: _parameter(value, problems) for key, value in mapping_items(params, problems)}
    return name.at, Mask(formed(name, NAME, problems), MappingProxyType(written))


def _parameter(node: Node, problems: Problems, depth: int = 1) -> object:
    """A parameter as written: unquoted whole numbers and true/false are typed, everything else stays text,
    decimals too, so that no digit is lost; keys of a mapping are always text. The operator's own model checks
    the rest."""
    if isinstance(node, ScalarNode):
        if node.plain and node.value in ("true", "false"):
            return node.value == "true"
        return int(node.value) if node.plain and _INTEGER.fullmatch(node.value) else node.value
    if depth > DEEPEST:
        zh, en = f"参数嵌套超过 {DEEPEST} 层", f"a parameter nested deeper than {DEEPEST} levels"
        problems.add(node.at, Code.BAD_MASK, zh, en)
        return ()
    if isinstance(node, SequenceNode):
        return tuple(_parameter(item, problems, depth + 1) for item in node.items)
    return MappingProxyType(
        {text(key, problems): _parameter(value, problems, depth + 1) for key, value in node.entries.values()}
    )


def _values(node: Node) -> Iterator[Node]:
    """Every scalar in ``node``."""
    if isinstance(node, ScalarNode):
        yield node
        return
    items = node.items if isinstance(node, SequenceNode) else [value for _, value in node.entries.values()]
    for item in items:
        yield from _values(item)
