"""A verifier of published logs, written from RFC 6962 and the C2SP texts alone.

It imports nothing of the product: what it accepts, a stranger's verifier accepts.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Read = Callable[[str], bytes]
"""Gives the resource of a path."""


class Wrong(Exception):
    """The log does not hold."""


def opened(note: bytes, vkey: str) -> tuple[int, bytes, bytes, bytes]:
    """Tree size, root, signed text and signature of a checkpoint (signed-note, tlog-checkpoint)."""
    text, signature, key = _signed(note, vkey)
    require(key[0] == 1)
    _verify(key[1:], signature, text)
    origin, size, root, end = text.split(b"\n")
    require(origin.decode() == vkey.split("+")[0] and end == b"")
    return int(size), decoded(root), text, signature


def cosigned(note: bytes, vkey: str) -> tuple[int, bytes]:
    """Time and signed text of a cosignature in a checkpoint (tlog-cosignature, Ed25519)."""
    text, signature, key = _signed(note, vkey)
    require(key[0] == 4 and len(signature) == 72)
    at = int.from_bytes(signature[:8], "big")
    _verify(key[1:], signature[8:], b"cosignature/v1\ntime %d\n" % at + text)
    return at, text


def checked(read: Read, vkey: str) -> int:
    """The size of a log of which everything was read, and holds."""
    size, root, _, _ = opened(read("checkpoint"), vkey)
    tree = PlainTree(read, size)
    require(tree.mth(0, size) == root)
    level = 0
    while size >> 8 * level:
        for index in range(-(-(size >> 8 * level) // 256)):
            hashes = tree.tile(level, index)
            below = _leaves(read, index, len(hashes), size) if level == 0 else []
            for place in range(len(hashes) if level else 0):
                below.append(_root(tree.tile(level - 1, index * 256 + place)))
            require(hashes == below)
        level += 1
    return size


class PlainTree:
    """A log's tree as its tiles have it."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._size = size

    def tile(self, level: int, index: int) -> list[bytes]:
        """The hashes of a tile, as wide as the tree has it."""
        content = self._read(path(level, index, self._size))
        require(len(content) % 32 == 0)
        return [content[at : at + 32] for at in range(0, len(content), 32)]

    def mth(self, start: int, stop: int) -> bytes:
        """MTH(D[start:stop]), RFC 6962 §2.1, from the highest tiles that have it."""
        width, level = stop - start, 0
        while width % 256 == 0 and width > 255:
            width, level = width // 256, level + 1
        if width == 1:
            index = start >> 8 * level
            hashes = self.tile(level, index // 256)
            require(index % 256 < len(hashes))
            return hashes[index % 256]
        split = start + _split(stop - start)
        return node(self.mth(start, split), self.mth(split, stop))

    def path(self, leaf: int, start: int, stop: int) -> list[bytes]:
        """PATH(leaf, D[start:stop]), §2.1.1."""
        if stop - start == 1:
            return []
        split = start + _split(stop - start)
        if leaf < split:
            return [*self.path(leaf, start, split), self.mth(split, stop)]
        return [*self.path(leaf, split, stop), self.mth(start, split)]

    def subproof(self, first: int, start: int, stop: int, *, whole: bool = True) -> list[bytes]:
        """SUBPROOF(first − start, D[start:stop], whole), §2.1.2."""
        if first == stop:
            return [] if whole else [self.mth(start, stop)]
        split = start + _split(stop - start)
        if first <= split:
            return [*self.subproof(first, start, split, whole=whole), self.mth(split, stop)]
        return [*self.subproof(first, split, stop, whole=False), self.mth(start, split)]


def root_by_path(leaf: int, size: int, leaf_hash: bytes, proof: list[bytes]) -> bytes:
    """The root that an audit path leads to."""
    if size == 1:
        require(not proof)
        return leaf_hash
    require(bool(proof))
    split = _split(size)
    if leaf < split:
        return node(root_by_path(leaf, split, leaf_hash, proof[:-1]), proof[-1])
    return node(proof[-1], root_by_path(leaf - split, size - split, leaf_hash, proof[:-1]))


def roots_by_proof(
    first: int, second: int, proof: list[bytes], first_root: bytes | None
) -> tuple[bytes, bytes]:
    """Both roots that a consistency proof leads to."""
    if first == second:
        require(len(proof) == (first_root is None))
        same = proof[0] if first_root is None else first_root
        return same, same
    require(bool(proof))
    split = _split(second)
    if first <= split:
        old, new = roots_by_proof(first, split, proof[:-1], first_root)
        return old, node(new, proof[-1])
    old, new = roots_by_proof(first - split, second - split, proof[:-1], None)
    return node(proof[-1], old), node(proof[-1], new)


def path(level: int | str, index: int, size: int) -> str:
    """``tile/<L>/<N>[.p/<W>]`` of a tree of that size (tlog-tiles)."""
    height = 0 if level == "entries" else 8 * int(level)
    width = min(256, (size >> height) - 256 * index)
    digits = f"{index % 1000:03d}"
    while index := index // 1000:
        digits = f"x{index % 1000:03d}/{digits}"
    return f"tile/{level}/{digits}" + ("" if width == 256 else f".p/{width}")


def entries(read: Read, index: int, size: int) -> list[bytes]:
    """The entries of a bundle."""
    content, found = read(path("entries", index, size)), []
    while content:
        stop = 2 + int.from_bytes(content[:2], "big")
        require(len(content) >= stop)
        found.append(content[2:stop])
        content = content[stop:]
    return found


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def require(holds: bool) -> None:
    if not holds:
        raise Wrong


def decoded(text: bytes) -> bytes:
    try:
        content = b64decode(text, validate=True)
    except ValueError:
        raise Wrong from None
    require(b64encode(content) == text)
    return content


def _signed(note: bytes, vkey: str) -> tuple[bytes, bytes, bytes]:
    """A note's text, the signature in the one line by that key, and the key after its type byte."""
    name, key_id, encoded = vkey.split("+", 2)
    key = b64decode(encoded)
    require(sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id)
    text, blank, lines = note.rpartition(b"\n\n")
    prefix = f"— {name} ".encode()
    require(bool(blank) and lines.endswith(b"\n"))
    signatures = [decoded(line[len(prefix) :]) for line in lines[:-1].split(b"\n") if line.startswith(prefix)]
    ours = [signature[4:] for signature in signatures if signature[:4].hex() == key_id]
    require(len(ours) == 1)
    return text + b"\n", ours[0], key


def _verify(key: bytes, signature: bytes, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        raise Wrong from None


def _leaves(read: Read, index: int, count: int, size: int) -> list[bytes]:
    found = entries(read, index, size)
    require(len(found) == count)
    return [sha256(b"\x00" + entry).digest() for entry in found]


def _root(hashes: list[bytes]) -> bytes:
    require(len(hashes) == 256)
    while len(hashes) > 1:
        hashes = [node(*hashes[at : at + 2]) for at in range(0, len(hashes), 2)]
    return hashes[0]


def _split(width: int) -> int:
    return 1 << (width - 1).bit_length() - 1
