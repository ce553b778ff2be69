"""``fsck`` of table ``cosigned``: the checkpoint that is shown to the public is one of this log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from broker.errors import VerificationFailed
from broker.receipt.finding import Finding
from broker.receipt.log_keys import Trust
from broker.receipt.note import Checkpoint
from broker.receipt.verify import verify_checkpoint
from broker.store.snapshot import Row, Snapshot

TABLE, ROW = "cosigned", "id=1"


class CosignedCheck:
    """The check of one snapshot; ``trust`` is the log's key. That witnesses have signed, too, is for whoever
    trusts them to verify."""

    def __init__(self, snapshot: Snapshot, trust: Trust) -> None:
        self._rows: Sequence[Row] = list(snapshot.rows(TABLE)) if TABLE in snapshot.tables else ()
        self._trust = trust
        self._heads = {}
        for number, row in enumerate(self._rows):
            try:
                self._heads[number] = verify_checkpoint(str(row["note"]), trust)
            except VerificationFailed:
                continue

    @property
    def sizes(self) -> list[int]:
        """Sizes of trees whose roots :meth:`findings` needs."""
        return [head.size for head in self._heads.values()]

    def findings(self, size: int, roots: Mapping[int, bytes]) -> Iterator[Finding]:
        """What is wrong in a log of ``size`` leaves, whose trees had these roots."""
        for number, row in enumerate(self._rows):
            head = self._heads.get(number)
            if head is None:
                zh, en = "不是由此日志密钥签名的日志头", "is no checkpoint signed by this log's key"
                yield Finding(TABLE, ROW, "note", zh, en)
                continue
            if row["size"] != head.size:
                yield Finding(TABLE, ROW, "size", "与日志头的大小不一致", "is not the size in the checkpoint")
            yield from self._against(head, size, roots)

    @staticmethod
    def _against(head: Checkpoint, size: int, roots: Mapping[int, bytes]) -> Iterator[Finding]:
        if head.size > size:
            zh, en = "日志头超出数据库中的日志", "the checkpoint is of a larger log than the database has"
            yield Finding(TABLE, ROW, "note", zh, en)
        elif roots[head.size] != head.root:
            zh, en = "树根与数据库中的日志不一致", "its root is not that of the log in the database"
            yield Finding(TABLE, ROW, "note", zh, en)
