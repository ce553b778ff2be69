"""``link-domains.yaml`` → :class:`broker.model.LinkDomain`: whose tokens may be joined, by name.

The file may be absent: then no tokens join. What is joined is only ever what somebody listed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from itertools import combinations
from types import MappingProxyType

from broker.approve.catalog_grammar import LINK_DOMAIN, LINK_DOMAINS
from broker.approve.document import Node
from broker.approve.problem import DEPARTMENT, DOMAIN, PURPOSE, Code, Position, Problems
from broker.approve.table import Table, headed
from broker.model import Dataset, LinkDomain

_NEVER = date.min
"""Of a domain whose end is written wrong: it is never used."""


def read_links(
    node: Node | None,
    departments: Collection[str],
    purposes: Collection[str],
    datasets: Collection[Dataset],
    problems: Problems,
) -> Mapping[str, LinkDomain]:
    """Name → link domain; to be used only if no problem was found."""
    if node is None:
        return MappingProxyType({})
    domains = {field.domain for dataset in datasets for field in dataset.fields.values()}
    links: dict[str, LinkDomain] = {}
    places: dict[str, Position] = {}
    for name, entry in headed(node, problems, LINK_DOMAINS).named_items("link_domains"):
        table = Table(entry, problems, LINK_DOMAIN)
        links[name] = link = LinkDomain(
            name=name,
            field_domain=table.name("field_domain", sorted(domains), DOMAIN),
            providers=frozenset(table.names("providers", departments, DEPARTMENT)),
            consumers=frozenset(table.names("consumers", departments, DEPARTMENT)),
            purposes=frozenset(table.names("purposes", purposes, PURPOSE)),
            legal_basis=table.text("legal_basis"),
            until=table.day("until") or _NEVER,
        )
        places[name] = entry.at
        if max(map(len, (link.providers, link.consumers, link.purposes))) < 2:
            zh = "没有可关联的：提供部门、需求部门、使用场景中至少一项须列两个以上"
            en = "joins nothing: list two or more providers, consumers or purposes"
            problems.add(entry.at, Code.LINK_EMPTY, zh, en)
    for one, other in combinations(links.values(), 2):
        if one.overlaps(other):
            zh = f"与“{one.name}”有重叠：同一次共享只能有一个关联域"
            en = f"overlaps “{one.name}”: one exchange has one link domain at most"
            problems.add(places[other.name], Code.LINKS_OVERLAP, zh, en)
    return MappingProxyType(links)
