"""``fsck`` of what was signed: a certificate that acts has its chain in the log, once; a signed message that
a statement names is held beside it, whole, for as long as the statement is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256

from broker.model import EntryKind
from broker.receipt.finding import Finding, leaf_name, row_name
from broker.receipt.indexed import Indexed, indexed
from broker.receipt.named_acts import acts_of
from broker.receipt.tiles import TILE_WIDTH
from broker.store.snapshot import Row, Snapshot


class Held:
    """Told of the statements in the order of the log; then :meth:`findings` tells what is left over."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._chains: dict[str, int] = {}
        """Fingerprint → leaf of the chain. Logs of before have none, and held no message."""
        self._block = -1
        self._rows: dict[int, dict[str, Row]] = {}
        """Of the block of leaves being told of: leaf index → digest → row."""
        self._sound = 0

    def heard(self, index: int, said: Indexed) -> Iterator[Finding]:
        """What is wrong with what belongs to this statement."""
        if said.kind is EntryKind.CERTIFICATE_CHAIN:
            fingerprint = said.content["chain"][0]["sha256"]
            if self._chains.setdefault(fingerprint, index) != index:
                zh, en = "证书链已存证过", "has a chain that the log has already"
                yield Finding("statement", leaf_name(index), "content", zh, en)
        for digest in acts_of(said.content) if self._chains else ():
            row = self._held(index).get(digest)
            if row is None:
                zh, en = "缺失", "is missing"
                yield Finding("act", _name(index, digest), "", zh, en)
            elif not isinstance(row["content"], bytes) or sha256(row["content"]).hexdigest() != digest:
                zh, en = "与其散列不符", "is not what its hash names"
                yield Finding("act", _name(index, digest), "content", zh, en)
                self._sound += 1
            else:
                self._sound += 1

    def findings(self) -> Iterator[Finding]:
        """Rows that no statement asks for, and rows that are gone."""
        yield from self._certificates()
        if self._snapshot.count("act") != self._sound:
            yield from self._strays()

    def _certificates(self) -> Iterator[Finding]:
        found = {row["fingerprint"]: row["leaf_index"] for row in self._snapshot.rows("certificate")}
        for fingerprint in sorted(found.keys() | self._chains.keys(), key=str):
            if fingerprint not in found:
                zh, en, column = "缺失", "is missing", ""
            elif fingerprint not in self._chains:
                zh, en, column = "日志中没有这一证书链", "no leaf has this chain", ""
            elif found[fingerprint] != self._chains[fingerprint]:
                zh, en, column = "不是记有证书链的存证", "is not the leaf that has the chain", "leaf_index"
            else:
                continue
            yield Finding("certificate", row_name({"fingerprint": fingerprint}), column, zh, en)

    def _strays(self) -> Iterator[Finding]:
        for row in self._snapshot.rows("act"):
            index = row["leaf_index"]
            leaves = self._snapshot.leaves(index, index + 1) if isinstance(index, int) else []
            said = [statement for leaf in leaves if (statement := indexed(leaf["content"] or b""))]
            if not any(row["digest"] in acts_of(one.content) for one in said):
                zh, en = "没有陈述提及", "no statement names it"
                yield Finding("act", _name(index, row["digest"]), "", zh, en)

    def _held(self, index: int) -> Mapping[str, Row]:
        block = index // TILE_WIDTH
        if block != self._block:
            self._block, self._rows = block, {}
            for row in self._snapshot.acts(block * TILE_WIDTH, (block + 1) * TILE_WIDTH):
                self._rows.setdefault(row["leaf_index"], {})[row["digest"]] = row
        return self._rows.get(index, {})


def _name(index: object, digest: object) -> str:
    return row_name({"leaf_index": index, "digest": digest})
