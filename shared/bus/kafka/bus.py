"""The bus on Kafka: topics stated in full, publishing, groups, and reading a topic from end to end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, NoError, TopicAlreadyExistsError, for_code

from shared.bus.base import MAX_MESSAGE_BYTES, REVOKE_PATIENCE, OnRevoke, Topic
from shared.bus.kafka.connection import REQUEST_TIMEOUT, answering, client_options
from shared.bus.kafka.consumer import KafkaConsumer, close, to_message
from shared.bus.kafka.producer import Producer
from shared.bus.limits import HEADROOM_BYTES
from shared.clock import Clock, SystemClock
from shared.errors import BusUnavailable
from shared.events.envelope import Message, Record
from shared.settings import BusSettings

_LIMIT_BYTES = MAX_MESSAGE_BYTES + HEADROOM_BYTES
_BATCH_BYTES = 1024 * 1024
_SCAN_POLL_MS = 1000
# Several vendors give up after 5 s and do not try again: the 503 must be there before.
PUBLISH_PATIENCE = timedelta(seconds=4)
_SCAN_PATIENCE = REQUEST_TIMEOUT // timedelta(milliseconds=_SCAN_POLL_MS)


class KafkaBus:
    """Bus on the brokers of `settings.url`."""

    def __init__(
        self, settings: BusSettings, clock: Clock | None = None, patience: timedelta = REQUEST_TIMEOUT
    ) -> None:
        """`patience`: how long to wait for an answer before BusUnavailable. Raises ConfigurationError."""
        self._settings = settings
        self._options = client_options(settings, patience)
        self._producer = Producer(self._new_producer, clock or SystemClock(), min(patience, PUBLISH_PATIENCE))

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    async def ping(self) -> None:
        async with answering(timedelta(seconds=3)):
            await self._producer.kafka.client.fetch_all_metadata()

    async def publish(self, records: Sequence[Record]) -> None:
        await self._producer.publish(records)

    def consumer(self, group: str, topics: Sequence[str], on_revoke: OnRevoke | None = None) -> KafkaConsumer:
        return KafkaConsumer(self._new_consumer, group, topics, on_revoke)

    async def ensure_topics(self, topics: Sequence[Topic]) -> None:
        async with answering():
            admin = AIOKafkaAdminClient(**self._options)
            try:
                await admin.start()
                existing = set(await admin.list_topics())
                brokers = len((await admin.describe_cluster())["brokers"])
                missing = [_stated(topic, brokers) for topic in topics if topic.name not in existing]
                if missing:
                    _check((await admin.create_topics(missing)).topic_errors)
                    await _led(admin, [topic.name for topic in missing])
            finally:
                await admin.close()

    async def scan(self, topic: str) -> AsyncIterator[Message]:
        kafka = self._new_consumer(None)
        try:
            async with answering():
                await kafka.start()
                # Asked without naming the topic, since naming one can create it.
                cluster = await self._producer.kafka.client.fetch_all_metadata()
                places = [TopicPartition(topic, number) for number in cluster.partitions_for_topic(topic) or ()]
                ends = await kafka.end_offsets(places) if places else {}
                begins = await kafka.beginning_offsets(places) if places else {}
            left = {place: end for place, end in ends.items() if begins[place] < end}
            kafka.assign(list(left))
            for place in left:
                kafka.seek(place, begins[place])
            async for message in _until(kafka, left):
                yield message
        finally:
            await close(kafka)

    def _new_producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **self._options,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_request_size=_LIMIT_BYTES,
            max_batch_size=_BATCH_BYTES,
        )

    def _new_consumer(self, group: str | None) -> AIOKafkaConsumer:
        session_ms = self._settings.session_timeout_ms
        return AIOKafkaConsumer(
            **self._options,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=min(3000, session_ms // 3),
            # From when the broker asks for it; a member hears of that with its next heartbeat.
            rebalance_timeout_ms=session_ms + REVOKE_PATIENCE // timedelta(milliseconds=1),
            metadata_max_age_ms=10_000,
        )


async def _until(kafka: AIOKafkaConsumer, left: dict[TopicPartition, int]) -> AsyncIterator[Message]:
    silent = 0
    while left:
        async with answering():
            found = await kafka.getmany(*left, timeout_ms=_SCAN_POLL_MS)
        silent = 0 if found else silent + 1
        if silent > _SCAN_PATIENCE:
            raise BusUnavailable("Kafka does not hand out messages")
        for place, records in found.items():
            for record in records:
                if record.offset < left[place]:
                    yield to_message(record)
        for place in list(left):
            async with answering():
                if await kafka.position(place) >= left[place]:
                    kafka.pause(place)
                    del left[place]


def _stated(topic: Topic, brokers: int) -> NewTopic:
    replicas = min(3, brokers)
    retention_ms = -1 if topic.retention is None else int(topic.retention.total_seconds() * 1000)
    configs = {
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "retention.ms": str(retention_ms),
        "max.message.bytes": str(_LIMIT_BYTES),
    }
    if replicas >= 3:
        configs["min.insync.replicas"] = "2"
    return NewTopic(topic.name, topic.partitions, replicas, topic_configs=configs)


async def _led(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> None:
    """Brokers answer before every partition has a leader; a client that looks too early would not look again soon."""
    while any(  # noqa: ASYNC110 - nobody tells us; we have to ask
        topic["error_code"] or any(partition["leader"] < 0 for partition in topic["partitions"])
        for topic in await admin.describe_topics(list(topics))
    ):
        await asyncio.sleep(0.05)


def _check(errors: Sequence[Sequence[object]]) -> None:
    for _, code, *_ in errors:
        kind = for_code(code)
        if kind not in (NoError, TopicAlreadyExistsError):
            raise kind() if issubclass(kind, KafkaError) else KafkaError(kind.__name__)
