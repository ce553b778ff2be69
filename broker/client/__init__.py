"""The SDK that a department's system imports: connect, exchange, stream to Arrow, verify receipts.

::

    from broker.client import Client, Credentials

    with Client("127.0.0.1:7443", Credentials.load("pki/housing_fund-system-counter-1")) as broker:
        exchanged = broker.exchange(
            dataset="civil_affairs.marriage", fields=["status"], subjects=[applicant],
            purpose="housing_fund_withdrawal", service_item="990100-GJJ-0003", case_no="…",
            legal_basis="住房公积金管理条例 第二十四条", operator="…",
        )

:class:`AsyncClient` is the same for asyncio. Errors are those of :mod:`broker.errors`; a refusal is no error
but a decision with reasons. ``docs/client.md`` explains all of it.
"""

from broker.client.acknowledging import Delivery
from broker.client.aio import AsyncClient, AsyncStream
from broker.client.answer import Exchanged
from broker.client.applications import Watch
from broker.client.client import Client
from broker.client.credentials import Credentials
from broker.client.detokenizing import Detokenized, TokenRequest
from broker.client.disposing import DisposalOrder
from broker.client.duties import Duties, Review
from broker.client.filing import Filed
from broker.client.officer import OfficerClient, ProposedBundle
from broker.client.stream import Stream
from broker.client.suspending import Suspended
from broker.model import DataError, DisposalCause, DisposalMethod, Settlement
from broker.receipt.bundle import export as export_receipt
from broker.receipt.bundle import parse as parse_receipt
from broker.receipt.note import VerifierKey
from broker.receipt.verify import verify_receipt

__all__ = [
    "AsyncClient",
    "AsyncStream",
    "Client",
    "Credentials",
    "DataError",
    "Delivery",
    "Detokenized",
    "DisposalCause",
    "DisposalMethod",
    "DisposalOrder",
    "Duties",
    "Exchanged",
    "Filed",
    "OfficerClient",
    "ProposedBundle",
    "Review",
    "Settlement",
    "Stream",
    "Suspended",
    "TokenRequest",
    "VerifierKey",
    "Watch",
    "export_receipt",
    "parse_receipt",
    "verify_receipt",
]
