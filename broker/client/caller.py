"""What both clients are made of: who calls, whom they trust, and their connections."""

from __future__ import annotations

from abc import ABC, abstractmethod

import grpc

from broker.client.connections import Channel, Connections
from broker.client.credentials import Credentials
from broker.client.questions import Questions
from broker.receipt.note import VerifierKey


class Caller(ABC):
    """A client, before it is known how it waits.

    Args:
        address: ``host:port``, or several of them with commas between.
        credentials: who calls.
        trust: the log's verifier key, got from the authority and not from the broker: with it every receipt
            is verified before an answer is handed over, without it only compared with request and data.
        channels: connections to each address; calls take the least busy one, and each reaches one worker of
            the broker.
        attempts: how often a call may be sent until it is answered; None for as often as its timeout allows.

    Raises:
        SetUpError: the address or the credentials are unusable.
    """

    def __init__(
        self,
        address: str,
        credentials: Credentials,
        *,
        trust: VerifierKey | None = None,
        channels: int = 4,
        attempts: int | None = None,
    ) -> None:
        identity = credentials.channel_credentials()
        self._questions = Questions(credentials, trust)
        self._attempts = attempts
        self._connections = Connections(address, channels, lambda one: self._dial(one, identity))

    @abstractmethod
    def _dial(self, address: str, identity: grpc.ChannelCredentials) -> Channel:
        """A channel to one address."""
