"""A provider's certificate and keys, a plan, and jobs by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from cryptography import x509

from adapters.masking.registry import load_operators
from broker.bulk.inputs import find_inputs
from broker.bulk.manifest import Signer
from broker.bulk.plan import BulkPlan, read_plan
from broker.bulk.recipe import Recipe, recipe_of
from broker.bulk.run import Job
from broker.cli.mask.run import opened_keyring, signer_in
from broker.keys.authority import Authority
from broker.keys.certificates import cert_pem
from broker.keys.files import write_private_file
from broker.keys.keyring import Keyring
from broker.keys.keyring_file import KeyringFile
from broker.keys.wrapping import create_master_key
from broker.model import Role
from broker.settings import Masking

OPERATORS = load_operators(Masking().allowed)
PLAN = """\
format: share-mask-plan/v1
provider: tax
consumer: housing_fund
purpose: housing_fund_withdrawal
fields:
  person: {type: text, domain: resident_id, column: 身份证号, mask: {pseudonym: {}}}
  name: {type: text, mask: {partial: {keep_start: 1}}}
  born: {type: date, mask: {year: {}}}
  town: {type: text, format: region, mask: as_is}
"""
TOWNS = ("990101", "990102", "990103")


class Quiet:
    """A run's progress, for nobody."""

    def looked(self, parts: int) -> None:
        self.parts = parts

    def masked(self, rows: int) -> None:
        pass


def people(rows: int, first: int = 0) -> pa.Table:
    """Synthetic rows, each of its own; ``note`` is a column that no plan names."""
    numbers = range(first, first + rows)
    return pa.table(
        {
            "身份证号": [f"990101199001{n:06}" for n in numbers],
            "name": [f"王{n:05}" for n in numbers],
            "born": pa.array([n % 10_000 for n in numbers], pa.int32()).cast(pa.date32()),
            "note": [f"SECRET{n:08}" for n in numbers],
            "town": [TOWNS[n * n % 7 % 3] for n in numbers],
        }
    )


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("pki"), "xinghe")


@pytest.fixture(scope="session")
def ca(authority: Authority) -> x509.Certificate:
    return authority.certificate


def identity_in(folder: Path, authority: Authority, department: str, role: Role = Role.OFFICER) -> Path:
    """A folder as ``pki issue`` writes it, of somebody of ``department``."""
    issued = authority.issue(department, role, "li")
    write_private_file(folder / "key.pem", issued.key_pem)
    (folder / "cert.pem").write_bytes(issued.cert_pem)
    (folder / "ca.pem").write_bytes(cert_pem(authority.certificate))
    return folder


@pytest.fixture(scope="session")
def identity(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return identity_in(tmp_path_factory.mktemp("identity"), authority, "tax")


@pytest.fixture(scope="session")
def signer(identity: Path) -> Signer:
    return signer_in(identity)


@pytest.fixture(scope="session")
def keyring_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    wrapper = create_master_key(folder / "master.key")
    KeyringFile(folder / "keyring.json", lambda: wrapper).create(datetime.now(UTC))
    return folder / "keyring.json"


@pytest.fixture(scope="session")
def keyring(keyring_file: Path) -> Keyring:
    return opened_keyring(keyring_file, Path())


@pytest.fixture
def plan_of(tmp_path: Path) -> Callable[[str], BulkPlan]:
    def read(text: str) -> BulkPlan:
        file = tmp_path / "plan.yaml"
        file.write_text(text, "utf-8")
        return read_plan(file, OPERATORS)

    return read


@pytest.fixture
def recipe(plan_of: Callable[[str], BulkPlan], keyring: Keyring) -> Recipe:
    return recipe_of(plan_of(PLAN), OPERATORS, keyring)


@pytest.fixture
def job_of(
    tmp_path: Path, plan_of: Callable[[str], BulkPlan], keyring: Keyring, signer: Signer
) -> Callable[..., Job]:
    """A job over ``tmp_path/in`` towards ``tmp_path/out``, by :data:`PLAN` or another."""

    def make(text: str = PLAN, **changes: Any) -> Job:
        plan = plan_of(text)
        inputs = find_inputs(tmp_path / "in", plan.encoding)
        job = Job(plan, recipe_of(plan, OPERATORS, keyring), inputs, tmp_path / "out", signer)
        return replace(job, **changes)

    return make
