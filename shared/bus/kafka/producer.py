"""Publishing to Kafka: idempotent, acknowledged by all replicas, and never waiting for ever."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.bus.base import Partition, partition_of
from shared.bus.kafka.connection import answering, unavailable
from shared.bus.kafka.lane import Lane
from shared.bus.limits import check_size
from shared.clock import Clock
from shared.errors import BusUnavailable, ConfigurationError
from shared.events.envelope import Record

log = structlog.get_logger(__name__)

_STOP_SECONDS = 5.0
_ASK_AGAIN_SECONDS = 1.0
_COUNT_AGAIN_SECONDS = 1.0
"""An administrator may have added partitions."""
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
        self._lanes: dict[Partition, Lane] = {}

    @property
    def kafka(self) -> AIOKafkaProducer:
        if self._kafka is None:
            raise BusUnavailable("Kafka is not connected")
        return self._kafka

    async def start(self) -> None:
        self._kafka = await self._connected()

    async def stop(self) -> None:
        """What is under way may still arrive; what waits behind it is refused."""
        if self._kafka is not None:
            await _close(self._kafka)
        await asyncio.gather(*self._closing, *(lane.stop() for lane in self._lanes.values()))
        self._kafka = None

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when all are acknowledged. Raises BusUnavailable when `patience` is over."""
        if self._broken:
            await self._replace()
        by_partition: dict[Partition, list[Record]] = {}
        for record in records:
            check_size(record)
            count = self._counts.get(record.topic) or await self._count(record.topic)
            by_partition.setdefault(Partition(record.topic, partition_of(record.key, count)), []).append(record)
        if self._silent:
            self._refuse_silent(by_partition)
        sent = [self._lane(place).put(some) for place, some in by_partition.items()]
        try:
            await _all(sent)
        except TimeoutError as error:
            self._silent |= dict.fromkeys(by_partition, asyncio.get_running_loop().time())
            raise unavailable(error) from error
        except (KafkaError, OSError) as error:
            raise unavailable(error) from error
        if self._silent:
            for place in by_partition:
                self._silent.pop(place, None)

    def _lane(self, place: Partition) -> Lane:
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = Lane(partial(self._send, place))
        return lane

    async def _send(self, place: Partition, records: Sequence[Record]) -> None:
        kafka = self.kafka
        try:
            async with asyncio.timeout(self._patience):
                await _all(
                    [
                        await kafka.send_batch(batch, place.topic, partition=place.number)
                        for batch in self._batches(kafka, records)
                    ]
                )
        except (KafkaError, OSError) as error:
            # TimeoutError is an OSError, and a broker's silence no fault of the producer.
            if kafka is self._kafka and not isinstance(error, (TimeoutError, *_NOT_THE_PRODUCERS_FAULT)):
                self._broken = True
            raise

    def _batches(self, kafka: AIOKafkaProducer, records: Sequence[Record]) -> Iterable[BatchBuilder]:
        """Mostly one; many headers can make it two."""
        at_ms = int(self._clock.now().timestamp() * 1000)
        batch = kafka.create_batch()
        for record in records:
            if _append(batch, record, at_ms) is None:
                yield batch
                batch = kafka.create_batch()
                _append(batch, record, at_ms)  # the first one always fits
        yield batch

    def _refuse_silent(self, places: Iterable[Partition]) -> None:
        now = asyncio.get_running_loop().time()
        asked = [partition for partition in places if partition in self._silent]
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
        asyncio.get_running_loop().call_later(_COUNT_AGAIN_SECONDS, self._counts.pop, topic, None)
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


def _append(batch: BatchBuilder, record: Record, at_ms: int) -> object | None:
    return batch.append(timestamp=at_ms, key=record.key, value=record.value, headers=list(record.headers))


async def _all(sent: Sequence["asyncio.Future[Any]"]) -> None:
    """Return when all have arrived; raise the first error when all have ended, so that none goes unseen."""
    if len(sent) == 1:
        await sent[0]
        return
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
