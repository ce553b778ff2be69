"""``fsck``: everything stored of the log is derived again, and what contradicts it is named by table and row.

Works on one snapshot, so it may run beside a broker that appends, and in bounded memory. Nothing can be said
of what stands in one place only: the keyed digest of a request, how much of a quota is used up, and how far
a stream under way has come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path

from broker.errors import SetUpError, VerificationFailed
from broker.model import EntryKind
from broker.receipt.acts import Acts
from broker.receipt.corrected import SAID as SAID_OF_CORRECTIONS
from broker.receipt.corrected import Corrected
from broker.receipt.cosigned import CosignedCheck
from broker.receipt.delegated import Delegated
from broker.receipt.deliveries import SAID, Deliveries
from broker.receipt.disposal_rows import Disposals
from broker.receipt.filings import Filings
from broker.receipt.finding import Finding, leaf_name, row_name, tile_name
from broker.receipt.held import Held
from broker.receipt.indexed import Indexed, indexed
from broker.receipt.key_file import known_keys
from broker.receipt.leaves import ORDER_TOLERANCE, LeafCheck, wrong_in_claim
from broker.receipt.log_keys import LogKeys, Trust
from broker.receipt.memory import remembered
from broker.receipt.merkle import EMPTY_ROOT, HASH_SIZE, leaf_entry
from broker.receipt.needs import Needs
from broker.receipt.note import Checkpoint
from broker.receipt.publications import Publications
from broker.receipt.rebuild import tile_count
from broker.receipt.streams import Streams
from broker.receipt.tags import Tags
from broker.receipt.tiles import TILE_WIDTH
from broker.store.snapshot import BATCH_ROWS, Progress, Row, Snapshot, no_progress, open_snapshot

HEAD = "id=1"


@contextmanager
def open_fsck(url: str, state: Path, key: Trust, progress: Progress = no_progress) -> Iterator[Fsck]:
    """The check of the database at ``url``; ``state`` is the signer's memory, ``key`` the log's.

    Raises:
        SetUpError: the URL is wrong, the database has another schema or cannot be reached, or the signer's
            memory cannot be read.
    """
    keys = known_keys(state, key)
    memory = remembered(state, keys)  # before the snapshot, which then holds all that it signs
    with open_snapshot(url) as snapshot:
        yield Fsck(snapshot, keys, memory, progress)


class Fsck:
    """The check of one snapshot. Iterate over :meth:`findings` once; the rest is known afterwards.

    ``memory`` is what the signer remembered before the snapshot began: a signed checkpoint, or nothing.
    """

    def __init__(
        self, snapshot: Snapshot, keys: Trust, memory: str, progress: Progress = no_progress
    ) -> None:
        self._snapshot = snapshot
        self._keys = LogKeys.of(keys)
        self._successions: dict[int, str] = {}
        """The signed successions of the log's key, by leaf index."""
        self._memory = memory
        self._progress = progress
        self._acts = Acts(snapshot)
        self._streams = Streams(snapshot)
        self._tags = Tags(snapshot)
        self._needs = Needs(snapshot)
        self._deliveries = Deliveries(snapshot)
        self._disposals = Disposals(snapshot)
        self._corrected = Corrected(snapshot)
        self._held = Held(snapshot)
        self._filings = Filings(snapshot)
        self._delegated = Delegated(snapshot)
        self._publications = Publications(snapshot)
        self._erased_kinds: Set[object] = frozenset()
        self._genesis: Indexed | None = None
        self._claims = 0
        self.size = 0
        """Number of leaves, as most of head, leaves and tiles have it."""
        self.root = EMPTY_ROOT
        self.signed: int | None = None
        """Number of leaves that the signer remembers to have signed."""
        self.erased = 0
        """Leaves whose statement was erased, which is allowed."""
        self.requests = 0
        """Used request ids."""

    def findings(self) -> Iterator[Finding]:
        """What is wrong; a table that cannot be read to its end is wrong, too."""
        yield from _read("", self._file())
        yield from _read("head", self._sizes())
        yield from _read("leaf", self._leaves())
        yield from _read("tile", self._strange_tiles())
        yield from _read("request", self._requests())
        yield from _read("quota", self._quotas())
        yield from _read("epoch", self._acts.findings(self._publications.proposed()))
        yield from _read("publication", self._publications.findings())
        erased_outcomes = EntryKind.STREAM_OUTCOME in self._erased_kinds
        yield from _read("lease", self._streams.findings(erased_outcomes=erased_outcomes))
        yield from _read("subject_tag", self._tags.findings())
        yield from _read("act", self._held.findings())
        yield from _read("application", self._filings.findings())
        gone = EntryKind.DELEGATION in self._erased_kinds
        yield from _read("delegation", self._delegated.findings(erased=gone))
        yield from _read("need", self._needs.findings(erased=self.erased))
        yield from _read("delivery", self._deliveries.findings(erased=bool(SAID & self._erased_kinds)))
        yield from _read("retained", self._disposals.retained())
        yield from _read("disposal", self._disposals.orders())
        erased_said = bool(SAID_OF_CORRECTIONS & self._erased_kinds)
        yield from _read("correction", self._corrected.findings(erased=erased_said))

    def _file(self) -> Iterator[Finding]:
        for said in self._snapshot.file_damage():
            yield Finding("", "", "", f"SQLite 文件损坏：{said}", f"the SQLite file is damaged: {said}")

    def _sizes(self) -> Iterator[Finding]:
        """Head, leaves and tiles each say how many leaves there are; two of the three are believed."""
        heads = [row["size"] for row in self._snapshot.rows("head")]
        head = heads[0] if heads and isinstance(heads[0], int) else -1
        last, length = self._snapshot.last_tile(0)
        in_tiles = last * TILE_WIDTH + length // HASH_SIZE
        self.size = sorted((head, self._snapshot.leaf_count(), in_tiles))[1]
        if head != self.size:
            yield Finding("head", HEAD, "size", "不是存证的条数", "is not the number of leaves")

    def _leaves(self) -> Iterator[Finding]:
        signed = None
        try:
            signed = self._remembered()
        except VerificationFailed as error:
            zh, _, en = str(error).partition(" / ")
            yield _of_signer(f"签名进程的记忆不可信：{zh}", f"the signer's memory cannot be trusted: {en}")
        cosigned = CosignedCheck(self._snapshot, self._keys)
        sizes = [*([signed.size] if signed else []), *cosigned.sizes]
        check = LeafCheck(self._snapshot, self.size, sizes, self._heard, self._progress)
        yield from check.findings()
        self.root, self.erased, self._claims = check.rebuilt.root(), check.erased, check.claims
        self._erased_kinds = check.erased_kinds
        for index in self._snapshot.leaves_outside(self.size):
            yield Finding("leaf", leaf_name(index), "", "序号超出日志", "is outside the log")
        for index in self._snapshot.orphans():
            yield Finding("statement", leaf_name(index), "", "没有对应的存证", "has no leaf")
        yield from self._beginning()
        yield from self._end(check.newest)
        if signed:
            yield from self._against(signed, check.rebuilt.roots)
        yield from cosigned.findings(self.size, check.rebuilt.roots)

    def _remembered(self) -> Checkpoint | None:
        return self._keys.recognised(self._memory) if self._memory else None

    def _heard(self, index: int, said: Indexed) -> Iterator[Finding]:
        if index == 0:
            self._genesis = said
        if said.kind is EntryKind.LOG_KEY:
            self._successions[index] = str(said.content.get("succession"))
        self._acts.heard(said)
        self._publications.heard(said)
        self._streams.heard(index, said)
        self._tags.heard(index, said)
        self._needs.heard(index, said)
        self._deliveries.heard(index, said)
        self._disposals.heard(index, said)
        self._corrected.heard(index, said)
        yield from self._held.heard(index, said)
        yield from self._filings.heard(index, said)
        yield from self._delegated.heard(index, said)

    def _beginning(self) -> Iterator[Finding]:
        said, keys = self._genesis.content if self._genesis else {}, self._keys
        try:
            keys = keys.extended(self._successions.values())
            wrong = [one.leaf_index for one in keys.successions] != [*self._successions]
        except VerificationFailed:
            wrong = True
        if wrong:
            zh, en = "日志密钥的更替不连贯，或与所信任的公钥无关", "make no chain with the trusted key"
            yield Finding("leaf", leaf_name("…".join(map(str, self._successions))), "", zh, en)
        yield from self._named()
        if self.size and (said.get("origin"), said.get("verifier_key")) != (keys.name, str(keys.first)):
            zh, en = "不是此日志公钥的创始陈述", "is not the genesis statement of this log's key"
            yield Finding("statement", leaf_name(0), "content", zh, en)

    def _named(self) -> Iterator[Finding]:
        last = max(self._successions, default=0)
        for row in self._snapshot.rows("head"):
            if row["log_key"] != last:
                zh, en = "不是最后一条密钥更替的存证", "is not the last succession of the log's key"
                yield Finding("head", HEAD, "log_key", zh, en)

    def _end(self, newest: int) -> Iterator[Finding]:
        for row in self._snapshot.rows("head"):
            time = row["recorded_at"]
            if newest and not (isinstance(time, int) and abs(time - newest) <= ORDER_TOLERANCE):
                zh, en = "不是最后一条存证的时间", "is not the time of the last leaf"
                yield Finding("head", HEAD, "recorded_at", zh, en)

    def _against(self, signed: Checkpoint, roots: Mapping[int, bytes]) -> Iterator[Finding]:
        self.signed = signed.size
        if signed.size > self.size:
            yield _of_signer(
                f"已签名 {signed.size} 条存证，数据库只有 {self.size} 条：可能是从备份恢复的",
                f"{signed.size} leaves were signed, the database has {self.size}: perhaps a restored backup",
            )
        elif roots[signed.size] != signed.root:
            yield _of_signer(
                f"前 {signed.size} 条存证的树根与已签名的日志头不符",
                f"the root over the first {signed.size} leaves is not the one that was signed",
            )

    def _strange_tiles(self) -> Iterator[Finding]:
        for level, index in self._snapshot.tile_keys():
            if level < 0 or not 0 <= index < tile_count(self.size, level):
                yield Finding("tile", tile_name(level, index), "", "序号超出日志", "is outside the log")

    def _requests(self) -> Iterator[Finding]:
        self.requests = self._snapshot.count("request")
        if self.requests == self._claims:
            return  # each of them has been seen beside its leaf
        for done, row in enumerate(self._snapshot.requests(), 1):
            for column in _wrong_in_request(row):
                name = row_name({"request_id": row["request_id"], "consumer_uri": row["consumer_uri"]})
                zh, en = "与其所指的存证不一致", "contradicts the leaf that it points to"
                yield Finding("request", name, column, zh, en)
            if done % BATCH_ROWS == 0 or done == self.requests:
                self._progress("request", done, self.requests)

    def _quotas(self) -> Iterator[Finding]:
        for row in self._snapshot.rows("quota"):
            if not isinstance(row["used"], int) or row["used"] < 0:
                name = row_name({"counter": row["counter"]})
                yield Finding("quota", name, "used", "不是自然数", "is no natural number")


def _read(table: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings; what keeps a table from being read is one of them."""
    try:
        yield from findings
    except SetUpError as error:
        yield Finding(table, "", "", f"无法读完：{error.zh}", f"cannot be read to its end: {error.en}")


def _wrong_in_request(row: Row) -> Iterator[str]:
    """Columns of a used request id that its leaf contradicts. An unsound statement, which is a finding of its
    own, contradicts nothing."""
    entry, content = row["log_entry"], row["content"]
    if entry is None:
        yield "leaf_index"
    elif content is None:
        yield from (name for name in ("consumer_uri", "verdict") if row[name] != row[f"leaf_{name}"])
    elif isinstance(content, bytes) and leaf_entry(content) == entry and (said := indexed(content)):
        if not said.claims:
            yield "leaf_index"
        yield from wrong_in_claim(row, said)


def _of_signer(zh: str, en: str) -> Finding:
    return Finding("", "", "", zh, en)
