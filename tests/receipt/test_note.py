"""Signed notes and checkpoints: the ecosystem's own vectors, and nothing that is spelled in a second way."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import VerificationFailed
from broker.receipt.merkle import EMPTY_ROOT
from broker.receipt.note import Checkpoint, VerifierKey, parse_checkpoint, sign_note, verify_note

# The key and note of the reference implementation's tests (golang.org/x/mod/sumdb/note, note_test.go).
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
GO_NOTE = (
    GO_TEXT + "\n— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

NAME = "xinghe.example/receipts"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = VerifierKey.of(NAME, PRIVATE)
HEAD = Checkpoint(NAME, 5, EMPTY_ROOT)
NOTE = sign_note(HEAD.text(), NAME, PRIVATE)

roots = st.binary(min_size=32, max_size=32)
names = st.text(
    st.characters(codec="utf-8", exclude_categories=("Z", "C"), exclude_characters="+"), min_size=1
)


def line_of(note: str) -> str:
    return note.rpartition("\n\n")[2]


def test_reference_note() -> None:
    """Key, note and signature are byte for byte those of the Go implementation."""
    key = VerifierKey.parse(GO_KEY)
    assert str(key) == GO_KEY
    assert verify_note(GO_NOTE, key) == GO_TEXT
    assert sign_note(GO_TEXT, "PeterNeumann", Ed25519PrivateKey.from_private_bytes(GO_SEED)) == GO_NOTE


def test_reference_checkpoint() -> None:
    """The example of the tlog-checkpoint specification is read as it says."""
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = parse_checkpoint(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.text() == text


@given(names, st.integers(0, 2**63 - 1), roots)
def test_checkpoints_and_keys_survive_the_round_trip(name: str, size: int, root: bytes) -> None:
    """What is written is read back the same, for any name, size, root and key."""
    checkpoint = Checkpoint(name, size, root)
    assert parse_checkpoint(checkpoint.text()) == checkpoint
    private = Ed25519PrivateKey.from_private_bytes(root)
    key = VerifierKey.of(name, private)
    assert VerifierKey.parse(str(key)) == key
    assert verify_note(sign_note(checkpoint.text(), name, private), key) == checkpoint.text()


def test_every_flipped_bit_of_a_note_fails() -> None:
    """No bit of text or signature line can change."""
    data = NOTE.encode()
    for i in range(len(data) * 8):
        altered = bytearray(data)
        altered[i // 8] ^= 1 << i % 8
        with pytest.raises((VerificationFailed, UnicodeDecodeError)):
            verify_note(altered.decode(), KEY)


def test_every_flipped_bit_and_every_cut_of_a_key_fails() -> None:
    """The key id in the printed key catches any slip in copying the rest."""
    data = str(KEY).encode()
    for i in range(len(data) * 8):
        altered = bytearray(data)
        altered[i // 8] ^= 1 << i % 8
        with pytest.raises((VerificationFailed, UnicodeDecodeError)):
            VerifierKey.parse(altered.decode())
    for i in range(len(data)):
        for cut in (data[:i], data[i + 1 :], data[:i] + data[i + 1 :]):
            with pytest.raises(VerificationFailed):
                VerifierKey.parse(cut.decode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "++",
        GO_KEY + "\n",
        " " + GO_KEY,
        GO_KEY.replace("c74f20a3", "C74F20A3"),
        GO_KEY + "====",
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",  # Go: wrong length
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # Go: unknown algorithm
        "名+c74f20a3+！",
        "\ud800" + GO_KEY,
    ],
)
def test_malformed_keys_are_refused(text: str) -> None:
    """A trust root in any other spelling is no trust root."""
    with pytest.raises(VerificationFailed):
        VerifierKey.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n5\n",
        f"{NAME}\n05\n{b64encode(EMPTY_ROOT).decode()}\n",
        f"{NAME}\n+5\n{b64encode(EMPTY_ROOT).decode()}\n",
        f"{NAME}\n-5\n{b64encode(EMPTY_ROOT).decode()}\n",
        f"{NAME}\n5_0\n{b64encode(EMPTY_ROOT).decode()}\n",
        f"{NAME}\n５\n{b64encode(EMPTY_ROOT).decode()}\n",
        f"{NAME}\n {b64encode(EMPTY_ROOT).decode()}\n",
        f"{NAME}\n{'9' * 5000}\n{b64encode(EMPTY_ROOT).decode()}\n",
        f"\n5\n{b64encode(EMPTY_ROOT).decode()}\n",
        f"two words\n5\n{b64encode(EMPTY_ROOT).decode()}\n",
        f"{NAME}\n5\n{b64encode(EMPTY_ROOT[:31]).decode()}\n",
        f"{NAME}\n5\n{b64encode(EMPTY_ROOT).decode().rstrip('=')}\n",
        HEAD.text() + "extension\n",
        HEAD.text() + "\n",
        HEAD.text()[:-1],
        HEAD.text().replace("U=\n", "V=\n"),  # other unused bits in the last base64 character
    ],
)
def test_malformed_checkpoints_are_refused(text: str) -> None:
    """Sizes, roots and lines have one spelling, and there is nothing after them."""
    with pytest.raises(VerificationFailed):
        parse_checkpoint(text)


def test_other_signers_are_ignored_but_do_not_help() -> None:
    """Witnesses may add lines before and after; without the trusted line they prove nothing."""
    witness = line_of(sign_note(HEAD.text(), "witness.example/w1", Ed25519PrivateKey.generate()))
    same_name = line_of(sign_note(HEAD.text(), NAME, Ed25519PrivateKey.generate()))
    others = HEAD.text() + "\n" + witness + same_name
    assert verify_note(others + line_of(NOTE), KEY) == HEAD.text()
    assert verify_note(NOTE + witness + same_name, KEY) == HEAD.text()
    with pytest.raises(VerificationFailed, match="none by the trust key"):
        verify_note(others, KEY)


def test_a_line_that_claims_the_trusted_key_must_verify() -> None:
    """A bad signature under the trusted name and id fails the note, and so does one beside a good one."""
    forged = f"— {NAME} {b64encode(KEY.id + bytes(64)).decode()}\n"
    with pytest.raises(VerificationFailed, match="does not verify"):
        verify_note(HEAD.text() + "\n" + forged, KEY)
    for lines in (forged + line_of(NOTE), line_of(NOTE) + forged, line_of(NOTE) * 2):
        with pytest.raises(VerificationFailed, match="more than one"):
            verify_note(HEAD.text() + "\n" + lines, KEY)


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_signatures_of_another_length_fail(length: int) -> None:
    """An Ed25519 signature has 64 bytes; another length is a failure and not an exception of a library."""
    line = f"— {NAME} {b64encode(KEY.id + bytes(length)).decode()}\n"
    with pytest.raises(VerificationFailed):
        verify_note(HEAD.text() + "\n" + line, KEY)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "\n\n",
        HEAD.text(),
        HEAD.text() + "\n",
        line_of(NOTE),
        "\n\n" + line_of(NOTE),
        NOTE[:-1],
        NOTE + "\n",
        NOTE + "trailing",
        NOTE + "trailing\n",
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("\n—", "\n\x00—"),
        NOTE.replace("— ", "- "),
        NOTE.replace("— ", "—  "),
        NOTE.replace("—", " —"),
        NOTE.replace("=\n", "\n"),
        NOTE.replace("=\n", "==\n"),
        NOTE.replace("=\n", "= \n"),
        NOTE + "— no+name AAAAAAAA\n",
        NOTE + "— name\u2003space AAAAAAAA\n",
        NOTE + "— name AAAAAA==\n",
        NOTE + "— name AAAAAAB=\n",
        NOTE + "— name AAAA_AAA\n",
        NOTE + "— name\n",
        NOTE + "\ud800",
        NOTE + "— name AAAAAAAA\n" * 100,
    ],
)
def test_malformed_notes_are_refused(note: str) -> None:
    """Nothing may surround, repeat or respell what the format asks for."""
    with pytest.raises(VerificationFailed):
        verify_note(note, KEY)


def test_blank_lines_in_the_text_are_part_of_it() -> None:
    """The last blank line parts text and signatures, so signed text cannot be cut at an earlier one."""
    text = "first\n\n— quoted AAAAAAAA\n\nlast\n"
    assert verify_note(sign_note(text, NAME, PRIVATE), KEY) == text


@given(st.text(max_size=80))
def test_any_text_is_refused_with_one_exception(text: str) -> None:
    """Readers answer to any input with VerificationFailed."""
    for read in (VerifierKey.parse, parse_checkpoint, lambda note: verify_note(note, KEY)):
        for candidate in (text, NOTE + text, text + NOTE, f"{NAME}\n{text}"):
            if candidate == NOTE:
                continue
            with pytest.raises(VerificationFailed):
                read(candidate)


@pytest.mark.parametrize("text", ["", "\n", "no newline", "tab\t\n", "\ud800\n"])
def test_only_texts_that_can_be_read_again_are_signed(text: str) -> None:
    """The log's key never signs what no verifier would read."""
    with pytest.raises(ValueError, match="text"):
        sign_note(text, NAME, PRIVATE)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "line\nbreak", "wide\u3000space", "\ud800"])
def test_only_key_names_name_keys(name: str) -> None:
    """A name that would break the line it stands in is refused when the key is made."""
    with pytest.raises(ValueError, match="name"):
        VerifierKey.of(name, PRIVATE)
    with pytest.raises(ValueError, match="origin"):
        Checkpoint(name, 1, EMPTY_ROOT)


def test_lengths_and_sizes_are_checked_when_made() -> None:
    """A key or root of another length never exists."""
    with pytest.raises(ValueError, match="32 bytes"):
        VerifierKey(NAME, bytes(31))
    with pytest.raises(ValueError, match="32 bytes"):
        Checkpoint(NAME, 1, bytes(33))
    with pytest.raises(ValueError, match="size"):
        Checkpoint(NAME, -1, EMPTY_ROOT)
