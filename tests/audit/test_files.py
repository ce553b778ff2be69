"""Exports as files: what is written is read back, and what was altered is refused."""

import csv
import json
from hashlib import sha256

import orjson
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from broker.audit import csv_file, parquet
from broker.audit.files import form_of, read_export, write_export
from broker.audit.form import Form, Header, Line
from broker.errors import SetUpError, VerificationFailed
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.receipt.note import Checkpoint, VerifierKey, sign_note
from broker.receipt.tiles import Tree
from broker.receipt.verify import verify_receipt

ORIGIN = "xinghe.example/log"
KEY = Ed25519PrivateKey.from_private_bytes(sha256(b"an export").digest())
TRUST = VerifierKey.of(ORIGIN, KEY)
FORMULAS = ("=1", "+1", "-1", "@x", "\tx", "\rx", "＝1", "＋1", " =1", "'x", "1 mar")
NUMBERS = [
    "123",
    "１２３",
    "1e5",
    "2026-11-23",
    "1/2",
    "3:04",
    "2026年1月",
    "SEP-2",
    "TRUE",
    "12%",
    "￥5",
    "1,000",
    "4pm",
]
FORMS = pytest.mark.parametrize("form", list(Form))


def statement(number, **members):
    """One such as the broker writes, with what must survive a spreadsheet."""
    content = {
        "format": "share-statement/v1",
        "kind": "exchange",
        "recorded_at": f"2026-11-23T04:00:{number % 60:02}.000001Z",
        "salt": f"{number:064}",
        "request_id": f"00000000-0000-4000-8000-{number:012}",
        "consumer": {
            "department": "tax",
            "uri": "spiffe://xinghe/department/tax/system/a",
            "certificate": "",
        },
        "operator": "=HYPERLINK(1)",
        "case_no": f"2026112300000{number:04}",
        "service_item": "990100-GJJ-0003",
        "purpose": "low_income_check",
        "legal_basis": '社会救助暂行办法 第十一条，\r\n“引号"与逗号”',
        "provider": "civil_affairs",
        "dataset": "civil_affairs.marriage",
        "fields": ["status", "registered_on"],
        "subject_tags": ["00" * 16],
        "decision": {"verdict": "permit", "rules": ["civil-affairs-1"], "reasons": [], "missing": []},
        "outcome": {"status": "found", "rows": {"read": 1, "bad": 0, "released": 1}, "interrupted": False},
    }
    return orjson.dumps(content | members, option=orjson.OPT_SORT_KEYS)


def export(statements, skip=()):
    """Header and lines, newest first, of a log of these statements."""
    hashes = [leaf_hash(leaf_entry(each)) for each in statements]
    tree, _ = Tree(0, lambda _level, _index: b"").append(hashes)
    note = sign_note(Checkpoint(ORIGIN, tree.size, tree.root()).text(), ORIGIN, KEY)
    lines = [Line(i, each, tree.inclusion_proof(i)) for i, each in enumerate(statements) if i not in skip]
    header = Header(
        "2026-11-23T05:00:00Z", "spiffe://xinghe/a", len(lines), {"case_no": "1"}, tree.size, note
    )
    return header, lines[::-1]


@pytest.fixture(scope="module")
def seven():
    return export([statement(number) for number in range(7)], skip=(2,))


@FORMS
def test_what_is_written_is_read_back_and_proves_itself(seven, tmp_path, form):
    """Header and lines come back as they were, and each is a receipt that verifies under the log's key."""
    header, lines = seven
    file = tmp_path / "out"
    write_export(file, form, header, lines)
    assert form_of(file) is form
    found = read_export(file)
    assert found.header == header
    back = list(found.lines)
    assert back == lines
    for line in back:
        assert verify_receipt(line.receipt(header), TRUST).checkpoint.size == 7
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "out.header.json"}


@FORMS
def test_without_proofs_there_is_no_column_for_them(seven, tmp_path, form):
    """A smaller file, which says that it proves nothing."""
    _, lines = seven
    header = Header("2026-11-23T05:00:00Z", "spiffe://xinghe/a", len(lines))
    bare = [Line(line.leaf_index, line.statement) for line in lines]
    write_export(tmp_path / "out", form, header, bare)
    found = read_export(tmp_path / "out")
    assert not found.header.proofs
    assert list(found.lines) == bare


@FORMS
@pytest.mark.parametrize("spoil", ["drop", "repeat", "swap"])
def test_lines_lost_repeated_or_in_another_order_are_noticed(seven, tmp_path, form, spoil):
    """The header counts the lines, and they are in the order of the log."""
    header, lines = seven
    wrong = {
        "drop": lines[:-1],
        "repeat": [*lines[:-1], lines[-2]],
        "swap": [lines[1], lines[0], *lines[2:]],
    }[spoil]
    write_export(tmp_path / "out", form, header, wrong)
    with pytest.raises(VerificationFailed):
        list(read_export(tmp_path / "out").lines)


def test_a_spreadsheet_finds_text_where_text_was(seven, tmp_path):
    """Byte order mark, CR LF, and an apostrophe before what would become a formula or a number."""
    header, lines = seven
    write_export(tmp_path / "out", Form.CSV, header, lines)
    data = (tmp_path / "out").read_bytes()
    assert data.startswith("\ufeff序号 leaf_index,类别 kind,时间 recorded_at".encode())
    assert data.endswith(b"\r\n")
    first = next(csv.DictReader(data.decode("utf-8-sig").splitlines(keepends=True)))
    assert first["办件编号 case_no"] == "'20261123000000006"
    assert first["经办人 operator"] == "'=HYPERLINK(1)"
    assert first["事项编码 service_item"] == "990100-GJJ-0003"
    assert first["时间 recorded_at"] == "2026-11-23T04:00:06.000001Z"


@pytest.mark.parametrize("text", [*FORMULAS, *NUMBERS])
def test_cells_that_a_spreadsheet_would_change_are_guarded(text):
    """Formulas, numbers, dates, times and truths, in half and full width."""
    assert csv_file.guarded(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "GJJ-2026-000001", "990100-GJJ-0003", "王五", "civil_affairs.marriage", "有"]
)
def test_plain_cells_stay_plain(text):
    """What no spreadsheet would change has no apostrophe."""
    assert csv_file.guarded(text) == text


@given(st.text(), st.text())
def test_guards_come_off_again_and_never_join_two_texts(one, other):
    """What was guarded can be told exactly."""
    assert csv_file.guarded(one).removeprefix("'") == one or not csv_file.guarded(one).startswith("'")
    assert (csv_file.guarded(one) == csv_file.guarded(other)) == (one == other)


@pytest.mark.parametrize("column", ["经办人 operator", "提供行数 rows_released", "时间 recorded_at"])
def test_an_edited_cell_is_noticed(seven, tmp_path, column):
    """What people read is what the statement says, or the file is refused."""
    header, lines = seven
    file = tmp_path / "out"
    write_export(file, Form.CSV, header, lines)
    with file.open(encoding="utf-8-sig", newline="") as rows:
        table = list(csv.reader(rows))
    table[3][table[0].index(column)] = "2"
    with file.open("w", encoding="utf-8-sig", newline="") as rows:
        csv.writer(rows).writerows(table)
    with pytest.raises(VerificationFailed, match="line 3 contradicts"):
        list(read_export(file).lines)


def test_parquet_is_typed_and_says_what_it_is(seven, tmp_path):
    """Times, numbers and lists are such; the header is in the metadata."""
    header, lines = seven
    write_export(tmp_path / "out", Form.PARQUET, header, lines)
    table = pq.read_table(tmp_path / "out")
    assert json.loads(table.schema.metadata[parquet.METADATA]) == json.loads(header.dump())
    assert str(table.schema.field("recorded_at").type) == "timestamp[us, tz=UTC]"
    assert table["rows_released"].to_pylist() == [1] * 6
    assert table["fields"].to_pylist()[0] == ["status", "registered_on"]


@FORMS
def test_strange_and_erased_statements_are_carried_through(tmp_path, form):
    """A kind of tomorrow, members of other types, an erased one: none of them stops an export."""
    strange = [
        b"",
        statement(1, kind="tomorrow", operator=5, case_no=None, fields="x", consumer=[], decision=7),
        statement(2, recorded_at="soon", outcome={"rows": {"read": 1 << 63}}, subject_tags={}),
        b"[]",
    ]
    header, lines = export(strange)
    write_export(tmp_path / "out", form, header, lines)
    assert list(read_export(tmp_path / "out").lines) == lines


@FORMS
def test_any_altered_byte_is_refused_or_still_the_same_export(tmp_path, form):
    """A flipped byte raises VerificationFailed or SetUpError, or it changes nothing that is proved."""
    header, lines = export([statement(number) for number in range(3)])
    file = tmp_path / "out"
    write_export(file, form, header, lines)
    whole = file.read_bytes()
    for place in range(0, len(whole), 23):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            found = read_export(file)
            for line in found.lines:
                verify_receipt(line.receipt(found.header), TRUST)
                assert line in lines
        except (VerificationFailed, SetUpError):
            pass


def test_a_file_of_another_kind_is_told_as_such(tmp_path):
    """What is missing and what is no export are two things."""
    with pytest.raises(SetUpError, match="cannot be read"):
        form_of(tmp_path / "nothing")
    (tmp_path / "other.csv").write_text("a,b\n")
    with pytest.raises(SetUpError, match="is no file that"):
        form_of(tmp_path / "other.csv")
    (tmp_path / "alone.csv").write_text("\ufeffa,b\n", "utf-8")
    with pytest.raises(SetUpError, match=r"alone\.csv\.header\.json is missing"):
        form_of(tmp_path / "alone.csv")
