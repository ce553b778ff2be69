"""What libraries log reaches the broker's log as JSON lines, without a text or a traceback of theirs."""

import json
import subprocess
import sys

SECRET = "99010118990101004X"
LOGS = f"""
import logging, warnings
import structlog
from broker.server.logging import configure_logging

configure_logging()
configure_logging()
structlog.get_logger("sharebroker.test").info("own", number=1)
for name in ("sqlalchemy.pool.impl.QueuePool", "grpc._server", "anything"):
    try:
        raise ValueError("{SECRET}")
    except ValueError:
        logging.getLogger(name).exception("the row holds %s", "{SECRET}")
logging.getLogger("sqlalchemy.engine").warning("{SECRET}\\nin two lines")
logging.getLogger("anything").info("{SECRET}")
logging.getLogger("asyncio").log(35, "a level without a name")
warnings.warn("{SECRET}")
"""


DEFECTS = f"""
import threading
from broker.server.logging import configure_logging

configure_logging()

def fail():
    raise ValueError("{SECRET}")

def parts():
    try:
        yield
    finally:
        fail()

thread = threading.Thread(target=fail)
thread.start()
thread.join()
left = parts()
next(left)
del left
"""


def lines_of(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert SECRET.encode() not in done.stdout + done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_libraries_say_who_and_how_bad_and_nothing_else():
    """One line of JSON for each, however often logging is set up: no text, no traceback, nothing below a
    warning."""
    own, *said = lines_of(LOGS)
    assert own["event"] == "own"
    assert {line["event"] for line in said} == {"library"}
    assert [(line["logger"], line["level"], line["error"]) for line in said] == [
        ("sqlalchemy.pool.impl.QueuePool", "error", "ValueError"),
        ("grpc._server", "error", "ValueError"),
        ("anything", "error", "ValueError"),
        ("sqlalchemy.engine", "warning", None),
        ("asyncio", "warning", None),
        ("py.warnings", "warning", None),
    ]


def test_interpreter_writes_no_traceback_either():
    """Of a thread that fails, or a generator that fails while it is taken away."""
    assert [(line["event"], line["level"], line["error"]) for line in lines_of(DEFECTS)] == [
        ("thread_failed", "error", "ValueError"),
        ("unraisable", "error", "ValueError"),
    ]
