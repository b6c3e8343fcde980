"""Puts services together behind one app: opens the outside world in order, keeps trying, and closes in reverse."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import TransientError
from shared.events.catalog import all_topics
from shared.runtime import Check, Runtime, Service, Supervisor
from shared.web import Lanes, create_app, unavailable

log = structlog.get_logger(__name__)

FIRST_PAUSE = timedelta(milliseconds=200)
LONGEST_PAUSE = timedelta(seconds=5)
_OPEN_FROM_THE_START = ("/healthz", "/readyz", "/sandbox")


@dataclass
class Composition:
    """The services of one process. `prepare` comes before they start; `failed` is called with an error that trying
    again cannot cure."""

    runtime: Runtime
    services: Sequence[Service]
    failed: Callable[[Exception], None] = lambda error: None
    prepare: Callable[[], Awaitable[None]] | None = None
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting_for: str = "starting"
    _started: list[Service] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._supervisor = Supervisor(self.runtime.clock)

    def app(self) -> ASGIApp:
        """The app of all services; until everything is open it answers 503, but for health and the sandbox."""
        opening = Service("composition", checks=[Check("started", self._ask_started)])
        services = [*self.services, opening]
        return Gate(Lanes(create_app(self.runtime.settings, services, self._lifespan), services), self)

    @property
    def waiting_for(self) -> str:
        """What keeps the services from being open, in words."""
        return self._waiting_for

    async def open(self) -> None:
        """Connect, state the topics, start the services and their loops. Tries again for as long as it can help."""
        bus = self.runtime.bus
        await self._try("the event log", bus.start)
        await self._try("the topics of the event log", lambda: bus.ensure_topics(all_topics()))
        if self.prepare is not None:
            await self._try("the database", self.prepare)
        for service in self.services:
            await self._try(f"the start of {service.name}", service.start)
            self._started.append(service)
        self._supervisor.start([loop for service in self.services for loop in service.loops])
        self.opened.set()
        log.info("open", services=[service.name for service in self.services])

    async def close(self) -> None:
        """Let every loop finish and commit the work in hand, then disconnect."""
        async with AsyncExitStack() as closing:  # last in, first out, and each though another fails
            if self.runtime.database is not None:
                closing.push_async_callback(self.runtime.database.close)
            closing.push_async_callback(self.runtime.bus.stop)
            for service in self._started:
                closing.push_async_callback(service.close)
            await self._supervisor.shut_down()
        log.info("closed")

    async def _try(self, what: str, step: Callable[[], Awaitable[None]]) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                return await step()
            except TransientError as error:
                self._waiting_for = f"waiting for {what}: {error}"
                log.warning("waiting", what=what, error=str(error), again_in_s=pause.total_seconds())
                await self.runtime.clock.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _open_or_fail(self) -> None:
        try:
            await self.open()
        except Exception as error:
            self.failed(error)

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        # In the background, so that /healthz and /readyz tell what we wait for while a broker is not there yet.
        opening = asyncio.create_task(self._open_or_fail(), name="open")
        try:
            yield
        finally:
            opening.cancel()
            with suppress(asyncio.CancelledError):
                await opening
            await self.close()

    async def _ask_started(self) -> None:
        if not self.opened.is_set():
            raise TransientError(self._waiting_for)


class Gate:
    """Answers 503 with Retry-After in place of an app that is not open yet, so that senders try again."""

    def __init__(self, app: ASGIApp, composition: Composition) -> None:
        self._app = app
        self._composition = composition

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shut = scope["type"] == "http" and not self._composition.opened.is_set()
        if shut and not scope["path"].startswith(_OPEN_FROM_THE_START):
            await unavailable(self._composition.waiting_for)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
