"""A stream as both clients read it: whole and attested, or an error."""

import asyncio

import grpc
import pyarrow as pa
import pytest

from broker.client import AsyncClient, Client
from broker.errors import Unavailable, VerificationFailed
from broker.model import Verdict
from broker.v1 import exchange_pb2

LIES = {
    "nothing at all": lambda parts: [],
    "no opening": lambda parts: parts[1:],
    "only the opening": lambda parts: parts[:1],
    "a chunk lost": lambda parts: parts[:2] + parts[3:],
    "chunks swapped": lambda parts: [parts[0], parts[2], parts[1], *parts[3:]],
    "no outcome": lambda parts: parts[:-1],
    "outcome too early": lambda parts: parts[:2] + parts[-1:],
    "second opening": lambda parts: [*parts[:2], parts[0], *parts[2:]],
    "empty part": lambda parts: [*parts[:2], exchange_pb2.StreamExchangeResponse(), *parts[2:]],
}


def test_decision_first_then_batches_then_outcome(script, steps, credentials, terms):
    """The decision is there before any batch, the outcome after the last one."""
    broker = script(steps.permit_stream)
    with Client(broker.address, credentials) as client, client.stream(**terms) as stream:
        assert stream.permitted
        assert stream.request_id == broker.requests[0].request_id
        assert list(stream.masks) == steps.batch.schema.names
        assert stream.outcome is None
        assert list(stream) == [steps.batch] * 3
        assert stream.outcome_receipt.leaf_index == 7
        assert list(stream) == []


def test_async_batches_are_the_same(script, steps, credentials, terms):
    """``async for`` gives what ``for`` gives."""
    broker = script(steps.permit_stream)

    async def main():
        async with AsyncClient(broker.address, credentials) as client:
            stream = await client.stream(**terms)
            assert stream.outcome is None
            batches = [batch async for batch in stream]
            assert stream.outcome_receipt.leaf_index == 7
            return batches

    assert asyncio.run(main()) == [steps.batch] * 3


def test_refused_stream_has_reasons_and_no_rows(script, steps, caller, terms):
    """A refusal is a decision, and its table has neither rows nor columns."""
    broker = script(steps.deny_stream)
    stream, table = caller.stream(broker.address, **terms)
    assert stream.verdict is Verdict.DENY
    assert [reason.code for reason in stream.reasons] == ["X"]
    assert table == pa.table({})


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_stream_that_is_not_whole_is_refused(script, steps, caller, terms, lie):
    """Whatever is missing, doubled or out of place, there is no table."""
    broker = script(lambda request, context: lie(steps.permit_stream(request, context)))
    with pytest.raises(VerificationFailed):
        caller.stream(broker.address, **terms)


def endless(steps):
    """A step: stream for ever."""

    def step(request, context):
        opening, *_ = steps.permit_stream(request, context)
        yield opening
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, steps.batch.schema) as writer:
            writer.write_batch(steps.batch)
        stream, start = sink.getvalue().to_pybytes()[:-8], steps.batch.schema.serialize().size
        yield exchange_pb2.StreamExchangeResponse(chunk=stream)
        while context.is_active():
            yield exchange_pb2.StreamExchangeResponse(chunk=stream[start:])

    return step


def test_cancelled_stream_is_incomplete(script, steps, credentials, terms):
    """Who cancels gets no more batches, and is told that what came is not all."""
    broker = script(endless(steps))
    with Client(broker.address, credentials) as client:
        stream = client.stream(**terms)
        batches = iter(stream)
        assert next(batches) == steps.batch
        stream.cancel()
        with pytest.raises(VerificationFailed, match="incomplete"):
            list(batches)

    async def main():
        async with AsyncClient(broker.address, credentials) as client:
            stream = await client.stream(**terms)
            batches = aiter(stream)
            assert await anext(batches) == steps.batch
            stream.cancel()
            with pytest.raises(VerificationFailed, match="incomplete"):
                async for _ in batches:
                    pass

    asyncio.run(main())


def test_cancelled_task_stays_cancelled(script, steps, credentials, terms):
    """Cancelling the task that reads is the loop's affair: the stream does not turn it into an error."""
    broker = script(endless(steps))

    async def main():
        async with AsyncClient(broker.address, credentials) as client, await client.stream(**terms) as stream:
            async with asyncio.timeout(0.2):
                async for _ in stream:
                    await asyncio.sleep(0)

    with pytest.raises(TimeoutError):
        asyncio.run(main())


def test_broken_stream_says_so(script, steps, credentials, terms):
    """Batches that came before the break were handed over; the break is an error all the same."""

    def break_off(request, context):
        parts = steps.permit_stream(request, context)
        yield from parts[: len(parts) // 2]
        steps.fail(grpc.StatusCode.UNAVAILABLE)(request, context)

    broker = script(break_off)
    with Client(broker.address, credentials) as client, client.stream(**terms) as stream:
        batches = iter(stream)
        assert next(batches) == steps.batch
        with pytest.raises(Unavailable) as broken:
            list(batches)
        assert broken.value.request_id == stream.request_id
        assert stream.outcome is None
