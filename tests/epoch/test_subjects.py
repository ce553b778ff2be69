"""The citizen's view of a log that workers write: complete, or it says what is missing; and forgetting."""

import json
import secrets
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from broker.errors import Unavailable, VerificationFailed
from broker.forgetting import forget, obey
from broker.keys.log_key import load_log_key
from broker.keys.wrapping import AesKeyWrapper
from broker.marks import NO_VAULT, Marks
from broker.model import Entry, EntryKind, Verdict
from broker.reasons import Reason
from broker.receipt.fsck import open_fsck
from broker.receipt.log import append_alone
from broker.receipt.lookups import subject_forgotten
from broker.receipt.memory import remembered
from broker.receipt.note import VerifierKey
from broker.receipt.public import PublicLog
from broker.receipt.retention import KEPT, Rule, erase
from broker.server.parts import keyring_file
from broker.subject_access.proved import ProvedLog
from broker.subject_access.view import UNDER_WAY, Nature, Viewer
from broker.vault.opening import create_vault, open_vault
from tests.epoch.test_streaming import Streaming

LATER = UNDER_WAY + timedelta(minutes=1)


def always():
    return True


class Citizens:
    """A world with a vault, and the officer beside it."""

    def __init__(self, world, url):
        self.world, self.url = world, url
        self.wrapper = AesKeyWrapper(secrets.token_bytes(32))
        self.keyring = keyring_file(world.settings).read()
        create_vault(url, self.wrapper, world.now())
        self.vault = self.open()
        world.marks = Marks(self.vault)
        self.anna, self.bo = world.cast["withdrawal"]["sound"], world.cast["withdrawal"]["unmarried"]

    def open(self):
        vault = open_vault(self.url, self.wrapper)
        self.world.closing.callback(vault.close)
        return vault

    def worker(self):
        """A worker with its own connections to vault and database."""
        self.world.marks = Marks(self.open())
        return self.world.worker()

    @property
    def key(self):
        keys = self.world.settings.keys
        return VerifierKey.of(
            self.world.settings.log.origin, load_log_key(self.world.settings.path(keys.log_key))
        )

    def proved(self):
        """The log up to its signed head."""
        self.world.log.sign()
        _, head = PublicLog(
            self.world.store, lambda: remembered(self.world.state, self.key), self.key
        ).checkpoint()
        return ProvedLog(self.world.store, head)

    def view(self, subject="", later=LATER, vault=True, thorough=False):
        """What somebody is told, by default long enough after for nothing to be under way."""
        held = self.vault if vault else None
        now = self.world.now() + later
        viewer = Viewer(self.world.store, self.proved(), self.keyring, held, now)
        return viewer.view(subject or self.anna, thorough=thorough)

    def ask(self, worker, **changes):
        """A permitted exchange, or what became of it."""
        return worker.unary(self.world.withdrawal(**changes), self.world.consumer, always)

    def findings(self):
        """What ``fsck`` has to say."""
        with open_fsck(self.world.settings.store_url, self.world.state, self.key) as check:
            return list(check.findings())


@pytest.fixture
def citizens(world, tmp_path):
    """A vault in SQLite beside a world on SQLite."""
    return Citizens(world, f"sqlite:///{tmp_path}/vault.db")


@pytest.fixture
def any_citizens(any_world, request, tmp_path):
    """Vault and world on the same kind of database."""
    if any_world.settings.store_url.startswith("sqlite"):
        return Citizens(any_world, f"sqlite:///{tmp_path}/vault.db")
    return Citizens(any_world, request.getfixturevalue("new_postgres_url")())


def numbers(view):
    return [one.number for one in view.told]


def natures(view):
    return {gap.number: gap.nature for gap in view.gaps}


def change(citizens, *statements):
    """Somebody with the database in hand writes into it."""
    with closing(sqlite3.connect(citizens.world.folder / "log.db")) as database:
        for statement, *values in statements:
            assert database.execute(statement, values).rowcount
        database.commit()


def test_a_person_is_told_of_everything_that_two_workers_did(any_citizens):
    """Releases, refusals and repetitions, each with a number of its own, proved by the log."""
    workers = [any_citizens.worker(), any_citizens.worker()]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: any_citizens.ask(workers[n % 2]), range(16)))
    refused = any_citizens.ask(workers[0], purpose="housing_fund_audit")
    again = workers[1].unary(
        any_citizens.world.withdrawal(request_id=json.loads(answers[0].receipt.statement)["request_id"]),
        any_citizens.world.consumer,
        always,
    )
    assert refused.decision.verdict is Verdict.DENY
    assert again.redelivered
    view = any_citizens.view()
    assert sorted(numbers(view)) == list(range(1, 19))
    assert {one.leaf_index for one in view.told} >= {answer.receipt.leaf_index for answer in answers}
    kinds = [one.statement["kind"] for one in view.told]
    assert kinds.count("redelivered") == 1
    assert (view.known, view.gaps, view.doubled, view.missing) == (True, (), (), ())
    tags = [one.statement["subject_tags"][0] for one in view.told]
    assert len(set(tags)) == 17, "a repetition is of the same request, the others do not link"
    other = any_citizens.view("990101189901010015")
    assert (other.known, other.told) == (False, ())


def test_several_subjects_of_one_request_are_each_told_of_themselves(citizens):
    """Each sees their own place among the subjects, and nothing tells whose the others are."""
    citizens.ask(citizens.worker(), subjects=(citizens.bo, citizens.anna))
    (anna,), (bo,) = citizens.view().told, citizens.view(citizens.bo).told
    assert (anna.leaf_index, anna.place, bo.place) == (bo.leaf_index, 1, 0)


def test_a_stream_that_names_people_is_one_number_with_its_outcome(citizens):
    """Opening and outcome bear the same mark; a stream of all in scope is told apart, for it names nobody."""
    worker, world = citizens.worker(), citizens.world
    consumer = world.issue("medical_insurance", "streams")
    Streaming(worker, world.package(), consumer).finish()
    named = replace(world.package(), subjects=(citizens.anna,))
    streaming = Streaming(worker, named, consumer)
    streaming.finish()
    view = citizens.view()
    assert [one.statement["kind"] for one in view.told] == ["stream_decision", "stream_outcome"]
    assert numbers(view) == [1, 1]
    assert (view.gaps, view.doubled) == ((), ())
    (bulk,) = view.bulk
    assert (bulk.consumer, bulk.dataset, bulk.releases) == (
        "medical_insurance", "public_security.household", 1,
    )  # fmt: skip
    assert bulk.rows > 0


def test_an_erased_statement_shows(citizens):
    """Its leaf stays in the log, where the vault's memory of it finds it."""
    worker = citizens.worker()
    leaf = [citizens.ask(worker).receipt.leaf_index for _ in range(3)][1]
    change(citizens, ("DELETE FROM statement WHERE leaf_index = ?", leaf))
    view = citizens.view()
    assert numbers(view) == [1, 3]
    assert [(gap.number, gap.nature, gap.leaf_index) for gap in view.missing] == [(2, Nature.ERASED, leaf)]
    assert citizens.findings() == []


def test_what_has_expired_is_told_apart_from_what_was_erased(any_citizens):
    """By the leaf that says so: nothing is missing, a case on hold is told still, and all is sound."""
    worker, world = any_citizens.worker(), any_citizens.world
    old = [any_citizens.ask(worker).receipt.leaf_index, any_citizens.ask(worker).receipt.leaf_index]
    held = any_citizens.ask(worker, case_no="GJJ-HELD").receipt.leaf_index
    rule = Rule(world.now() + timedelta(days=4 * 366), 3, hold_cases=frozenset({"GJJ-HELD"}))
    _, leaf = erase(world.store, rule, actor="keeper", reason="yearly")
    view = any_citizens.view()
    assert [one.leaf_index for one in view.told] == [held]
    assert [(gap.number, gap.nature, gap.leaf_index, gap.told_by) for gap in view.gaps] == [
        (1, Nature.EXPIRED, old[0], leaf),
        (2, Nature.EXPIRED, old[1], leaf),
    ]
    assert (view.missing, view.expired) == ((), 2)
    assert any_citizens.findings() == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM leaf WHERE leaf_index = ?",
        "UPDATE leaf SET recorded_at = recorded_at + 3600000000 WHERE leaf_index = ?",
        "UPDATE statement SET content = replace(CAST(content AS TEXT), 'GJJ-0088', 'GJJ-0001') "
        "WHERE leaf_index = ?",
        "UPDATE statement SET content = CAST(replace(CAST(content AS TEXT), 'tax', 'tax') || ' ' AS BLOB) "
        "WHERE leaf_index = ?",
    ],
    ids=["row gone", "moved in time", "text altered", "bytes altered"],
)
def test_a_patched_database_hides_nothing(citizens, statement):
    """Whatever the database says, the log has the leaf, and the person is told that its text is not shown."""
    worker = citizens.worker()
    leaf = [citizens.ask(worker).receipt.leaf_index for _ in range(3)][1]
    change(citizens, (statement, leaf))
    assert [(gap.number, gap.nature, gap.leaf_index) for gap in citizens.view().missing] == [
        (2, Nature.ERASED, leaf)
    ]


def test_a_log_that_was_patched_as_well_gives_no_answer(citizens):
    """Of a tree that does not lead to the signed head nothing is said, least of all that it lacks a leaf."""
    worker = citizens.worker()
    leaf = [citizens.ask(worker).receipt.leaf_index for _ in range(3)][1]
    citizens.proved()
    change(
        citizens,
        ("DELETE FROM leaf WHERE leaf_index = ?", leaf),
        ("UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND tile_index = ?", 0),
    )
    with pytest.raises((VerificationFailed, Unavailable)):
        citizens.view()


def test_a_number_without_a_leaf_is_told_apart(citizens):
    """A call that died between vault and log: under way at first, then never recorded, or repeated."""
    worker, world = citizens.worker(), citizens.world
    request = world.withdrawal()
    for request_id in (request.request_id, "another"):
        citizens.vault.issue([citizens.anna], request_id, world.now(), lambda _marks: b"never recorded")
    assert natures(citizens.view(later=timedelta())) == {1: Nature.UNDER_WAY, 2: Nature.UNDER_WAY}
    worker.unary(request, world.consumer, always)
    view = citizens.view()
    assert natures(view) == {1: Nature.REPEATED, 2: Nature.UNRECORDED}
    assert [gap.number for gap in view.missing] == [2]
    assert numbers(view) == [3]


def test_without_the_vault_nothing_is_released(citizens, tmp_path):
    """No number, no statement, no data; a retry is safe."""
    worker = citizens.worker()
    citizens.ask(worker)
    size = citizens.world.store.head().size
    with closing(sqlite3.connect(tmp_path / "vault.db")) as database:
        database.execute("ALTER TABLE number RENAME TO gone")
    with pytest.raises(Unavailable) as caught:
        citizens.ask(worker)
    assert caught.value.reason is Reason.VAULT_UNAVAILABLE
    assert citizens.world.store.head().size == size


def test_a_vault_set_back_shows_by_numbers_used_twice(citizens, tmp_path):
    """Whoever restores an old vault cannot make the receipts since then unsaid."""
    citizens.ask(citizens.worker())
    citizens.vault.close()
    with (
        closing(sqlite3.connect(tmp_path / "vault.db")) as live,
        closing(sqlite3.connect(tmp_path / "old.db")) as backup,
    ):
        live.backup(backup)
    for _ in range(2):
        citizens.ask(citizens.worker())
    citizens.url = f"sqlite:///{tmp_path}/old.db"
    citizens.vault = citizens.open()
    citizens.ask(citizens.worker())
    view = citizens.view(thorough=True)
    assert numbers(view) == [1, 2, 3, 2]
    assert view.doubled == (2,)


def test_who_is_forgotten_is_found_no_more_and_every_proof_stands(any_citizens):
    """The key is gone; receipts, tree and checks are what they were; the act names nobody."""
    worker, world = any_citizens.worker(), any_citizens.world
    answers = [any_citizens.ask(worker, subjects=(any_citizens.bo, any_citizens.anna)) for _ in range(2)]
    leaf = forget(any_citizens.vault, world.store, any_citizens.anna, "officer", "request 7", world.now())
    view = any_citizens.view()
    assert (view.known, view.told, view.gaps) == (False, (), ())
    assert numbers(any_citizens.view(any_citizens.bo)) == [1, 2]
    assert any_citizens.findings() == []
    for answer in answers:
        assert world.log.receipt(answer.receipt.leaf_index).statement == answer.receipt.statement
    said = json.loads(world.log.receipt(leaf).statement)
    assert (said["kind"], said["reason"]) == ("subject_forgotten", "request 7")
    assert any_citizens.anna not in json.dumps(said)
    assert forget(any_citizens.vault, world.store, any_citizens.anna, "officer", "again", world.now()) is None
    any_citizens.ask(worker)
    assert numbers(any_citizens.view()) == [1], "whoever comes again begins anew"


def test_a_restored_vault_forgets_again(citizens, tmp_path):
    """What the log says was forgotten is destroyed anew before a broker serves."""
    worker, world = citizens.worker(), citizens.world
    citizens.ask(worker, subjects=(citizens.bo, citizens.anna))
    obey(citizens.vault, world.store)
    with (
        closing(sqlite3.connect(tmp_path / "vault.db")) as live,
        closing(sqlite3.connect(tmp_path / "old.db")) as backup,
    ):
        live.backup(backup)
    forget(citizens.vault, world.store, citizens.anna, "officer", "request 7", world.now())
    citizens.url = f"sqlite:///{tmp_path}/old.db"
    restored = citizens.vault = citizens.open()
    assert citizens.view().known
    assert obey(restored, world.store) == 1
    assert not citizens.view().known
    assert citizens.view(citizens.bo).known
    assert obey(restored, world.store) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM statement WHERE leaf_index = ?",
        "UPDATE statement SET content = '[1]' WHERE leaf_index = ?",
        "UPDATE statement SET content = X'FF' WHERE leaf_index = ?",
    ],
)
def test_an_act_of_forgetting_that_is_gone_stops_no_broker(citizens, statement, capsys):
    """It is told of loudly; others are obeyed."""
    worker, world = citizens.worker(), citizens.world
    citizens.ask(worker, subjects=(citizens.bo, citizens.anna))
    names = [citizens.vault.name(person) for person in (citizens.anna, citizens.bo)]
    for name in names:
        content = subject_forgotten("officer", "request 7", world.now(), name)
        with world.store.append_transaction() as transaction:
            append_alone(transaction, world.store, Entry(EntryKind.SUBJECT_FORGOTTEN, content, world.now()))
    change(citizens, (statement, world.store.head().size - 2))
    assert obey(citizens.vault, world.store) == 1
    assert "forgetting_unknown" in capsys.readouterr().out
    assert citizens.vault.name(citizens.bo) is None


def test_what_was_forgotten_is_never_too_old_to_be_known():
    """A backup of the vault may be older than statements are kept."""
    assert EntryKind.SUBJECT_FORGOTTEN in KEPT


def test_a_crash_before_the_key_is_destroyed_is_made_good(citizens, monkeypatch):
    """The leaf is the act: the next start does the rest."""
    citizens.ask(citizens.worker())
    monkeypatch.setattr("broker.forgetting.obey", lambda *_: 0)
    forget(citizens.vault, citizens.world.store, citizens.anna, "officer", "request 7", citizens.world.now())
    assert citizens.view().known
    assert obey(citizens.vault, citizens.world.store) == 1
    assert not citizens.view().known


def test_receipts_from_before_the_vault_are_told_too(world, tmp_path):
    """Tags of the keyring and of the vault stand side by side in one log."""
    request = world.withdrawal()
    world.worker().unary(request, world.consumer, always)
    citizens = Citizens(world, f"sqlite:///{tmp_path}/vault.db")
    citizens.ask(citizens.worker())
    assert numbers(citizens.view()) == [None, 1]
    assert [one.number for one in citizens.view(vault=False).told] == [None]
    world.marks = NO_VAULT


def test_copies_of_the_vault_alone_link_nothing(citizens, tmp_path):
    """Its rows hold no tag, no request and no subject that the log's database also has."""
    citizens.ask(citizens.worker(), subjects=(citizens.bo, citizens.anna))
    content = b"".join(file.read_bytes() for file in tmp_path.glob("vault.db*"))
    said = citizens.world.statements()[-1]
    for hexadecimal in (*said["subject_tags"], *said["subject_numbers"]):
        assert bytes.fromhex(hexadecimal) not in content
        assert hexadecimal.encode() not in content
    for word in (said["request_id"], citizens.anna, citizens.bo):
        assert word.encode() not in content


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM statement WHERE leaf_index = ?",
        "DELETE FROM leaf WHERE leaf_index = ?",
        "UPDATE leaf SET recorded_at = recorded_at + 3600000000 WHERE leaf_index = ?",
        "UPDATE leaf SET kind = 'exchange' WHERE leaf_index = ?",
    ],
)
def test_a_redelivery_that_is_hidden_shows(citizens, statement):
    """It is another handing out of the data, perhaps months later."""
    worker, world = citizens.worker(), citizens.world
    request = world.withdrawal()
    worker.unary(request, world.consumer, always)
    assert worker.unary(request, world.consumer, always).redelivered
    leaf = world.store.head().size - 1
    change(citizens, (statement, leaf))
    view = citizens.view()
    assert numbers(view) == [1, 2] or [gap.number for gap in view.missing] == [2]
