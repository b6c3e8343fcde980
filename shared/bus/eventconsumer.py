"""One member of a group that reads the embedded log: positions, pauses, and what is handed over."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
import structlog

from shared.bus.base import OnRevoke, Partition
from shared.bus.eventfile import NewRow, Row, Span, from_us, to_us
from shared.bus.eventstore import EventStore
from shared.events.envelope import Message, Record

log = structlog.get_logger(__name__)

_encode_headers = msgspec.msgpack.Encoder().encode
_decode_headers = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...]).decode


class Membership(Protocol):
    async def join(self, consumer: "EventLogConsumer") -> None: ...

    async def leave(self, consumer: "EventLogConsumer") -> None: ...


class EventLogConsumer:
    """Consumer of the port in `base`."""

    def __init__(
        self, membership: Membership, store: EventStore, group: str, topics: Sequence[str], on_revoke: OnRevoke | None
    ) -> None:
        self.group = group
        self.topics = tuple(topics)
        self._membership = membership
        self._store = store
        self._on_revoke = on_revoke
        self._positions: dict[Partition, int] = {}
        self._paused: set[Partition] = set()
        self._more = asyncio.Event()

    async def start(self) -> None:
        await self._membership.join(self)

    async def stop(self) -> None:
        self._positions.clear()
        self._more.set()
        await self._membership.leave(self)

    async def fetch(self, max_records: int, timeout: timedelta) -> dict[Partition, list[Message]]:
        if not self._ready():
            self._more.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout.total_seconds()):
                    await self._more.wait()
        spans = self._ready()
        return await self._read(spans, max_records) if spans else {}

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        held = {partition: offset for partition, offset in offsets.items() if partition in self._positions}
        if held:
            await self._store.commit(self.group, held)

    def seek(self, partition: Partition, offset: int) -> None:
        if partition in self._positions:
            self._positions[partition] = offset
            self._more.set()

    def pause(self, partitions: Sequence[Partition]) -> None:
        self._paused.update(partitions)

    def resume(self, partitions: Sequence[Partition]) -> None:
        self._paused.difference_update(partitions)
        self._more.set()

    def assignment(self) -> frozenset[Partition]:
        return frozenset(self._positions)

    async def lag(self) -> dict[Partition, int]:
        return {partition: max(0, self._end(partition) - position) for partition, position in self._positions.items()}

    def wake(self) -> None:
        """There may be more to read."""
        self._more.set()

    async def give_up(self) -> None:
        """Called by the group before it shares out anew."""
        if self._positions and self._on_revoke is not None:
            try:
                await self._on_revoke(sorted(self._positions))
            except Exception as error:
                log.error("on_revoke_failed", group=self.group, error=type(error).__name__)
        self._positions.clear()

    def take(self, positions: Mapping[Partition, int]) -> None:
        """Called by the group with this member's share."""
        self._positions = dict(positions)
        self._paused.clear()
        self._more.set()

    def _end(self, partition: Partition) -> int:
        return self._store.ends.get(partition, 0)

    def _ready(self) -> list[Span]:
        return [
            Span(partition, position, self._end(partition))
            for partition, position in self._positions.items()
            if partition not in self._paused and position < self._end(partition)
        ]

    async def _read(self, spans: Sequence[Span], max_records: int) -> dict[Partition, list[Message]]:
        found: dict[Partition, list[Message]] = {}
        pages = await self._store.read(spans, max_records)
        for span in spans:
            page = pages.get(span.partition)
            # Taken away, sought elsewhere or paused while the file was read: not ours to hand out.
            if page is None or self._positions.get(span.partition) != span.start or span.partition in self._paused:
                continue
            # To the end of the queue, so that a busy partition does not starve the others.
            del self._positions[span.partition]
            self._positions[span.partition] = page.next_position
            if page.rows:
                found[span.partition] = [to_message(span.partition, row) for row in page.rows]
        return found


def to_row(partition: Partition, record: Record, at: datetime) -> NewRow:
    return NewRow(partition, to_us(at), record.key, record.value, _encode_headers(record.headers))


def to_message(partition: Partition, row: Row) -> Message:
    return Message(
        topic=partition.topic,
        partition=partition.number,
        offset=row.position,
        key=row.key,
        value=row.value,
        headers=_decode_headers(row.headers),
        time=from_us(row.at_us),
    )
