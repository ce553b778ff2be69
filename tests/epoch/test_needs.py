"""The list of needs: what nobody shares yet is refused with a receipt, and the authority learns of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread
from zoneinfo import ZoneInfo

import pytest

from broker import needs
from broker.model import Verdict
from broker.reasons import Reason
from broker.receipt.fsck import open_fsck
from broker.server.bundles import read_files
from tests.epoch.test_streaming import always

UNKNOWN = {"dataset": "datasets/public_security.boat", "fields": ("plate_no", "bought_on")}


def reasons(decision):
    return [why.reason for why in decision.reasons]


def listed(world):
    """(consumer, dataset, applications) of every need, the newest first."""
    found = world.store.needs("", None, 1000)
    return [(one.need.consumer, one.need.dataset, one.applications) for one in found]


def assert_sound(world):
    with open_fsck(world.settings.store_url, world.state, world.log.verifier_key) as check:
        assert list(check.findings()) == []


def test_what_the_catalog_does_not_have_becomes_a_need(any_world):
    """The refusal says why and what happens next; asked for again it is counted, and has its own receipt."""
    worker = any_world.worker()
    requests = [any_world.withdrawal(**UNKNOWN) for _ in range(3)]
    refused = [worker.unary(request, any_world.consumer, always) for request in requests]
    for exchanged in refused:
        assert exchanged.decision.verdict is Verdict.DENY
        assert reasons(exchanged.decision) == [Reason.DATASET_UNKNOWN, Reason.NEED_RECORDED]
    (need,) = any_world.store.needs("", None, 10)
    assert (need.need.consumer, need.need.dataset) == ("housing_fund", "public_security.boat")
    assert (need.need.fields, need.need.purpose) == (("bought_on", "plate_no"), "housing_fund_withdrawal")
    leaves = [exchanged.receipt.leaf_index for exchanged in refused]
    assert (need.applications, need.first_leaf, need.last_leaf) == (3, leaves[0], leaves[-1])
    said = any_world.statements()[leaves[0]]
    assert (said["dataset"], said["provider"]) == ("public_security.boat", "")
    assert len(said["subject_tags"]) == 1
    assert_sound(any_world)


def test_a_stream_can_be_a_need(world):
    """It ends with its opening."""
    worker, request = world.worker(), replace(world.withdrawal(**UNKNOWN), streamed=True)
    (opening,) = worker.stream(request, world.consumer, always)
    assert reasons(opening.decision) == [Reason.DATASET_UNKNOWN, Reason.NEED_RECORDED]
    assert listed(world) == [("housing_fund", "public_security.boat", 1)]


def test_needs_differ_by_who_what_and_what_for(world):
    """Fields in another order are the same need; other subjects, cases and people, too."""
    worker, tax = world.worker(), world.issue("tax")
    for changes in (
        {},
        {"fields": ("bought_on", "plate_no"), "subjects": ("990101189901010015",), "case_no": "2"},
        {"fields": ("plate_no",)},
        {"purpose": "grid_service"},
        {"dataset": "datasets/public_security.bicycle"},
    ):
        worker.unary(world.withdrawal(**UNKNOWN | changes), world.consumer, always)
    worker.unary(world.withdrawal(**UNKNOWN), tax, always)
    assert [applications for _, _, applications in listed(world)] == [1, 1, 1, 1, 2]


def test_a_field_that_is_not_shared_is_a_need(world):
    """The provider keeps it to itself, and may think again."""
    request = world.withdrawal(fields=("status", "updated_at"))
    exchanged = world.worker().unary(request, world.consumer, always)
    assert reasons(exchanged.decision) == [Reason.FIELD_NOT_SHARED, Reason.NEED_RECORDED]
    assert [need.need.cause for need in world.store.needs("", None, 10)] == [Reason.FIELD_NOT_SHARED]


def test_a_dataset_that_nobody_is_permitted_is_a_need(world):
    """While one that others are permitted is not: that is for the provider to decide."""
    stranger = world.issue("tax")
    worker, asked = world.worker(), {"service_item": "", "purpose": "low_income_check"}
    refused = worker.unary(world.withdrawal(**asked), stranger, always)
    assert refused.decision.verdict is Verdict.DENY
    assert listed(world) == []

    for file in (world.policies / "sharing").iterdir():
        file.unlink()
    world.publisher.policy(read_files(world.policies), world.order)
    world.let_it_look()
    refused = worker.unary(world.withdrawal(**asked), stranger, always)
    assert reasons(refused.decision) == [Reason.NOTHING_PERMITS, Reason.NEED_RECORDED]
    assert listed(world) == [("tax", "civil_affairs.marriage", 1)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dataset": "datasets/civil_affairs.adoption", "fields": ("child_name",)}, Reason.DATASET_WITHHELD),
        ({"purpose": "grid_service"}, Reason.SERVICE_ITEM_MISMATCH),
        ({"fields": ("status", "husband_id")}, Reason.FIELD_NOT_PERMITTED),
        (UNKNOWN | {"validate_only": True}, Reason.DATASET_UNKNOWN),
    ],
)
def test_other_refusals_are_no_needs(world, changes, reason):
    """What may not be shared, what others are permitted, and what was only to be validated."""
    exchanged = world.worker().unary(world.withdrawal(**changes), world.consumer, always)
    assert reasons(exchanged.decision) == [reason]
    assert listed(world) == []


def test_a_flood_of_new_needs_ends_until_the_next_day(any_world, monkeypatch):
    """Beyond the day's number a new one is refused without being entered; those on the list still count."""
    monkeypatch.setattr(needs, "MOST_A_DAY", 2)
    local = datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(days=1)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    worker = replace(any_world.worker(), clock=lambda: midnight - timedelta(microseconds=1))

    def ask(number, worker=worker):
        request = any_world.withdrawal(**UNKNOWN | {"dataset": f"datasets/public_security.x{number}"})
        return reasons(worker.unary(request, any_world.consumer, always).decision)

    assert ask(1) == ask(2) == ask(1) == [Reason.DATASET_UNKNOWN, Reason.NEED_RECORDED]
    assert ask(3) == [Reason.DATASET_UNKNOWN, Reason.QUOTA_EXCEEDED]
    assert ask(2) == [Reason.DATASET_UNKNOWN, Reason.NEED_RECORDED]
    tomorrow = replace(worker, clock=lambda: midnight)
    assert ask(3, tomorrow) == [Reason.DATASET_UNKNOWN, Reason.NEED_RECORDED]
    assert [applications for _, _, applications in listed(any_world)] == [1, 2, 2]


def test_needs_of_many_workers_at_once_are_all_counted(any_world):
    """None is lost, and none is on the list twice."""
    workers = [any_world.worker() for _ in range(2)]

    def ask(worker):
        for number in range(10):
            request = any_world.withdrawal(**UNKNOWN | {"dataset": f"datasets/public_security.x{number % 2}"})
            worker.unary(request, any_world.consumer, always)

    threads = [Thread(target=ask, args=(worker,)) for worker in workers for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [applications for _, _, applications in listed(any_world)] == [20, 20]
    assert_sound(any_world)
