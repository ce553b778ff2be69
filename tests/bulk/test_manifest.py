"""The manifest: it verifies as it was signed, and nothing of it or of the files can be changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest
from cryptography import x509
from typer.testing import CliRunner

from broker.bulk.manifest import JSON_FILE, SIGNED_FILE, Signer, verify, write_manifest
from broker.bulk.run import Job, run
from broker.cli.main import app
from broker.cli.mask.run import signer_in
from broker.errors import SetUpError, VerificationFailed
from broker.keys.authority import Authority
from broker.model import Role

from .conftest import Quiet, identity_in, people

JobOf = Callable[..., Job]


@pytest.fixture
def out(tmp_path: Path, job_of: JobOf) -> Path:
    (tmp_path / "in").mkdir()
    pq.write_table(people(50), tmp_path / "in" / "a.parquet")
    job = job_of()
    run(job, Quiet())
    return job.out


def test_files_verify_until_anything_is_touched(out: Path, ca: x509.Certificate, tmp_path: Path) -> None:
    """A changed, missing or further file, a changed manifest, another authority: each is found."""
    manifest = verify(out, ca)
    assert manifest["masks"]["person"]["operator"] == "pseudonym"
    assert manifest["masks"]["person"]["key_version"] == 1
    stranger = Authority.create(tmp_path / "stranger", "xinghe")
    with pytest.raises(VerificationFailed, match="not by this city"):
        verify(out, stranger.certificate)
    (out / "b.parquet").touch()
    with pytest.raises(VerificationFailed, match=r"b\.parquet is not in the manifest"):
        verify(out, ca)
    (out / "b.parquet").unlink()
    (out / "more").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(VerificationFailed, match="more is not in the manifest"):
        verify(out, ca)
    (out / "more").unlink()
    told = (out / JSON_FILE).read_bytes()
    (out / JSON_FILE).write_bytes(told.replace(b'"k_anonymity":null', b'"k_anonymity":true'))
    with pytest.raises(VerificationFailed, match="not what was signed"):
        verify(out, ca)
    (out / JSON_FILE).write_bytes(told)
    content = (out / "a.parquet").read_bytes()
    (out / "a.parquet").write_bytes(content[:-1] + b"\0")
    with pytest.raises(VerificationFailed, match="has been changed"):
        verify(out, ca)
    (out / "a.parquet").unlink()
    with pytest.raises(VerificationFailed, match="is missing"):
        verify(out, ca)


@pytest.mark.parametrize(("department", "role"), [("healthcare", Role.OFFICER), ("tax", Role.AUDITOR)])
def test_only_the_provider_signs(
    out: Path,
    ca: x509.Certificate,
    authority: Authority,
    tmp_path: Path,
    job_of: JobOf,
    department: str,
    role: Role,
) -> None:
    """Neither another department's officer nor the provider's auditor can run, or pass for who may."""
    (tmp_path / "stranger").mkdir()
    stranger = signer_in(identity_in(tmp_path / "stranger", authority, department, role))
    with pytest.raises(SetUpError, match="officer or gateway of the provider"):
        run(job_of(signer=stranger, out=tmp_path / "other"), Quiet())
    manifest = orjson.loads((out / JSON_FILE).read_bytes())
    uri = f"spiffe://xinghe/department/{department}/{role}/li"
    for changed in ({}, {"signer": uri}):
        write_manifest(out, {**manifest, **changed}, stranger)
        with pytest.raises(VerificationFailed, match="signer is not of the provider"):
            verify(out, ca)


def test_every_failure_is_told_in_both_languages(out: Path, ca: x509.Certificate) -> None:
    """Officers verify too; what the signature's own layer says is in English."""
    signed = (out / SIGNED_FILE).read_bytes()
    for content, zh in ((signed[:-1] + bytes([signed[-1] ^ 1]), "签名不成立"), (b"x", "不是清单的签名文件")):
        (out / SIGNED_FILE).write_bytes(content)
        with pytest.raises(VerificationFailed, match=f"{zh}.* / "):
            verify(out, ca)


def test_the_command_verifies_and_exits_with_3_when_it_does_not_hold(
    out: Path, identity: Path, signer: Signer
) -> None:
    """What officers run on what they were handed."""
    runner = CliRunner()
    args = ["mask", "verify", str(out), "--ca", str(identity / "ca.pem")]
    done = runner.invoke(app, args)
    assert (done.exit_code, "验证通过" in done.output) == (0, True)
    assert orjson.loads(runner.invoke(app, [*args, "--json"]).stdout)["provider"] == "tax"
    (out / "a.parquet").unlink()
    assert isinstance(runner.invoke(app, args).exception, VerificationFailed)
    with pytest.raises(SetUpError, match=r"no readable manifest\.json"):
        verify(out.parent, signer.certificate)
