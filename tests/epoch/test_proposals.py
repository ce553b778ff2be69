"""Policy by two officers: who may propose, approve and publish what, and what the workers make of it."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import delete, update
from structlog.testing import capture_logs

from broker.approve.files import MANIFEST, bundle_hash, pack, unpack
from broker.cli.status import approval_status
from broker.errors import (
    BrokerError,
    Changed,
    Conflict,
    MalformedRequest,
    NotApproved,
    NotAuthorised,
    NotFound,
    SetUpError,
    Unavailable,
)
from broker.keys.journal import RevocationReason
from broker.model import Verdict
from broker.proposals import Draft, State
from broker.publication.manifest import Manifest, manifest_of
from broker.publication.responsibility import Handover
from broker.publication.scrutiny import Change
from broker.publish import Order
from broker.reasons import Reason
from broker.server.bundles import read_files
from broker.store.tables import APPROVAL, PROPOSAL

LIMITS = "limits: {rows_per_call: 10, subjects_per_call: 4}"
MARRIAGE = "sharing/civil-affairs-marriage.yaml"
CATALOG = "catalog/civil_affairs.yaml"
PROFILES = "masking-profiles.yaml"
WHOLE = "sharing/data-authority-whole.yaml"
ORDER = Order("tester", "a test")


@pytest.fixture
def city(officers_world):
    """A world with the authority's officer and two of civil affairs, where nothing is approved yet."""
    world = officers_world
    world.drafter = world.officer("data_authority", "drafter")
    world.first, world.second = world.officer("civil_affairs"), world.officer("civil_affairs", "second")
    return world


@pytest.fixture
def approved(city):
    """As ``city``, where civil affairs has approved its files, and they are in force."""
    considered = city.first.approve(city.drafter.propose(read_files(city.policies)))
    city.moved = city.proposals.publish(considered.proposal.number, ORDER)
    return city


def verdict(world, worker):
    """What the housing fund is told about a marriage."""
    world.let_it_look()
    return worker.unary(world.withdrawal(), world.consumer, lambda: True).decision.verdict


def refused(act, error, reason):
    """That ``act`` fails so."""
    with pytest.raises(error) as caught:
        act()
    assert caught.value.reason is reason
    return caught.value


def state_of(considered):
    return {need.file: (need.change, need.approved) for need in considered.needs}


def test_nothing_is_permitted_until_officers_have_approved(city):
    """The first epoch comes from a folder that nobody has signed for: what it permits does not speak."""
    worker = city.worker()
    assert verdict(city, worker) is Verdict.DENY
    considered = city.drafter.propose(read_files(city.policies))
    assert considered.state is State.OPEN
    assert not any(need.required for need in considered.needs)
    city.proposals.publish(city.first.approve(considered).proposal.number, ORDER)
    assert verdict(city, worker) is Verdict.PERMIT
    assert verdict(city, city.worker()) is Verdict.PERMIT


def test_folder_cannot_be_published_by_one_person(city):
    """Whoever may use the database is told what to do instead."""
    with pytest.raises(SetUpError, match="two officers"):
        city.publisher.policy(read_files(city.policies), ORDER)


def test_change_is_published_with_a_leaf_that_names_who_approved_it(approved):
    """Leaf and history say what it follows, who proposed, and the digests of what was signed."""
    files = approved.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}")
    considered = approved.drafter.propose(files, "fewer rows")
    assert state_of(considered)[MARRIAGE] == (Change.CHANGED, False)
    assert [need.file for need in considered.missing] == [MARRIAGE]
    error = refused(
        lambda: approved.proposals.publish(considered.proposal.number, ORDER),
        NotApproved,
        Reason.NOT_APPROVED,
    )
    assert error.about == MARRIAGE
    considered = approved.second.approve(considered)
    assert considered.state is State.APPROVED
    moved = approved.proposals.publish(considered.proposal.number, ORDER)
    said = approved.statements()[moved.leaf_index]["publication"]
    (approval,) = considered.approvals
    assert said == {
        "sequence": 3,
        "previous": approved.moved.after.bundle_hash,
        "proposal": considered.proposal.number,
        "proposer": approved.drafter.identity.uri,
        "approvals": [{"officer": approved.second.identity.uri, "digest": approval.digest.hex()}],
    }
    with approved.store.epochs() as tables:
        history = tables.proposals.publications(None, 10)
    assert [one.sequence for one in history] == [3, 2, 1]
    assert [one.proposal for one in history] == [2, 1, None]
    assert history[0].bundle_hash == moved.after.bundle_hash == considered.proposal.bundle_hash
    assert approved.proposals.consider(considered.proposal.number).state is State.PUBLISHED


def test_approval_of_a_file_that_stays_carries_over(approved):
    """A change to one file leaves the standing approvals of the others."""
    worker = approved.worker()
    tax = approved.officer("tax")
    files = approved.edit("sharing/tax-income.yaml", "rows_per_call: ", "rows_per_call: 1")
    considered = approved.drafter.propose(files)
    assert state_of(considered)[MARRIAGE] == (Change.UNCHANGED, True)
    approved.proposals.publish(tax.approve(considered).proposal.number, ORDER)
    assert verdict(approved, worker) is Verdict.PERMIT


def test_rules_about_a_changed_catalog_must_be_approved_again(approved):
    """Another catalog gives a rule another meaning."""
    files = approved.edit(CATALOG, "title: 婚姻登记信息", "title: 新的标题")
    considered = approved.drafter.propose(files)
    assert state_of(considered)[CATALOG] == (Change.CHANGED, False)
    assert state_of(considered)[MARRIAGE] == (Change.AFFECTED, False)
    considered = approved.first.approve(considered, only={CATALOG})
    assert [need.file for need in considered.missing] == [MARRIAGE]
    assert approved.first.approve(considered).state is State.APPROVED


def test_rule_about_a_category_that_grew_must_be_approved_again(city):
    """What was approved did not speak of the dataset that has joined since, by another catalog file."""
    considered = city.first.approve(city.drafter.propose(read_files(city.policies)))
    authority = city.officer("data_authority", "second")
    city.proposals.publish(authority.approve(considered).proposal.number, ORDER)
    assert WHOLE in city.epochs().current().standing
    considered = city.drafter.propose(city.edit(CATALOG, "category: population", "category: asset"))
    assert state_of(considered)[WHOLE] == (Change.AFFECTED, False)
    considered = city.first.approve(considered)
    assert [need.file for need in considered.missing] == [WHOLE]
    city.proposals.publish(authority.approve(considered).proposal.number, ORDER)
    assert WHOLE in city.epochs().current().standing


def test_rules_whose_words_for_masks_mean_something_else_must_be_approved_again(approved):
    """The authority alone cannot weaken the masks of a department that wrote them as words."""
    files = approved.edit(PROFILES, "{partial: {keep_start: 1, keep_end: 1}}", "{partial: {keep_start: 17}}")
    considered = approved.drafter.propose(files)
    assert state_of(considered)[PROFILES] == (Change.CHANGED, False)
    assert state_of(considered)[MARRIAGE] == (Change.AFFECTED, False)
    assert state_of(considered)["sharing/tax-income.yaml"] == (Change.UNCHANGED, False)
    considered = approved.officer("data_authority", "second").approve(considered)
    assert MARRIAGE in [need.file for need in considered.missing]
    assert MARRIAGE not in [need.file for need in approved.first.approve(considered).missing]


def test_a_floor_is_not_taken_from_under_a_default_permit(city):
    """The authority alone cannot have a department's open data go out with less of a mask."""
    city.edit(CATALOG, "sharing_attribute: withheld", "sharing_attribute: unconditional")
    considered = city.first.approve(city.drafter.propose(read_files(city.policies)))
    city.proposals.publish(considered.proposal.number, ORDER)
    assert CATALOG in city.epochs().current().standing
    considered = city.drafter.propose(city.edit("masking.yaml", "floors: {L4: predicate}", ""))
    assert state_of(considered)[CATALOG] == (Change.AFFECTED, False)
    considered = city.officer("data_authority", "second").approve(considered)
    assert CATALOG in [need.file for need in considered.missing]


def test_earlier_approval_of_a_removal_removes_nothing_else(approved):
    """A file that has come back with another text does not go by one officer alone."""
    files = read_files(approved.policies)
    rest = {file: content for file, content in files.items() if file != MARRIAGE}
    gone = approved.first.approve(approved.drafter.propose(rest))
    approved.proposals.publish(gone.proposal.number, ORDER)
    stricter = {**rest, MARRIAGE: files[MARRIAGE] + b"# stricter\n"}
    back = approved.first.approve(approved.drafter.propose(stricter))
    approved.proposals.publish(back.proposal.number, ORDER)
    again = approved.second.propose(rest)
    assert state_of(again)[MARRIAGE] == (Change.REMOVED, False)
    assert approved.first.approve(again).state is State.APPROVED


@pytest.mark.parametrize("thief", ["first", "drafter"])
def test_nothing_is_published_by_a_stolen_key(approved, thief):
    """Neither an approval nor a proposal that it signed brings anything into force once it is revoked."""
    files = read_files(approved.policies)
    del files[MARRIAGE]
    considered = approved.first.approve(approved.drafter.propose(files))
    assert considered.state is State.APPROVED
    serial = f"{getattr(approved, thief).identity.serial:x}"
    approved.authority.revoke(serial, RevocationReason.KEY_COMPROMISE)
    approved.publisher.revocations((approved.authority.folder / "crl.pem").read_bytes(), ORDER)
    refused(
        lambda: approved.proposals.publish(considered.proposal.number, ORDER),
        NotApproved,
        Reason.NOT_APPROVED,
    )


def test_base_files_are_the_authoritys(approved):
    """Nobody else may say which departments there are, nor whose the authority is."""
    files = approved.edit("departments.yaml", "title: 政务数据管理局", "title: 数据局")
    considered = approved.first.propose(files)
    refused(
        lambda: approved.second.approve(considered, **cover(considered, "departments.yaml")),
        NotAuthorised,
        Reason.NOT_RESPONSIBLE,
    )
    assert approved.drafter.approve(considered).state is State.APPROVED


def cover(considered, file):
    """An approval's files: that one, whoever signs."""
    return {"files": {need.file: need.covered for need in considered.needs if need.file == file}}


def test_owner_in_the_old_text_and_in_the_new_must_approve(approved):
    """Nobody takes over another's rules, nor is given them unasked."""
    text = (approved.policies / MARRIAGE).read_bytes()
    files = {
        **read_files(approved.policies),
        MARRIAGE: text.replace(b"owner: civil_affairs", b"owner: data_authority"),
    }
    demands = Handover.of(read_files(approved.policies), files).demands(MARRIAGE)
    assert demands == (frozenset({"civil_affairs"}), frozenset({"data_authority"}))


@pytest.mark.parametrize("department", ["tax", "data_authority"])
def test_other_departments_cannot_approve(approved, department):
    """Not even the authority, which may draft for a department."""
    files = approved.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}")
    considered = approved.first.propose(files)
    other = approved.officer(department, "other")
    error = refused(
        lambda: other.approve(considered, **cover(considered, MARRIAGE)),
        NotAuthorised,
        Reason.NOT_RESPONSIBLE,
    )
    assert error.about == MARRIAGE


def test_same_person_cannot_propose_and_approve(approved):
    """Two certificates of one officer are one officer."""
    files = approved.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}")
    considered = approved.first.propose(files)
    for same in (approved.first, approved.officer("civil_affairs", "first")):
        refused(lambda same=same: same.approve(considered), NotAuthorised, Reason.SAME_PERSON)


def test_signature_must_be_the_callers_of_now_and_of_this(approved):
    """A message replayed, borrowed, dated otherwise, too long in force or over other files is refused."""
    files = approved.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}")
    considered = approved.drafter.propose(files)
    first, number = approved.first, considered.proposal.number
    (need,) = considered.missing
    other = dataclasses.replace(need.covered, digest=b"x" * 32)
    unbased = dataclasses.replace(need.covered, basis={})
    for message in (
        approved.second.sign_approval(considered),
        first.sign_approval(considered, at=approved.now() - timedelta(hours=1)),
        first.sign_approval(considered, days=366),
        first.sign_approval(considered, days=0),
        first.sign_approval(considered, bundle="a" * 64),
        first.sign_approval(considered, files={MARRIAGE: other}),
        first.sign_approval(considered, files={MARRIAGE: unbased}),
        first.sign_proposal(files),
        b"nonsense",
    ):
        refused(
            lambda message=message: approved.proposals.approve(number, message, first.identity),
            MalformedRequest,
            Reason.SIGNATURE_INVALID,
        )
    assert approved.proposals.consider(number).approvals == ()


def test_proposal_must_be_sound_and_follow_what_is_in_force(approved):
    """What does not load, holds other files, or follows another bundle is not taken."""
    files = read_files(approved.policies)
    manifest = approved.proposals.next_manifest()
    for wrong, error, reason in (
        (files, MalformedRequest, Reason.BUNDLE_MALFORMED),
        (manifest.among({**files, "notes.txt": b""}), MalformedRequest, Reason.BUNDLE_MALFORMED),
        (manifest.among({**files, MARRIAGE: b"rules: 1"}), MalformedRequest, Reason.BUNDLE_MALFORMED),
        ({**files, MANIFEST: b"{}"}, MalformedRequest, Reason.BUNDLE_MALFORMED),
        (Manifest(7, manifest.previous).among(files), Changed, Reason.PROPOSAL_STALE),
        (Manifest(manifest.sequence, "a" * 64).among(files), Changed, Reason.PROPOSAL_STALE),
    ):
        draft = Draft(wrong, approved.first.sign_proposal(wrong), {})
        refused(lambda draft=draft: approved.proposals.propose(draft, approved.first.identity), error, reason)
    sound = manifest.among(files)
    stolen = Draft(sound, approved.second.sign_proposal(sound), {})
    refused(
        lambda: approved.proposals.propose(stolen, approved.first.identity),
        MalformedRequest,
        Reason.SIGNATURE_INVALID,
    )
    with approved.store.epochs() as tables:
        assert [one.number for one in tables.proposals.proposals(None, 10)] == [1]


def test_same_proposal_again_is_the_same_and_anothers_is_told_of(approved):
    """A retry changes nothing; a second officer is sent to the proposal that there is."""
    files = approved.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}")
    one = approved.first.propose(files)
    assert approved.first.propose(files).proposal == one.proposal
    error = refused(lambda: approved.second.propose(files), Conflict, Reason.PROPOSAL_EXISTS)
    assert error.about == str(one.proposal.number)


def test_stale_proposal_can_be_neither_approved_nor_published(approved):
    """Of two proposals that follow one bundle, one can come into force."""
    files = read_files(approved.policies)
    one = approved.drafter.propose(approved.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}"))
    other = approved.drafter.propose({**files, CATALOG: files[CATALOG] + b"# more\n"})
    one, other = approved.first.approve(one), approved.first.approve(other)
    approved.proposals.publish(one.proposal.number, ORDER)
    stale = approved.proposals.consider(other.proposal.number)
    assert stale.state is State.STALE
    refused(lambda: approved.proposals.publish(other.proposal.number, ORDER), Changed, Reason.PROPOSAL_STALE)
    refused(lambda: approved.second.approve(stale), Changed, Reason.PROPOSAL_STALE)
    refused(lambda: approved.proposals.publish(one.proposal.number, ORDER), Changed, Reason.PROPOSAL_STALE)
    refused(lambda: approved.proposals.consider(99), NotFound, Reason.RESOURCE_NOT_FOUND)


def test_of_many_publishers_at_once_exactly_one_wins(any_world):
    """The log's lock decides; the others learn that something else is in force."""
    world = any_world
    drafter, first = world.officer("data_authority"), world.officer("civil_affairs")
    files = read_files(world.policies)
    numbers = [
        first.approve(
            drafter.propose({**files, MARRIAGE: files[MARRIAGE] + b"#" * n + b"\n"})
        ).proposal.number
        for n in range(1, 4)
    ]
    start, outcomes = threading.Barrier(6), []

    def publish(number):
        start.wait()
        try:
            outcomes.append(world.proposals.publish(number, ORDER).after.sequence)
        except BrokerError as error:
            outcomes.append(error.reason)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(publish, numbers * 2))
    assert sorted(outcomes, key=str) == [2] + [Reason.PROPOSAL_STALE] * 5


def test_expired_approval_stops_permitting_at_that_instant(city):
    """Without anybody doing anything; a new approval brings the permit back."""
    until = timedelta(hours=3)
    considered = city.drafter.propose(read_files(city.policies))
    city.proposals.publish(city.first.approve(considered, days=0.125).proposal.number, ORDER)
    worker = city.worker()
    assert verdict(city, worker) is Verdict.PERMIT
    city.ahead = until + timedelta(seconds=1)
    assert verdict(city, worker) is Verdict.DENY
    again = city.drafter.propose(read_files(city.policies))
    assert state_of(again)[MARRIAGE] == (Change.UNCHANGED, False)
    city.proposals.publish(city.first.approve(again).proposal.number, ORDER)
    assert verdict(city, worker) is Verdict.PERMIT


def test_removal_is_approved_by_the_owner(approved):
    """A file that goes needs its owner as much as one that comes."""
    files = read_files(approved.policies)
    del files["sharing/tax-income.yaml"]
    considered = approved.drafter.propose(files)
    assert state_of(considered)["sharing/tax-income.yaml"] == (Change.REMOVED, False)
    considered = approved.officer("tax").approve(considered)
    assert approved.proposals.publish(considered.proposal.number, ORDER).after.sequence == 3


def test_owners_two_people_bring_an_earlier_text_back_without_new_approval(approved):
    """Who approved it before is one of them, who rolls back the other; anybody else needs a new approval."""
    before = read_files(approved.policies)
    edited = approved.first.approve(
        approved.drafter.propose(approved.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}"))
    )
    approved.proposals.publish(edited.proposal.number, ORDER)

    def back(officer, reason):
        files = approved.proposals.next_manifest().among(before)
        old = approved.moved.after.bundle_hash
        return approved.proposals.rollback(old, officer.sign_proposal(files, reason), officer.identity)

    assert back(approved.drafter, "by another department").state is State.OPEN
    refused(lambda: back(approved.second, "the same"), Conflict, Reason.PROPOSAL_EXISTS)


def test_rollback_by_a_second_officer_of_the_owner_needs_nobody_else(approved):
    """The approval that stands and the officer who rolls back are two people."""
    before = read_files(approved.policies)
    worker = approved.worker()
    edited = approved.drafter.propose(approved.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}"))
    approved.proposals.publish(approved.first.approve(edited).proposal.number, ORDER)
    files = approved.proposals.next_manifest().among(before)
    old = approved.moved.after.bundle_hash
    back = approved.proposals.rollback(old, approved.second.sign_proposal(files), approved.second.identity)
    assert back.state is State.APPROVED
    approved.proposals.publish(back.proposal.number, ORDER)
    assert verdict(approved, worker) is Verdict.PERMIT
    assert verdict(approved, approved.worker()) is Verdict.PERMIT


def test_owner_is_warned_thirty_days_before(city):
    """Each process says so once a day; status lists the same, and what has no approval at all."""
    considered = city.drafter.propose(read_files(city.policies))
    city.proposals.publish(city.first.approve(considered, days=29).proposal.number, ORDER)
    with capture_logs() as logs:
        epochs = city.epochs()
        city.let_it_look()
        epochs.current()
    told = {entry["file"]: entry for entry in logs if entry["event"] == "standing_approval_ends"}
    assert len(told) == len([e for e in logs if e["event"] == "standing_approval_ends"])
    assert (told[MARRIAGE]["owner"], told[MARRIAGE]["log_level"]) == ("civil_affairs", "warning")
    assert told["sharing/tax-income.yaml"]["until"] is None
    listed = approval_status(city.store, city.settings)
    assert listed["by"] == "officers"
    assert {one["file"]: one["until"] for one in listed["ending"]} == {
        file: entry["until"] for file, entry in told.items()
    }


# ── whoever can write to the database ────────────────────────────────────────────────────────────


def force(world, files, proposal=None):
    """Puts a bundle in force by writing to the database, without asking anybody."""
    with world.store.append_transaction() as transaction:
        tables = transaction.epochs
        tables.keep_bundle(bundle_hash(files), pack(files))
        if proposal is not None:
            tables.proposals.keep_proposal(proposal(tables.proposals.next_number()))
        epoch = tables.epoch()
        tables.move(dataclasses.replace(epoch, sequence=epoch.sequence + 1, bundle_hash=bundle_hash(files)))


def unusable(world, worker):
    world.let_it_look()
    refused(lambda: verdict(world, worker), Unavailable, Reason.POLICY_UNUSABLE)
    with pytest.raises(SetUpError):
        world.worker()


def test_workers_refuse_a_bundle_that_only_the_database_says_was_approved(approved):
    """Neither a bundle without signatures, nor one that a single officer signed twice, is used."""
    worker = approved.worker()
    wide = approved.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9999}")
    considered = approved.first.propose(wide)
    own = approved.first.sign_approval(considered)
    with approved.store.append_transaction() as transaction:
        transaction.epochs.proposals.keep_approval(
            considered.proposal.bundle_hash, approved.now() + timedelta(days=1), own
        )
    assert approved.proposals.consider(considered.proposal.number).state is State.OPEN
    force(approved, approved.proposals.next_manifest().among(wide))
    unusable(approved, worker)


def test_workers_refuse_an_approval_under_an_altered_signature(approved):
    """A byte changed in the approval of what is in force, and it is no longer one."""
    with approved.store.append_transaction() as transaction:
        connection = transaction.connection
        ((message, _),) = transaction.epochs.proposals.approvals(approved.now())
        bent = message[:-1] + bytes([message[-1] ^ 1])
        connection.execute(update(APPROVAL).values(signed=bent))
    with pytest.raises(SetUpError, match="nobody approved it"):
        approved.worker()


def test_workers_do_without_permits_when_the_signatures_are_gone(approved):
    """What is left unsigned permits nothing; a proposal without its signature makes the bundle unusable."""
    with approved.store.append_transaction() as transaction:
        transaction.connection.execute(delete(PROPOSAL))
    with pytest.raises(SetUpError, match="not approved by two officers"):
        approved.worker()


def test_unsigned_bundle_in_the_place_of_an_approved_one_permits_nothing(approved):
    """One without a manifest counts as the first: its permits do not speak, though they were approved."""
    worker = approved.worker()
    force(approved, read_files(approved.policies))
    assert verdict(approved, worker) is Verdict.DENY
    assert verdict(approved, approved.worker()) is Verdict.DENY


def test_earlier_approved_bundle_cannot_come_back(approved):
    """Its sequence lies behind that of the bundle which the worker knows."""
    edited = approved.drafter.propose(approved.edit(MARRIAGE, LIMITS, "limits: {rows_per_call: 9}"))
    approved.proposals.publish(approved.first.approve(edited).proposal.number, ORDER)
    worker = approved.worker()
    with approved.store.append_transaction() as transaction:
        epoch = transaction.epochs.epoch()
        old = approved.moved.after.bundle_hash
        transaction.epochs.move(dataclasses.replace(epoch, sequence=epoch.sequence + 1, bundle_hash=old))
    refused(lambda: verdict(approved, worker), Unavailable, Reason.POLICY_UNUSABLE)


def test_approval_by_a_stolen_key_stops_standing(approved):
    """Revoked for another reason, what the officer approved stands."""
    worker = approved.worker()
    serial = f"{approved.second.identity.serial:x}"
    approved.authority.revoke(serial, RevocationReason.CESSATION_OF_OPERATION)
    approved.publisher.revocations((approved.authority.folder / "crl.pem").read_bytes(), ORDER)
    assert verdict(approved, worker) is Verdict.PERMIT
    stolen = f"{approved.first.identity.serial:x}"
    approved.authority.revoke(stolen, RevocationReason.KEY_COMPROMISE)
    approved.publisher.revocations((approved.authority.folder / "crl.pem").read_bytes(), ORDER)
    assert verdict(approved, worker) is Verdict.DENY


def test_worker_follows_several_bundles_at_once(approved):
    """Each step between what it knew and what is in force is verified."""
    worker = approved.worker()
    assert verdict(approved, worker) is Verdict.PERMIT
    for rows in (9, 8, 7):
        text = (approved.policies / MARRIAGE).read_bytes() + b"# %d\n" % rows
        (approved.policies / MARRIAGE).write_bytes(text)
        considered = approved.first.approve(approved.drafter.propose(read_files(approved.policies)))
        moved = approved.proposals.publish(considered.proposal.number, ORDER)
    assert verdict(approved, worker) is Verdict.PERMIT
    with approved.store.epochs() as tables:
        packed = tables.bundle(moved.after.bundle_hash)
    assert manifest_of(unpack(packed, moved.after.bundle_hash)).sequence == 5
