"""An embedded broker's folder, made and made again."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509

from broker.errors import SetUpError
from broker.model import Role
from broker.scaffold import Home, Plan, furnish
from broker.settings import load_settings

PLAN = Plan("测试 / test", "xinghe", "xinghe.example/log", 'a "quoted" folder', ("tax",), 7)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    furnish(made, PLAN)
    return made


def test_everything_is_there_and_private(home: Home) -> None:
    """Settings that load, a verifier key of the log's name, keys for their owner only."""
    settings = load_settings(home.settings)
    assert settings.path(settings.policies.folder) == home.folder / 'a "quoted" folder'
    assert home.trust.read_text("utf-8").startswith("xinghe.example/log+")
    keys = [home.folder / "keys/keyring.json", home.folder / "keys/log.key", home.authority / "ca.key"]
    keys += [home.identity("tax", role) / "key.pem" for role in (Role.SYSTEM, Role.AUDITOR)]
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}


def test_making_it_again_keeps_keys_and_renews_certificates(home: Home) -> None:
    """What was masked, tagged or signed before stays so; certificates begin anew under the same authority."""
    kept = [
        home.folder / "keys/keyring.json",
        home.folder / "keys/log.key",
        home.trust,
        home.authority / "ca.pem",
    ]
    before = [path.read_bytes() for path in kept]
    certificate = home.identity("tax") / "cert.pem"
    serial = x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number
    furnish(home, PLAN)
    assert [path.read_bytes() for path in kept] == before
    assert x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number != serial


def test_a_damaged_authority_is_not_replaced(home: Home) -> None:
    """Certificates in use would stop being believed: that is for a person to decide."""
    (home.authority / "ca.pem").write_text("x")
    with pytest.raises(SetUpError):
        furnish(home, PLAN)
