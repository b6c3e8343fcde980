"""What a service is given (Runtime), what it gives back (Service), and how its loops are kept running."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from shared.bus.base import Bus
from shared.clock import Clock
from shared.db.engine import Database
from shared.observability import LOOP_RESTARTS
from shared.policy import Policy
from shared.settings import Settings

log = structlog.get_logger(__name__)
_RESTART_AFTER = timedelta(seconds=1)


@dataclass(frozen=True)
class Runtime:
    """The outside world of a service. `database` is None for the stateless ones."""

    settings: Settings
    policy: Policy
    clock: Clock
    bus: Bus
    database: Database | None = None


@dataclass(frozen=True)
class Check:
    """One question of /readyz and `closeloop doctor`: `ask` raises, and the error's text says what to do."""

    name: str
    ask: Callable[[], Awaitable[None]]
    needed_for_ready: bool = True


@dataclass(frozen=True)
class Loop:
    """Work that goes on until `stop` is set; it returns only then."""

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]


async def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Service:
    """`lanes` are doors by path prefix that are served ahead of the framework, for those where it would cost more
    than the work itself."""

    name: str
    routes: Sequence[BaseRoute] = ()
    lanes: Mapping[str, ASGIApp] = field(default_factory=dict)
    loops: Sequence[Loop] = ()
    checks: Sequence[Check] = ()
    start: Callable[[], Awaitable[None]] = _nothing
    close: Callable[[], Awaitable[None]] = _nothing


@dataclass
class Supervisor:
    """Runs the loops of services; one that fails is logged and started again, so that no bug stops the others."""

    clock: Clock
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, loops: Sequence[Loop]) -> None:
        self._tasks += [asyncio.create_task(self._keep(loop), name=loop.name) for loop in loops]

    async def shut_down(self, patience: timedelta = timedelta(seconds=10)) -> None:
        """Ask every loop to end after the work in hand; cancel what has not by `patience` of wall time."""
        self.stop.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=patience.total_seconds())
        for task in late:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._tasks.clear()

    async def _keep(self, loop: Loop) -> None:
        while not self.stop.is_set():
            try:
                await loop.run(self.stop)
                return
            except (Exception, asyncio.CancelledError) as error:
                # A cancelled task within the loop is an error like any other; it must not end the loop unseen.
                if isinstance(error, asyncio.CancelledError) and self._cancelled():
                    raise
                LOOP_RESTARTS.labels(loop.name).inc()
                log.exception("loop_failed", loop=loop.name)
                await asyncio.sleep(_RESTART_AFTER.total_seconds())

    @staticmethod
    def _cancelled() -> bool:
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0


async def sleep_or_stop(clock: Clock, span: timedelta, stop: asyncio.Event) -> bool:
    """Return when `span` has passed on the clock or `stop` is set, whichever comes first; whether it is set."""
    waiters = [asyncio.ensure_future(clock.sleep(span)), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)
    return stop.is_set()
