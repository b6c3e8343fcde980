"""Publishing to Kafka: what waits while a request is under way goes out as one batch per partition."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
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

_STRAGGLER_SECONDS = 0.05
_STOP_SECONDS = 5.0
# A fault of the record or of the topic's rights; after any other final error the producer's sequence is broken.
_NOT_THE_PRODUCERS_FAULT = (MessageSizeTooLargeError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError)


@dataclass(eq=False, slots=True)
class Parcel:
    """The records of one `publish`, on their way in up to `missing` batches."""

    missing: int
    arrived: asyncio.Future[None]

    def settle(self, error: BusUnavailable | None) -> None:
        self.missing -= 1
        if self.arrived.done():  # whoever waited has gone away
            return
        if error is not None:
            self.arrived.set_exception(error)
        elif self.missing == 0:
            self.arrived.set_result(None)


@dataclass(eq=False, slots=True)
class Lane:
    """One partition: at most one batch of it is under way, which keeps the order of each key."""

    waiting: list[tuple[Record, int, Parcel]] = field(default_factory=list)
    sent_at: float | None = None


class Producer:
    """Idempotent, acks=all. A connection that can send no more is replaced by a new one."""

    def __init__(self, connect: Callable[[], AIOKafkaProducer], clock: Clock, patience: timedelta) -> None:
        self._connect = connect
        self._patience = patience
        self._clock = clock
        self._kafka: AIOKafkaProducer | None = None
        self._lanes: defaultdict[Partition, Lane] = defaultdict(Lane)
        self._under_way: set[asyncio.Future[object]] = set()
        self._more = asyncio.Event()
        self._broken = False
        self._sending: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def kafka(self) -> AIOKafkaProducer:
        if self._kafka is None:
            raise BusUnavailable("Kafka is not connected")
        return self._kafka

    async def start(self) -> None:
        self._kafka = await self._connected()
        self._sending = asyncio.create_task(self._send_for_ever())

    async def stop(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            with suppress(asyncio.CancelledError):
                await self._sending
        if self._kafka is not None:
            await _close(self._kafka)
        await asyncio.gather(*self._closing)
        self._kafka = self._sending = None

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when all are acknowledged. Raises BusUnavailable when `patience` is over."""
        if not records:
            return
        loop = asyncio.get_running_loop()
        at_ms = int(self._clock.now().timestamp() * 1000)
        parcel = Parcel(len(records), loop.create_future())
        places = [(self._lane(record, await self._partitions(record.topic)), record) for record in records]
        for lane, record in places:
            lane.waiting.append((record, at_ms, parcel))
        self._more.set()
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await parcel.arrived
        except TimeoutError as error:
            raise unavailable(error) from error
        finally:
            parcel.arrived.cancel()  # not sent yet: never

    def _lane(self, record: Record, partitions: int) -> Lane:
        check_size(record)
        lane = self._lanes[Partition(record.topic, partition_of(record.key, partitions))]
        if lane.sent_at is not None:
            stuck = asyncio.get_running_loop().time() - lane.sent_at
            if stuck > self._patience.total_seconds():
                raise BusUnavailable(f"Kafka has not answered for {stuck:.0f} s")
        return lane

    async def _partitions(self, topic: str) -> int:
        known = self.kafka.client.cluster.partitions_for_topic(topic)
        if known is None:
            # Asked without naming the topic, since naming one can create it.
            async with answering(self._patience):
                cluster = await self.kafka.client.fetch_all_metadata()
                if not cluster.partitions_for_topic(topic):
                    raise ConfigurationError(f"topic {topic} does not exist: create it with ensure_topics()")
                known = await self.kafka.partitions_for(topic)
        return len(known)

    async def _send_for_ever(self) -> None:
        while True:
            try:
                await self._send_waiting()
            except Exception as error:
                # Nobody else sends: whatever is wrong, the next records must have their chance with a new connection.
                log.exception("kafka_sending_failed")
                self._refuse_waiting(unavailable(error))
                self._broken = True

    async def _send_waiting(self) -> None:
        await self._more.wait()
        if self._under_way:
            # All partitions at once make the biggest batches; one that hangs does not hold up the others for long.
            await asyncio.wait(self._under_way, timeout=_STRAGGLER_SECONDS)
        self._more.clear()
        if self._broken:
            await self._replace()
        for partition, lane in list(self._lanes.items()):
            if lane.waiting and lane.sent_at is None:
                await self._send(partition, lane)

    async def _send(self, partition: Partition, lane: Lane) -> None:
        batch = self.kafka.create_batch()
        parcels: list[Parcel] = []
        taken = 0
        for record, at_ms, parcel in lane.waiting:
            if not parcel.arrived.done():
                if (
                    batch.append(key=record.key, value=record.value, timestamp=at_ms, headers=list(record.headers))
                    is None
                ):
                    break
                parcels.append(parcel)
            taken += 1
        del lane.waiting[:taken]
        if not parcels:
            return
        lane.sent_at = asyncio.get_running_loop().time()
        try:
            sent = await self.kafka.send_batch(batch, partition.topic, partition=partition.number)
        except (KafkaError, OSError) as error:
            self._sent(lane, parcels, error)
            return
        self._under_way.add(sent)
        sent.add_done_callback(partial(self._arrived, lane, parcels))

    def _arrived(self, lane: Lane, parcels: Sequence[Parcel], sent: asyncio.Future[object]) -> None:
        self._under_way.discard(sent)
        self._sent(lane, parcels, asyncio.CancelledError() if sent.cancelled() else sent.exception())

    def _sent(self, lane: Lane, parcels: Sequence[Parcel], error: BaseException | None) -> None:
        lane.sent_at = None
        if lane.waiting:
            self._more.set()
        if error is not None and not isinstance(error, _NOT_THE_PRODUCERS_FAULT):
            self._broken = True
        refusal = None if error is None else unavailable(error)
        for parcel in parcels:
            parcel.settle(refusal)

    async def _replace(self) -> None:
        log.warning("kafka_producer_replaced")
        try:
            fresh = await self._connected()
        except BusUnavailable as error:
            self._refuse_waiting(error)
            return
        old, self._kafka, self._broken = self.kafka, fresh, False
        # Not waited for: what the old one still has under way keeps only its own partitions busy.
        closing = asyncio.create_task(_close(old))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _refuse_waiting(self, error: BusUnavailable) -> None:
        for lane in self._lanes.values():
            for _, _, parcel in lane.waiting:
                parcel.settle(error)
            lane.waiting.clear()

    async def _connected(self) -> AIOKafkaProducer:
        kafka = self._connect()
        try:
            async with answering(self._patience):
                await kafka.start()
        except BaseException:
            await _close(kafka)
            raise
        return kafka


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
