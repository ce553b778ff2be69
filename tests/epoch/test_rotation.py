"""Moving on to another key: at one moment for every worker, and without refusing anybody."""

import json
import shutil
import threading

import pytest
from typer.testing import CliRunner

from broker.cli.keyring import app
from broker.errors import Changed, SetUpError, Unavailable
from broker.reasons import Reason
from broker.receipt.fsck import open_fsck
from broker.server.parts import begin_epoch, keyring_file
from tests.epoch.test_exactness import CALLS, always, follows
from tests.epoch.test_streaming import Streaming
from tests.waiting import wait_for

MARRIAGE = "sharing/civil-affairs-marriage.yaml"


def on_another_host(world, name):
    """The world's settings with a keyring file of their own: the same keys, until one of them is changed."""
    keys = world.settings.keys
    folder = world.folder / name
    folder.mkdir()
    file = shutil.copy(world.settings.path(keys.keyring), folder / "keyring.json")
    return world.settings.model_copy(update={"keys": keys.model_copy(update={"keyring": file})})


@pytest.fixture
def rotating(any_world):
    """A world whose keyring may be changed, with a date that is masked by key."""
    any_world.settings = on_another_host(any_world, "first")
    files = any_world.edit(MARRIAGE, "registered_on: year", "registered_on: {pseudonym: {}}")
    any_world.publisher.policy(files, any_world.order)
    return any_world


def rotate(world):
    return world.publisher.rotate(keyring_file(world.settings), world.order)


def token_of(exchanged):
    return [record["registered_on"] for record in exchanged.answer.records]


def version_of(exchanged):
    return json.loads(exchanged.receipt.statement)["obligations"]["masks"]["registered_on"]["key_version"]


def test_every_worker_masks_with_the_new_key_at_once(rotating):
    """Nobody has looked yet, and no worker was told: what is recorded after the act names the new version."""
    workers = rotating.worker(), rotating.worker()
    before = [worker.unary(rotating.withdrawal(), rotating.consumer, always) for worker in workers]
    moved = rotate(rotating)
    after = [worker.unary(rotating.withdrawal(), rotating.consumer, always) for worker in workers]
    assert [version_of(answer) for answer in (*before, *after)] == [1, 1, 2, 2]
    assert token_of(before[0]) == token_of(before[1])
    assert token_of(before[0]) != token_of(after[0]) == token_of(after[1])
    act = rotating.statements()[moved.leaf_index]
    named = {"version": 2, "fingerprint": moved.after.key.fingerprint}
    assert (act["act"], act["key"], act["actor"]) == ("keys", named, "tester")
    with open_fsck(rotating.settings.store_url, rotating.state, rotating.log.verifier_key) as fsck:
        assert not list(fsck.findings())


def test_no_call_fails_while_keys_move(rotating, monkeypatch):
    """Callers go on calling through rotations; every answer is masked by the key in force at its leaf."""
    rotating.in_real_time(monkeypatch)
    worker, stop, answers = rotating.worker(), threading.Event(), []

    def call():
        while not stop.is_set():
            answers.append(worker.unary(rotating.withdrawal(), rotating.consumer, always))

    thread = threading.Thread(target=call)
    thread.start()
    try:
        for _ in range(3):
            count = len(answers)
            wait_for(lambda count=count: len(answers) >= count + CALLS or not thread.is_alive())
            rotate(rotating)
    finally:
        stop.set()
        thread.join()
    statements, version = rotating.statements(), 0
    assert follows(statements) == len(answers)
    for said in statements[1:]:
        if said["kind"] == "epoch":
            version = said["key"]["version"]
        elif said["kind"] != "certificate_chain":
            assert said["obligations"]["masks"]["registered_on"]["key_version"] == version
    assert version == 4


def test_a_retry_across_a_rotation_is_the_same_answer(rotating):
    """Recognised as a retry, masked by the key of the first time, and said to be a redelivery."""
    worker, request = rotating.worker(), rotating.withdrawal()
    first = worker.unary(request, rotating.consumer, always)
    rotate(rotating)
    rotate(rotating)
    again = worker.unary(request, rotating.consumer, always)
    assert again.redelivered
    assert again.receipt.leaf_index == first.receipt.leaf_index
    assert (token_of(again), again.digest) == (token_of(first), first.digest)
    assert rotating.statements()[-1]["obligations"]["masks"]["registered_on"]["key_version"] == 1
    assert version_of(worker.unary(rotating.withdrawal(), rotating.consumer, always)) == 3


def test_a_retry_of_changed_data_still_tells_so(rotating):
    """The key of the first time does not make other data the same answer."""
    worker, request = rotating.worker(), rotating.withdrawal()
    worker.unary(request, rotating.consumer, always)
    files = rotating.edit(MARRIAGE, "registered_on: {pseudonym: {}}", "registered_on: year")
    rotating.publisher.policy(files, rotating.order)
    rotate(rotating)
    with pytest.raises(Changed) as changed:
        worker.unary(request, rotating.consumer, always)
    assert changed.value.reason is Reason.DATA_CHANGED


def test_a_person_is_tagged_alike_before_and_after(rotating):
    """Whoever holds the vault key finds all of a person's receipts by one key."""
    worker = rotating.worker()
    keyring = keyring_file(rotating.settings).read()
    rotate(rotating)
    request = rotating.withdrawal()
    answer = worker.unary(request, rotating.consumer, always)
    tags = json.loads(answer.receipt.statement)["subject_tags"]
    assert tags == [keyring.subject_tag(request.subjects[0], request.request_id).hex()]


def test_a_stream_ends_under_the_key_it_began_with(any_world):
    """One answer is never masked by two keys; what begins after the rotation has the new one."""
    any_world.settings = on_another_host(any_world, "first")
    worker, consumer = any_world.worker(), any_world.issue("medical_insurance", "streams")
    begun = Streaming(worker, any_world.package(), consumer)
    begun.take(1)
    rotate(any_world)
    any_world.let_it_look()
    outcome = json.loads(begun.finish().receipt.statement)
    assert {mask["key_version"] for mask in outcome["obligations"]["masks"].values()} - {None} == {1}
    later = Streaming(worker, any_world.package(), consumer)
    outcome = json.loads(later.finish().receipt.statement)
    assert {mask["key_version"] for mask in outcome["obligations"]["masks"].values()} - {None} == {2}


def test_a_replica_without_the_new_key_releases_nothing(rotating):
    """Its file is behind: it fails closed, refuses to start, and goes on as soon as the file is there."""
    world, first = rotating, rotating.settings
    world.settings = behind = on_another_host(world, "second")
    replica = world.worker()
    replica.unary(world.withdrawal(), world.consumer, always)
    world.settings = first
    rotate(world)
    size = world.store.head().size
    with pytest.raises(Unavailable) as unavailable:
        replica.unary(world.withdrawal(), world.consumer, always)
    assert unavailable.value.reason is Reason.POLICY_UNUSABLE
    assert world.store.head().size == size
    world.settings = behind
    with pytest.raises(SetUpError, match="no key of version 2"):
        world.worker()
    shutil.copy(first.keys.keyring, behind.keys.keyring)
    world.let_it_look()
    assert version_of(replica.unary(world.withdrawal(), world.consumer, always)) == 2


def test_a_key_prepared_on_each_host_apart_is_refused(rotating):
    """Two hosts that each made a version 2 have two keys: the one in force is told by its fingerprint."""
    world, first = rotating, rotating.settings
    other = on_another_host(world, "second")
    keyring_file(other).prepare(1, world.now())
    rotate(world)
    world.settings = other
    with pytest.raises(SetUpError, match="another keyring"):
        world.worker()
    with pytest.raises(SetUpError, match="another keyring"):
        rotate(world)
    world.settings = first
    world.worker()


def test_a_database_of_before_names_its_key_at_the_next_start(world):
    """Epochs did not name keys; the first broker that starts says which is in use, in a leaf, once."""
    with world.store.append_transaction() as transaction:
        transaction.epochs.connection.exec_driver_sql(
            "UPDATE epoch SET key_version = 0, key_fingerprint = ''"
        )
    for _ in range(2):
        begin_epoch(world.settings, world.store, world.publisher)
    statements = world.statements()
    assert [said["act"] for said in statements[1:]] == ["begin", "keys"]
    assert statements[-1]["key"]["version"] == 1


# ── the commands ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def run(world, embedded, monkeypatch):
    """Runs a command on the world's settings and a keyring of its own; gives exit code and output."""
    world.settings = on_another_host(world, "first")
    monkeypatch.setenv("SHAREBROKER_STORE__URL", world.settings.store_url)
    monkeypatch.setenv("SHAREBROKER_KEYS__SIGNER_STATE", str(world.state))
    monkeypatch.setenv("SHAREBROKER_KEYS__KEYRING", str(world.settings.keys.keyring))

    def run(*arguments, exit_code=0):
        words = [*map(str, arguments), "--config", str(embedded.settings)]
        result = CliRunner().invoke(app, words)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_code, result.output
        return result.output

    return run


def test_a_prepared_key_is_the_one_put_in_use(run, world):
    """Prepared, it is listed and not used; rotating puts this one in use, and the next adds another."""
    prepared = json.loads(run("rotate", "--prepare", "--json"))
    assert [one["in_use"] for one in json.loads(run("list", "--json"))["versions"]] == [True, False]
    said = run("rotate", "--by", "key officer", "--reason", "yearly")
    assert f"第 2 版密钥已启用，指纹 {prepared['fingerprint']}" in said
    assert "Back up" in said
    assert (world.statements()[-1]["actor"], world.statements()[-1]["reason"]) == ("key officer", "yearly")
    assert json.loads(run("rotate", "--json"))["version"] == 3
    listed = json.loads(run("list", "--json"))
    assert [one["in_use"] for one in listed["versions"]] == [False, False, True]
    assert listed["binding"] == 1
    assert "使用中 in use" in run("list").splitlines()[2]
    assert "Copy the file to every host" in run("rotate", "--prepare")


def test_the_master_key_is_changed_and_the_keys_stay(run, world, monkeypatch):
    """The new master key is made where it is to lie; with the former the keyring opens no more."""
    before, new = json.loads(run("list", "--json")), world.folder / "vault.key"
    assert "master_key_file" in run("rewrap", new)
    with pytest.raises(SetUpError, match=before["wrapped_by"]):
        run("list")
    monkeypatch.setenv("SHAREBROKER_KEYS__MASTER_KEY_FILE", str(new))
    after = json.loads(run("list", "--json"))
    assert after["versions"] == before["versions"]
    assert after["wrapped_by"] != before["wrapped_by"]
    assert json.loads(run("rewrap", new, "--json"))["wrapped_by"] == after["wrapped_by"]


def test_a_master_key_for_another_keyring_is_not_made(run, world, monkeypatch):
    """Who cannot open the keyring cannot wrap it anew, and no key is left lying about."""
    monkeypatch.setenv("SHAREBROKER_MASTER_KEY", "00" * 32)
    with pytest.raises(SetUpError, match="Another master key"):
        run("rewrap", world.folder / "new.key")
    assert not (world.folder / "new.key").exists()


def test_a_check_finds_another_keyring_and_a_key_left_in_its_lock(run, world, embedded, monkeypatch):
    """Sound: exit 0, with advice; a keyring that is not the one in force: exit 1, and why."""
    assert json.loads(run("check", "--json")) == {"sound": True, "wrong": [], "advice": []}
    shipped = embedded.folder / "keys"
    monkeypatch.setenv("SHAREBROKER_KEYS__KEYRING", str(shipped / "keyring.json"))
    assert "a lock with its key in it" in run("check")
    keyring = world.folder / "first" / "keyring.json"
    monkeypatch.setenv("SHAREBROKER_KEYS__KEYRING", str(keyring))
    kept = keyring.read_bytes()
    run("rotate")
    keyring.write_bytes(kept)
    assert "no key of version 2" in run("check", exit_code=1)
    assert not json.loads(run("check", "--json", exit_code=1))["sound"]
