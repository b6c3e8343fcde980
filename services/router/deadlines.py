"""Fires what falls due, within a second, once: claiming the row and its effect are one transaction (G5)."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.cases import Cases, NotFound
from services.router.domain import commands
from services.router.domain.arrivals import SYSTEM
from services.router.domain.decision import DeadlineKind
from services.router.raising import Raiser
from services.router.store import deadlines
from services.router.store.deadlines import Deadline
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import TransientError
from shared.observability import DEADLINE_LAG, DEADLINES_FIRED
from shared.runtime import sleep_or_stop

log = structlog.get_logger(__name__)

_LOOK_EVERY = timedelta(milliseconds=500)
_AFTER_OUTAGE = timedelta(seconds=1)
_AFTER_FAILURE = timedelta(minutes=1)


class Sweeper:
    def __init__(
        self, database: Database, cases: Cases, raiser: Raiser, clock: Clock, wake: Callable[[], None]
    ) -> None:
        self._database = database
        self._cases = cases
        self._raiser = raiser
        self._clock = clock
        self._wake = wake

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.sweep()
                pause = _LOOK_EVERY
            except TransientError as error:
                log.warning("sweep_postponed", why=str(error))
                pause = _AFTER_OUTAGE
            await sleep_or_stop(self._clock, pause, stop)

    async def sweep(self) -> int:
        """Fire everything that is due now; returns how many. One that cannot be handled does not hold up the rest."""
        fired = 0
        while (deadline := await self._fire_next(self._clock.now())) is not None:
            fired += 1
            DEADLINES_FIRED.labels(deadline.kind.value).inc()
            DEADLINE_LAG.observe(max(0.0, (self._clock.now() - deadline.due_at).total_seconds()))
        if fired:
            self._wake()
        return fired

    async def _fire_next(self, now: datetime) -> Deadline | None:
        deadline: Deadline | None = None
        try:
            async with self._database.transaction() as tx:
                deadline = await deadlines.claim_one(tx, now)
                if deadline is not None:
                    await self._effect(tx, deadline, now)
        except TransientError:
            raise
        except Exception:
            if deadline is None:
                raise
            log.exception("deadline_failed", deadline_id=deadline.id, case_id=deadline.case_id)
            async with self._database.transaction() as tx:
                await deadlines.postpone(tx, deadline.id, now + _AFTER_FAILURE)
        return deadline

    async def _effect(self, tx: AsyncConnection, deadline: Deadline, now: datetime) -> None:
        if deadline.kind is DeadlineKind.GRACE:
            await self._raiser.grace_over(tx, str(deadline.response_id), deadline.due_at, now)
            return
        command = commands.Fire(
            actor=SYSTEM,
            kind=deadline.kind.value,
            due_at=deadline.due_at,
            clock_id=deadline.clock_id,
            step=deadline.step,
        )
        try:
            await self._cases.apply(tx, str(deadline.case_id), command, now)
        except NotFound:
            log.error("deadline_without_case", deadline_id=deadline.id, case_id=deadline.case_id)
