"""The ingest service alone, in memory: its app on a fake log, with a clock that stands still."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from services.ingest.app import build
from shared.clock import ManualClock
from shared.errors import BusUnavailable
from shared.events.envelope import Message, Record
from shared.policy import Policy
from shared.runtime import Runtime, Service
from shared.settings import Settings
from shared.web import Lanes, create_app
from tests.support.signing import PUBLIC_URL, WHSEC

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADMIN = "test-admin-token"
SECRETS = {"standard": WHSEC, "formbricks": WHSEC}


@dataclass
class FakeLog:
    """Keeps what is published; `down` makes it refuse."""

    records: list[Record] = field(default_factory=list)
    down: bool = False

    async def publish(self, records: Sequence[Record]) -> None:
        if self.down:
            raise BusUnavailable("the log does not answer")
        self.records.extend(records)

    async def ping(self) -> None:
        if self.down:
            raise BusUnavailable("the log does not answer")

    def of(self, topic: str) -> list[Record]:
        return [record for record in self.records if record.topic == topic]


@dataclass
class Ingest:
    """The running service: post to `http`, look into `log`, turn `clock`."""

    http: httpx.AsyncClient
    log: FakeLog
    clock: ManualClock
    runtime: Runtime
    service: Service


def secret_of(source: str) -> str:
    """The secret a source has in these tests unless told otherwise."""
    return SECRETS.get(source, f"test-{source}-secret")


def _app(settings: Settings, service: Service) -> Lanes:
    return Lanes(create_app(settings, [service]), [service])


@asynccontextmanager
async def running_ingest(
    *sources: str,
    secrets: dict[str, str] | None = None,
    options: dict[str, dict[str, Any]] | None = None,
    routing: dict[str, Any] | None = None,
    now: datetime = NOW,
    public_url: str = PUBLIC_URL,
) -> AsyncIterator[Ingest]:
    """The service with these sources switched on; `options` is `[sources.*]`, `routing` `[routing]` of the policy."""
    found = {name: secret_of(name) for name in sources} | (secrets or {})
    settings = Settings(
        _env_file=None,
        auth={"admin_token": ADMIN},
        http={"public_url": public_url},
        sources={name: {"secret": secret} for name, secret in found.items()},
    )
    log, clock = FakeLog(), ManualClock(now)
    runtime = Runtime(settings, Policy(sources=options or {}, routing=routing or {}), clock, log)
    service = build(runtime)
    transport = httpx.ASGITransport(_app(settings, service), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=public_url) as http:
        yield Ingest(http, log, clock, runtime, service)


def as_message(record: Record, offset: int = 0, time: datetime = NOW) -> Message:
    """A record as the log would hand it out."""
    return Message(record.topic, 0, offset, record.key, record.value, record.headers, time)
