"""The servers the other tests stand on: real round trips, and what is kept over an outage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.kafka import KafkaServer
from tests.support.postgres import PostgresServer
from tests.support.postgres_programs import installed_binaries

DEADLINE = 30


async def run(url: str, *statements: str) -> list[object]:
    """The first column of the last statement's rows, all statements in one transaction."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            for statement in statements:
                result = await connection.execute(text(statement))
            return list(result.scalars()) if result.returns_rows else []
    finally:
        await engine.dispose()


async def create_topic(bootstrap: str, partitions: int = 1) -> str:
    """A new topic with a name of its own."""
    name = f"test-{uuid4().hex}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)])
    finally:
        await admin.close()
    return name


@asynccontextmanager
async def idempotent_producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer as the services use it."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def group_member(bootstrap: str, topic: str, group: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that starts at the beginning and commits nothing by itself."""
    member = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=6000,
        heartbeat_interval_ms=500,
        fetch_max_wait_ms=20,
    )
    await member.start()
    try:
        yield member
    finally:
        await member.stop()


async def receive(member: AIOKafkaConsumer, count: int) -> list[bytes]:
    """The next `count` values."""
    async with asyncio.timeout(DEADLINE):
        return [(await member.getone()).value for _ in range(count)]


async def test_a_fresh_database_answers_and_is_empty(postgres_url: str) -> None:
    assert postgres_url.startswith("postgresql+asyncpg://")
    assert await run(postgres_url, "SELECT 1") == [1]
    assert await run(postgres_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [0]


@pytest.mark.parametrize("binaries", installed_binaries(), ids=lambda path: path.parts[-2])
async def test_every_postgresql_found_here_works_and_refuses_a_wrong_password(
    binaries: Path, services_home: Path
) -> None:
    server = PostgresServer(services_home / f"postgres-{uuid4().hex}", durable=False, binaries=binaries)
    server.start()
    try:
        url = server.url(server.create_database("closeloop"))
        assert await run(url, "SELECT current_database()") == ["closeloop"]
        with pytest.raises(DBAPIError, match="password authentication failed"):
            await run(url.replace("closeloop:", "closeloop:x", 1), "SELECT 1")
    finally:
        server.stop()


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_committed_rows_survive_an_outage_of_postgresql(
    postgres_server: PostgresServer, postgres_url: str, end: str
) -> None:
    await run(postgres_url, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (7)")
    getattr(postgres_server, end)()
    with pytest.raises((OSError, OperationalError)):
        await run(postgres_url, "SELECT 1")
    postgres_server.start()
    assert await run(postgres_url, "SELECT n FROM t") == [7]


async def test_a_paused_postgresql_answers_after_it_is_resumed(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    postgres_server.pause()
    query = asyncio.create_task(run(postgres_url, "SELECT 1"))
    done, _ = await asyncio.wait([query], timeout=0.3)
    assert not done
    postgres_server.resume()
    async with asyncio.timeout(DEADLINE):
        assert await query == [1]


async def test_two_members_of_a_group_share_what_an_idempotent_producer_sent(kafka_bootstrap: str) -> None:
    topic, group = await create_topic(kafka_bootstrap, partitions=2), uuid4().hex
    async with (
        group_member(kafka_bootstrap, topic, group) as first,
        group_member(kafka_bootstrap, topic, group) as second,
    ):
        async with asyncio.timeout(DEADLINE):
            while len(first.assignment()) != 1 or len(second.assignment()) != 1:
                await asyncio.sleep(0.02)
        async with idempotent_producer(kafka_bootstrap) as producer:
            for number in range(10):
                await producer.send_and_wait(topic, str(number).encode(), partition=number % 2)
        received = await asyncio.gather(receive(first, 5), receive(second, 5))
    assert sorted(map(sorted, received)) == [[b"0", b"2", b"4", b"6", b"8"], [b"1", b"3", b"5", b"7", b"9"]]


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_records_and_offsets_survive_an_outage_of_the_broker(kafka_server: KafkaServer, end: str) -> None:
    if not kafka_server.durable:
        pytest.skip(f"{kafka_server.description} forgets everything when it ends")
    topic, group = await create_topic(kafka_server.bootstrap), uuid4().hex
    async with idempotent_producer(kafka_server.bootstrap) as producer:
        for value in (b"read before", b"read after"):
            await producer.send_and_wait(topic, value)
    async with group_member(kafka_server.bootstrap, topic, group) as member:
        assert await receive(member, 1) == [b"read before"]
        await member.commit()
    getattr(kafka_server, end)()
    assert not kafka_server.running
    kafka_server.start()
    async with group_member(kafka_server.bootstrap, topic, group) as member:
        assert await receive(member, 1) == [b"read after"]


async def test_a_producer_waits_out_a_paused_broker(kafka_server: KafkaServer) -> None:
    topic = await create_topic(kafka_server.bootstrap)
    async with idempotent_producer(kafka_server.bootstrap) as producer:
        await producer.send_and_wait(topic, b"before")
        kafka_server.pause()
        sending = asyncio.create_task(producer.send_and_wait(topic, b"during"))
        done, _ = await asyncio.wait([sending], timeout=0.3)
        assert not done
        kafka_server.resume()
        async with asyncio.timeout(DEADLINE):
            await sending
    async with group_member(kafka_server.bootstrap, topic, uuid4().hex) as member:
        assert await receive(member, 2) == [b"before", b"during"]
