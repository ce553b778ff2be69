"""The exported receipt file: written and read back the same, and read in one way only."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import VerificationFailed
from broker.model import Receipt
from broker.reasons import Sentence
from broker.receipt.bundle import MAX_BYTES, export, parse, read_json

RECEIPT = Receipt(
    statement='{"purpose":"公积金提取","escaped":"\\u0041\\n"}'.encode(),
    leaf_index=3,
    tree_size=5,
    proof=(bytes(32), bytes(range(32))),
    checkpoint="xinghe.example/receipts\n5\nAAAA\n\n— xinghe.example/receipts AAAA\n",
)

receipts = st.builds(
    Receipt,
    statement=st.text(st.characters(codec="utf-8")).map(str.encode),
    leaf_index=st.integers(0, 2**63 - 1),
    tree_size=st.integers(0, 2**63 - 1),
    proof=st.lists(st.binary(min_size=32, max_size=32), max_size=64).map(tuple),
    checkpoint=st.text(st.characters(codec="utf-8")),
)


def altered(**members: object) -> bytes:
    return json.dumps(json.loads(export(RECEIPT)) | members).encode()


@given(receipts)
def test_round_trip(receipt: Receipt) -> None:
    """Every byte of the statement survives, whatever characters it holds."""
    assert parse(export(receipt)) == receipt


def test_the_file_can_be_read_by_people_and_reformatted() -> None:
    """Chinese stands in it as it is; another tool's JSON spelling of the same content is the same receipt."""
    data = export(RECEIPT)
    assert "公积金提取" in data.decode()
    content = json.loads(data)
    assert list(content) == ["format", "leaf_index", "tree_size", "statement", "proof", "checkpoint"]
    assert parse(json.dumps(content, sort_keys=True).encode()) == RECEIPT


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("format", "share-receipt/v2"),
        ("format", None),
        ("leaf_index", -1),
        ("leaf_index", 1.0),
        ("leaf_index", True),
        ("leaf_index", "3"),
        ("leaf_index", 2**63),
        ("tree_size", None),
        ("tree_size", -5),
        ("statement", {"purpose": "x"}),
        ("statement", None),
        ("proof", "00" * 32),
        ("proof", {"0": "00" * 32}),
        ("proof", ["00" * 31]),
        ("proof", ["00" * 33]),
        ("proof", ["AB" * 32]),
        ("proof", ["00" * 32 + "\n"]),
        ("proof", [" " + "00" * 31 + " "]),
        ("proof", ["０" * 64]),
        ("proof", [None]),
        ("proof", [["00" * 32]]),
        ("proof", ["00" * 32] * 65),
        ("checkpoint", 5),
        ("checkpoint", ["x"]),
    ],
)
def test_the_malformed_member_is_named(member: str, value: object) -> None:
    """An auditor is told which part is wrong, and never what stood there."""
    with pytest.raises(VerificationFailed, match=f"malformed {member}"):
        parse(altered(**{member: value}))


@pytest.mark.parametrize("member", ["format", "leaf_index", "tree_size", "statement", "proof", "checkpoint"])
def test_missing_unknown_and_repeated_members_are_refused(member: str) -> None:
    """A file holds each member once and no other, so that two readers cannot differ about it."""
    content = json.loads(export(RECEIPT))
    repeated = json.dumps(content).removesuffix("}") + f', "{member}": {json.dumps(content[member])}}}'
    with pytest.raises(VerificationFailed, match="JSON"):
        parse(repeated.encode())
    with pytest.raises(VerificationFailed, match="members"):
        parse(json.dumps({**content, "public_key": "attacker"}).encode())
    del content[member]
    with pytest.raises(VerificationFailed, match="members"):
        parse(json.dumps(content).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b"\xff",
        export(RECEIPT).decode().encode("utf-16"),
        export(RECEIPT)[:-3],
        export(RECEIPT) + b"x",
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b'{"leaf_index": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    """Broken, nested beyond reason or otherwise encoded input fails as a verification does."""
    with pytest.raises(VerificationFailed, match="JSON"):
        parse(data)


def test_overlong_files_are_refused_before_they_are_read() -> None:
    """A file is at most 1 MiB long, and none longer is written."""
    data = export(RECEIPT)
    assert parse(data + b" " * (MAX_BYTES - len(data))) == RECEIPT
    with pytest.raises(VerificationFailed, match="1 MiB"):
        parse(data + b" " * (MAX_BYTES - len(data) + 1))
    with pytest.raises(ValueError, match="1 MiB"):
        export(Receipt(b"x" * MAX_BYTES, 0, 1, (), ""))


def test_a_statement_that_is_no_text_is_not_exported() -> None:
    """Statements are UTF-8; another could not stand in the file byte for byte."""
    with pytest.raises(ValueError, match="utf-8"):
        export(Receipt(b"\xff", 0, 1, (), ""))


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":1,"\\u0061":1}',
        '{"deep":[{"b":{"a":1,"a":2}}]}',
        '{"a":NaN}',
        '{"a":-Infinity}',
        '{"a":1e999}',
        '{"a":"\\ud800"}',
        '{"\\udfff":1}',
        '{"a":01}',
        "{'a':1}",
        '{"a":1,}',
        '{"a":"\t"}',
        "[1]",
        "1",
    ],
)
def test_json_that_readers_could_differ_about_is_refused(text: str) -> None:
    """I-JSON only: what one reader takes as the last of two values, another may take as the first."""
    with pytest.raises(VerificationFailed, match=r"^存证内容：.* / statement: "):
        read_json(text.encode(), Sentence("存证内容", "statement"))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_one_exception(data: bytes) -> None:
    """A reader answers to any input with VerificationFailed."""
    with pytest.raises(VerificationFailed):
        parse(data)
