"""Everything that verifies, under attack: proofs between any two sizes hold, and nothing made up does.

Whatever it is given, a verifier accepts a true claim or raises ``VerificationFailed``; it never crashes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.audit.form import Header
from broker.audit.jsonl import parsed
from broker.audit.verify.blocks import judged
from broker.audit.verify.remarks import Nature
from broker.audit.verify.said import Anchors
from broker.errors import VerificationFailed
from broker.model import EntryKind
from broker.receipt import bundle, cose_receipt, tlog_proof, zipped
from broker.receipt.indexed import indexed
from broker.receipt.log_keys import LogKeys, parse_succession
from broker.receipt.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from broker.receipt.note import Checkpoint, VerifierKey, sign_note
from broker.receipt.public import parse_path
from broker.receipt.tiles import Tree
from broker.receipt.witnesses import WitnessKey, WitnessPolicy, cosignatures
from tests import plain_tlog

SIZE = 1_300
"""Five full tiles of leaves and a part of one."""
LEAVES = [leaf_hash(b"%d" % number) for number in range(SIZE)]
LARGEST, TILES = Tree(0, lambda _, __: b"").append(LEAVES)
NAME = "xinghe.example/receipts"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = VerifierKey.of(NAME, PRIVATE)
NOTE = sign_note(Checkpoint(NAME, SIZE, LARGEST.root()).text(), NAME, PRIVATE)
ANCHORS = Anchors(LogKeys.of(KEY))


def tree(size: int) -> Tree:
    return Tree(size, lambda level, index: TILES.get((level, index), b""))


sizes = st.one_of(
    st.integers(1, SIZE), st.sampled_from([1, 2, 255, 256, 257, 511, 512, 513, 1024, 1279, 1280, SIZE])
)
HOWS = ["flip", "drop", "double", "swap", "add", "shorten"]


def spoilt(proof: tuple[bytes, ...], data: st.DataObject) -> tuple[bytes, ...]:
    """Another sequence of hashes, or of what is none."""
    how = data.draw(st.sampled_from(HOWS))
    if how == "add" or not proof:
        return (*proof, data.draw(st.sampled_from([bytes(32), LEAVES[0], b"", b"x" * 31])))
    at = data.draw(st.integers(0, len(proof) - 1))
    value = bytearray(proof[at])
    value[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
    return {
        "flip": (*proof[:at], bytes(value), *proof[at + 1 :]),
        "drop": proof[:at] + proof[at + 1 :],
        "double": (*proof[:at], proof[at], *proof[at:]),
        "swap": (*proof[:at], *reversed(proof[at:])),
        "shorten": (*proof[:at], proof[at][:-1], *proof[at + 1 :]),
    }[how]


@given(sizes, sizes, st.data())
def test_between_any_two_sizes_a_log_is_consistent(one: int, other: int, data: st.DataObject) -> None:
    """By us and by a verifier of no kin; and by no other proof, and for no other root."""
    first, second = sorted((one, other))
    proof = tree(second).consistency_proof(first)
    roots = tree(first).root(), tree(second).root()
    assert roots == (root_of(LEAVES[:first]), root_of(LEAVES[:second]))
    verify_consistency(first, second, *roots, proof)
    assert plain_tlog.roots_by_proof(first, second, list(proof), roots[0]) == roots
    if (wrong := spoilt(proof, data)) != proof:
        with pytest.raises(VerificationFailed):
            verify_consistency(first, second, *roots, wrong)
    for false in ((roots[1], roots[0]), (bytes(32), roots[1]), (roots[0], bytes(32))):
        if false != roots:
            with pytest.raises(VerificationFailed):
                verify_consistency(first, second, *false, proof)


@given(sizes, st.data())
def test_every_leaf_of_any_size_is_included_once(size: int, data: st.DataObject) -> None:
    """By us and by a verifier of no kin; in its own place only, and by its own proof only."""
    index = data.draw(st.integers(0, size - 1))
    proof, root = tree(size).inclusion_proof(index), tree(size).root()
    verify_inclusion(LEAVES[index], index, size, proof, root)
    assert plain_tlog.root_by_path(index, size, LEAVES[index], list(proof)) == root
    if (wrong := spoilt(proof, data)) != proof:
        with pytest.raises(VerificationFailed):
            verify_inclusion(LEAVES[index], index, size, wrong, root)
    place = data.draw(st.one_of(st.integers(0, size + 1), st.integers(2**62, 2**70), st.integers(-5, -1)))
    if place != index:
        with pytest.raises(VerificationFailed):
            verify_inclusion(LEAVES[index], place, size, proof, root)


@given(st.integers(1, SIZE), st.data())
def test_a_tree_over_damaged_tiles_is_none_or_another(size: int, data: st.DataObject) -> None:
    """A byte of any tile that a size needs, flipped, cut or gone: the root is not the one signed."""
    needed = [key for key in TILES if key[1] * 256 < size >> 8 * key[0]]
    key = data.draw(st.sampled_from(sorted(needed)))
    width = min(256, (size >> 8 * key[0]) - key[1] * 256)
    content = bytearray(TILES[key])
    content[data.draw(st.integers(0, width * 32 - 1))] ^= 1
    cut = data.draw(st.integers(0, width * 32 - 1))
    for damaged in (bytes(content), TILES[key][:cut], b"", TILES[key] * 257):
        changed = TILES | {key: damaged}
        read = Tree(size, lambda level, index, changed=changed: changed.get((level, index), b""))  # type: ignore[misc]
        leaves = range(key[1] * 256, size) if key[0] == 0 else ()
        try:
            found = read.root(), [read.leaf_hash(at) for at in leaves]
        except VerificationFailed:
            continue
        assert found != (tree(size).root(), [LEAVES[at] for at in leaves])


READERS: list[Callable[[bytes], Any]] = [
    bundle.parse,
    tlog_proof.parse,
    cose_receipt.parse,
    lambda data: cose_receipt.verify(data, KEY),
    zipped.parse,
    WitnessPolicy.parse,
    Header.parse,
    lambda data: parsed(data, proofs=True),
]
TEXT_READERS: list[Callable[[str], Any]] = [
    VerifierKey.parse,
    WitnessKey.parse,
    parse_succession,
    LogKeys.of(KEY).checkpoint,
    lambda text: cosignatures(text, [WitnessKey.of("w.example/1", PRIVATE)]),
]
PREFIXES = [
    b"",
    b"PK\x03\x04",
    b"c2sp.org/tlog-proof@v1\n",
    b"\xd2\x84\x58",
    b'{"',
    NOTE.encode()[:40],
    b"log ",
]


@given(st.sampled_from(PREFIXES), st.binary(max_size=120))
def test_any_bytes_are_refused_by_every_reader(prefix: bytes, data: bytes) -> None:
    """With one exception, whatever they look like at first; no reader crashes."""
    for read in READERS:
        with pytest.raises(VerificationFailed):
            read(prefix + data)
    for read_text in TEXT_READERS:
        with pytest.raises(VerificationFailed):
            read_text((prefix + data).decode("utf-8", "surrogateescape"))


@given(st.text(max_size=40))
def test_any_text_names_one_part_or_none(text: str) -> None:
    """A path is read as what prints to the same path."""
    for path in (text, f"tile/{text}", f"tile/0/{text}", f"tile/0/000.p/{text}"):
        part = parse_path(path)
        assert part is None or part.path == path


def test_numbers_beyond_all_bounds_are_refused() -> None:
    """Zero sizes, sizes of a thousand digits, places beyond the size."""
    for size in ("0", "00", "-1", "1" * 1000, str(2**64), "1e3", "１"):
        text = NOTE.replace(f"\n{SIZE}\n", f"\n{size}\n")
        with pytest.raises(VerificationFailed):
            LogKeys.of(KEY).checkpoint(text)
    for first, second in ((0, 0), (0, 1), (1, 0), (2**80, 2**80 + 1), (1, 2**80)):
        with pytest.raises(VerificationFailed):
            verify_consistency(first, second, LEAVES[0], LEAVES[1], ())
    for index, size in ((0, 0), (1, 1), (2**80, 2**81), (0, 2**80)):
        with pytest.raises(VerificationFailed):
            verify_inclusion(LEAVES[0], index, size, (), LEAVES[0])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = [
    *("recorded_at", "request_id", "consumer", "decision", "outcome", "obligations", "of", "decision_leaf"),
    *("epoch", "bundle", "lease_seconds", "origin", "verifier_key", "acknowledgement", "due_at", "delivery"),
]


@settings(max_examples=200)
@given(
    st.sampled_from(list(EntryKind)),
    st.dictionaries(st.sampled_from(MEMBERS), json_values, max_size=6),
    st.sampled_from(["2026-11-24T00:00:00.000000Z", "2026-11-24", "", "9999-12-31T23:59:59-23:59"]),
)
def test_no_statement_ends_a_verification(kind: EntryKind, members: dict[str, Any], time: str) -> None:
    """Of any kind, with members of any kind: it is sound, or said to be contradictory or forged."""
    content = {"format": "share-statement/v1", "kind": kind.value, "recorded_at": time, **members}
    try:
        statement = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # numbers or texts that JSON has none of
        return
    told, remarks, ends = judged(3, statement, ANCHORS)
    assert {remark.nature for remark in remarks} <= {Nature.CONTRADICTORY, Nature.FORGED}
    assert told is not None or remarks
    assert (indexed(statement) is None) == (told is None)
    assert all(end.leaf == 3 for end in ends)


@given(st.binary(max_size=60))
def test_no_bytes_for_a_statement_end_a_verification(data: bytes) -> None:
    """They are no statement."""
    assert judged(0, data, ANCHORS)[0] is None
