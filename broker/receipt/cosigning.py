"""Keeps witnesses informed: shows them each new log head, and publishes it once enough have cosigned.

Nobody who waits for a receipt waits for this. Several processes may do it at once: what is published only
ever grows (compare and set on the size), and a witness gives its cosignature again to whoever asks.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

import structlog

from broker.errors import BrokerError, VerificationFailed
from broker.http.client import NoAnswer
from broker.journal import Cosigned
from broker.receipt.note import Checkpoint, claimed_checkpoint
from broker.receipt.witnesses import Cosignature, WitnessPolicy
from broker.receipt.witnessing import Ahead, Refused, Witness
from broker.rounds import Rounds

log = structlog.get_logger("sharebroker.witnesses")

LOOK_SECONDS = 1.0
"""How often a new head is looked for, on average: processes that all do it shall not do it at once."""

PATIENCE_SECONDS = 5.0
"""Longest wait for one head's cosignatures. Who answers later has it ready when asked again."""

AHEAD_SECONDS = 60.0
"""How long a witness may have seen a larger log than we know before that is told."""

OTHER_HISTORY = 422


class Shelf(Protocol):
    """Where the newest cosigned checkpoint stands."""

    def cosigned(self) -> Cosigned | None:
        """What was published last."""
        ...

    def publish_cosigned(self, cosigned: Cosigned, instead_of: str = "") -> bool:
        """Puts it in the place of a smaller one, or of the one with the note ``instead_of``; False when
        neither is there, but another one."""
        ...


class SignedLog(Protocol):
    """What witnesses are shown of a log (:class:`broker.receipt.log.ReceiptLog`)."""

    def checkpoint(self) -> str:
        """The newest signed head."""
        ...

    def consistency_proof(self, first: int, second: int) -> tuple[bytes, ...]:
        """RFC 6962 §2.1.2."""
        ...


def require_cosigned(shown: Cosigned, policy: WitnessPolicy, origin: str) -> None:
    """That what stands on the shelf is what it should be: whoever can write to the database can put anything
    there, and settings may name other witnesses than they did.

    Raises:
        VerificationFailed: enough witnesses have not cosigned it, or it is of another log or size.
    """
    policy.require(shown.note)
    head = claimed_checkpoint(shown.note)
    if (head.origin, head.size) != (origin, shown.size):
        raise VerificationFailed("日志头不符 / cosigned: of another log, or of another size")


@dataclass(slots=True)
class _Asked:
    """One witness, and how it last answered."""

    witness: Witness
    answer: Future[Cosignature] | None = None
    trouble: str = ""
    ahead: float = 0.0
    """Since when it has always answered that it saw a larger log, by the monotonic clock; 0: it has not."""

    @property
    def busy(self) -> bool:
        return self.answer is not None and not self.answer.done()


class Cosigning:
    """Asks the witnesses from a thread of its own, between :meth:`start` and :meth:`stop`."""

    def __init__(
        self, receipts: SignedLog, shelf: Shelf, witnesses: Sequence[Witness], policy: WitnessPolicy
    ) -> None:
        self._receipts = receipts
        self._shelf = shelf
        self._asked = [_Asked(witness) for witness in witnesses]
        self._policy = policy
        self._pool = ThreadPoolExecutor(max(1, len(witnesses)), "witness")
        self._rounds = Rounds("cosigning", self.publish, _pause)

    def start(self) -> None:
        """Ask from now on, if there is anybody to ask."""
        if self._asked:
            self._rounds.start()

    def stop(self) -> None:
        """Ask no more."""
        self._rounds.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)
        for one in self._asked:
            if not one.busy:
                one.witness.close()

    def publish(self) -> bool:
        """Has the newest head cosigned if it is not yet; whether this put a newer one on the shelf.

        Raises:
            Unavailable: database or signer cannot be reached.
        """
        note = self._receipts.checkpoint()
        if not note:
            return False
        head, published = claimed_checkpoint(note), self._shelf.cosigned()
        false = "" if published is None or self._holds(published, head) else published.note
        if published is not None and not false and published.size >= head.size:
            return False
        given = self._cosignatures(note, head)
        if not self._policy.met_by(cosignature.witness for cosignature in given):
            return False
        cosigned = note + "".join(cosignature.line for cosignature in given)
        self._policy.require(cosigned)
        return self._shelf.publish_cosigned(Cosigned(head.size, cosigned), false)

    def _holds(self, published: Cosigned, head: Checkpoint) -> bool:
        """Whether what is published need not be replaced."""
        try:
            require_cosigned(published, self._policy, head.origin)
        except VerificationFailed:
            return False
        return True

    def _cosignatures(self, note: str, head: Checkpoint) -> list[Cosignature]:
        def proof_from(first: int) -> tuple[bytes, ...]:
            return self._receipts.consistency_proof(first, head.size)

        asked = [one for one in self._asked if not one.busy]
        for one in asked:
            one.answer = self._pool.submit(one.witness.cosignature, note, head, proof_from)
        wait([one.answer for one in asked if one.answer], PATIENCE_SECONDS)
        return [cosignature for one in asked if (cosignature := self._answer(one)) is not None]

    def _answer(self, one: _Asked) -> Cosignature | None:
        """What a witness gave, if anything; what is the matter with it is told once."""
        cosignature, trouble, was_ahead = None, "", one.ahead
        one.ahead = 0.0
        try:
            if one.answer is None or not one.answer.done():
                trouble = "no answer yet"
            else:
                cosignature = one.answer.result()
        except Ahead:
            # Another process of ours has shown it a larger head, and publishes that. If that lasts, this log
            # is one that was larger: set back, signer and all, where nothing else could tell.
            one.ahead = was_ahead or time.monotonic()
            if time.monotonic() - one.ahead < AHEAD_SECONDS:
                return None
            trouble = "it has cosigned a larger log than this one: was this one set back?"
        except Refused as refused:
            trouble = str(refused)
            if refused.status == OTHER_HISTORY and one.trouble != trouble:
                log.critical(
                    "witness_saw_another_history",
                    witness=one.witness.key.name,
                    zh="见证人拒绝：它见过的日志与此不同。数据库可能被回退或替换，请立即停用并通知审计部门。",
                    en="A witness refuses: it has seen another history of this log. The database may have "
                    "been set back or replaced; stop, and tell the auditors.",
                )
        except (NoAnswer, VerificationFailed, BrokerError) as error:
            trouble = str(error) or type(error).__name__
        if trouble != one.trouble:
            told = log.warning if trouble else log.info
            told(
                "witness_silent" if trouble else "witness_answers", witness=one.witness.key.name, why=trouble
            )
            one.trouble = trouble
        return cosignature


def _pause() -> float:
    """Not all workers at the same moment."""
    return LOOK_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
