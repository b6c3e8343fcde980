"""What this process has under way for the channel: calls, their results, and places that must wait."""

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from services.router.channels.base import NotSent, Outcome, Parked, RateLimited, Unknown
from services.router.delivery.breaker import Breaker
from services.router.delivery.rates import Call, Rates
from services.router.delivery.results import Result, Updated
from shared.clock import Clock

log = structlog.get_logger(__name__)

_LONGEST_BACKOFF = 60.0


@dataclass
class Underway:
    """`in_hand` are notices with a call or an unwritten result, `busy` the places with a post under way."""

    clock: Clock
    rates: Rates
    wake: asyncio.Event
    breaker: Breaker = field(default_factory=Breaker)
    results: list[Result] = field(default_factory=list)
    in_hand: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _resting: dict[str, datetime] = field(default_factory=dict)

    @property
    def is_idle(self) -> bool:
        return not self._tasks and not self.results

    def free(self, place: str, now: datetime) -> bool:
        """Whether a message may be posted there now."""
        return place not in self.busy and not self.rests(place, now) and self.rates.post_wait(place, now) <= 0

    def rests(self, key: str, now: datetime) -> bool:
        until = self._resting.get(key)
        if until is not None and until <= now:
            del self._resting[key]
            return False
        return until is not None

    def rest(self, key: str, attempt: int) -> datetime:
        """It was not taken just now: leave it alone for a while; returns until when."""
        self._resting[key] = until = self.clock.now() + backoff(attempt)
        return until

    def add(self, result: Result) -> None:
        if not isinstance(result, Updated):
            self.in_hand.add(result.row.id)
        self.results.append(result)
        self.wake.set()

    def judge(self, outcome: Outcome, call: Call) -> None:
        """What an outcome says about the workspace as a whole."""
        now = self.clock.now()
        match outcome:
            case RateLimited(seconds):
                self.rates.pause(call, now, seconds)
                self.breaker.succeeded()
            case Unknown(reason) | NotSent(reason):
                self.breaker.failed(reason, now)
            case Parked(reason, everywhere=True):
                log.error("slack_refuses", error=reason)
                self.breaker.trip(reason, now)
            case _:
                self.breaker.succeeded()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def ended(self, patience: float) -> None:
        """Return when no call is under way, or after `patience` seconds."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=patience)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("delivery_task_failed", error=repr(task.exception()))
        self.wake.set()


def backoff(attempt: int) -> timedelta:
    """1, 2, 4 ... 60 s, with up to a fifth more so that many do not come at once."""
    seconds = min(2.0 ** min(attempt, 10), _LONGEST_BACKOFF)
    return timedelta(seconds=seconds * (1 + random.random() / 5))  # noqa: S311 - spreading, not secrecy
