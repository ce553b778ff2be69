"""The demo's broker: it ends with the demo, leaves another broker alone, and says why it did not start."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from broker.errors import SetUpError

SECONDS = 300
DEMO = """
import sys, time
from pathlib import Path
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies

with broker_process(prepare(Path(sys.argv[1]), 200, 7, shipped_policies(), ("housing_fund",))) as address:
    print(address, flush=True)
    time.sleep(3600)
"""


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("demo"), 200, 7, shipped_policies(), ("housing_fund",))


def refusal(embedded):
    with pytest.raises(SetUpError) as refused, broker_process(embedded):
        pass
    return refused.value


def test_killed_demo_takes_its_broker_along(embedded):
    """After kill -9 in the middle of a demo the next one starts, without a broker left behind to look for."""
    with subprocess.Popen([sys.executable, "-c", DEMO, embedded.folder], stdout=subprocess.PIPE) as demo:
        assert demo.stdout.readline()
        demo.send_signal(signal.SIGKILL)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with suppress(SetUpError), broker_process(embedded):
            return
    pytest.fail("the broker of the killed demo is still there")


def test_running_broker_is_left_alone(embedded):
    """A demo beside ``serve`` in the same folder says what is in its way, and leaves its port file."""
    port_file = embedded.folder / "broker.port"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "broker.cli", "serve", "--config", embedded.settings]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as serving:
        try:
            end = time.monotonic() + SECONDS
            while not (port_file.exists() and port_file.read_text().strip()):
                assert time.monotonic() < end
                time.sleep(0.02)
            port = port_file.read_text()
            error = refusal(embedded)
            assert "stop the other broker first" in error.en
            assert "请先停止另一个服务" in error.zh
            assert port_file.read_text() == port
        finally:
            serving.terminate()


def test_one_demo_at_a_time(embedded):
    """Two demos in one folder would take each other's broker for their own."""
    with broker_process(embedded):
        error = refusal(embedded)
    assert "Another demo" in error.en
    assert "另一个演示" in error.zh


def test_reason_is_said_at_once(embedded):
    """Why the broker did not start stands in the message, not only in a file."""
    key = embedded.folder / "keys" / "log.key"
    os.chmod(key, 0o644)
    try:
        assert f"chmod 600 {key}" in refusal(embedded).en
    finally:
        os.chmod(key, 0o600)
