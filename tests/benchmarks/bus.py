"""Records a second into each log from 32 publishers at once, against the bare thing; and how soon one is handled."""

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from datetime import timedelta
from itertools import count
from pathlib import Path

from aiokafka import AIOKafkaProducer

from shared.bus.base import Bus, Topic
from shared.bus.consumer import ConsumerLoop
from shared.bus.eventlog import SqliteEventLog
from shared.bus.kafka import KafkaBus
from shared.clock import SystemClock
from shared.events.envelope import Message, Record
from shared.settings import BusSettings
from tests.benchmarks.figures import Benchmark, Figure, Setting, interleaved, median_ratio, quantile

TOPIC = Topic("bench.bus", partitions=6)
PUBLISHERS = 32
EACH = 60
ALONE = 200
VALUE = b"x" * 1100
HEADERS = tuple((f"ce_{name}", b"0" * 24) for name in ("specversion", "id", "type", "source", "time"))
_number = count()


async def run(setting: Setting) -> list[Figure]:
    embedded = SqliteEventLog(setting.home / "bus" / "events.db", SystemClock())
    kafka = KafkaBus(BusSettings(url=f"kafka://{setting.kafka()}"))
    figures = []
    for bus in (embedded, kafka):
        await bus.start()
        await bus.ensure_topics([TOPIC])
    try:
        bare_file = setting.home / "bus" / "bare.db"
        figures += await _compare(setting, "the embedded log", embedded, lambda: _bare_sqlite(bare_file))
        async with AIOKafkaProducer(bootstrap_servers=setting.kafka(), acks="all", enable_idempotence=True) as producer:
            figures += await _compare(setting, "Kafka", kafka, lambda: _bare_kafka(producer))
        for name, bus in (("the embedded log", embedded), ("Kafka", kafka)):
            spans = [span * 1000 for span in await _from_publish_to_handler(bus)]
            note = f"p99 {quantile(spans, 0.99):.1f} ms"
            figures.append(Figure(f"{name}: from publish to handler", statistics.median(spans), "ms", note=note))
    finally:
        await asyncio.gather(embedded.stop(), kafka.stop())
    return figures


async def _compare(setting: Setting, name: str, bus: Bus, bare: Callable[[], Awaitable[float]]) -> list[Figure]:
    async def publish() -> None:
        await bus.publish([Record(TOPIC.name, b"key-%d" % next(_number), VALUE, HEADERS)])

    contestants = {"bare": bare, "ours": lambda: _rate(publish)}
    await interleaved(1, contestants)
    rates = await interleaved(setting.rounds, contestants)
    ratio = median_ratio(rates["ours"], rates["bare"])
    return [
        Figure(f"{name}, bare", statistics.median(rates["bare"]), "/s"),
        Figure(f"{name}: publish", statistics.median(rates["ours"]), "/s", baseline="the bare one", ratio=ratio),
    ]


async def _rate(publish: Callable[[], Awaitable[object]]) -> float:
    async def one_after_the_other() -> None:
        for _ in range(EACH):
            await publish()

    started = time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(PUBLISHERS)))
    return PUBLISHERS * EACH / (time.perf_counter() - started)


async def _bare_kafka(producer: AIOKafkaProducer) -> float:
    return await _rate(
        lambda: producer.send_and_wait(TOPIC.name, VALUE, b"key-%d" % next(_number), headers=list(HEADERS))
    )


async def _bare_sqlite(path: Path) -> float:
    """One row and one commit for each record, as safe as ours: what is not gathered."""

    def insert() -> float:
        with closing(sqlite3.connect(path, isolation_level=None)) as sql:
            sql.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
            sql.execute("CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, key BLOB, value BLOB, headers BLOB)")
            started = time.perf_counter()
            for _ in range(PUBLISHERS * EACH // 4):
                row = (b"key-%d" % next(_number), VALUE, repr(HEADERS).encode())
                sql.execute("INSERT INTO log (key, value, headers) VALUES (?, ?, ?)", row)
            return PUBLISHERS * EACH // 4 / (time.perf_counter() - started)

    return await asyncio.to_thread(insert)


async def _from_publish_to_handler(bus: Bus) -> list[float]:
    """One record at a time, seconds each; the first, which waits for the group to form, does not count."""
    arrived = asyncio.Event()
    name = f"bench.alone.{next(_number)}"
    await bus.ensure_topics([Topic(name, partitions=6, retention=timedelta(days=1))])

    async def handle(_: Sequence[Message]) -> None:
        arrived.set()

    stop = asyncio.Event()
    loop = asyncio.create_task(ConsumerLoop(bus, f"{name}.group", [name], handle, SystemClock()).run(stop))
    spans = []
    for number in range(ALONE):
        arrived.clear()
        started = time.perf_counter()
        await bus.publish([Record(name, b"key-%d" % number, VALUE, HEADERS)])
        await asyncio.wait_for(arrived.wait(), 30)
        spans.append(time.perf_counter() - started)
    stop.set()
    await loop
    return spans[1:]


BENCHMARK = Benchmark("bus", "records into both logs, and out again", run)
