"""docs/policy-walk.md, walked again."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from tests.docs.walk import Officer, unpadded, walked

PAGE = Path(__file__).parents[2] / "docs" / "policy-walk.md"
_VARYING = re.compile(
    r"[0-9a-f]{64}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z|\[20[0-9-]{8}\]"  # hashes, instants, today
    r"|^(错误|警告|提示) [0-9].*$|^[0-9]+ 个用例.*$|^规则与条件覆盖.*$",  # counts of all that the city holds
    re.MULTILINE,
)


@pytest.fixture
def officer(tmp_path):
    """In ``var/demo`` as the page finds it."""
    folder = tmp_path / "demo"
    shutil.copytree(shipped_policies(), folder / "policies")
    departments = ("civil_affairs", "housing_fund", "data_authority")
    with broker_process(prepare(folder, 300, 7, folder / "policies", departments)):
        yield Officer(folder)


def test_the_walk_is_as_recorded(officer):
    """Every command says what the page says it does, but for what varies."""
    page = PAGE.read_text("utf-8")
    assert lasting(walked(officer, page)) == lasting(page)


def lasting(page: str) -> str:
    """The page without what varies."""
    return _VARYING.sub("…", unpadded(page))
