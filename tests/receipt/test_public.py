"""The log as C2SP tlog-tiles has it, and its export as static files, read by a verifier of no kin."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from broker.errors import SetUpError, VerificationFailed
from broker.receipt.bundle import export as dump
from broker.receipt.export import Exported, export
from broker.receipt.memory import remembered
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.receipt.note import Checkpoint, VerifierKey, sign_note
from broker.receipt.public import ENTRIES, Part, PublicLog, parse_path
from broker.receipt.tiles import Tree
from broker.store.store import open_store
from tests import plain_tlog

ORIGIN = "xinghe.example/log"


class LargeLog:
    """The tables of a log of any size, of entries made up here, and its signed head."""

    def __init__(self, size: int) -> None:
        self._entries = [leaf_entry(b"%d" % number) for number in range(size)]
        self.private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.key = VerifierKey.of(ORIGIN, self.private)
        self.tree, self._tiles = Tree(0, lambda _, __: b"").append([leaf_hash(e) for e in self._entries])

    def tile(self, level: int, index: int) -> bytes:
        return self._tiles.get((level, index), b"")

    def log_entries(self, start: int, stop: int) -> list[bytes]:
        return self._entries[start:stop]

    def note(self, size: int) -> str:
        root = Tree(size, self.tile).root()
        return sign_note(Checkpoint(ORIGIN, size, root).text(), ORIGIN, self.private)

    def public(self, size: int) -> PublicLog:
        """The log as it was when it had so many leaves."""
        return PublicLog(self, lambda: self.note(size), self.key)


@contextmanager
def opened(log: Any) -> Iterator[PublicLog]:
    with closing(open_store(log.url)) as store:
        yield PublicLog(store, lambda: remembered(log.state, log.key), log.key)


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def reader(folder: Path) -> plain_tlog.Read:
    return lambda path: (folder / path).read_bytes()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, broker_log: Callable[..., Any]) -> Any:
    """A broker's own log of 21 leaves, and after that of 300."""
    folder = tmp_path_factory.mktemp("broker")
    log = broker_log(f"sqlite:///{folder}/log.db", folder)
    log.fill(20)
    with log.running() as running:
        (folder / "receipt.json").write_bytes(dump(running.receipt(7)))
    with opened(log) as public:
        export(public, folder / "small")
    log.fill(279)
    log.folder = folder
    return log


@pytest.fixture(scope="module")
def large() -> LargeLog:
    return LargeLog(70_000)


@pytest.mark.parametrize(
    ("part", "path"),
    [
        (Part(0, 0), "tile/0/000"),
        (Part(0, 999, 1), "tile/0/999.p/1"),
        (Part(1, 1000), "tile/1/x001/000"),
        (Part(63, 1_234_067, 255), "tile/63/x001/x234/067.p/255"),
        (Part(ENTRIES, 1_234_067), "tile/entries/x001/x234/067"),
    ],
)
def test_paths_are_those_of_the_specification(part: Part, path: str) -> None:
    """Its own example among them; a path is read back as what it names."""
    assert part.path == path
    assert parse_path(path) == part


@pytest.mark.parametrize(
    "path",
    [
        *("", "tile/0/0", "tile/0/1000", "tile/0/x000/001", "tile/00/000", "tile/01/000", "tile/64/000"),
        *("tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "tile/data/000"),
        *("tile/-1/000", "tile/0/x001", "tile/0/../000", "tile/0/000/", "tile/0/٠٠٠", "tile/0/000\n"),
        *("tile/entries/000.p/999", "tile/0/" + "x999/" * 7 + "999"),
    ],
)
def test_there_is_one_way_to_name_a_part(path: str) -> None:
    """Other spellings would be other keys of a cache, and name nothing."""
    assert parse_path(path) is None


def test_an_export_has_the_files_of_the_specifications_example(large: LargeLog, tmp_path: Path) -> None:
    """70,000 leaves: 273 full tiles and one of 112, one full and one of 17 above, one of 1 at the top."""
    done = export(large.public(70_000), tmp_path)
    written = files(tmp_path)
    full = {f"tile/0/{n:03d}" for n in range(273)} | {f"tile/entries/{n:03d}" for n in range(273)}
    edge = {"tile/0/273.p/112", "tile/entries/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"}
    assert written == full | edge | {"checkpoint"}
    assert done == Exported(Checkpoint(ORIGIN, 70_000, large.tree.root()), 0, len(written) - 1)
    assert plain_tlog.checked(reader(tmp_path), str(large.key)) == 70_000


@pytest.mark.parametrize("sizes", [(1, 2, 255, 256, 257, 512, 700), (65_535, 65_536, 65_537)])
def test_exports_that_go_on_are_as_good_as_one(
    large: LargeLog, tmp_path: Path, sizes: tuple[int, ...]
) -> None:
    """Each step holds, writes only what is new, and leaves every file of earlier steps as it was."""
    before: dict[str, bytes] = {}
    for size in sizes:
        done = export(large.public(size), tmp_path)
        now = {name: (tmp_path / name).read_bytes() for name in files(tmp_path) - {"checkpoint"}}
        assert before.items() <= now.items()
        assert done.files <= len(now) - len(before) + 2  # a bundle and a tile at the edge, again
        assert plain_tlog.checked(reader(tmp_path), str(large.key)) == size
        before = now
    assert export(large.public(sizes[-1]), tmp_path).files == 0


def test_an_interrupted_export_is_gone_on_with(large: LargeLog, tmp_path: Path) -> None:
    """What it left is no harm: unfinished files, a tile torn by nobody knows whom, no checkpoint."""
    export(large.public(700), tmp_path)
    (tmp_path / "checkpoint").unlink()
    (tmp_path / "tile/0/001").write_bytes(b"torn")
    (tmp_path / "tile/0/.002.new").write_bytes(b"unfinished")
    export(large.public(800), tmp_path)
    assert plain_tlog.checked(reader(tmp_path), str(large.key)) == 800


def test_proofs_are_made_and_checked_from_tiles_alone(large: LargeLog, tmp_path: Path) -> None:
    """Inclusion of leaves at every kind of place; consistency between sizes at every kind of edge."""
    export(large.public(70_000), tmp_path)
    tree = plain_tlog.PlainTree(reader(tmp_path), 70_000)
    root = tree.mth(0, 70_000)
    for leaf in (0, 1, 255, 256, 65_535, 65_536, 69_999):
        proof = tree.path(leaf, 0, 70_000)
        entry = sha256(b"\x00" + leaf_entry(b"%d" % leaf)).digest()
        assert plain_tlog.root_by_path(leaf, 70_000, entry, proof) == root
    for first in (1, 2, 255, 256, 257, 65_535, 65_536, 69_889, 70_000):
        first_root = Tree(first, large.tile).root()
        proof = tree.subproof(first, 0, 70_000)
        assert plain_tlog.roots_by_proof(first, 70_000, proof, first_root) == (first_root, root)


def test_any_byte_flipped_is_noticed(broker: Any) -> None:
    """Of every file of a broker's published log."""
    folder = broker.folder / "small"
    contents = {name: (folder / name).read_bytes() for name in files(folder)}
    assert set(contents) == {"checkpoint", "tile/0/000.p/21", "tile/entries/000.p/21"}
    assert plain_tlog.checked(contents.__getitem__, str(broker.key)) == 21
    for name, content in contents.items():
        for place in range(len(content)):
            flipped = bytearray(content)
            flipped[place] ^= 1 << place % 8
            changed = contents | {name: bytes(flipped)}
            with pytest.raises(plain_tlog.Wrong):
                plain_tlog.checked(changed.__getitem__, str(broker.key))


def test_the_brokers_log_holds_for_strangers_and_so_does_a_receipt(broker: Any, tmp_path: Path) -> None:
    """The log of 300 leaves has the receipt's leaf, and has grown from the receipt's head."""
    with opened(broker) as public:
        export(public, tmp_path)
    read, vkey = reader(tmp_path), str(broker.key)
    assert plain_tlog.checked(read, vkey) == 300
    receipt = orjson.loads((broker.folder / "receipt.json").read_bytes())
    size, root, _, _ = plain_tlog.opened(receipt["checkpoint"].encode(), vkey)
    entry = b"\x01" + sha256(receipt["statement"].encode()).digest()
    assert plain_tlog.entries(read, 0, 300)[7] == entry
    tree = plain_tlog.PlainTree(read, 300)
    proof = tree.subproof(size, 0, 300)
    assert plain_tlog.roots_by_proof(size, 300, proof, root) == (root, tree.mth(0, 300))


def test_openssl_accepts_the_checkpoints_signature(broker: Any, tmp_path: Path) -> None:
    """As docs/verify-without-us.md tells, and refuses it for another text."""
    _, _, text, signature = plain_tlog.opened(
        (broker.folder / "small/checkpoint").read_bytes(), str(broker.key)
    )
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    public = Ed25519PublicKey.from_public_bytes(broker.key.public_key).public_bytes(*form)
    for name, content in {
        "key.pem": public,
        "signature": signature,
        "text": text,
        "other": text + b"x",
    }.items():
        (tmp_path / name).write_bytes(content)
    command = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-rawin",
        "-pubin",
        "-inkey",
        "key.pem",
        "-sigfile",
        "signature",
        "-in",
    ]
    assert subprocess.run([*command, "text"], cwd=tmp_path, capture_output=True).returncode == 0
    assert subprocess.run([*command, "other"], cwd=tmp_path, capture_output=True).returncode == 1


def test_nothing_beyond_the_signed_head_is_public(large: LargeLog) -> None:
    """Leaves that wait for a signature, tiles wider than the head's, and empty tiles are not there."""
    public = large.public(700)
    assert public.read(Part(0, 2, 188)) is not None
    assert public.read(Part(ENTRIES, 2, 188)) is not None
    for part in (
        Part(0, 2, 189),
        Part(0, 2),
        Part(ENTRIES, 2, 189),
        Part(1, 0, 3),
        Part(2, 0, 1),
        Part(0, 3, 1),
    ):
        assert public.read(part) is None


def test_partial_tiles_of_every_earlier_head_can_be_read(large: LargeLog) -> None:
    """Also where the full tile is there by now."""
    public = large.public(700)
    full = public.read(Part(0, 0))
    assert full is not None
    assert all(public.read(Part(0, 0, width)) == full[: 32 * width] for width in range(1, 256))


def test_before_the_first_signature_there_is_nothing(large: LargeLog, tmp_path: Path) -> None:
    """No checkpoint, no tiles, and an export says what to do."""
    public = PublicLog(large, lambda: "", large.key)
    assert public.checkpoint() is None
    assert public.read(Part(0, 0, 1)) is None
    with pytest.raises(SetUpError, match="start the broker"):
        export(public, tmp_path)


def test_what_was_not_signed_is_not_given_out(large: LargeLog) -> None:
    """An entry that is not in the tree, a tile cut short, a head over another tree, another log's head."""
    other = LargeLog(700)
    other._entries[300] = leaf_entry(b"another")
    public = other.public(700)
    assert public.read(Part(ENTRIES, 0)) is not None
    with pytest.raises(VerificationFailed, match="tile/entries/001"):
        public.read(Part(ENTRIES, 1))
    other._tiles[0, 1] = other._tiles[0, 1][:-32]
    with pytest.raises(VerificationFailed, match="tile/0/001"):
        public.read(Part(0, 1))
    forked = sign_note(Checkpoint(ORIGIN, 700, bytes(32)).text(), ORIGIN, large.private)
    foreign = sign_note(Checkpoint("a.example", 700, bytes(32)).text(), "a.example", large.private)
    for note in (forked, foreign):
        with pytest.raises(VerificationFailed):
            PublicLog(large, lambda note=note: note, large.key).checkpoint()  # type: ignore[misc]


def test_an_export_refuses_what_is_not_the_same_log_grown(large: LargeLog, tmp_path: Path) -> None:
    """A newer head in the folder, another history, damaged tiles there: its checkpoint stays what it was."""
    export(large.public(700), tmp_path)
    shown = (tmp_path / "checkpoint").read_bytes()
    with pytest.raises(VerificationFailed, match="newer"):
        export(large.public(699), tmp_path)
    other = LargeLog(900)
    other._entries[3] = leaf_entry(b"another")
    other.tree, other._tiles = Tree(0, lambda _, __: b"").append([leaf_hash(e) for e in other._entries])
    for size in (700, 900):
        with pytest.raises(VerificationFailed):
            export(other.public(size), tmp_path)
    edge = tmp_path / "tile/0/002.p/188"
    edge.write_bytes(edge.read_bytes()[:-32] + bytes(32))
    with pytest.raises(VerificationFailed, match="folder"):
        export(large.public(900), tmp_path)
    assert (tmp_path / "checkpoint").read_bytes() == shown


def test_two_exports_do_not_write_into_one_folder(large: LargeLog, tmp_path: Path) -> None:
    """The second is told so."""
    public = large.public(10)

    def busy() -> str:
        with pytest.raises(SetUpError, match="Another export"):
            export(public, tmp_path)
        return large.note(10)

    export(PublicLog(large, busy, large.key), tmp_path)


def test_a_head_that_is_being_written_over_does_not_take_the_log_back(large: LargeLog) -> None:
    """Whoever saw the newer head is shown it again."""
    notes = iter([large.note(20), large.note(10)])
    public = PublicLog(large, lambda: next(notes), large.key)
    assert [found[1].size for found in (public.checkpoint(), public.checkpoint()) if found] == [20, 20]
