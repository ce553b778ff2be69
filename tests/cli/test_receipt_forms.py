"""Every form of a receipt is exported, read back, verified offline, and refused when altered."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from broker.cli import receipt_forms as forms
from broker.cli.receipt import app
from broker.cli.receipt_forms import Form
from broker.cli.receipt_page import README, page
from broker.errors import SetUpError, VerificationFailed
from broker.model import Receipt
from broker.receipt import cose_receipt, zipped
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.receipt.note import Checkpoint, VerifierKey, parse_checkpoint, sign_note, verify_note
from broker.receipt.tiles import Tree

NAME = "xinghe.example/receipts"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUST = VerifierKey.of(NAME, PRIVATE)
STATEMENT = {
    "kind": "exchange",
    "recorded_at": "2026-01-31T08:00:00.000000Z",
    "consumer": {"department": "tax", "uri": "spiffe://xinghe/department/tax/system/counter"},
    "provider": "civil_affairs",
    "dataset": "civil_affairs.marriage",
    "fields": ["status"],
    "purpose": "housing_fund_audit",
    "legal_basis": "住房公积金管理条例",
    "case_no": "GJJ-1",
    "operator": "GJJ-0001",
    "obligations": {"masks": {"name": {"operator": "partial", "version": 2}}},
    "decision": {"verdict": "permit", "rules": ["r1"], "reasons": [], "missing": [], "bundle": "ab" * 32},
    "outcome": {"status": "found", "rows": {"read": 3, "bad": 1, "released": 2}},
    "request_id": "1",
}


def receipt_of(statement: bytes) -> Receipt:
    """The receipt of that statement, third of five leaves."""
    statements = [b"0", b"1", statement, b"3", b"4"]
    leaves = [leaf_hash(leaf_entry(each)) for each in statements]
    tree = Tree(0, lambda level, index: b"").append(leaves)[0]
    note = sign_note(Checkpoint(NAME, 5, tree.root()).text(), NAME, PRIVATE)
    return Receipt(statement, 2, 5, tree.inclusion_proof(2), note)


def said(**members: object) -> bytes:
    return json.dumps(STATEMENT | members, ensure_ascii=False).encode()


RECEIPT = receipt_of(said())
BUNDLE = forms.export(RECEIPT, Form.BUNDLE, TRUST)


def written(form: Form) -> bytes:
    """The file of that form; what the signer signs for a COSE receipt is signed here, with its key."""
    if form is not Form.COSE:
        return forms.export(RECEIPT, form, TRUST)
    root = parse_checkpoint(verify_note(RECEIPT.checkpoint, TRUST)).root
    return cose_receipt.export(RECEIPT, cose_receipt.sign_root(root, PRIVATE, TRUST), TRUST.id)


def write(folder: Path, exported: bytes) -> list[str]:
    """The file and the key, and the command's arguments that verify it."""
    (folder / "receipt").write_bytes(exported)
    (folder / "log.vkey").write_text(f"{TRUST}\n")
    return ["verify", str(folder / "receipt"), "--trust", str(folder / "log.vkey")]


@pytest.mark.parametrize("form", list(Form))
def test_every_form_verifies_and_tells_what_holds(form: Form, tmp_path: Path) -> None:
    """By command, from the file alone and the key; what the receipt does not prove is said as well."""
    exported = written(form)
    assert exported == written(form)
    command = write(tmp_path, exported)
    told = CliRunner().invoke(app, command).output
    assert f"第 2 条存证在日志 {NAME} 前 5 条之中" in told
    assert "未证明 not proved" in told
    assert ("receipt.html 与存证内容一致" in told) == (form is Form.BUNDLE)
    machine = json.loads(CliRunner().invoke(app, [*command, "--json"]).output)
    assert machine == {"verified": True, "form": form, "origin": NAME, "leaf_index": 2}


@pytest.mark.parametrize("form", list(Form))
def test_an_altered_file_is_refused(form: Form, tmp_path: Path) -> None:
    """Of every form, and so is an empty file, or one cut short."""
    exported = written(form)
    place = len(exported) // 2
    for altered in (exported[:place] + b"\x00" + exported[place + 1 :], exported[:place], b""):
        refused = CliRunner().invoke(app, write(tmp_path, altered)).exception
        assert isinstance(refused, VerificationFailed)


def test_a_refusal_is_exit_code_3_and_no_traceback(tmp_path: Path) -> None:
    """As the shell sees it, of a bundle whose zip directory is cut short."""
    command = [sys.executable, "-m", "broker.cli", "receipt", *write(tmp_path, BUNDLE[:-1])]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 3
    assert "回执包损坏" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_a_bundle_asks_for_the_key() -> None:
    """What is packed has been verified; a key the broker might send along would not do."""
    with pytest.raises(SetUpError, match="--trust"):
        forms.export(RECEIPT, Form.BUNDLE, None)
    with pytest.raises(VerificationFailed):
        forms.export(replace(RECEIPT, statement=b"{}"), Form.BUNDLE, TRUST)


def check(data: bytes) -> None:
    bundle = zipped.parse(data)
    forms.verify(forms.Exported(Form.BUNDLE, bundle.receipt, bundle), TRUST)


@given(st.integers(0, len(BUNDLE) - 1), st.integers(1, 255))
def test_any_altered_byte_of_a_bundle_is_refused(place: int, change: int) -> None:
    """In names, sizes, check sums, directories, and in what is only for people."""
    altered = bytearray(BUNDLE)
    altered[place] ^= change
    with pytest.raises(VerificationFailed):
        check(bytes(altered))


@given(st.binary(max_size=300), st.integers(0, len(BUNDLE)), st.integers(0, len(BUNDLE)))
def test_any_bytes_for_a_bundle_are_refused(inserted: bytes, start: int, end: int) -> None:
    """Cut, doubled, with anything before, after or in between; and nothing crashes."""
    altered = BUNDLE[:start] + inserted + BUNDLE[end:]
    if altered != BUNDLE:
        with pytest.raises(VerificationFailed):
            check(altered)


def packed(compression: int = zipfile.ZIP_STORED, **members: bytes | None) -> bytes:
    """The bundle packed again by another tool, with other members."""
    with zipfile.ZipFile(io.BytesIO(BUNDLE)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()} | members
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in contents.items():
            if content is not None:
                archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("altered", "why"),
    [
        (packed(), "packed again"),
        (packed(zipfile.ZIP_DEFLATED), "missing or unknown"),
        (packed(**{"receipt.html": None}), "missing or unknown"),
        (packed(**{"more.txt": b""}), "missing or unknown"),
        (packed(**{"statement.json": b"{}"}), "statement.json is not that of receipt.json"),
        (packed(**{"receipt.tlog-proof": b""}), "receipt.tlog-proof is not that of receipt.json"),
        (packed(**{"log.vkey": b"x"}), "trust key"),
        (BUNDLE + bytes(zipped.MAX_BYTES), "longer than"),
        (b"PK", "damaged"),
    ],
)
def test_bundles_of_another_make_are_refused(altered: bytes, why: str) -> None:
    """And what is wrong with them is told."""
    with pytest.raises(VerificationFailed, match=why):
        check(altered)


@pytest.mark.parametrize(
    ("bundle", "why"),
    [
        (zipped.Zipped(RECEIPT, TRUST, README, b"<p>permit</p>"), "receipt.html was altered"),
        (zipped.Zipped(RECEIPT, TRUST, b"trust me", page(RECEIPT, TRUST)), "README.txt was altered"),
        (
            zipped.Zipped(
                RECEIPT, VerifierKey.of(NAME, Ed25519PrivateKey.generate()), README, page(RECEIPT, TRUST)
            ),
            "not the trust key",
        ),
    ],
)
def test_what_accompanies_a_receipt_must_not_mislead(bundle: zipped.Zipped, why: str) -> None:
    """A forger who packs well can put a page of his own, or a key, beside a genuine receipt."""
    with pytest.raises(VerificationFailed, match=why):
        check(zipped.export(bundle))


class Seen(HTMLParser):
    """The tags of a page, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str | None, ...]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_tells_what_happened() -> None:
    """What, who, when, why, the decision, masks and outcome, in Chinese."""
    seen = Seen(page(RECEIPT, TRUST).decode())
    for text in (
        "何事",
        "何人",
        "何时",
        "为何",
        "决定",
        "脱敏",
        "结果",
        "同意",
        "partial@2",
        "GJJ-1",
        "提供 2",
    ):
        assert text in seen.text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_nothing_in_a_statement_is_markup(text: str) -> None:
    """Whatever a case number holds, the page has the same tags, and no invisible character of it."""
    plain = Seen(page(receipt_of(said(case_no="x")), TRUST).decode())
    written = page(receipt_of(said(case_no=text or "x", purpose=f"<script>{text}</script>")), TRUST).decode()
    assert Seen(written).tags == plain.tags
    assert "script" not in {tag for tag, _ in plain.tags}
    assert all(c.isprintable() or c in "\n\u3000" for c in written)


@pytest.mark.parametrize("statement", [b"{}", b'{"decision":1}', said(kind=None, fields=5, decision=[])])
def test_a_statement_of_a_later_form_is_shown_as_it_is(statement: bytes) -> None:
    """It is proved all the same, so it can be packed and verified."""
    check(forms.export(receipt_of(statement), Form.BUNDLE, TRUST))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("r.zip", Form.BUNDLE),
        ("R.ZIP", Form.BUNDLE),
        ("r.cose", Form.COSE),
        ("r.tlog-proof", Form.TLOG_PROOF),
        ("r.json", Form.JSON),
        ("receipt", Form.JSON),
    ],
)
def test_a_file_is_what_its_name_says(name: str, form: Form) -> None:
    """Nobody gets JSON in a file that calls itself a zip."""
    assert Form.of_file(Path(name)) is form
    assert Form.of_file(None) is Form.JSON
