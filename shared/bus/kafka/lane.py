"""The way to one partition: while one batch is under way, what comes meanwhile waits and goes as the next one.

Nothing lingers: a lone record goes at once. Many publishers share one request, and one wait for its answer.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from shared.errors import BusUnavailable
from shared.events.envelope import Record

_MOST_BYTES = 512 * 1024
"""Of keys and values in one batch; a single record may be larger."""

_Waiting = tuple[Record, "asyncio.Future[None] | None"]
"""The last record of a publish carries what its publisher waits for."""
Send = Callable[[Sequence[Record]], Awaitable[None]]


class Lane:
    """`send` returns when the broker has the records, and raises when that is not known in time."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._driver: asyncio.Task[None] | None = None

    def put(self, records: Sequence[Record]) -> "asyncio.Future[None]":
        """Done when all of them are acknowledged; fails with what `send` raised."""
        arrival: asyncio.Future[None] = self._loop.create_future()
        for record in records[:-1]:
            self._waiting.append((record, None))
        self._waiting.append((records[-1], arrival))
        if self._driver is None:
            self._driver = asyncio.create_task(self._drive())
        return arrival

    async def stop(self) -> None:
        """What is not acknowledged yet is refused."""
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.gather(self._driver, return_exceptions=True)

    async def _drive(self) -> None:
        batch: list[_Waiting] = []
        try:
            while self._waiting:
                batch = self._next()
                try:
                    await self._send([record for record, _ in batch])
                except Exception as error:
                    # Whoever waits behind would wait as long again: a refusal in time is worth more to its sender.
                    self._refuse(batch, error)
                else:
                    for _, arrival in batch:
                        if arrival is not None and not arrival.done():
                            arrival.set_result(None)
        except asyncio.CancelledError:
            self._refuse(batch, BusUnavailable("Kafka's producer was stopped"))
            raise
        finally:
            self._driver = None

    def _next(self) -> list[_Waiting]:
        batch = [self._waiting.popleft()]
        size = _size(batch[0][0])
        while self._waiting and (size := size + _size(self._waiting[0][0])) <= _MOST_BYTES:
            batch.append(self._waiting.popleft())
        return batch

    def _refuse(self, batch: list[_Waiting], error: Exception) -> None:
        refused = [arrival for _, arrival in (*batch, *self._waiting) if arrival is not None and not arrival.done()]
        self._waiting.clear()
        for arrival in refused:
            arrival.set_exception(error)


def _size(record: Record) -> int:
    return len(record.key) + len(record.value or b"")
