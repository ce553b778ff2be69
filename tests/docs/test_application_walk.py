"""docs/application-walk.md, walked again: one reviewed application, by consumer, officers and auditor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from tests.docs.walk import Officer, unpadded, walked

PAGE = Path(__file__).parents[2] / "docs" / "application-walk.md"
DEPARTMENTS = ("medical_insurance", "tax", "data_authority")
_VARYING = re.compile(
    r"[0-9a-f]{64}"  # digests
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9.]+)?(Z|[+-][0-9:]{5})?"  # instants
    r"|(存证第|前|leaf|first|Receipt|receipts/) ?[0-9]+|第 [0-9]+ 条"  # places in the log
)


@contextmanager
def start(folder: Path) -> Iterator[Officer]:
    """In ``var/demo`` as the page finds it, with the broker running."""
    with broker_process(prepare(folder, 1_000, 7, shipped_policies(), DEPARTMENTS)) as address:
        yield Officer(folder, 130, SHAREBROKER_ADDRESS=address)


def test_the_walk_is_as_recorded(tmp_path: Path) -> None:
    """Every command says what the page says it does, but for what varies."""
    page = PAGE.read_text("utf-8")
    with start(tmp_path / "demo") as officer:
        assert lasting(walked(officer, page)) == lasting(page)


def lasting(page: str) -> str:
    """The page without what varies."""
    return _VARYING.sub("…", unpadded(page))
