"""Quotes around dates, codes and whatever else another reader of YAML would not take for text."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from broker.approve.shapes import COUNT, DAY, DAYS, FLAG, REGION, TERM, OneMask, Scalar, Shape
from broker.authoring.shapes import entries, item_shape, shape_of_file

_ALWAYS = (DAY, DAYS, REGION)
_NEVER = (COUNT, FLAG, TERM)
_TEXT_TAG = "tag:yaml.org,2002:str"
_NULL_TAG = "tag:yaml.org,2002:null"


def quoted(text: str) -> str:
    """``text`` (YAML) with quotes where they belong; what our own reader understands by it is the same."""
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    if root is None:
        return text
    parts, at = [], 0
    for node in sorted(_unquoted(root, shape_of_file(root)), key=lambda node: node.start_mark.index):
        begin, end = node.start_mark.index, node.end_mark.index
        parts += [text[at:begin], f'"{text[begin:end]}"']
        at = end
    return "".join([*parts, text[at:]])


def _unquoted(node: yaml.Node, shape: Shape | None) -> Iterator[yaml.ScalarNode]:
    """Values that need quotes and have none; not a mask's parameters, whose writing tells their type."""
    if isinstance(shape, OneMask):
        return
    if isinstance(node, yaml.MappingNode):
        for _, value, inner in entries(node, shape):
            yield from _unquoted(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _unquoted(item, item_shape(shape))
    elif isinstance(node, yaml.ScalarNode) and _needs_quotes(node, shape):
        yield node


def _needs_quotes(node: yaml.ScalarNode, shape: Shape | None) -> bool:
    if node.style or '"' in node.value or "\\" in node.value:
        return False
    if isinstance(shape, Scalar) and shape in _NEVER:
        return False
    if isinstance(shape, Scalar) and shape in _ALWAYS:
        return bool(node.value)
    return shape is not None and node.tag not in (_TEXT_TAG, _NULL_TAG)
