"""Which bus a URL means, and what a wrong one is answered."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.bus.connect import create_bus
from shared.bus.eventlog import SqliteEventLog
from shared.bus.kafka import KafkaBus
from shared.bus.kafka.connection import client_options
from shared.clock import SystemClock
from shared.errors import ConfigurationError
from shared.settings import BusSettings, DatabaseSettings, Settings

POSTGRES = "postgresql+asyncpg://localhost/closeloop"


def settings(bus: str, database: str = "sqlite+aiosqlite:///var/closeloop.db") -> Settings:
    return Settings(bus=BusSettings(url=bus), database=DatabaseSettings(url=database))


@pytest.mark.parametrize(
    ("bus", "database", "path"),
    [
        ("embedded://", "sqlite+aiosqlite:///var/closeloop.db", "var/events.db"),
        ("embedded://", "sqlite+aiosqlite:////srv/closeloop/main.db?cache=shared", "/srv/closeloop/events.db"),
        ("embedded:///srv/log.db", POSTGRES, "/srv/log.db"),
    ],
)
def test_the_embedded_log_lies_beside_the_database(bus: str, database: str, path: str) -> None:
    made = create_bus(settings(bus, database), SystemClock())
    assert isinstance(made, SqliteEventLog)
    assert made.path == Path(path)


def test_kafka_is_chosen_by_its_scheme() -> None:
    assert isinstance(create_bus(settings("kafka://one:9092,two:9093"), SystemClock()), KafkaBus)
    options = client_options(BusSettings(url="kafka://one:9092, [::1]:9093/"))
    assert options["bootstrap_servers"] == ["one:9092", "[::1]:9093"]


@pytest.mark.parametrize(
    ("bus", "database"),
    [
        ("rabbit://host", "sqlite+aiosqlite:///var/closeloop.db"),
        ("", "sqlite+aiosqlite:///var/closeloop.db"),
        ("kafka://", "sqlite+aiosqlite:///var/closeloop.db"),
        ("kafka://host", "sqlite+aiosqlite:///var/closeloop.db"),
        ("embedded://", POSTGRES),
        ("embedded://", "sqlite+aiosqlite:///:memory:"),
    ],
)
def test_a_url_that_means_nothing_names_the_setting(bus: str, database: str) -> None:
    with pytest.raises(ConfigurationError, match="CLOSELOOP_BUS__URL"):
        create_bus(settings(bus, database), SystemClock())


def test_sasl_and_tls_come_from_the_settings() -> None:
    options = client_options(
        BusSettings(
            url="kafka://host:9093",
            security_protocol="SASL_SSL",
            sasl_mechanism="SCRAM-SHA-512",
            username="closeloop",
            password=SecretStr("hidden"),
        )
    )
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["sasl_plain_password"] == "hidden"
    assert options["ssl_context"].check_hostname


def test_missing_credentials_and_certificates_are_named() -> None:
    with pytest.raises(ConfigurationError, match="CLOSELOOP_BUS__USERNAME"):
        client_options(BusSettings(url="kafka://host:9092", security_protocol="SASL_PLAINTEXT"))
    with pytest.raises(ConfigurationError, match="CLOSELOOP_BUS__CA_FILE"):
        client_options(BusSettings(url="kafka://host:9092", security_protocol="SSL", ca_file=Path("missing.pem")))
