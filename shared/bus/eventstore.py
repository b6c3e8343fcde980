"""The event file seen from the event loop: waiting writes become one commit, readers are woken when there is more."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar

from shared.bus.base import Partition
from shared.bus.eventfile import EventFile, NewRow, Page, Span, Work
from shared.errors import BusUnavailable

POLL = timedelta(milliseconds=200)
"""How soon something written by another process is seen; what this process writes is seen at once."""

P = ParamSpec("P")
T = TypeVar("T")


class EventStore:
    """`ends` maps every partition there is to the position its next message will get, `counts` topics to how many
    partitions they have."""

    def __init__(self, path: Path, patience: timedelta, on_change: Callable[[], None]) -> None:
        self.file = EventFile(path, patience)
        self.ends: dict[Partition, int] = {}
        self.counts: Counter[str] = Counter()
        self._on_change = on_change
        self._work, self._waiting = Work(), list[asyncio.Future[None]]()
        self._committing: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._writer: ThreadPoolExecutor | None = None
        self._reader: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        self._writer = ThreadPoolExecutor(1, "events-write")
        self._reader = ThreadPoolExecutor(1, "events-read")
        try:
            await self.in_writer(self.file.open)
            await self.refresh()
        except BaseException:
            await self.close()
            raise
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        if self._committing is not None:
            await self._committing
        if self._writer is not None and self._reader is not None:
            self._reader.shutdown()
            await self.in_writer(self.file.close)
            self._writer.shutdown()
        self._writer = self._reader = self._watching = self._committing = None

    async def append(self, rows: Sequence[NewRow]) -> None:
        """Return when the rows are on the disk."""
        self._work.rows += rows
        await self._written()

    async def commit(self, group: str, positions: Mapping[Partition, int]) -> None:
        self._work.offsets.update({(group, partition): position for partition, position in positions.items()})
        await self._written()

    async def read(self, spans: Sequence[Span], limit: int) -> dict[Partition, Page]:
        return await self._in_reader(self.file.read, spans, limit)

    async def committed(self, group: str) -> dict[Partition, int]:
        return await self._in_reader(self.file.committed, group)

    async def refresh(self) -> None:
        """See what others have written or created."""
        ends = await self._in_reader(self.file.ends)
        # Ends only grow; what was read may be older than what has been committed meanwhile.
        self.ends = {partition: max(end, self.ends.get(partition, 0)) for partition, end in ends.items()}
        self.counts = Counter(partition.topic for partition in ends)

    async def in_writer(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await _run(self._writer, lambda: work(*args, **kwargs))

    async def _in_reader(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await _run(self._reader, lambda: work(*args, **kwargs))

    async def _written(self) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_all())
        await done

    async def _commit_all(self) -> None:
        # While one transaction waits for the disk, the next one gathers.
        while self._waiting:
            work, waiting = self._work, self._waiting
            self._work, self._waiting = Work(), []
            try:
                ends = await self.in_writer(self.file.write, work)
            except BusUnavailable as error:
                _settle(waiting, error)
                continue
            _settle(waiting, None)
            if ends:
                self.ends.update(ends)
                self._on_change()

    async def _watch(self) -> None:
        seen = -1
        while True:
            await asyncio.sleep(POLL.total_seconds())
            with suppress(BusUnavailable):
                mark = await self._in_reader(self.file.change_mark)
                if mark != seen:
                    await self.refresh()
                    seen = mark
                    self._on_change()


async def _run(threads: ThreadPoolExecutor | None, work: Callable[[], T]) -> T:
    if threads is None:
        raise BusUnavailable("the event log is not open")
    return await asyncio.get_running_loop().run_in_executor(threads, work)


def _settle(waiting: Sequence[asyncio.Future[None]], error: BusUnavailable | None) -> None:
    for done in waiting:
        if done.done():  # whoever waited has gone away
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
