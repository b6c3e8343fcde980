"""Both buses behind one fixture, so that one story is told to each: `bus_home` opens, restarts and breaks a bus."""

import asyncio
import os
import sqlite3
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from shared.bus.base import Bus, Consumer, Partition, Topic
from shared.bus.eventlog import SqliteEventLog
from shared.bus.kafka import KafkaBus
from shared.clock import Clock, SystemClock
from shared.events.envelope import Message
from shared.settings import BusSettings
from tests.support.waiting import until

FOREIGN = "CLOSELOOP_TEST_KAFKA"
PATIENCE = timedelta(seconds=20)
OUTAGE_PATIENCE = timedelta(seconds=2)


class BusHome(ABC):
    """Where the log of one test lies. Topics and groups get names of their own."""

    def __init__(self) -> None:
        self._suffix = uuid.uuid4().hex[:8]
        self._opened: list[Bus] = []

    def name(self, stem: str) -> str:
        return f"{stem}.{self._suffix}"

    @abstractmethod
    def create(self, clock: Clock, patience: timedelta) -> Bus: ...

    @abstractmethod
    def outage(self) -> AbstractContextManager[None]:
        """While it lasts the log answers nobody."""

    async def open(self, clock: Clock | None = None, patience: timedelta = PATIENCE) -> Bus:
        """A started bus, as another process would have it; stopped when the test ends."""
        bus = self.create(clock or SystemClock(), patience)
        await bus.start()
        self._opened.append(bus)
        return bus

    async def topic(self, bus: Bus, partitions: int = 3) -> str:
        """A new topic."""
        name = self.name("tests")
        await bus.ensure_topics([Topic(name, partitions)])
        return name

    @abstractmethod
    def needs_exact_ends(self) -> None:
        """Skip on a stand-in for Kafka that says how many batches a topic holds, not how many records."""

    async def close(self) -> None:
        for bus in self._opened:
            await bus.stop()


class EmbeddedHome(BusHome):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def create(self, clock: Clock, patience: timedelta) -> SqliteEventLog:
        return SqliteEventLog(self.path, clock, patience / 10)

    def needs_exact_ends(self) -> None:
        return None

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Another process holds the write lock."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield


class KafkaHome(BusHome):
    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__()
        bootstrap = request.getfixturevalue("kafka_bootstrap")
        self._settings = BusSettings(url=f"kafka://{bootstrap}", session_timeout_ms=6000)
        self._request = request

    def create(self, clock: Clock, patience: timedelta) -> KafkaBus:
        return KafkaBus(self._settings, clock, patience)

    def needs_exact_ends(self) -> None:
        if FOREIGN not in os.environ and not self._request.getfixturevalue("session_kafka").durable:
            pytest.skip("needs Apache Kafka: the end offsets of Tansu count batches, not records")

    @contextmanager
    def outage(self) -> Iterator[None]:
        """The broker hangs."""
        server = self._request.getfixturevalue("kafka_server")
        server.pause()
        try:
            yield
        finally:
            server.resume()


@pytest_asyncio.fixture
async def embedded_home(tmp_path: Path) -> AsyncIterator[EmbeddedHome]:
    home = EmbeddedHome(tmp_path / "events.db")
    yield home
    await home.close()


@pytest_asyncio.fixture
async def kafka_home(request: pytest.FixtureRequest) -> AsyncIterator[KafkaHome]:
    home = KafkaHome(request)
    yield home
    await home.close()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def bus_home(request: pytest.FixtureRequest) -> BusHome:
    """The test runs once on each bus."""
    home: BusHome = request.getfixturevalue(f"{request.param}_home")
    return home


@asynccontextmanager
async def joined(
    bus: Bus, group: str, topic: str, on_revoke: Callable[[Sequence[Partition]], Awaitable[None]] | None = None
) -> AsyncIterator[Consumer]:
    """A member of a group that has got its partitions."""
    consumer = bus.consumer(group, [topic], on_revoke)
    await consumer.start()
    try:
        await until(consumer.assignment)
        yield consumer
    finally:
        await consumer.stop()


async def read(consumer: Consumer, count: int, within: float = 20.0) -> list[Message]:
    """The next `count` messages, at least."""
    found: list[Message] = []
    start = asyncio.get_running_loop().time()
    while len(found) < count:
        assert asyncio.get_running_loop().time() - start < within, (
            f"only {len(found)} of {count} messages within {within:g} s"
        )
        for messages in (await consumer.fetch(500, timedelta(milliseconds=200))).values():
            found += messages
    return found


def after(messages: Sequence[Message]) -> dict[Partition, int]:
    """What to commit when these have been handled."""
    return {Partition(message.topic, message.partition): message.offset + 1 for message in messages}
