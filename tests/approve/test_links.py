"""Link domains: whose tokens join is what was listed, until the day that was written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from broker.approve.bundle import Bundle
from broker.model import LinkDomain

TODAY = date(2026, 11, 23)
LINK = LinkDomain(
    "city_child",
    "resident_id",
    providers=frozenset({"registry", "hospital"}),
    consumers=frozenset({"fund", "counter"}),
    purposes=frozenset(),
    legal_basis="条例 第一条",
    until=TODAY,
)
WRITTEN = """\
format: share-link-domains/v1
link_domains:
  city_child:
    field_domain: resident_id
    providers: [registry]
    consumers: [fund, counter]
    legal_basis: 条例 第一条
    until: "2026-11-23"
"""


def test_a_file_is_read_as_it_is_written(folder: Path, load: Callable[[Path], Bundle]) -> None:
    """Each list as it stands; what is not written joins nothing."""
    assert load(folder).catalog.link_domains == {}
    (folder / "link-domains.yaml").write_text(WRITTEN, "utf-8")
    catalog = load(folder).catalog
    link = catalog.link_domains["city_child"]
    assert (link.providers, link.consumers, link.purposes) == ({"registry"}, {"fund", "counter"}, frozenset())
    assert (link.legal_basis, link.until) == ("条例 第一条", TODAY)
    dataset = catalog.datasets["registry.marriage"]
    assert catalog.links(dataset, "fund", "withdrawal", TODAY) == {"resident_id": link}
    assert catalog.links(dataset, "data_authority", "withdrawal", TODAY) == {}


def test_it_covers_whom_it_lists_to_its_last_day() -> None:
    """Another provider or consumer, or a day later: no link."""
    assert LINK.covers("registry", "fund", "any", TODAY)
    assert not LINK.covers("tax", "fund", "any", TODAY)
    assert not LINK.covers("registry", "tax", "any", TODAY)
    assert not LINK.covers("registry", "fund", "any", date(2026, 11, 24))


def test_what_is_not_listed_stays_apart() -> None:
    """Over consumers it joins, as listed; each purpose still has tokens of its own."""
    assert LINK.apart("fund", "audit") == LINK.apart("counter", "audit") == ("", "audit")
    assert LINK.apart("fund", "withdrawal") != LINK.apart("fund", "audit")


def test_overlapping_is_told_whichever_way_it_is_asked() -> None:
    """Two that could cover one exchange overlap; another field domain, provider or consumer parts them."""
    purposes = LinkDomain("p", "resident_id", LINK.providers, frozenset(), frozenset({"a", "b"}), "", TODAY)
    apart = [
        LinkDomain("d", "mobile", LINK.providers, LINK.consumers, frozenset(), "", TODAY),
        LinkDomain("f", "resident_id", frozenset({"tax"}), LINK.consumers, frozenset(), "", TODAY),
        LinkDomain("c", "resident_id", LINK.providers, frozenset({"tax", "court"}), frozenset(), "", TODAY),
    ]
    assert LINK.overlaps(purposes)
    assert purposes.overlaps(LINK)
    assert not any(LINK.overlaps(one) or one.overlaps(LINK) for one in apart)
