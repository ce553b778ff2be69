"""The signer: a process of its own that alone holds the log's key, reached by a Unix socket.

``python -m broker.receipt.signer --key K --state S --origin O`` listens at ``S.sock`` (mode 0600), says on
standard output that it is ready (or what is wrong), and ends when its standard input does, that is when its
parent dies. It ignores SIGINT and SIGTERM, which reach a whole group of processes: a broker that drains
still needs it.

It greets with the keys of the log that it knows (:mod:`broker.receipt.key_file`). Then question and answer
are JSON, one a line, hashes in hexadecimal::

    {"size": 5, "root": "…", "first_size": 3, "proof": ["…"]}   offers a head; size 0 only asks
    {…, "history": [{"statement": "…", "leaf_index": 4, "proof": […]}]}   with the successions of its key
    {"checkpoint": "<signed note>", "keys": 0}                   the newest; "" when nothing was ever signed
    {"refused": true}                                            the log has forked
    {"missing": "1f0c22d7"}                                      the log goes on under a key that is not here
    {"cose": true}                                               asks for a second signature over the root
    {"checkpoint": "<signed note>", "cose": "<64 bytes>", …}     of the newest, as RFC 9942 receipts need it
    {"keys": true}                                               asks for the log's keys, as in the greeting
    {"succeed": "<vkey>", "until": 4, "since": 5, "both_until": "…"}   asks for a succession to that key
    {"succession": "<signed note>"}                              which becomes true once it is a leaf

``keys`` in an answer counts successions: more than the asker knows are to be asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from broker.errors import SetUpError, Unavailable, VerificationFailed
from broker.keys.log_key import load_log_keys
from broker.keys.wrapping import without_master_key
from broker.reasons import Reason
from broker.receipt.cose_receipt import verify_root
from broker.receipt.key_file import dump_keys, parse_keys
from broker.receipt.key_ring import KeyMissing
from broker.receipt.log_keys import LogKeys, SuccessionLeaf
from broker.receipt.memory import SignerMemory
from broker.receipt.merkle import EMPTY_ROOT
from broker.receipt.note import Checkpoint, VerifierKey
from broker.receipt.tiles import Tree

MAX_LINE = 4 * 1024 * 1024
"""Bytes of a question or an answer: a consistency proof has at most some 126 hashes, a succession with its
proof 4 KiB."""

ANSWER_SECONDS = 30
"""Longest wait for the signer, whose answer may wait for a slow disk."""
ATTEMPTS = 20
"""Other workers may have the log signed further between two questions of ours, but not for ever."""


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A signed log head, and what it says."""

    checkpoint: Checkpoint
    note: str


class CheckpointSigner:
    """The broker's end: asks the signer, and believes no signature that it has not verified.

    Safe for use by several threads. Connects anew when the signer has come back.

    Raises:
        SetUpError: no signer answers at ``path``.
    """

    def __init__(self, path: Path, process: subprocess.Popen[bytes] | None = None) -> None:
        self._path = path
        self._process = process
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._newest: SignedCheckpoint | None = None
        try:
            self.keys = self._open()
            """The log's keys, as far as the signer was told."""
        except (OSError, VerificationFailed):
            self._hang_up()
            raise SetUpError(
                f"签名进程在 {path} 没有应答，请检查其是否运行。",
                f"The signer does not answer at {path}; check that it runs.",
            ) from None

    @property
    def verifier_key(self) -> VerifierKey:
        """The key that signs now."""
        return self.keys.newest

    def latest(self) -> SignedCheckpoint | None:
        """The newest signed head; None when nothing was ever signed.

        Raises:
            Unavailable: the signer cannot be reached.
            VerificationFailed: the signer has seen the log fork, lost its memory, or gave what its key did
                not sign.
        """
        return self._ask()

    def sign(self, tree: Tree, history: Sequence[SuccessionLeaf] = ()) -> SignedCheckpoint:
        """A signed head at least as large as ``tree``; larger when another worker was faster. ``history`` has
        all successions among the tree's leaves, when the signer is not known to know the last.

        Raises:
            Unavailable: the signer cannot be reached.
            KeyMissing: the log goes on under a key that is not on this host.
            VerificationFailed: as for :meth:`latest`, or the tree contradicts what was signed before.
        """
        root, signed = tree.root(), self._newest
        for _ in range(ATTEMPTS):
            size = signed.checkpoint.size if signed else 0
            if signed and size >= tree.size:
                return signed
            proof = tree.consistency_proof(size) if size else ()
            signed = self._ask(tree.size, root, size, proof, history)
        raise Unavailable(Reason.LOG_UNAVAILABLE)

    def cose(self) -> tuple[SignedCheckpoint, bytes]:
        """The newest signed head, and the signature over its root that COSE receipts bear.

        Raises:
            Unavailable, VerificationFailed: as for :meth:`latest`; Unavailable also while nothing is signed.
        """
        with self._lock:
            answer = self._answer({"cose": True})
            self._newest = signed = self._read(answer)
            if signed is None:
                raise Unavailable(Reason.LOG_UNAVAILABLE)
            signature = bytes.fromhex(answer["cose"])
            verify_root(
                signature, signed.checkpoint.root, self.keys.at(signed.checkpoint.size) or self.keys.newest
            )
            return signed, signature

    def succeed(self, new: VerifierKey, until: int, since: int, both_until: datetime) -> str:
        """The signed succession to another key, which the log must now get as its leaf ``since`` − 1; see
        :class:`~broker.receipt.log_keys.Succession`.

        Raises:
            Unavailable: the signer cannot be reached, or finds the sizes impossible.
            KeyMissing: it does not hold that key.
            VerificationFailed: the log has forked, or it had that key before.
        """
        asked = {"succeed": str(new), "until": until, "since": since, "both_until": both_until.isoformat()}
        with self._lock:
            answer = self._answer(asked)
            _require_done(answer)
            return str(answer["succession"])

    def close(self) -> None:
        """Hang up, and end the signer if :func:`start_signer` started it."""
        with self._lock:
            self._hang_up()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(ANSWER_SECONDS)
            self._process = None

    def _ask(
        self,
        size: int = 0,
        root: bytes = EMPTY_ROOT,
        first_size: int = 0,
        proof: Sequence[bytes] = (),
        history: Sequence[SuccessionLeaf] = (),
    ) -> SignedCheckpoint | None:
        """The newest signed head, after offering this one; without arguments only asks."""
        hashes = [value.hex() for value in proof]
        question: dict[str, object] = {
            "size": size,
            "root": root.hex(),
            "first_size": first_size,
            "proof": hashes,
        }
        if history:
            question["history"] = [_said(leaf) for leaf in history]
        with self._lock:  # also over reading the answer, so that the newest stays the newest
            self._newest = self._read(self._answer(question))
            return self._newest

    def _answer(self, question: dict[str, object]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = json.loads(self._exchange(json.dumps(question).encode() + b"\n"))
        except (OSError, ValueError):
            self._hang_up()
            raise Unavailable(Reason.LOG_UNAVAILABLE) from None
        except VerificationFailed:
            self._hang_up()
            raise
        return answer

    def _read(self, answer: dict[str, Any]) -> SignedCheckpoint | None:
        _require_done(answer)
        if answer["keys"] < len(self.keys.notes):
            raise VerificationFailed(
                "签名进程丢失了密钥历史 / log: the signer has lost the history of its keys"
            )
        if answer["keys"] > len(self.keys.notes):
            self.keys = self.keys.extended(parse_keys(json.dumps(self._answer({"keys": True}))).notes)
        known, note = self._newest, answer["checkpoint"]
        if known and note == known.note:
            return known
        if known and not note:
            raise VerificationFailed("签名进程丢失了记忆 / log: the signer has lost its memory")
        if not note:
            return None
        signed = SignedCheckpoint(self.keys.recognised(note), note)
        if known and signed.checkpoint.size <= known.checkpoint.size:
            raise VerificationFailed("签名进程的记忆倒退 / log: the signer's memory went back")
        return signed

    def _exchange(self, line: bytes) -> bytes:
        if self._socket is None and self._open().first != self.keys.first:
            raise VerificationFailed("签名进程换了密钥 / log: the signer has another key than before")
        assert self._socket is not None  # noqa: S101 - _open has set it
        self._socket.sendall(line)
        return self._answers.readline(MAX_LINE)

    def _open(self) -> LogKeys:
        self._socket = _connect(self._path)
        self._answers = self._socket.makefile("rb")
        return parse_keys(self._answers.readline(MAX_LINE).decode("utf-8", "replace"))

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._answers.close()
            self._socket.close()
            self._socket = None


def start_signer(key: Path, state: Path, origin: str) -> CheckpointSigner:
    """A signer process of this one's own, and the connection to it.

    Raises:
        SetUpError: key or state cannot be used, or another signer uses them.
    """
    process = spawn_signer(key, state, origin)
    try:
        return CheckpointSigner(socket_of(state), process)
    except BaseException:
        process.kill()
        process.communicate()
        raise


def spawn_signer(key: Path, state: Path, origin: str) -> subprocess.Popen[bytes]:
    """A signer process that is ready for its workers. It ends with its parent, however that ends: when its
    standard input does.

    Raises:
        SetUpError: key or state cannot be used, or another signer uses them.
    """
    arguments = ["--key", str(key), "--state", str(state), "--origin", origin]
    process = subprocess.Popen(
        [sys.executable, "-m", "broker.receipt.signer", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=without_master_key(),
    )
    assert process.stdout is not None  # noqa: S101 - narrows what PIPE asked for
    with process.stdout:
        ready = process.stdout.readline(MAX_LINE)
    try:
        _require_ready(ready)
    except SetUpError:
        process.kill()
        process.communicate()
        raise
    return process


def socket_of(state: Path) -> Path:
    """Where the signer with this state file listens."""
    return Path(f"{state}.sock")


def _require_done(answer: dict[str, Any]) -> None:
    if "refused" in answer:
        raise VerificationFailed("签名进程发现日志分叉 / log: the signer has seen it fork")
    if "missing" in answer:
        raise KeyMissing(str(answer["missing"]))


def _said(leaf: SuccessionLeaf) -> dict[str, object]:
    return {
        "statement": leaf.statement.decode(),
        "leaf_index": leaf.leaf_index,
        "proof": [value.hex() for value in leaf.proof],
    }


def _require_ready(line: bytes) -> None:
    try:
        said = json.loads(line)
    except ValueError:
        said = {"zh": "签名进程未能启动。", "en": "The signer did not start."}
    if "zh" in said:
        raise SetUpError(said["zh"], said["en"])


# ── the process ──────────────────────────────────────────────────────────────────────────────────


class SignerServer(socketserver.ThreadingUnixStreamServer):
    """Answers every worker of one broker, one question at a time."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, path: Path, memory: SignerMemory) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        with suppress(FileNotFoundError):
            path.unlink()  # left behind by a signer that was killed; the state's lock says none is alive
        os.umask(0o177)
        with _short(path) as address:
            super().__init__(address, _Handler)

    @property
    def greeting(self) -> bytes:
        """The log's keys, one line."""
        return dump_keys(self._memory.keys).encode()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A worker that died in mid-conversation is no news here; its supervisor sees to it."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def answer(self, question: bytes) -> bytes:
        """One line for one line.

        Raises:
            ValueError, TypeError, KeyError: no question; the state is untouched.
            OSError: the state file cannot be written; nothing was signed.
        """
        asked = json.loads(question)
        if "keys" in asked:
            return self.greeting
        with self._lock:
            try:
                if "succeed" in asked:
                    answer = self._succeed(asked)
                else:
                    answer = self._cose() if "cose" in asked else self._extend(asked)
            except KeyMissing as missing:
                answer = {"missing": missing.digits}
            except VerificationFailed:
                answer = {"refused": True}
        return json.dumps(answer).encode() + b"\n"

    def _cose(self) -> dict[str, object]:
        note, signature = self._memory.cose()
        return {"checkpoint": note, "cose": signature.hex(), "keys": len(self._memory.keys.notes)}

    def _extend(self, asked: dict[str, Any]) -> dict[str, object]:
        size, first_size = int(asked["size"]), int(asked["first_size"])
        root, proof = bytes.fromhex(asked["root"]), [bytes.fromhex(p) for p in asked["proof"]]
        history = [_heard(leaf) for leaf in asked.get("history", ())]
        note = self._memory.extend(size, root, first_size, proof, history)
        return {"checkpoint": note, "keys": len(self._memory.keys.notes)}

    def _succeed(self, asked: dict[str, Any]) -> dict[str, object]:
        new, both_until = VerifierKey.parse(asked["succeed"]), datetime.fromisoformat(asked["both_until"])
        note = self._memory.succeed(new, int(asked["until"]), int(asked["since"]), both_until)
        return {"succession": note}


def _heard(leaf: dict[str, Any]) -> SuccessionLeaf:
    proof = tuple(bytes.fromhex(value) for value in leaf["proof"])
    return SuccessionLeaf(leaf["statement"].encode(), int(leaf["leaf_index"]), proof)


class _Handler(socketserver.StreamRequestHandler):
    server: SignerServer

    def handle(self) -> None:
        """Hangs up at what is no question, and when the state cannot be written: silence, not a signature."""
        self.wfile.write(self.server.greeting)
        while question := self.rfile.readline(MAX_LINE):
            try:
                self.wfile.write(self.server.answer(question))
            except (ValueError, TypeError, KeyError):
                return
            except OSError as error:
                print(f"签名进程 / signer: {error.strerror}", file=sys.stderr)
                return


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWER_SECONDS)
    try:
        with _short(path) as address:
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of the socket that fits into the 107 bytes the system allows, however deep its folder."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parser = argparse.ArgumentParser(prog="python -m broker.receipt.signer", description=main.__doc__)
    for option in ("--key", "--state"):
        parser.add_argument(option, required=True, type=Path)
    parser.add_argument("--origin", required=True)
    options = parser.parse_args()
    try:
        memory = SignerMemory(options.state, lambda: load_log_keys(options.key), options.origin)
        server = SignerServer(socket_of(options.state), memory)
    except SetUpError as error:
        print(json.dumps({"zh": error.zh, "en": error.en}), flush=True)
        sys.exit(2)
    print("{}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.buffer.read()
    socket_of(options.state).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
