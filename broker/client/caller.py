"""What both clients are made of: who calls, whom they trust, and their connections."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import grpc

from broker.client.acknowledging import Delivery, Outbox
from broker.client.connections import Channel, Connections
from broker.client.correcting import CorrectionQuestions
from broker.client.credentials import Credentials
from broker.client.delegating import DelegationQuestions
from broker.client.disposing import Disposals
from broker.client.filing import FilingQuestions
from broker.client.questions import Questions
from broker.errors import BrokerError
from broker.receipt.log_keys import Trust


class Caller(ABC):
    """A client, before it is known how it waits.

    Args:
        address: ``host:port``, or several of them with commas between.
        credentials: who calls.
        trust: the log's verifier key, got from the authority and not from the broker, or the keys that it has
            led to: with it every receipt is verified before an answer is handed over (one that is signed by a
            later key of the log proves how it came to be), without it only compared with request and data.
        channels: connections to each address; calls take the least busy one, and each reaches one worker of
            the broker.
        outbox: a folder that keeps acknowledgements until the broker has taken them, beyond the end of the
            program; None: they are kept in memory only.
        attempts: how often a call may be sent until it is answered; None for as often as its timeout allows.

    Raises:
        SetUpError: the address or the credentials are unusable.
    """

    def __init__(
        self,
        address: str,
        credentials: Credentials,
        *,
        trust: Trust | None = None,
        channels: int = 4,
        attempts: int | None = None,
        outbox: str | Path | None = None,
    ) -> None:
        identity = credentials.channel_credentials()
        self._questions = Questions(credentials, trust)
        self._filing = FilingQuestions(credentials, trust)
        self._disposals = Disposals(credentials, trust)
        self._delegating = DelegationQuestions(trust)
        self._correcting = CorrectionQuestions(credentials, trust)
        self._attempts = attempts
        self._outbox = Outbox(None if outbox is None else Path(outbox))
        self._connections = Connections(address, channels, lambda one: self._dial(one, identity))

    @property
    def unacknowledged(self) -> tuple[int, ...]:
        """Leaf indices of deliveries whose acknowledgement waits to be sent again."""
        return tuple(leaf_index for leaf_index, _ in self._outbox.waiting())

    @property
    def refused_acknowledgements(self) -> dict[int, BrokerError]:
        """Leaf index of a delivery → why the broker refused its acknowledgement, which is not sent again."""
        return self._outbox.refused()

    def _kept(self, delivery: Delivery) -> bytes:
        """The acknowledgement of a delivery, which waits from now on."""
        message = self._questions.signed(delivery)
        self._outbox.add(delivery.leaf_index, message)
        return message

    @abstractmethod
    def _dial(self, address: str, identity: grpc.ChannelCredentials) -> Channel:
        """A channel to one address."""
