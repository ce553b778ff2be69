"""Applications as officers write them: what is written, what stays, and which days are meant."""

import hashlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from broker.approve.problem import PolicyProblems
from broker.authoring.filing import Draft, Names, read_draft, terms
from broker.errors import SetUpError
from broker.model import RowScope, SharingMode

NAMES = Names(
    {"civil_affairs.marriage": "婚姻登记信息", "tax.income": "个人所得税申报信息"},
    {
        "civil_affairs.marriage": {
            "status": "婚姻状态",
            "registered_on": "结婚登记日期",
            "district": "所属区划",
        }
    },
    {"housing_fund_withdrawal": "住房公积金提取"},
    ZoneInfo("Asia/Shanghai"),
)
WRITTEN = """\
format: share-application/v1
dataset: 婚姻登记信息
fields: [status, 结婚登记日期]
purpose: 住房公积金提取
subjects: all
rows: {所属区划: ["990102", "990101"]}
mode: batch
rows_per_call: 20
from: "2026-12-01"
until: "2026-12-31"
papers: {letter: letter.txt}
"""


@pytest.fixture
def written(tmp_path):
    file = tmp_path / "application.yaml"
    file.write_text(WRITTEN, "utf-8")
    (tmp_path / "letter.txt").write_bytes(b"letter")
    return file


def test_names_become_ids_and_days_become_instants(written):
    """By id or title; the first day from its midnight in the city, the last to its end."""
    found = terms(read_draft(written), NAMES, "housing_fund")
    assert (found.dataset, found.purpose) == ("civil_affairs.marriage", "housing_fund_withdrawal")
    assert found.fields == ("registered_on", "status")
    assert found.scope.whole
    assert found.scope.rows == (RowScope("district", values=("990101", "990102")),)
    assert found.mode is SharingMode.BATCH
    assert found.valid_from == datetime(2026, 11, 30, 16, tzinfo=UTC)
    assert found.valid_until == datetime(2026, 12, 31, 16, tzinfo=UTC)
    (paper,) = found.papers
    assert (paper.kind, paper.name, paper.digest) == (
        "letter",
        "letter.txt",
        hashlib.sha256(b"letter").digest(),
    )


def test_what_is_not_said_stays(written):
    """Of the file under options, and of an application that is supplemented."""
    before = terms(read_draft(written), NAMES, "housing_fund")
    after = terms(Draft(rows_per_call=3, whole=False), NAMES, "housing_fund", before)
    assert (after.rows_per_call, after.scope.whole) == (3, False)
    assert (after.dataset, after.fields, after.papers) == (before.dataset, before.fields, before.papers)
    assert read_draft(written).under(Draft(mode=SharingMode.API)).mode is SharingMode.API


def test_all_fields_are_those_that_may_be_shared():
    """Each once, in order."""
    draft = Draft(dataset="婚姻登记信息", fields=("all",), purpose="住房公积金提取")
    assert terms(draft, NAMES, "housing_fund").fields == ("district", "registered_on", "status")


@pytest.mark.parametrize(
    "draft",
    [
        Draft(dataset="婚姻登记", fields=("status",), purpose="住房公积金提取"),
        Draft(dataset="婚姻登记信息", fields=("statu",), purpose="住房公积金提取"),
        Draft(dataset="婚姻登记信息", fields=("status",), purpose="提取"),
        Draft(dataset="婚姻登记信息", fields=("status",)),
    ],
)
def test_a_name_that_is_none_is_refused(draft):
    """With the nearest one; and so is what lacks what every application has."""
    with pytest.raises(SetUpError):
        terms(draft, NAMES, "housing_fund")


def test_purposes_that_are_not_known_here_are_left_to_the_broker():
    """A system may not look into the bundle."""
    names = Names(NAMES.datasets, NAMES.fields, {}, NAMES.zone)
    draft = Draft(dataset="婚姻登记信息", fields=("status",), purpose="anything")
    assert terms(draft, names, "housing_fund").purpose == "anything"


def test_every_problem_of_the_file_is_told(written):
    """At once, each with its line."""
    written.write_text(
        WRITTEN.replace("mode: batch", "mode: post").replace("rows_per_call: 20", "row_per_call: 20")
    )
    with pytest.raises(PolicyProblems) as refused:
        read_draft(written)
    assert len(refused.value.problems) >= 2


def test_a_paper_that_is_not_there_is_named(written):
    """By its path."""
    (written.parent / "letter.txt").unlink()
    with pytest.raises(SetUpError, match=r"letter\.txt"):
        terms(read_draft(written), NAMES, "housing_fund")
