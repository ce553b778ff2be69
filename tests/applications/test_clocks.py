"""Which limits run for an application, over stages, extensions, holidays and years without notice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from broker.applications import clocks, steps
from broker.approve.bundle import Bundle, load_bundle
from broker.model import Act, Calendar, FiledApplication, ReviewBy, Stage, State
from tests.applications import making

POLICIES = Path(__file__).parents[2] / "policies"
SHANGHAI = ZoneInfo("Asia/Shanghai")
City = Callable[[str], Bundle]


def at(text: str) -> datetime:
    """An instant of Shanghai."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    """The sample city, with limits of its own where some are written."""

    def make(written: str) -> Bundle:
        folder = Path(shutil.copytree(POLICIES, tmp_path_factory.mktemp("city") / "policies"))
        limits = f'format: share-limits/v1\njurisdictions: {{"990100": {{{written}}}}}\n'
        (folder / "limits.yaml").write_text(limits, "utf-8")
        return load_bundle(folder, lambda *_: None)

    return make


@pytest.fixture(scope="module")
def national(city: City) -> Bundle:
    """The sample city under the national limits."""
    return city("")


def accepted(bundle: Bundle, now: datetime, terms_until: int = 400) -> FiledApplication:
    """One that was filed and accepted at ``now``."""
    draft = making.draft()
    terms = replace(draft.terms, valid_until=now + timedelta(days=terms_until))
    filed = making.consented(replace(draft, terms=terms))
    found = steps.checked(filed, bundle, now)
    assert found.state is State.UNDER_REVIEW
    return found


def due_day(filed: FiledApplication) -> str:
    """The last day in Shanghai."""
    assert filed.due_at is not None
    return str((filed.due_at - timedelta.resolution).astimezone(SHANGHAI).date())


def lived(filed: FiledApplication, bundle: Bundle, days: int) -> list[tuple[Act, str]]:
    """What the broker does by itself in so many days, looked at each hour, with the days it was done on."""
    now, done = filed.steps[-1].at, []
    for _ in range(24 * days):
        now += timedelta(hours=1)
        while (after := steps.due(filed, bundle, now)) is not None:
            filed = after
            done.append((filed.steps[-1].act, str(now.astimezone(SHANGHAI).date())))
    return done


def test_ten_working_days_from_acceptance(national: Bundle) -> None:
    """A conditional dataset is answered within ten working days: over a weekend, the 1st to the 14th."""
    filed = accepted(national, at("2026-11-24T10:00"))
    assert (filed.stage, due_day(filed), filed.due_provisional) == (Stage.ANSWER, "2026-12-08", False)
    assert filed.due_at == at("2026-12-09T00:00")


def test_reminders_then_the_authority(national: Bundle) -> None:
    """Three days and one day before, on the last day, and a missed limit once, at its midnight."""
    filed = accepted(national, at("2026-11-24T10:00"))
    assert lived(filed, national, 40) == [
        (Act.REMIND, "2026-12-03"),
        (Act.REMIND, "2026-12-07"),
        (Act.REMIND, "2026-12-08"),
        (Act.ESCALATE, "2026-12-09"),
    ]


def test_two_stages_have_a_limit_each(city: City) -> None:
    """The authority has two days; with its approval the provider has five, from then on."""
    bundle = city("stages: {conformity: 2, answer: 5}")
    filed = accepted(bundle, at("2026-11-24T10:00"))
    assert (filed.stage, due_day(filed)) == (Stage.CONFORMITY, "2026-11-26")
    checker = making.person("data_authority", "sun")
    now = at("2026-11-25T16:00")
    signed = making.signed_by(checker, filed)
    filed = steps.approved(filed, signed, "", bundle, now)
    assert (filed.steps[-1].act, filed.state) == (Act.ENDORSE, State.UNDER_REVIEW)
    assert (filed.stage, due_day(filed)) == (Stage.ANSWER, "2026-12-02")
    done = steps.approved(
        filed, making.signed_by(making.person("civil_affairs", "zhao"), filed), "", bundle, now
    )
    assert (done.state, done.due_at, done.clock) == (State.APPROVED, None, None)


def test_check_is_never_the_answer(city: City, national: Bundle) -> None:
    """An application that the authority is checking goes on to the provider, also when the two parts were
    taken out of the limits meanwhile."""
    filed = accepted(city("stages: {conformity: 2, answer: 5}"), at("2026-11-24T10:00"))
    signed = making.signed_by(making.person("data_authority", "sun"), filed)
    found = steps.approved(filed, signed, "", national, at("2026-11-25T16:00"))
    assert (found.state, found.stage, due_day(found)) == (State.UNDER_REVIEW, Stage.ANSWER, "2026-12-09")


def test_one_day_where_a_province_says_so(city: City) -> None:
    """Heilongjiang's limit: the next working day; the reminder comes with its beginning."""
    bundle = city("conditional_reply: 1")
    filed = accepted(bundle, at("2026-11-27T18:00"))
    assert due_day(filed) == "2026-11-30"
    assert lived(filed, bundle, 5) == [(Act.REMIND, "2026-11-30"), (Act.ESCALATE, "2026-12-01")]


def test_policy_may_ask_for_less(national: Bundle) -> None:
    """A review within three working days ends before the law's ten; one within twenty does not end later."""
    filed = accepted(national, at("2026-11-24T10:00"))
    for days, last in ((3, "2026-11-27"), (20, "2026-12-08")):
        reviews = (ReviewBy(frozenset({"civil_affairs"}), within_working_days=days),)
        found = clocks.wound(replace(filed, reviews=reviews), national, at("2026-11-24T10:00"))
        assert due_day(found) == last


def test_extension_adds_to_the_limit_that_runs(national: Bundle) -> None:
    """At most ten working days more, counted from the same beginning, whenever the authority consents; an
    overdue one is so no longer."""
    filed = replace(accepted(national, at("2026-11-24T10:00")), overdue=True)
    provider, authority = making.person("civil_affairs"), making.person("data_authority")
    asked = steps.extended(filed, 10, "要核对", provider, national, at("2026-12-08T10:00"))
    assert due_day(asked) == "2026-12-08"
    longer = steps.extended(asked, 0, "", authority, national, at("2026-12-09T10:00"))
    assert (due_day(longer), longer.overdue) == ("2026-12-22", False)
    assert clocks.most_extension(longer, national) == 10


def test_extension_is_no_longer_than_the_jurisdiction_s(city: City) -> None:
    """Five days where it says five; none of the authority's own part."""
    bundle = city("extension: 5, stages: {conformity: 1, answer: 2}")
    filed = accepted(bundle, at("2026-11-24T10:00"))
    assert clocks.most_extension(filed, bundle) == 0
    assert clocks.most_extension(replace(filed, stage=Stage.ANSWER), bundle) == 5


@pytest.mark.parametrize(("written", "last"), [("", None), ("supplement: 3", "2026-11-27")])
def test_nothing_runs_for_reviewers_while_papers_are_missing(
    city: City, written: str, last: str | None
) -> None:
    """What is incomplete was not received. Supplied and filed again it has its whole limit from then on; the
    consumer has one of its own only where the jurisdiction says so."""
    bundle, now = city(written), at("2026-11-24T10:00")
    draft = making.draft()
    returned = steps.checked(
        making.consented(replace(draft, terms=replace(draft.terms, operator=""))), bundle, now
    )
    assert returned.state is State.NEEDS_SUPPLEMENT
    assert (None if returned.due_at is None else due_day(returned)) == last
    later = at("2027-01-04T10:00") - timedelta(days=10)
    supplied = steps.supplemented(returned, making.draft().terms, making.person("housing_fund"), later)
    filed = making.consented(supplied)
    assert filed.due_at is None
    again = steps.checked(filed, bundle, later)
    assert again.clock is not None
    assert again.clock.since == later


# ── years whose notice is not in ─────────────────────────────────────────────────────────────────


def with_calendar(bundle: Bundle, **changes: object) -> Bundle:
    calendar = replace(bundle.catalog.calendar, **changes)  # type: ignore[arg-type]
    return replace(bundle, catalog=replace(bundle.catalog, calendar=calendar))


def test_limit_over_the_new_year_is_provisional_until_the_notice_is_in(national: Bundle) -> None:
    """Counted by the statutory days first; counted again when the year begins, by the notice that has come
    in meanwhile."""
    filed = accepted(national, at("2026-12-25T10:00"))
    assert (due_day(filed), filed.due_provisional) == ("2027-01-11", True)
    assert filed.remind_at == at("2027-01-01T00:00")
    known = with_calendar(
        national,
        years=national.catalog.calendar.years | {2027},
        provisional=frozenset(),
        makeup_days=national.catalog.calendar.makeup_days | {datetime(2027, 1, 9).date()},
    )
    found = steps.due(filed, known, at("2027-01-01T00:00"))
    assert found is not None
    assert (found.steps[-1].act, due_day(found), found.due_provisional) == (Act.REMIND, "2027-01-09", False)


def test_limit_of_an_unknown_year_is_never_called_missed_too_early(national: Bundle) -> None:
    """Counted over a year that the calendar lacks, the earliest end passes without an escalation when the
    notice says that the end is later."""
    blind = with_calendar(national, years=frozenset({2026}), provisional=frozenset())
    filed = accepted(blind, at("2026-12-25T10:00"))
    assert (due_day(filed), filed.due_provisional) == ("2027-01-07", True)
    told = replace(filed, remind_at=None)
    found = steps.due(told, national, at("2027-01-08T01:00"))
    assert found is not None
    assert (found.steps[-1].act, due_day(found), found.overdue) == (Act.REMIND, "2027-01-11", False)
    late = steps.due(told, blind, at("2027-01-08T01:00"))
    assert late is not None
    assert late.steps[-1].act is Act.ESCALATE


def test_without_a_calendar_every_day_counts_but_fixed_holidays(national: Bundle) -> None:
    """A city that has no calendar is told the earliest end and that it may move."""
    none = replace(national, catalog=replace(national.catalog, calendar=Calendar()))
    filed = accepted(none, at("2026-11-24T10:00"))
    assert (due_day(filed), filed.due_provisional) == ("2026-12-04", True)


def test_dataset_and_provider_that_went_away_are_under_the_national_limit(national: Bundle) -> None:
    """A review under way does not fall over when the catalog changes."""
    filed = accepted(national, at("2026-11-24T10:00"))
    bare = replace(national, catalog=replace(national.catalog, datasets={}, departments={}, limits={}))
    assert due_day(clocks.reminded(filed, bare, at("2026-11-25T10:00"))) == "2026-12-08"
    assert clocks.stages(filed, bare) == (Stage.ANSWER,)


def test_grant_ends_at_its_first_instant_after(national: Bundle) -> None:
    """Not a moment before ``valid_until``, and at it."""
    filed = accepted(national, at("2026-11-24T10:00"), terms_until=30)
    active = replace(filed, state=State.ACTIVE, stage=None, **clocks.STOPPED)
    until = active.terms.valid_until
    assert until is not None
    assert steps.due(active, national, until - timedelta.resolution) is None
    ended = steps.due(active, national, until)
    assert ended is not None
    assert ended.state is State.EXPIRED
