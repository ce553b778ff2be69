"""Several connections to one or more brokers, and which of them the next attempt takes.

One connection reaches one worker process of a broker, so a client that opened only one could use one core.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from broker.client.retry import RETRIED, Tries
from broker.client.status import failure_of
from broker.errors import Elsewhere, SetUpError
from broker.v1 import (
    application_pb2_grpc,
    catalog_pb2_grpc,
    commitment_pb2_grpc,
    correction_pb2_grpc,
    delegation_pb2_grpc,
    delivery_pb2_grpc,
    disposal_pb2_grpc,
    exchange_pb2_grpc,
    masking_pb2_grpc,
    policy_pb2_grpc,
    receipt_pb2_grpc,
    suspension_pb2_grpc,
)

MAX_ANSWER_BYTES = 16 * 1024 * 1024
OPTIONS = (
    ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
    # Without it all channels to one address would share one connection, whoever's they are.
    ("grpc.use_local_subchannel_pool", 1),
    # Left alone, gRPC waits up to two minutes before it connects again to a broker that has restarted.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # How long an attempt to connect may take, despite the name.
    ("grpc.min_reconnect_backoff_ms", 5_000),
)
REST_SECONDS = 1.0
"""How long a connection is avoided after a call over it failed, if there is another."""
TROUBLED = RETRIED | {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}
"""Statuses that speak of the connection or its worker, not of the request."""

_chance = random.SystemRandom()

Channel = Any
"""A ``grpc.Channel`` or a ``grpc.aio.Channel``; neither has types, both are used alike here."""


class Stubs:
    """The broker's services over one channel."""

    def __init__(self, channel: Channel) -> None:
        self.catalog = catalog_pb2_grpc.CatalogServiceStub(channel)
        self.exchanges = exchange_pb2_grpc.ExchangeServiceStub(channel)
        self.receipts = receipt_pb2_grpc.ReceiptServiceStub(channel)
        self.policies = policy_pb2_grpc.PolicyServiceStub(channel)
        self.commitments = commitment_pb2_grpc.CommitmentServiceStub(channel)
        self.deliveries = delivery_pb2_grpc.DeliveryServiceStub(channel)
        self.applications = application_pb2_grpc.ApplicationServiceStub(channel)
        self.corrections = correction_pb2_grpc.CorrectionServiceStub(channel)
        self.disposals = disposal_pb2_grpc.DisposalServiceStub(channel)
        self.delegations = delegation_pb2_grpc.DelegationServiceStub(channel)
        self.masking = masking_pb2_grpc.MaskingServiceStub(channel)
        self.suspensions = suspension_pb2_grpc.SuspensionServiceStub(channel)


class Connection:
    """One channel, and a second one beside it once the broker has said that it streams on another port."""

    def __init__(self, address: str, dial: Callable[[str], Channel]) -> None:
        self._host = address.rpartition(":")[0]
        self._dial = dial
        self._lock = threading.Lock()
        self._stream_port = ""
        self.channels = [dial(address)]
        self.stubs = self.streams = Stubs(self.channels[0])
        self.busy = 0
        """Calls under way."""
        self.rests_until = 0.0

    def enter(self) -> None:
        """A call begins."""
        with self._lock:
            self.busy += 1

    def leave(self, *_: object) -> None:
        """A call has ended."""
        with self._lock:
            self.busy -= 1

    def stream_at(self, port: str) -> None:
        """Open streams at ``port`` of the same host from now on."""
        with self._lock:
            if port != self._stream_port:
                self._stream_port = port
                self.channels.append(self._dial(f"{self._host}:{port}"))
                self.streams = Stubs(self.channels[-1])


class Connections:
    """All connections of one client; safe for use by several threads.

    Args:
        address: ``host:port`` of a broker, or several with commas between them.
        each: connections to each of them.
        dial: makes a channel to one address; it connects with its first call.

    Raises:
        SetUpError: the address is empty or has no port.
    """

    def __init__(self, address: str, each: int, dial: Callable[[str], Channel]) -> None:
        brokers = [one.strip() for one in address.split(",")]
        if not all(one.rpartition(":")[0] and one.rpartition(":")[2].isdecimal() for one in brokers):
            raise SetUpError(
                "服务地址须为 host:port，多个地址以逗号分隔。",
                "The broker's address must be host:port; several are separated by commas.",
            )
        self._all = [Connection(broker, dial) for broker in brokers for _ in range(max(1, each))]
        # Else all clients that make one call at a time would call the broker named first.
        _chance.shuffle(self._all)
        self._choosing = threading.Lock()
        self._closed = False

    def close(self) -> list[Channel]:
        """Begin no more calls; gives the channels, which are to be closed."""
        self._closed = True
        return [channel for connection in self._all for channel in connection.channels]

    @contextmanager
    def attempt(self, tries: Tries) -> Iterator[Connection]:
        """The connection for the next attempt of a call, which is made in the block.

        A failure in the block that is worth another attempt ends here, with the pause before it set.

        Raises:
            BrokerError: it is not, or time or attempts are used up.
            RuntimeError: the client has been closed.
        """
        with self._choosing:  # else calls that come at once would all take the same one
            connection = self._least_busy()
            connection.enter()
        tries.number += 1
        try:
            yield connection
            connection.rests_until = 0.0
        except grpc.RpcError as error:
            failure = failure_of(error)
            port = failure.error.about if isinstance(failure.error, Elsewhere) else ""
            if port.isdecimal() and tries.redirected(len(self._all)):
                connection.stream_at(port)
                return
            if failure.code in TROUBLED:
                connection.rests_until = time.monotonic() + REST_SECONDS
            tries.failed(failure)
        finally:
            connection.leave()

    def _least_busy(self) -> Connection:
        if self._closed:
            raise RuntimeError("the client is closed")
        now = time.monotonic()
        return min(self._all, key=lambda connection: (connection.rests_until > now, connection.busy))
