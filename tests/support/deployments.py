"""Fixtures that run a whole Closeloop: `deployments` starts one in either mode, and ends it with its test or module."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from migrations import schema
from shared.db.engine import Database
from shared.events.catalog import TOPICS, dead
from shared.settings import DatabaseSettings
from tests.support.blocking import wait_for
from tests.support.deployment import Backing, Deployment
from tests.support.fixtures import KAFKA

MODES = [
    pytest.param("embedded", id="embedded"),
    pytest.param("distributed", id="distributed", marks=[pytest.mark.kafka, pytest.mark.postgres]),
]
OUR_TOPICS = {name for topic in TOPICS for name in (topic.name, dead(topic.name).name)}
Deploy = Callable[..., Deployment]


@pytest.fixture
def deploy(request: pytest.FixtureRequest, services_home: Path) -> Iterator[Deploy]:
    """`deploy(mode, policy, people)` starts a Closeloop that ends with the test."""
    with ExitStack() as stack:
        yield lambda *arguments, **settings: _deploy(request, services_home, stack, *arguments, **settings)


@pytest.fixture(scope="module")
def deploy_for_module(request: pytest.FixtureRequest, services_home: Path) -> Iterator[Deploy]:
    """The same for all tests of a module."""
    with ExitStack() as stack:
        yield lambda *arguments, **settings: _deploy(request, services_home, stack, *arguments, **settings)


def _deploy(
    request: pytest.FixtureRequest,
    services_home: Path,
    stack: ExitStack,
    mode: str,
    policy: str = "",
    people: tuple[str, ...] = (),
    **settings: str,
) -> Deployment:
    home = services_home / f"{mode}-{secrets.token_hex(4)}"
    backing = _embedded(home) if mode == "embedded" else _distributed(request, stack)
    deployment = Deployment(home, backing, policy, people, **settings)
    stack.callback(deployment.stop)
    return deployment.start()


def _embedded(home: Path) -> Backing:
    return Backing(f"sqlite+aiosqlite:///{home}/var/closeloop.db", f"embedded://{home}/var/events.db")


def _distributed(request: pytest.FixtureRequest, stack: ExitStack) -> Backing:
    postgres = request.getfixturevalue("session_postgres")
    bootstrap = request.getfixturevalue("kafka_bootstrap")
    if KAFKA in os.environ:
        if wait_for(our_topics(bootstrap)):
            pytest.skip(f"{KAFKA} holds the topics of a Closeloop, and they would be emptied")
        stack.callback(lambda: wait_for(forget_topics(bootstrap)))
    name = postgres.create_database()
    stack.callback(postgres.drop_database, name)
    wait_for(_prepare(postgres.url(name), bootstrap))
    needed = {} if KAFKA in os.environ else request.getfixturevalue("session_kafka").client_environment()
    return Backing(postgres.url(name), f"kafka://{bootstrap}", needed)


async def _prepare(url: str, bootstrap: str) -> None:
    database = Database(DatabaseSettings(url=url))
    try:
        await schema.upgrade(database)
    finally:
        await database.close()
    await forget_topics(bootstrap)


async def our_topics(bootstrap: str) -> list[str]:
    """Those of our topics that the broker has."""
    async with admin_of(bootstrap) as admin:
        return sorted(OUR_TOPICS & set(await admin.list_topics()))


async def forget_topics(bootstrap: str) -> None:
    """Delete our topics, and with them what groups have read of them: each deployment begins with an empty log."""
    async with admin_of(bootstrap) as admin, asyncio.timeout(20):
        while found := sorted(OUR_TOPICS & set(await admin.list_topics())):
            await admin.delete_topics(found)
            await asyncio.sleep(0.1)


@asynccontextmanager
async def admin_of(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client of the broker."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
