"""Another key for the log while it is written to: who changes keys when, and what verifies before and
after."""

from __future__ import annotations

import html
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from broker.cli import receipt_forms as forms
from broker.errors import SetUpError, VerificationFailed
from broker.journal import Cosigned
from broker.keys.log_key import create_log_key, load_log_keys, log_key_files
from broker.model import Entry, EntryKind, Receipt
from broker.receipt import cose_receipt, key_history, zipped
from broker.receipt.backup import backup, restore
from broker.receipt.export import export
from broker.receipt.fsck import open_fsck
from broker.receipt.key_file import keys_file, known_keys
from broker.receipt.log import ReceiptLog
from broker.receipt.log_keys import LogKeys
from broker.receipt.memory import remembered
from broker.receipt.note import Checkpoint, NotSigned, VerifierKey, sign_note, verify_note
from broker.receipt.public import History, PublicLog
from broker.receipt.rotation import Rotated, Terms, prepare, rotate
from broker.receipt.signer import CheckpointSigner, socket_of, start_signer
from broker.receipt.statement import FORMAT, instant
from broker.receipt.verify import verify_receipt
from broker.store import migrate
from broker.store.store import open_store
from tests import plain_tlog

ORIGIN = "xinghe.example/log"
TERMS = Terms("somebody", "yearly", timedelta(days=30))


def now() -> datetime:
    return datetime.now(UTC)


class World:
    """One database; hosts with a signer and a worker each, that share keys as an operator copies them."""

    def __init__(self, url: str, folder: Path, closing: ExitStack) -> None:
        self.url, self.folder, self.closing = url, folder, closing
        migrate(url)
        create_log_key(folder / "log.key")
        self.key, self.state = folder / "log.key", folder / "state"
        self.signer = self.start(self.state)
        self.store = open_store(url)
        closing.callback(self.store.close)
        self.log = self.worker(self.state)
        self.first = self.log.verifier_key

    def start(self, state: Path, key: Path | None = None) -> CheckpointSigner:
        signer = start_signer(key or self.key, state, ORIGIN)
        self.closing.callback(signer.close)
        return signer

    def worker(self, state: Path) -> ReceiptLog:
        signer = CheckpointSigner(socket_of(state))
        self.closing.callback(signer.close)
        log = ReceiptLog(self.store, signer, ORIGIN, now)
        self.closing.callback(log.close)
        return log

    def rotate(self, terms: Terms = TERMS) -> Rotated:
        return rotate(self.store, self.signer, self.key, now, terms)

    def findings(self) -> list[str]:
        with open_fsck(self.url, self.state, self.first) as check:
            return [found.en for found in check.findings()]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    new: Callable[[], str] = (
        (lambda: f"sqlite:///{tmp_path}/log.db")
        if request.param == "sqlite"
        else request.getfixturevalue("new_postgres_url")
    )
    with ExitStack() as stack:
        yield World(new(), tmp_path, stack)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(f"sqlite:///{tmp_path}/log.db", tmp_path, stack)


def test_a_bundle_tells_of_the_keys_that_there_were(small: World) -> None:
    """On its page and beside it; who trusts the first key verifies it, who altered the page does not."""
    before = append(small.log)
    rotated = [small.rotate() for _ in range(2)]
    receipt = small.log.receipt(before.leaf_index)
    exported = forms.export(receipt, forms.Form.BUNDLE, small.first)
    bundle = zipped.parse(exported)
    forms.verify(forms.Exported(forms.Form.BUNDLE, bundle.receipt, bundle), small.first)
    page = bundle.page.decode()
    for key in (small.first, *(each.new for each in rotated)):
        assert html.escape(str(key)) in page
    assert "日志换过 2 次密钥" in page
    assert f"自第 {rotated[1].leaf_index} 条" in page
    assert "日志换过" not in forms.page(replace(receipt, successions=()), small.first).decode()


def append(log: ReceiptLog) -> Receipt:
    at = now()
    said = {"format": FORMAT, "kind": EntryKind.VALIDATION, "recorded_at": instant(at), "salt": str(uuid4())}
    entry = Entry(kind=EntryKind.VALIDATION, statement=json.dumps(said).encode(), recorded_at=at)
    return log.append(entry).receipt


def test_workers_go_on_under_the_new_key_and_old_receipts_stand(world: World) -> None:
    """Both workers change keys with the next leaf; who pinned either key verifies what came before and
    after."""
    other = world.worker(world.state)
    before = append(world.log)
    rotated = world.rotate()
    after, beside = append(world.log), append(other)
    assert (rotated.old, rotated.leaf_index) == (world.first, before.tree_size)
    assert world.log.keys == other.keys
    assert world.log.keys.keys == (world.first, rotated.new)
    assert before.successions == ()
    for receipt in (after, beside, world.log.receipt(before.leaf_index), other.receipt(rotated.leaf_index)):
        for pinned in (world.first, rotated.new, world.log.keys):
            verify_receipt(receipt, pinned)
        verify_note(receipt.checkpoint, world.first)  # those who have heard of nothing, for thirty days
        verify_note(receipt.checkpoint, rotated.new)
    verify_receipt(before, world.first)
    verify_receipt(before, world.log.keys)
    receipt, cose = other.cose_receipt(before.leaf_index)
    cose_receipt.verify(cose, world.first, receipt.successions)


def test_receipts_against_a_cosigned_head_lead_to_the_key_that_signed_it(small: World) -> None:
    """Whoever pinned the first key verifies them, also when it signs along no more."""
    before = append(small.log)
    small.rotate(replace(TERMS, both=timedelta()))
    after = append(small.log)
    assert small.store.publish_cosigned(Cosigned(after.tree_size, after.checkpoint))
    append(small.log)
    receipt = small.log.receipt(before.leaf_index)
    assert receipt.checkpoint == after.checkpoint
    verify_receipt(receipt, small.first)


def test_a_cosigned_head_of_a_key_that_is_not_believed_is_shown_to_nobody(small: World) -> None:
    """After a theft receipts are given against the present head at once, not when witnesses know the key."""
    for _ in range(3):
        before = append(small.log)
    assert small.store.publish_cosigned(Cosigned(before.tree_size, before.checkpoint))
    assert small.log.receipt(1).checkpoint == before.checkpoint
    small.rotate(replace(TERMS, both=timedelta(), until=2))
    append(small.log)
    verify_receipt(small.log.receipt(1), small.log.keys)
    verify_receipt(small.log.receipt(1), small.first)


@pytest.mark.parametrize("size", [1, 10**9])
def test_a_false_row_does_not_hide_a_receipt(small: World, size: int) -> None:
    """What the row says that a cosigned head covers counts for nothing, nor does what is no head."""
    first, second = append(small.log), append(small.log)
    assert small.store.publish_cosigned(Cosigned(size, first.checkpoint))
    verify_receipt(small.log.receipt(second.leaf_index), small.first)
    assert small.store.publish_cosigned(Cosigned(size + 1, "nothing"))
    verify_receipt(small.log.receipt(second.leaf_index), small.first)


def test_an_old_key_signs_nothing_larger(small: World) -> None:
    """Whoever steals it afterwards can make no head that one believes who has seen the history; nor without
    it a receipt that hides the history, once the old key signs along no more."""
    append(small.log)
    small.rotate(replace(TERMS, both=timedelta()))
    receipt = append(small.log)
    old, _ = load_log_keys(small.key)
    checkpoint = small.log.keys.checkpoint(receipt.checkpoint)
    forged = sign_note(Checkpoint(ORIGIN, checkpoint.size + 5, bytes(32)).text(), ORIGIN, old)
    with pytest.raises(VerificationFailed, match="not believed about"):
        small.log.keys.checkpoint(forged)
    with pytest.raises(VerificationFailed, match="not believed about"):
        verify_receipt(replace(receipt, checkpoint=forged), small.first)
    with pytest.raises(NotSigned):
        verify_receipt(replace(receipt, successions=()), small.first)


def test_after_a_theft_the_old_key_is_believed_no_further_than_ordered(small: World) -> None:
    """Receipts of the doubtful time are asked for anew; what was before stands."""
    early = append(small.log)
    late = append(small.log)
    small.rotate(Terms("somebody", "stolen", timedelta(), until=early.tree_size))
    verify_receipt(small.log.receipt(late.leaf_index), small.first)
    verify_receipt(early, small.log.keys)
    with pytest.raises(VerificationFailed, match="not believed about"):
        verify_receipt(late, small.log.keys)
    with pytest.raises(SetUpError, match="can be believed"):
        small.rotate(replace(TERMS, until=10**6))


def test_a_host_without_the_key_signs_nothing_until_it_is_there(small: World, tmp_path: Path) -> None:
    """Another host's signer is told by its worker, and takes the key when the file has been copied."""
    there = tmp_path / "there"
    there.mkdir()
    (there / "log.key").write_bytes(small.key.read_bytes())
    (there / "log.key").chmod(0o600)
    small.start(there / "state", there / "log.key")
    other = small.worker(there / "state")
    append(other)
    rotated = small.rotate()
    new = small.key.with_name(f"log.key.{rotated.new.id.hex()}")
    append(small.log)
    with pytest.raises(SetUpError, match=f"key {rotated.new.id.hex()}, whose file is missing"):
        small.worker(there / "state")
    copied = there / new.name
    copied.write_bytes(new.read_bytes())
    copied.chmod(0o600)
    verify_receipt(append(other), small.first)
    assert other.verifier_key == rotated.new


def test_what_reads_the_log_goes_on(world: World, tmp_path: Path) -> None:
    """fsck, backup and restore, the published folder, all of them from the first key, over two rotations."""
    append(world.log)
    folder = tmp_path / "www"

    def public() -> PublicLog:
        def statement(index: int) -> bytes:
            leaf = world.store.leaf(index)
            return leaf.entry.statement if leaf else b""

        history = History(lambda: known_keys(world.state, world.first), statement)
        return PublicLog(world.store, lambda: remembered(world.state, world.first), world.first, history)

    export(public(), folder)
    assert public().key_history() is None
    world.rotate()
    append(world.log)
    export(public(), folder)
    world.rotate(replace(TERMS, both=timedelta()))
    append(world.log)
    export(public(), folder)
    assert world.findings() == []
    keys = key_history.proved(world.first, key_history.parse((folder / "log-keys").read_bytes()))
    assert keys == world.log.keys
    assert keys.checkpoint((folder / "checkpoint").read_text()).size == world.log.size()

    def checked(key: VerifierKey) -> int:
        return plain_tlog.checked(lambda path: (folder / path).read_bytes(), str(key))

    assert checked(keys.newest) == world.log.size()
    for late in keys.keys[:-1]:  # neither signs along any more: a stranger asks for the key of today
        with pytest.raises(plain_tlog.Wrong):
            checked(late)
    assert key_history.proved(keys.newest, world.log.key_history()) == keys
    file = tmp_path / "log.backup"
    backup(world.url, file, world.state, world.first)
    for pinned in (keys.first, keys.newest):
        url = f"sqlite:///{tmp_path}/{pinned.id.hex()}.db"
        migrate(url)
        assert restore(url, file, tmp_path / "no-state", pinned).signed is None


def test_a_signer_that_lost_what_it_knew_of_keys_is_told_again(small: World) -> None:
    """The log itself has the history; a restarted broker proves it to its signer."""
    append(small.log)
    small.rotate(replace(TERMS, both=timedelta()))
    append(small.log)
    small.closing.close()
    keys_file(small.state).unlink()
    with ExitStack() as stack:
        again = World.__new__(World)
        again.url, again.closing, again.state = small.url, stack, small.state
        again.key = small.key
        again.start(small.state)
        again.store = open_store(small.url)
        stack.callback(again.store.close)
        log = again.worker(small.state)
        verify_receipt(append(log), small.first)


def test_an_old_key_may_be_taken_away(small: World) -> None:
    """Once nothing asks for its signature, the signer runs without it, the log's first key too."""
    append(small.log)
    small.rotate(replace(TERMS, both=timedelta()))
    append(small.log)
    small.closing.close()
    small.key.unlink()
    assert len(log_key_files(small.key)) == 1
    with (
        closing(start_signer(small.key, small.state, ORIGIN)) as signer,
        closing(open_store(small.url)) as store,
    ):
        log = ReceiptLog(store, signer, ORIGIN, now)
        verify_receipt(append(log), small.first)
        log.close()


@pytest.mark.parametrize("point", ["key_prepared", "before_key_commit", "after_key_commit"])
def test_a_crash_between_any_two_steps_leaves_a_log_that_goes_on(small: World, point: str) -> None:
    """Whoever rotates is killed; receipts go on, and the next rotation uses the key that was prepared."""
    append(small.log)
    code = (
        "import sys; from datetime import *; from pathlib import Path\n"
        "from broker.receipt.rotation import *; from broker.receipt.signer import *\n"
        "from broker.store.store import open_store\n"
        "signer = CheckpointSigner(socket_of(Path(sys.argv[2])))\n"
        "terms = Terms('somebody', 'yearly', timedelta())\n"
        "rotate(open_store(sys.argv[1]), signer, Path(sys.argv[3]), lambda: datetime.now(UTC), terms)"
    )
    words = [sys.executable, "-c", code, small.url, str(small.state), str(small.key)]
    killed = subprocess.run(words, env={**os.environ, "SHAREBROKER_FAILPOINTS": f"{point}=1"}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(log_key_files(small.key)) == 2
    verify_receipt(append(small.log), small.first)
    assert len(small.log.keys.keys) == (2 if point == "after_key_commit" else 1)
    if point != "after_key_commit":
        prepared = prepare(small.key, small.log.keys)
        assert small.rotate().new == prepared
    verify_receipt(append(small.log), small.first)
    assert small.findings() == []
    assert len(log_key_files(small.key)) == 2


def test_a_history_that_is_not_in_the_log_is_refused(small: World) -> None:
    """A succession that both keys signed counts for nothing without the leaf."""
    append(small.log)
    small.rotate()
    append(small.log)
    (receipt,) = small.log.key_history()
    for wrong in (
        replace(receipt, proof=receipt.proof[::-1]),
        replace(receipt, leaf_index=receipt.leaf_index - 1),
        replace(receipt, statement=receipt.statement.replace(b"somebody", b"nobody!!")),
    ):
        with pytest.raises(VerificationFailed):
            key_history.proved(small.first, [wrong])
    other = VerifierKey(ORIGIN, bytes(32))
    with pytest.raises(VerificationFailed, match="does not lead"):
        key_history.proved(other, [receipt])
    assert LogKeys.of(small.first) != key_history.proved(small.first, [receipt])


def test_a_damaged_history_is_named(small: World) -> None:
    """What the head says of the key, and what the leaves say, are held against each other."""
    append(small.log)
    small.rotate()
    append(small.log)
    with small.store.append_transaction() as transaction:
        transaction.name_log_key(1)
    assert small.findings() == ["is not the last succession of the log's key"]
