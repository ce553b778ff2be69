"""``sharebroker pki`` as an office uses it: set up, issue, show, list, revoke, publish."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner, Result

from broker.cli.pki import app
from broker.errors import SetUpError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pki"
    assert run("init", "--city", "xinghe", "--folder", folder).exit_code == 0
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def failure(*arguments: object) -> SetUpError:
    """What ``sharebroker`` prints in two lines for these arguments."""
    error = run(*arguments).exception
    assert isinstance(error, SetUpError), error
    assert error.zh != error.en
    return error


def issue(folder: Path, out: Path, *more: object) -> Result:
    arguments = more or ("--department", "tax", "--name", "counter-1")
    result = run("issue", *arguments, "--out", out, "--folder", folder)
    assert result.exit_code == 0, result.exception or result.output
    return result


def test_bundle_is_complete_and_private(folder: Path, tmp_path: Path) -> None:
    """issue writes all that a client needs into one folder, the key for its owner only."""
    out = tmp_path / "new" / "tax"
    said = issue(folder, out).output
    assert {path.name for path in out.iterdir()} == {"cert.pem", "key.pem", "ca.pem"}
    assert stat.S_IMODE((out / "key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert (out / "ca.pem").read_bytes() == (folder / "ca.pem").read_bytes()
    assert "已签发" in said
    assert "Issued spiffe://xinghe/department/tax/system/counter-1" in said


def test_show_says_whose_it_is(folder: Path, tmp_path: Path) -> None:
    """For people in two languages, for machines as one object; also for a broker and the root."""
    issue(folder, tmp_path / "tax", "--department", "tax", "--role", "officer", "--name", "li", "--days", "7")
    shown = json.loads(run("show", tmp_path / "tax" / "cert.pem", "--json").output)
    assert shown["id"] == "spiffe://xinghe/department/tax/officer/li"
    assert (shown["department"], shown["role"], shown["name"]) == ("tax", "officer", "li")
    certificate = x509.load_pem_x509_certificate((tmp_path / "tax" / "cert.pem").read_bytes())
    assert shown["serial"] == f"{certificate.serial_number:x}"
    assert len(shown["fingerprint"]) == 64
    text = run("show", tmp_path / "tax" / "cert.pem").output
    for expected in ("部门", "department", "tax", shown["fingerprint"], shown["not_after"]):
        assert expected in text
    issue(folder, tmp_path / "b", "--role", "broker", "--name", "one", "--dns", "localhost", "--ip", "::1")
    assert json.loads(run("show", tmp_path / "b" / "cert.pem", "--json").output)["role"] == "broker"
    assert "names no department" in run("show", folder / "ca.pem").output


def test_revoke_by_serial_and_list(folder: Path, tmp_path: Path) -> None:
    """The serial that list shows is what revoke takes; the list then shows when and why."""
    issue(folder, tmp_path / "tax")
    issue(folder, tmp_path / "tax")
    first, second = json.loads(run("list", "--folder", folder, "--json").output)["certificates"]
    assert first["state"] == second["state"] == "valid"
    said = run("revoke", first["serial"], "--reason", "keyCompromise", "--folder", folder)
    assert said.exit_code == 0
    assert "1 newly revoked" in said.output
    first, second = json.loads(run("list", "--folder", folder, "--json").output)["certificates"]
    assert (first["state"], first["reason"], second["state"]) == ("revoked", "keyCompromise", "valid")
    text = run("list", "--folder", folder).output
    assert f"{first['serial']:<40}  {first['not_after']}  已吊销 revoked" in text
    crl = x509.load_pem_x509_crl((folder / "crl.pem").read_bytes())
    assert [revoked.serial_number for revoked in crl] == [int(first["serial"], 16)]


def test_crl_can_be_copied_out(folder: Path, tmp_path: Path) -> None:
    """The copy for the brokers is the list just published."""
    out = tmp_path / "crl.pem"
    assert run("crl", "--days", "7", "--out", out, "--folder", folder).exit_code == 0
    assert out.read_bytes() == (folder / "crl.pem").read_bytes()


def test_mistakes_are_said_in_both_languages(folder: Path, tmp_path: Path) -> None:
    """What an office may get wrong ends in a sentence that says what to do, and nothing is written."""
    out = tmp_path / "out"
    at = ("--out", out, "--folder", folder)
    assert "nothing changed" in failure("init", "--city", "xinghe", "--folder", folder).en
    assert "lower case" in failure("issue", "--department", "Tax", "--name", "a", *at).en
    assert "lower case" in failure("issue", "--name", "a", *at).en
    assert "DNS name" in failure("issue", "--role", "broker", "--name", "a", *at).en
    assert (
        "no --department"
        in failure("issue", "--role", "broker", "--department", "tax", "--name", "a", *at).en
    )
    assert (
        "broker only" in failure("issue", "--department", "tax", "--name", "a", "--dns", "localhost", *at).en
    )
    assert "Validity" in failure("issue", "--department", "tax", "--name", "a", "--days", "4000", *at).en
    assert "see sharebroker pki list" in failure("revoke", "ff", "--folder", folder).en
    assert "PEM certificate" in failure("show", tmp_path / "none.pem").en
    failure("list", "--folder", tmp_path / "none")
    assert not list(out.glob("*")) if out.exists() else True
    assert json.loads(run("list", "--folder", folder, "--json").output) == {"certificates": []}


@pytest.mark.parametrize("command", ["init", "issue", "show", "revoke", "list", "crl"])
def test_help_is_bilingual(command: str) -> None:
    """Every command explains itself in Chinese and English."""
    text = run(command, "--help").output
    assert any("\u4e00" <= character <= "\u9fff" for character in text)
    assert "certificate" in text or "revocation list" in text or "authority" in text
