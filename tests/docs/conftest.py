"""A folder as ``make demo`` leaves it, with the demo's broker running, for documentation that is run."""

import pytest

from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies

DEPARTMENTS = ("housing_fund", "medical_insurance", "data_authority")


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The folder; the demo is in ``var/demo`` below it, as in the documentation."""
    folder = tmp_path_factory.mktemp("documentation")
    with broker_process(prepare(folder / "var" / "demo", 300, 7, shipped_policies(), DEPARTMENTS)):
        yield folder


@pytest.fixture
def in_demo(demo, monkeypatch):
    """The test runs in that folder."""
    monkeypatch.chdir(demo)
    return demo
