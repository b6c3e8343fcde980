"""Counts what each source sends, by minute and reason, and tells it to the log now and then."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import structlog

from services.ingest.sources.base import Feedback
from shared import ids
from shared.bus.base import Bus
from shared.clock import Clock
from shared.errors import TransientError
from shared.events.catalog import SourceHeard, SurveyResponded, source_heard
from shared.events.envelope import to_record
from shared.observability import SOURCE_LAG, VENDOR_CALLS
from shared.runtime import sleep_or_stop

log = structlog.get_logger(__name__)

TELL_EVERY = timedelta(seconds=10)
ANNOUNCE_EVERY = timedelta(minutes=1)
"""How often a source is told of that nothing is new of: it shows that we are listening."""
_MOST_REASONS = 20
_MOST_KEPT = 100_000
_REASON_LENGTH = 120
_lag_of = cache(SOURCE_LAG.labels)


@dataclass
class Minute:
    """What was heard within one minute and not told yet."""

    accepted: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    api: Counter[str] = field(default_factory=Counter)
    lag_total_s: float = 0.0
    lag_count: int = 0
    lag_max_s: float = 0.0


class Hearing:
    """One for each process of ingest. Counting costs a dictionary entry; up to `TELL_EVERY` of it is lost in a crash.
    `about` says how each source that is switched on is set up."""

    def __init__(
        self, bus: Bus, clock: Clock, about: Mapping[str, Mapping[str, Any]], every: timedelta = TELL_EVERY
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._about = {name: dict(facts) for name, facts in about.items()}
        self._every = every
        self._instance = ids.new_id()
        self._seq = 0
        self._minutes: dict[tuple[str, int], Minute] = {}
        self._untold: list[SourceHeard] = []
        self._announced_at: datetime | None = None

    def accepted(self, source: str, events: Sequence[Feedback]) -> None:
        """At least one event, of one delivery."""
        minute = self._minute_of(source, events[0].received_at)
        minute.accepted += 1
        for event in events:
            if event.occurred_at is not None:
                lag = max(0.0, (event.received_at - event.occurred_at).total_seconds())
                minute.lag_total_s += lag
                minute.lag_count += 1
                minute.lag_max_s = max(minute.lag_max_s, lag)
                _lag_of(source).observe(lag)
            thin = isinstance(event, SurveyResponded) and event.is_thin
            if thin and not self._about.get(source, {}).get("credentials"):
                minute.api["needs_credentials"] += 1

    def ignored(self, source: str, reason: str) -> None:
        self._count(self._now_of(source).ignored, reason)

    def rejected(self, source: str, reason: str) -> None:
        self._count(self._now_of(source).rejected, reason)

    def called(self, source: str, outcome: str, times: int = 1) -> None:
        """What came of asking the vendor: enriched, gone, refused, rate_limited, unavailable, unscored, listed."""
        VENDOR_CALLS.labels(source, outcome).inc(times)
        self._now_of(source).api[outcome] += times

    def trouble(self, source: str, words: str | None) -> None:
        """What an administrator must put right with the vendor's API; None when nothing (any more)."""
        facts = self._about.setdefault(source, {})
        if facts.get("trouble") != words:
            facts["trouble"] = words
            self._now_of(source)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._tell_patiently()
            await sleep_or_stop(self._clock, self._every, stop)
        await self._tell_patiently()

    async def tell(self) -> None:
        """Publish what is new. Raises BusUnavailable; then it is kept for the next time."""
        now = self._clock.now()
        announcing = self._announced_at is None or now - self._announced_at >= ANNOUNCE_EVERY
        minutes, self._minutes = self._minutes, {}
        self._untold += [self._heard(source, began, minute, now) for (source, began), minute in minutes.items()]
        if announcing:
            told = {source for source, _ in minutes}
            self._untold += [
                self._heard(source, _minute(now), Minute(), now) for source in self._about if source not in told
            ]
            self._announced_at = now
        if self._untold:
            await self._bus.publish([to_record(source_heard(one)) for one in self._untold])
            self._untold = []

    async def _tell_patiently(self) -> None:
        try:
            await self.tell()
        except TransientError as error:
            del self._untold[:-_MOST_KEPT]
            log.warning("hearing_untold", waiting=len(self._untold), error=str(error))

    def _heard(self, source: str, began: int, minute: Minute, now: datetime) -> SourceHeard:
        self._seq += 1
        return SourceHeard(
            source=source,
            instance=self._instance,
            seq=self._seq,
            at=now,
            minute=datetime.fromtimestamp(began * 60, UTC),
            accepted=minute.accepted,
            ignored=dict(minute.ignored),
            rejected=dict(minute.rejected),
            api=dict(minute.api),
            lag_total_s=minute.lag_total_s,
            lag_count=minute.lag_count,
            lag_max_s=minute.lag_max_s,
            about=self._about.get(source, {}),
        )

    def _now_of(self, source: str) -> Minute:
        return self._minute_of(source, self._clock.now())

    def _minute_of(self, source: str, at: datetime) -> Minute:
        key = source, _minute(at)
        return self._minutes.get(key) or self._minutes.setdefault(key, Minute())

    def _count(self, reasons: Counter[str], reason: str) -> None:
        short = reason[:_REASON_LENGTH]
        reasons[short if short in reasons or len(reasons) < _MOST_REASONS else "other reasons"] += 1


def _minute(at: datetime) -> int:
    """Whole minutes since 1970: to hash an instant costs as much as all the rest of the counting."""
    return int(at.timestamp() // 60)
