"""Nightly: where one notice stands twice, the later copy goes.

A repeat is only ever sent after three looks, but Slack promises nobody how soon its history shows a message: what the
looks could not find shows up later. One router at a time goes through all places written to since the last sweep; where
it ended is kept after each, so that another goes on from there.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter

from services.router.audit.facts import heartbeats
from services.router.channels.base import Channel, Gone, Outcome, Parked, RateLimited, Sent, Shelf, Standing
from services.router.store import leases, places
from services.router.store.places import Place
from shared import ids
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import TransientError
from shared.runtime import sleep_or_stop

log = structlog.get_logger(__name__)

SWEEP = "duplicate sweep"
REMOVED = Counter("closeloop_duplicates_removed_total", "Second copies of a message taken away by the nightly sweep")
# conversations.history, conversations.replies and chat.delete allow 50 calls a minute each; delivery looks as well.
PACE = timedelta(seconds=2)
_NIGHT = range(2, 6)  # hours UTC
_AT_LEAST, _LOOK_EVERY, _LEASE_FOR = timedelta(hours=6), timedelta(minutes=1), timedelta(minutes=10)
_FIRST_SINCE, _LONGEST_SINCE, _OVERLAP = timedelta(days=2), timedelta(days=7), timedelta(hours=1)
# An update under way may still name the copy that is to go: it shall have ended.
_UPDATES_END = timedelta(seconds=15)
_TRIES, _TRY_AGAIN = 3, timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Progress:
    """Of the sweep over [`since`, `until`): the last place done, the copies `removed`, and the places that could not be
    read or cleared (`unread`), so that the next sweep begins where this one did. `done` when it has ended."""

    since: str
    until: str
    channel: str = ""
    thread: str = ""
    removed: int = 0
    unread: int = 0
    done: bool = False

    @property
    def last(self) -> Place:
        return Place(self.channel, self.thread)

    def begins(self) -> datetime:
        return datetime.fromisoformat(self.since)

    def ends(self) -> datetime:
        return datetime.fromisoformat(self.until)


class Stopped(Exception):
    """The service ends; the rest is for whoever comes next."""


class DuplicateSweep:
    def __init__(self, database: Database, channel: Channel, clock: Clock, pace: timedelta = PACE) -> None:
        self._database = database
        self._channel = channel
        self._clock = clock
        self._pace = pace
        self._holder = ids.new_id()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.sweep_when_due(stop)
            except Stopped:
                return
            except TransientError as error:
                log.warning("duplicate_sweep_waits", why=str(error))
            await sleep_or_stop(self._clock, _LOOK_EVERY, stop)

    async def sweep_when_due(self, stop: asyncio.Event | None = None) -> Progress | None:
        """What the sweep came to; None when it is not time for one, or another router is at it. Raises Stopped."""
        now = self._clock.now()
        async with self._database.read() as connection:
            if _next(_progress(await heartbeats.last(connection, SWEEP)), now) is None:
                return None
        async with self._database.transaction() as tx:
            if not await leases.hold(tx, SWEEP, self._holder, now, _LEASE_FOR):
                return None
            # Read again under the lease: whoever had it may have got further.
            progress = _next(_progress(await heartbeats.last(tx, SWEEP)), now)
            if progress is None:
                return None
            await heartbeats.beat(tx, SWEEP, now, json.dumps(asdict(progress)))
        return await self._sweep(progress, stop or asyncio.Event())

    async def _sweep(self, progress: Progress, stop: asyncio.Event) -> Progress:
        async with self._database.read() as connection:
            found = await places.written_to(connection, progress.begins(), progress.ends())
        for place in (place for place in found if place > progress.last):
            removed, all_read = await self._clear(place, progress.begins(), stop)
            progress = replace(
                progress,
                channel=place.channel,
                thread=place.thread,
                removed=progress.removed + removed,
                unread=progress.unread + (not all_read),
            )
            if not await self._keep(progress):
                raise TransientError("another router has gone on with the sweep")
        progress = replace(progress, done=True)
        await self._keep(progress)
        log.info("duplicates_swept", places=len(found), removed=progress.removed, unread=progress.unread)
        return progress

    async def _keep(self, progress: Progress) -> bool:
        now = self._clock.now()
        async with self._database.transaction() as tx:
            if not await leases.hold(tx, SWEEP, self._holder, now, _LEASE_FOR):
                return False
            await heartbeats.beat(tx, SWEEP, now, json.dumps(asdict(progress)))
            if progress.done:
                await leases.release(tx, SWEEP, self._holder, now)
        return True

    async def _clear(self, place: Place, since: datetime, stop: asyncio.Event) -> tuple[int, bool]:
        """How many copies were taken away there, and whether all could be read and cleared."""
        standing = await self._read(place, since, stop)
        if standing is None:
            return 0, False
        copies = await self._copies(standing)
        if not copies:
            return 0, True
        if await self._point(place, copies):
            await self._rest(_UPDATES_END, stop)
        removed = 0
        for later, _ in copies:
            outcome = await self._remove(place, later, stop)
            removed += isinstance(outcome, Sent)
            if not isinstance(outcome, Sent | Gone):
                return removed, False
        return removed, True

    async def _read(self, place: Place, since: datetime, stop: asyncio.Event) -> Collection[Standing] | None:
        """None where it cannot be read."""
        found: dict[str, Standing] = {}
        cursor, tries = "", 0
        while True:
            await self._rest(self._pace, stop)
            page = await self._channel.standing(place.channel, place.thread or None, since, cursor)
            if isinstance(page, Shelf):
                found |= {message.ts: message for message in page.messages}
                cursor, tries = page.cursor, 0
                if not cursor:
                    return found.values()
                continue
            tries += 1
            if not await self._again(page, tries, stop):
                log.warning("place_not_swept", channel=place.channel, why=repr(page))
                # A channel that is closed to us will not be read tomorrow either.
                return () if isinstance(page, Parked) and not page.everywhere else None

    async def _copies(self, standing: Iterable[Standing]) -> list[tuple[Standing, Standing]]:
        """What is to go, each with the copy that stays: the earliest, but rather one that people answered to."""
        by_notice: defaultdict[str, list[Standing]] = defaultdict(list)
        for message in standing:
            by_notice[message.notice_id].append(message)
        twice = {notice_id: found for notice_id, found in by_notice.items() if len(found) > 1}
        if not twice:
            return []
        async with self._database.read() as connection:
            settled = await places.settled(connection, sorted(twice))
        pairs = []
        for notice_id in sorted(settled):
            kept, *rest = sorted(twice[notice_id], key=lambda one: (not one.answered, float(one.ts)))
            pairs += [(later, kept) for later in rest]
        return pairs

    async def _point(self, place: Place, copies: Iterable[tuple[Standing, Standing]]) -> bool:
        """First the rows, then Slack: a card whose message went would be posted again. Whether any row changed."""
        changed = False
        async with self._database.transaction() as tx:
            for later, kept in copies:
                changed |= await places.point_to(tx, place.channel, later.ts, kept.ts)
        return changed

    async def _remove(self, place: Place, message: Standing, stop: asyncio.Event) -> Outcome:
        for tries in range(1, _TRIES + 1):
            await self._rest(self._pace, stop)
            outcome = await self._channel.remove(place.channel, message.ts)
            if isinstance(outcome, Sent):
                REMOVED.inc()
                log.warning("duplicate_removed", notice=message.notice_id, channel=place.channel, ts=message.ts)
            if isinstance(outcome, Sent | Gone) or not await self._again(outcome, tries, stop):
                break
        return outcome

    async def _again(self, outcome: Outcome, tries: int, stop: asyncio.Event) -> bool:
        """Wait as the outcome asks; False when it makes no sense to try once more. Raises TransientError while Slack
        is down altogether."""
        if tries >= _TRIES and await self._channel.alive() is not None:
            raise TransientError("Slack does not answer; the sweep goes on from here")
        if isinstance(outcome, Parked) or tries >= _TRIES:
            return False
        await self._rest(timedelta(seconds=outcome.seconds) if isinstance(outcome, RateLimited) else _TRY_AGAIN, stop)
        return True

    async def _rest(self, span: timedelta, stop: asyncio.Event) -> None:
        if span:
            await sleep_or_stop(self._clock, span, stop)
        if stop.is_set():
            raise Stopped


def _progress(beat: heartbeats.Heartbeat | None) -> Progress | None:
    return Progress(**json.loads(beat.note)) if beat is not None and beat.note else None


def _next(before: Progress | None, now: datetime) -> Progress | None:
    """The sweep to go on with, or to begin now."""
    if before is not None and not before.done:
        return before
    if now.hour not in _NIGHT or (before is not None and now - before.ends() < _AT_LEAST):
        return None
    since = now - _FIRST_SINCE
    if before is not None:
        since = max(before.begins() if before.unread else before.ends() - _OVERLAP, now - _LONGEST_SINCE)
    return Progress(since.isoformat(), now.isoformat())
