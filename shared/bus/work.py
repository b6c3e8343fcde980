"""One fetched batch on its way: tried until it works, taken apart when poisoned, its offsets stored at the end."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import count

import structlog

from shared.bus.base import Bus, Consumer, Partition
from shared.bus.dead_letters import of_message
from shared.bus.fuse import Fuse
from shared.bus.retry import Backoff, Jitter, is_transient
from shared.clock import Clock
from shared.errors import TransientError, reason_of
from shared.events.envelope import Message
from shared.faults import crash_point
from shared.observability import CONSUMED, DEAD, RETRIED
from shared.runtime import sleep_or_stop

log = structlog.get_logger(__name__)

Handle = Callable[[Sequence[Message]], Awaitable[None]]
_LOG_EVERY = 12  # attempts: about once a minute when the backoff has reached its cap


class Abandoned(Exception):
    """The partitions go to somebody else, or we are stopping: what is not done is done by whoever reads it next."""


class FuseBlown(Exception):
    """Too many in a row died; those that have not been given up yet stay uncommitted."""


@dataclass(frozen=True)
class Tools:
    """What all batches of one consumer share."""

    bus: Bus
    group: str
    handle: Handle
    clock: Clock
    backoff: Backoff
    jitter: Jitter
    fuse: Fuse


@dataclass(eq=False)
class Work:
    """`stalled_since` is set while a transient error is being waited out."""

    tools: Tools
    consumer: Consumer
    batches: Mapping[Partition, Sequence[Message]]
    abandoned: asyncio.Event = field(default_factory=asyncio.Event)
    paused: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    stalled_since: datetime | None = None
    stalled_by: str = ""
    _done: dict[Partition, int] = field(default_factory=dict)

    def pause(self) -> None:
        """Let the polling go on without these partitions."""
        if not self.paused.done():
            self.paused.set_result(None)
            self.consumer.pause(list(self.batches))

    async def run(self) -> None:
        """Handle everything, then store the offsets; what could not be done is read again."""
        try:
            await self._handle_all()
            # G3: the effect is there, its offset is not. After a crash here the batch comes again.
            crash_point("after_commit_before_offset")
            await self._patiently(partial(self.consumer.commit, self._done))
        except Abandoned:
            await self._retreat()
        except FuseBlown:
            log.error("fuse_blown", group=self.tools.group, reason=self.tools.fuse.reason)
            await self._retreat()
        finally:
            if self.paused.done():
                self.consumer.resume(list(self.batches))

    async def _handle_all(self) -> None:
        messages = [message for batch in self.batches.values() for message in batch]
        try:
            await self._patiently(partial(self.tools.handle, messages))
        except Abandoned:
            raise
        except Exception as error:
            log.warning("batch_taken_apart", group=self.tools.group, size=len(messages), reason=reason_of(error))
            await self._one_by_one(messages)
        else:
            self._handled(messages)

    async def _one_by_one(self, messages: Sequence[Message]) -> None:
        fuse = self.tools.fuse
        dying: list[tuple[Message, str]] = []
        for message in messages:
            try:
                await self._patiently(partial(self.tools.handle, [message]))
            except Abandoned:
                raise
            except Exception as error:
                dying.append((message, reason_of(error)))
                # Half open, the whole batch is looked through for a good one.
                if not fuse.blown and not fuse.holds(len(dying)):
                    self._blow(dying)
            else:
                await self._bury(dying)
                dying.clear()
                self._handled([message])
        if dying and (fuse.blown or not fuse.holds(len(dying))):
            self._blow(dying)
        await self._bury(dying)

    def _handled(self, messages: Sequence[Message]) -> None:
        self.tools.fuse.succeeded()
        for message in messages:
            self._passed(message)
            CONSUMED.labels(self.tools.group, message.topic).inc()

    def _passed(self, message: Message) -> None:
        self._done[Partition(message.topic, message.partition)] = message.offset + 1

    def _blow(self, dying: Sequence[tuple[Message, str]]) -> None:
        self.tools.fuse.blow(self.tools.clock.now(), dying[-1][1])
        raise FuseBlown

    async def _bury(self, dying: Sequence[tuple[Message, str]]) -> None:
        if not dying:
            return
        group, now = self.tools.group, self.tools.clock.now()
        letters = [of_message(message, group=group, reason=reason, at=now) for message, reason in dying]
        await self._patiently(partial(self.tools.bus.publish, letters))
        self.tools.fuse.died(len(dying))
        for message, reason in dying:
            self._passed(message)
            DEAD.labels(message.topic).inc()
            log.warning(
                "message_died",
                group=group,
                topic=message.topic,
                partition=message.partition,
                offset=message.offset,
                event_id=message.header("ce_id"),
                reason=reason,
            )

    async def _patiently(self, action: Callable[[], Awaitable[None]]) -> None:
        for attempt in count(1):
            try:
                await action()
                self.stalled_since = None
                return
            except Exception as error:
                if not is_transient(error):
                    raise
                self._stall(error, attempt)
            span = self.tools.backoff.span(attempt, self.tools.jitter())
            if await sleep_or_stop(self.tools.clock, span, self.abandoned):
                raise Abandoned

    def _stall(self, error: Exception, attempt: int) -> None:
        self.pause()
        self.stalled_since = self.stalled_since or self.tools.clock.now()
        self.stalled_by = reason_of(error)
        for topic in {partition.topic for partition in self.batches}:
            RETRIED.labels(self.tools.group, topic).inc()
        if attempt % _LOG_EVERY == 1:
            log.warning("batch_waits", group=self.tools.group, attempt=attempt, reason=self.stalled_by)

    async def _retreat(self) -> None:
        if self._done:
            with suppress(TransientError):
                await self.consumer.commit(self._done)
        for partition, messages in self.batches.items():
            self.consumer.seek(partition, self._done.get(partition, messages[0].offset))
