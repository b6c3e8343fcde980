"""An alert that waits for Slack longer than was promised goes out by e-mail meanwhile; the card follows when it can.

A loop of its own, over rows: it holds whatever keeps Slack from taking messages, a stuck sender included. Any number of
routers may run it: of one notice everybody is mailed once.
"""

import asyncio
from collections.abc import Collection
from datetime import timedelta

import structlog

from services.router.delivery.undelivered import ALERTS, Undelivered
from services.router.store import mails, notices
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import TransientError
from shared.runtime import sleep_or_stop

log = structlog.get_logger(__name__)

_LOOK_EVERY = timedelta(seconds=5)
_AT_A_TIME = 50


class Silence:
    """`alert_within` is [sla] alert_within. `refusals` are the channel's words for taking nothing from us before a
    person puts something right: such a one is not waited for."""

    def __init__(
        self,
        database: Database,
        undelivered: Undelivered,
        clock: Clock,
        alert_within: timedelta,
        refusals: Collection[str] = (),
    ) -> None:
        self._database = database
        self._undelivered = undelivered
        self._clock = clock
        self._alert_within = alert_within
        self._refusals = refusals

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                if await self.break_it():
                    continue
            except TransientError as error:
                log.warning("silence_waits", error=str(error))
            await sleep_or_stop(self._clock, _LOOK_EVERY, stop)

    async def break_it(self) -> int:
        """Mail the next few; returns how many notices that was."""
        now = self._clock.now()
        async with self._database.read() as connection:
            refusal = await mails.refusal(connection, self._refusals)
            before = now if refusal else now - self._alert_within
            found = await mails.unheard(connection, ALERTS, before, _AT_A_TIME)
        why = f"Slack refuses our messages ({refusal})" if refusal else "Slack has not taken it yet"
        for notice_id in found:
            async with self._database.transaction() as tx:
                row = await notices.find(tx, notice_id)
                if row is not None and row.state != "sent":
                    await self._undelivered.waits(tx, row, why, now)
        return len(found)
