"""The words of leaked files of every kind, in bounded memory."""

import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from broker.errors import SetUpError
from broker.trace import words
from broker.trace.words import Sample, read_leaked

TOKENS = ("426433838416183578", "05867132778", "a7eb28f170f473dcfe5327aafd3a6046", "y7DBazdP-SW9pp-8wqm5")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_words_stand_anywhere_in_a_text(tmp_path, encoding):
    """Whatever the separators and the encoding."""
    leaked = tmp_path / "leak"
    leaked.write_bytes('姓名，令牌\n王某,{}；（{}）\t"{}"|{}'.format(*TOKENS).encode(encoding))
    assert set(TOKENS) <= set(read_leaked(leaked).words)


def test_a_word_is_not_cut_where_the_file_is_read_in_parts(tmp_path, monkeypatch):
    """However small the parts."""
    monkeypatch.setattr(words, "_CHUNK", 40)
    leaked = tmp_path / "leak"
    leaked.write_text("，".join(TOKENS), "utf-8")
    assert set(TOKENS) <= set(read_leaked(leaked).words)


def test_parts_and_other_cases_are_words_too(tmp_path):
    """Joined by a hyphen, an X in lower case, a pseudonym in capitals."""
    leaked = tmp_path / "leak"
    leaked.write_text("id_42848480723007527x-426433838416183578 A7EB28F170F473DCFE5327AAFD3A6046", "utf-8")
    found = set(read_leaked(leaked).words)
    assert {"42848480723007527X", TOKENS[0], TOKENS[2]} <= found


def test_tables_of_every_kind_are_read(tmp_path):
    """Parquet, Arrow file and stream, workbook; dictionaries and whole numbers too; marks are kept."""
    table = pa.table(
        {
            "a": pa.array([TOKENS[0], None]).dictionary_encode(),
            "b": pa.array([int(TOKENS[0]), 7]),
            "c": pa.array([TOKENS[2], TOKENS[3]], pa.string_view()),
            "d": pa.array([1.5, 2.5]),
        },
        metadata={"sharebroker.purpose": "grid_service"},
    )
    plain = table.set_column(2, "c", table.column("c").cast(pa.string()))
    pq.write_table(plain, tmp_path / "leak.parquet")
    with pa.ipc.new_file(tmp_path / "leak.arrow", table.schema) as writer:
        writer.write_table(table)
    with pa.ipc.new_stream(tmp_path / "leak.stream", table.schema) as writer:
        writer.write_table(table)
    with xlsxwriter.Workbook(tmp_path / "leak.xlsx") as book:
        book.add_worksheet()
        book.add_worksheet().write_column(3, 2, TOKENS)
    for name in ("leak.parquet", "leak.arrow", "leak.stream", "leak.xlsx"):
        leaked = read_leaked(tmp_path / name)
        assert {TOKENS[0], TOKENS[2], TOKENS[3]} <= set(leaked.words)
        assert leaked.marks == ({} if name.endswith("xlsx") else {"sharebroker.purpose": "grid_service"})


def test_a_sample_keeps_to_its_bound():
    """Of many words the same ones whatever their order, and it says that it is a sample."""
    first, second = Sample(100), Sample(100)
    many = [f"{number:018}" for number in range(5_000)]
    for word in many:
        first.add(word)
    for word in reversed(many):
        second.add(word)
    assert first.words == second.words
    assert 20 <= len(first.words) <= 100
    assert not first.is_whole


def test_any_first_part_of_the_words_is_a_fair_sample(tmp_path):
    """Their order has nothing to do with what they are."""
    leaked = tmp_path / "leak"
    leaked.write_text(" ".join(f"{number:06}" for number in range(1000)), "utf-8")
    first = read_leaked(leaked).words[:100]
    assert 20 < sum(word < "000500" for word in first) < 80


def test_what_is_no_table_is_refused(tmp_path):
    """In two languages, without what stands in it."""
    broken = tmp_path / "leak.parquet"
    broken.write_bytes(b"PAR1 426433838416183578")
    for path in (broken, tmp_path / "missing"):
        with pytest.raises(SetUpError) as error:
            read_leaked(path)
        assert TOKENS[0] not in str(error.value)


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string(), pa.string_view()])
def test_an_arrow_file_that_points_beyond_itself_is_refused(tmp_path, type_):
    """Whoever made the file must not have the tracer, which holds the keys, read elsewhere in its memory."""
    words_ = pa.array([letter * 20 for letter in "abc"], type_)
    true, false = {
        pa.string(): (struct.pack("<2i", 40, 60), struct.pack("<2i", 900_000_000, 900_000_020)),
        pa.large_string(): (struct.pack("<2q", 40, 60), struct.pack("<2q", 900_000_000, 900_000_020)),
        pa.string_view(): (
            struct.pack("<i4s2i", 20, b"c" * 4, 0, 40),
            struct.pack("<i4s2i", 20, b"c" * 4, 0, 9**9),
        ),
    }[type_]
    leaked = tmp_path / "leak.arrow"
    with pa.ipc.new_file(leaked, pa.schema({"a": type_})) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays([words_], ["a"]))
    content = leaked.read_bytes()
    assert content.count(true) == 1
    leaked.write_bytes(content.replace(true, false))
    with pytest.raises(SetUpError):
        read_leaked(leaked)


def test_a_hidden_sheet_is_read_too(tmp_path):
    """Who passes a workbook on may have hidden where its tokens are."""
    with xlsxwriter.Workbook(tmp_path / "leak.xlsx") as book:
        book.add_worksheet()
        sheets = [book.add_worksheet(), book.add_worksheet()]
        sheets[0].hide()
        sheets[1].very_hidden()
        for sheet, token in zip(sheets, TOKENS[:2], strict=True):
            sheet.write(0, 0, token)
    assert set(TOKENS[:2]) <= set(read_leaked(tmp_path / "leak.xlsx").words)


def test_a_workbook_that_would_not_fit_into_memory_is_refused(tmp_path, monkeypatch):
    """By what it says of its size, before it is unpacked."""
    with xlsxwriter.Workbook(tmp_path / "leak.xlsx") as book:
        book.add_worksheet().write(0, 0, TOKENS[0])
    monkeypatch.setattr(words, "MOST_UNPACKED", 1_000)
    with pytest.raises(SetUpError, match="when unpacked"):
        read_leaked(tmp_path / "leak.xlsx")
