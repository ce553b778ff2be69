"""Bare gRPC echoes, mutual TLS, the limit that gRPC in Python sets: ``python -m benchmarks.echo PKI KIND``.

``sync`` is a synchronous server with threads, ``uvloop`` an asynchronous one. One process a core, pinned or
not, on one port, as the broker's workers are.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc

SERVICE = "benchmark.Echo"
SHARED = [("grpc.so_reuseport", 1)]


def start(pki: Path, kind: str, workers: int, running: ExitStack) -> str:
    """Start ``workers`` echo processes that end with ``running``; gives their address."""
    held = running.enter_context(socket.socket())
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(("127.0.0.1", 0))
    address = f"127.0.0.1:{held.getsockname()[1]}"
    cores = sorted(os.sched_getaffinity(0))
    for number in range(workers):
        core = str(cores[number % len(cores)])
        command = [sys.executable, "-m", "benchmarks.echo", str(pki), kind, address, core]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        running.callback(process.wait)
        running.callback(process.terminate)
        assert process.stdout is not None
        process.stdout.readline()
    return address


def serve_sync(credentials: grpc.ServerCredentials, address: str, core: int) -> None:
    """Serve until terminated, pinned to ``core``."""
    os.sched_setaffinity(0, {core})
    server = grpc.server(ThreadPoolExecutor(64), options=SHARED)
    _serve(server, lambda request, context: request, credentials, address)
    server.start()
    print("serving", flush=True)
    server.wait_for_termination()


async def serve_async(credentials: grpc.ServerCredentials, address: str) -> None:
    """Serve until terminated."""
    server = grpc.aio.server(options=SHARED)

    async def echo(request: bytes, context: object) -> bytes:
        return request

    _serve(server, echo, credentials, address)
    await server.start()
    print("serving", flush=True)
    await server.wait_for_termination()


def _serve(server: Any, echo: Any, credentials: grpc.ServerCredentials, address: str) -> None:
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_secure_port(address, credentials)


def _credentials(pki: Path) -> grpc.ServerCredentials:
    broker = pki / "broker"
    return grpc.ssl_server_credentials(
        [((broker / "key.pem").read_bytes(), (broker / "cert.pem").read_bytes())],
        root_certificates=(pki / "ca.pem").read_bytes(),
        require_client_auth=True,
    )


def main(pki: str, kind: str, address: str, core: str) -> None:
    """One echo process."""
    credentials = _credentials(Path(pki))
    if kind == "uvloop":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve_async(credentials, address))
    else:
        serve_sync(credentials, address, int(core))


if __name__ == "__main__":
    main(*sys.argv[1:])
