"""A worker follows the epoch, and believes the database no more than it must."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from broker.epoch import LONGEST_BLIND
from broker.errors import SetUpError, Unavailable
from broker.keys.authority import Authority
from broker.model import Target
from broker.reasons import Reason
from broker.store import open_store
from broker.store.store import Store

LIMITS = "limits: {rows_per_call: 10, subjects_per_call: 4}"
MARRIAGE = "sharing/civil-affairs-marriage.yaml"


class Deaf(Store):
    """A real store whose database can be cut off."""

    cut = False
    looks = 0
    slow = ()
    """Seconds that each of the next looks takes, by the world's clock."""

    def epochs(self):
        self.looks += 1
        seconds, *self.slow = self.slow or (0,)
        self.clock.pass_by(seconds)
        if self.cut:
            raise Unavailable(Reason.LOG_UNAVAILABLE)
        return super().epochs()


@pytest.fixture
def deaf(world):
    store = world.open_store()
    deaf = Deaf(store._database)
    deaf.clock = world.clock
    return deaf


def tamper(world, statement, **values):
    """What somebody with the database's password can do."""
    with world.store._database.exclusive() as connection:
        connection.execute(text(statement), values)


def test_a_moved_epoch_is_noticed_within_a_fifth_of_a_second(any_world):
    """Policy, list and suspension come together, under one sequence."""
    epochs = any_world.epochs()
    before = epochs.current()
    files = any_world.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}")
    any_world.publisher.policy(files, any_world.order)
    bad = any_world.issue("tax", "bad")
    any_world.revoke(bad)
    suspension = any_world.suspend(Target.PURPOSE, "grid_service")
    any_world.let_it_look()
    after = epochs.current()
    assert after.sequence == before.sequence + 3
    assert after.bundle.hash != before.bundle.hash
    assert after.revocations.is_revoked(bad.serial)
    assert after.suspensions == (suspension,)
    assert (before.suspensions, before.revocations.is_revoked(bad.serial)) == ((), False)


def test_what_has_not_changed_is_not_compiled_again(world):
    """A revocation costs no compilation, and sources stay open from bundle to bundle."""
    epochs = world.epochs()
    before = epochs.current()
    world.suspend(Target.CONSUMER, "tax")
    world.let_it_look()
    after = epochs.current()
    assert after.sequence > before.sequence
    assert after.bundle is before.bundle
    assert after.reader is before.reader
    assert after.revocations is before.revocations
    files = world.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}")
    world.publisher.policy(files, world.order)
    world.let_it_look()
    third = epochs.current()
    assert third.bundle is not after.bundle
    assert all(third.reader._sources[dataset] is source for dataset, source in after.reader._sources.items())


def test_the_log_may_know_of_an_epoch_first(world):
    """What the lock has shown is loaded at once, without waiting for the next look."""
    epochs = world.epochs()
    before = epochs.current()
    sequence = world.suspend(Target.CONSUMER, "tax").number
    assert epochs.current() is before
    epochs.reach(sequence)
    assert epochs.current().sequence == sequence


def test_within_the_interval_the_database_is_left_alone(world, deaf):
    """Calls come by the thousand, looks five times a second."""
    epochs = world.epochs(deaf)
    looks = deaf.looks
    for _ in range(1000):
        epochs.current()
    assert deaf.looks == looks


def test_a_database_that_is_silent_for_a_second_stops_everything(world, deaf):
    """A short silence is forgiven, a longer one is not, and the end of it heals."""
    epochs = world.epochs(deaf)
    deaf.cut = True
    world.clock.pass_by(LONGEST_BLIND)
    assert epochs.current()
    world.clock.pass_by(0.001)
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            epochs.current()
        assert caught.value.reason is Reason.LOG_UNAVAILABLE
    deaf.cut = False
    world.let_it_look()
    assert epochs.current()


def test_one_slow_look_stops_nothing_and_many_do(world, deaf):
    """What was seen too long ago is no answer, so it is looked again, but not for ever."""
    epochs = world.epochs(deaf)
    world.let_it_look()
    deaf.slow = (LONGEST_BLIND + 1, LONGEST_BLIND + 1)
    assert epochs.current()
    world.let_it_look()
    deaf.slow = (LONGEST_BLIND + 1,) * 3
    with pytest.raises(Unavailable) as caught:
        epochs.current()
    assert caught.value.reason is Reason.LOG_UNAVAILABLE


def test_a_thread_that_stood_still_looks_again(world, monkeypatch):
    """Between two of its own steps, and then finds what is known too old: that is no silent database."""
    epochs = world.epochs()

    def age():
        seconds = type(epochs)._age(epochs)
        world.clock.pass_by(stalls.pop() if stalls else 0)
        return seconds

    monkeypatch.setattr(epochs, "_age", age)
    stalls = [LONGEST_BLIND + 1]
    assert epochs.current()
    assert not stalls


def test_a_start_without_a_usable_epoch_is_refused(world):
    """The message says what is wrong, not only that something is."""
    tamper(world, "UPDATE bundle SET content = :bent", bent=b"bent")
    with pytest.raises(SetUpError, match="not the one that its hash names"):
        world.epochs()


@pytest.mark.parametrize("how", ["bundle", "crl", "foreign crl", "older crl", "epoch back", "epoch gone"])
def test_a_tampered_database_stops_everything(world, tmp_path, how):
    """Not the rules, not the list, not the past can be slipped under a worker that runs."""
    old = (world.authority.folder / "crl.pem").read_bytes()
    world.revoke(world.issue("tax", "bad"))
    epochs = world.epochs()
    assert epochs.current().sequence == 2
    move = "UPDATE epoch SET sequence = 3"
    if how == "bundle":
        tamper(world, "INSERT INTO bundle VALUES ('f00d', :content)", content=b"other rules")
        tamper(world, f"{move}, bundle_hash = 'f00d'")
    elif how in ("crl", "foreign crl"):
        pem = b"nonsense" if how == "crl" else Authority.create(tmp_path / "other", "xinghe").crl()
        tamper(world, "INSERT INTO crl VALUES ('999', :pem)", pem=pem)
        tamper(world, f"{move}, crl_number = '999'")
    elif how == "older crl":
        tamper(world, "DELETE FROM crl")
        number = epochs.current().revocations.number - 1
        tamper(world, f"INSERT INTO crl VALUES ('{number}', :pem)", pem=old)
        tamper(world, f"{move}, crl_number = '{number}'")
    elif how == "epoch back":
        tamper(world, "UPDATE epoch SET sequence = 1")
    else:
        tamper(world, "DELETE FROM epoch")
    for _ in range(2):
        world.let_it_look()
        for _ in range(2):  # on each call, not only on the one that looks
            with pytest.raises(Unavailable) as caught:
                epochs.current()
            assert caught.value.reason is Reason.POLICY_UNUSABLE


def test_damage_does_not_make_a_worker_forget(world):
    """After an epoch that it could not use it still refuses to go back, and goes on when that is mended."""
    epochs = world.epochs()
    world.suspend(Target.CONSUMER, "tax")
    world.let_it_look()
    assert epochs.current().sequence == 2
    hash_ = epochs.current().bundle.hash
    tamper(world, "UPDATE epoch SET sequence = 3, bundle_hash = 'f00d'")
    world.let_it_look()
    with pytest.raises(Unavailable):
        epochs.current()
    tamper(world, "UPDATE epoch SET sequence = 1, bundle_hash = :hash", hash=hash_)
    world.let_it_look()
    with pytest.raises(Unavailable):
        epochs.current()
    tamper(world, "UPDATE epoch SET sequence = 3, bundle_hash = :hash", hash=hash_)
    world.let_it_look()
    assert epochs.current().sequence == 3


def test_many_threads_follow_without_a_gap(world, monkeypatch):
    """While epochs move under load nobody fails, and nobody sees one go back."""
    world.in_real_time(monkeypatch)
    epochs = world.epochs()

    def follow(_):
        seen = [epochs.current().sequence]
        while seen[-1] < 4:
            seen.append(epochs.current().sequence)
            time.sleep(0.001)
        return seen

    with ThreadPoolExecutor(4) as pool:
        following = pool.map(follow, range(4))
        for limit in (9, 8, 7):
            before = f"limits: {{rows_per_call: {limit + 1}, subjects_per_call: 4}}"
            files = world.edit(MARRIAGE, before, before.replace(str(limit + 1), str(limit)))
            world.publisher.policy(files, world.order)
        for seen in following:
            assert seen == sorted(seen)


def test_sources_that_no_bundle_names_any_more_are_closed(world):
    """A changed source is opened anew; what was read from before is given back."""
    epochs = world.epochs()
    before = epochs.current().reader._sources["civil_affairs.marriage"]
    closed = []
    before.close = lambda: closed.append(before)
    files = world.edit("catalog/civil_affairs.yaml", "table: hydj", "table: hydj_new")
    world.publisher.policy(files, world.order)
    world.let_it_look()
    assert epochs.current().reader._sources["civil_affairs.marriage"] is not before
    assert closed == [before]


def test_another_store_sees_the_same_epoch(any_world):
    """Workers share nothing but the database."""
    one, other = any_world.epochs(), any_world.epochs(any_world.open_store())
    assert one.current().epoch == other.current().epoch
    open_store(any_world.settings.store_url).close()
