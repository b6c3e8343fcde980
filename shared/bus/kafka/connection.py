"""How Kafka is reached: addresses, TLS and SASL from the settings, and what its errors mean to us."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context

from shared.errors import BusUnavailable, ConfigurationError
from shared.settings import BusSettings

REQUEST_TIMEOUT = timedelta(seconds=10)
_BROKER = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):\d{1,5}")


def brokers_of(url: str) -> list[str]:
    """`kafka://host:9092,host:9092` -> its brokers. Raises ConfigurationError."""
    scheme, _, rest = url.partition("://")
    brokers = [broker.strip() for broker in rest.rstrip("/").split(",")]
    if scheme != "kafka" or not all(_BROKER.fullmatch(broker) for broker in brokers):
        raise ConfigurationError("CLOSELOOP_BUS__URL: write kafka://host:9092,host:9092, each with its port")
    return brokers


def client_options(settings: BusSettings, patience: timedelta = REQUEST_TIMEOUT) -> dict[str, Any]:
    """What every aiokafka client is given. Raises ConfigurationError."""
    options: dict[str, Any] = {
        "bootstrap_servers": brokers_of(settings.url),
        "security_protocol": settings.security_protocol,
        "request_timeout_ms": int(patience.total_seconds() * 1000),
    }
    if settings.security_protocol.startswith("SASL"):
        if settings.username is None or settings.password is None:
            raise ConfigurationError("CLOSELOOP_BUS__USERNAME and CLOSELOOP_BUS__PASSWORD are needed for SASL")
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.username,
            "sasl_plain_password": settings.password.get_secret_value(),
        }
    if settings.security_protocol.endswith("SSL"):
        try:
            options["ssl_context"] = create_ssl_context(
                cafile=_text(settings.ca_file), certfile=_text(settings.cert_file), keyfile=_text(settings.key_file)
            )
        except OSError as error:  # ssl.SSLError is one
            raise ConfigurationError(f"CLOSELOOP_BUS__CA_FILE, CERT_FILE or KEY_FILE: {error}") from error
    return options


def _text(path: object) -> str | None:
    return None if path is None else str(path)


def unavailable(error: BaseException) -> BusUnavailable:
    return BusUnavailable(f"Kafka does not answer: {type(error).__name__}")


@asynccontextmanager
async def answering(patience: timedelta = REQUEST_TIMEOUT) -> AsyncIterator[None]:
    """Turns Kafka's errors, and silence for longer than `patience`, into BusUnavailable."""
    try:
        async with asyncio.timeout(patience.total_seconds()):
            yield
    except (KafkaError, TimeoutError, OSError) as error:
        raise unavailable(error) from error
