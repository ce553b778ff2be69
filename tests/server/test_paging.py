"""Page tokens: each leads on in the list that gave it, and nothing else does."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import MalformedRequest
from broker.server import paging

POSITION = st.integers(0, 2**63 - 1)
QUERY = st.text(max_size=40)


def field_of(call, *arguments):
    with pytest.raises(MalformedRequest) as refused:
        call(*arguments)
    (violation,) = refused.value.violations
    return violation.field


@given(POSITION, QUERY)
def test_token_leads_back_to_its_position(position, query):
    """What was put in comes out, under the same filters."""
    assert paging.decode(paging.encode(position, query), query) == position


@given(POSITION, QUERY, QUERY)
def test_token_of_another_list(position, query, other):
    """Under other filters the position would mean another item."""
    if query != other:
        assert field_of(paging.decode, paging.encode(position, query), other) == "page_token"


@given(POSITION, QUERY, st.data())
def test_changed_token(position, query, data):
    """One character changed, lost or added is enough."""
    token = paging.encode(position, query)
    place = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters())
    for changed in (
        token[:place] + character + token[place + 1 :],
        token[:place] + token[place + 1 :],
        token[:place] + character + token[place:],
    ):
        if changed and changed != token:
            assert field_of(paging.decode, changed, query) == "page_token"


@given(st.text(min_size=1, max_size=40) | st.binary(max_size=30).map(lambda b: base64.b64encode(b).decode()))
def test_made_up_token(token):
    """No text is a token that nobody gave."""
    assert token == "" or field_of(paging.decode, token, "receipts") == "page_token"


def test_empty_token_is_the_first_page():
    """There is no position yet."""
    assert paging.decode("", "receipts") is None


def test_position_beyond_what_a_database_counts():
    """It cannot have come from a list."""
    assert field_of(paging.decode, paging.encode(2**63, "receipts"), "receipts") == "page_token"


@pytest.mark.parametrize(("asked", "size"), [(0, 50), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)])
def test_page_size(asked, size):
    """0 means the default, more than 1,000 means 1,000."""
    assert paging.page_size(asked, default=50) == size


def test_negative_page_size():
    """There is no page of less than nothing."""
    assert field_of(paging.page_size, -1, 50) == "page_size"


@given(st.lists(st.integers(), max_size=30), st.integers(1, 10))
def test_pages_make_up_the_list(items, size):
    """Page by page every item comes once, in order, and only the last page has no token."""
    found, token = [], ""
    for _ in range(40):
        page, token = paging.page(items, size, token, "numbers")
        found += page
        assert len(page) == size or not token
        if not token:
            break
    assert found == items


@given(st.lists(st.integers(), max_size=5), st.integers(0, 2**63 - 1))
def test_page_beyond_the_end(items, position):
    """A list may have become shorter since its token was given."""
    page, token = paging.page(items, 3, paging.encode(position, "numbers"), "numbers")
    assert list(page) == items[position : position + 3]
    assert bool(token) == (position + 3 < len(items))
