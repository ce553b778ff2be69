"""``sharebroker mask verify``: masked files are what the provider signed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from broker.cli.connection import Json
from broker.cli.mask.run import tell
from broker.errors import SetUpError


def verify(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="mask run 的输出目录 / folder that mask run wrote")
    ],
    ca: Annotated[Path, typer.Option("--ca", help="根证书 / certificate of the authority")],
    as_json: Json = False,
) -> None:
    """验证已脱敏文件的清单、签名与摘要 / verify manifest, signature and digests of masked files."""
    from cryptography import x509

    from broker.bulk.manifest import verify as verify_files

    try:
        certificate = x509.load_pem_x509_certificate(ca.read_bytes())
    except (OSError, ValueError):
        raise SetUpError(f"无法读取根证书 {ca}。", f"The root certificate {ca} cannot be read.") from None
    manifest = verify_files(out, certificate)
    if as_json:
        typer.echo(orjson.dumps(manifest).decode())
        return
    typer.echo(f"验证通过 / verified: {out}")
    tell(manifest)
