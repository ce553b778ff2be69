"""``sharebroker witness`` as another office runs it: real processes, killed at bad moments, shown forks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.cli.main import app
from broker.errors import SetUpError, VerificationFailed
from broker.failpoints import VARIABLE
from broker.http.client import HttpClient, NoAnswer
from broker.receipt import tlog_proof
from broker.receipt.bundle import export as export_receipt
from broker.receipt.memory import remembered
from broker.receipt.note import VerifierKey, claimed_checkpoint
from broker.receipt.public import PublicLog
from broker.receipt.tiles import Tree
from broker.receipt.witnesses import WitnessKey, cosignatures
from broker.receipt.witnessing import AddCheckpoint, Ahead, Refused, Witness
from broker.store.store import open_store
from broker.witness.settings import load_witness
from tests import plain_tlog
from tests.witness.paper import ORIGIN, PaperLog
from tests.witness.test_mirror import Shown

NAME = "audit.xinghe.example/w1"
TRUE = PaperLog(400)
OTHER = TRUE.forked(3)


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["witness", *map(str, words)])


def test_new_keys_are_learnt_by_their_signed_history(tmp_path: Path, broker_log: Callable[..., Any]) -> None:
    """From the file that the log publishes, or over HTTP: what a known key leads to, once; else nothing."""
    log = broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path)
    log.fill(3)
    config = tmp_path / "sharebroker.toml"
    config.write_text(
        f'[store]\nurl = "sqlite:///log.db"\n[log]\norigin = "{log.ORIGIN}"\n'
        '[keys]\nlog_key = "log.key"\nsigner_state = "log.checkpoint"\n'
    )
    rotate = ["rotate-key", "--reason", "x"]
    for words in (rotate, rotate, ["export", str(tmp_path / "www")]):
        done = CliRunner().invoke(app, ["log", *words, "--config", str(config)])
        assert done.exit_code == 0, done.output
    office, history = Office(tmp_path, str(log.key)), tmp_path / "www" / "log-keys"
    settings = office.folder / "witness.toml"
    before = settings.read_text()
    content = history.read_bytes()
    history.write_bytes(content.replace(b"signs from", b"signs form", 1))
    assert isinstance(run("learn-keys", office.folder, history).exception, VerificationFailed)
    assert settings.read_text() == before
    history.write_bytes(content)
    assert "2 new key(s)" in run("learn-keys", office.folder, history).stdout
    assert "no new key" in run("learn-keys", office.folder, history).stdout
    assert len(load_witness(office.folder).logs()[log.ORIGIN]) == 3
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    other = Office(stranger, str(TRUE.key))
    refused = run("learn-keys", other.folder, history).exception
    assert isinstance(refused, SetUpError | VerificationFailed)
    with closing(Shown()) as shown:
        assert isinstance(run("learn-keys", office.folder, shown.url).exception, SetUpError)
        shown.spoil = ("log-keys", content)
        assert "no new key" in run("learn-keys", office.folder, shown.url).stdout


class Office:
    """An office that runs a witness."""

    def __init__(self, folder: Path, vkey: str, mirror: str = "") -> None:
        self.folder = folder / "witness"
        said = run("init", self.folder, "--name", NAME, "--listen", "127.0.0.1:0").stdout
        self.key = WitnessKey.parse(next(word for word in said.split() if word.startswith(f"{NAME}+")))
        added = run("add-log", self.folder, vkey, *(["--mirror", mirror] if mirror else []))
        assert added.exit_code == 0
        if mirror:
            settings = self.folder / "witness.toml"
            settings.write_text("mirror_seconds = 0.05\n" + settings.read_text())

    @contextmanager
    def serving(self, failpoints: str = "", *, dies: bool = False) -> Iterator[tuple[HttpClient, Path]]:
        """A client of the running witness, and what that says; it ends in peace, unless it is to die."""
        environment = os.environ | {VARIABLE: failpoints}
        command = [sys.executable, "-m", "broker.cli", "witness", "serve", str(self.folder)]
        said = self.folder / "said"
        with (
            said.open("ab") as errors,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment) as process,
        ):
            try:
                assert process.stdout is not None
                listening = process.stdout.readline().decode().split()
                with closing(HttpClient(listening[-1], seconds=120)) as client:
                    yield client, said
            finally:
                process.terminate()
                code = process.wait()
        assert code == (-9 if dies else 0)

    def status(self) -> tuple[int, dict[str, Any]]:
        result = run("status", self.folder, "--json")
        return result.exit_code, json.loads(result.stdout)["logs"][0]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that are run within this process do not change how it logs."""
    monkeypatch.setattr("broker.server.logging.configure_logging", lambda: None)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path, str(TRUE.key))


def test_an_office_sets_up_a_witness_and_runs_it(office: Office) -> None:
    """Key, log, service, a cosignature that strangers verify, what was cosigned, and the status of it."""
    code, before = office.status()
    assert (code, before["size"], before["at"], before["fork"]) == (0, 0, None, None)
    with office.serving() as (client, said):
        answer = client.post("add-checkpoint", TRUE.request(0, 7))
        assert answer.status == 200
        plain_tlog.cosigned(TRUE.note(7).encode() + answer.content, str(office.key))
        shown = client.get(f"{sha256(ORIGIN.encode()).hexdigest()}/checkpoint")
        assert shown.content == TRUE.note(7).encode() + answer.content
        conflict = client.post("add-checkpoint", TRUE.request(0, 9))
        assert (conflict.status, conflict.content_type, conflict.content) == (409, "text/x.tlog.size", b"7\n")
        assert client.get("add-checkpoint").status == 405
        assert client.post("elsewhere", b"").status == 404
        assert client.post("add-checkpoint", b"x" * 70_000).status == 413
    assert "Traceback" not in said.read_text()
    code, after = office.status()
    assert (code, after["size"], after["root"]) == (0, 7, TRUE.tree(7).root().hex())


def test_what_people_read_is_in_two_languages(office: Office) -> None:
    """At set-up and in the status; the key's file is its owner's alone."""
    assert "已登记" in str(run("add-log", office.folder, TRUE.key).exception)
    text = run("status", office.folder).stdout
    assert "尚未见证 not cosigned yet" in text
    assert (office.folder / "witness.key").stat().st_mode & 0o077 == 0
    assert (office.folder / "witness.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("init", "{}", "--name", "x"), "不予覆盖"),
        (("init", "{}/new", "--name", "a b"), "名称"),
        (("init", "{}/new", "--name", "x", "--listen", "nowhere"), "主机"),
        (("add-log", "{}", "x+y+z"), "信任公钥"),
        (("add-log", "{}", str(PaperLog(1, origin="o.example/l").key), "--mirror", "ftp://x"), "网址"),
        (("serve", "{}/none"), "witness init"),
        (("status", "{}/none"), "witness init"),
    ],
)
def test_what_is_wrong_is_said(office: Office, words: tuple[str, ...], said: str) -> None:
    """With what to do; and nothing that was there is changed."""
    before = (office.folder / "witness.toml").read_text()
    error = run(*(word.format(office.folder) for word in words)).exception
    assert isinstance(error, SetUpError | VerificationFailed)
    assert said in str(error)
    assert (office.folder / "witness.toml").read_text() == before


def test_a_witness_without_logs_does_not_run(tmp_path: Path) -> None:
    """It would answer 404 to everybody, and nobody would know why."""
    run("init", tmp_path, "--name", NAME)
    assert "add-log" in str(run("serve", tmp_path).exception)


def test_a_witness_that_lost_its_memory_does_not_run(office: Office) -> None:
    """It might cosign another history than before."""
    (office.folder / "witness.db").unlink()
    assert "不得再签名" in str(run("serve", office.folder).exception)


@pytest.mark.parametrize("point", ["before_cosigning", "after_cosigning"])
def test_killed_at_the_worst_moment_it_cosigns_one_history(office: Office, point: str) -> None:
    """Killed before the head is on disk, or after it and before anyone was told: whichever history the
    witness has on disk then, no head of the other is cosigned, and the lost answer can be had again."""
    size = 0
    for _ in range(2):
        target = size + 5
        with office.serving(f"{point}=1", dies=True) as (client, _), pytest.raises(NoAnswer):
            client.post("add-checkpoint", TRUE.request(size, target))
        kept = office.status()[1]["size"]
        assert kept == (target if point == "after_cosigning" else size)
        with office.serving() as (client, _):
            if kept:
                assert client.post("add-checkpoint", OTHER.request(kept, target + 1)).status == 422
            answer = client.post("add-checkpoint", TRUE.request(kept, target))
            assert answer.status == 200
            cosignatures(TRUE.note(target) + answer.content.decode(), [office.key])
        size = target
        assert office.status()[1]["size"] == size


def test_a_fork_of_a_real_database_is_never_cosigned(tmp_path: Path, broker_log: Callable[..., Any]) -> None:
    """Two databases and signers of one key, the same up to a leaf: what the first has had cosigned the second
    can not replace, with whatever proof its own tree gives."""
    one = broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path)
    one.fill(5)
    fork = tmp_path / "fork"
    fork.mkdir()
    for file in ("log.db", "log.checkpoint"):
        shutil.copy(tmp_path / file, fork / file)
    other = broker_log(f"sqlite:///{tmp_path}/unused.db", _empty(tmp_path / "unused"))
    other.url, other.state, other.private_key, other.key = (
        f"sqlite:///{fork}/log.db",
        fork / "log.checkpoint",
        one.private_key,
        one.key,
    )
    one.fill(3)
    other.fill(6)
    office = Office(tmp_path, str(one.key))
    with office.serving() as (client, _):
        witness = Witness(office.key, client)
        assert _cosigned(one, witness)
        with pytest.raises(Refused) as refused:
            _cosigned(other, witness)
        assert refused.value.status == 422
        one.fill(1)
        assert _cosigned(one, witness)
        stranger = Witness(office.key, client)
        with pytest.raises((Refused, Ahead)):
            _cosigned(other, stranger)
    assert office.status()[1]["size"] == _head(one).size


def _until(said: Path, event: str) -> None:
    while event not in said.read_text():
        time.sleep(0.01)


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _head(log: Any) -> Any:
    return claimed_checkpoint(remembered(log.state, log.key))


def _cosigned(log: Any, witness: Witness) -> bool:
    """Has the log's newest head cosigned."""
    note = remembered(log.state, log.key)
    head = claimed_checkpoint(note)
    with closing(open_store(log.url)) as store:
        PublicLog(store, lambda: note, log.key).checkpoint()
        given = witness.cosignature(note, head, Tree(head.size, store.tile).consistency_proof)
    return given.witness == witness.key


def test_a_witness_with_a_copy_alarms_when_another_history_is_shown(tmp_path: Path) -> None:
    """In its log, in both languages; its status says so with both heads and exit code 3; nothing is cosigned
    any more, after a restart either, which gives the alarm again."""
    with closing(Shown()) as shown:
        office = Office(tmp_path, str(TRUE.key), shown.url)
        with office.serving() as (client, said):
            client.post("add-checkpoint", TRUE.request(0, 45))
            _until(said, "copied")
            shown.log, shown.size = OTHER, 90
            _until(said, "log_forked")
            assert client.post("add-checkpoint", TRUE.request(45, 46)).status == 422
        lines = [json.loads(line) for line in said.read_text().splitlines()]
        alarm = next(line for line in lines if line["event"] == "log_forked")
        assert alarm["level"] == "critical"
        assert "分叉" in alarm["zh"]
        assert "ALARM" in alarm["en"]
        with office.serving() as (client, said):
            assert client.post("add-checkpoint", TRUE.request(45, 46)).status == 422
        assert said.read_text().count("log_forked") == 2
    code, log = office.status()
    assert (code, log["size"], log["copied"]) == (3, 45, 50)
    assert {claimed_checkpoint(note).root for note in log["fork"]["heads"]} > {OTHER.head(90).root}
    text = run("status", office.folder)
    assert text.exit_code == 3
    assert "警报" in text.stdout
    assert "ALARM" in text.stdout


def test_a_receipt_is_verified_with_its_witnesses(
    office: Office, tmp_path: Path, broker_log: Callable[..., Any]
) -> None:
    """With a policy the head of the receipt must be cosigned; who did is said, and too few are too few."""
    log = broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path)
    log.fill(3)
    run("add-log", office.folder, log.key)
    with log.running() as running:
        plain = running.receipt(2)
    with office.serving() as (client, _):
        body = AddCheckpoint(0, (), plain.checkpoint).body()
        line = client.post("add-checkpoint", body).content.decode()
    cosigned = type(plain)(
        plain.statement, plain.leaf_index, plain.tree_size, plain.proof, plain.checkpoint + line
    )
    files = {"plain.json": export_receipt(plain), "cosigned.json": export_receipt(cosigned)}
    files["cosigned.txt"] = tlog_proof.export(cosigned)
    files["log.vkey"] = f"{log.key}\n".encode()
    other = WitnessKey("other.example/w", VerifierKey.parse(str(TRUE.key)).public_key)
    files["one"] = f"witness audit {office.key}\nquorum audit\n".encode()
    files["two"] = f"witness a {office.key}\nwitness b {other}\ngroup both all a b\nquorum both\n".encode()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def verify(receipt: str, policy: str, *more: str) -> Result:
        words = ["receipt", "verify", str(tmp_path / receipt), "--trust", str(tmp_path / "log.vkey")]
        return CliRunner().invoke(app, [*words, "--witnesses", str(tmp_path / policy), *more])

    for receipt in ("cosigned.json", "cosigned.txt"):
        assert NAME in verify(receipt, "one").stdout
        assert json.loads(verify(receipt, "one", "--json").stdout)["witnesses"] == [NAME]
    for receipt, policy in (("plain.json", "one"), ("cosigned.json", "two")):
        assert "见证不足" in str(verify(receipt, policy).exception)
    assert "missing" in str(verify("plain.json", "missing").exception)
