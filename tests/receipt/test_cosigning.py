"""Real witnesses over real HTTP are shown a log's heads; what enough of them cosign is published."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, update
from typer.testing import CliRunner

from broker.cli.main import app
from broker.errors import SetUpError, VerificationFailed
from broker.http.client import HttpClient
from broker.journal import Cosigned
from broker.receipt.cosigning import Cosigning
from broker.receipt.coverage import ProvedCover
from broker.receipt.note import VerifierKey, claimed_checkpoint, verify_note
from broker.receipt.verify import verify_receipt
from broker.receipt.witnesses import Cosignature, WitnessKey, WitnessPolicy
from broker.receipt.witnessing import Ahead, Witness
from broker.server.witnesses import cosigning_of, witnesses_of
from broker.settings import Settings
from broker.store import open_store
from broker.store.tables import COSIGNED
from tests import plain_tlog


def utc_now() -> datetime:
    return datetime.now(UTC)


class Office:
    """An office that runs a witness, as its officer does: by the command."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        said = self.run("init", folder, "--name", name, "--listen", "127.0.0.1:0")
        self.key = WitnessKey.parse(next(w for w in said.split() if w.startswith(name)))

    def run(self, *words: object) -> str:
        result = CliRunner().invoke(app, ["witness", *map(str, words)])
        assert result.exit_code == 0, result.output
        return result.output

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The address of its running witness; at the end it is killed, as a machine may be."""
        command = [sys.executable, "-m", "broker.cli", "witness", "serve", str(self.folder)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
            try:
                yield process.stdout.readline().split()[-1]
            finally:
                process.kill()


@pytest.fixture(scope="module")
def offices(tmp_path_factory: pytest.TempPathFactory) -> list[Office]:
    return [Office(tmp_path_factory.mktemp("office") / "w", f"audit.example/w{n}") for n in range(2)]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def log(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    broker_log: Callable[..., Any],
    offices: list[Office],
) -> Any:
    """A log that both offices know, with some leaves."""
    folder = tmp_path_factory.mktemp("log")
    url = f"sqlite:///{folder}/log.db"
    if request.param == "postgres":
        url = request.getfixturevalue("new_postgres_url")()
    log = broker_log(url, folder)
    log.ORIGIN = f"{request.param}.example/log"
    log.key = VerifierKey(log.ORIGIN, log.key.public_key)
    log.fill(5)
    for office in offices:
        office.run("add-log", office.folder, log.key)
    return log


def test_what_enough_witnesses_cosigned_is_published(log: Any, offices: list[Office]) -> None:
    """With both, with one where one is enough, and not with one where two are needed; a witness that comes
    back goes on; and receipts are then given against what was cosigned."""
    with ExitStack() as stack:
        running = stack.enter_context(log.running())
        store = stack.enter_context(closing(open_store(log.url)))

        def published(quorum: int, *urls: str) -> bool:
            asked = [Witness(o.key, HttpClient(url)) for o, url in zip(offices, urls, strict=True)]
            cosigning = Cosigning(running, store, asked, WitnessPolicy.of([o.key for o in offices], quorum))
            stack.callback(cosigning.stop)
            return cosigning.publish()

        with offices[0].serving() as first:
            with offices[1].serving() as second:
                assert published(2, first, second)
                assert not published(2, first, second)  # nothing is new
                seen = store.cosigned()
                assert seen is not None
                assert seen.size == running.size()
                _verifies_for_strangers(log, seen, offices)
            running.append(log.exchange())
            assert not published(2, first, second)
            assert store.cosigned() == seen
            cover = ProvedCover(
                store, WitnessPolicy.of([o.key for o in offices], 1), log.ORIGIN, running.size, utc_now
            )
            recorded_at = running.entry(running.size() - 1).recorded_at
            assert cover.first_uncovered() == recorded_at
            forge(log, size=10**9)
            assert cover.first_uncovered() == running.entry(0).recorded_at
            forge(log, size=seen.size)
            assert published(1, first, second)
            assert cover.first_uncovered() is None
        running.append(log.exchange())
        with offices[0].serving() as first, offices[1].serving() as second:
            assert published(2, first, second)
            forge(log, size=10**9)
            assert published(2, first, second)  # what is false is replaced, and not waited for
        newest = store.cosigned()
        assert newest is not None
        running.append(log.exchange())
        receipt = running.receipt(newest.size - 1)
        assert receipt.checkpoint == newest.note
        assert verify_receipt(receipt, log.key).checkpoint.size == newest.size
        later = running.receipt(newest.size)
        assert claimed_checkpoint(later.checkpoint).size == newest.size + 1


def forge(log: Any, size: int) -> None:
    """What somebody does who can write to the database."""
    engine = create_engine(log.url)
    with engine.begin() as connection:
        connection.execute(update(COSIGNED).values(size=size))
    engine.dispose()


def _verifies_for_strangers(log: Any, seen: Cosigned, offices: list[Office]) -> None:
    note = seen.note.encode()
    assert plain_tlog.opened(note, str(log.key))[0] == seen.size
    for office in offices:
        assert plain_tlog.cosigned(note, str(office.key))
    assert verify_note(seen.note, log.key)


def test_what_is_published_only_grows(log: Any) -> None:
    """Whichever process is late: the smaller of two heads never takes the larger one's place."""
    with closing(open_store(log.url)) as store:
        assert store.publish_cosigned(Cosigned(1000, "thousand"))
        for size in (999, 1000):
            assert not store.publish_cosigned(Cosigned(size, "late"))
        assert store.cosigned() == Cosigned(1000, "thousand")


WRONG = [
    {"stop_releasing_after_seconds": 60},
    {"quorum": 1},
    {"known": {"no key": "http://127.0.0.1:1/"}, "quorum": 1},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_settings_that_cannot_be_met_keep_the_broker_from_starting(wrong: dict[str, Any]) -> None:
    """Rather than one that never releases, or never stops."""
    with pytest.raises(SetUpError):
        witnesses_of(Settings(witnesses=wrong))


def test_an_address_that_is_none_keeps_it_from_starting(offices: list[Office]) -> None:
    """It would be silent for ever."""
    settings = Settings(witnesses={"known": {str(offices[0].key): "audit.example:7090"}, "quorum": 1})
    with pytest.raises(SetUpError):
        cosigning_of(settings, None, None)  # type: ignore[arg-type]


def test_a_false_cosignature_is_not_published(log: Any, offices: list[Office]) -> None:
    """A witness that signs with another key than it is known by is no witness."""
    with log.running() as running, closing(open_store(log.url)) as store, offices[0].serving() as url:
        other = WitnessKey(offices[0].key.name, offices[1].key.public_key)
        asked = Witness(other, HttpClient(url))
        note = running.checkpoint()
        head = claimed_checkpoint(note)
        with pytest.raises(VerificationFailed):
            asked.cosignature(note, head, lambda first: running.consistency_proof(first, head.size))
        cosigning = Cosigning(running, store, [asked], WitnessPolicy.of([other], 1))
        assert not cosigning.publish()
        cosigning.stop()


class SeenMore:
    """A witness that has cosigned a larger log than it is shown."""

    def __init__(self, key: WitnessKey) -> None:
        self.key = key

    def cosignature(self, *_: object) -> Cosignature:
        raise Ahead(10**6)

    def close(self) -> None:
        pass


def test_a_log_that_was_set_back_is_told_of(
    log: Any, offices: list[Office], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Database and signer restored from one snapshot fit each other; the witness has seen more. Not at once:
    for a moment another process may be ahead."""
    monkeypatch.setattr("broker.receipt.cosigning.AHEAD_SECONDS", 0.05)
    with log.running() as running, closing(open_store(log.url)) as store:
        running.append(log.exchange())
        witness: Any = SeenMore(offices[0].key)
        cosigning = Cosigning(running, store, [witness], WitnessPolicy.of([offices[0].key], 1))
        for told in (False, True):
            assert not cosigning.publish()
            assert ("was this one set back" in capsys.readouterr().out) is told
            time.sleep(0.1)
        cosigning.stop()
