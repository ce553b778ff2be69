"""An embedded broker's folder: development authority, certificates, keys, settings, database.

The demo furnishes one around the sample city, ``sharebroker init`` one around a city of somebody's own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from broker.keys.authority import Authority, Issued, write_public_file
from broker.keys.files import write_private_file
from broker.keys.keyring_file import KeyringFile
from broker.keys.log_key import create_log_key
from broker.keys.wrapping import VARIABLE, create_master_key, master_key_of, read_master_key
from broker.model import Role
from broker.receipt.note import VerifierKey
from broker.settings import Settings, load_settings
from broker.store.schema import migrate
from broker.vault.opening import create_vault

SETTINGS_FILE = "sharebroker.toml"
WARNING = "DEVELOPMENT ONLY, NOT FOR SERVICE"
"""Stands in the root certificate: its key lies beside the broker, where a real authority's never does."""
_NOTICE = """\
仅供开发。此目录存有证书管理机构的私钥（ca.key）：谁拿到它，就能冒充任何部门。
正式使用前，请在单独保管的机器上执行 sharebroker pki init，此处只留 ca.pem 和 crl.pem。

DEVELOPMENT ONLY. The authority's private key (ca.key) lies here: whoever has it can pass as any department.
Before real service run `sharebroker pki init` on a machine kept apart, and keep only ca.pem and crl.pem here.
"""
_MASTER_KEY_NOTICE = """\
master.key 是打开 keyring.json 的主密钥。两者放在一起，等于没有上锁：正式使用前，请把 master.key 移到别处
（另一块盘、密钥保管设备、systemd LoadCredential），用 [keys] master_key_file 指明，备份也分开存放。

master.key opens keyring.json. Side by side they are a lock with its key in it: before real service move
master.key elsewhere (another disk, a vault, systemd's LoadCredential), name it in [keys] master_key_file, and
keep the backups apart as well. See docs/keys.md.
"""
_VAULT_NOTICE = """\
master.key 是打开主体密钥库 vault.db 的主密钥。两者放在一起，等于没有上锁：正式使用前，请把 master.key
移到别处，用 [vault] master_key_file 指明；主体密钥库也应放在本服务数据库之外的机器上，备份另存。

master.key opens the subject vault, vault.db. Side by side they are a lock with its key in it: before real
service move master.key elsewhere, name it in [vault] master_key_file, and keep the vault on another machine
than the broker's database, its backups apart as well. See docs/citizens-view.md.
"""
COUNTER = "counter"
"""Name of the one system that each department gets a certificate for."""

_SETTINGS = """\
# {title}
# Every setting is explained in docs/settings.md.
[server]
workers = 1                # one process is enough here; `auto` gives one for every core
listen = "127.0.0.1:0"      # the system chooses a free port …
port_file = "broker.port"   # … and the broker writes it here

[policies]
folder = {policies}

[sources]
folder = "data"

[log]
origin = {origin}

[vault]
url = "sqlite:///vault/vault.db"   # a key for every person, apart from the database of receipts
"""


@dataclass(frozen=True, slots=True)
class Home:
    """A folder with everything that one embedded broker needs."""

    folder: Path

    @property
    def settings(self) -> Path:
        return self.folder / SETTINGS_FILE

    @property
    def trust(self) -> Path:
        """The log's verifier key."""
        return self.folder / "log.vkey"

    @property
    def authority(self) -> Path:
        """Folder of the development authority."""
        return self.folder / "pki"

    def identity(self, department: str, role: Role = Role.SYSTEM) -> Path:
        """Folder with the certificate of a department's system or auditor."""
        return self.authority / f"{department}-{role}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to furnish a home with. ``policies`` is a path, absolute or from the home."""

    title: str
    """Chinese and English, one line: the settings file begins with it."""
    trust_domain: str
    origin: str
    """Name of the receipt log."""
    policies: str
    departments: Iterable[str]
    days: int
    """Validity of the certificates."""


def furnish(home: Home, plan: Plan) -> None:
    """Everything of ``plan`` in ``home``, made where it is missing; certificates are renewed.

    Raises:
        SetUpError: something cannot be written, or the folder holds something of another kind.
    """
    _identities(home, plan)
    _keys(home, plan.origin)
    content = _SETTINGS.format(title=plan.title, policies=_toml(plan.policies), origin=_toml(plan.origin))
    write_public_file(home.settings, content.encode())
    settings = load_settings(home.settings)
    migrate(settings.store_url)
    _vault(home, settings)


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a basic string of TOML


def _identities(home: Home, plan: Plan) -> None:
    pki = home.authority
    if (pki / "ca.key").exists():
        authority = Authority.open(pki)
        authority.crl()
    else:
        authority = Authority.create(pki, plan.trust_domain, organisation=WARNING)
        write_public_file(pki / "DEVELOPMENT-ONLY.txt", _NOTICE.encode())
    root = (pki / "ca.pem").read_bytes()
    issued = authority.issue_broker("embedded", ips=["127.0.0.1"], days=plan.days)
    _write_identity(pki / "broker", issued, root)
    for department in plan.departments:
        for role in (Role.SYSTEM, Role.AUDITOR):
            name = COUNTER if role is Role.SYSTEM else "audit"
            issued = authority.issue(department, role, name, days=plan.days)
            _write_identity(home.identity(department, role), issued, root)


def _write_identity(folder: Path, issued: Issued, root: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private_file(folder / "key.pem", issued.key_pem)
    write_public_file(folder / "cert.pem", issued.cert_pem)
    write_public_file(folder / "ca.pem", root)


def _vault(home: Home, settings: Settings) -> None:
    folder = home.folder / "vault"
    folder.mkdir(mode=0o700, exist_ok=True)
    if not (folder / "vault.db").exists():
        master_key = settings.path(settings.vault.master_key_file)
        wrapper = read_master_key(master_key) if master_key.exists() else create_master_key(master_key)
        create_vault(settings.vault_url, wrapper, datetime.now(UTC))
        write_public_file(folder / "MASTER-KEY.txt", _VAULT_NOTICE.encode())


def _keys(home: Home, origin: str) -> None:
    keys = home.folder / "keys"
    keys.mkdir(mode=0o700, exist_ok=True)
    if not (keys / "keyring.json").exists():
        master_key = keys / "master.key"
        if not (master_key.exists() or VARIABLE in os.environ):
            create_master_key(master_key)
        KeyringFile(keys / "keyring.json", lambda: master_key_of(master_key)).create(datetime.now(UTC))
        write_public_file(keys / "MASTER-KEY.txt", _MASTER_KEY_NOTICE.encode())
    if not (keys / "log.key").exists():
        verifier = VerifierKey.of(origin, create_log_key(keys / "log.key"))
        write_public_file(home.trust, f"{verifier}\n".encode())
