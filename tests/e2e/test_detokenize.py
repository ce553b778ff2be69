"""Tokens turned back over real mutual TLS: only for what an officer of the provider has signed."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pyarrow as pa
import pytest
from orjson import loads
from typer.testing import CliRunner

from adapters.masking.keys import FieldKeys
from adapters.masking.token import Token, TokenParams
from broker.apply.identity import read_credential
from broker.cli.main import app
from broker.client import AsyncClient, TokenRequest, export_receipt
from broker.detokenize.request import Request
from broker.errors import (
    BrokerError,
    Conflict,
    MalformedRequest,
    NotApproved,
    NotFound,
    NotReversible,
    SetUpError,
)
from broker.keys.authority import Authority
from broker.keys.keyring import Keyring
from broker.model import Role, Verdict
from broker.reasons import Reason
from broker.server.parts import keyring_file
from broker.settings import load_settings

GROUNDS = {"reason": "核实一户重复提取", "legal_basis": "住房公积金管理条例 第二十四条"}


@pytest.fixture(scope="module")
def released(token_city):
    """Tokens of three people, released to the housing fund."""
    with_tokens = token_city.client("housing_fund").exchange(**token_city.withdrawal(*token_city.people[:3]))
    assert with_tokens.permitted
    return with_tokens


@pytest.fixture(scope="module")
def tokens(released, token_city):
    """Person → token."""
    found = [
        (token_city.people[place[0]], record["resident_id"])
        for record, place in zip(released.records, released.record_subjects, strict=True)
    ]
    assert len(found) == 3
    return dict(found)


@pytest.fixture
def draw_up(token_city, released):
    """Draws up the request of somebody."""

    def draw(tokens, caller=None, receipt=None, field="resident_id"):
        uri = (caller or token_city.credentials("housing_fund")).uri
        return TokenRequest.of(receipt or released.receipt, uri, field, list(tokens), **GROUNDS)

    return draw


@pytest.fixture
def approve(token_city):
    """Signs a request as an officer."""

    def sign(request, department="public_security", name="zhao", ago=timedelta(), lasting=timedelta(hours=2)):
        officer, at = token_city.credentials(department, Role.OFFICER, name), datetime.now(UTC) - ago
        return request.approved_by(officer, at, at + lasting)

    return sign


def refusal(client, request, approval):
    """Why it is refused: the reason, and what is said of the approval."""
    with pytest.raises(BrokerError) as error:
        client.detokenize(request, approval)
    said = [violation.en for violation in getattr(error.value, "violations", ())]
    return error.value.reason, " ".join(said)


def as_sent(drawn, approval):
    """The request as the broker gets it."""
    asked = drawn.asked
    return Request(
        asked.request_id,
        f"receipts/{asked.receipt}",
        asked.field,
        drawn.tokens,
        asked.reason,
        asked.legal_basis,
        approval,
    )


def caller_of(token_city):
    """The housing fund's system."""
    return read_credential(token_city.credentials("housing_fund").chain[0]).identity


def test_an_approved_request_is_answered_and_receipted(token_city, tokens, draw_up, approve, released):
    """The values come with a receipt that names who, by whose approval, of which release; so on a retry."""
    client, request = token_city.client("housing_fund"), draw_up([*tokens.values(), "123456789012345678"])
    approval = approve(request)
    found = client.detokenize(request, approval)
    assert found.values == (*tokens, None)
    statement = loads(found.receipt.statement)
    assert statement["kind"] == "detokenization"
    assert statement["released"]["receipt"] == released.receipt.leaf_index
    assert statement["approval"]["officer"].endswith("/public_security/officer/zhao")
    assert (statement["tokens"], statement["outcome"]["known"]) == (4, 3)
    assert len(statement["subject_tags"]) == 3
    assert not any(value in found.receipt.statement.decode() for pair in tokens.items() for value in pair)
    acknowledged = loads(client.acknowledge(found.delivery).statement)
    assert (acknowledged["of"], acknowledged["kind"]) == (found.receipt.leaf_index, "acknowledgement")
    again = client.detokenize(request, approval)
    assert (again.redelivered, again.values, again.receipt.leaf_index) == (
        True, found.values, found.receipt.leaf_index,
    )  # fmt: skip


def test_without_approval_nothing_comes(token_city, tokens, draw_up, released):
    """Nor with something that is no approval."""
    client, request = token_city.client("housing_fund"), draw_up(tokens.values())
    with pytest.raises(NotApproved) as error:
        client.detokenize(request, b"")
    assert error.value.reason is Reason.APPROVAL_MISSING
    assert refusal(client, request, b"\xd2no")[0] is Reason.APPROVAL_INVALID


def test_the_approval_is_by_another_officer_of_the_provider(token_city, tokens, draw_up, approve):
    """Not by the consumer's, nor by an auditor or a system, nor by the caller."""
    client, request = token_city.client("housing_fund"), draw_up(tokens.values())
    reason, said = refusal(client, request, approve(request, "housing_fund", "qian"))
    assert (reason, said) == (Reason.APPROVAL_INVALID, "the signer is no officer of the provider")
    system, now = token_city.credentials("public_security"), datetime.now(UTC)
    forged = request.approved_by(system, now, now + timedelta(hours=1))
    assert "no officer" in refusal(client, request, forged)[1]
    officer = token_city.credentials("public_security", Role.OFFICER, "zhao")
    own = draw_up(tokens.values(), officer)
    calling = token_city.client("public_security", Role.OFFICER, "zhao")
    assert refusal(calling, own, approve(own))[1] == "the signer is the caller"
    assert calling.detokenize(own, approve(own, name="sun")).values == tuple(tokens)


def test_an_approval_is_for_a_day_at_most(token_city, tokens, draw_up, approve):
    """One that has expired, or was to hold for longer, is none."""
    client, request = token_city.client("housing_fund"), draw_up(tokens.values())
    for approval in (
        approve(request, ago=timedelta(hours=3)),
        approve(request, lasting=timedelta(hours=25)),
        approve(request, ago=-timedelta(hours=1)),
    ):
        reason, said = refusal(client, request, approval)
        assert reason is Reason.APPROVAL_INVALID
        assert "expired" in said


def test_an_approval_is_of_one_request(token_city, tokens, draw_up, approve):
    """Other tokens, another id, another caller, another reason: approved was something else."""
    client, request = token_city.client("housing_fund"), draw_up(tokens.values())
    approval = approve(request)
    first = next(iter(tokens.values()))
    others = (
        replace(request, tokens=(first,)),
        replace(request, asked=replace(request.asked, request_id=str(uuid4()))),
        replace(request, asked=replace(request.asked, reason="另有缘由")),
    )
    for other in others:
        reason, said = refusal(client, other, approval)
        assert (reason, said) == (Reason.APPROVAL_INVALID, "it approves another request")
    provider = token_city.client("public_security")
    assert refusal(provider, request, approval)[1] == "it approves another request"


def test_an_id_is_of_one_request(token_city, tokens, draw_up, approve):
    """Answered once, it serves for no other, approved or not."""
    client, request = token_city.client("housing_fund"), draw_up(tokens.values())
    client.detokenize(request, approve(request))
    other = replace(request, asked=replace(request.asked, reason="另有缘由"))
    with pytest.raises(Conflict):
        client.detokenize(other, approve(other))


def test_a_revoked_officer_approves_nothing(token_city, tokens, draw_up, approve):
    """Whatever was signed before."""
    client, request = token_city.client("housing_fund"), draw_up(tokens.values())
    approval = approve(request, name="li")
    authority = Authority.open(token_city.embedded.folder / "pki")
    authority.revoke(token_city.credentials("public_security", Role.OFFICER, "li").uri)
    token_city.command("revocations", "publish", token_city.embedded.folder / "pki" / "crl.pem")
    assert "revoked" in refusal(client, request, approval)[1]


def test_what_is_suspended_stays_masked(token_city, tokens, draw_up, approve):
    """The refusal has a receipt; once lifted the same request is answered."""
    client, request = token_city.client("housing_fund"), draw_up(tokens.values())
    approval = approve(request)
    said = token_city.command("suspend", "add", "--dataset", "public_security.household", "--reason", "排查")
    number = said.split("number ")[1].split(",")[0]
    found = client.detokenize(request, approval)
    token_city.command("suspend", "lift", number, "--reason", "已排查")
    assert (found.verdict, found.values) == (Verdict.DENY, ())
    assert [reason.code for reason in found.reasons] == ["SUSPENDED"]
    assert loads(found.receipt.statement)["decision"]["verdict"] == "deny"
    assert client.detokenize(request, approval).values == tuple(tokens)


def test_tokens_of_another_consumer_are_none(token_city, package, tokens, draw_up, approve):
    """What another department was given, or another exchange is about, does not come back under a receipt."""
    stream = token_city.client("medical_insurance").stream(**package)
    theirs = [token for batch in stream for token in batch.column("resident_id").to_pylist()]
    other = token_city.client("housing_fund").exchange(**token_city.withdrawal(token_city.people[4]))
    client, request = (
        token_city.client("housing_fund"),
        draw_up([*theirs[:50], other.records[0]["resident_id"]]),
    )
    assert client.detokenize(request, approve(request)).values == (None,) * 51
    insurer = token_city.client("medical_insurance")
    mine = draw_up(tokens.values(), token_city.credentials("medical_insurance"))
    with pytest.raises(NotFound):
        insurer.detokenize(mine, approve(mine))
    whole = draw_up(theirs[:50], token_city.credentials("medical_insurance"), stream.outcome_receipt)
    assert None not in insurer.detokenize(whole, approve(whole)).values


def test_of_a_whole_register_only_sound_values_come(token_city, draw_up, approve):
    """Nobody is named in its receipt, so a foreign token in thirty may look like one; the others are none."""
    stream = token_city.register()
    assert list(stream)
    mask = Token().bind(TokenParams(profile="resident_id"), FieldKeys(1, bytes(32)))
    foreign = mask(pa.array(token_city.people[:300])).to_pylist()
    insurer = token_city.credentials("medical_insurance")
    request = draw_up([token for token in foreign if token], insurer, stream.outcome_receipt)
    found = token_city.client("medical_insurance").detokenize(request, approve(request)).values
    assert len(found) > 200
    assert sum(value is not None for value in found) < len(found) / 5


def test_what_was_not_masked_reversibly_does_not_come_back(token_city, draw_up, approve):
    """A pseudonym has no way back."""
    fields = ("resident_id", "household_no")
    terms = token_city.withdrawal(token_city.people[0], fields=fields)
    found = token_city.client("housing_fund").exchange(**terms)
    pseudonym = found.records[0]["household_no"]
    request = draw_up([pseudonym], receipt=found.receipt, field="household_no")
    with pytest.raises(NotReversible):
        token_city.client("housing_fund").detokenize(request, approve(request))


def test_the_key_version_is_that_of_the_receipt(token_city, tokens, draw_up, approve):
    """After a rotation old tokens still come back under their receipt, and tokens of the new key do not;
    another key of that version is refused before anybody asks."""
    settings = load_settings(token_city.embedded.settings)
    rotated = keyring_file(settings).read().with_another(datetime.now(UTC))
    domain = "public_security.household.resident_id"
    keys = rotated.for_field("public_security", "housing_fund", "housing_fund_withdrawal", domain)
    mask = Token().bind(TokenParams(profile="resident_id"), keys)
    (new,) = mask(pa.array([token_city.people[0]])).to_pylist()
    drawn = draw_up([*tokens.values(), new])
    request, caller = as_sent(drawn, approve(drawn)), caller_of(token_city)
    with token_city.detokenizer(rotated) as detokenizer:
        assert detokenizer.detokenize(request, caller, lambda: True).values == (*tokens, None)
    other = Keyring.new(datetime.now(UTC))
    with pytest.raises(SetUpError, match="another keyring"), token_city.detokenizer(other):
        pass


def test_all_that_is_malformed_is_told_at_once(token_city, draw_up):
    """Without reading the receipt or the approval."""
    request = draw_up(["1", "1", ""])
    wrong = replace(request, asked=replace(request.asked, reason="", request_id="1", legal_basis=" x"))
    with pytest.raises(MalformedRequest) as error:
        token_city.client("housing_fund").detokenize(wrong, b"")
    assert [violation.field for violation in error.value.violations] == [
        "request_id", "tokens[1]", "tokens[2]", "reason", "legal_basis",
    ]  # fmt: skip


def test_the_two_people_use_commands(token_city, tokens, released, tmp_path):
    """Request, approval after seeing what is asked, then the values; who declines signs nothing."""
    caller = token_city.embedded.identity("housing_fund")
    officer = token_city.folder("public_security", Role.OFFICER, "zhao")
    reach = ["--broker", token_city.address, "--identity"]
    listed, asked, approval = tmp_path / "tokens.txt", tmp_path / "request.json", tmp_path / "approval.cose"
    listed.write_text("\n".join([*tokens.values(), "000000000000000000"]), "utf-8")

    def run(*words, answer="", code=0):
        done = CliRunner().invoke(app, ["detokenize", *map(str, words)], input=answer)
        assert done.exit_code == code, done.output
        return done.output

    grounds = ["--reason", "核实\x1b[2J重复提取", "--legal-basis", GROUNDS["legal_basis"]]
    leaf = released.receipt.leaf_index
    run("request", leaf, "resident_id", listed, *reach, caller, *grounds, "--out", asked)
    shown = run("approve", asked, "--identity", officer, "--out", approval, answer="n\n", code=1)
    assert "申请还原 4 个令牌" in shown
    assert "\x1b" not in shown
    assert not approval.exists()
    run(
        "request",
        leaf,
        "resident_id",
        listed,
        *reach,
        caller,
        *grounds[2:],
        "--reason",
        "核实",
        "--out",
        asked,
    )
    shown = run("approve", asked, *reach, officer, "--out", approval, answer="y\n")
    assert "GJJ-2026-000077" in shown
    assert all(word in shown for word in (token_city.credentials("housing_fund").uri, "核实"))
    said = run("run", asked, approval, *reach, caller)
    assert all(f"{token}  {person}" in said for person, token in tokens.items())
    assert "000000000000000000  不是该数据项的令牌" in said
    out = tmp_path / "values.csv"
    run("run", asked, approval, *reach, caller, "--out", out)
    assert out.stat().st_mode & 0o777 == 0o600
    assert loads(run("run", asked, approval, *reach, caller, "--json"))["values"].keys() >= {*tokens.values()}


def test_the_day_s_quota_holds(token_city, tokens, draw_up, approve):
    """Beyond it the answer is a refusal with its receipt, whoever has approved it."""
    settings = load_settings(token_city.embedded.settings)
    keyring = keyring_file(settings).read()
    drawn = draw_up(tokens.values())
    with token_city.detokenizer(keyring, per_day=2) as detokenizer:
        found = detokenizer.detokenize(as_sent(drawn, approve(drawn)), caller_of(token_city), lambda: True)
    assert (found.values, [why.reason for why in found.reasons]) == ((), [Reason.QUOTA_EXCEEDED])
    assert found.reasons[0].about.startswith("detokenize/public_security.household/housing_fund/")


def test_an_asyncio_client_asks_the_same(token_city, tokens, draw_up, approve):
    """With the same request, approval and answer."""
    request = draw_up(tokens.values())

    async def ask():
        async with AsyncClient(token_city.address, token_city.credentials("housing_fund")) as client:
            return await client.detokenize(request, approve(request), timeout=120)

    assert asyncio.run(ask()).values == tuple(tokens)


def test_the_log_is_sound(token_city, tokens):
    """An fsck of all that was written here finds it whole."""
    assert "完好" in token_city.command("fsck")


def test_the_receipt_is_shown(token_city, tokens, draw_up, approve, tmp_path):
    """To people, with who approved it and under which release, in both languages."""
    request = draw_up(tokens.values())
    found = token_city.client("housing_fund").detokenize(request, approve(request))
    exported = tmp_path / "receipt.json"
    exported.write_bytes(export_receipt(found.receipt))
    for language, approved in (("zh", "审批人"), ("en", "approved by")):
        done = CliRunner().invoke(app, ["receipt", "show", str(exported), "--lang", language])
        assert done.exit_code == 0, done.output
        assert approved in done.output
        assert "detokenization" in done.output


def test_after_a_rotation_each_receipt_keeps_its_key(token_city, tokens, draw_up, approve):
    """Old tokens come back under the old receipt and not under a new one; new ones the other way round."""
    token_city.command("keyring", "rotate", "--reason", "例行轮换")
    client = token_city.client("housing_fund")
    anew = client.exchange(**token_city.withdrawal(*tokens))
    assert loads(anew.receipt.statement)["obligations"]["masks"]["resident_id"]["key_version"] == 2
    new = [record["resident_id"] for record in anew.records]
    assert not set(new) & set(tokens.values())
    known, both = tuple(tokens), [*tokens.values(), *new]
    none = (None,) * len(known)
    before, after = draw_up(both), draw_up(both, receipt=anew.receipt)
    assert client.detokenize(before, approve(before)).values == (*known, *none)
    assert client.detokenize(after, approve(after)).values == (*none, *known)
