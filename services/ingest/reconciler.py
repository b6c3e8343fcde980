"""Asks vendors, again and again, for the responses of an overlapping window: finds what no webhook ever brought.

Stateless: everything found is published under the record key the webhook would have used. The router knows what it
knows, and takes only what is new.
"""

import asyncio
import random
from collections import OrderedDict
from datetime import datetime, timedelta

import msgspec
import structlog

from services.ingest.hearing import Hearing
from services.ingest.vendors.base import (
    RECONCILE_AFTER,
    RECONCILE_WINDOW,
    Refused,
    VendorError,
    Window,
    span,
)
from services.ingest.vendors.opening import OpenVendor
from shared.bus.base import Bus
from shared.bus.retry import Backoff, Jitter
from shared.clock import Clock
from shared.errors import CloseloopError
from shared.events.catalog import SurveyResponded, survey_responded
from shared.events.envelope import to_record
from shared.runtime import sleep_or_stop

log = structlog.get_logger(__name__)

PATIENCE = timedelta(minutes=5)
"""How long a listing waits for a Retry-After to pass before it is given up until the next round."""
MOST_CALLS = 3000
_MOST_WINDOWS = 7
POLLED = "poll"
_BATCH = 100
_REMEMBERED = 100_000
_AFTER_FAILURE = Backoff(first=timedelta(seconds=5), cap=timedelta(minutes=10))


class Reconciler:
    """The rounds of one vendor, `[sources.x] reconcile_every` apart. Each looks back `reconcile_window`, or to where
    the last whole listing of this process ended, and leaves alone what is younger than `reconcile_after`, whose webhook
    may be on its way."""

    def __init__(
        self, bus: Bus, clock: Clock, opened: OpenVendor, hearing: Hearing, jitter: Jitter = random.random
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._opened = opened
        self._hearing = hearing
        self._jitter = jitter
        self._name = opened.vendor.name
        self._every = span(opened.options, "reconcile_every", opened.vendor.reconcile_every)
        self._window = span(opened.options, "reconcile_window", RECONCILE_WINDOW)
        settle = timedelta(0) if opened.vendor.polled else RECONCILE_AFTER
        self._after = span(opened.options, "reconcile_after", settle)
        self._published: OrderedDict[str, None] = OrderedDict()
        self._listed_until: datetime | None = None

    @property
    def switched_on(self) -> bool:
        return self._opened.vendor.list_since is not None and self._every > timedelta(0)

    async def run(self, stop: asyncio.Event) -> None:
        # Several processes of ingest do not ask at the same moment.
        await sleep_or_stop(self._clock, min(self._every, timedelta(seconds=5)) * self._jitter(), stop)
        failures = 0
        while not stop.is_set():
            try:
                await self.reconcile()
                failures, pause = 0, self._every
            except Exception as error:
                failures += 1
                self._complain(error)
                pause = min(self._every, _AFTER_FAILURE.span(failures, self._jitter()))
            await sleep_or_stop(self._clock, pause, stop)

    async def reconcile(self) -> int:
        """One round; returns how many responses were published. Raises the vendor's errors; what was found before
        them is published."""
        list_since = self._opened.vendor.list_since
        assert list_since is not None
        now = self._clock.now()
        until = now - self._after
        # A vendor that was away for longer than the window is asked for all of that time; within bounds, because a
        # listing that can never end would keep the next ones from what is new.
        since = min(now - self._window, self._listed_until or until)
        window = Window(max(since, now - _MOST_WINDOWS * self._window), until)
        client = self._opened.client(PATIENCE, MOST_CALLS)
        batch: list[SurveyResponded] = []
        published = 0
        try:
            async for event in list_since(client, window, self._opened.options, now):
                if event.unique_id not in self._published and (event.occurred_at or now) <= window.until:
                    batch.append(event)
                if len(batch) >= _BATCH:
                    published += await self._publish(batch)
        finally:
            try:
                published += await self._publish(batch)
            finally:
                await client.close()
        self._listed_until = until
        self._hearing.called(self._name, "listed")
        self._hearing.trouble(self._name, None)
        log.info("reconciled", source=self._name, published=published)
        return published

    async def _publish(self, batch: list[SurveyResponded]) -> int:
        if not batch:
            return 0
        events, batch[:] = [self._marked(event) for event in batch], []
        await self._bus.publish([to_record(survey_responded(event)) for event in events])
        for event in events:
            self._published[event.unique_id] = None
        while len(self._published) > _REMEMBERED:
            self._published.popitem(last=False)
        return len(events)

    def _marked(self, event: SurveyResponded) -> SurveyResponded:
        return msgspec.structs.replace(event, detected_by=POLLED) if self._opened.vendor.polled else event

    def _complain(self, error: Exception) -> None:
        """A bug of ours, or an answer nobody expects, must not become calls without a pause."""
        if isinstance(error, Refused):
            self._hearing.trouble(self._name, str(error))
        outcome = error.outcome if isinstance(error, VendorError) else "unavailable"
        self._hearing.called(self._name, outcome)
        reason = str(error) if isinstance(error, CloseloopError) else type(error).__name__
        log.warning("reconciling_postponed", source=self._name, outcome=outcome, reason=reason)
