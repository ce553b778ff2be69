"""A file leaks: the tokens and pseudonyms in it tell to whom they were released, and under which receipts."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from orjson import loads
from typer.testing import CliRunner

from broker.cli.main import app
from broker.settings import load_settings
from broker.store.store import open_store


@pytest.fixture(scope="module")
def released(token_city):
    """The same people to two departments: in three cases to one, all at once to the other; the tables."""
    fund, cases = token_city.client("housing_fund"), []
    for first in (20, 24, 28):  # whom no other test asks about
        terms = token_city.withdrawal(
            *token_city.people[first : first + 4], fields=("resident_id", "household_no", "relation")
        )
        answer = fund.exchange(**terms | {"case_no": f"GJJ-2026-{first:06}"})
        assert answer.permitted
        cases.append(answer)
    stream = token_city.register()
    return cases, pa.Table.from_batches(list(stream)), stream.outcome.receipt


@pytest.fixture
def trace(token_city):
    """Runs the command; gives what it found."""

    def run(file, *words, plain=False):
        line = [
            "trace-leak",
            str(file),
            "--reason",
            "网传名单",
            "--config",
            str(token_city.embedded.settings),
        ]
        done = CliRunner().invoke(app, [*line, *map(str, words), *([] if plain else ["--json"])])
        assert done.exit_code == 0, done.output
        return done.output if plain else loads(done.output)

    return run


def noise(rows):
    """Columns of somebody else's making."""
    chance = random.Random(7)
    return [
        f"{'甲' * chance.randint(1, 3)},{chance.randint(10**17, 10**18 - 1)},{chance.random():.6f}"
        for _ in range(rows)
    ]


def test_tokens_name_the_right_one_of_two(released, trace, tmp_path):
    """Columns mixed, header renamed, half of the rows cut, noise beside: it is whoever had the stream."""
    _, table, receipt = released
    rows = table.select(["resident_id", "mobile"]).to_pylist()[::2]
    leaked = tmp_path / "名单.csv"
    lines = [
        f"{extra},{row['mobile'] or ''};{row['resident_id'].lower()}"
        for row, extra in zip(rows, noise(len(rows)), strict=True)
    ]
    leaked.write_bytes("\n".join(["编号，备注", *lines]).encode("gb18030"))
    found = trace(leaked)
    assert {(one["consumer"], one["purpose"]) for one in found["findings"]} == {
        ("medical_insurance", "grid_service")
    }
    assert {field for one in found["findings"] for field in one["fields"]} == {
        "public_security.household/resident_id", "public_security.household/mobile",
    }  # fmt: skip
    best = found["findings"][0]
    assert (best["certainty"], best["hits"]) == ("certain", len(rows))
    assert best["receipts"][0]["receipt"] == receipt.leaf_index
    assert best["receipts"][0]["operator"] == "YB-0001"


def test_the_receipts_are_those_of_the_people(token_city, released, trace, tmp_path):
    """Of three cases only that whose people stand in the file; told in Chinese first."""
    cases, _, _ = released
    leaked = tmp_path / "posted.txt"
    leaked.write_text(" ".join(record["resident_id"] for record in cases[1].records), "utf-8")
    (finding,) = trace(leaked)["findings"]
    assert (finding["consumer"], finding["certainty"]) == ("housing_fund", "certain")
    (receipt,) = finding["receipts"]
    assert receipt["receipt"] == cases[1].receipt.leaf_index
    assert (receipt["met"], receipt["case_no"], receipt["operator"]) == (4, "GJJ-2026-000024", "GJJ-0088")
    said = trace(leaked, plain=True)
    assert "【1】确定：曾提供给 housing_fund，使用场景 housing_fund_withdrawal" in said
    assert not any(person in said for person in token_city.people)


@pytest.mark.parametrize("listed", [False, True])
def test_pseudonyms_are_made_anew(token_city, released, trace, tmp_path, listed):
    """Of the provider's rows or of a list; in a workbook and in capitals they are found too."""
    cases, table, _ = released
    leaked, households = tmp_path / "leak.xlsx", table.column("household_no").to_pylist()
    with xlsxwriter.Workbook(leaked) as book:
        sheet = book.add_worksheet("x")
        for row, record in enumerate(cases[0].records):
            sheet.write_row(row, 1, ["乙", record["household_no"].upper()])
    words = []
    if listed:
        names = tmp_path / "list.txt"
        names.write_text("\n".join(token_city.households), "utf-8")
        words = ["--subjects", names]
    (finding,) = trace(leaked, *words)["findings"]
    assert (finding["consumer"], finding["operator"]) == ("housing_fund", "pseudonym@1")
    assert not set(households) & {record["household_no"] for record in cases[0].records}
    if not listed:
        assert finding["receipts"][0]["receipt"] == cases[0].receipt.leaf_index
        assert finding["receipts"][0]["met"] == 4


def test_random_tokens_name_nobody(released, trace, tmp_path):
    """Nor do dates, words and numbers; that somebody looked has its leaf all the same."""
    chance = random.Random(11)
    lines = [
        f"{chance.randint(10**17, 10**18 - 1)},{chance.getrandbits(128):032x},2026-11-23" for _ in range(5000)
    ]
    leaked = tmp_path / "random.csv"
    leaked.write_text("\n".join(lines), "utf-8")
    found = trace(leaked)
    assert found["findings"] == []
    assert found["keys"] > 3
    assert "没有查到" in trace(leaked, plain=True)


def test_a_watermark_is_read(token_city, released, trace, tmp_path):
    """From the file's metadata, with the receipt of the request it names; as a hint only."""
    _, _, receipt = released
    request_id = loads(receipt.statement)["request_id"]
    marks = {"sharebroker.consumer": "spiffe://x\x1b", "sharebroker.request_id": request_id}
    leaked = tmp_path / "leak.parquet"
    pq.write_table(pa.table({"a": ["1"]}, metadata=marks), leaked)
    found = trace(leaked)
    assert found["findings"] == []
    assert found["watermark"]["receipt"]["receipt"] == receipt.leaf_index
    assert "\x1b" not in trace(leaked, plain=True)


def test_the_trace_itself_is_in_the_log(token_city, released, trace, tmp_path):
    """Who looked, why, at which file, and what came of it; no word of the file."""
    cases, _, _ = released
    token = cases[0].records[0]["resident_id"]
    leaked = tmp_path / "one.txt"
    leaked.write_text(token, "utf-8")
    found = trace(leaked, "--by", "审计员甲")
    store = open_store(load_settings(token_city.embedded.settings).store_url)
    leaf = store.leaf(found["receipt"])
    store.close()
    statement = loads(leaf.entry.statement)
    assert (leaf.entry.kind, statement["actor"], statement["reason"]) == ("trace", "审计员甲", "网传名单")
    assert token not in leaf.entry.statement.decode()
