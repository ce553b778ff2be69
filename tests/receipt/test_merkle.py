"""The hashes and verifiers of RFC 6962, against its reference vectors and against a naive tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import VerificationFailed
from broker.receipt.merkle import (
    EMPTY_ROOT,
    leaf_entry,
    leaf_hash,
    node_hash,
    root_from_inclusion,
    verify_consistency,
    verify_inclusion,
)

# The eight inputs and roots of the reference implementation's tests (certificate-transparency,
# cpp/merkletree/merkle_tree_test.cc; the same in transparency-dev/merkle).
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    bytes.fromhex(text)
    for text in (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
LEAVES = [leaf_hash(entry) for entry in INPUTS]


def mth(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(mth(leaves[:k]), mth(leaves[k:]))


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 §2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962 §2.1.2, word for word; PROOF when ``whole``."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def test_reference_hashes() -> None:
    """The leaf, node and empty hashes are those of the reference implementation."""
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert (
        node_hash(b"N123", b"N456").hex()
        == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    )


@pytest.mark.parametrize("size", range(1, 9))
def test_reference_roots(size: int) -> None:
    """The naive tree the other tests compare with gives the reference roots, so it is a fair judge."""
    assert mth(LEAVES[:size]) == ROOTS[size - 1]


def test_reference_inclusion_proofs() -> None:
    """The reference audit paths verify, and not for a neighbouring leaf."""
    proof = [
        bytes.fromhex("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"),
        bytes.fromhex("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"),
        ROOTS[3],
    ]
    verify_inclusion(LEAVES[5], 5, 8, proof, ROOTS[7])
    verify_inclusion(LEAVES[2], 2, 3, [ROOTS[1]], ROOTS[2])
    with pytest.raises(VerificationFailed):
        verify_inclusion(LEAVES[5], 4, 8, proof, ROOTS[7])


def test_reference_consistency_proofs() -> None:
    """The reference consistency proofs verify, and not for another first root."""
    proof = [
        bytes.fromhex("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"),
        bytes.fromhex("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"),
        ROOTS[3],
    ]
    verify_consistency(6, 8, ROOTS[5], ROOTS[7], proof)
    with pytest.raises(VerificationFailed):
        verify_consistency(6, 8, ROOTS[4], ROOTS[7], proof)


def test_leaf_entry_is_version_and_digest() -> None:
    """An entry is 0x01 and the statement's SHA-256, whatever the statement's length."""
    assert leaf_entry(b"").hex() == "01e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert len(leaf_entry(b"x" * 100_000)) == 33


def some_leaves(n: int) -> list[bytes]:
    return [leaf_hash(i.to_bytes(4)) for i in range(n)]


def test_every_proof_of_small_trees() -> None:
    """Every audit path and consistency proof up to 33 leaves verifies, and one hash more or less does not."""
    for n in range(1, 34):
        leaves = some_leaves(n)
        root = mth(leaves)
        for m in range(n):
            check_inclusion(leaves, m, root)
            check_consistency(leaves, m + 1, root)


def check_inclusion(leaves: list[bytes], m: int, root: bytes) -> None:
    n, proof = len(leaves), path(m, leaves)
    verify_inclusion(leaves[m], m, n, proof, root)
    assert root_from_inclusion(leaves[m], m, n, proof) == root
    bad = [[*proof, root], proof[:-1] if proof else [root], [root, *proof]]
    bad += [proof[:i] + proof[i + 1 :] for i in range(len(proof))]
    for wrong in bad:
        with pytest.raises(VerificationFailed):
            verify_inclusion(leaves[m], m, n, wrong, root)


def check_consistency(leaves: list[bytes], first: int, root: bytes) -> None:
    n, proof, first_root = len(leaves), subproof(first, leaves), mth(leaves[:first])
    verify_consistency(first, n, first_root, root, proof)
    bad = [[*proof, root], [root, *proof]]
    bad += [proof[:i] + proof[i + 1 :] for i in range(len(proof))]
    for wrong in bad:
        with pytest.raises(VerificationFailed):
            verify_consistency(first, n, first_root, root, wrong)


@given(st.integers(2, 70), st.data())
def test_a_proof_speaks_of_one_place_only(n: int, data: st.DataObject) -> None:
    """An audit path moved to another index, another leaf, or with a flipped bit fails."""
    leaves = some_leaves(n)
    m = data.draw(st.integers(0, n - 1))
    other = data.draw(st.integers(0, n - 1).filter(lambda i: i != m))
    root, proof = mth(leaves), path(m, leaves)
    with pytest.raises(VerificationFailed):
        verify_inclusion(leaves[m], other, n, proof, root)
    with pytest.raises(VerificationFailed):
        verify_inclusion(leaves[other], m, n, proof, root)
    place = data.draw(st.integers(0, len(proof) - 1))
    proof[place] = flip(proof[place], data.draw(st.integers(0, 255)))
    with pytest.raises(VerificationFailed):
        verify_inclusion(leaves[m], m, n, proof, root)


@given(st.integers(2, 70), st.data())
def test_a_rewritten_log_is_inconsistent(n: int, data: st.DataObject) -> None:
    """Changing, swapping, dropping or repeating any leaf of the first tree breaks consistency."""
    leaves = some_leaves(n)
    first = data.draw(st.integers(2, n))
    i = data.draw(st.integers(0, first - 2))
    old_root = mth(leaves[:first])
    rewritten = {
        "changed": [*leaves[:i], leaf_hash(b"forged"), *leaves[i + 1 :]],
        "swapped": [*leaves[:i], leaves[i + 1], leaves[i], *leaves[i + 2 :]],
        "dropped": [*leaves[:i], *leaves[i + 1 :]],
        "repeated": [*leaves[: i + 1], *leaves[i:]],
    }[data.draw(st.sampled_from(["changed", "swapped", "dropped", "repeated"]))]
    proof = subproof(first, rewritten) if first <= len(rewritten) else []
    with pytest.raises(VerificationFailed):
        verify_consistency(first, len(rewritten), old_root, mth(rewritten), proof)


def flip(value: bytes, bit: int) -> bytes:
    return (int.from_bytes(value) ^ (1 << bit)).to_bytes(len(value))


ODD = [0, 1, 2, 7, 8, 9, -1, 2**70, True, None, "1", 1.0]
ODD_HASHES = [b"", b"x" * 31, b"x" * 33, "x" * 32, None, 7, LEAVES[0], ROOTS[7]]
ODD_PROOFS = [
    (),
    [],
    None,
    "x",
    b"x" * 32,
    7,
    [b""],
    [None],
    ["x" * 32],
    [ROOTS[0]],
    [ROOTS[0]] * 3,
    [ROOTS[0]] * 200,
]


@given(
    st.sampled_from(ODD),
    st.sampled_from(ODD),
    *[st.sampled_from(ODD_HASHES)] * 2,
    st.sampled_from(ODD_PROOFS),
)
def test_nothing_but_verification_failed(a: object, b: object, x: object, y: object, proof: object) -> None:
    """Whatever is passed in, a verifier accepts a true claim or raises VerificationFailed."""
    true_claims = (x == y == LEAVES[0] and (a, b) == (0, 1), x == y and a == b)
    for verify, arguments, true_claim in (
        (verify_inclusion, (x, a, b, proof, y), true_claims[0]),
        (verify_consistency, (a, b, x, y, proof), true_claims[1]),
    ):
        try:
            verify(*arguments)  # type: ignore[arg-type]  # that is the test
        except VerificationFailed:
            continue
        assert true_claim
        assert not proof


def test_a_proof_to_a_smaller_tree_is_too_short() -> None:
    """A proof that leads to the root claimed, but in fewer steps than the size claimed asks for, fails."""
    with pytest.raises(VerificationFailed, match="too short"):
        verify_consistency(2, 8, ROOTS[1], ROOTS[3], subproof(2, LEAVES[:4]))
    with pytest.raises(VerificationFailed, match="too short"):
        verify_inclusion(LEAVES[1], 1, 8, path(1, LEAVES[:4]), ROOTS[3])


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 5), (5, 0), (6, 5)])
def test_empty_and_shrinking_trees_prove_nothing(first: int, second: int) -> None:
    """A log that starts over or shrinks cannot be shown consistent."""
    with pytest.raises(VerificationFailed):
        verify_consistency(first, second, EMPTY_ROOT, EMPTY_ROOT, ())
