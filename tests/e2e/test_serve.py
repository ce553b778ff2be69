"""``sharebroker serve`` from start to end: what keeps it from starting, and how it leaves."""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from broker.client import Client, Credentials
from broker.demo.setup import prepare, shipped_policies
from broker.errors import DeadlinePassed, Unavailable
from broker.model import Role, Verdict
from tests.waiting import wait_for

TIMEOUT = 300
ZYGOTE = """
import json, os, signal, sys
import broker.cli.main, broker.server.serve, broker.server.supervisor

for line in sys.stdin:
    case = json.loads(line)
    child = os.fork()
    if child == 0:
        signal.alarm(300)
        os.environ.update(case["environment"])
        os.dup2(os.open(case["stderr"], os.O_WRONLY | os.O_CREAT, 0o600), 2)
        sys.argv = ["sharebroker", "serve", "--config", case["config"]]
        broker.cli.main.main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A prepared folder in which no broker has run."""
    folder = tmp_path_factory.mktemp("pristine")
    shutil.copytree(shipped_policies(), folder / "policies")
    return prepare(folder / "broker", 200, 7, folder / "policies", ("housing_fund",)).folder


@pytest.fixture
def folder(pristine, tmp_path):
    """A copy of it, to be spoilt."""
    policies = shutil.copytree(pristine.parent / "policies", tmp_path / "policies")
    folder = shutil.copytree(pristine, tmp_path / "broker")
    settings = folder / "sharebroker.toml"
    settings.write_text(settings.read_text("utf-8").replace(str(pristine.parent / "policies"), str(policies)))
    return folder


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it wrote on standard error."""

    code: int
    said: str


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """Runs the command until it gives up, in a process of its own each time.

    The processes are forks of one that has imported everything and done nothing, as the imports take longest.
    """
    stderr = tmp_path_factory.mktemp("stderr") / "said"
    zygote = subprocess.Popen(
        [sys.executable, "-c", ZYGOTE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def serve(folder, **environment):
        stderr.unlink(missing_ok=True)
        case = {"config": str(folder / "sharebroker.toml"), "environment": environment, "stderr": str(stderr)}
        print(json.dumps(case), file=zygote.stdin, flush=True)
        return Ended(int(zygote.stdout.readline()), stderr.read_text("utf-8"))

    with zygote:
        yield serve
        zygote.stdin.close()


def require_clear_refusal(ended, *mentions):
    """Exit code 2, Chinese first, English after it, what it is about, and no traceback."""
    assert ended.code == 2, ended.said
    # Beside the broker's lines there may be JSON of its log and gRPC's own complaints (E1123 …).
    lines = [line for line in ended.said.splitlines() if not re.match(r"\{|[EWI]\d{4} ", line)]
    chinese = [bool(re.search("[\u4e00-\u9fff]", line)) for line in lines]
    assert chinese[0], ended.said
    assert not all(chinese), ended.said
    assert "Traceback" not in ended.said
    assert 'File "' not in ended.said
    for mention in mentions:
        assert mention in ended.said


# ── what keeps it from starting ──────────────────────────────────────────────────────────────────


def test_missing_settings_file(serve, tmp_path):
    """Without settings it says which file it looked for."""
    require_clear_refusal(serve(tmp_path), "sharebroker.toml")


@pytest.mark.parametrize(
    ("wrong", "mention"),
    [
        ("[server\n", "TOML"),
        ("[server]\nlistne = 1\n", "server.listne"),
        ("[server]\nthreads = 0\n", "server.threads"),
        ("[sever]\nthreads = 1\n", "sever"),
    ],
)
def test_wrong_settings_file(serve, folder, wrong, mention):
    """Settings that are no TOML, unknown or out of bounds are named."""
    (folder / "sharebroker.toml").write_text(wrong)
    require_clear_refusal(serve(folder), mention)


def test_wrong_setting_in_the_environment(serve, folder):
    """So are those of the environment."""
    require_clear_refusal(serve(folder, SHAREBROKER_SERVER__THREADS="many"), "server.threads")
    require_clear_refusal(serve(folder, SHAREBROKER_STORE__URLL="x"), "store.urll")
    require_clear_refusal(serve(folder, SHAREBROKER_STORE__URL="mysql://secret@host/x"), "[store] url")
    assert "secret" not in serve(folder, SHAREBROKER_STORE__URL="mysql://secret@host/x").said


def test_port_in_use(serve, folder):
    """A port that somebody else listens on is not shared silently."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        where = f"127.0.0.1:{other.getsockname()[1]}"
        require_clear_refusal(serve(folder, SHAREBROKER_SERVER__LISTEN=where), where)


def test_port_of_another_broker(serve, folder, address):
    """Nor is that of another broker, which would be glad to share it."""
    require_clear_refusal(serve(folder, SHAREBROKER_SERVER__LISTEN=address), address)


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", ":", "127.0.0.1:-1", "a:b"])
def test_address_that_is_none(serve, folder, listen):
    """What is no address is told; gRPC itself would take port 99999 for 34463."""
    require_clear_refusal(serve(folder, SHAREBROKER_SERVER__LISTEN=listen), "server.listen")


@pytest.mark.parametrize("listen", ["nowhere.invalid:0", "203.0.113.1:0"])
def test_address_that_is_not_here(serve, folder, listen):
    """An address that this machine cannot listen on is told."""
    require_clear_refusal(serve(folder, SHAREBROKER_SERVER__LISTEN=listen), listen)


KEYS = ["pki/broker/key.pem", "keys/keyring.json", "keys/log.key"]


@pytest.mark.parametrize("key", KEYS)
def test_missing_key(serve, folder, key):
    """A missing key is named."""
    (folder / key).unlink()
    require_clear_refusal(serve(folder), key)


@pytest.mark.parametrize("key", KEYS)
def test_key_that_others_can_read(serve, folder, key):
    """A key that others can read is refused, with the command that puts it right."""
    (folder / key).chmod(0o644)
    require_clear_refusal(serve(folder), key, "chmod 600")


@pytest.mark.parametrize("key", KEYS)
def test_key_that_is_none(serve, folder, key):
    """A key file that holds something else is no key, and what it holds is not repeated."""
    (folder / key).write_text("SECRET")
    ended = serve(folder)
    require_clear_refusal(ended)
    assert "SECRET" not in ended.said


def test_key_of_another_certificate(serve, folder):
    """A key that does not fit the broker's certificate is told, and not taken for a used port."""
    shutil.copy(folder / "pki/housing_fund-system/key.pem", folder / "pki/broker/key.pem")
    ended = serve(folder)
    require_clear_refusal(ended, "pki/broker")
    assert "port" not in ended.said


@pytest.mark.parametrize("file", ["pki/broker/cert.pem", "pki/ca.pem"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificate_that_is_none(serve, folder, file, content):
    """A certificate that is missing or unreadable is named, and not taken for a used port."""
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content)
    ended = serve(folder)
    require_clear_refusal(ended, file)
    assert "port" not in ended.said


def test_broken_policies(serve, folder):
    """Everything that is wrong with the policies is told, each with its place."""
    policies = folder.parent / "policies"
    (policies / "sharing" / "tax-income.yaml").write_text("format: share-policy/v1\nid: x: y\n")
    cities = policies / "city.yaml"
    cities.write_text(cities.read_text("utf-8").replace("Asia/Shanghai", "Asia/Nowhere"), "utf-8")
    require_clear_refusal(serve(folder), "tax-income.yaml", "city.yaml")


def test_missing_policies(serve, folder):
    """A folder of policies that is not there is named."""
    shutil.rmtree(folder.parent / "policies")
    require_clear_refusal(serve(folder), "policies")


def test_missing_source(serve, folder):
    """A provider's source that cannot be opened is named with its dataset."""
    (folder / "data" / "public_security.db").unlink()
    require_clear_refusal(serve(folder), "public_security.household")


def revision(folder, change):
    with closing(sqlite3.connect(folder / "sharebroker.db", isolation_level=None)) as database:
        database.execute(change)


def test_database_not_set_up(serve, folder):
    """Without a database it says which command makes one."""
    (folder / "sharebroker.db").unlink()
    require_clear_refusal(serve(folder), "sharebroker db upgrade")


def test_newer_database(serve, folder):
    """A database from the future is left alone."""
    revision(folder, "UPDATE alembic_version SET version_num = '9999'")
    require_clear_refusal(serve(folder), "newer")


def test_signer_without_memory(serve, folder):
    """A log whose signer has forgotten what it signed is not continued."""
    with broker_process_of(folder):
        pass
    (folder / "keys" / "log.checkpoint").unlink()
    require_clear_refusal(serve(folder), "[keys] signer_state")


def test_unwritable_port_file(serve, folder):
    """A port file that cannot be written is told before anybody is served."""
    require_clear_refusal(serve(folder, SHAREBROKER_SERVER__PORT_FILE="nowhere/broker.port"), "nowhere")


# ── how it leaves ────────────────────────────────────────────────────────────────────────────────


@contextmanager
def broker_process_of(folder):
    """A broker in that folder: its process and address. It drains for longer than anybody here waits."""
    port_file = folder / "broker.port"
    port_file.unlink(missing_ok=True)
    with (folder / "broker.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "broker.cli", "serve", "--config", str(folder / "sharebroker.toml")],
            stderr=output,
            env=os.environ | {"SHAREBROKER_SERVER__DRAIN_SECONDS": str(10 * TIMEOUT)},
        )
    try:
        end = time.monotonic() + TIMEOUT
        while not (port_file.exists() and port_file.read_text().strip()):
            assert time.monotonic() < end
            assert process.poll() is None, (folder / "broker.log").read_text()
            time.sleep(0.02)
        yield process, f"127.0.0.1:{port_file.read_text().strip()}"
    finally:
        process.terminate()
        process.wait(TIMEOUT)


def health_of(channel):
    return health_pb2_grpc.HealthStub(channel)


@pytest.fixture
def terms():
    return {
        "dataset": "civil_affairs.marriage",
        "fields": ["status"],
        "subjects": ["990101189901010015"],
        "purpose": "housing_fund_audit",
    }


@pytest.fixture
def identity(folder):
    return Credentials.load(folder / "pki" / f"housing_fund-{Role.SYSTEM}")


@contextmanager
def held_up(folder):
    """While this lasts, nothing can be appended to the log, so exchanges are under way and stay so."""
    with (folder / "sharebroker.db.lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def somebody_waits_for(lock):
    """Whether somebody stands in the queue at a lock that is held, as the system tells."""
    inode = f":{os.fstat(lock.fileno()).st_ino} "
    return any("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


def is_turned_away(client, terms):
    """Whether a call is refused at once; one that came before the end began is held up with the others."""
    try:
        client.exchange(timeout=1, **terms)
    except Unavailable:
        return True
    except DeadlinePassed:
        return False
    raise AssertionError("answered, though nothing can be appended")


def test_sigterm_lets_calls_under_way_finish_and_takes_no_new_ones(folder, identity, terms):
    """The call that was there gets its answer and receipt, one that comes is UNAVAILABLE, exit code 0."""
    answers = []
    with broker_process_of(folder) as (process, address), Client(address, identity) as client:
        client.exchange(timeout=TIMEOUT, **terms)
        call = threading.Thread(target=lambda: answers.append(client.exchange(timeout=TIMEOUT, **terms)))
        with held_up(folder) as lock:
            call.start()
            wait_for(lambda: somebody_waits_for(lock))
            process.send_signal(signal.SIGTERM)
            with Client(address, identity, attempts=1) as late:
                wait_for(lambda: is_turned_away(late, terms))
            assert process.poll() is None
            assert not answers
        call.join(TIMEOUT)
        assert process.wait(TIMEOUT) == 0
    assert [answer.verdict for answer in answers] == [Verdict.DENY]
    assert "Traceback" not in (folder / "broker.log").read_text()


def test_sigterm_does_not_wait_for_those_who_only_watch(folder, identity):
    """A health watch is told that serving ends, is let go, and holds up nothing."""
    with (
        broker_process_of(folder) as (process, address),
        grpc.secure_channel(address, identity.channel_credentials()) as channel,
    ):
        watch = health_of(channel).Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        process.send_signal(signal.SIGTERM)
        assert [answer.status for answer in watch] == [health_pb2.HealthCheckResponse.NOT_SERVING]
        assert process.wait(TIMEOUT) == 0


def test_sigint_is_as_good(folder):
    """Ctrl-C drains as SIGTERM does."""
    with broker_process_of(folder) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 0
