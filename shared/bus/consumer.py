"""The loop of every consumer (G3): fetch, handle, then store the offsets; nothing is skipped, nobody evicted."""

import asyncio
import random
from collections.abc import Collection, Sequence
from datetime import timedelta
from math import inf

import structlog

from shared.bus.base import REVOKE_PATIENCE, Bus, Consumer, Partition
from shared.bus.fuse import Fuse
from shared.bus.retry import Backoff, Jitter
from shared.bus.work import Handle, Tools, Work
from shared.clock import Clock
from shared.errors import CloseloopError, TransientError, reason_of
from shared.events.catalog import dead
from shared.observability import CONSUMER_LAG
from shared.runtime import sleep_or_stop

log = structlog.get_logger(__name__)

POLL = timedelta(milliseconds=250)
"""Bounds how long stopping takes; a message that arrives meanwhile is handed out at once."""
PROMPT = timedelta(seconds=1)
"""A batch that takes longer is worked on beside the polling, its partitions paused."""
BREATH_SECONDS = 0.05
"""Between the starts of two batches: a lone message is handled at once, but in a stream each has some company, and
fetching, transactions and offsets cost less. A full batch has company enough: what is behind it follows at once."""
STALL_WORRIES_AFTER = timedelta(minutes=1)
LAG_EVERY_SECONDS = 15


class ConsumerLoop:
    """`handle` gets messages of one or more partitions, in order within each. Messages of different partitions may be
    in hand at the same time. It must be idempotent: after a crash or a hand-over a message can come again."""

    def __init__(
        self,
        bus: Bus,
        group: str,
        topics: Sequence[str],
        handle: Handle,
        clock: Clock,
        *,
        max_records: int = 500,
        backoff: Backoff | None = None,
        fuse: Fuse | None = None,
        jitter: Jitter = random.random,
    ) -> None:
        self._bus = bus
        self._group = group
        self._topics = tuple(topics)
        self._clock = clock
        self._max_records = max_records
        self._fuse = fuse or Fuse()
        self._tools = Tools(bus, group, handle, clock, backoff or Backoff(), jitter, self._fuse)
        self._in_hand: dict[asyncio.Task[None], Work] = {}
        self._asleep = False
        self._began_at = -inf
        self._lag_at = -inf

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then the batch in hand is finished and its offsets are stored."""
        consumer = self._bus.consumer(self._group, self._topics, self._on_revoke)
        try:
            if await self._started(consumer, stop):
                while not stop.is_set():
                    await self._turn(consumer, stop)
                await self._finish(list(self._in_hand))
        finally:
            await self._drop(list(self._in_hand))
            await consumer.stop()

    async def check(self) -> None:
        """Raises CloseloopError, saying what to do, while the fuse is blown or a batch has waited for a minute."""
        if self._fuse.blown:
            raise CloseloopError(
                f"{self._group} has stopped: {self._fuse.limit} messages in a row failed, the last with:"
                f" {self._fuse.reason}. They are kept and tried again every {self._fuse.rest.total_seconds():g} s;"
                " look for batch_taken_apart in the log, then repair or roll back this service."
            )
        now = self._clock.now()
        for work in self._in_hand.values():
            if work.stalled_since is not None and now - work.stalled_since > STALL_WORRIES_AFTER:
                raise CloseloopError(
                    f"{self._group} has been waiting since {work.stalled_since:%H:%M:%S} UTC: {work.stalled_by}."
                    " Nothing is lost; it goes on when that works again."
                )

    async def _started(self, consumer: Consumer, stop: asyncio.Event) -> bool:
        attempt = 0
        while not stop.is_set():
            try:
                await self._bus.ensure_topics([dead(topic) for topic in self._topics])
                await consumer.start()
                return True
            except TransientError as error:
                attempt += 1
                await self._pause_for_breath(error, attempt, stop)
        return False

    async def _turn(self, consumer: Consumer, stop: asyncio.Event) -> None:
        self._sleep_or_wake(consumer)
        await self._breathe()
        await self._show_lag(consumer)
        try:
            batches = await consumer.fetch(self._max_records, POLL)
        except TransientError as error:
            await self._pause_for_breath(error, 1, stop)
            return
        if self._asleep:
            # Partitions that came with a new assignment while the fuse rests.
            for partition, messages in batches.items():
                consumer.seek(partition, messages[0].offset)
        elif batches:
            full = sum(map(len, batches.values())) >= self._max_records
            self._began_at = -inf if full else asyncio.get_running_loop().time()
            await self._work_on(Work(self._tools, consumer, batches))
        self._collect()

    async def _show_lag(self, consumer: Consumer) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._lag_at < LAG_EVERY_SECONDS:
            return
        self._lag_at = now
        try:
            unread = sum((await consumer.lag()).values())
        except TransientError:
            return  # partitions are being shared out anew, or the log is away, which the fetching says
        in_hand = sum(len(batch) for work in self._in_hand.values() for batch in work.batches.values())
        CONSUMER_LAG.labels(self._group).set(unread + in_hand)

    async def _breathe(self) -> None:
        left = self._began_at + BREATH_SECONDS - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    def _sleep_or_wake(self, consumer: Consumer) -> None:
        resting = self._fuse.resting(self._clock.now())
        if resting:
            consumer.pause(list(consumer.assignment()))
        elif self._asleep:
            busy = {partition for work in self._in_hand.values() for partition in work.batches}
            consumer.resume(list(consumer.assignment() - busy))
        self._asleep = resting

    async def _work_on(self, work: Work) -> None:
        task = asyncio.create_task(work.run(), name=f"{self._group}-batch")
        self._in_hand[task] = work
        waited_for = {task, work.paused}
        await asyncio.wait(waited_for, timeout=PROMPT.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            work.pause()

    def _collect(self) -> None:
        for task in [task for task in self._in_hand if task.done()]:
            del self._in_hand[task]
            task.result()  # an error here is a bug in this room: the supervisor starts the loop again

    async def _on_revoke(self, partitions: Sequence[Partition]) -> None:
        revoked = set(partitions)
        tasks = [task for task, work in self._in_hand.items() if revoked & work.batches.keys()]
        late = await self._finish(tasks, REVOKE_PATIENCE)
        if late:
            log.warning("batch_dropped", group=self._group, after_seconds=REVOKE_PATIENCE.total_seconds())
        await self._drop(late)

    async def _finish(
        self, tasks: Collection[asyncio.Task[None]], patience: timedelta | None = None
    ) -> Collection[asyncio.Task[None]]:
        """Those that are still not done after `patience`."""
        for task in tasks:
            self._in_hand[task].abandoned.set()
        if not tasks:
            return ()
        _, late = await asyncio.wait(tasks, timeout=patience.total_seconds() if patience else None)
        return late

    async def _drop(self, tasks: Collection[asyncio.Task[None]]) -> None:
        """Whoever gets the partitions next reads the same messages again."""
        for task in tasks:
            # Forgotten at once: collected, its cancellation would end the whole loop.
            self._in_hand.pop(task, None)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pause_for_breath(self, error: Exception, attempt: int, stop: asyncio.Event) -> None:
        log.warning("bus_unavailable", group=self._group, reason=reason_of(error))
        await sleep_or_stop(self._clock, self._tools.backoff.span(attempt, self._tools.jitter()), stop)
