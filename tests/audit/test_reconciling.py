"""Reconciling with a case system's list: a needle in a real log, and every way in which lists are written."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import xlsxwriter
from typer.testing import CliRunner

from broker.audit.case_list import CaseList, plain, read_cases
from broker.audit.files import write_export
from broker.audit.form import Form, Header, Line
from broker.audit.reconciling import Why, reconcile
from broker.cli.main import app
from broker.errors import SetUpError
from broker.importing.opening import Wanted
from broker.store import open_store

LOOK_UPS, CASELESS = 10_000, 20


def exchange(log: Any, case_no: str, *, permit: bool = True) -> Any:
    """An exchange for a case, on its way into the log."""
    entry = log.exchange(permit=permit)
    content = orjson.loads(entry.statement) | {"case_no": case_no}
    return replace(
        entry, statement=orjson.dumps(content, option=orjson.OPT_SORT_KEYS), particulars=None, charges=()
    )


def exported(log: Any, out: Path) -> Path:
    """All receipts of a log as an export without proofs."""
    with closing(open_store(log.url)) as store:
        leaves = [store.leaf(index) for index in reversed(range(store.head().size))]
    lines = [Line(leaf.index, leaf.entry.statement) for leaf in leaves if leaf]
    write_export(out, Form.JSONL, Header("2026-11-24T00:00:00Z", "spiffe://x/y", len(lines)), lines)
    return out


@pytest.fixture
def log(tmp_path: Path, broker_log: Callable[..., Any]) -> Any:
    return broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path)


def test_finds_twenty_caseless_among_ten_thousand(log: Any, tmp_path: Path) -> None:
    """Each of them, nothing else, and the one case that nobody looked anything up for."""
    chosen = random.Random(6)
    cases = [f"GJJ-2026-{number:06}" for number in range(4_000)]
    hidden = frozenset(chosen.sample(range(LOOK_UPS), CASELESS))
    numbers = [chosen.choice(cases[:-1]) for _ in range(LOOK_UPS)]
    numbers[: len(cases) - 1] = cases[:-1]
    chosen.shuffle(numbers)
    for place, at in enumerate(sorted(hidden)):
        numbers[at] = "" if place % 2 else f"GJJ-2027-{place:06}"
    used = frozenset(numbers)
    with log.running() as running, ThreadPoolExecutor(64) as pool:
        entries = [exchange(log, number) for number in numbers]
        receipts = list(pool.map(running.append, entries))
    listed = tmp_path / "cases.csv"
    listed.write_text("办件编号,事项\n" + "".join(f"{case},提取\n" for case in cases), "gb18030")
    export = exported(log, tmp_path / "all.jsonl")
    done = CliRunner().invoke(app, ["audit", "reconcile", str(listed), "--export", str(export), "--json"])
    assert done.exit_code == 1, done.output
    found = json.loads(done.stdout)
    assert found["look_ups"] == LOOK_UPS
    expected = {receipts[at].receipt.leaf_index: numbers[at] for at in hidden}
    assert {one["leaf_index"]: one["case_no"] for one in found["caseless"]} == expected
    assert len(found["caseless"]) == CASELESS
    assert {one["why"] for one in found["caseless"]} == {Why.NO_NUMBER, Why.NOT_LISTED}
    assert found["unused"] == [case for case in cases if case not in used]
    assert cases[-1] in found["unused"]
    assert found["respelled"] == []
    assert found["list"]["notes"][0]["zh"] == "编码：gb18030"


def test_a_clean_log_ends_well(log: Any, tmp_path: Path) -> None:
    """Exit code 0 where everything fits; what was refused is no look-up."""
    with log.running() as running:
        running.append(exchange(log, "A-1"))
        running.append(exchange(log, "X-9", permit=False))
    listed = tmp_path / "cases.csv"
    listed.write_text("办件编号,事项\nA-1,提取\n", "utf-8")
    export = exported(log, tmp_path / "all.jsonl")
    done = CliRunner().invoke(app, ["audit", "reconcile", str(listed), "--export", str(export)])
    assert done.exit_code == 0, done.output
    assert "无件查询 0，有件未查 0" in done.output
    assert "未获准的申请 1" in done.output


def test_other_writing_is_told(log: Any) -> None:
    """Blanks, full width, dashes and small letters do not part a case from its look-ups, nor in silence."""
    entries = [exchange(log, number) for number in ("gjj－2026—１", "GJJ-2026-2", "Gjj-2026-3")]
    lines = [Line(index, entry.statement) for index, entry in enumerate(entries)]
    cases = ("GJJ-2026-1", "GJJ-2026-2", "GJJ-2026-4")
    found = reconcile(CaseList("办件编号", cases, 3, 0, 0, (), ()), lines)
    assert [(one.listed, one.looked_up_as) for one in found.respelled] == [("GJJ-2026-1", ("gjj－2026—１",))]
    assert [one.case_no for one in found.caseless] == ["Gjj-2026-3"]
    assert found.unused == ("GJJ-2026-4",)
    assert plain(" ａ—1\u3000b") == "A-1B"


def test_a_workbook_as_offices_keep_it(tmp_path: Path) -> None:
    """A title above, blanks, repetitions, gaps, and a number that Excel has rounded."""
    path = tmp_path / "办件.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("十一月")
        sheet.write_string(0, 0, "十一月办件清单")
        for row, cells in enumerate(
            [
                ("序号", "受理编号", "状态"),
                (1, "A-1", "办结"),
                (2, "A-1", "办结"),
                (3, "", "办结"),
                (4, 20261123000000006, "办结"),
                (5, "A-2", "办结"),
            ],
            2,
        ):
            for place, cell in enumerate(cells):
                sheet.write(row, place, cell)
    listed = read_cases(path, Wanted())
    assert (listed.column, listed.cases, listed.rows) == ("受理编号", ("A-1", "A-2"), 5)
    assert (listed.empty, listed.repeated, len(listed.rounded)) == (1, 1, 1)


def test_which_column_is_asked_for(tmp_path: Path) -> None:
    """Where the titles do not tell, and with the nearest title where the given one is not there."""
    path = tmp_path / "cases.csv"
    path.write_text("流水,摘要\nA-1,x\n", "utf-8")
    with pytest.raises(SetUpError, match="--column"):
        read_cases(path, Wanted())
    with pytest.raises(SetUpError, match="流水"):
        read_cases(path, Wanted(), "流水号")
    assert read_cases(path, Wanted(), "流水").cases == ("A-1",)
