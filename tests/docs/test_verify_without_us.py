"""The commands of docs/verify-without-us.md, run as they stand there on a log of ours."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.audit.files import write_export
from broker.audit.form import Form, Header, Line
from broker.model import Receipt
from broker.receipt import bundle, key_history
from broker.receipt.log_keys import Succession
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.receipt.note import Checkpoint, VerifierKey, sign_note
from broker.receipt.tiles import Tree
from broker.receipt.verify import verify_receipt
from broker.receipt.witnesses import WitnessKey, cosign

DOC = (Path(__file__).parents[2] / "docs/verify-without-us.md").read_text("utf-8")
NAME = "xinghe.example/receipts"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = VerifierKey.of(NAME, PRIVATE)
STATEMENTS = [b'{"n":%d}' % number for number in range(21)]
TREE, _ = Tree(0, lambda _, __: b"").append([leaf_hash(leaf_entry(each)) for each in STATEMENTS])
NOTE = sign_note(Checkpoint(NAME, 21, TREE.root()).text(), NAME, PRIVATE)

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("bash", "openssl", "jq", "xxd", "base64")),
    reason="a tool that the page uses is not installed",
)


def commands(section: str) -> str:
    """The commands of a section, without what they print."""
    (block,) = re.findall(
        r"```console\n(.*?)```", DOC.partition(f"## {section}\n")[2].partition("\n## ")[0], re.S
    )
    lines = [line for line in block.splitlines() if line.startswith(("$ ", "    "))]
    return "\n".join(line.removeprefix("$ ") for line in lines)


def run(section: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = f"set -eo pipefail\n{commands(section)}\n"
    return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True)


def test_a_cosignature(tmp_path: Path) -> None:
    """openssl accepts it over the checkpoint, and over no other."""
    private = Ed25519PrivateKey.generate()
    witness = WitnessKey.of("audit.example/w1", private)
    text = NOTE.partition("\n\n")[0] + "\n"
    (tmp_path / "witness.vkey").write_text(f"{witness}\n")
    (tmp_path / "checkpoint").write_text(NOTE + cosign(text, witness.name, private, 1_790_000_000))
    done = run("A cosignature with openssl", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    (tmp_path / "checkpoint").write_text(NOTE + cosign("another\n", witness.name, private, 1_790_000_000))
    assert run("A cosignature with openssl", tmp_path).returncode != 0


def test_a_checkpoint(tmp_path: Path) -> None:
    """As the page has it, but for the fetching."""
    (tmp_path / "log.vkey").write_text(f"{KEY}\n")
    (tmp_path / "checkpoint").write_text(NOTE)
    script = commands("A signature with openssl").replace(
        "curl -so checkpoint https://log.xinghe.example/checkpoint", ""
    )
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert "Signature Verified Successfully" in done.stdout, done.stderr


def test_the_next_key(tmp_path: Path) -> None:
    """The old key has signed which it is; another key has not."""
    new = Ed25519PrivateKey.generate()
    both_until = datetime(2027, 1, 1, tzinfo=UTC)
    succession = Succession(KEY, 20, VerifierKey.of(NAME, new), 21, both_until)
    statement = json.dumps({"succession": succession.signed(PRIVATE, new)}).encode()
    receipt = Receipt(statement, 20, 21, TREE.inclusion_proof(20), NOTE)
    (tmp_path / "log-keys").write_bytes(key_history.export([receipt]))
    (tmp_path / "log.vkey").write_text(f"{KEY}\n")
    done = run("The next key, after a rotation", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    assert (tmp_path / "next.vkey").read_text() == f"{succession.new}\n"
    (tmp_path / "log.vkey").write_text(f"{VerifierKey.of(NAME, Ed25519PrivateKey.generate())}\n")
    assert run("The next key, after a rotation", tmp_path).returncode != 0


def test_an_export(tmp_path: Path) -> None:
    """A line of it is a receipt that verifies."""
    lines = [Line(at, STATEMENTS[at], TREE.inclusion_proof(at)) for at in reversed(range(21))]
    header = Header("2026-11-24T00:00:00Z", "spiffe://xinghe/…", 21, {}, 21, NOTE)
    write_export(tmp_path / "receipts.jsonl", Form.JSONL, header, lines)
    done = run("An export", tmp_path)
    assert done.returncode == 0, done.stderr
    receipt = bundle.parse((tmp_path / "receipt.json").read_bytes())
    assert verify_receipt(receipt, KEY).statement == {"n": 7}
