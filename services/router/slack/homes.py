"""Home tabs, published when opened, when a page is turned, and when the cases of whoever has one open change.

Which tabs are open is not stored: after a restart a tab is fresh when it is next opened, as Slack says each time. Of
several routers the one that published last keeps a tab fresh: the others' `hash` no longer fits, and they let go.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from services.router.channels.base import RateLimited, Unknown
from services.router.delivery.rates import Bucket
from services.router.domain.agenda import day_ends
from services.router.slack import home
from services.router.slack.actors import Actors, NotAllowed
from services.router.slack.client import SlackClient, data_of
from services.router.slack.errors import classify, code_of
from services.router.slack.interactions import SlackUser, Turn
from services.router.store import agendas, people
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import TransientError
from shared.runtime import sleep_or_stop

log = structlog.get_logger(__name__)

THROTTLE = timedelta(seconds=5)
_WATCHED_FOR = timedelta(hours=12)
_LOOK_EVERY = timedelta(seconds=1)
_READ_SECONDS = 2.0
# views.publish is tier 4, 100 a minute.
_BURST, _PER_SECOND = 20, 1.5


@dataclass
class _Open:
    """A tab somebody has open. `mark` is that of the cases it shows, None: not published yet; `hash` Slack's own."""

    page: int
    opened_at: datetime
    look_at: datetime
    mark: str | None = None
    hash: str = ""


@dataclass
class Homes:
    """`case_base` is the console's address; `hidden` what one person alone is not shown either."""

    database: Database
    clock: Clock
    client: SlackClient
    actors: Actors
    case_base: str | None = None
    hidden: Collection[str] = ()
    limits: bool = True
    _open: dict[str, _Open] = field(default_factory=dict)
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _rate: Bucket = field(default_factory=lambda: Bucket(_BURST, _PER_SECOND))
    _paused_until: datetime | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def opened(self, user_id: str) -> None:
        """Somebody looks at their tab: the first page, as it is now, beside the answer to the event."""
        self._show(user_id, 0)

    def turned(self, turn: Turn) -> None:
        """Somebody turned a page or acted on a case there: what they see follows at once."""
        self._show(turn.user.id, turn.page, turn.hash)

    def changed(self, user_id: str) -> None:
        """Somebody did something elsewhere: their tab, if open, is looked at as soon as the throttle allows."""
        found = self._open.get(user_id)
        if found is not None:
            found.look_at = min(found.look_at, self.clock.now() + THROTTLE)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.refresh()
            await sleep_or_stop(self.clock, _LOOK_EVERY, stop)

    async def refresh(self) -> None:
        """Publish again what has changed, each tab at most once in THROTTLE."""
        now = self.clock.now()
        for user_id, found in list(self._open.items()):
            if now - found.opened_at >= _WATCHED_FOR:
                self._forget(user_id)
            elif found.look_at <= now:
                await self._publish(user_id)

    async def close(self) -> None:
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=2)

    def _show(self, user_id: str, page: int, seen: str = "") -> None:
        now = self.clock.now()
        self._open[user_id] = _Open(page, now, now + THROTTLE)
        task = asyncio.create_task(self._publish(user_id, seen))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish(self, user_id: str, seen: str | None = None) -> None:
        """`seen` is the hash of what the person acted on; None: nobody did, only news are published."""
        async with self._locks[user_id]:
            found = self._open.get(user_id)
            if found is None:
                return
            found.look_at = self.clock.now() + THROTTLE
            try:
                await self._draw(user_id, found, seen)
            except NotAllowed as refusal:
                if seen is not None:
                    self._forget(user_id)
                    await self._call(user_id, home.refused(str(refusal)), "")
            except (TransientError, TimeoutError) as error:
                log.warning("home_waits", why=type(error).__name__)
            except Exception:
                log.exception("home_failed")

    async def _draw(self, user_id: str, found: _Open, seen: str | None) -> None:
        author = await self.actors.author(SlackUser(user_id))
        now = self.clock.now()
        midnight = day_ends(now, author.timezone)
        async with asyncio.timeout(_READ_SECONDS), self.database.read() as connection:
            agenda = await agendas.agenda(connection, author.email, now, midnight)
            if seen is None and agenda.mark == found.mark:
                return
            page = agenda.nearest_page(found.page)
            items = await agendas.page_of(connection, author.email, now, midnight, page)
            named = {view.case.owner for _, view in items}
            mentions = await people.slack_ids(connection, sorted(named))
        # Twenty long comments to mask would keep everything else waiting.
        view = await asyncio.to_thread(home.home, agenda, items, page, now, mentions, self.case_base, self.hidden)
        known = found.hash if seen is None else seen
        published = await self._call(user_id, view, known, insist=seen is not None)
        if published is not None:
            found.mark, found.hash, found.page = agenda.mark, published, page

    async def _call(self, user_id: str, view: dict[str, Any], known_hash: str, insist: bool = True) -> str | None:
        """The hash of what is on display; None when it is not, yet. With `insist` a hash that no longer fits is left
        out: what is published was read after it."""
        if not self._may():
            return None
        more = {"hash": known_hash} if known_hash else {}
        try:
            answer = data_of(await self.client.web.views_publish(user_id=user_id, view=view, **more))
            return str((answer.get("view") or {}).get("hash") or "")
        except Exception as error:
            if isinstance(error, SlackApiError) and code_of(error) == "hash_conflict":
                if insist:
                    return await self._call(user_id, view, "")
                self._forget(user_id)
                return None
            self._judge(user_id, error)
            return None

    def _judge(self, user_id: str, error: Exception) -> None:
        outcome = classify(error)
        if isinstance(outcome, RateLimited):
            self._paused_until = self.clock.now() + timedelta(seconds=outcome.seconds)
        elif not isinstance(outcome, Unknown) and isinstance(error, SlackApiError):
            self._forget(user_id)
        log.warning("home_not_published", error=code_of(error) if isinstance(error, SlackApiError) else repr(outcome))

    def _may(self) -> bool:
        now = self.clock.now()
        if self._paused_until is not None and now < self._paused_until:
            return False
        if not self.limits:
            return True
        if self._rate.wait(now) > 0:
            return False
        self._rate.take()
        return True

    def _forget(self, user_id: str) -> None:
        self._open.pop(user_id, None)
