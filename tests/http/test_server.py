"""A small server and a small client, over real sockets."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import SetUpError
from broker.http.client import HttpClient, NoAnswer
from broker.http.message import Answer, BadRequest, parse_head
from broker.http.server import server_tls

SERVER = """
import sys
from http import HTTPStatus
from pathlib import Path
from broker.http.message import Answer
from broker.http.server import HttpServer, server_tls

def respond(request):
    if request.path == "defect":
        raise ValueError("a secret")
    return Answer(HTTPStatus.OK, f"{request.method} {request.path} ".encode() + request.body)

tls = server_tls(Path(sys.argv[1]), Path(sys.argv[2])) if sys.argv[1:] else None
HttpServer(respond, max_body=100, tls=tls).run("127.0.0.1:0", lambda at: print(at, flush=True))
"""


@contextmanager
def running(*arguments: object) -> Iterator[int]:
    """The port of a server that says what it was asked, and ends in peace."""
    command = [sys.executable, "-c", SERVER, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rpartition(":")[2])
        finally:
            process.terminate()
            _, said = process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in said
    assert "secret" not in said


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running() as found:
        yield found


def sent(port: int, request: bytes) -> bytes:
    """All that comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while part := connection.recv(65_536):
            received += part
        return received


def test_one_connection_serves_many_requests(port: int) -> None:
    """As clients of witnesses should, and servers too (tlog-witness, HTTP Interface)."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.connect()
        own = connection.sock.getsockname()
        for number in range(3):
            connection.request("POST", f"/a/{number}", b"body")
            assert connection.getresponse().read() == b"POST a/%d body" % number
            assert connection.sock.getsockname() == own


def test_two_requests_at_once_are_answered_in_order(port: int) -> None:
    """What was sent behind the first request's body is the second, not lost and not a part of the first."""
    one = b"POST /one HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    received = sent(port, one + b"GET /two HTTP/1.1\r\nConnection: close\r\n\r\n" + one)
    assert received.count(b"HTTP/1.1 200") == 2
    assert received.index(b"POST one abc") < received.index(b"GET two ")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno header\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n" + b"x" * 101, 413),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nxx", 400),
    ],
)
def test_where_a_request_ends_is_never_guessed(port: int, request_: bytes, status: int) -> None:
    """Whatever two readers could read in two ways is refused, and the connection ended."""
    received = sent(port, request_)
    assert received.split()[1] == str(status).encode()
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in received


def test_head_is_told_no_content(port: int) -> None:
    """And the connection is in step for the next request."""
    received = sent(port, b"HEAD /x HTTP/1.1\r\n\r\nGET /y HTTP/1.1\r\n\r\n")
    assert b"HEAD x" not in received
    assert received.endswith(b"GET y ")


def test_a_defect_is_not_explained(port: int) -> None:
    """Who asks learns that there is one, and no more."""
    client = HttpClient(f"http://127.0.0.1:{port}/")
    with closing(client):
        answer = client.get("defect")
        assert (answer.status, answer.content) == (500, b"")
        assert client.get("next").status == 200


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_head_is_read_or_refused(head: bytes) -> None:
    """No bytes bring the reader down."""
    try:
        parsed = parse_head(b"GET / HTTP/1.1\r\n" + head + b"\r\n\r\n", 10)
    except BadRequest:
        return
    assert 0 <= parsed.length <= 10


def test_under_tls_only_who_trusts_the_certificate_is_answered(tmp_path: Path) -> None:
    """A server under a certificate of its own authority, as offices have them."""
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ed25519",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "ca.pem",
    ]
    more = ["-days", "2", "-subj", "/CN=w", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *more], cwd=tmp_path, check=True, capture_output=True)
    with running(tmp_path / "ca.pem", tmp_path / "key.pem") as port:
        with closing(HttpClient(f"https://127.0.0.1:{port}/p", ca=tmp_path / "ca.pem")) as trusting:
            assert trusting.post("x", b"y").content == b"POST p/x y"
            assert trusting.get("z").content == b"GET p/z "
        for client in (HttpClient(f"https://127.0.0.1:{port}"), HttpClient(f"http://127.0.0.1:{port}")):
            with closing(client), pytest.raises(NoAnswer):
                client.get("x")


def test_certificates_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """At set-up, in both languages."""
    (tmp_path / "no.pem").write_text("nothing")
    with pytest.raises(SetUpError, match="no\\.pem"):
        server_tls(tmp_path / "no.pem", tmp_path / "no.pem")
    with pytest.raises(SetUpError, match="no\\.pem"):
        HttpClient("https://w.example", ca=tmp_path / "no.pem")


def test_a_server_that_went_away_and_came_back_is_asked_again() -> None:
    """A kept connection that has died is opened anew, once; nobody there is no answer."""
    with running() as port:
        client = HttpClient(f"http://127.0.0.1:{port}")
        assert client.get("x").status == 200
        with closing(HTTPConnection("127.0.0.1", port)) as _:
            client._connection.sock.shutdown(socket.SHUT_RDWR)
        assert client.get("x").status == 200
    with closing(client), pytest.raises(NoAnswer):
        client.get("x")


def test_an_answer_that_is_too_long_is_none(port: int) -> None:
    """Whoever answers cannot fill our memory."""
    with closing(HttpClient(f"http://127.0.0.1:{port}")) as client, pytest.raises(NoAnswer):
        client.get("x" * 100, most=50)


@pytest.mark.parametrize(
    "url",
    [
        *("", "w.example", "ftp://w.example", "http://", "http:///x", "http://w.example:99999"),
        *("http://user@w.example", "http://w.example/?q", "http://w.example/#f", "http://w .example"),
        *("http://w.example/\n", "http://[::1", "https://星河.example"),
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """Before anything is sent anywhere."""
    with pytest.raises(SetUpError, match="网址"):
        HttpClient(url)


def test_the_bytes_of_an_answer() -> None:
    """As RFC 9112 has them."""
    encoded = Answer(HTTPStatus.CONFLICT, b"5\n", "text/x.tlog.size").encoded(lasting=True)
    assert encoded.startswith(b"HTTP/1.1 409 Conflict\r\n")
    assert b"\r\nContent-Type: text/x.tlog.size\r\n" in encoded
    assert encoded.endswith(b"\r\n\r\n5\n")
