"""``sharebroker log`` as an operator runs it, and as strangers read what it shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.cli.main import app
from broker.errors import SetUpError
from broker.http.message import Request
from broker.receipt.bundle import export as export_receipt
from broker.receipt.memory import remembered
from broker.receipt.public import PublicLog
from broker.server.public_log import answer, serve_log
from broker.store.store import open_store
from tests import plain_tlog

VERIFIER = Path(__file__).parents[2] / "docs/verify-without-us"


class Operator:
    """Somebody at the broker's host, whose log has 21 leaves."""

    def __init__(self, folder: Path, log: Any) -> None:
        self.folder = folder
        self.log = log
        self.settings = folder / "sharebroker.toml"
        self.vkey = folder / "log.vkey"
        self.vkey.write_text(f"{log.key}\n")
        self.write("127.0.0.1:0")

    def write(self, listen: str) -> None:
        """Settings with this place to listen."""
        self.settings.write_text(
            '[store]\nurl = "sqlite:///log.db"\n'
            f'[log]\norigin = "{self.log.ORIGIN}"\nhttp_listen = "{listen}"\n'
            '[keys]\nlog_key = "log.key"\nsigner_state = "log.checkpoint"\n'
        )

    def run(self, *words: object) -> Result:
        return CliRunner().invoke(app, ["log", *map(str, words), "--config", str(self.settings)])

    @contextmanager
    def serving(self) -> Iterator[tuple[str, int]]:
        """Host and port of a running ``log serve``, which ends in peace."""
        command = [sys.executable, "-m", "broker.cli", "log", "serve", "--config", str(self.settings)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, text=True, **pipes) as process:
            try:
                assert process.stdout is not None
                host, _, port = (
                    process.stdout.readline().strip().rstrip("/").rpartition("//")[2].partition(":")
                )
                yield host, int(port)
            finally:
                process.terminate()
                _, said = process.communicate()
        assert (process.returncode, said) == (0, "")


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory, broker_log: Callable[..., Any]) -> Operator:
    folder = tmp_path_factory.mktemp("operator")
    log = broker_log(f"sqlite:///{folder}/log.db", folder)
    log.fill(20)
    return Operator(folder, log)


@pytest.fixture(scope="module")
def served(operator: Operator) -> Iterator[tuple[str, int]]:
    with operator.serving() as address:
        yield address


def asked(address: tuple[str, int], path: str, method: str = "GET") -> tuple[HTTPResponse, bytes]:
    with closing(HTTPConnection(*address, timeout=30)) as connection:
        connection.request(method, path)
        found = connection.getresponse()
        return found, found.read()


def sent(address: tuple[str, int], request: bytes) -> bytes:
    """All that comes back for these bytes."""
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while part := connection.recv(65_536):
            received += part
        return received


def reader(address: tuple[str, int]) -> plain_tlog.Read:
    def read(path: str) -> bytes:
        found, content = asked(address, f"/{path}")
        assert found.status == 200
        return content

    return read


def test_export_says_in_both_languages_what_is_published(operator: Operator, tmp_path: Path) -> None:
    """And goes on from there; for machines, too."""
    said = operator.run("export", tmp_path / "www").stdout
    assert "21 条（原有 0 条），写入 2 个文件" in said
    assert "21 leaves (0 were there), 2 files written" in said
    again = json.loads(operator.run("export", tmp_path / "www", "--json").stdout)
    assert (again["leaves"], again["before"], again["files"]) == (21, 21, 0)


def test_export_needs_no_secret_key(operator: Operator, tmp_path: Path) -> None:
    """The public half is enough, so it may run under another account than the signer."""
    key = operator.folder / "log.key"
    key.rename(operator.folder / "away.key")
    try:
        assert operator.run("export", tmp_path, "--trust", operator.vkey).exit_code == 0
    finally:
        (operator.folder / "away.key").rename(key)


def test_serving_is_off_until_an_address_is_set(operator: Operator) -> None:
    """Who asks for it is told what to set."""
    try:
        operator.write("")
        result = operator.run("serve")
    finally:
        operator.write("127.0.0.1:0")
    assert isinstance(result.exception, SetUpError)
    assert "http_listen" in result.exception.zh
    assert "http_listen" in result.exception.en


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1:99999", "127.0.0.1:-1", "127.0.0.1:"])
def test_a_wrong_address_is_named(operator: Operator, listen: str) -> None:
    """As a matter of settings, not as a traceback."""
    with closing(open_store(operator.log.url)) as store:
        public = PublicLog(store, lambda: "", operator.log.key)
        with pytest.raises(SetUpError, match=re.escape(listen)):
            serve_log(public, listen, lambda _: None)


def test_the_served_log_holds_for_strangers_while_it_grows(
    operator: Operator, served: tuple[str, int]
) -> None:
    """What was served before is a prefix of what is served later."""
    read, vkey = reader(served), str(operator.log.key)
    size = plain_tlog.checked(read, vkey)
    _, root, _, _ = plain_tlog.opened(read("checkpoint"), vkey)
    operator.log.fill(1)
    assert plain_tlog.checked(read, vkey) == size + 1
    tree = plain_tlog.PlainTree(read, size + 1)
    proof = tree.subproof(size, 0, size + 1)
    assert plain_tlog.roots_by_proof(size, size + 1, proof, root) == (root, tree.mth(0, size + 1))


@pytest.mark.parametrize(
    ("path", "content_type", "caching"),
    [
        ("/checkpoint", "text/plain; charset=utf-8", "public, max-age=2"),
        ("/tile/0/000.p/21", "application/octet-stream", "public, max-age=31536000, immutable"),
        ("/tile/entries/000.p/21", "application/octet-stream", "public, max-age=31536000, immutable"),
    ],
)
def test_headers_are_those_of_the_specification(
    served: tuple[str, int], path: str, content_type: str, caching: str
) -> None:
    """Content type and caching; HEAD is told the same without the content."""
    found, content = asked(served, path)
    head, nothing = asked(served, path, "HEAD")
    assert (found.status, nothing) == (head.status, b"") == (200, b"")
    for one in (found, head):
        assert one.headers["Content-Type"] == content_type
        assert one.headers["Cache-Control"] == caching
        assert one.headers["Content-Length"] == str(len(content))


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/",
            "/checkpoint/",
            "/checkpoint?x=1",
            "/Checkpoint",
            "/tile/0/000",
            "/tile/1/000.p/1",
            "/tile/0/001.p/1",
        ),
        *("/tile/0/000.p/200", "/tile/entries/000", "/tile/0/../0/000.p/21", "//checkpoint", "/%63heckpoint"),
        *("/../../etc/passwd", "/log.key", "/tile/0/x999/x999/x999/x999/x999/x999/999"),
    ],
)
def test_what_is_not_public_is_not_found(served: tuple[str, int], path: str) -> None:
    """And no cache keeps the answer: tomorrow it may be there."""
    found, content = asked(served, path)
    assert (found.status, content, found.headers["Cache-Control"]) == (404, b"", "no-store")


def test_requests_that_are_none_are_refused(served: tuple[str, int]) -> None:
    """Methods that would change something, too much, too little, and what is no HTTP."""
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        found, _ = asked(served, "/checkpoint", method)
        assert (found.status, found.headers["Allow"]) == (405, "GET, HEAD")
    for request, status in (
        (b"GET /checkpoint HTTP/1.1\r\nX: " + b"x" * 10_000 + b"\r\n\r\n", b"431"),
        (b"GET /checkpoint HTTP/1.1\r\n", b"400"),
        (b"GET /check point HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /\xff HTTP/1.1\r\n\r\n", b"400"),
        (b"\x16\x03\x01\r\n\r\n", b"400"),
    ):
        assert sent(served, request).split()[1] == status


def test_it_ends_in_peace_while_somebody_is_connected(operator: Operator) -> None:
    """At once, with exit code 0."""
    with ExitStack() as connected, operator.serving() as address:
        idle = connected.enter_context(socket.create_connection(address))  # closed after the server ended
        idle.sendall(b"GET /check")
        assert asked(address, "/checkpoint")[0].status == 200  # so the idle one was accepted


def test_a_log_that_is_not_what_was_signed_is_not_served(
    tmp_path: Path, broker_log: Callable[..., Any]
) -> None:
    """Somebody changed a tile in the database: nothing is cached for a year that is not so."""
    log = broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path)
    log.fill(3)
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
        connection.execute("UPDATE tile SET hashes = zeroblob(128)")
    with closing(open_store(log.url)) as store:
        public = PublicLog(store, lambda: remembered(log.state, log.key), log.key)
        for path in ("checkpoint", "tile/0/000.p/4", "tile/entries/000.p/4"):
            given = answer(public, Request("GET", path))
            assert (given.status, given.content) == (503, b"")
            assert b"Retry-After: 5" in given.encoded()


def test_gos_checksum_database_verifies_log_and_receipts(
    operator: Operator, served: tuple[str, int], tmp_path: Path
) -> None:
    """With the program of docs/verify-without-us, over HTTP and from an export; it sees what was changed."""
    verify = _built(tmp_path)
    with operator.log.running() as log:
        (tmp_path / "receipt.json").write_bytes(export_receipt(log.receipt(7)))
        (tmp_path / "older").write_text(log.checkpoint())
    operator.log.fill(2)
    assert operator.run("export", tmp_path / "www").exit_code == 0
    address = f"http://{served[0]}:{served[1]}/"
    for place in (address, str(tmp_path / "www")):
        words = [verify, place, operator.vkey, "receipt.json", "older"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stdout.count("the log has grown")) == (0, 2)
    bundle = next((tmp_path / "www/tile/entries").rglob("*.p/*"))
    content = bundle.read_bytes()
    bundle.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    words = [verify, tmp_path / "www", operator.vkey]
    assert subprocess.run(words, capture_output=True).returncode == 3


def _built(folder: Path) -> Path:
    """Go's own command carries the packages, so nothing is downloaded."""
    installed = Path(__file__).parents[2] / ".venv-verifiers" / "bin"
    go = shutil.which("go", path=f"{installed}{os.pathsep}{os.environ['PATH']}")
    if go is None:
        pytest.skip("Go is not installed: make verifiers")
    said = subprocess.run([go, "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    module = folder / "src/mod"
    shutil.copytree(VERIFIER, folder / "src")
    for name in ("note", "tlog"):
        shutil.copytree(Path(said) / "src/cmd/vendor/golang.org/x/mod/sumdb" / name, module / "sumdb" / name)
    (module / "go.mod").write_text("module golang.org/x/mod\n\ngo 1.23\n")
    with (folder / "src/go.mod").open("a") as file:
        file.write("\nreplace golang.org/x/mod => ./mod\n")
    environment = os.environ | {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    subprocess.run(
        [go, "build", "-o", folder / "verify", "."], cwd=folder / "src", env=environment, check=True
    )
    return folder / "verify"
