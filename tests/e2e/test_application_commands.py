"""``sharebroker application|review`` over real mutual TLS, as consumer, reviewers and authority type them."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from broker.cli.main import app
from broker.errors import BrokerError, Changed, MalformedRequest, NotAuthorised, NotPossible, SetUpError
from broker.keys.files import write_private_file
from broker.model import Role

DRAFT = """\
format: share-application/v1
dataset: 婚姻登记信息
fields: [男方姓名, status]
purpose: 住房公积金提取
"""
REST = """\
legal_basis: 住房公积金管理条例 第二十四条
scenario: 柜台核对配偶姓名，防止冒领
mode: api
rows_per_call: 10
rows_total: 500
rows: {district: ["990101"]}
from: "2026-01-01"
until: "2099-12-31"
operator: 提取科
papers: {letter: letter.txt}
"""


@pytest.fixture(scope="module")
def folder_of(embedded, authority):
    """Makes the folder of a person's certificate."""

    def make(department, name="wang", role=Role.OFFICER):
        folder = embedded.folder / "filing" / f"{department}-{role}-{name}"
        if not folder.exists():
            issued = authority.issue(department, role, name)
            folder.mkdir(mode=0o700, parents=True)
            write_private_file(folder / "key.pem", issued.key_pem)
            (folder / "cert.pem").write_bytes(issued.cert_pem)
            shutil.copy(embedded.folder / "pki" / "ca.pem", folder)
        return folder

    return make


@pytest.fixture(scope="module")
def run(address, folder_of):
    """Runs a command as an officer of a department; gives what it printed."""

    def do(who, *words, code=0, answer="", role=Role.OFFICER):
        department, _, name = who.partition("/")
        reach = ["--broker", address, "--identity", str(folder_of(department, name or "wang", role))]
        done = CliRunner().invoke(app, [*map(str, words), *reach], input=answer)
        if isinstance(done.exception, SetUpError | BrokerError):
            assert code == (2 if isinstance(done.exception, SetUpError) else 1), done.exception
            raise done.exception
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    return do


@pytest.fixture
def draft(run, tmp_path):
    """Files an application of which nothing is missing; gives its number."""
    file = tmp_path / "application.yaml"
    file.write_text(DRAFT + REST, "utf-8")
    (tmp_path / "letter.txt").write_text("letter")

    def make():
        made = json.loads(run("housing_fund", "application", "create", file, "--json"))
        return int(made["application"]["name"].removeprefix("applications/"))

    return make


@pytest.fixture
def filed(run, draft):
    """The same, consented to."""

    def make():
        number = draft()
        run("housing_fund", "application", "consent", number, "--yes")
        return number

    return make


def state(run, number, who="housing_fund"):
    """How far an application is."""
    shown = json.loads(run(who, "application", "show", number, "--json"))
    return shown["state"].removeprefix("APPLICATION_STATE_").lower()


def conform(run, number):
    """The authority's part of the review, where the limits in force give it one."""
    shown = json.loads(run("housing_fund", "application", "show", number, "--json"))
    if shown["stage"] == "REVIEW_STAGE_CONFORMITY":
        run("data_authority", "review", "approve", number, "--yes")


# ── applying ─────────────────────────────────────────────────────────────────────────────────────


def test_all_that_is_missing_is_told_at_once_and_supplied(run, tmp_path):
    """A bare draft comes back with one list of everything, each with how to supply it, and exit code 1."""
    words = ("--dataset", "婚姻登记信息", "--fields", "男方姓名", "--purpose", "住房公积金提取")
    made = json.loads(run("housing_fund", "application", "create", *words, "--json"))
    number = made["application"]["name"].removeprefix("applications/")
    said = run("housing_fund", "application", "consent", number, "--yes", code=1)
    assert "待补正" in said
    shown = json.loads(run("housing_fund", "application", "show", number, "--json"))
    missing = [paper["reason"] for paper in shown["missing"]]
    assert {"LEGAL_BASIS_MISSING", "SCENARIO_MISSING", "SHARING_MODE_MISSING", "PERIOD_MISSING"} <= set(
        missing
    )
    for paper in shown["missing"]:
        assert paper["reason"] in said
    assert f"共缺 {len(missing)} 项" in said
    assert f"sharebroker application supplement {number}" in said
    (tmp_path / "letter.txt").write_text("letter")
    rest = tmp_path / "rest.yaml"
    rest.write_text(DRAFT + REST, "utf-8")
    run("housing_fund", "application", "supplement", number, rest)
    assert "审核中" in run("housing_fund", "application", "consent", number, "--yes")


def test_options_stand_over_the_file_and_over_what_there_was(run, draft):
    """What is given changes; the rest stays."""
    number = draft()
    run("housing_fund", "application", "supplement", number, "--rows-per-call", "3", "--whole")
    terms = json.loads(run("housing_fund", "application", "show", number, "--json"))["terms"]
    assert terms["rows_per_call"] == "3"
    assert terms["scope"]["whole"]
    assert terms["rows_total"] == "500"
    assert terms["fields"] == ["husband_name", "status"]
    assert terms["papers"][0]["name"] == "letter.txt"


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("--dataset", "婚姻登记"), "civil_affairs.marriage"),
        (("--dataset", "civil_affairs.marriage", "--fields", "statu"), "status"),
        (
            ("--dataset", "婚姻登记信息", "--fields", "status", "--purpose", "公积金提取"),
            "housing_fund_withdrawal",
        ),
    ],
)  # fmt: skip
def test_a_slip_is_answered_with_the_nearest_name(run, words, near):
    """Datasets, fields and purposes may be called by id or title; nothing is made of a name that is none."""
    with pytest.raises(SetUpError) as refused:
        run("housing_fund", "application", "create", *words, code=2)
    assert near in refused.value.zh
    assert near in refused.value.en


def test_a_file_is_judged_line_by_line(run, tmp_path):
    """Every problem with its place."""
    file = tmp_path / "application.yaml"
    file.write_text(DRAFT + "legal_bases: x\nmode: post\nfrom: 2026-13-01\n", "utf-8")
    with pytest.raises(SetUpError) as refused:
        run("housing_fund", "application", "create", file, code=2)
    for place in ("application.yaml:5", "application.yaml:6", "application.yaml:7"):
        assert place in str(refused.value)
    assert "legal_basis" in str(refused.value)


@pytest.mark.parametrize(
    "words", [(), ("--fields", "status"), ("no-such-file.yaml",), ("--paper", "letter.txt")], ids=str
)
def test_what_cannot_be_an_application_is_said(run, words):
    """Nothing at all, no dataset, no file, a paper without its kind."""
    with pytest.raises(SetUpError):
        run("housing_fund", "application", "create", *words, code=2)


def test_nobody_signs_by_accident(run, draft):
    """The terms are shown with their digest; an empty answer, and none at all, leave the draft a draft."""
    number = draft()
    shown = json.loads(run("housing_fund", "application", "show", number, "--json"))
    for answer in ("\n", ""):
        said = run("housing_fund", "application", "consent", number, answer=answer, code=1)
        assert "未签署" in said
        assert "husband_name" in said
    assert shown["digest"]
    assert state(run, number) == "draft"
    assert "审核中" in run("housing_fund", "application", "consent", number, answer="y\n")


def test_withdrawn_is_withdrawn(run, draft):
    """Nothing can be done to it any more."""
    number = draft()
    assert "已撤回" in run("housing_fund", "application", "withdraw", number, "--reason", "改用其他途径")
    with pytest.raises(NotPossible):
        run("housing_fund", "application", "consent", number, "--yes", code=1)


# ── reviewing ────────────────────────────────────────────────────────────────────────────────────


def test_from_review_to_grant_and_its_end(run, filed):
    """Two officers, of whom none counts twice; then the grant is suspended, resumed and ended."""
    number = filed()
    conform(run, number)
    assert f'"applications/{number}"' in run("civil_affairs/li", "review", "queue", "--json")
    assert "审核中" in run("civil_affairs/li", "review", "approve", number, "--yes")
    with pytest.raises(NotAuthorised):
        run("civil_affairs/li", "review", "approve", number, "--yes", code=1)
    assert f'"applications/{number}"' not in run("civil_affairs/li", "review", "queue", "--json")
    run("civil_affairs/zhao", "review", "approve", number, answer="y\n")
    shown = run("housing_fund", "application", "show", number)
    for words in ("审核同意 approve", "civil_affairs/officer/zhao", f"grant={number}"):
        assert words in shown.replace("\n", "")
    run("civil_affairs/li", "application", "suspend", number, "--reason", "核查用途")
    assert state(run, number) == "suspended"
    run("civil_affairs/zhao", "application", "resume", number, "--reason", "核查无误")
    said = run(
        "housing_fund", "application", "terminate", number,
        "--reason", "业务结束", "--legal-basis", "条例 第二十七条",
    )  # fmt: skip
    assert "已终止" in said


def test_a_refusal_has_a_reason_and_a_basis(run, filed):
    """Without them nothing is said to the consumer; with them it can read both."""
    number = filed()
    conform(run, number)
    run("civil_affairs/li", "review", "refuse", number, "--reason", "用途过宽", code=2)
    said = run(
        "civil_affairs/li", "review", "refuse", number,
        "--reason", "用途过宽", "--legal-basis", "条例 第二十五条",
    )  # fmt: skip
    assert "不同意" in said
    shown = run("housing_fund", "application", "show", number)
    assert "用途过宽" in shown
    assert "第二十五条" in shown


def test_more_time_takes_two(run, filed):
    """The provider asks, the authority consents, the consumer sees both."""
    number = filed()
    conform(run, number)
    run("civil_affairs/li", "application", "extend", number, "--days", "5", "--reason", "须调卷")
    run("data_authority", "application", "extend", number)
    assert "5 个工作日" in run("housing_fund", "application", "show", number)


def test_who_was_slower_is_told_what_came_first(run, filed, folder_of, address):
    """What an officer has seen is what is decided; a decision about an older version does nothing."""
    from broker.cli.applications import officer

    number = filed()
    conform(run, number)
    with officer(address, folder_of("civil_affairs", "li")) as broker:
        seen = broker.applications.get(number)
        run("housing_fund", "application", "withdraw", number)
        with pytest.raises(Changed, match="withdraw"):
            broker.applications.approve(seen)


# ── following ────────────────────────────────────────────────────────────────────────────────────


def test_lists_are_for_those_concerned(run, draft, filed):
    """Others' drafts and applications are in no list of theirs; filters narrow."""
    mine, told = draft(), filed()
    assert f'"applications/{mine}"' in run("housing_fund", "application", "list", "--json", "--limit", "1000")
    for who in ("civil_affairs", "tax"):
        assert f'"applications/{mine}"' not in run(who, "application", "list", "--json", "--limit", "1000")
    assert f'"applications/{told}"' in run(
        "civil_affairs", "application", "list", "--json", "--limit", "1000"
    )
    assert f'"applications/{told}"' not in run("tax", "application", "list", "--json", "--limit", "1000")
    said = run("housing_fund", "application", "list", "--state", "draft", "--limit", "1000")
    assert "草稿" in said
    assert "审核中" not in said


def test_notices_come_in_order_and_name_nobody(run, filed):
    """From a receipt on: every act once, with its receipt, for machines and for people."""
    number = filed()
    steps = json.loads(run("housing_fund", "application", "show", number, "--json"))["steps"]
    first = int(steps[0]["receipt"].removeprefix("receipts/"))
    words = ("application", "watch", number, "--after", first - 1, "--count", len(steps))
    lines = run("housing_fund", *words, "--json").splitlines()
    assert [json.loads(line)["act"] for line in lines] == ["create", "consent", "accept"]
    assert [json.loads(line)["receipt"] for line in lines] == [step["receipt"] for step in steps]
    assert "本部门同意并提交" in run("housing_fund", *words)


def test_a_system_draws_up_but_does_not_consent(run, tmp_path):
    """Only a person signs for a department."""
    file = tmp_path / "application.yaml"
    text = (
        (DRAFT + REST)
        .replace("住房公积金提取", "housing_fund_withdrawal")
        .replace("papers: {letter: letter.txt}\n", "")
    )
    file.write_text(text, "utf-8")
    made = json.loads(run("housing_fund", "application", "create", file, "--json", role=Role.SYSTEM))
    number = made["application"]["name"].removeprefix("applications/")
    with pytest.raises(NotAuthorised):
        run("housing_fund", "application", "consent", number, "--yes", role=Role.SYSTEM, code=1)


# ── in another's place ───────────────────────────────────────────────────────────────────────────


def test_review_in_another_s_place_is_given_listed_and_taken_back(run):
    """An officer names a colleague and the days; both see it, and either takes it back."""
    until = str((datetime.now(UTC) + timedelta(days=30)).date())
    words = ("review", "delegate", "sun", "--until", until)
    given = json.loads(run("civil_affairs/zhao", *words, "--json"))
    assert given["officer"].endswith("/civil_affairs/officer/zhao")
    assert (given["delegate"].rpartition("/")[2], given["state"]) == ("sun", "in_force")
    assert "civil_affairs/sun" in run("civil_affairs/zhao", *words)
    listed = [
        json.loads(line) for line in run("civil_affairs/sun", "review", "delegations", "--json").split()
    ]
    assert given["delegation"] in [one["delegation"] for one in listed]
    assert "生效" in run("civil_affairs/sun", "review", "delegations")
    assert "已收回" in run("civil_affairs/sun", "review", "revoke", given["delegation"])
    everything = run("data_authority", "review", "delegations", "--all")
    assert "已收回" in everything
    assert "没有委托" in run("tax", "review", "delegations")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("tax/li", "--until", "2099-01-01"), MalformedRequest),  # of another department
        (("sun", "--until", "2026-01-01"), MalformedRequest),  # over already
        (("sun", "--until", "2099-01-01", "--zone", "Asia/Nowhere"), SetUpError),
    ],
)
def test_delegation_that_is_none_is_refused(run, words, error):
    """The broker says why, or the command before it."""
    with pytest.raises(error):
        run("civil_affairs/zhao", "review", "delegate", *words, code=2 if error is SetUpError else 1)


def test_nothing_is_overdue(run):
    """A limit that has not passed is in no list of those that have."""
    assert "没有逾期" in run("data_authority", "review", "overdue")
    assert run("data_authority", "review", "overdue", "--json") == ""
