"""The nodes of a policy file beside what the grammar says of them."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from broker.approve.grammar import FILES
from broker.approve.rule import Effect
from broker.approve.shapes import ByEffect, Keys, ListOf, MapOf, Shape


def shape_of_file(root: yaml.Node) -> Shape | None:
    """What a file should be, by its ``format``; None for one that is not known."""
    written = _value(root, "format")
    return next((form.keys for form in FILES if form.format == written), None)


def entries(
    node: yaml.MappingNode, shape: Shape | None
) -> Iterator[tuple[yaml.Node, yaml.Node, Shape | None]]:
    """Keys, values, and what the values should be."""
    keys = case_of(node, shape)
    for key, value in node.value:
        if isinstance(keys, Keys) and isinstance(key, yaml.ScalarNode):
            yield key, value, keys.shapes.get(key.value)
        else:
            yield key, value, keys.value if isinstance(keys, MapOf) else None


def item_shape(shape: Shape | None) -> Shape | None:
    """What the items of a list should be."""
    return shape.item if isinstance(shape, ListOf) else None


def case_of(node: yaml.MappingNode, shape: Shape | None) -> Shape | None:
    """The keys of a mapping whose keys depend on an effect; any other shape as it is."""
    if not isinstance(shape, ByEffect):
        return shape
    written = _value(node, "effect")
    return shape.cases[Effect(written) if written in list(Effect) else shape.otherwise]


def _value(node: yaml.Node, name: str) -> str:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == name and isinstance(value, yaml.ScalarNode):
                return str(value.value)
    return ""
