"""The signer as a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from broker.errors import SetUpError, Unavailable, VerificationFailed
from broker.keys.log_key import create_log_key
from broker.keys.wrapping import VARIABLE
from broker.receipt.cose_receipt import verify_root
from broker.receipt.key_file import parse_keys
from broker.receipt.signer import CheckpointSigner, socket_of, spawn_signer, start_signer
from broker.receipt.tiles import Tree

ORIGIN = "xinghe.example/log"


def tree_of(size: int, label: str = "") -> Tree:
    leaves = [sha256(f"{label}{n}".encode()).digest() for n in range(size)]
    return Tree(0, lambda level, index: b"").append(leaves)[0]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    create_log_key(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def signer(key: Path, tmp_path: Path) -> Iterator[CheckpointSigner]:
    signer = start_signer(key, tmp_path / "state", ORIGIN)
    yield signer
    signer.close()


def test_it_signs_extensions_and_remembers(signer: CheckpointSigner, tmp_path: Path) -> None:
    """Offered one tree after the other it signs each; asked, it gives the newest; its socket is private."""
    assert signer.latest() is None
    for size in (1, 2, 700):
        signed = signer.sign(tree_of(size))
        assert (signed.checkpoint.size, signed.checkpoint.root) == (size, tree_of(size).root())
    assert signer.sign(tree_of(2)) == signer.latest() == signed
    mode = socket_of(tmp_path / "state").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert mode & 0o777 == 0o600


def test_workers_that_race_all_get_a_head_that_covers_their_tree(
    signer: CheckpointSigner, tmp_path: Path
) -> None:
    """Whoever is late gets a larger head, never a refusal."""
    workers = [CheckpointSigner(socket_of(tmp_path / "state")) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        sizes = range(1, 61)
        found = list(pool.map(lambda n: workers[n % 4].sign(tree_of(n)).checkpoint.size, sizes))
    assert all(got >= size for got, size in zip(found, sizes, strict=True))
    for worker in workers:
        worker.close()


def test_a_fork_is_refused_to_everyone(signer: CheckpointSigner, tmp_path: Path) -> None:
    """One worker's forged history stops the log for all of them."""
    signer.sign(tree_of(5))
    other = CheckpointSigner(socket_of(tmp_path / "state"))
    with pytest.raises(VerificationFailed):
        other.sign(tree_of(6, "forged"))
    other.close()
    with pytest.raises(VerificationFailed):
        signer.sign(tree_of(6))


def test_it_signs_a_root_for_cose_only_as_the_newest_head(signer: CheckpointSigner, tmp_path: Path) -> None:
    """What is asked for names no root: there is a second signature over the newest head's, or none."""
    with pytest.raises(Unavailable):
        signer.cose()
    for size in (2, 7):
        signed = signer.sign(tree_of(size))
        newest, signature = signer.cose()
        assert newest == signed
        verify_root(signature, tree_of(size).root(), signer.verifier_key)
    with pytest.raises(VerificationFailed):
        verify_root(signature, tree_of(2).root(), signer.verifier_key)
    other = CheckpointSigner(socket_of(tmp_path / "state"))
    assert other.cose() == (newest, signature)
    with pytest.raises(VerificationFailed):
        other.sign(tree_of(8, "forged"))
    other.close()
    with pytest.raises(VerificationFailed, match="fork"):
        signer.cose()


def test_nonsense_closes_the_connection_and_changes_nothing(signer: CheckpointSigner, tmp_path: Path) -> None:
    """The socket's other users are not disturbed by one that speaks garbage."""
    signer.sign(tree_of(5))
    for line in (b"nonsense\n", b"{}\n", b'{"size":9,"root":"zz","first_size":5,"proof":[]}\n', b"[]\n"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(socket_of(tmp_path / "state")))
            answers = connection.makefile("rb")
            parse_keys(answers.readline().decode())
            connection.sendall(line)
            assert answers.read() == b""
            answers.close()
    assert signer.sign(tree_of(6)).checkpoint.size == 6


def test_a_killed_signer_is_unavailable_and_its_successor_goes_on(
    signer: CheckpointSigner, key: Path, tmp_path: Path
) -> None:
    """The old client finds the new process, which remembers what the old one signed."""
    signer.sign(tree_of(5))
    process = signer._process
    assert process is not None
    process.kill()
    process.wait()
    with pytest.raises(Unavailable):
        signer.sign(tree_of(6))
    successor = start_signer(key, tmp_path / "state", ORIGIN)
    assert signer.sign(tree_of(6)).checkpoint.size == 6
    successor.close()


def test_a_signer_that_lost_its_memory_is_not_believed(
    signer: CheckpointSigner, key: Path, tmp_path: Path
) -> None:
    """A restart without the state would allow another history; a running broker notices."""
    signer.sign(tree_of(5))
    process = signer._process
    assert process is not None
    process.kill()
    process.wait()
    (tmp_path / "state").unlink()
    successor = start_signer(key, tmp_path / "state", ORIGIN)
    with pytest.raises(Unavailable):
        signer.latest()
    with pytest.raises(VerificationFailed, match="lost its memory"):
        signer.latest()
    successor.close()


def test_it_ends_with_its_parent_and_not_by_the_signals_of_a_shutdown(key: Path, tmp_path: Path) -> None:
    """kill -9 of the broker leaves no signer behind; SIGTERM to the whole group does not end it early."""
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom broker.receipt.signer import start_signer\n"
        "s = start_signer(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])\n"
        "print(s._process.pid, flush=True)\ntime.sleep(60)"
    )
    arguments = [sys.executable, "-c", code, str(key), str(tmp_path / "state"), ORIGIN]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
        client = CheckpointSigner(socket_of(tmp_path / "state"))
        client.sign(tree_of(1))
        client.close()
        parent.kill()
    deadline = time.monotonic() + 300
    while socket_of(tmp_path / "state").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_deep_folder_is_no_obstacle(key: Path, tmp_path: Path) -> None:
    """A Unix socket's address is limited to 107 bytes, a data folder's path is not."""
    folder = tmp_path / ("d" * 120) / ("e" * 120)
    folder.mkdir(parents=True)
    signer = start_signer(key, folder / "state", ORIGIN)
    assert signer.sign(tree_of(1)).checkpoint.size == 1
    signer.close()


def test_it_is_not_given_the_master_key_of_the_masks(
    key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who signs the log has nothing to do with the keyring."""
    monkeypatch.setenv(VARIABLE, "00" * 32)
    process = spawn_signer(key, tmp_path / "state", ORIGIN)
    try:
        given = Path(f"/proc/{process.pid}/environ").read_bytes()
    finally:
        process.communicate()
    assert b"PATH=" in given
    assert VARIABLE.encode() not in given


def test_set_up_errors_of_the_process_reach_its_parent(key: Path, tmp_path: Path) -> None:
    """A key open to others, a missing key, a signer already there: the broker says so and does not start."""
    with pytest.raises(SetUpError, match="missing-key"):
        start_signer(tmp_path / "missing-key", tmp_path / "state", ORIGIN)
    running = start_signer(key, tmp_path / "state", ORIGIN)
    with pytest.raises(SetUpError, match="in use by another signer"):
        start_signer(key, tmp_path / "state", ORIGIN)
    running.close()
    key.chmod(0o640)
    with pytest.raises(SetUpError, match="chmod 600"):
        start_signer(key, tmp_path / "state", ORIGIN)
    with pytest.raises(SetUpError, match="does not answer"):
        CheckpointSigner(socket_of(tmp_path / "state"))
