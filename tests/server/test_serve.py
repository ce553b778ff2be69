"""A broker in this process: what starting it depends on, and what not."""

from contextlib import closing

from broker.demo.setup import prepare, shipped_policies
from broker.server.listening import Listening
from broker.server.serve import start
from broker.server.signing import KeptSigner
from broker.settings import load_settings


def test_a_slow_database_does_not_keep_it_from_starting(tmp_path, monkeypatch):
    """That nobody could look for too long refuses calls, each anew; it is no reason not to serve."""
    prepared = prepare(tmp_path / "broker", 200, 7, shipped_policies(), ("housing_fund",))
    settings = load_settings(prepared.settings)
    monkeypatch.setattr("broker.epoch.LONGEST_BLIND", -1.0)
    with closing(KeptSigner(settings)):
        start(settings, Listening("127.0.0.1:0")).stop(0)
