"""A composition waits for what is not there yet, answers meanwhile, and closes in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.hosting.composition import Composition
from shared.bus.base import Bus
from shared.bus.eventlog import SqliteEventLog
from shared.clock import SystemClock
from shared.errors import BusUnavailable, ConfigurationError
from shared.events.catalog import all_topics
from shared.policy import Policy
from shared.runtime import Check, Loop, Runtime, Service
from shared.settings import AuthSettings, DatabaseSettings, Settings

NOW = datetime(2026, 5, 4, tzinfo=UTC)
PATIENCE = 10


class LateBus(SqliteEventLog):
    """A log whose broker is there only when `arrived` is set."""

    arrived: asyncio.Event

    async def start(self) -> None:
        if not self.arrived.is_set():
            raise BusUnavailable("nobody listens on 127.0.0.1:9092")
        await super().start()


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    settings = Settings(
        database=DatabaseSettings(url=f"sqlite+aiosqlite:///{tmp_path}/closeloop.db"),
        auth=AuthSettings(admin_token=SecretStr("token")),
    )
    bus = LateBus(tmp_path / "events.db", SystemClock())
    bus.arrived = asyncio.Event()
    return Runtime(settings, Policy(), SystemClock(), bus)


async def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


@asynccontextmanager
async def running(composition: Composition) -> AsyncIterator[httpx.AsyncClient]:
    """The app with its lifespan, as uvicorn would run it."""
    app, inbox, outbox = composition.app(), asyncio.Queue[dict[str, str]](), asyncio.Queue[dict[str, str]]()
    life = asyncio.create_task(app({"type": "lifespan", "state": {}}, inbox.get, outbox.put))  # type: ignore[arg-type]
    await inbox.put({"type": "lifespan.startup"})
    assert (await outbox.get())["type"] == "lifespan.startup.complete"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client
    await inbox.put({"type": "lifespan.shutdown"})
    assert (await outbox.get())["type"] == "lifespan.shutdown.complete"
    await life


def late(bus: Bus) -> LateBus:
    assert isinstance(bus, LateBus)
    return bus


async def test_until_the_broker_is_there_senders_are_told_to_come_back(runtime: Runtime) -> None:
    composition = Composition(runtime, [Service("greeter", routes=[Route("/hello", hello)])])
    async with running(composition) as client:
        await asyncio.sleep(0)
        assert (await client.get("/healthz")).status_code == 200
        ready = await client.get("/readyz")
        early = await client.get("/hello")
        assert (ready.status_code, early.status_code) == (503, 503)
        assert int(early.headers["retry-after"]) < 60

        late(runtime.bus).arrived.set()
        await asyncio.wait_for(composition.opened.wait(), PATIENCE)
        assert (await client.get("/hello")).text == "hello"
        assert (await client.get("/readyz")).status_code == 200
        assert [message async for message in runtime.bus.scan(all_topics()[0].name)] == []


async def test_the_open_door_of_health_quotes_no_driver(runtime: Runtime) -> None:
    async def ask() -> None:
        raise ValueError('password authentication failed for "closeloop"')

    late(runtime.bus).arrived.set()
    composition = Composition(runtime, [Service("greeter", checks=[Check("database", ask)])])
    async with running(composition) as client:
        await asyncio.wait_for(composition.opened.wait(), PATIENCE)
        told = (await client.get("/readyz")).json()["failures"]["database"]
    assert "ValueError" in told
    assert "password" not in told


async def test_what_can_never_succeed_ends_the_process_with_its_reason(runtime: Runtime) -> None:
    late(runtime.bus).arrived.set()
    failed: asyncio.Queue[Exception] = asyncio.Queue()

    async def prepare() -> None:
        raise ConfigurationError("run `closeloop db upgrade`")

    composition = Composition(runtime, [], failed=failed.put_nowait, prepare=prepare)
    async with running(composition):
        error = await asyncio.wait_for(failed.get(), PATIENCE)
    assert "db upgrade" in str(error)
    assert not composition.opened.is_set()


async def test_stopping_lets_the_loops_end_first_and_closes_in_reverse(runtime: Runtime) -> None:
    late(runtime.bus).arrived.set()
    story: list[str] = []

    def service(name: str) -> Service:
        async def work(stop: asyncio.Event) -> None:
            await stop.wait()
            await runtime.bus.ping()
            story.append(f"{name} committed")

        async def start() -> None:
            story.append(f"{name} started")

        async def close() -> None:
            story.append(f"{name} closed")

        return Service(name, loops=[Loop(name, work)], start=start, close=close)

    composition = Composition(runtime, [service("first"), service("second")])
    async with running(composition):
        await asyncio.wait_for(composition.opened.wait(), PATIENCE)
    assert story == [
        "first started", "second started", "first committed", "second committed", "second closed", "first closed",
    ]  # fmt: skip


async def test_a_service_that_cannot_close_leaves_nothing_open(runtime: Runtime) -> None:
    async def close() -> None:
        raise OSError("its file is gone")

    late(runtime.bus).arrived.set()
    composition = Composition(runtime, [Service("one", close=close)])
    await composition.open()
    with pytest.raises(OSError, match="its file is gone"):
        await composition.close()
    with pytest.raises(BusUnavailable):
        await runtime.bus.ping()


async def test_a_process_told_to_end_while_it_waits_ends(runtime: Runtime) -> None:
    composition = Composition(runtime, [Service("greeter")])
    async with running(composition) as client:
        assert (await client.get("/readyz")).status_code == 503
    assert not composition.opened.is_set()
