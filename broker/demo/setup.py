"""An embedded broker around the sample city: its data, and everything that a broker needs beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from adapters.masking.registry import load_operators
from broker.approve.bundle import Bundle
from broker.demo.city.city import City, generate
from broker.errors import SetUpError
from broker.scaffold import Home, Plan, furnish
from broker.server.bundles import checked_bundle
from broker.settings import Masking

TITLE = "示例城市 / An embedded broker for the sample city."
TRUST_DOMAIN = "xinghe"
ORIGIN = "xinghe.example/sharebroker/log"
DAYS = 7


@dataclass(frozen=True, slots=True)
class Embedded(Home):
    """A folder with everything one broker needs, and the city whose departments use it."""

    city: City


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
    furnish(embedded, Plan(TITLE, TRUST_DOMAIN, ORIGIN, str(policies.resolve()), departments, DAYS))
    return embedded
