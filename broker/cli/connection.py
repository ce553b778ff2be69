"""Options that every command talking to a broker takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from broker.client import Client, Credentials, VerifierKey
from broker.errors import SetUpError
from broker.receipt import key_history
from broker.receipt.log_keys import LogKeys
from broker.receipt.witnesses import WitnessPolicy

Address = Annotated[
    str, typer.Option("--broker", envvar="SHAREBROKER_ADDRESS", help="服务地址 / address of the broker")
]
Folder = Annotated[
    Path,
    typer.Option(
        "--identity", envvar="SHAREBROKER_CREDENTIALS", help="证书目录 / folder that `pki issue` wrote"
    ),
]
Trust = Annotated[
    Path, typer.Option("--trust", help="日志公钥文件，须另行取得 / the log's verifier key, got separately")
]
Witnesses = Annotated[
    Path | None,
    typer.Option(help="见证要求（tlog-policy）：须有足够见证人签名 / witness policy: who must have cosigned"),
]
Json = Annotated[bool, typer.Option("--json", help="机器可读输出 / print for machines")]


def connect(address: str, folder: Path, trust: Path | None = None) -> Client:
    """A client under the identity in ``folder``."""
    key = read_trust(trust) if trust else None
    # A person at a terminal would rather be told at once than wait for retries.
    return Client(address, Credentials.load(folder), trust=key, attempts=1)


def read_trust(path: Path) -> LogKeys:
    """The verifier key in a file, and the keys that it leads to by the log's key history, if that follows it
    (``cat log.vkey log-keys``).

    Raises:
        SetUpError: the file is missing.
        VerificationFailed: it holds no verifier key, or a history that does not hold.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise SetUpError(f"无法读取日志公钥 {path}。", f"The verifier key {path} cannot be read.") from None
    first, _, history = text.partition("\n")
    key = VerifierKey.parse(first)
    return key_history.proved(key, key_history.parse(history.encode())) if history else LogKeys(key)


def read_witnesses(path: Path | None) -> WitnessPolicy:
    """The witness policy in a file; without one it demands nothing.

    Raises:
        SetUpError: the file cannot be read.
        VerificationFailed: it holds no policy; says in which line.
    """
    if path is None:
        return WitnessPolicy()
    try:
        return WitnessPolicy.parse(path.read_bytes())
    except OSError:
        raise SetUpError(f"无法读取见证要求 {path}。", f"The witness policy {path} cannot be read.") from None
