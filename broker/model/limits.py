"""Statutory time limits (办理时限): how many working days each act may take, and who acts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Working days of one jurisdiction; the defaults are those of 《政务数据共享条例》, which no other may
    exceed."""

    unconditional_reply: int = 1
    """Art. 21: the answer about data shared without conditions."""
    conditional_reply: int = 10
    """Art. 21: the answer about data shared under conditions, the authority's part included."""
    extension: int = 10
    """Art. 21: the one extension of that, at most, with the authority's consent."""
    delivery: int = 20
    """Art. 22: the data, after consent."""
    correction: int = 10
    """Art. 26: the provider's answer to a reported error."""
    catalog_update: int = 10
    """Art. 17: a changed dataset in the catalog."""
    catalog_update_extension: int = 5
    """Art. 17: the extension of that, at most."""
    catalog_publication: int = 2
    """Art. 17: the authority's review and publication of the entry."""
    conformity: int | None = None
    """Where the authority checks an application first, its part; None: the provider has it at once."""
    answer: int | None = None
    """The part of those who answer after that; None where there is no first part."""
    supplement: int | None = None
    """For the consumer to supply missing papers; None: as long as it takes, the regulation sets none."""
    remind_before: tuple[int, ...] = (3, 1)
    """How long before a limit those who must act are reminded, longest first."""


NATIONAL = TimeLimits()
"""What the regulation itself sets."""
