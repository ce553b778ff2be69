"""What every test of a masking operator needs: the operators, keys, and a look into the bytes that travel."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.masking import conformance
from adapters.masking.contract import BoundMask, Operator
from adapters.masking.registry import load_operators


class Keys:
    """A key context over a fixed master key."""

    version = 1

    def __init__(self, context: str = "civil_affairs/housing_fund/withdrawal/resident_id") -> None:
        self._context = context

    def derive(self, label: str, length: int) -> bytes:
        info = f"{self._context}/{label}".encode()
        return HKDF(hashes.SHA256(), length, salt=None, info=info).derive(b"a test master key, 32 bytes long")


Bind = Callable[..., BoundMask]


@pytest.fixture(scope="session")
def operators() -> Mapping[str, Operator]:
    """Every operator this package brings."""
    return load_operators(["partial", "predicate", "pseudonym", "redact", "region", "year"])


@pytest.fixture(scope="session")
def bind(operators: Mapping[str, Operator]) -> Bind:
    """Binds the operator of a name to parameters as a policy writes them."""

    def bound(name: str, /, context: str = "", **params: object) -> BoundMask:
        operator = operators[name]
        return operator.bind(operator.params.model_validate(params), Keys(context))

    return bound


@pytest.fixture(scope="session")
def ipc_bytes() -> Callable[[pa.Array], bytes]:
    """The Arrow IPC stream in which an array would travel."""

    return conformance.ipc_bytes
