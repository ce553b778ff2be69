"""``sharebroker retention`` as an operator runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from broker.cli.main import app
from broker.errors import SetUpError
from broker.receipt.log import ReceiptLog
from broker.receipt.signer import start_signer
from broker.receipt.statement import instant
from broker.store import open_store

LONG_AGO = datetime.now(UTC) - timedelta(days=4 * 366)
DATASET = "civil_affairs.marriage"


class Operator:
    """Somebody at the broker's host, with a log of four exchanges of four years ago."""

    def __init__(self, folder: Path, log: Any) -> None:
        self.folder, self.log = folder, log
        self.settings = folder / "sharebroker.toml"
        (folder / "log.vkey").write_text(f"{log.key}\n")
        with (
            closing(start_signer(log.private_key, log.state, log.ORIGIN)) as signer,
            closing(open_store(log.url)) as store,
            closing(ReceiptLog(store, signer, log.ORIGIN, lambda: LONG_AGO)) as old,
        ):
            for number in range(4):
                entry = log.exchange()
                said = orjson.loads(entry.statement) | {
                    "recorded_at": instant(LONG_AGO),
                    "case_no": f"GJJ-{number}",
                }
                statement = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
                old.append(replace(entry, statement=statement, recorded_at=LONG_AGO, particulars=None))

    def write(self, retention: str) -> None:
        self.settings.write_text(
            '[store]\nurl = "sqlite:///log.db"\n'
            f'[log]\norigin = "{self.log.ORIGIN}"\n'
            '[keys]\nlog_key = "log.key"\nsigner_state = "log.checkpoint"\n'
            f"[retention]\n{retention}\n"
        )

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--config", str(self.settings)])

    def machine(self, *words: str) -> dict[str, Any]:
        done = self.run(*words, "--json")
        assert done.exit_code == 0, done.output
        said: dict[str, Any] = json.loads(done.stdout)
        return said


@pytest.fixture
def operator(tmp_path: Path, broker_log: Callable[..., Any]) -> Operator:
    return Operator(tmp_path, broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path))


def test_without_years_nothing_expires(operator: Operator) -> None:
    """And it is said where to set them."""
    operator.write("years = 0")
    for words in (("show",), ("run", "--reason", "yearly")):
        assert isinstance(operator.run("retention", *words).exception, SetUpError)


def test_the_longer_of_years_counts_and_cases_on_hold_stay(operator: Operator) -> None:
    """What is due is shown first, in both languages; the run erases that, and nobody finds anything wrong."""
    operator.write(f'years = 3\n[retention.datasets]\n"{DATASET}" = 10')
    assert operator.machine("retention", "show")["due"] == 0
    assert f"{DATASET}：10 年" in operator.run("retention", "show").stdout
    operator.write('years = 3\nhold_cases = ["GJJ-1"]')
    shown = operator.run("retention", "show").stdout
    assert "3 条原文到期" in shown
    assert "3 statements are due" in shown
    assert "办件 1 件" in shown
    assert "GJJ-1" not in shown
    done = operator.run("retention", "run", "--reason", "期满", "--by", "管理员").stdout
    assert "已删除 3 条原文" in done
    assert operator.machine("retention", "run", "--reason", "期满") == {"erased": 0, "leaf": None}
    assert operator.machine("fsck")["erased"] == 3
    words = ["audit", "verify", str(operator.settings), "--key", str(operator.folder / "log.vkey")]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output
    assert "其中 3 条保存期满" in told.stdout


def test_a_reason_is_asked_for(operator: Operator) -> None:
    """Somebody will want to know."""
    operator.write("years = 3")
    assert isinstance(operator.run("retention", "run").exception, SetUpError)
    assert operator.machine("retention", "show")["due"] == 4
