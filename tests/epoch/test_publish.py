"""Acts that move the epoch: what they check, and what they leave in the log."""

import hashlib
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from broker.errors import SetUpError, VerificationFailed
from broker.keys.authority import Authority
from broker.model import Target
from broker.publish import MAX_TEXT, Order
from broker.receipt.note import parse_checkpoint, verify_note
from broker.receipt.statement import instant
from broker.server.bundles import read_files
from broker.server.parts import begin_epoch
from broker.settings import Policies
from broker.store import migrate, open_store

LIMITS = "limits: {rows_per_call: 10, subjects_per_call: 4}"
MARRIAGE = "sharing/civil-affairs-marriage.yaml"


def in_force(world):
    with world.store.epochs() as tables:
        return tables.epoch()


def untouched(world, act, error, match):
    """That ``act`` is refused and neither epoch nor log has moved."""
    before = in_force(world), world.store.head()
    with pytest.raises(error, match=match):
        act()
    assert (in_force(world), world.store.head()) == before


def test_first_start_publishes_what_the_settings_name(any_world):
    """The folder and the list become epoch 1, once, with a leaf behind the genesis leaf."""
    epoch = in_force(any_world)
    genesis, began = any_world.statements()
    assert genesis["kind"] == "genesis"
    assert (began["kind"], began["act"], began["epoch"]) == ("epoch", "begin", 1)
    assert (began["bundle"], began["crl"]["number"]) == (epoch.bundle_hash, str(epoch.crl_number))
    begin_epoch(any_world.settings, any_world.store, any_world.publisher)
    assert in_force(any_world) == epoch
    crl = (any_world.authority.folder / "crl.pem").read_bytes()
    files = read_files(any_world.policies)
    assert not any_world.publisher.begin(files, crl, epoch.key, any_world.order)
    assert began["key"] == {"version": 1, "fingerprint": epoch.key.fingerprint}


def test_policy_is_published_whole_with_a_leaf_that_says_so(any_world):
    """Epoch, bundle and leaf come in one transaction; the packed bytes are what the hash covers."""
    files = any_world.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}")
    moved = any_world.publisher.policy(files, any_world.order)
    assert in_force(any_world) == moved.after
    assert moved.after.sequence == moved.before.sequence + 1
    assert moved.after.bundle_hash != moved.before.bundle_hash
    with any_world.store.epochs() as tables:
        assert hashlib.sha256(tables.bundle(moved.after.bundle_hash)).hexdigest() == moved.after.bundle_hash
    said = any_world.statements()[moved.leaf_index]
    assert (said["act"], said["epoch"], said["bundle"]) == ("policy", 2, moved.after.bundle_hash)
    assert (said["actor"], said["reason"]) == ("tester", "a test")
    assert said["recorded_at"] == instant(moved.after.since)


def test_publishing_again_does_nothing_and_an_older_policy_may_return(any_world):
    """To go back is a new epoch under the old hash."""
    first = in_force(any_world)
    original = read_files(any_world.policies)
    files = any_world.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}")
    assert any_world.publisher.policy(files, any_world.order).leaf_index is not None
    again = any_world.publisher.policy(files, any_world.order)
    assert (again.before, again.leaf_index) == (again.after, None)
    back = any_world.publisher.policy(original, any_world.order).after
    assert (back.sequence, back.bundle_hash) == (3, first.bundle_hash)


@pytest.mark.parametrize(
    ("file", "before", "after", "match"),
    [
        (MARRIAGE, "effect: permit", "effect: perhaps", "problem"),
        (MARRIAGE, "registered_on: year", "registered_on: {no_such: {}}", "problem"),
        ("city.yaml", "city: xinghe", "city: elsewhere", "another city"),
        ("catalog/civil_affairs.yaml", "kind: sql", "kind: gopher", "not installed"),
    ],
)
def test_bundle_that_cannot_be_used_is_refused_and_nothing_changes(world, file, before, after, match):
    """A rule, a mask, a city, a source that is wrong: the old epoch goes on."""
    files = world.edit(file, before, after)
    untouched(world, lambda: world.publisher.policy(files, world.order), SetUpError, match)


def test_older_and_foreign_lists_are_refused(any_world, tmp_path):
    """A list replayed, of another authority, or outside its dates cannot bring a certificate back."""
    old = (any_world.authority.folder / "crl.pem").read_bytes()
    any_world.revoke(any_world.issue("tax", "bad"))
    stranger = Authority.create(tmp_path / "stranger", "xinghe")
    for pem, error, match in (
        (old, SetUpError, "not newer"),
        (stranger.crl(), VerificationFailed, "not signed by the authority"),
        (b"nonsense", VerificationFailed, "revocation list"),
    ):
        untouched(
            any_world, lambda pem=pem: any_world.publisher.revocations(pem, any_world.order), error, match
        )
    same = any_world.publisher.revocations(
        (any_world.authority.folder / "crl.pem").read_bytes(), any_world.order
    )
    assert same.leaf_index is None


def test_newer_list_in_the_file_is_published_at_start_and_an_older_one_is_not(world):
    """A start can only add revocations."""
    file = world.authority.folder / "crl.pem"
    old, before = file.read_bytes(), in_force(world)
    new = world.authority.crl()
    begin_epoch(world.settings, world.store, world.publisher)
    assert in_force(world).crl_number == before.crl_number + 1
    for content in (old, b"nonsense"):
        file.write_bytes(content)
        begin_epoch(world.settings, world.store, world.publisher)
        assert in_force(world).sequence == before.sequence + 1
    file.write_bytes(new)


def test_draft_in_the_folder_is_told_of_and_not_published(world):
    """Somebody may believe that what stands in the folder is in force; both languages say that it is not."""
    before = in_force(world)
    with capture_logs() as quiet:
        begin_epoch(world.settings, world.store, world.publisher)
    assert quiet == []
    world.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}")
    drafted = world.settings.model_copy(update={"policies": Policies(folder=world.policies)})
    with capture_logs() as logs:
        begin_epoch(drafted, world.store, world.publisher)
    (warning,) = logs
    assert warning["event"] == "draft_not_published"
    assert "草稿" in warning["zh"]
    assert "draft" in warning["en"]
    assert warning["draft"] != warning["in_force"] == before.bundle_hash
    assert in_force(world) == before


@pytest.mark.parametrize(
    ("target", "name", "party"),
    [
        (Target.CONSUMER, "tax", ("tax", "", "", "")),
        (Target.DATASET, "tax.income", ("", "tax", "tax.income", "")),
        (Target.PURPOSE, "grid_service", ("", "", "", "grid_service")),
        (Target.EVERYTHING, "", ("", "", "", "")),
    ],
)
def test_suspension_and_lifting_leave_leaves_for_those_they_concern(world, target, name, party):
    """Whom it stops can read why; both acts name the suspension."""
    suspension, moved = world.publisher.suspend(target, name, world.order)
    assert suspension.number == moved.after.sequence
    entry = world.store.leaf(moved.leaf_index).entry
    assert (entry.consumer, entry.provider, entry.dataset, entry.purpose) == party
    lifted, lifting = world.publisher.lift(suspension.number, Order("other", "over"))
    assert lifted == replace(suspension, lifted=lifting.after.sequence)
    said = world.statements()[-2:]
    about = {"number": suspension.number, "target": target, "name": name}
    assert [s["suspension"] for s in said] == [about, about]
    assert [(s["act"], s["actor"], s["epoch"]) for s in said] == [
        ("suspend", "tester", moved.after.sequence),
        ("lift", "other", lifting.after.sequence),
    ]
    untouched(world, lambda: world.publisher.lift(suspension.number, world.order), SetUpError, "in force")


@pytest.mark.parametrize("target", [Target.CONSUMER, Target.DATASET, Target.PURPOSE])
def test_suspension_of_an_unknown_name_is_refused(world, target):
    """A kill switch with a slip of the keyboard would stop nothing, and somebody would rely on it."""
    untouched(world, lambda: world.publisher.suspend(target, "txa", world.order), SetUpError, "has no")


def test_acts_need_neither_broker_nor_signer_and_are_signed_later(world):
    """Stopping works when little else does; the head over the leaf is signed with the next batch."""

    def signed():
        return parse_checkpoint(verify_note(world.log.checkpoint(), world.log.verifier_key)).size

    before = signed()
    world.suspend(Target.EVERYTHING)
    assert signed() == before
    world.worker().unary(world.withdrawal(), world.consumer, lambda: True)
    assert signed() == world.store.head().size


def test_nothing_is_published_before_the_first_start(world, tmp_path):
    """Without a log there is nothing to record an act in."""
    url = f"sqlite:///{tmp_path}/empty.db"
    migrate(url)
    store = open_store(url)
    world.closing.callback(store.close)
    world.publisher.store = store
    with pytest.raises(SetUpError, match="start the broker once"):
        world.publisher.suspend(Target.EVERYTHING, "", world.order)
    assert store.head().size == 0


@pytest.mark.parametrize("order", [("", "why"), ("who", "x" * (MAX_TEXT + 1)), ("who", "a\u0000b")])
def test_an_order_names_somebody_in_visible_characters(order):
    """Actor and reason stand in the log for years."""
    with pytest.raises(SetUpError, match="Name who orders it"):
        Order(*order)
