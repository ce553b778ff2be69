"""What one client asked and what reached it, on disk before the client goes on."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from broker.client import Credentials
from broker.client.connections import OPTIONS
from broker.model import Receipt
from broker.v1 import exchange_pb2 as pb

UNARY, STREAM = "/broker.v1.ExchangeService/Exchange", "/broker.v1.ExchangeService/StreamExchange"
ANSWER_SECONDS = 60
"""Longest wait for an answer."""

Options = tuple[tuple[str, int], ...]
"""Of a gRPC channel, beside those of every client."""
SMALL_WINDOW: Options = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 64 * 1024))
"""So that a stream which nobody reads soon stands still; by itself the window would grow."""


@dataclass(slots=True)
class Call:
    """One call, as its ledger tells it."""

    method: str
    request: bytes
    retried: bool
    parts: list[bytes] = field(default_factory=list)
    """Messages as they came off the wire."""
    times: list[float] = field(default_factory=list)
    """When each of them came, on the machine's monotonic clock."""
    failure: str = ""
    """Name of the gRPC status, if it failed."""

    @property
    def request_id(self) -> str:
        return pb.ExchangeRequest.FromString(self.request).request_id  # both kinds have it at the same place

    def answers(self) -> list[pb.ExchangeResponse]:
        """The answer to a unary call, if it came."""
        return [pb.ExchangeResponse.FromString(part) for part in self.parts if self.method == UNARY]

    def pieces(self) -> list[pb.StreamExchangeResponse]:
        """The parts of a stream, as far as they came."""
        return [pb.StreamExchangeResponse.FromString(part) for part in self.parts if self.method == STREAM]

    def receipts(self) -> list[Receipt]:
        """Every receipt that reached the client."""
        told = [message.receipt for message in self.answers()]
        for piece in self.pieces():
            if piece.HasField("opening"):
                told.append(piece.opening.receipt)
            elif piece.HasField("outcome"):
                told.append(piece.outcome.receipt)
        return [receipt_of(message) for message in told]


def receipt_of(message: pb.Receipt) -> Receipt:
    """The receipt in a message."""
    proof = tuple(message.proof)
    return Receipt(message.statement, message.leaf_index, message.tree_size, proof, message.checkpoint)


class Ledger:
    """The file of one client, for one thread."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, path.open("w")

    def write(self, **entry: object) -> None:
        """One entry, on disk when this returns."""
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def calls(self) -> Iterator[Call]:
        """The calls, read back from disk."""
        return calls_in(self._path)


def calls_in(path: Path) -> Iterator[Call]:
    """The calls that a ledger tells, one at a time."""
    call: Call | None = None
    with path.open() as lines:
        for entry in map(json.loads, lines):
            if "request" in entry:
                if call is not None:
                    yield call
                call = Call(entry["method"], base64.b64decode(entry["request"]), entry["retried"])
            elif call is None:
                raise ValueError("a ledger begins with a request")
            elif "part" in entry:
                call.parts.append(base64.b64decode(entry["part"]))
                call.times.append(entry["at"])
            else:
                call.failure = entry["failure"]
    if call is not None:
        yield call


def ask(
    channel: grpc.Channel,
    ledger: Ledger,
    method: str,
    request: bytes,
    *,
    retried: bool = False,
    timeout: float = ANSWER_SECONDS,
) -> str:
    """One call, in the ledger before it is made and as it is answered.

    Returns the name of the gRPC status that it failed with; empty when it was answered to the end.
    """
    said = list(follow(channel, ledger, method, request, retried=retried, timeout=timeout))
    return said[-1] if said else ""


def follow(
    channel: grpc.Channel,
    ledger: Ledger,
    method: str,
    request: bytes,
    *,
    retried: bool = False,
    timeout: float = ANSWER_SECONDS,
) -> Iterator[str]:
    """As :func:`ask`, part by part as somebody iterates: empty for each part, at the end the failure."""
    ledger.write(method=method, request=base64.b64encode(request).decode(), retried=retried)
    try:
        if method == UNARY:
            parts = [channel.unary_unary(method)(request, timeout=timeout)]
        else:
            parts = channel.unary_stream(method)(request, timeout=timeout)
        for part in parts:
            ledger.write(part=base64.b64encode(part).decode(), at=time.monotonic())
            yield ""
    except grpc.RpcError as failure:
        name = str(failure.code().name)
        ledger.write(failure=name)
        yield name


def channel_to(address: str, credentials: Credentials, options: Options = ()) -> grpc.Channel:
    """A connection that leaves messages the bytes they are, and soon tries again when nobody is there."""
    return grpc.secure_channel(address, credentials.channel_credentials(), (*OPTIONS, *options))
