"""``sharebroker backup``, ``restore`` and ``fsck`` as an operator uses them."""

from __future__ import annotations

import json
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.cli import maintenance
from broker.cli.main import app
from broker.errors import SetUpError, VerificationFailed


class Operator:
    """Somebody at the broker's host, with its settings file."""

    def __init__(self, folder: Path, log: Any) -> None:
        self.folder = folder
        self.log = log
        self.file = folder / "log.backup"
        self.settings("sharebroker.toml", "log.db")
        self.settings("elsewhere.toml", "elsewhere.db")

    def settings(self, name: str, database: str, **keys: str) -> None:
        """Settings with another database, or other places of keys."""
        places = {"log_key": "log.key", "signer_state": "log.checkpoint", **keys}
        lines = [
            "[store]",
            f'url = "sqlite:///{database}"',
            "[log]",
            f'origin = "{self.log.ORIGIN}"',
            "[keys]",
        ]
        lines += [f'{key} = "{place}"' for key, place in places.items()]
        (self.folder / name).write_text("\n".join(lines))

    def run(self, command: str, *arguments: object, config: str = "sharebroker.toml") -> Result:
        full = [command, *map(str, arguments), "--config", str(self.folder / config)]
        return CliRunner().invoke(app, full)

    def json(self, command: str, *arguments: object, config: str = "sharebroker.toml") -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.run(command, *arguments, "--json", config=config).stdout)
        return said

    def sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self.folder / "log.db")) as connection, connection:
            connection.execute(statement)


@pytest.fixture
def operator(tmp_path: Path, broker_log: Callable[..., Any]) -> Operator:
    log = broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path)
    log.fill(20)
    return Operator(tmp_path, log)


def test_backup_says_in_both_languages_what_was_backed_up(operator: Operator) -> None:
    """Leaves, bytes and root, and that the file is confidential."""
    said = operator.run("backup", operator.file)
    root = operator.json("fsck")["root"]
    size = operator.file.stat().st_size
    assert said.exit_code == 0
    assert f"21 条存证，{size} 字节，树根 {root}" in said.stdout
    assert f"21 leaves, {size} bytes, root {root}" in said.stdout
    assert "加密" in said.stdout
    assert "encrypted" in said.stdout
    operator.file.unlink()
    told = operator.json("backup", operator.file)
    assert told == {"file": str(operator.file), "bytes": size, "leaves": 21, "root": root}


def test_restore_of_the_newest_backup_is_complete(operator: Operator) -> None:
    """Everything signed is there: exit code 0, and fsck of what was restored is clean."""
    operator.run("backup", operator.file)
    restored = operator.run("restore", operator.file, config="elsewhere.toml")
    assert restored.exit_code == 0, restored.exception
    assert "Nothing is missing" in restored.stdout
    assert "没有缺失" in restored.stdout
    checked = operator.json("fsck", config="elsewhere.toml")
    assert (checked["leaves"], checked["signed"], checked["wrong"], checked["findings"]) == (21, 21, 0, [])


def test_restore_of_an_older_backup_exits_with_3_and_says_what_can_be_done(operator: Operator) -> None:
    """How many receipts are missing, that the broker will not start, and the last resort."""
    operator.run("backup", operator.file)
    operator.log.fill(4)
    memory = operator.log.state.read_bytes()
    restored = operator.run("restore", operator.file, config="elsewhere.toml")
    assert restored.exit_code == 3
    assert "缺第 21 至 24 条共 4 条" in restored.stdout
    assert "leaves 21 to 24 (4) are missing" in restored.stdout
    for wanted in ("refuse to start", "newer backup", "new [log] origin", "never touch the signer's state"):
        assert wanted in " ".join(restored.stdout.split())
    assert operator.log.state.read_bytes() == memory
    checked = operator.run("fsck", config="elsewhere.toml")
    assert checked.exit_code == 3
    assert "25 leaves were signed, the database has 21" in checked.stdout
    operator.settings("third.toml", "third.db")
    told = operator.json("restore", operator.file, config="third.toml")
    assert (told["leaves"], told["signed"], told["missing"]) == (21, 25, 4)


def test_a_drill_needs_only_the_backup_and_the_public_key(operator: Operator) -> None:
    """On another machine, without any secret key: restored, verified, and no word about being complete."""
    operator.run("backup", operator.file)
    trust = operator.folder / "log.vkey"
    trust.write_text(f"{operator.log.key}\n")
    operator.settings("drill.toml", "drill.db", log_key="none", signer_state="none")
    assert isinstance(operator.run("fsck", config="drill.toml").exception, SetUpError)
    restored = operator.run("restore", operator.file, "--trust", trust, config="drill.toml")
    assert restored.exit_code == 0, restored.exception
    assert "is not known" in restored.stdout
    checked = operator.run("fsck", "--trust", trust, config="drill.toml")
    assert checked.exit_code == 0
    assert "未与签名进程的记忆比较" in checked.stdout
    assert "not compared with the signer's memory" in checked.stdout


def test_fsck_names_table_row_and_column(operator: Operator) -> None:
    """For people a line a finding and a sum, for machines one object; exit code 3."""
    assert operator.run("fsck").exit_code == 0
    operator.sql("UPDATE leaf SET dataset = 'tax.income' WHERE leaf_index = 5")
    operator.sql("UPDATE statement SET content = x'7b7d' WHERE leaf_index = 6")
    said = operator.run("fsck")
    assert said.exit_code == 3
    lines = said.stdout.splitlines()
    assert lines[0].startswith("leaf leaf_index=5 dataset: ")
    assert lines[1].startswith("statement leaf_index=6 content: ")
    assert "发现 2 处不符" in lines[2]
    assert "Wrong in 2 places" in lines[3]
    told = operator.json("fsck")
    assert told["wrong"] == 2
    assert [(f["table"], f["row"], f["column"]) for f in told["findings"]] == [
        ("leaf", "leaf_index=5", "dataset"),
        ("statement", "leaf_index=6", "content"),
    ]
    assert "tax.income" not in said.stdout


def test_erased_statements_are_counted_and_allowed(operator: Operator) -> None:
    """Forgetting a person is not damage."""
    operator.sql("DELETE FROM statement WHERE leaf_index = 3")
    said = operator.run("fsck")
    assert said.exit_code == 0
    assert "1 条原文已删除" in said.stdout
    assert operator.json("fsck")["erased"] == 1


def test_many_findings_are_counted_and_the_first_are_listed(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that is wrong everywhere fills neither memory nor the screen."""
    monkeypatch.setattr(maintenance, "MOST_FINDINGS", 5)
    operator.sql("UPDATE leaf SET purpose = 'other'")
    said = operator.run("fsck")
    assert said.exit_code == 3
    assert said.stdout.count("leaf_index=") == 5
    assert "Wrong in 21 places" in said.stdout
    assert (operator.json("fsck")["wrong"], len(operator.json("fsck")["findings"])) == (21, 5)


def test_what_is_refused_is_refused_in_both_languages(operator: Operator) -> None:
    """An existing file, a database that is not empty, a backup that is none, a database that is not there."""
    operator.run("backup", operator.file)
    for refused, error in (
        (operator.run("backup", operator.file), SetUpError),
        (operator.run("restore", operator.file), SetUpError),
        (operator.run("restore", operator.folder / "log.key", config="elsewhere.toml"), VerificationFailed),
        (operator.run("fsck", config="elsewhere.toml"), SetUpError),
        (operator.run("backup", operator.folder / "new", config="elsewhere.toml"), SetUpError),
    ):
        assert isinstance(refused.exception, error), refused.stdout
    assert not (operator.folder / "new").exists()


def test_a_person_at_a_terminal_sees_progress(operator: Operator) -> None:
    """A bar on standard error, which leaves standard output to machines."""
    seen, terminal = pty.openpty()
    command = [sys.executable, "-m", "broker.cli", "fsck", "--json"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    try:
        run = subprocess.run(
            [*command, "--config", str(operator.folder / "sharebroker.toml")],
            stdout=subprocess.PIPE,
            stderr=terminal,
            env=environment,
            check=True,
        )
        os.close(terminal)
        shown = os.read(seen, 1 << 16).decode()
    finally:
        os.close(seen)
    assert json.loads(run.stdout)["wrong"] == 0
    assert "leaf" in shown
    assert "21/21" in shown
