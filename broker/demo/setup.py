"""An embedded broker from nothing: sample city, development authority, keys, settings, database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from adapters.masking.registry import load_operators
from broker.approve.bundle import Bundle
from broker.demo.city.city import City, generate
from broker.errors import SetUpError
from broker.keys.authority import Authority, Issued, write_public_file
from broker.keys.files import write_private_file
from broker.keys.keyring import Keyring
from broker.keys.log_key import create_log_key
from broker.model import Role
from broker.receipt.note import VerifierKey
from broker.server.parts import checked_bundle
from broker.settings import Masking, load_settings
from broker.store.schema import migrate

TRUST_DOMAIN = "xinghe"
ORIGIN = "xinghe.example/sharebroker/log"
COUNTER = "counter"
"""Name of the one system that each department of the sample city runs."""

SETTINGS = """\
# An embedded broker for the sample city. Every setting is explained in docs/settings.md.
[server]
workers = 1                # one process is enough here; `auto` gives one for every core
listen = "127.0.0.1:0"      # the system chooses a free port …
port_file = "broker.port"   # … and the broker writes it here

[policies]
folder = "{policies}"

[sources]
folder = "data"

[log]
origin = "{origin}"
"""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A folder with everything one broker needs, and the city whose departments use it."""

    folder: Path
    city: City

    @property
    def settings(self) -> Path:
        return self.folder / "sharebroker.toml"

    @property
    def trust(self) -> Path:
        """The log's verifier key."""
        return self.folder / "log.vkey"

    def identity(self, department: str, role: Role = Role.SYSTEM) -> Path:
        """Folder with the certificate of a department's system or auditor."""
        return self.folder / "pki" / f"{department}-{role}"


def shipped_policies() -> Path:
    """The sample city's policies: inside the installed package, or beside it in a source tree.

    Raises:
        SetUpError: they are in neither place.
    """
    package = Path(__file__).parent
    for candidate in (package / "policies", package.parent.parent / "policies"):
        if (candidate / "city.yaml").is_file():
            return candidate
    raise SetUpError(
        "找不到示例城市的策略文件夹 policies。", "The sample city's folder of policies is missing."
    )


def load_shipped(policies: Path) -> Bundle:
    """The bundle of the sample city."""
    return checked_bundle(policies, load_operators(Masking().allowed))


def prepare(folder: Path, residents: int, seed: int, policies: Path, departments: Iterable[str]) -> Embedded:
    """Everything in ``folder``, made where it is missing; what is there is kept, certificates are renewed.

    Raises:
        SetUpError: the folder holds something of another kind, or cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    embedded = Embedded(folder.resolve(), generate(folder / "data", residents, seed))
    _identities(embedded, departments)
    _keys(embedded)
    content = SETTINGS.format(policies=policies.resolve(), origin=ORIGIN)
    write_public_file(embedded.settings, content.encode())
    migrate(load_settings(embedded.settings).store_url)
    return embedded


def _identities(embedded: Embedded, departments: Iterable[str]) -> None:
    pki = embedded.folder / "pki"
    if (pki / "ca.key").exists():
        authority = Authority.open(pki)
        authority.crl()
    else:
        authority = Authority.create(pki, TRUST_DOMAIN, organisation="DEVELOPMENT ONLY, NOT FOR SERVICE")
    root = (pki / "ca.pem").read_bytes()
    _write_identity(pki / "broker", authority.issue_broker("demo", ips=["127.0.0.1"], days=7), root)
    for department in departments:
        for role in (Role.SYSTEM, Role.AUDITOR):
            issued = authority.issue(department, role, COUNTER if role is Role.SYSTEM else "audit", days=7)
            _write_identity(embedded.identity(department, role), issued, root)


def _write_identity(folder: Path, issued: Issued, root: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private_file(folder / "key.pem", issued.key_pem)
    write_public_file(folder / "cert.pem", issued.cert_pem)
    write_public_file(folder / "ca.pem", root)


def _keys(embedded: Embedded) -> None:
    keys = embedded.folder / "keys"
    keys.mkdir(mode=0o700, exist_ok=True)
    if not (keys / "keyring.json").exists():
        Keyring.create(keys / "keyring.json")
    if not (keys / "log.key").exists():
        verifier = VerifierKey.of(ORIGIN, create_log_key(keys / "log.key"))
        write_public_file(embedded.trust, f"{verifier}\n".encode())
