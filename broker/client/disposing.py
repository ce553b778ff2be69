"""What a client asks about disposal: which orders there are, to give one, to certify that one was obeyed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Required, TypedDict

import orjson

from broker.client.answer import checked_receipt
from broker.client.credentials import Credentials
from broker.client.evidence import require_said
from broker.client.questions import Page, Question, listing, resource
from broker.disposal.signed import Certificate, sign
from broker.errors import VerificationFailed
from broker.model import DisposalCause, DisposalMethod, EntryKind, Receipt
from broker.receipt.disposals import Kept, digest_of_sets, sets_of
from broker.receipt.log_keys import Trust
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.v1 import disposal_pb2


class DisposalTerms(TypedDict, total=False):
    """What an officer orders, and why; ids as in the catalog."""

    consumer: Required[str]
    dataset: Required[str]
    purpose: str
    """Left out: for whatever purpose."""
    grant: str
    """Number; left out: under whichever, or none."""
    cause: Required[DisposalCause]
    reason: Required[str]
    """In words, without personal data."""
    method: DisposalMethod
    """The weakest that will do; clearing, if not given."""
    within_working_days: int
    """For the certificate; 10 if not given."""


@dataclass(frozen=True, slots=True)
class DisposalOrder:
    """An order with its receipt, which was verified; what it says is taken from there."""

    disposal: disposal_pb2.Disposal
    receipt: Receipt = field(repr=False)

    @property
    def leaf(self) -> bytes:
        """Hash of its leaf."""
        return leaf_hash(leaf_entry(self.receipt.statement))

    @property
    def digest(self) -> bytes:
        """Of the deliveries that it names."""
        content: dict[str, Any] = orjson.loads(self.receipt.statement)
        return digest_of_sets(one.digest for one in sets_of(content))


@dataclass(frozen=True, slots=True)
class Disposals:
    """The questions of one caller about disposal."""

    credentials: Credentials
    trust: Trust | None

    def held(self, consumer: str, dataset: str) -> Question[Page[disposal_pb2.Holding]]:
        request = disposal_pb2.ListHoldingsRequest(
            consumer=resource("departments", consumer), dataset=resource("datasets", dataset)
        )
        return listing(lambda stubs: stubs.disposals.ListHoldings, request, lambda found: found.holdings)

    def listed(
        self, consumer: str, dataset: str, *, open: bool, overdue: bool
    ) -> Question[Page[disposal_pb2.Disposal]]:
        request = disposal_pb2.ListDisposalsRequest(
            consumer=resource("departments", consumer),
            dataset=resource("datasets", dataset),
            open=open,
            overdue=overdue,
        )
        return listing(lambda stubs: stubs.disposals.ListDisposals, request, lambda found: found.disposals)

    def order(self, terms: DisposalTerms) -> Question[Sequence[disposal_pb2.Disposal]]:
        request = disposal_pb2.OrderDisposalRequest(
            consumer=resource("departments", terms["consumer"]),
            dataset=resource("datasets", terms["dataset"]),
            purpose=terms.get("purpose", ""),
            grant=resource("grants", terms.get("grant", "")),
            cause=f"DISPOSAL_CAUSE_{terms['cause'].name}",
            reason=terms["reason"],
            method=f"DISPOSAL_METHOD_{terms.get('method', DisposalMethod.CLEAR).name}",
            within_working_days=terms.get("within_working_days", 0),
        )
        return Question(
            lambda stubs: stubs.disposals.OrderDisposal, request, lambda found, _: found.disposals
        )

    def one(self, order: int) -> Question[DisposalOrder]:
        def read(response: disposal_pb2.GetDisposalResponse, _: int) -> DisposalOrder:
            receipt = checked_receipt(response.receipt, self.trust)
            require_said(receipt, {("kind",): EntryKind.DISPOSAL_ORDER})
            if receipt.leaf_index != order:
                raise VerificationFailed("回执不是所问指令的 / the receipt is of another order")
            return DisposalOrder(response.disposal, receipt)

        request = disposal_pb2.GetDisposalRequest(name=f"disposals/{order}")
        return Question(lambda stubs: stubs.disposals.GetDisposal, request, read)

    def signed(
        self,
        order: DisposalOrder,
        operator: str,
        method: DisposalMethod,
        disposed_at: datetime | None,
        kept: Mapping[str, Sequence[int]],
    ) -> bytes:
        """The caller's certificate."""
        said = Certificate(
            order=order.leaf,
            digest=order.digest,
            method=method,
            disposed_at=disposed_at or datetime.now(UTC),
            operator=operator,
            exceptions=tuple(Kept(tuple(sorted(leaves)), basis) for basis, leaves in kept.items()),
        )
        return sign(said, self.credentials.private_key(), self.credentials.chain[0])

    def certify(self, order: DisposalOrder, message: bytes) -> Question[Receipt]:
        request = disposal_pb2.CertifyDisposalRequest(
            name=f"disposals/{order.receipt.leaf_index}", signed_certificate=message
        )
        told: dict[tuple[str, ...], object] = {
            ("kind",): EntryKind.DISPOSAL_CERTIFICATE,
            ("of",): order.receipt.leaf_index,
            ("digest",): order.digest.hex(),
        }

        def read(response: disposal_pb2.CertifyDisposalResponse, _: int) -> Receipt:
            receipt = checked_receipt(response.receipt, self.trust)
            require_said(receipt, told)
            return receipt

        return Question(lambda stubs: stubs.disposals.CertifyDisposal, request, read)
