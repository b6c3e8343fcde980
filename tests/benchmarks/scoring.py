"""Responses a second through scoring on Kafka, against a bare aiokafka loop that decodes the same JSON and produces."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.scoring.app import Scorer
from shared.bus.base import Topic
from shared.bus.consumer import ConsumerLoop
from shared.bus.kafka import KafkaBus
from shared.clock import SystemClock
from shared.events.catalog import FEEDBACK_SCORED, SurveyResponded, survey_responded
from shared.events.envelope import Message, Record, to_record
from shared.policy import Policy
from shared.runtime import Runtime
from shared.settings import BusSettings, Settings
from tests.benchmarks.figures import Benchmark, Figure, Setting, interleaved, median_ratio

RESPONSES = 20_000
INPUT = Topic("bench.responses", partitions=6)
BARE_OUTPUT = Topic("bench.decoded", partitions=6)
MAX_RECORDS = 500
_groups = count()


async def run(setting: Setting) -> list[Figure]:
    bootstrap = setting.kafka()
    bus = KafkaBus(BusSettings(url=f"kafka://{bootstrap}"))
    await bus.start()
    try:
        await bus.ensure_topics([INPUT, BARE_OUTPUT, FEEDBACK_SCORED])
        await bus.publish([_response(number) for number in range(RESPONSES)])
        contestants = {"bare": lambda: _bare(bootstrap), "ours": lambda: _ours(bus)}
        await interleaved(1, contestants)
        rates = await interleaved(setting.rounds, contestants)
    finally:
        await bus.stop()
    return [
        Figure("a bare loop: decode, produce, commit", statistics.median(rates["bare"]), "/s"),
        Figure(
            "scoring",
            statistics.median(rates["ours"]),
            "/s",
            baseline="the bare loop",
            ratio=median_ratio(rates["ours"], rates["bare"]),
            least=0.5,
        ),
    ]


async def _ours(bus: KafkaBus) -> float:
    """The service's own handler in its own loop; from the first batch to the last, since joining is not the work."""
    clock = SystemClock()
    scorer = Scorer(Runtime(Settings(), Policy(), clock, bus))
    stop, handled, started = asyncio.Event(), 0, 0.0

    async def handle(messages: Sequence[Message]) -> None:
        nonlocal handled, started
        started = started or time.perf_counter()
        await scorer.handle(messages)
        handled += len(messages)
        if handled >= RESPONSES:
            stop.set()

    await ConsumerLoop(bus, f"bench-{next(_groups)}", [INPUT.name], handle, clock, max_records=MAX_RECORDS).run(stop)
    return handled / (time.perf_counter() - started)


async def _bare(bootstrap: str) -> float:
    decode = msgspec.json.Decoder(SurveyResponded).decode
    encode = msgspec.json.Encoder().encode
    consumer = AIOKafkaConsumer(
        INPUT.name,
        bootstrap_servers=bootstrap,
        group_id=f"bench-{next(_groups)}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await asyncio.gather(consumer.start(), producer.start())
    handled, started = 0, 0.0
    try:
        while handled < RESPONSES:
            batches = await consumer.getmany(timeout_ms=1000, max_records=MAX_RECORDS)
            started = started or time.perf_counter()
            sent = []
            ends: dict[TopicPartition, int] = {}
            for place, records in batches.items():
                for record in records:
                    value = encode(decode(record.value))
                    sent.append(await producer.send(BARE_OUTPUT.name, value, record.key, headers=list(record.headers)))
                ends[place] = records[-1].offset + 1
            await asyncio.gather(*sent)
            if ends:
                await consumer.commit(ends)
            handled += len(sent)
        return handled / (time.perf_counter() - started)
    finally:
        await asyncio.gather(consumer.stop(), producer.stop())


def _response(number: int) -> Record:
    """About 1.2 KB, as ingest makes it."""
    now = datetime.now(UTC)
    data = SurveyResponded(
        source="zendesk",
        unique_id=f"delivery-{number}",
        record_id=str(number),
        received_at=now,
        metric="csat",
        raw_score="Bad" if number % 5 == 0 else "Good",
        raw_scale={"type": "ordinal", "values": ["bad", "good"], "maps_to": [1, 5]},
        normalised_score=1 if number % 5 == 0 else 5,
        comment="We waited for two days. " * 25,
        ticket_id=str(number),
        ticket_status="solved",
        subject="SSO login loops after password reset",
        ticket_url=f"https://acme.zendesk.com/agent/tickets/{number}",
        requester_email=f"mia.{number}@nordwind.example",
        requester_name="Mia Holm",
        account_hint={"organization_external_id": "crm-00417", "domain": "nordwind.example"},
        assignee={"name": "Jo Rask", "email": "jo.rask@acme.example"},
        occurred_at=now,
    )
    return to_record(survey_responded(data, INPUT))


BENCHMARK = Benchmark("scoring", "responses scored and passed on, offsets stored after the acknowledgement", run)
