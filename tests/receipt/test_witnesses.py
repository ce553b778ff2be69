"""Cosignatures byte for byte as the specification has them, and policies that no witness fills twice."""

from __future__ import annotations

import subprocess
from base64 import b64decode, b64encode
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import VerificationFailed
from broker.receipt.note import Checkpoint, VerifierKey, sign_note, verify_note
from broker.receipt.verify import verify_checkpoint
from broker.receipt.witnesses import Group, WitnessKey, WitnessPolicy, cosign, cosignatures
from tests import plain_tlog

ORIGIN = "xinghe.example/receipts"
LOG = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG_KEY = VerifierKey.of(ORIGIN, LOG)
TEXT = Checkpoint(ORIGIN, 5, b"r" * 32).text()
NOTE = sign_note(TEXT, ORIGIN, LOG)

PRIVATE = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(1, 5)]
NAMES = [f"office-{number}.example/w" for number in range(1, 5)]
KEYS = [WitnessKey.of(name, private) for name, private in zip(NAMES, PRIVATE, strict=True)]
LINES = [cosign(TEXT, name, private, 1_800_000_000) for name, private in zip(NAMES, PRIVATE, strict=True)]

# The published example of tlog-cosignature, whose public key is not published: only its form is known.
EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nT"
    "o+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf"
    "5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def policy_file(*lines: str) -> bytes:
    """A policy file about the four witnesses."""
    known = [f"witness w{number} {key}" for number, key in enumerate(KEYS, 1)]
    return "\n".join([*known, *lines, ""]).encode()


def test_a_cosignature_is_what_the_specification_says() -> None:
    """Key id, time and signed message by the letter, checked by code that shares none of the product's."""
    seen = plain_tlog.cosigned((NOTE + LINES[0]).encode(), str(KEYS[0]))
    assert seen == (1_800_000_000, TEXT.encode())
    key = KEYS[0].public_key
    assert KEYS[0].id == sha256(NAMES[0].encode() + b"\n\x04" + key).digest()[:4]
    encoded = b64encode(b"\x04" + key).decode()
    assert str(KEYS[0]) == f"{NAMES[0]}+{KEYS[0].id.hex()}+{encoded}"


def test_openssl_verifies_a_cosignature(tmp_path: Path) -> None:
    """A tool that knows nothing of logs verifies the signature over the message put together by hand."""
    name, encoded = LINES[0].removeprefix("— ").split()
    content = b64decode(encoded)
    (tmp_path / "message").write_bytes(b"cosignature/v1\ntime 1800000000\n" + TEXT.encode())
    (tmp_path / "signature").write_bytes(content[12:])
    (tmp_path / "key.pem").write_bytes(
        PRIVATE[0]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    command = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "key.pem",
        "-rawin",
        "-in",
        "message",
        "-sigfile",
        "signature",
    ]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert name == NAMES[0]
    assert (said.returncode, "Verified Successfully" in said.stdout) == (0, True)


def test_the_published_example_is_read() -> None:
    """The specification's own note is well-formed here, and its lines by nobody known are passed over."""
    assert cosignatures(EXAMPLE, KEYS) == ()


def test_cosignatures_do_not_disturb_the_logs_signature() -> None:
    """A checkpoint with cosignatures is still the log's checkpoint, in any order of the lines."""
    for note in (NOTE + "".join(LINES), TEXT + "\n" + LINES[0] + NOTE.rpartition("\n\n")[2] + LINES[1]):
        assert verify_note(note, LOG_KEY) == TEXT
        assert verify_checkpoint(note, LOG_KEY).size == 5
        assert {found.witness for found in WitnessPolicy.of(KEYS, 1).require(note)} <= set(KEYS)


@pytest.mark.parametrize("quorum", range(5))
def test_so_many_must_have_cosigned(quorum: int) -> None:
    """Of four witnesses, as many as the quorum asks for are enough and one fewer is not."""
    policy = WitnessPolicy.of(KEYS, quorum)
    for count in range(5):
        note = NOTE + "".join(LINES[:count])
        if count >= quorum:
            assert len(policy.require(note)) == count
        else:
            with pytest.raises(VerificationFailed, match="见证不足"):
                policy.require(note)


def test_one_witness_twice_is_one() -> None:
    """Repeating a line, or cosigning again at another time, does not make a second witness."""
    note = NOTE + LINES[0] + LINES[0] + cosign(TEXT, NAMES[0], PRIVATE[0], 1_800_000_001)
    with pytest.raises(VerificationFailed, match="见证不足"):
        WitnessPolicy.of(KEYS, 2).require(note)
    twin = WitnessKey("another.example/name", KEYS[0].public_key)
    with pytest.raises(ValueError, match="same public key"):
        WitnessPolicy.of([*KEYS, twin], 2)


def test_a_cosignature_over_another_head_is_false() -> None:
    """A line moved from one checkpoint to another fails, even where others would be enough."""
    other = cosign(Checkpoint(ORIGIN, 6, b"r" * 32).text(), NAMES[0], PRIVATE[0], 1_800_000_000)
    with pytest.raises(VerificationFailed, match="见证签名不符"):
        WitnessPolicy.of(KEYS, 1).require(NOTE + LINES[1] + other)


def test_every_flipped_bit_of_a_cosignature_fails() -> None:
    """No bit of the line can change: neither name, key id, time nor signature."""
    policy, data = WitnessPolicy.of(KEYS[:1], 1), LINES[0].encode()
    for at in range(len(data) * 8):
        altered = bytearray(data)
        altered[at // 8] ^= 1 << at % 8
        with pytest.raises((VerificationFailed, UnicodeDecodeError)):
            policy.require(NOTE + altered.decode())


def test_the_log_is_no_witness_of_its_own() -> None:
    """The log's own line, under the same name, is never taken for a cosignature."""
    own = WitnessKey.of(ORIGIN, LOG)
    with pytest.raises(VerificationFailed, match="见证不足"):
        WitnessPolicy.of([own], 1).require(NOTE)
    with pytest.raises(VerificationFailed, match="见证公钥"):
        WitnessKey.parse(str(LOG_KEY))
    with pytest.raises(VerificationFailed, match="信任公钥"):
        VerifierKey.parse(str(own))


@pytest.mark.parametrize("at", [-1, 1 << 63])
def test_a_time_out_of_bounds_is_not_signed(at: int) -> None:
    """A cosignature's time is a POSIX time of 63 bits."""
    with pytest.raises(ValueError, match="time"):
        cosign(TEXT, NAMES[0], PRIVATE[0], at)


def test_a_time_beyond_63_bits_is_not_believed() -> None:
    """The specification's bound holds for what is read too."""
    late = 1 << 63
    signature = PRIVATE[0].sign(f"cosignature/v1\ntime {late}\n{TEXT}".encode())
    encoded = b64encode(KEYS[0].id + late.to_bytes(8, "big") + signature).decode()
    with pytest.raises(VerificationFailed, match="见证签名不符"):
        cosignatures(f"{NOTE}— {NAMES[0]} {encoded}\n", KEYS)


# ── policy files ─────────────────────────────────────────────────────────────────────────────────


def test_a_policy_file_with_groups() -> None:
    """The shape of the specification's own example: two of three and any of the others."""
    content = policy_file("group a 2 w1 w2 w3", "group b any w4", "group both all a b", "quorum both")
    policy = WitnessPolicy.parse(content)
    enough = [(0, 1, 3), (1, 2, 3), (0, 1, 2, 3)]
    too_few = [(), (0, 1, 2), (0, 3), (3,)]
    assert all(policy.met_by(KEYS[i] for i in which) for which in enough)
    assert not any(policy.met_by(KEYS[i] for i in which) for which in too_few)


def test_a_policy_of_one_or_none() -> None:
    """A quorum may be a single witness, or nobody."""
    assert WitnessPolicy.parse(policy_file("quorum w2")).require(NOTE + LINES[1])
    assert WitnessPolicy.parse(policy_file("quorum none")).require(NOTE) == ()
    assert WitnessPolicy.parse(b"quorum none").group is None


def test_blanks_comments_and_addresses_do_not_matter() -> None:
    """Tabs, blank lines, comments and the optional addresses are read as the specification has them."""
    content = (
        f"# 星河市\n\n \tlog\t{LOG_KEY}  https://log.example/ \n"
        f"witness 审计局 {KEYS[0]} https://audit.example/\n  quorum 审计局"
    )
    policy = WitnessPolicy.parse(content.encode())
    assert policy == WitnessPolicy((KEYS[0],), Group(1, (KEYS[0],)), frozenset({ORIGIN}))
    assert policy.require(NOTE + LINES[0])
    elsewhere = sign_note(Checkpoint("other.example/log", 5, b"r" * 32).text(), "other.example/log", LOG)
    with pytest.raises(VerificationFailed, match="不含此日志"):
        policy.require(elsewhere)


@pytest.mark.parametrize(
    "lines",
    [
        ("quorum w9",),
        ("quorum",),
        ("quorum w1", "quorum w2"),
        ("group a 3 w1 w2", "quorum a"),
        ("group a 0 w1 w2", "quorum a"),
        ("group a -1 w1", "quorum a"),
        ("group a all", "quorum a"),
        ("group a 1 w1 w1", "quorum a"),
        ("group a 1 w1", "group b 1 w1 w2", "quorum b"),
        ("group a 1 b", "group b 1 w1", "quorum a"),
        ("group a 1 none", "quorum a"),
        ("group none 1 w1", "quorum none"),
        ("group w1 1 w2", "quorum w1"),
        (f"witness again {KEYS[0]}", "quorum w1"),
        (f"witness w1 {LOG_KEY}", "quorum w1"),
        (f"log {KEYS[0]}", "quorum w1"),
        (f"log {LOG_KEY}", f"log {LOG_KEY}", "quorum w1"),
        ("witness x x+00000000+BAAA", "quorum w1"),
        ("quorum w1\r",),
        ("quórum w1",),
        ("quorum w1 # so",),
    ],
)
def test_a_wrong_policy_file_says_where(lines: tuple[str, ...]) -> None:
    """What the specification does not allow is refused with the number of the line; nothing is guessed."""
    with pytest.raises(VerificationFailed, match=r"第 [5-9] 行有误"):
        WitnessPolicy.parse(policy_file(*lines))


def test_a_policy_file_must_decide() -> None:
    """A file cut off before its quorum demands nothing by mistake: it is refused."""
    for content in (b"", policy_file()):
        with pytest.raises(VerificationFailed, match="quorum"):
            WitnessPolicy.parse(content)


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.lists(st.sampled_from(["w1", "w2", "all", "1", "group", "a", "quorum"])).map(
        lambda words: policy_file(" ".join(words))
    )
)
def test_no_policy_file_brings_the_reader_down(content: bytes) -> None:
    """Any bytes are a policy or refused."""
    with suppress(VerificationFailed):
        WitnessPolicy.parse(content)


def test_a_quorum_is_bounded() -> None:
    """A group that asks for nobody, or for more than it has, is none."""
    for quorum in (0, -1, 3):
        with pytest.raises(ValueError, match="quorum"):
            Group(quorum, (KEYS[0], KEYS[1]))
