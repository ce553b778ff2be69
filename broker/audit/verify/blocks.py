"""The leaves of one tile: entry, statement and tile against each other, and each statement by its kind.

Each leaf has up to three witnesses, which :func:`broker.receipt.leaves.judge` weighs as ``fsck`` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson

from broker.audit.verify.checks import CHECKS
from broker.audit.verify.evidence import Block, Reader
from broker.audit.verify.remarks import Nature, Remark, of_statement
from broker.audit.verify.said import Anchors, Said
from broker.audit.verify.ties import End
from broker.receipt.finding import Finding
from broker.receipt.indexed import Indexed, indexed
from broker.receipt.leaves import (
    ENTRY,
    STATEMENT,
    TILE,
    judge,
    missing_leaves,
    wrong_entry,
    wrong_statement,
    wrong_tile,
)
from broker.receipt.merkle import HASH_SIZE, leaf_entry, leaf_hash, root_of
from broker.receipt.rebuild import hash_at
from broker.receipt.tiles import TILE_WIDTH

MALFORMED = (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError)
"""What a check may raise of a statement that has another form than its kind asks for."""


def hashes_of(block: Block, size: int, reader: Reader, remarks: list[Remark]) -> list[bytes]:
    """The leaf hashes, as most witnesses have them; what is wrong goes to ``remarks``. The log has ``size``
    leaves."""
    own = {leaf: leaf_hash(entry) for leaf, entry in block.entries.items()}
    hashes = [own.get(leaf, b"") for leaf in block.leaves]
    if b"".join(hashes) == block.tile and len(own) == block.width and _statements_fit(block):
        remarks += _narrower_than(block)
        return hashes
    remarks += _missing(block)
    believed = _believed(block, size, reader)
    return [_weighed(block, leaf, own.get(leaf), remarks, believed=believed) for leaf in block.leaves]


def statements_in(block: Block) -> Iterator[tuple[int, bytes]]:
    """The statements that are those of their leaves."""
    for leaf in block.leaves:
        said = block.statements.get(leaf)
        if said is not None and leaf_entry(said) == block.entries.get(leaf):
            yield leaf, said


def judged(leaf: int, statement: bytes, anchors: Anchors) -> tuple[Indexed | None, list[Remark], list[End]]:
    """What one statement says, what is wrong with it, and its ends; it has been found to be in the log."""
    told = indexed(statement)
    if told is None:
        zh, en = "不是本程序所知的陈述", "is no statement that this program knows"
        return None, [of_statement(Nature.CONTRADICTORY, leaf, "content", zh, en)], []
    remarks: list[Remark] = []
    ends: list[End] = []
    try:
        if orjson.dumps(told.content, option=orjson.OPT_SORT_KEYS) != statement:
            zh, en = "不是规定的写法（成员排序、无空白、不重复）", "is not spelled in the one way there is"
            remarks.append(of_statement(Nature.CONTRADICTORY, leaf, "content", zh, en))
        for check in CHECKS.get(told.kind, ()):
            for found in check(Said(leaf, told, anchors, statement)):
                if isinstance(found, End):
                    ends.append(found)
                else:
                    remarks.append(found)
    except MALFORMED:
        zh, en = (
            "缺少其类别应有的成员，或成员格式不符",
            "lacks members of its kind, or has them in another form",
        )
        remarks.append(of_statement(Nature.CONTRADICTORY, leaf, "", zh, en))
    return told, remarks, ends


def _statements_fit(block: Block) -> bool:
    entries: Mapping[int, bytes] = block.entries
    return all(
        said is None or leaf_entry(said) == entries.get(leaf) for leaf, said in block.statements.items()
    )


def _weighed(block: Block, leaf: int, own: bytes | None, remarks: list[Remark], *, believed: bool) -> bytes:
    said = block.statements.get(leaf)
    in_tile = hash_at(block.tile, leaf - block.leaves.start)
    witnesses = {
        STATEMENT: None if said is None else leaf_hash(leaf_entry(said)),
        ENTRY: own,
        TILE: in_tile if len(in_tile) == HASH_SIZE else None,
    }
    value, wrong = judge(witnesses, lambda: believed)
    if ENTRY in wrong:
        remarks.append(Remark(Nature.FORGED, wrong_entry(leaf)))
    if STATEMENT in wrong:
        remarks.append(Remark(Nature.FORGED, wrong_statement(leaf)))
    if TILE in wrong:
        remark = Remark(Nature.FORGED, wrong_tile(0, block.index))
        remarks += [] if remark in remarks else [remark]
    return value


def _believed(block: Block, size: int, reader: Reader) -> bool:
    """Whether the tile above has the root of this one."""
    if len(block.tile) != TILE_WIDTH * HASH_SIZE:
        return False
    above, place = divmod(block.index, TILE_WIDTH)
    root = root_of([hash_at(block.tile, at) for at in range(TILE_WIDTH)])
    width = min(TILE_WIDTH, size // TILE_WIDTH - above * TILE_WIDTH)
    return hash_at(reader.tile(1, above, width), place) == root


def _missing(block: Block) -> Iterator[Remark]:
    for finding in missing_leaves(block.leaves, block.entries.keys()):
        yield Remark(Nature.INCOMPLETE, finding)
    for extra in sorted(block.entries.keys() - set(block.leaves)):
        zh, en = "序号超出日志", "is outside the log"
        yield Remark(Nature.FORGED, Finding("leaf", f"leaf_index={extra}", "", zh, en))
    wanted = block.width * HASH_SIZE
    if len(block.tile) != wanted:
        nature = Nature.FORGED if len(block.tile) > wanted else Nature.INCOMPLETE
        yield Remark(nature, wrong_tile(0, block.index))
    yield from _narrower_than(block)


def _narrower_than(block: Block) -> Iterator[Remark]:
    """Partial tiles and bundles of earlier logs are the beginning of those of this one."""
    bundle = b"".join(len(entry).to_bytes(2, "big") + entry for _, entry in sorted(block.entries.items()))
    for path, content in block.narrower.items():
        width = int(path.rpartition("/")[2])
        whole, wanted = (
            (bundle, _bundle_bytes(block, width)) if "/entries/" in path else (block.tile, width * HASH_SIZE)
        )
        if content != whole[:wanted]:
            zh, en = "不是现有瓦片的开头", "is not the beginning of the tile that is there now"
            yield Remark(Nature.FORGED, Finding("tile", path, "", zh, en))


def _bundle_bytes(block: Block, width: int) -> int:
    start = block.leaves.start
    return sum(2 + len(block.entries.get(start + at, b"")) for at in range(width))
