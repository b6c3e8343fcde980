"""What the Kafka producer does when its connection can send no more: shown on a stand-in for aiokafka's."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)

from shared.bus.kafka.producer import Producer
from shared.clock import SystemClock
from shared.errors import BusUnavailable
from shared.events.envelope import Record
from tests.support.buses import OUTAGE_PATIENCE
from tests.support.waiting import until


class Batch(list[bytes]):
    def append(self, *, key: bytes, value: bytes, timestamp: int, headers: list[Any]) -> object:  # type: ignore[override]
        super().append(value)
        return object()


class Connection:
    """An AIOKafkaProducer of one topic with two partitions; `answers` says how each batch ends, then all are stored."""

    def __init__(self, answers: list[Exception | None], cannot_start: bool = False) -> None:
        self.answers = answers
        self.cannot_start = cannot_start
        self.stored: list[bytes] = []
        self.closed = False
        self.held: asyncio.Event | None = None
        self.client = SimpleNamespace(cluster=SimpleNamespace(partitions_for_topic=lambda topic: {0, 1}))

    async def start(self) -> None:
        if self.cannot_start:
            raise KafkaConnectionError("no broker")

    async def stop(self) -> None:
        self.closed = True

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> "asyncio.Future[object]":
        return asyncio.ensure_future(self._deliver(batch))

    async def _deliver(self, batch: Batch) -> object:
        if self.held is not None:
            await self.held.wait()
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.stored += batch
        return object()


async def publish(producer: Producer, *values: bytes) -> None:
    await producer.publish([Record("topic", b"key", value) for value in values])


@pytest.mark.parametrize(
    "fatal", [UnknownProducerId(), OutOfOrderSequenceNumber(), ProducerFenced(), KafkaError("Unexpected error")]
)
async def test_a_producer_that_can_send_no_more_is_replaced(fatal: Exception) -> None:
    connections = [Connection([fatal]), Connection([])]
    waiting = iter(connections)
    producer = Producer(lambda: next(waiting), SystemClock(), OUTAGE_PATIENCE)
    await producer.start()
    with pytest.raises(BusUnavailable):
        await publish(producer, b"refused")
    await publish(producer, b"accepted")
    assert [connection.stored for connection in connections] == [[], [b"accepted"]]
    assert connections[0].closed
    await producer.stop()
    assert connections[1].closed


async def test_it_is_tried_again_with_the_next_record_when_no_new_connection_can_be_had() -> None:
    connections = [Connection([ProducerFenced()]), Connection([], cannot_start=True), Connection([])]
    waiting = iter(connections)
    producer = Producer(lambda: next(waiting), SystemClock(), OUTAGE_PATIENCE)
    await producer.start()
    for _ in range(2):
        with pytest.raises(BusUnavailable):
            await publish(producer, b"refused")
    await publish(producer, b"accepted")
    assert connections[2].stored == [b"accepted"]
    await producer.stop()


async def test_what_waits_goes_out_as_one_batch_and_in_order() -> None:
    connection = Connection([])
    connection.held = asyncio.Event()
    producer = Producer(lambda: connection, SystemClock(), OUTAGE_PATIENCE)
    await producer.start()
    first = asyncio.create_task(publish(producer, b"0"))
    await until(lambda: producer._under_way)
    rest = [asyncio.create_task(publish(producer, b"%d" % n)) for n in range(1, 10)]
    gone = rest.pop(4)
    await asyncio.sleep(0)
    gone.cancel()
    connection.held.set()
    await asyncio.gather(first, *rest)
    assert connection.stored == [b"%d" % n for n in range(10) if n != 5]
    await producer.stop()


async def test_a_silent_broker_is_given_up_and_then_refused_at_once() -> None:
    connection = Connection([])
    connection.held = asyncio.Event()
    producer = Producer(lambda: connection, SystemClock(), OUTAGE_PATIENCE / 10)
    await producer.start()
    with pytest.raises(BusUnavailable):
        await publish(producer, b"waited for in vain")
    await asyncio.sleep(0.02)
    with pytest.raises(BusUnavailable, match="has not answered"):
        await publish(producer, b"refused at once")
    connection.held.set()
    await until(lambda: connection.stored)
    await publish(producer, b"accepted")
    assert connection.stored == [b"waited for in vain", b"accepted"]
    await producer.stop()
