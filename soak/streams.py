"""The judgement of streams: what the log says of each attempt, held against the parts that a client got."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from broker.model import EntryKind
from broker.reasons import Reason
from broker.transmit.digest import answer_digest
from broker.v1 import exchange_pb2 as pb
from soak.facts import Fact, Fault, Wrong

BY_OTHERS = (Reason.LEASE_EXPIRED, Reason.TAKEN_OVER)
"""Why a stream has an outcome that its own process did not record."""


@dataclass(frozen=True, slots=True)
class Said:
    """One leaf of a stream."""

    place: int
    fact: Fact


class Streams:
    """Every attempt at a stream that the log tells of. Told of the leaves in order."""

    def __init__(self) -> None:
        self.tally: Counter[str] = Counter()
        """How many outcomes there are of each kind, and how those of broken streams were judged."""
        self._leaves: list[Fact] = []
        self._openings: dict[int, Fact] = {}
        self._outcomes: dict[int, list[Said]] = defaultdict(list)
        """Opening leaf → what was said of its end."""

    @property
    def decisions(self) -> int:
        """Streams decided for the first time, each of which is charged."""
        return sum(fact.kind == EntryKind.STREAM_DECISION for fact in self._openings.values())

    def read(self, place: int, fact: Fact) -> None:
        """The next leaf."""
        self._leaves.append(fact)
        if fact.opens:
            self._openings[place] = fact
        elif fact.kind == EntryKind.STREAM_OUTCOME:
            self._outcomes[fact.decision_leaf].append(Said(place, fact))
            self.tally[_ending(fact)] += 1

    # ── the log alone ────────────────────────────────────────────────────────────────────────────

    def closed(self) -> Iterator[Fault]:
        """To be asked when no stream is under way: each has one outcome, and the attempts under one request
        id are in step."""
        for opening in self._openings:
            if not self._outcomes[opening]:
                yield Fault(Wrong.UNCLOSED, f"stream of leaf {opening}")
        for opening in self._outcomes.keys() - self._openings.keys():
            yield Fault(Wrong.DAMAGED, f"outcome of leaf {opening}, which opens no stream")
        for opening, outcomes in self._outcomes.items():
            if len(outcomes) > 1:
                yield Fault(Wrong.REPEATED, f"stream of leaf {opening}")
            yield from (fault for said in outcomes for fault in self._outcome(said))
        attempts: dict[str, list[int]] = defaultdict(list)
        for opening, fact in self._openings.items():
            attempts[fact.request_id].append(opening)
        for openings in attempts.values():
            yield from self._attempts(openings)

    def _outcome(self, said: Said) -> Iterator[Fault]:
        """Whoever did not record its own has said until when it knows; who was taken over, was so by the
        leaf that follows."""
        fact, where = said.fact, f"outcome in leaf {said.place}"
        by_others = any(reason in BY_OTHERS for reason in fact.reasons)
        if by_others != bool(fact.known_until) or (by_others and not fact.interrupted):
            yield Fault(Wrong.DAMAGED, where)
        if Reason.TAKEN_OVER in fact.reasons:
            following = self._openings.get(said.place + 1, Fact(""))
            if (following.kind, following.request_id) != (EntryKind.REDELIVERED, fact.request_id):
                yield Fault(Wrong.INTERRUPTED, where)

    def _attempts(self, openings: Sequence[int]) -> Iterator[Fault]:
        """Under one request id: one decision; each later attempt after the end of the one before, pointing to
        what then was the answer; every complete one with the same bytes."""
        decision, ended = openings[0], [-1]
        answer: Said | None = None
        for opening in openings:
            fact, where = self._openings[opening], f"stream of leaf {opening}"
            first = opening == decision
            in_step = bool(ended) and max(ended) < opening
            if first != (fact.kind == EntryKind.STREAM_DECISION) or not in_step:
                yield Fault(Wrong.REPEATED, where)
            if fact.of != (-1 if first else answer.place if answer else decision):
                yield Fault(Wrong.REPEATED, where)
            ended = [said.place for said in self._outcomes[opening]]
            for said in self._outcomes[opening]:
                if said.fact.interrupted:
                    continue
                same = answer is None or said.fact.digest == answer.fact.digest
                if not same or said.fact.of != (answer.place if answer else -1):
                    yield Fault(Wrong.REPEATED, where)
                answer = answer or said

    # ── what a client got ────────────────────────────────────────────────────────────────────────

    def received(self, pieces: Sequence[pb.StreamExchangeResponse]) -> Iterator[Fault]:
        """The opening is in the log whatever came after it. A stream that came whole has its one complete
        outcome. What any outcome says was handed over is what came, as far as it came."""
        opening, *rest = pieces
        leaf = opening.opening.receipt.leaf_index
        where = f"stream of leaf {leaf}"
        if leaf not in self._openings:
            yield Fault(Wrong.UNRECEIPTED, where)
        outcomes = self._outcomes.get(leaf, [])
        chunks = [piece.chunk for piece in rest if piece.HasField("chunk")]
        if rest and rest[-1].HasField("outcome"):
            yield from self._whole(rest[-1].outcome, outcomes, where)
        for said in outcomes:
            yield from self._handed_over(said.fact, opening.opening.nonce, chunks, where)

    def ended_by_others(self, pieces: Sequence[pb.StreamExchangeResponse]) -> bool:
        """Whether the stream lost its lease, for which its call is aborted."""
        outcomes = self._outcomes.get(pieces[0].opening.receipt.leaf_index, []) if pieces else []
        return any(said.fact.known_until for said in outcomes)

    def _whole(self, told: pb.StreamOutcome, outcomes: Sequence[Said], where: str) -> Iterator[Fault]:
        if told.receipt.leaf_index not in {said.place for said in outcomes}:
            yield Fault(Wrong.UNRECEIPTED, where)
        if any(said.fact.interrupted for said in outcomes):
            yield Fault(Wrong.INTERRUPTED, where)
        elif len(outcomes) != 1 or told.redelivered != (outcomes[0].fact.of != -1):
            yield Fault(Wrong.REPEATED, where)

    def _handed_over(
        self, outcome: Fact, nonce: bytes, chunks: Sequence[bytes], where: str
    ) -> Iterator[Fault]:
        """Who records its own outcome knows of every chunk. What another recorded may lack the last ones."""
        if outcome.chunks < len(chunks) and not outcome.known_until:
            yield Fault(Wrong.UNRECEIPTED, where)
        if outcome.chunks > len(chunks):
            self.tally["broken streams, of which more was sent than came"] += 1
            return
        if outcome.interrupted:
            self.tally["broken streams whose digest was compared"] += 1
        if answer_digest(nonce, b"".join(chunks[: outcome.chunks])).hex() != outcome.digest:
            yield Fault(Wrong.UNRECEIPTED, where)


def _ending(fact: Fact) -> str:
    if not fact.interrupted:
        return "outcomes: complete" if fact.of == -1 else "outcomes: complete again"
    if fact.known_until:
        return f"outcomes: {', '.join(fact.reasons)}"
    return "outcomes: interrupted, by its own process"
