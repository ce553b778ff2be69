"""Whose officers answer for which file."""

from __future__ import annotations

import pytest

from broker.errors import VerificationFailed
from broker.publication.responsibility import Handover, Offices, owner_of

POLICY = "sharing/one.yaml"


def departments(**entries: str) -> bytes:
    """A ``departments.yaml``; each entry a flow mapping."""
    lines = "".join(f"  {name}: {{{entry}}}\n" for name, entry in entries.items())
    return f"format: share-departments/v1\ndepartments:\n{lines}".encode()


def files(owner: str = "tax", **entries: str) -> dict[str, bytes]:
    """A bundle with one policy."""
    entries = {"authority": "kind: authority", "tax": "kind: government", **entries}
    return {
        "departments.yaml": departments(**entries),
        POLICY: f"id: one\nowner: {owner}\n".encode(),
        "catalog/tax.yaml": b"department: tax\n",
    }


def test_owner_is_named_by_the_policy_or_by_the_catalogs_file_name() -> None:
    """What is neither policy nor catalog is the authority's."""
    assert owner_of(POLICY, b"owner: tax\n") == "tax"
    assert owner_of("catalog/civil_affairs.yaml", b"") == "civil_affairs"
    assert [owner_of(file, b"") for file in ("city.yaml", "masking.yaml", "masking-profiles.yaml")] == [
        ""
    ] * 3


@pytest.mark.parametrize("content", [b"id: one\n", b"owner:\n", b"owner: [tax]\n", b"- owner\n", b"\xff"])
def test_policy_whose_owner_cannot_be_read_is_nobodys(content: bytes) -> None:
    """So nobody can approve it."""
    with pytest.raises(VerificationFailed):
        owner_of(POLICY, content)


def test_delegate_acts_beside_its_department() -> None:
    """A small office may name another, mostly the authority."""
    offices = Offices.of(files(tax="kind: government, delegate: authority"))
    assert offices.acting_for("tax") == {"tax", "authority"}
    assert offices.acting_for("other") == {"other"}
    assert offices.acting_for("") == {"authority"}


def test_both_owners_are_asked_and_offices_are_those_before() -> None:
    """A change of owner or of delegate does not approve itself."""
    before = files(other="kind: government")
    after = files("other", other="kind: government", tax="kind: government, delegate: other")
    assert Handover.of(before, after).demands(POLICY) == ({"tax"}, {"other"})
    assert Handover.of(before, after).demands("catalog/tax.yaml") == ({"tax"},)
    assert Handover.of(after, before).demands("catalog/tax.yaml") == ({"tax", "other"},)


def test_nobody_makes_himself_the_authority() -> None:
    """Base files are asked of the authority that there was."""
    before, after = files(), files(tax="kind: authority")
    assert Handover.of(before, after).demands("departments.yaml") == ({"authority"},)


def test_new_department_has_the_delegate_that_comes_with_it() -> None:
    """There was nobody to ask before; the authority approves the file that names both."""
    after = {**files("small", small="kind: government, delegate: authority")}
    assert Handover.of(files(), after).demands(POLICY) == ({"tax"}, {"small", "authority"})
    assert Handover.of(files(), {**after, "catalog/small.yaml": b""}).demands("catalog/small.yaml") == (
        {"small", "authority"},
    )


def link(providers: str, until: str = "2027-12-31") -> bytes:
    """A ``link-domains.yaml`` with one domain."""
    return f"link_domains:\n  one: {{providers: {providers}, until: {until}}}\n".encode()


def test_whose_data_are_joined_is_asked_too() -> None:
    """The authority and each provider of a link domain that is new or changed; to end one, the authority."""
    file = "link-domains.yaml"
    before = files(tax="kind: government, delegate: authority", registry="kind: government")
    one, both = ({**before, file: link(providers)} for providers in ("[tax]", "[tax, registry]"))
    authority, tax, registry = {"authority"}, {"tax", "authority"}, {"registry"}
    assert Handover.of(before, one).demands(file) == (authority, tax)
    assert Handover.of(one, both).demands(file) == (authority, registry, tax)
    assert Handover.of(both, {**both, file: link("[registry, tax]")}).demands(file) == (authority,)
    later = {**both, file: link("[tax, registry]", "2028-12-31")}
    assert Handover.of(both, later).demands(file) == (authority, registry, tax)
    assert Handover.of(both, before).demands(file) == (authority,)
    with pytest.raises(VerificationFailed):
        Handover.of(before, {**before, file: b"\xff"}).demands(file)
