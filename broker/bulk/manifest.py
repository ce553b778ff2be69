"""The manifest of masked files: by which plan, operators and key version, signed by the provider.

``manifest.json`` is UTF-8 JSON with sorted keys; ``manifest.cose`` is a COSE_Sign1 (RFC 9052) whose payload
is exactly those bytes. The profile is that of signed applications, see ``docs/bulk.md``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker.apply.identity import read_credential
from broker.bulk.gate import Figures
from broker.bulk.inputs import InputFile, Surveyed
from broker.bulk.outputs import GROUP_ROWS, Written
from broker.bulk.parts import durable_file
from broker.bulk.plan import BulkPlan
from broker.bulk.recipe import Recipe
from broker.errors import NotAuthenticated, SetUpError, VerificationFailed
from broker.keys import cose
from broker.keys.signers import check_issued, public_key, signer_certificate
from broker.model import Identity, Role

FORMAT = "share-mask-manifest/v1"
CONTENT_TYPE = "application/vnd.sharebroker.mask-manifest+json"
JSON_FILE, SIGNED_FILE = "manifest.json", "manifest.cose"
MAX_BYTES = 64 * 1024 * 1024
_TIME = "%Y-%m-%dT%H:%M:%SZ"

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Signer:
    """Who answers for masked files: a system, officer or gateway of the provider. Auditors read."""

    key: cose.PrivateKey
    certificate: x509.Certificate

    def identity(self, provider: str) -> Identity:
        """The holder.

        Raises:
            SetUpError: the certificate is not one of ``provider``.
        """
        try:
            identity = read_credential(self.certificate).identity
        except NotAuthenticated:
            identity = None
        if identity is None or not _may_sign(identity, provider):
            raise SetUpError(
                f"签名证书须是提供部门 {provider} 的系统、管理员或网关的，请用这样的证书（--identity）。",
                f"The signer must be a system, officer or gateway of the provider, {provider}; give its "
                "certificate (--identity).",
            )
        return identity


@dataclass(frozen=True, slots=True)
class Result:
    """One file masked."""

    source: InputFile
    surveyed: Surveyed
    name: str
    """Of the output, from OUT on."""
    written: Written
    bad: Mapping[str, int]
    """Field → how many values became null because they were not of its type or format."""


def manifest_of(
    plan: BulkPlan,
    recipe: Recipe,
    results: Sequence[Result],
    figures: Figures | None,
    signer: Identity,
    now: datetime,
) -> dict[str, Any]:
    """What is said of a finished run; masks are told as in a receipt's statement."""
    released = sum(one.written.rows for one in results)
    return {
        "format": FORMAT,
        "plan": {"digest": plan.digest, "file_sha256": plan.file_sha256},
        "provider": plan.provider,
        "consumer": plan.consumer,
        "purpose": plan.purpose,
        "dataset": plan.dataset,
        "fields": [one.field.name for one in plan.fields if one.released],
        "masks": recipe.masks,
        "inputs": [
            {"name": one.source.name, "size": one.source.state[0], "sha256": one.surveyed.sha256}
            for one in results
        ],
        "outputs": [
            {
                "name": one.name,
                "rows": one.written.rows,
                "size": one.written.size,
                "sha256": one.written.sha256,
                "bad": dict(sorted(one.bad.items())),
            }
            for one in results
        ],
        "rows": {"read": released + (figures.suppressed_rows if figures else 0), "released": released},
        "k_anonymity": _gate(figures),
        "signer": signer.uri,
        "masked_at": now.astimezone(UTC).strftime(_TIME),
        "written_by": {"pyarrow": pa.__version__, "group_rows": GROUP_ROWS},
    }


def write_manifest(folder: Path, manifest: Manifest, signer: Signer) -> None:
    """Write both files into ``folder``.

    Raises:
        OSError: they cannot be written.
    """
    payload = orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
    der = signer.certificate.public_bytes(serialization.Encoding.DER)
    signed = cose.sign1(payload, CONTENT_TYPE, signer.key, [der])
    for name, content in ((JSON_FILE, payload), (SIGNED_FILE, signed)):
        with durable_file(folder / name) as file:
            file.write(memoryview(content))


def verify(folder: Path, ca: x509.Certificate) -> Manifest:
    """The manifest of masked files, once everything in it holds: signature, certificate (issued by ``ca``, in
    force when it says, of the provider), every output file's digest, and that there are no other files.

    Raises:
        VerificationFailed: something does not hold; says which.
        SetUpError: there is no manifest.
    """
    try:
        message, told = (folder / SIGNED_FILE).read_bytes(), (folder / JSON_FILE).read_bytes()
    except OSError as error:
        raise SetUpError(
            f"{folder} 中没有可读的 {JSON_FILE} 与 {SIGNED_FILE}（{error.strerror}）。",
            f"{folder} has no readable {JSON_FILE} and {SIGNED_FILE} ({error.strerror}).",
        ) from None
    with _said(f"{SIGNED_FILE} 不是清单的签名文件，或已被改动"):
        signed = cose.parse(message, MAX_BYTES)
        certificate = signer_certificate(signed, CONTENT_TYPE)
    manifest, masked_at = _read(signed.payload)
    with _said("签署者的证书已过期，或不是此根证书的机构签发"):
        check_issued(certificate, ca, masked_at)
    with _said(f"{SIGNED_FILE} 的签名不成立"):
        signed.verify(public_key(certificate))
    if told != signed.payload:
        raise VerificationFailed(f"{JSON_FILE} 与所签内容不一致 / {JSON_FILE} is not what was signed")
    _check_signer(certificate, manifest)
    _check_files(folder, manifest)
    return manifest


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _said(zh: str) -> Iterator[None]:
    """What fails in the signature's own layer, said in Chinese too."""
    try:
        yield
    except VerificationFailed as error:
        raise VerificationFailed(f"{zh} / {error}") from None


def _gate(figures: Figures | None) -> dict[str, object] | None:
    if figures is None:
        return None
    return {
        "k": figures.k,
        "quasi_identifiers": list(figures.quasi_identifiers),
        "classes": figures.classes,
        "smallest": figures.smallest,
        "suppressed": {"classes": figures.suppressed_classes, "rows": figures.suppressed_rows},
    }


def _read(payload: bytes) -> tuple[Manifest, datetime]:
    try:
        manifest = orjson.loads(payload)
        if manifest["format"] != FORMAT:
            raise ValueError("another format")
        return manifest, datetime.strptime(manifest["masked_at"], _TIME).replace(tzinfo=UTC)
    except (ValueError, KeyError, TypeError):
        raise VerificationFailed("清单内容格式不符 / manifest: not of the documented form") from None


def _may_sign(identity: Identity, provider: object) -> bool:
    return identity.department == provider and identity.role is not Role.AUDITOR


def _check_signer(certificate: x509.Certificate, manifest: Manifest) -> None:
    try:
        identity = read_credential(certificate).identity
    except NotAuthenticated:
        raise VerificationFailed(
            "签署者的证书不是部门证书 / the signer's certificate is no department's"
        ) from None
    if identity.uri != manifest.get("signer") or not _may_sign(identity, manifest.get("provider")):
        raise VerificationFailed(
            "签署者不属于提供部门或无权签署 / the signer is not of the provider, or may not sign"
        )


def _check_files(folder: Path, manifest: Manifest) -> None:
    listed = {str(one["name"]): one for one in manifest["outputs"]}
    there = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    for name in sorted(there - listed.keys() - {JSON_FILE, SIGNED_FILE}):
        raise VerificationFailed(f"{name} 不在清单中 / {name} is not in the manifest")
    for name, one in listed.items():
        if name not in there:
            raise VerificationFailed(f"缺少 {name} / {name} is missing")
        with (folder / name).open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != one["sha256"]:
                raise VerificationFailed(f"{name} 已被改动 / {name} has been changed")
