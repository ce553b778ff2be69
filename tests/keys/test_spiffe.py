"""SPIFFE ids: one spelling each, and nothing but that spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.keys.spiffe import BrokerId, DepartmentId, parse
from broker.model import Role

PARTS = st.from_regex(r"[a-z][a-z0-9_-]{0,62}", fullmatch=True)


@given(city=PARTS, department=PARTS, role=st.sampled_from(Role), name=PARTS)
def test_department_id_round_trips(city: str, department: str, role: Role, name: str) -> None:
    """What is written into a certificate is what is read from it."""
    spiffe_id = DepartmentId(city, department, role, name)
    assert parse(str(spiffe_id)) == spiffe_id


@given(city=PARTS, name=PARTS)
def test_broker_id_round_trips(city: str, name: str) -> None:
    """A broker's id is read back as a broker's, never as a department's."""
    assert parse(str(BrokerId(city, name))) == BrokerId(city, name)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "spiffe://",
        "spiffe://xinghe",
        "spiffe://xinghe/department/tax/system",
        "spiffe://xinghe/department/tax/system/",
        "spiffe://xinghe/department/tax/system/counter/",
        "spiffe://xinghe/department/tax/system/counter/more",
        "spiffe://xinghe/department//tax/system/counter",
        "spiffe://xinghe/department/tax/../police/system/counter",
        "spiffe://xinghe/department/tax%2Fsystem/system/counter",
        "spiffe://xinghe/department/tax/system/%63ounter",
        "spiffe://xinghe/department/Tax/system/counter",
        "spiffe://XINGHE/department/tax/system/counter",
        "SPIFFE://xinghe/department/tax/system/counter",
        "spiffe://xinghe:443/department/tax/system/counter",
        "spiffe://user@xinghe/department/tax/system/counter",
        "spiffe://xinghe/department/tax/system/counter?x=1",
        "spiffe://xinghe/department/tax/system/counter#x",
        "spiffe://xinghe/department/tax/system/counter\n",
        "spiffe://xinghe/department/tax/system/counter\x00",
        " spiffe://xinghe/department/tax/system/counter",
        "spiffe://xinghe/department/tax/root/counter",
        "spiffe://xinghe/department/tax/System/counter",
        "spiffe://xinghe/department/税务/system/counter",
        "spiffe://xinghe/department/1tax/system/counter",
        "spiffe://xinghe/broker/one/two",
        "https://xinghe/department/tax/system/counter",
        f"spiffe://xinghe/department/{'x' * 64}/system/counter",
    ],
)
def test_every_other_spelling_is_refused(uri: str) -> None:
    """Encoded slashes, other cases, further segments … are no ids, and the message does not echo them."""
    with pytest.raises(ValueError, match=r"^not a SPIFFE id of a department or broker$"):
        parse(uri)


@pytest.mark.parametrize("part", ["", "Tax", "tax/x", "tax\n", "税务", "-tax", "x" * 64, "tax.gov"])
def test_an_id_that_would_not_parse_cannot_be_made(part: str) -> None:
    """The builder refuses what the parser would refuse, so no such certificate is issued."""
    with pytest.raises(ValueError, match="must match"):
        DepartmentId("xinghe", part, Role.SYSTEM, "counter")
    with pytest.raises(ValueError, match="must match"):
        BrokerId("xinghe", part)
