"""Clients that make a given number of exchanges, as a process of their own: ``python -m soak.crowd JOB``.

It says on standard output, a JSON line a second, how many are done, and at the end everything that it counted
and a random sample of the receipts it was given. It stops early when its standard input ends.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import grpc

from broker.client import Credentials
from broker.v1 import exchange_pb2 as pb
from soak import asks
from soak.clients import AGAIN, PAUSE_SECONDS
from soak.ledger import ANSWER_SECONDS, STREAM, UNARY, channel_to

REPEATED = 0.01
"""Share of the answered calls that are made once more, under the same request id."""
STREAM_PAUSE_SECONDS = 1.0
SAY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """``exchanges`` first answers are wanted, of ``callers`` threads; one more streams if ``streams``."""

    address: str
    stream_address: str
    identities: dict[str, str]
    """Department → folder of its certificate."""
    data: str
    exchanges: int
    callers: int
    streams: bool
    sample: int
    """Receipts to keep."""
    seed: str


@dataclass
class Tally:
    """What was answered. Every count but the last two is one of leaves."""

    permits: int = 0
    refusals: int = 0
    redelivered: int = 0
    decisions: int = 0
    """Streams begun."""
    outcomes: int = 0
    """Streams received whole."""
    wrong: int = 0
    """Answers that should have been others: a permit for a refusal, or another leaf at a retry."""
    pushed_back: int = 0
    """Attempts that the broker had no room for."""

    @property
    def leaves(self) -> int:
        return self.permits + self.refusals + self.redelivered + self.decisions + self.outcomes


class Crowd:
    """The callers of one process and what they count together."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._residents = asks.residents(Path(job.data))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._begun = self.done = 0
        self.tally = Tally()
        self.failures: Counter[str] = Counter()
        self.sample: list[bytes] = []
        self._chance = Random(f"{job.seed} sample")
        self._seen = 0

    def run(self) -> None:
        """All exchanges, or as many as there are until standard input ends."""
        threading.Thread(target=self._await_end_of_input, daemon=True).start()
        callers = [threading.Thread(target=self._call, args=(n,)) for n in range(self._job.callers)]
        streaming = [threading.Thread(target=self._stream)] if self._job.streams else []
        for thread in (*callers, *streaming):
            thread.start()
        for thread in callers:
            while thread.is_alive():
                thread.join(SAY_SECONDS)
                print(json.dumps({"done": self.done}), flush=True)
        self._stop.set()
        for thread in streaming:
            thread.join()
        sample = [base64.b64encode(one).decode() for one in self.sample]
        about = {"tally": asdict(self.tally), "failures": self.failures, "sample": sample}
        print(json.dumps({"done": self.done} | about), flush=True)

    def _await_end_of_input(self) -> None:
        while os.read(0, 4096):
            pass
        self._stop.set()

    def _call(self, number: int) -> None:
        chance = Random(f"{self._job.seed} {number}")
        department = asks.POLICE if number % 4 == 3 else asks.FUND
        with channel_to(self._job.address, Credentials.load(self._job.identities[department])) as channel:
            method = channel.unary_unary(UNARY, None, pb.ExchangeResponse.FromString)
            while self._take():
                ask = asks.of(department, chance)
                request = asks.unary(ask, chance.choice(self._residents))
                first = self._until_answered(method, request)
                if first is None:
                    continue
                self._count(ask, first)
                if chance.random() < REPEATED and ask.permitted:
                    self._count_again(first, self._until_answered(method, request))

    def _take(self) -> bool:
        with self._lock:
            if self._stop.is_set() or self._begun == self._job.exchanges:
                return False
            self._begun += 1
            return True

    def _until_answered(
        self, method: grpc.UnaryUnaryMultiCallable, request: bytes
    ) -> pb.ExchangeResponse | None:
        while True:
            try:
                response: pb.ExchangeResponse = method(request, timeout=ANSWER_SECONDS)
                return response
            except grpc.RpcError as failure:
                name = str(failure.code().name)
            with self._lock:
                if name == "RESOURCE_EXHAUSTED":
                    self.tally.pushed_back += 1
                else:
                    self.failures[name] += 1
            if name not in AGAIN or (name != "RESOURCE_EXHAUSTED" and self._stop.is_set()):
                return None
            time.sleep(PAUSE_SECONDS)

    def _count(self, ask: asks.Ask, answer: pb.ExchangeResponse) -> None:
        permitted = answer.HasField("answer")
        with self._lock:
            self.done += 1
            self.tally.permits += permitted
            self.tally.refusals += not permitted
            self.tally.redelivered += answer.redelivered  # after a failure that nobody heard of otherwise
            self.tally.wrong += permitted != ask.permitted
            self._keep(answer.receipt)

    def _count_again(self, first: pb.ExchangeResponse, again: pb.ExchangeResponse | None) -> None:
        if again is not None:
            same = again.receipt.leaf_index == first.receipt.leaf_index
            with self._lock:
                self.tally.redelivered += again.redelivered
                self.tally.wrong += not (
                    same and again.redelivered and again.answer.digest == first.answer.digest
                )

    def _keep(self, receipt: pb.Receipt) -> None:
        """Reservoir sampling: each receipt is kept with the same probability, however many will come."""
        self._seen += 1
        if len(self.sample) < self._job.sample:
            self.sample.append(receipt.SerializeToString())
        elif (place := self._chance.randrange(self._seen)) < self._job.sample:
            self.sample[place] = receipt.SerializeToString()

    def _stream(self) -> None:
        credentials = Credentials.load(self._job.identities[asks.INSURANCE])
        with channel_to(self._job.stream_address, credentials) as channel:
            method = channel.unary_stream(STREAM, None, pb.StreamExchangeResponse.FromString)
            while not self._stop.is_set():
                try:
                    for part in method(asks.stream(), timeout=ANSWER_SECONDS):
                        self._count_part(part)
                except grpc.RpcError as failure:
                    with self._lock:
                        self.failures[f"{failure.code().name} (stream)"] += 1
                self._stop.wait(STREAM_PAUSE_SECONDS)

    def _count_part(self, part: pb.StreamExchangeResponse) -> None:
        with self._lock:
            if part.HasField("opening"):
                self.tally.decisions += 1
                self._keep(part.opening.receipt)
            elif part.HasField("outcome"):
                self.tally.outcomes += 1
                self._keep(part.outcome.receipt)


if __name__ == "__main__":
    Crowd(Job(**json.loads(sys.argv[1]))).run()
