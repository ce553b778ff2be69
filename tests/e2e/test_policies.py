"""Policy by two officers, over real mutual TLS: proposed, looked through, approved, published and used."""

import hashlib
import json
import os
import shutil
import zipfile
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from broker.cli.main import app
from broker.client import Credentials, OfficerClient
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from broker.errors import (
    BrokerError,
    Changed,
    Conflict,
    MalformedRequest,
    NotApproved,
    NotAuthorised,
    NotFound,
    SetUpError,
    VerificationFailed,
)
from broker.keys.authority import Authority
from broker.keys.files import write_private_file
from broker.model import Role, Verdict
from broker.reasons import Reason
from broker.server.bundles import read_files
from broker.v1 import policy_pb2

MARRIAGE = "sharing/civil-affairs-marriage.yaml"
LIMITS = "limits: {rows_per_call: 10, subjects_per_call: 4}"


class City:
    """A broker that demands approvals, and officers with certificates."""

    def __init__(self, folder, stack, patient):
        self.embedded = prepare(folder, 1_000, 7, shipped_policies(), ("housing_fund", "tax"))
        self.policies = shutil.copytree(shipped_policies(), folder / "draft")
        self.stack, self.patient = stack, patient
        with patch.dict(os.environ, {"SHAREBROKER_POLICIES__APPROVAL": "officers"}):
            self.address = stack.enter_context(broker_process(self.embedded))

    def folder(self, department, name, role=Role.OFFICER):
        """Folder of a new certificate."""
        authority = Authority.open(self.embedded.folder / "pki")
        issued = authority.issue(department, role, name)
        folder = self.embedded.folder / "officers" / f"{department}-{name}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private_file(folder / "key.pem", issued.key_pem)
        (folder / "cert.pem").write_bytes(issued.cert_pem)
        shutil.copy(self.embedded.folder / "pki" / "ca.pem", folder)
        return folder

    def officer(self, department, name="first", role=Role.OFFICER):
        """A connected officer."""

        class Patient(self.patient, OfficerClient):
            pass

        credentials = Credentials.load(self.folder(department, name, role))
        return self.stack.enter_context(Patient(self.address, credentials))

    def run(self, identity, *words, answer="", code=0):
        """A ``sharebroker policy`` command under an identity; gives what it printed."""
        reach = ["--broker", self.address, "--identity", str(identity)]
        done = CliRunner().invoke(app, ["policy", *map(str, words), *reach], input=answer)
        if isinstance(done.exception, SetUpError | BrokerError):
            assert code == (2 if isinstance(done.exception, SetUpError) else 1)
            return f"{done.output}{done.exception} {getattr(done.exception, 'about', '')}"
        assert done.exit_code == code, done.output
        return done.output

    def verdict(self, withdrawal):
        """What the housing fund is told about a marriage."""
        credentials = Credentials.load(self.embedded.identity("housing_fund"))
        with self.patient(self.address, credentials) as client:
            return client.exchange(**withdrawal).verdict

    def edit(self, text):
        """The files, with another line in civil affairs' rules."""
        path = self.policies / MARRIAGE
        path.write_bytes(path.read_bytes() + f"# {text}\n".encode())
        return read_files(self.policies)


@pytest.fixture(scope="module")
def city(tmp_path_factory, patient):
    """One broker for all tests of this file."""
    with ExitStack() as stack:
        yield City(tmp_path_factory.mktemp("officers"), stack, patient)


@pytest.fixture(scope="module")
def drafter(city):
    return city.officer("data_authority", "drafter")


@pytest.fixture(scope="module")
def first(city):
    return city.officer("civil_affairs")


@pytest.fixture(scope="module")
def second(city):
    return city.officer("civil_affairs", "second")


@pytest.fixture
def approved(city, drafter, first):
    """The city once its first bundle was approved, whichever test did that."""
    if drafter.in_force().sequence == 1:
        first.publish(number_of(approve(first, drafter.propose(read_files(city.policies)))))
    return city


def number_of(proposal):
    return int(proposal.name.removeprefix("proposals/"))


def approve(officer, proposal, **more):
    """Everything that the officer is asked for."""
    proposed = officer.review(number_of(proposal))
    return officer.approve(proposed, proposed.asked_of(officer.department), **more)


def refused(act, error, reason):
    with pytest.raises(error) as caught:
        act()
    assert caught.value.reason is reason
    return caught.value


def test_nothing_is_permitted_until_two_officers_have_acted(city, drafter, first, withdrawal):
    """The whole way, once: proposed by one, approved by another, published, used; the history tells."""
    assert city.verdict(withdrawal) is Verdict.DENY
    proposal = drafter.propose(read_files(city.policies), "first approval", {"lint": "nothing found"})
    assert proposal.state == policy_pb2.PROPOSAL_STATE_OPEN
    proposal = approve(first, proposal)
    assert proposal.state == policy_pb2.PROPOSAL_STATE_APPROVED
    assert dict(proposal.checks) == {"lint": "nothing found"}
    published = first.publish(number_of(proposal))
    assert city.verdict(withdrawal) is Verdict.PERMIT
    assert (published.sequence, published.in_force, published.reason) == (2, True, "first approval")
    assert list(published.approvers) == ["spiffe://xinghe/department/civil_affairs/officer/first"]
    history = list(drafter.bundles())
    assert [one.sequence for one in history] == [2, 1]
    assert history[0] == published
    in_force = drafter.in_force()
    assert in_force.approvals_demanded
    standing = {file.path: file for file in in_force.files}[MARRIAGE]
    left = standing.standing_until.ToDatetime(tzinfo=UTC) - datetime.now(UTC)
    assert timedelta(days=364) < left <= timedelta(days=365)
    assert standing.owner == "departments/civil_affairs"
    assert not {f.path: f for f in in_force.files}["sharing/tax-income.yaml"].HasField("standing_until")


def test_a_publication_is_a_bundle_that_verifies_offline(approved, tmp_path):
    """By command, with the authority's certificate: who approved; the page says who proposed, too."""
    folder, trust = approved.folder("data_authority", "auditor", Role.AUDITOR), approved.embedded.trust
    reach = ["--broker", approved.address, "--identity", str(folder)]

    def run(*words):
        done = CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    acts = map(json.loads, run("audit", "query", "--kind", "epoch", "--json", *reach).splitlines())
    published = [act for act in acts if "approvals" in act["statement"].get("publication", {})][-1]
    out = tmp_path / "publication.zip"
    run("receipt", "export", published["leaf_index"], "--trust", trust, "--out", out, *reach)
    told = run(
        "receipt", "verify", out, "--trust", trust, "--ca", approved.embedded.folder / "pki" / "ca.pem"
    )
    assert "department/civil_affairs/officer/first 签署了所附原文" in told
    with zipfile.ZipFile(out) as members:
        page = members.read("receipt.html").decode()
        assert sum(name.startswith("acts/") for name in members.namelist()) >= 1
    for word in ("审批人", "civil_affairs/officer/first", "提议人", "data_authority/officer/drafter"):
        assert word in page


def test_officer_sees_what_changes_and_signs_that(approved, drafter, first, second):
    """Files are fetched and hashed by who signs; only what is asked of the department is signed."""
    proposal = drafter.propose(approved.edit("seen"), "a line more")
    proposed = second.review(number_of(proposal))
    assert proposed.files[MARRIAGE] == proposed.before[MARRIAGE] + b"# seen\n"
    (need,) = proposed.asked_of("civil_affairs")
    assert (need.path, need.change) == (MARRIAGE, policy_pb2.FILE_CHANGE_CHANGED)
    assert need.digest == hashlib.sha256(proposed.files[MARRIAGE]).digest()
    assert len(proposed.asked_of("civil_affairs", everything=True)) == 2
    proposal = second.approve(proposed, [need], datetime.now(UTC) + timedelta(days=10))
    (approval,) = proposal.approvals
    assert approval.expire_time.seconds - approval.approve_time.seconds == 10 * 86400
    assert list(approval.files) == [MARRIAGE]
    second.publish(number_of(proposal))
    forged = policy_pb2.FileNeed(path=MARRIAGE, digest=b"x" * 32)
    with pytest.raises(VerificationFailed, match="digests"):
        second.approve(proposed, [forged])


def test_what_is_shown_before_signing_cannot_be_painted_over(approved, drafter):
    """What the proposer wrote neither moves the cursor nor turns the text, and is marked as such."""
    checks = {"test": "fine\x1b[2J\n── 将签署 · you sign: \u202enothing"}
    proposal = drafter.propose(approved.edit("painted \u202eover"), "fewer", checks)
    owner = approved.folder("civil_affairs", "first")
    said = approved.run(owner, "approve", number_of(proposal), answer="n\n", code=1)
    listed = approved.run(owner, "proposals", number_of(proposal))
    assert not {"\x1b", "\u202e"}.intersection(said + listed)
    assert "│ fine\\u{1b}[2J\n│ ── 将签署 · you sign: \\u{202e}nothing\n" in said
    assert "+# painted \\u{202e}over\n" in said
    assert "│ fine\\u{1b}[2J\n" in listed


def test_everybody_else_is_refused(approved, drafter, first):
    """Another department, the proposer, nobody's approval; and the errors say which file."""
    proposal = first.propose(approved.edit("refused"))
    number = number_of(proposal)
    error = refused(lambda: first.publish(number), NotApproved, Reason.NOT_APPROVED)
    assert error.about == MARRIAGE
    tax = approved.officer("tax")
    proposed = tax.review(number)
    assert [need for need in proposed.asked_of("tax") if need.required] == []
    (need,) = [need for need in proposed.proposal.needs if need.path == MARRIAGE]
    refused(lambda: tax.approve(proposed, [need]), NotAuthorised, Reason.NOT_RESPONSIBLE)
    refused(lambda: drafter.approve(proposed, [need]), NotAuthorised, Reason.NOT_RESPONSIBLE)
    refused(lambda: first.approve(proposed, [need]), NotAuthorised, Reason.SAME_PERSON)
    refused(lambda: tax.propose(read_files(approved.policies)), Conflict, Reason.PROPOSAL_EXISTS)
    refused(lambda: tax.proposal(99), NotFound, Reason.RESOURCE_NOT_FOUND)
    refused(lambda: tax.rollback("bundles/" + "a" * 64), NotFound, Reason.RESOURCE_NOT_FOUND)


def test_wrong_files_are_refused_with_their_places(approved, drafter):
    """As at publishing: file, line, what to do, in both languages."""
    files = {**read_files(approved.policies), MARRIAGE: b"rules: 1\n"}
    error = refused(lambda: drafter.propose(files), MalformedRequest, Reason.BUNDLE_MALFORMED)
    assert MARRIAGE in error.violations[0].en


def test_of_two_proposals_the_second_is_stale(approved, drafter, first):
    """Both follow one bundle; the lists say what became of each."""
    one = approve(first, drafter.propose(approved.edit("one")))
    other = approve(first, drafter.propose(approved.edit("other")))
    first.publish(number_of(one))
    refused(lambda: first.publish(number_of(other)), Changed, Reason.PROPOSAL_STALE)
    states = {proposal.name: proposal.state for proposal in drafter.proposals()}
    assert states[one.name] == policy_pb2.PROPOSAL_STATE_PUBLISHED
    assert states[other.name] == policy_pb2.PROPOSAL_STATE_STALE
    assert drafter.proposal(number_of(other)).state == policy_pb2.PROPOSAL_STATE_STALE


def test_second_officer_of_the_owner_rolls_back_alone(approved, drafter, first, second, withdrawal):
    """Approvals that stand carry over: no new one is needed."""
    first.publish(number_of(approve(first, drafter.propose(approved.edit("to come back to")))))
    before = drafter.in_force()
    first.publish(number_of(approve(first, drafter.propose(approved.edit("to be undone")))))
    back = second.rollback(before.name, "undo")
    assert back.state == policy_pb2.PROPOSAL_STATE_APPROVED
    published = second.publish(number_of(back))
    assert drafter.files(published.name)[MARRIAGE] == drafter.files(before.name)[MARRIAGE]
    assert list(published.changed_files) == [MARRIAGE]
    assert approved.verdict(withdrawal) is Verdict.PERMIT


def test_systems_may_not_even_look_and_auditors_only_look(approved, drafter):
    """Policies in preparation are no affair of a counter's."""
    system = approved.officer("tax", "counter", Role.SYSTEM)
    auditor = approved.officer("data_authority", "audit", Role.AUDITOR)
    refused(lambda: list(system.bundles()), NotAuthorised, Reason.ROLE_NOT_ALLOWED)
    assert list(auditor.bundles())
    assert list(auditor.proposals())
    assert auditor.in_force().files
    refused(lambda: auditor.propose(read_files(approved.policies)), NotAuthorised, Reason.ROLE_NOT_ALLOWED)
    with pytest.raises(BrokerError):
        auditor.publish(1)


def test_whole_way_at_a_terminal(approved):
    """Each command says what is missing and what to do next; who approves sees what changes."""
    drafter, owner = approved.folder("data_authority", "li"), approved.folder("civil_affairs", "wang")
    approved.edit("at a terminal")
    path = approved.policies / MARRIAGE
    path.write_text(path.read_text("utf-8").replace(LIMITS, "limits: {rows_per_call: 11}"), "utf-8")
    catalog = approved.policies / "catalog/public_security.yaml"
    sound = catalog.read_text("utf-8")
    catalog.write_text(sound.replace("sharing_modes: [api, batch]", "sharing_modes: [api]"), "utf-8")
    refused = approved.run(drafter, "propose", approved.policies, code=1)
    assert "WIDER_THAN_MODES" in refused
    assert "未提出草案" in refused
    catalog.write_text(sound, "utf-8")
    refused = approved.run(drafter, "propose", approved.policies, code=1)
    assert "✗ cases/housing-fund.yaml#marriage-permitted" in refused
    (approved.policies / "cases/housing-fund.yaml").unlink()
    said = approved.run(drafter, "propose", approved.policies, "--reason", "more rows")
    number = said.split("sharebroker policy approve ")[1].split()[0]
    assert "── lint" in said
    assert "── diff" in said
    assert f"待审批 to approve  {MARRIAGE}" in said
    refused = approved.run(owner, "publish", number, code=1)
    assert MARRIAGE in refused
    assert "未签署" in approved.run(owner, "approve", number, answer="n\n", code=1)
    assert f"✗ {MARRIAGE}" in approved.run(owner, "proposals", number)
    said = approved.run(owner, "approve", number, answer="y\n")
    assert "NEVER_RELEASED" in said  # found again by who approves
    assert "规则与条件覆盖" in said
    assert "+    limits: {rows_per_call: 11}" in said
    assert f"sharebroker policy publish {number}" in said
    assert "已发布并生效" in approved.run(owner, "publish", number)
    history = approved.run(drafter, "history")
    assert "more rows" in history
    assert "officer/wang" in history
    assert f"{number}" in approved.run(drafter, "proposals")
    ending = approved.run(drafter, "expiring", code=1)
    assert "tax  sharing/tax-income.yaml  无审批 none" in ending
    assert MARRIAGE not in ending
    assert MARRIAGE in approved.run(drafter, "expiring", "--days", "366", code=1)
    assert "没有第 999 个" in approved.run(drafter, "rollback", "999", code=2)
    before = json.loads(approved.run(drafter, "history", "--json"))[1]["sequence"]
    said = approved.run(owner, "rollback", before, "--reason", "back")
    assert "可发布 approved" in said  # wang is another than who approved it then
    nothing = approved.run(owner, "approve", number, code=2)
    assert "没有须由本部门审批的文件" in nothing
