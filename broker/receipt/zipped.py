"""A receipt as one ``.zip`` that can be read and verified without anything else but the trusted key.

The members, in this order, are stored uncompressed and bear no time of writing, so one receipt gives one
file (APPNOTE.TXT 6.3.10, ISO/IEC 21320-1). ``receipt.json`` proves itself; statement, proof and checkpoint
stand in it and, for other tools, beside it; ``log.vkey`` only tells which key to obtain; page and README
are for people and prove nothing.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from broker.errors import VerificationFailed
from broker.model import Receipt
from broker.receipt import bundle, tlog_proof
from broker.receipt.note import VerifierKey
from broker.use_commitment.signed import text_of

README, PAGE = "README.txt", "receipt.html"
MEMBERS = (
    README,
    PAGE,
    "statement.json",
    "checkpoint.txt",
    "receipt.tlog-proof",
    "receipt.json",
    "log.vkey",
)
LOG_KEYS = "log-keys.json"
"""After these, where the log has had several keys: the signed successions, an array of notes."""
ACTS, CHAINS = "acts/", "certificate-chains/"
"""After these, where there are any: signed messages that the statement names (``{sha256}.cose``), and the
receipts of the leaves that have the chains of the certificates that acted (``{leaf index}.json``)."""
TEXT = ".txt"
"""Beside a use commitment: the text that was signed, for people; it stands in the message too."""
MAX_BYTES = 8 * bundle.MAX_BYTES
MAGIC = b"PK\x03\x04"

_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_PERMISSIONS = 0o100644 << 16
_UNREADABLE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    LookupError,
    OSError,
    EOFError,
    OverflowError,
    struct.error,
)
"""What :mod:`zipfile` raises of files that are damaged, encrypted, or of kinds that it does not know."""


@dataclass(frozen=True, slots=True)
class Zipped:
    """What a bundle holds. Nothing in it has been verified, and the key must not be trusted."""

    receipt: Receipt
    verifier_key: VerifierKey
    readme: bytes
    page: bytes


def export(zipped: Zipped) -> bytes:
    """The file, the same bytes each time.

    Raises:
        ValueError: the receipt is longer than its forms may be.
    """
    return _write(_members(zipped))


def parse(data: bytes) -> Zipped:
    """Reads a bundle whose members belong to one receipt. Page and README may say what they like.

    Raises:
        VerificationFailed: too long, damaged, a member missing, unknown or of another receipt, or the file
            not exactly what :func:`export` writes.
    """
    if len(data) > MAX_BYTES:
        raise VerificationFailed("回执包过长 / bundle: longer than 8 MiB")
    members = _read(data)
    zipped = Zipped(
        receipt=replace(
            bundle.parse(members["receipt.json"]),
            successions=_successions(members),
            acts=tuple(
                content
                for name, content in members.items()
                if name.startswith(ACTS) and not name.endswith(TEXT)
            ),
            chains=tuple(
                replace(bundle.parse(content), successions=_successions(members))
                for name, content in members.items()
                if name.startswith(CHAINS)
            ),
        ),
        verifier_key=VerifierKey.parse(members["log.vkey"].decode("utf-8", "replace").removesuffix("\n")),
        readme=members[README],
        page=members[PAGE],
    )
    written = _members(zipped)
    if written.keys() != members.keys():
        raise VerificationFailed("回执包成员缺失或多余 / bundle: members missing or unknown")
    for name, content in written.items():
        if members[name] != content:
            raise VerificationFailed(
                f"回执包中的 {name} 与 receipt.json 不符 / bundle: {name} is not that of receipt.json"
            )
    if _write(members) != data:
        raise VerificationFailed("回执包被改动或重新打包 / bundle: altered, or packed again")
    return zipped


def _members(zipped: Zipped) -> dict[str, bytes]:
    receipt = zipped.receipt
    contents = (
        zipped.readme,
        zipped.page,
        receipt.statement,
        receipt.checkpoint.encode("utf-8"),
        tlog_proof.export(receipt),
        bundle.export(receipt),
        f"{zipped.verifier_key}\n".encode(),
    )
    members = dict(zip(MEMBERS, contents, strict=True))
    if receipt.successions:
        members[LOG_KEYS] = json.dumps(receipt.successions, ensure_ascii=False, indent=1).encode() + b"\n"
    for act in receipt.acts:
        name = f"{ACTS}{sha256(act).hexdigest()}"
        members[f"{name}.cose"] = act
        if text := text_of(act):
            members[f"{name}{TEXT}"] = f"{text}\n".encode()
    members |= {f"{CHAINS}{chain.leaf_index}.json": bundle.export(chain) for chain in receipt.chains}
    return members


def _successions(members: Mapping[str, bytes]) -> tuple[str, ...]:
    """The notes; whether they are spelt rightly is seen by writing them again."""
    try:
        return tuple(map(str, json.loads(members.get(LOG_KEYS, b"[]"))))
    except (ValueError, TypeError, RecursionError):
        raise VerificationFailed("回执包中的密钥历史格式不符 / bundle: log-keys.json is malformed") from None


def _write(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name, _EPOCH)
            member.create_system, member.external_attr = _UNIX, _PERMISSIONS
            archive.writestr(member, content)
    return file.getvalue()


def _read(data: bytes) -> dict[str, bytes]:
    """The members by name. Nothing is inflated: a stored member is no longer than the file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = archive.infolist()
            plain = all(each.compress_type == zipfile.ZIP_STORED for each in found)
            names = tuple(each.filename for each in found)
            more = [n for n in names[len(MEMBERS) :] if n != LOG_KEYS and not n.startswith((ACTS, CHAINS))]
            if names[: len(MEMBERS)] != MEMBERS or more or len(set(names)) < len(names) or not plain:
                raise VerificationFailed("回执包成员缺失或多余 / bundle: members missing or unknown")
            return {each.filename: archive.read(each) for each in found}
    except _UNREADABLE:
        raise VerificationFailed("回执包损坏 / bundle: damaged") from None
