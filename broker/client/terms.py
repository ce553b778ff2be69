"""The terms of an application, as callers give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Required, TypedDict


class Terms(TypedDict, total=False):
    """What is asked, why, and who is behind it; ids as in the catalog."""

    dataset: Required[str]
    fields: Required[Sequence[str]]
    subjects: Sequence[str]
    """Identifiers of the subjects; a stream takes none as every row in scope, if policy permits that."""
    purpose: Required[str]
    service_item: str
    case_no: str
    legal_basis: str
    operator: str
    grant: str
    """Under which grant to run."""
    claims: Mapping[str, str | Sequence[str]]
    """Field → what you believe it to be, for fields that policy only compares (比对核验): a text for a single
    subject, else one for each in their order, empty for none. A stream takes no claims."""
    commit: bool
    """Sign the use commitments (数据使用责任状) that policy demands, by the caller's own key, in the call."""
    commitments: Sequence[bytes]
    """Use commitments that are signed already, for this request id."""
    sign: bool
    """Add an application signed with the caller's own key."""
    acknowledge: bool
    """Acknowledge the delivery (交付确认), or do not; left out, it is done where policy wants it."""
    request_id: str
    """A UUID; give that of an earlier call to make it again. A fresh one is made otherwise."""


class UnaryTerms(Terms, total=False):
    """The same for an exchange in one message."""

    validate_only: bool
    """Decide only: nothing is read, and the request id stays free."""
