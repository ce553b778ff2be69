"""The ``sharebroker`` command."""

from __future__ import annotations

import io
import signal
import sys
from typing import NoReturn

import typer

from broker.cli import (
    catalog,
    city,
    db,
    demo,
    epoch,
    init,
    keyring,
    maintenance,
    needs,
    pki,
    receipt,
    serve,
    status,
)
from broker.cli.detokenize import app as detokenize
from broker.cli.mask import (  # noqa: F401 - add their commands
    checking,
    listing,
    risk,
    run,
    showing,
    trying,
    verify,
)
from broker.cli.mask.app import mask
from broker.cli.policy import (  # noqa: F401 - add their commands
    access,
    cases,
    explain,
    fmt,
    history,
    lint,
    new,
    publication,
    replay,
    schema,
    show,
)
from broker.cli.policy.app import policy
from broker.cli.trace import trace_leak
from broker.errors import BrokerError, MalformedRequest, SetUpError, VerificationFailed

app = typer.Typer(
    name="sharebroker",
    help="政务数据共享交换 / governed data sharing between government departments",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(pki.app, name="pki")
app.add_typer(receipt.app, name="receipt")
app.add_typer(policy, name="policy")
app.add_typer(mask, name="mask")
app.add_typer(detokenize, name="detokenize")
app.add_typer(keyring.app, name="keyring")
app.add_typer(needs.app, name="needs")
app.add_typer(epoch.revocations, name="revocations")
app.add_typer(epoch.suspend, name="suspend")
app.add_typer(db.app, name="db")
app.add_typer(city.app, name="city")
app.add_typer(catalog.app, name="catalog")
app.command("init")(init.init)
app.command("serve")(serve.serve)
app.command("backup")(maintenance.backup)
app.command("restore")(maintenance.restore)
app.command("fsck")(maintenance.fsck)
app.command("status")(status.status)
app.command("demo")(demo.demo)
app.command("trace-leak")(trace_leak)

EXIT_REFUSED, EXIT_SET_UP, EXIT_UNVERIFIED, EXIT_INTERRUPTED = 1, 2, 3, 130


def main() -> NoReturn:
    """Run the command; what goes wrong is said in two lines, Chinese and English, never as a traceback.

    Exit codes: 0 done, 1 the broker refused or could not be reached, 2 something must be set up or given
    differently, 3 a proof or signature does not hold.
    """
    for stream in (sys.stdout, sys.stderr):  # in a terminal of GBK or ASCII: a question mark, not a traceback
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except SetUpError as error:
        _fail(EXIT_SET_UP, error.zh, error.en)
    except VerificationFailed as error:
        zh, _, en = str(error).partition(" / ")
        _fail(EXIT_UNVERIFIED, f"验证未通过：{zh}", f"Verification failed: {en or zh}")
    except MalformedRequest as error:
        said = error.sentence
        lines = [f"  {v.field}: {v.zh} / {v.en}" for v in error.violations]
        _fail(EXIT_REFUSED, said.zh, said.en, *lines)
    except BrokerError as error:
        said = error.sentence
        _fail(EXIT_REFUSED, said.zh, f"{said.en} ({error.reason})")
    except OSError as error:
        about = f"{error.filename or ''}（{error.strerror}）", f"{error.filename or ''} ({error.strerror})"
        _fail(EXIT_SET_UP, f"文件或目录无法使用：{about[0]}", f"A file or folder cannot be used: {about[1]}")
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as done:
        if done.code == EXIT_INTERRUPTED:  # what Typer makes of Ctrl-C, in silence
            _interrupted()
        raise
    sys.exit(0)


def _interrupted() -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who presses twice is told once
    _fail(EXIT_INTERRUPTED, "已中断。", "Interrupted.")


def _fail(code: int, *lines: str) -> NoReturn:
    for line in lines:
        print(line, file=sys.stderr)
    sys.exit(code)
