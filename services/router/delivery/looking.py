"""Looks for messages whose answer was lost, at 2, 10 and 25 s after the call ended, before they are sent again."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.channels.base import Channel, NotSent, Unknown
from services.router.delivery.rates import Call
from services.router.delivery.results import Looked
from services.router.delivery.settling import LOOKS
from services.router.delivery.underway import Underway
from services.router.store import notices
from services.router.store.notices import Row

# One every five seconds, and fewer while the breaker is open: between five and ten minutes.
MOST_FAILURES = 60


@dataclass
class Looker:
    desk: Underway
    channel: Channel
    _doubtful: dict[str, Row] = field(default_factory=dict)
    _failed: Counter[str] = field(default_factory=Counter)

    @property
    def places(self) -> set[str | None]:
        return {row.destination for row in self._doubtful.values()}

    async def take_over(self, tx: AsyncConnection, now: datetime, timeout: timedelta) -> None:
        """What a router before us was sending may have arrived: it is looked for, at once for a start, and never just
        sent again. Its call ended at the latest when `timeout` had passed."""
        self._doubtful.clear()
        for row in await notices.unsettled(tx):
            if row.id in self.desk.in_hand:
                continue
            if row.state == "sending":
                ended = row.attempt_ended_at or (row.attempt_started_at or now) + timeout
                await notices.doubt(tx, row.id, ended, now, "the router ended before the answer came")
                row = replace(row, state="uncertain", attempt_ended_at=ended, not_before=now)
            self._doubtful[row.id] = row

    async def refresh(self, connection: AsyncConnection, notice_ids: Iterable[str]) -> None:
        """Take these up, or let go of them, as the database has them now."""
        for notice_id in notice_ids:
            row = await notices.find(connection, notice_id)
            if row is not None and row.state == "uncertain":
                self._doubtful[notice_id] = row
            else:
                self._doubtful.pop(notice_id, None)
                self._failed.pop(notice_id, None)

    def start(self) -> None:
        """Begin the looks that are due."""
        now = self.desk.clock.now()
        for row in list(self._doubtful.values()):
            if row.id in self.desk.in_hand or (row.not_before is not None and row.not_before > now):
                continue
            if row.looks >= len(LOOKS):
                self.desk.add(Looked(row, None, now))
                continue
            if self.desk.rates.wait(Call.LOOK, now) > 0:
                continue
            self.desk.rates.take(Call.LOOK)
            self.desk.in_hand.add(row.id)
            self.desk.spawn(self._look(row))

    async def _look(self, row: Row) -> None:
        since = row.attempt_started_at or row.created_at
        outcome = await self.channel.look(row.id, str(row.destination), row.thread_ts, since)
        if outcome is not None:
            self.desk.judge(outcome, Call.LOOK)
        if isinstance(outcome, Unknown | NotSent):
            self._failed[row.id] += 1
            # Whether it is there stays unknowable, and all that comes after it in its place waits.
            outcome = outcome if self._failed[row.id] < MOST_FAILURES else None
        else:
            self._failed.pop(row.id, None)
        self.desk.add(Looked(row, outcome, self.desk.clock.now()))
