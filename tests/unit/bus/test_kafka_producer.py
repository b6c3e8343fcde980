"""What the Kafka producer does when its connection can send no more: shown on a stand-in for aiokafka's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)

from shared.bus.base import partition_of
from shared.bus.kafka.producer import Producer
from shared.clock import SystemClock
from shared.errors import BusUnavailable
from shared.events.envelope import Record
from tests.support.waiting import until

PATIENCE = timedelta(milliseconds=100)
KEYS = [b"key-%d" % number for number in range(100)]


class Batch:
    """aiokafka's BatchBuilder, as far as it is asked."""

    def __init__(self) -> None:
        self.values: list[bytes] = []

    def append(self, *, value: bytes, **_: Any) -> object:
        self.values.append(value)
        return object()


class Connection:
    """An AIOKafkaProducer of one topic: `answers` say how the first batches end, all others are stored."""

    def __init__(self, *answers: Exception, cannot_start: bool = False) -> None:
        self._answers = list(answers)
        self._cannot_start = cannot_start
        self._deliveries: list[asyncio.Task[object]] = []
        self.speaks = asyncio.Event()
        self.speaks.set()
        self.stored: list[bytes] = []
        self.closed = False
        self.batches = 0
        self.client = SimpleNamespace(cluster=SimpleNamespace(partitions_for_topic=lambda topic: {0, 1}))

    async def start(self) -> None:
        if self._cannot_start:
            raise KafkaConnectionError("no broker")

    async def stop(self) -> None:
        await asyncio.gather(*self._deliveries, return_exceptions=True)
        self.closed = True

    def create_batch(self) -> "Batch":
        return Batch()

    async def send_batch(self, batch: "Batch", topic: str, *, partition: int) -> "asyncio.Future[object]":
        self.batches += 1
        arrival: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._deliveries.append(asyncio.create_task(self._deliver(batch.values, arrival)))
        return arrival

    async def _deliver(self, values: list[bytes], arrival: "asyncio.Future[object]") -> None:
        await self.speaks.wait()
        answer = self._answers.pop(0) if self._answers else None
        if answer is None:
            self.stored += values
        if arrival.done():
            return
        if answer is None:
            arrival.set_result(None)
        else:
            arrival.set_exception(answer)


@pytest_asyncio.fixture
async def start() -> AsyncIterator[Callable[..., Any]]:
    """Starts a producer that gets one of these connections after the other."""
    started: list[Producer] = []

    async def start_with(*connections: Connection) -> Producer:
        waiting = iter(connections)
        producer = Producer(lambda: next(waiting), SystemClock(), PATIENCE)
        await producer.start()
        started.append(producer)
        return producer

    yield start_with
    for producer in started:
        await producer.stop()


async def publish(producer: Producer, *values: bytes) -> None:
    await producer.publish([Record("topic", b"key", value) for value in values])


@pytest.mark.parametrize(
    "fatal", [UnknownProducerId(), OutOfOrderSequenceNumber(), ProducerFenced(), KafkaError("Unexpected error")]
)
async def test_a_producer_that_can_send_no_more_is_replaced(start: Any, fatal: Exception) -> None:
    old, new = Connection(fatal), Connection()
    producer = await start(old, new)
    with pytest.raises(BusUnavailable):
        await publish(producer, b"refused")
    await publish(producer, b"accepted")
    assert (old.stored, new.stored) == ([], [b"accepted"])
    await until(lambda: old.closed)


async def test_many_publishers_replace_it_once(start: Any) -> None:
    old, new = Connection(*(ProducerFenced() for _ in range(10))), Connection()
    producer = await start(old, new)
    ends = await asyncio.gather(*(publish(producer, b"refused") for _ in range(10)), return_exceptions=True)
    assert {type(end) for end in ends} == {BusUnavailable}
    await asyncio.gather(*(publish(producer, b"%d" % n) for n in range(10)))
    assert sorted(new.stored) == [b"%d" % n for n in range(10)]


async def test_a_connection_that_cannot_be_made_is_tried_again_with_the_next_record(start: Any) -> None:
    last = Connection()
    producer = await start(Connection(ProducerFenced()), Connection(cannot_start=True), last)
    for _ in range(2):
        with pytest.raises(BusUnavailable):
            await publish(producer, b"refused")
    await publish(producer, b"accepted")
    assert last.stored == [b"accepted"]


async def test_one_refused_record_of_several_refuses_the_publish(start: Any) -> None:
    connection = Connection(TimeoutError())
    producer = await start(connection)
    one, other = (next(key for key in KEYS if partition_of(key, 2) == number) for number in (0, 1))
    with pytest.raises(BusUnavailable):
        await producer.publish([Record("topic", one, b"1"), Record("topic", other, b"2")])
    assert connection.stored == [b"2"]


async def test_what_comes_while_a_batch_is_under_way_goes_as_one_batch_in_order(start: Any) -> None:
    connection = Connection()
    connection.speaks.clear()
    producer = await start(connection)
    first = asyncio.create_task(publish(producer, b"0"))
    await until(lambda: connection.batches == 1)
    others = [asyncio.create_task(publish(producer, b"%d" % number)) for number in range(1, 20)]
    await asyncio.sleep(0)
    connection.speaks.set()
    await asyncio.gather(first, *others)
    assert connection.stored == [b"%d" % number for number in range(20)]
    assert connection.batches == 2


async def test_when_a_batch_is_refused_nobody_waits_longer_behind_it(start: Any) -> None:
    connection = Connection()
    connection.speaks.clear()
    producer = await start(connection)
    started = asyncio.get_running_loop().time()
    sent = [asyncio.create_task(publish(producer, b"%d" % number)) for number in range(20)]
    ends = await asyncio.gather(*sent, return_exceptions=True)
    assert {type(end) for end in ends} == {BusUnavailable}
    assert asyncio.get_running_loop().time() - started < 2 * PATIENCE.total_seconds()
    connection.speaks.set()


async def test_a_silent_broker_is_given_up_then_refused_at_once_and_trusted_again_when_it_answers(start: Any) -> None:
    connection = Connection()
    connection.speaks.clear()
    producer = await start(connection)
    for refusal in ("does not answer", "has not answered"):
        with pytest.raises(BusUnavailable, match=refusal):
            await publish(producer, b"late")
    connection.speaks.set()
    await until(lambda: connection.stored)
    async with asyncio.timeout(5):
        while b"accepted" not in connection.stored:
            await asyncio.gather(publish(producer, b"accepted"), return_exceptions=True)
            await asyncio.sleep(0.01)
    await publish(producer, b"at once")
    assert connection.stored == [b"late", b"accepted", b"at once"]
