"""Publishing to Kafka: idempotent, acknowledged by all replicas, and never waiting for ever."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from shared.bus.base import Partition
from shared.bus.kafka.connection import answering, unavailable
from shared.bus.kafka.murmur2 import partition_of
from shared.bus.limits import check_size
from shared.clock import Clock
from shared.errors import BusUnavailable, ConfigurationError
from shared.events.envelope import Record

log = structlog.get_logger(__name__)

# Measured: a few records are cheapest one by one, since aiokafka gathers by itself what waits while a request is under
# way; many are cheapest as batches built here, which need no future for each record.
_FEW = 8
_STOP_SECONDS = 5.0
_ASK_AGAIN_SECONDS = 1.0
# After any other error aiokafka's producer can send no more, or its sequence of numbers is broken.
_NOT_THE_PRODUCERS_FAULT = (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)


class Producer:
    """A connection that can send no more is replaced by a new one. A partition that has kept silent for `patience` is
    asked once a second; meanwhile its records are refused at once, so that they do not pile up."""

    def __init__(self, connect: Callable[[], AIOKafkaProducer], clock: Clock, patience: timedelta) -> None:
        self._connect = connect
        self._clock = clock
        self._patience = patience.total_seconds()
        self._kafka: AIOKafkaProducer | None = None
        self._broken = False
        self._replacing = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._silent: dict[Partition, float] = {}
        self._counts: dict[str, int] = {}
        self._waiting: dict[asyncio.Future[object], float] = {}
        self._watching: asyncio.Task[None] | None = None

    @property
    def kafka(self) -> AIOKafkaProducer:
        if self._kafka is None:
            raise BusUnavailable("Kafka is not connected")
        return self._kafka

    async def start(self) -> None:
        self._kafka = await self._connected()
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        if self._kafka is not None:
            await _close(self._kafka)
        await asyncio.gather(*self._closing)
        self._kafka = None

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when all are acknowledged. Raises BusUnavailable when `patience` is over."""
        if self._broken:
            await self._replace()
        places: list[tuple[int, Record]] = []
        for record in records:
            check_size(record)
            count = self._counts.get(record.topic) or await self._count(record.topic)
            places.append((partition_of(record.key, count), record))
        if self._silent:
            self._refuse_silent(places)
        try:
            await (self._send_few(places) if len(places) <= _FEW else self._send_many(places))
        except TimeoutError as error:
            self._silent |= dict.fromkeys(_partitions(places), asyncio.get_running_loop().time())
            raise unavailable(error) from error
        except (KafkaError, OSError) as error:
            self._broken = self._broken or not isinstance(error, _NOT_THE_PRODUCERS_FAULT)
            raise unavailable(error) from error
        if self._silent:
            for partition in _partitions(places):
                self._silent.pop(partition, None)

    async def _send_few(self, places: Sequence[tuple[int, Record]]) -> None:
        send, at_ms = self.kafka.send, int(self._clock.now().timestamp() * 1000)
        sent = [
            await send(record.topic, record.value, record.key, number, at_ms, list(record.headers))
            for number, record in places
        ]
        deadline = asyncio.get_running_loop().time() + self._patience
        for arrival in sent:
            self._waiting[arrival] = deadline
        try:
            if len(sent) == 1:
                await sent[0]
            else:
                await _all(sent)
        finally:
            for arrival in sent:
                del self._waiting[arrival]

    async def _send_many(self, places: Sequence[tuple[int, Record]]) -> None:
        at_ms = int(self._clock.now().timestamp() * 1000)
        by_partition: defaultdict[Partition, list[Record]] = defaultdict(list)
        for number, record in places:
            by_partition[Partition(record.topic, number)].append(record)
        async with asyncio.timeout(self._patience):
            await _all([asyncio.ensure_future(self._send_in_turn(p, r, at_ms)) for p, r in by_partition.items()])

    async def _send_in_turn(self, partition: Partition, records: Sequence[Record], at_ms: int) -> None:
        batch = self.kafka.create_batch()
        sent: list[asyncio.Future[object]] = []
        for record in records:
            fields = {"key": record.key, "value": record.value, "timestamp": at_ms, "headers": list(record.headers)}
            if batch.append(**fields) is None:
                sent.append(await self.kafka.send_batch(batch, partition.topic, partition=partition.number))
                batch = self.kafka.create_batch()
                batch.append(**fields)  # the first one always fits
        sent.append(await self.kafka.send_batch(batch, partition.topic, partition=partition.number))
        await _all(sent)

    async def _watch(self) -> None:
        # One timer for all that wait: a timer for each record costs as much as sending it.
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._patience / 10)
            self._counts.clear()  # an administrator may have added partitions
            for arrival, deadline in list(self._waiting.items()):
                if deadline > loop.time():
                    break
                if not arrival.done():
                    arrival.set_exception(TimeoutError())

    def _refuse_silent(self, places: Sequence[tuple[int, Record]]) -> None:
        now = asyncio.get_running_loop().time()
        asked = [partition for partition in _partitions(places) if partition in self._silent]
        for partition in asked:
            if now - self._silent[partition] < _ASK_AGAIN_SECONDS:
                raise BusUnavailable(f"Kafka has not answered for {partition.topic}")
        self._silent |= dict.fromkeys(asked, now)

    async def _count(self, topic: str) -> int:
        known = self.kafka.client.cluster.partitions_for_topic(topic)
        if known is None:
            # Asked without naming the topic, since naming one can create it.
            async with answering(timedelta(seconds=self._patience)):
                cluster = await self.kafka.client.fetch_all_metadata()
                if not cluster.partitions_for_topic(topic):
                    raise ConfigurationError(f"topic {topic} does not exist: create it with ensure_topics()")
                known = await self.kafka.partitions_for(topic)
        self._counts[topic] = len(known)
        return len(known)

    async def _replace(self) -> None:
        async with self._replacing:
            if not self._broken:
                return
            log.warning("kafka_producer_replaced")
            fresh = await self._connected()
            old, self._kafka, self._broken = self.kafka, fresh, False
            # Not waited for: what the old one still has under way ends by itself.
            closing = asyncio.create_task(_close(old))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _connected(self) -> AIOKafkaProducer:
        kafka = self._connect()
        try:
            async with answering(timedelta(seconds=self._patience)):
                await kafka.start()
        except BaseException:
            await _close(kafka)
            raise
        return kafka


def _partitions(places: Sequence[tuple[int, Record]]) -> set[Partition]:
    return {Partition(record.topic, number) for number, record in places}


async def _all(sent: Sequence["asyncio.Future[object]"]) -> None:
    """Return when all have arrived; raise the first error when all have ended, so that none goes unseen."""
    for end in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(end, BaseException):
            raise end


async def _close(kafka: AIOKafkaProducer) -> None:
    """Waits for what is under way, but not for a broker that never answers, as aiokafka would."""
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await kafka.stop()
    except (TimeoutError, KafkaError):
        with suppress(TimeoutError, KafkaError, OSError):
            await kafka.client.close()
            async with asyncio.timeout(_STOP_SECONDS):
                await kafka._sender.close()
