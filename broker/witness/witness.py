"""A witness: compares each head that a log offers with the last one it cosigned, and cosigns what extends it.

``add-checkpoint`` of C2SP tlog-witness, and the retrieval of what was cosigned. Who asks is not asked who he
is: the log's signature speaks for itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker import failpoints
from broker.errors import VerificationFailed
from broker.http.message import BRIEFLY, TEXT, Answer
from broker.receipt.merkle import EMPTY_ROOT, verify_consistency
from broker.receipt.note import Checkpoint, VerifierKey, open_note, parse_checkpoint, read_note
from broker.receipt.witnesses import WitnessKey, cosign
from broker.receipt.witnessing import SIZE_TYPE, AddCheckpoint
from broker.witness.memory import Cosigned, Fork, Heads, WitnessMemory

log = structlog.get_logger("sharebroker.witness")

Examine = Callable[[Checkpoint, str], None]
"""Compares a head that the log has signed, and which was not cosigned, with an own copy of the log. Raises
VerificationFailed when they contradict each other, of which the alarm was given, or the copy is damaged."""


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A log that is witnessed."""

    origin: str
    keys: tuple[VerifierKey, ...]
    """All that it signs under, or has; any of them is enough."""

    def opened(self, note: str) -> str:
        """The checkpoint with those signature lines only that these keys have made.

        Raises:
            VerificationFailed: none of them has, or one that claims to be by one of them does not verify.
        """
        text, signers = open_note(note, self.keys)
        lines = [line.line() for line in read_note(note)[1] if any(line.by(key) for key in signers)]
        return text + "\n" + "".join(lines)


class Witness:
    """Safe for use by several threads; several processes may share the memory.

    Args:
        clock: POSIX seconds.
    """

    def __init__(
        self,
        name: str,
        private_key: Ed25519PrivateKey,
        memory: WitnessMemory,
        logs: Mapping[str, Witnessed],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.key = WitnessKey.of(name, private_key)
        self._private_key = private_key
        self._memory = memory
        self._logs = logs
        self._clock = clock
        self.examine: dict[str, Examine] = {}
        """By origin, of the logs of which an own copy is kept."""
        self._origins = {sha256(origin.encode()).hexdigest(): origin for origin in logs}

    def add_checkpoint(self, body: bytes) -> Answer:
        """The answer to ``POST add-checkpoint``: a cosignature, or the status that says why not.

        Raises:
            OSError: the memory cannot be written; nothing was signed.
        """
        try:
            request = AddCheckpoint.parse(body)
            head = head_of(request.note)
        except VerificationFailed:
            return Answer(HTTPStatus.BAD_REQUEST)
        known = self._logs.get(head.origin)
        if known is None:
            return Answer(HTTPStatus.NOT_FOUND)
        try:
            note = known.opened(request.note)
        except VerificationFailed:
            return Answer(HTTPStatus.FORBIDDEN)
        if request.old_size > head.size:
            return Answer(HTTPStatus.BAD_REQUEST)
        with self._memory.exclusive() as heads:
            answer = self._compared(heads, request, head, note)
            failpoints.hit("before_cosigning")
        failpoints.hit("after_cosigning")
        examine = self.examine.get(head.origin)
        if answer.status is not HTTPStatus.OK and examine is not None:
            try:
                examine(head, note)
            except VerificationFailed as error:
                log.error("examined", origin=head.origin, error=str(error))
        return answer

    def checkpoint(self, origin_hash: str) -> Answer:
        """The answer to ``GET <origin hash>/checkpoint``: what was cosigned last, as a signed note."""
        origin = self._origins.get(origin_hash)
        if origin is not None:
            with self._memory.exclusive() as heads:
                note = heads.cosigned(origin).note
            if note:
                return Answer(HTTPStatus.OK, note.encode(), TEXT, BRIEFLY)
        return Answer(HTTPStatus.NOT_FOUND)

    def record_fork(self, origin: str, one: str, other: str) -> None:
        """Keeps the proof that a log has forked, and says so, loudly. Nothing of it is cosigned any more."""
        fork = Fork(int(self._clock()), one, other)
        with self._memory.exclusive() as heads:
            first = heads.record_fork(origin, fork)
        if first:
            alarm(origin, fork)

    def forks(self) -> dict[str, Fork]:
        """The logs that have forked, with the proof."""
        with self._memory.exclusive() as heads:
            return {origin: fork for origin in self._logs if (fork := heads.fork(origin))}

    def cosigned(self, origin: str) -> Cosigned:
        """What was cosigned last of a log."""
        with self._memory.exclusive() as heads:
            return heads.cosigned(origin)

    def compared(self, origin: str, size: int) -> None:
        """Says that an own copy, which holds the log up to ``size``, has what was cosigned until there."""
        with self._memory.exclusive() as heads:
            last = heads.cosigned(origin)
            if last.uncompared and head_of(last.uncompared).size <= size:
                heads.compared(origin, "" if last.size <= size else last.note)

    def _compared(self, heads: Heads, request: AddCheckpoint, head: Checkpoint, note: str) -> Answer:
        """Within one transaction: compare with the last head, take its place, sign."""
        if heads.fork(head.origin):
            return Answer(HTTPStatus.UNPROCESSABLE_ENTITY)
        last = heads.cosigned(head.origin)
        if request.old_size != last.size:
            return Answer(HTTPStatus.CONFLICT, f"{last.size}\n".encode(), SIZE_TYPE)
        try:
            _require_extension(last, request, head)
        except VerificationFailed as error:
            log.warning("not_cosigned", origin=head.origin, size=head.size, error=str(error))
            self._note_fork(heads, last, head, note)
            return Answer(HTTPStatus.UNPROCESSABLE_ENTITY)
        at = max(int(self._clock()), last.at)
        line = cosign(read_note(note)[0], self.key.name, self._private_key, at)
        cosigned = note + line
        heads.advance(head.origin, Cosigned(head.size, head.root, at, cosigned, last.uncompared or cosigned))
        return Answer(HTTPStatus.OK, line.encode())

    def _note_fork(self, heads: Heads, last: Cosigned, head: Checkpoint, note: str) -> None:
        """Two signed heads of one size with two roots are a proof. A consistency proof that fails is none:
        anybody may send a true head with a false proof."""
        if head.size == last.size > 0 and head.root != last.root:
            fork = Fork(int(self._clock()), last.note, note)
            heads.record_fork(head.origin, fork)
            alarm(head.origin, fork)


def head_of(note: str) -> Checkpoint:
    """The head in a note, with extension lines or without (tlog-checkpoint, Note text); nothing is verified.

    Raises:
        VerificationFailed: it is none.
    """
    lines = read_note(note)[0].removesuffix("\n").split("\n")
    if not all(lines):
        raise VerificationFailed("日志头格式不符 / checkpoint: malformed")
    return parse_checkpoint("\n".join([*lines[:3], ""]))


def alarm(origin: str, fork: Fork) -> None:
    """Says that a log has forked, in the words of who has to act."""
    log.critical(
        "log_forked",
        origin=origin,
        at=fork.at,
        zh=f"警报：日志 {origin} 已分叉，同一密钥签署了两种互相矛盾的历史。已停止为其签名；请保存见证目录，"
        "运行 sharebroker witness status 查看两份日志头，立即通知审计部门。",
        en=f"ALARM: log {origin} has forked: its key has signed two histories that contradict each other. "
        "Nothing of it is cosigned any more. Keep this folder, see both heads with `sharebroker witness "
        "status`, and tell the auditors now.",
    )


def _require_extension(last: Cosigned, request: AddCheckpoint, head: Checkpoint) -> None:
    """That the tree under ``head`` has grown from the last one (tlog-witness, add-checkpoint).

    Raises:
        VerificationFailed: it is not shown to have.
    """
    if head.size == 0 and head.root != EMPTY_ROOT:
        raise VerificationFailed("空日志的树根不符 / checkpoint: not the root of an empty log")
    if last.size:
        verify_consistency(last.size, head.size, last.root, head.root, request.proof)
    elif request.proof:
        raise VerificationFailed("一致性证明：过长 / consistency proof: too long")
