"""Sends what the outbox holds: every notice is seen once (G7), in order per channel, within Slack's rates.

One router at a time holds the sender's lease. What it is about to send it writes down first; a call whose answer is
lost is looked for before it is made again.
"""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from services.router.cases import Cases
from services.router.channels.base import Channel, Unknown
from services.router.delivery.addressing import AddressBook
from services.router.delivery.drafting import Drafts
from services.router.delivery.looking import Looker
from services.router.delivery.rates import Rates
from services.router.delivery.results import Looked, Lost, Posted, Result, Updated
from services.router.delivery.sending import Sender
from services.router.delivery.settling import Settler
from services.router.delivery.undelivered import Undelivered
from services.router.delivery.underway import Underway
from services.router.delivery.updating import Updater
from services.router.store import leases, notices
from shared import ids
from shared.db.engine import Database
from shared.errors import TransientError
from shared.observability import NOTICE_QUEUE_AGE
from shared.runtime import Runtime, sleep_or_stop

log = structlog.get_logger(__name__)

LEASE = "slack"
LEASE_FOR = timedelta(seconds=10)
POLL = timedelta(seconds=0.25)
_BREATH_SECONDS = 0.02
"""Before a look that something new gave rise to: more comes with it, and one look serves all."""
_RENEW_WHEN_LEFT = timedelta(seconds=6)
_AFTER_OUTAGE = timedelta(seconds=1)
_AGE_EVERY = timedelta(seconds=1)
_UNPARK_EVERY = timedelta(minutes=1)
_LAST_TRIES = 10


class Delivery:
    """`wake` is set by whoever committed a notice in this process; those of other processes are found within POLL."""

    def __init__(
        self, runtime: Runtime, database: Database, cases: Cases, channel: Channel, wake: asyncio.Event
    ) -> None:
        slack = runtime.settings.slack
        self._clock, self._database, self._channel = runtime.clock, database, channel
        self._timeout = timedelta(seconds=slack.timeout_seconds)
        self._settler = Settler(database, cases, Undelivered(cases, runtime.policy, runtime.settings.smtp))
        self.desk = Underway(runtime.clock, Rates(slack.rate_limits), wake)
        self._book = AddressBook(channel, runtime.policy.routing, runtime.clock, self.desk.rates, wake)
        drafts = Drafts(self._book, runtime.clock, runtime.policy, runtime.settings.http.public_url)
        self._sender = Sender(self.desk, self._book, channel, drafts, lambda: self._looker.places)
        self._updater = Updater(self.desk, self._book, channel, drafts)
        self._looker = Looker(self.desk, channel)
        self._holder = ids.new_id()
        self._lease_until: datetime | None = None
        self._unpark_at: datetime | None = None
        self._age_at: datetime | None = None
        self._pausing = False
        self._settling: asyncio.Task[None] | None = None

    @property
    def at_rest(self) -> bool:
        """Nothing is under way, and nothing is known that could be done before time passes."""
        waits = self._pausing and not self.desk.wake.is_set() and (self._settling is None or self._settling.done())
        return waits and self.desk.is_idle and not self._book.is_asking

    async def run(self, stop: asyncio.Event) -> None:
        """Returns once `stop` is set and the calls under way are written down."""
        self._lease_until = None  # what a failed run left behind is taken up like a stranger's
        try:
            while not stop.is_set():
                self.desk.wake.clear()
                try:
                    again = await self._round()
                except TransientError as error:
                    log.warning("delivery_waits", error=str(error))
                    again = False
                    await sleep_or_stop(self._clock, _AFTER_OUTAGE, stop)
                if not again:
                    await self._pause(stop)
        finally:
            await self._finish()

    async def _round(self) -> bool:
        """One look at everything; True when something was done, so that there may be more."""
        self._start_settling()
        if not await self._lead():
            return False
        await self._show_age()
        if self.desk.breaker.is_open:
            await self._probe()
            return False
        self._looker.start()
        await self._remember_people()
        sent = await self._send()
        async with self._database.read() as connection:
            await self._updater.start(connection)
        await self._unpark()
        return sent

    async def _show_age(self) -> None:
        """How long the oldest notice waits, also while Slack is down and none is chosen."""
        now = self._clock.now()
        if self._age_at is not None and self._age_at <= now < self._age_at + _AGE_EVERY:
            return
        self._age_at = now
        async with self._database.read() as connection:
            oldest = await notices.oldest_waiting(connection)
        NOTICE_QUEUE_AGE.set(max(0.0, (now - oldest).total_seconds()) if oldest is not None else 0.0)

    async def _send(self) -> bool:
        async with self._database.read() as connection:
            picks = await self._sender.choose(connection)
        if not picks:
            return False
        now = self._clock.now()
        async with self._database.transaction(urgent=True) as tx:
            if not await leases.hold(tx, LEASE, self._holder, now, LEASE_FOR):
                self._lease_until = None
                return False
            claimed = await self._sender.claim(tx, picks)
        self._lease_until = now + LEASE_FOR
        self._sender.send(claimed)
        return bool(claimed)

    async def _lead(self) -> bool:
        """Whether this router is the one that sends."""
        now = self._clock.now()
        if self._lease_until is not None and self._lease_until - now > _RENEW_WHEN_LEFT:
            return True
        lapsed = self._lease_until is None or self._lease_until <= now
        async with self._database.transaction(urgent=True) as tx:
            held = await leases.hold(tx, LEASE, self._holder, now, LEASE_FOR)
            if held and lapsed:
                await self._looker.take_over(tx, now, self._timeout)
                await notices.hasten(tx, now)
                await notices.collapse_calls(tx)
        self._lease_until = now + LEASE_FOR if held else None
        return held

    async def _remember_people(self) -> None:
        news, self._book.news = self._book.news, []
        if not news:
            return
        try:
            await self._settler.remember(news)
        except BaseException:
            self._book.news = news + self._book.news
            raise

    def _start_settling(self) -> None:
        """Beside the sending: what is about to be sent shall not wait until what was sent is written down."""
        if self._settling is not None and self._settling.done():
            task, self._settling = self._settling, None
            task.result()
        if self._settling is None and self.desk.results:
            self._settling = asyncio.create_task(self._settle_or_wait(), name="settle")
            self._settling.add_done_callback(lambda _: self.desk.wake.set())

    async def _settle_or_wait(self) -> None:
        try:
            await self._settle()
        except TransientError as error:
            log.warning("settling_waits", error=str(error))
            await self._clock.sleep(_AFTER_OUTAGE)

    async def _settle(self) -> None:
        results, self.desk.results = self.desk.results, []
        if not results:
            return
        try:
            written = await self._settler.settle(results, self._clock.now())
        except BaseException:
            self.desk.results = results + self.desk.results
            raise
        done = {id(result) for result in written}
        self.desk.results = [result for result in results if id(result) not in done] + self.desk.results
        results = written
        unsure = [result.row.id for result in results if isinstance(result, Posted | Looked) and _is_unsure(result)]
        if unsure:
            async with self._database.read() as connection:
                await self._looker.refresh(connection, unsure)
        for result in results:
            self._release(result)

    def _release(self, result: Result) -> None:
        """The database knows: place and notice are free again."""
        if isinstance(result, Updated):
            self._updater.done(result)
            return
        self.desk.in_hand.discard(result.row.id)
        if isinstance(result, Posted | Lost) and result.row.state == "sending" and result.row.destination:
            self.desk.busy.discard(result.row.destination)

    async def _probe(self) -> None:
        """During an outage: ask gently. Once it is back, one reminder per case stands for all that were missed."""
        breaker = self.desk.breaker
        if breaker.probe_at is None or self._clock.now() < breaker.probe_at:
            return
        wrong = await self._channel.alive()
        if wrong:
            breaker.still_down(wrong, self._clock.now())
            return
        async with self._database.transaction(urgent=True) as tx:
            dropped = await notices.collapse_calls(tx)
        log.info("slack_is_back", reminders_collapsed=dropped)
        breaker.close()
        self.desk.wake.set()

    async def _unpark(self) -> None:
        """Parked notices are tried again now and then: somebody may have put the cause right."""
        now = self._clock.now()
        if self._unpark_at is not None and now < self._unpark_at:
            return
        self._unpark_at = now + _UNPARK_EVERY
        async with self._database.read() as connection:
            due = await notices.parked_until(connection, now)
        if due:
            async with self._database.transaction(urgent=True) as tx:
                await notices.unpark(tx, due)

    async def _pause(self, stop: asyncio.Event) -> None:
        work = (self.desk.wake.wait(), stop.wait(), self._clock.sleep(POLL))
        waiters = [asyncio.ensure_future(waiter) for waiter in work]
        self._pausing = True
        try:
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._pausing = False
            for waiter in waiters:
                waiter.cancel()
            await asyncio.gather(*waiters, return_exceptions=True)
        if self.desk.wake.is_set():
            await asyncio.sleep(_BREATH_SECONDS)

    async def _finish(self) -> None:
        """Let the calls under way end, write them down, and let go of the lease."""
        await self._book.close()
        await self.desk.ended(self._timeout.total_seconds())
        if self._settling is not None:
            await asyncio.wait([self._settling], timeout=self._timeout.total_seconds())
            self._settling.cancel()
        with suppress(TransientError):
            for _ in range(_LAST_TRIES):
                await self._settle()
                if not self.desk.results:
                    break
                await asyncio.sleep(0.05)
            if self._lease_until is not None:
                async with self._database.transaction(urgent=True) as tx:
                    await leases.release(tx, LEASE, self._holder, self._clock.now())
        self._lease_until = None


def _is_unsure(result: Posted | Looked) -> bool:
    """Whether it must be read again if, and when, the message is to be looked for."""
    return isinstance(result, Looked) or isinstance(result.outcome, Unknown)
