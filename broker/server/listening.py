"""Where a process listens and what for; ports that several processes of one broker share."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from enum import StrEnum

from broker.errors import SetUpError
from broker.settings import Server, Settings

METADATA_BYTES = 16 * 1024
"""Largest metadata of a call; ours are a few hundred bytes."""
WINDOW_BYTES = 64 * 1024
"""What a caller may send of a request before a thread takes it (RFC 9113 §5.2: the stream's window)."""
KEEPALIVE_SECONDS = 60
"""After so long without a word a connection is asked whether it lives; after as long again it is dead."""
PING_SECONDS = 30
"""How often callers may ask the same; more often draws ``too_many_pings``."""


class Kind(StrEnum):
    """What a worker serves. Streams have workers and a port of their own: beside one, calls would wait."""

    UNARY = "unary"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Listening:
    """One process's place in its broker; the default is to be the whole broker."""

    address: str
    """``host:port``."""
    shared: bool = False
    """Other workers listen on the same port (SO_REUSEPORT)."""
    stream_port: int | None = None
    """Streams are served there, not here; None: here."""


def server_options(settings: Server, listening: Listening) -> list[tuple[str, int]]:
    """gRPC's options for a server: what it holds for a caller before a thread takes the call, how long a
    connection lasts, and when a caller who does not answer is gone."""
    options = [
        # On by default, it would let a second broker silently share the port.
        ("grpc.so_reuseport", int(listening.shared)),
        ("grpc.max_receive_message_length", settings.max_request_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", METADATA_BYTES),
        # Further calls over the connection wait at the client.
        ("grpc.max_concurrent_streams", max(1, settings.max_concurrent_calls // 4)),
        # Left alone, gRPC takes up to megabytes of a request whose call still waits for a thread.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
        ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_SECONDS * 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", PING_SECONDS * 1000),
    ]
    age = settings.max_connection_age_seconds
    if listening.stream_port is not None and age:  # streams last as long as they last
        options += [
            ("grpc.max_connection_age_ms", age * 1000),
            ("grpc.max_connection_age_grace_ms", settings.drain_seconds * 1000),
        ]
    return options


def reserve(listen: str) -> socket.socket:
    """Hold ``listen`` (``host:port``, port 0 for any) for workers that bind it with SO_REUSEPORT.

    SO_REUSEPORT would let a second broker in without a word, so the port is first bound without it. The
    socket given back is bound, does not listen, and keeps others out for as long as it is open.

    Raises:
        SetUpError: the port is in use or the address is wrong.
    """
    host, _, port = listen.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    address = (host.strip("[]"), int(port) if port.isdigit() else -1)
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # TIME_WAIT is nobody's use
            probe.bind(address)
            address = probe.getsockname()[:2]
        held = socket.socket(family, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(address)
    except (OSError, OverflowError):
        raise in_use(listen) from None
    return held


def port_of(held: socket.socket) -> int:
    """The port that is held."""
    return int(held.getsockname()[1])


def announce(settings: Settings, port: int) -> None:
    """Write ``port`` to ``[server] port_file``, if there is to be one.

    Raises:
        SetUpError: it cannot be written.
    """
    if settings.server.port_file is None:
        return
    file = settings.path(settings.server.port_file)
    try:
        file.write_text(f"{port}\n")
    except OSError as error:
        raise SetUpError(
            f"无法写入 [server] port_file {file}（{error.strerror}）。",
            f"[server] port_file {file} cannot be written ({error.strerror}).",
        ) from None


def in_use(listen: str) -> SetUpError:
    """What is said when ``listen`` cannot be had."""
    return SetUpError(
        f"无法监听 {listen}：端口已被占用或地址无效，请停止占用者或修改 [server] listen。",
        f"Cannot listen on {listen}: the port is in use or the address is wrong; stop what uses it or "
        "change [server] listen.",
    )
