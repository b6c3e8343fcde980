"""Pytest fixtures of the servers: started when first asked for, once a session, gone when it ends or is killed."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import kafka
from tests.support.postgres import PostgresDatabases, PostgresServer, named_server
from tests.support.processes import Unavailable, guarded_directory

POSTGRES = "CLOSELOOP_TEST_POSTGRES"
KAFKA = "CLOSELOOP_TEST_KAFKA"
USED = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def services_home() -> Iterator[Path]:
    """A directory; whatever process works in it is ended with the session."""
    with guarded_directory("closeloop-tests-") as home:
        yield home


@pytest.fixture(scope="session")
def session_postgres(request: pytest.FixtureRequest) -> Iterator[PostgresDatabases]:
    """The server all tests share; ask for `postgres_url` or `postgres_server` instead."""
    if POSTGRES in os.environ:
        yield named_server(os.environ[POSTGRES])
        return
    try:
        server = PostgresServer(request.getfixturevalue("services_home") / "postgres", durable=False)
        server.start()
    except Unavailable as reason:
        pytest.skip(f"no PostgreSQL: {reason}")
    request.config.stash.setdefault(USED, []).append(server.description)
    yield server
    server.stop()


@pytest.fixture
def postgres_server(session_postgres: PostgresDatabases) -> Iterator[PostgresServer]:
    """Our PostgreSQL server, for tests that stop, kill or pause it; it runs again afterwards."""
    if not isinstance(session_postgres, PostgresServer):
        pytest.skip(f"needs a PostgreSQL it may stop, and {POSTGRES} names a foreign one")
    yield session_postgres
    up_again(session_postgres)


@pytest.fixture
def postgres_database(session_postgres: PostgresDatabases) -> Iterator[str]:
    """The name of a fresh, empty database, dropped after the test."""
    name = session_postgres.create_database()
    yield name
    up_again(session_postgres)
    session_postgres.drop_database(name)


@pytest.fixture
def postgres_url(session_postgres: PostgresDatabases, postgres_database: str) -> str:
    """`postgresql+asyncpg://...` of a fresh, empty database, dropped after the test."""
    return session_postgres.url(postgres_database)


@pytest.fixture(scope="session")
def session_kafka(request: pytest.FixtureRequest) -> Iterator[kafka.KafkaServer]:
    """The broker all tests share; ask for `kafka_bootstrap` or `kafka_server` instead."""
    try:
        server = kafka.kafka_server(request.getfixturevalue("services_home") / "kafka")
        server.start()
    except Unavailable as reason:
        pytest.skip(f"no Kafka: {reason}")
    request.config.stash.setdefault(USED, []).append(server.description)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kafka_bootstrap(request: pytest.FixtureRequest) -> str:
    """`host:port` of a Kafka broker that all tests share: make topic and group names unique, create topics yourself."""
    if KAFKA in os.environ:
        return os.environ[KAFKA].removeprefix("kafka://")
    return request.getfixturevalue("session_kafka").bootstrap


@pytest.fixture
def kafka_server(request: pytest.FixtureRequest) -> Iterator[kafka.KafkaServer]:
    """Our Kafka broker, for tests that stop, kill or pause it; it runs again afterwards."""
    if KAFKA in os.environ:
        pytest.skip(f"needs a Kafka it may stop, and {KAFKA} names a foreign one")
    server: kafka.KafkaServer = request.getfixturevalue("session_kafka")
    yield server
    up_again(server)


def up_again(server: PostgresDatabases | kafka.KafkaServer) -> None:
    """Undo what a test did to a shared server: resume it when paused, start it when stopped."""
    if isinstance(server, PostgresServer | kafka.KafkaServer):
        server.resume()
        server.start()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch Kafka before the first test, so that the download counts against no test's time limit."""
    needed = any({"kafka_bootstrap", "kafka_server"} & set(getattr(item, "fixturenames", [])) for item in session.items)
    if not needed or session.config.option.collectonly or KAFKA in os.environ:
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    try:
        kafka.kafka_libraries(reporter.write_line if reporter else print)
    except Unavailable:
        return  # the fixture says so, test by test


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which servers the tests ran against: a stand-in should not go unnoticed."""
    for description in terminalreporter.config.stash.get(USED, []):
        terminalreporter.write_line(f"ran against {description}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """What was imported lives as long as we do: collecting garbage need not look at it again after every test."""
    gc.collect()
    gc.freeze()
