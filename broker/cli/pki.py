"""``sharebroker pki``: a certificate authority in a folder, which need not be on the broker's host."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from broker.errors import SetUpError
from broker.keys.authority import CERTIFICATE, CRL, DEFAULT_DAYS, Authority, Issued, write_public_file
from broker.keys.certificates import UNREADABLE, only_uri
from broker.keys.files import write_private_file
from broker.keys.journal import IssuedRecord, RevocationReason
from broker.keys.spiffe import DepartmentId, parse
from broker.model import Role

app = typer.Typer(
    help="证书：建立机构、签发、查看、吊销 / certificates: set up an authority, issue, show, revoke",
    no_args_is_help=True,
)


class Holder(StrEnum):
    """Whom a certificate is for: a role in a department, or a broker."""

    SYSTEM = Role.SYSTEM
    OFFICER = Role.OFFICER
    AUDITOR = Role.AUDITOR
    GATEWAY = Role.GATEWAY
    BROKER = "broker"


Folder = Annotated[Path, typer.Option("--folder", help="证书管理机构目录 / folder of the authority")]
Json = Annotated[bool, typer.Option("--json", help="机器可读输出 / print for machines")]
Days = Annotated[int, typer.Option(help="有效天数 / days of validity")]

DEFAULT_FOLDER = Path("pki")


@app.command()
def init(
    city: Annotated[str, typer.Option(help="城市标识（信任域） / id of the city, the trust domain")],
    folder: Folder = DEFAULT_FOLDER,
    years: Annotated[int, typer.Option(min=1, max=30, help="根证书年数 / years of the root")] = 10,
    organisation: Annotated[
        str, typer.Option(help="根证书上的单位名 / organisation named in the root")
    ] = "sharebroker",
) -> None:
    """建立证书管理机构 / set up a certificate authority."""
    authority = Authority.create(folder, city, years=years, organisation=organisation)
    typer.echo(f"已建立 {city} 的证书管理机构：{folder}。{CERTIFICATE} 发给各方，ca.key 不得离开本机。")
    typer.echo(f"Authority of {city} set up in {folder}. Give {CERTIFICATE} to all; ca.key stays here.")
    typer.echo(f"SHA-256 {_fingerprint(authority.certificate)}")


@app.command()
def issue(
    name: Annotated[str, typer.Option(help="名称，如 counter-1 / name, e.g. counter-1")],
    out: Annotated[Path, typer.Option(help="写入证书的目录 / folder to write the bundle to")],
    role: Annotated[Holder, typer.Option(help="角色 / role")] = Holder.SYSTEM,
    department: Annotated[str, typer.Option(help="部门编号 / id of the department")] = "",
    days: Days = DEFAULT_DAYS,
    dns: Annotated[
        list[str] | None, typer.Option(help="broker 的 DNS 名，可重复 / DNS name of a broker, repeatable")
    ] = None,
    ip: Annotated[
        list[str] | None, typer.Option(help="broker 的 IP 地址，可重复 / IP address of a broker, repeatable")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """签发证书（续期即再次签发） / issue a certificate; to renew, issue again."""
    authority = Authority.open(folder)
    _make_folder(out)
    if role is Holder.BROKER:
        if department:
            raise SetUpError("broker 不属于部门，请去掉 --department。", "A broker has no --department.")
        issued = authority.issue_broker(name, dns or (), ip or (), days)
    else:
        if dns or ip:
            raise SetUpError("--dns 和 --ip 只用于 broker。", "--dns and --ip are for a broker only.")
        issued = authority.issue(department, Role(role), name, days)
    _write_bundle(out, issued, folder / CERTIFICATE)
    until = f"{issued.not_after:%Y-%m-%d %H:%M} UTC"
    typer.echo(f"已签发 {issued.spiffe_id}，有效至 {until}，写入 {out}。")
    typer.echo(f"Issued {issued.spiffe_id}, valid until {until}, written to {out}.")


@app.command()
def show(
    certificate: Annotated[Path, typer.Argument(help="证书文件 / certificate file, PEM")],
    as_json: Json = False,
) -> None:
    """查看证书属于谁、何时有效 / show whose a certificate is and when it is valid."""
    described = _describe(_load(certificate))
    if as_json:
        _print_json(described)
        return
    if not described["id"]:
        typer.echo("该证书不属于任何部门或 broker / this certificate names no department and no broker")
    for key, title in _TITLES.items():
        if described[key]:
            typer.echo(f"{title}  {described[key]}")


@app.command()
def revoke(
    which: Annotated[str, typer.Argument(help="序列号或 SPIFFE 标识 / serial or SPIFFE id")],
    reason: Annotated[RevocationReason, typer.Option(help="原因 / reason")] = RevocationReason.UNSPECIFIED,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """吊销证书并发布新的吊销列表 / revoke certificates and publish a new revocation list."""
    revoked = Authority.open(folder).revoke(which, reason)
    for record in revoked:
        typer.echo(f"已吊销 / revoked  {record.serial_hex}  {record.spiffe_id}")
    typer.echo(f"新吊销 {len(revoked)} 张；运行 sharebroker revocations publish {folder / CRL} 后生效。")
    typer.echo(f"{len(revoked)} newly revoked; `sharebroker revocations publish {folder / CRL}` enforces it.")


@app.command("list")
def list_certificates(folder: Folder = DEFAULT_FOLDER, as_json: Json = False) -> None:
    """列出已签发的证书 / list the certificates issued."""
    records = Authority.open(folder).list()
    if as_json:
        _print_json({"certificates": [_row(record) for record in records]})
        return
    # One line each and nothing cut off: serials are copied from here into `pki revoke`.
    for row in map(_row, records):
        typer.echo(f"{row['serial']:<40}  {row['not_after']}  {_STATES[row['state']]}  {row['id']}")
    typer.echo(f"共 {len(records)} 张 / {len(records)} certificates")


@app.command()
def crl(
    days: Days = DEFAULT_DAYS,
    out: Annotated[Path | None, typer.Option(help="另存一份到 / also write a copy to")] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """发布新的吊销列表（须在到期前进行） / publish a new revocation list, before the old one expires."""
    pem = Authority.open(folder).crl(days)
    if out is not None:
        write_public_file(out, pem)
    typer.echo(f"已生成吊销列表 {out or folder / CRL}，{days} 天内有效；revocations publish 后生效。")
    typer.echo(f"Made {out or folder / CRL}, good for {days} days; put it in force by `revocations publish`.")


_TITLES = {
    "id": "SPIFFE 标识 id    ",
    "department": "部门 department   ",
    "role": "角色 role         ",
    "name": "名称 name         ",
    "not_before": "有效自 from       ",
    "not_after": "有效至 until      ",
    "serial": "序列号 serial     ",
    "fingerprint": "SHA-256           ",
}
_STATES = {"valid": "有效 valid", "expired": "已过期 expired", "revoked": "已吊销 revoked"}


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetUpError(
            f"无法创建目录 {out}（{error.strerror}）。", f"Folder {out} cannot be made ({error.strerror})."
        ) from None


def _write_bundle(out: Path, issued: Issued, root: Path) -> None:
    # The key goes first: a certificate without its key would stop whoever reloads the pair.
    write_private_file(out / "key.pem", issued.key_pem)
    write_public_file(out / "cert.pem", issued.cert_pem)
    write_public_file(out / "ca.pem", root.read_bytes())


def _load(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, *UNREADABLE):
        raise SetUpError(f"{path} 不是可读的 PEM 证书。", f"{path} is no readable PEM certificate.") from None


def _describe(certificate: x509.Certificate) -> dict[str, str]:
    return {
        **_who(certificate),
        "not_before": _time(certificate.not_valid_before_utc),
        "not_after": _time(certificate.not_valid_after_utc),
        "serial": f"{certificate.serial_number:x}",
        "fingerprint": _fingerprint(certificate),
    }


def _who(certificate: x509.Certificate) -> dict[str, str]:
    """Whose it is; empty for a certificate that names no holder, as the authority's own."""
    try:
        uri = only_uri(certificate)
        spiffe_id = parse(uri)
    except UNREADABLE:
        return {"id": "", "department": "", "role": "", "name": ""}
    if isinstance(spiffe_id, DepartmentId):
        department, role = spiffe_id.department, str(spiffe_id.role)
    else:
        department, role = "", str(Holder.BROKER)
    return {"id": uri, "department": department, "role": role, "name": spiffe_id.name}


def _row(record: IssuedRecord) -> dict[str, str]:
    if record.revoked_at is not None:
        state = "revoked"
    else:
        state = "expired" if record.not_after < datetime.now(UTC) else "valid"
    return {
        "serial": record.serial_hex,
        "id": record.spiffe_id,
        "issued_at": _time(record.issued_at),
        "not_after": _time(record.not_after),
        "state": state,
        "revoked_at": _time(record.revoked_at) if record.revoked_at else "",
        "reason": str(record.reason) if record.revoked_at else "",
    }


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def _print_json(value: object) -> None:
    typer.echo(orjson.dumps(value).decode())
