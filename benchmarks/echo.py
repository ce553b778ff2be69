"""A bare synchronous gRPC echo with a broker's certificate, mutual TLS: ``python -m benchmarks.echo PKI``."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc


def main(pki: Path) -> None:
    """Serve until terminated; prints the port."""
    server = grpc.server(ThreadPoolExecutor(64), options=[("grpc.so_reuseport", 0)])
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
    server.add_registered_method_handlers("benchmark.Echo", {"Echo": handler})
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("benchmark.Echo", {"Echo": handler}),)
    )
    broker = pki / "broker"
    credentials = grpc.ssl_server_credentials(
        [((broker / "key.pem").read_bytes(), (broker / "cert.pem").read_bytes())],
        root_certificates=(pki / "ca.pem").read_bytes(),
        require_client_auth=True,
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


main(Path(sys.argv[1]))
