"""One member of a Kafka consumer group: explicit offsets, and the hand-over announced before it happens."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from shared.bus.base import OnRevoke, Partition
from shared.bus.kafka.connection import answering
from shared.errors import BusUnavailable
from shared.events.envelope import Message

log = structlog.get_logger(__name__)

_STOP_SECONDS = 5.0
_SLACK_SECONDS = 0.25
_TOPIC_SECONDS = 2.0
_LAG_PATIENCE = timedelta(seconds=3)


class KafkaConsumer:
    """Consumer of the port in `base`."""

    def __init__(
        self, connect: Callable[[str], AIOKafkaConsumer], group: str, topics: Sequence[str], on_revoke: OnRevoke | None
    ) -> None:
        self._connect = connect
        self._group = group
        self._topics = tuple(topics)
        self._listener = _Listener(on_revoke)
        self._kafka: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        kafka = self._connect(self._group)
        try:
            async with answering():
                await kafka.start()
                await self._known(kafka)
        except BaseException:
            await close(kafka)
            raise
        # After start, which would otherwise wait for the group for ever.
        kafka.subscribe(self._topics, listener=self._listener)
        self._kafka = kafka

    async def _known(self, kafka: AIOKafkaConsumer) -> None:
        # A topic made just now is not yet known to every broker; joining without it would mean reading nothing.
        with suppress(TimeoutError):
            async with asyncio.timeout(_TOPIC_SECONDS):
                while not await kafka.topics() >= set(self._topics):  # noqa: ASYNC110 - nobody tells us
                    await asyncio.sleep(0.05)

    async def stop(self) -> None:
        if self._kafka is not None:
            kafka, self._kafka = self._kafka, None
            await close(kafka)

    async def fetch(self, max_records: int, timeout: timedelta) -> dict[Partition, list[Message]]:
        patience = timeout.total_seconds()
        try:
            # During a rebalance aiokafka waits for its end, whatever timeout it was given.
            async with asyncio.timeout(patience + _SLACK_SECONDS):
                found = await self._running.getmany(timeout_ms=int(patience * 1000), max_records=max_records)
        except TimeoutError:
            return {}
        except KafkaError as error:
            raise BusUnavailable(f"Kafka does not hand out messages: {type(error).__name__}") from error
        return {_ours(place): [to_message(record) for record in records] for place, records in found.items()}

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        held = {place: offset for place, offset in _theirs(offsets).items() if place in self._running.assignment()}
        if not held:
            return
        async with answering():
            with suppress(CommitFailedError, IllegalStateError):  # the partitions have gone to another member
                await self._running.commit(held)

    def seek(self, partition: Partition, offset: int) -> None:
        place = TopicPartition(*partition)
        if place in self._running.assignment():
            self._running.seek(place, offset)

    def pause(self, partitions: Sequence[Partition]) -> None:
        self._running.pause(*self._held(partitions))

    def resume(self, partitions: Sequence[Partition]) -> None:
        self._running.resume(*self._held(partitions) & self._running.paused())

    def assignment(self) -> frozenset[Partition]:
        return frozenset(_ours(place) for place in self._running.assignment())

    async def lag(self) -> dict[Partition, int]:
        places = list(self._running.assignment())
        async with answering(_LAG_PATIENCE):
            ends = await self._running.end_offsets(places)
            return {_ours(place): max(0, ends[place] - await self._running.position(place)) for place in places}

    @property
    def _running(self) -> AIOKafkaConsumer:
        if self._kafka is None:
            raise BusUnavailable("this consumer is not started")
        return self._kafka

    def _held(self, partitions: Sequence[Partition]) -> set[TopicPartition]:
        return {TopicPartition(*partition) for partition in partitions} & self._running.assignment()


class _Listener(ConsumerRebalanceListener):
    def __init__(self, on_revoke: OnRevoke | None) -> None:
        self._on_revoke = on_revoke

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        if revoked and self._on_revoke is not None:
            await self._on_revoke(sorted(_ours(place) for place in revoked))

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        log.info("partitions_assigned", count=len(assigned))


def to_message(record: Any) -> Message:
    return Message(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key or b"",
        value=record.value,
        headers=tuple((name, value or b"") for name, value in record.headers),
        time=datetime.fromtimestamp(record.timestamp / 1000, UTC),
    )


async def close(kafka: AIOKafkaConsumer) -> None:
    """Leave the group, but do not wait for a broker that never answers."""
    with suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(_STOP_SECONDS):
            await kafka.stop()


def _ours(place: TopicPartition) -> Partition:
    return Partition(place.topic, place.partition)


def _theirs(offsets: Mapping[Partition, int]) -> dict[TopicPartition, int]:
    return {TopicPartition(*partition): offset for partition, offset in offsets.items()}
