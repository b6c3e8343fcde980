"""The port of the event log: what Kafka and the SQLite log both promise, and one contract suite checks."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, Protocol
from zlib import crc32

from shared.events.envelope import Message, Record

MAX_MESSAGE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Topic:
    """Stated when it is missing: partitions, retention (None keeps for ever), compaction by key."""

    name: str
    partitions: int = 6
    retention: timedelta | None = None
    compacted: bool = False


class Partition(NamedTuple):
    topic: str
    number: int


def partition_of(key: bytes, partitions: int) -> int:
    """Where a key's records go, on both buses: by CRC-32, as librdkafka's clients do unless told otherwise."""
    return crc32(key) % partitions


OnRevoke = Callable[[Sequence[Partition]], Awaitable[None]]
REVOKE_PATIENCE = timedelta(seconds=10)
"""For which a group waits, while it shares out anew, for a member that is finishing its work."""


class Consumer(Protocol):
    """One member of a group. Offsets move only by `commit` (G3)."""

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Leave the group at once, without committing."""
        ...

    async def fetch(self, max_records: int, timeout: timedelta) -> dict[Partition, list[Message]]:
        """The next messages of the partitions that are not paused, in order; empty after `timeout`."""
        ...

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Store the offset of the next message to read. Raises BusUnavailable; a lost partition is passed over."""
        ...

    def seek(self, partition: Partition, offset: int) -> None: ...

    def pause(self, partitions: Sequence[Partition]) -> None:
        """Keep the membership, hand out nothing of these until `resume`."""
        ...

    def resume(self, partitions: Sequence[Partition]) -> None: ...

    def assignment(self) -> frozenset[Partition]: ...

    async def lag(self) -> dict[Partition, int]:
        """Messages not yet read, for each assigned partition."""
        ...


class Bus(Protocol):
    async def start(self) -> None:
        """Connect. Raises BusUnavailable."""
        ...

    async def stop(self) -> None: ...

    async def ensure_topics(self, topics: Sequence[Topic]) -> None:
        """Create what is missing; what exists is left as its administrator made it."""
        ...

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when every record is durable (G1). Raises BusUnavailable; then some may still arrive."""
        ...

    def consumer(self, group: str, topics: Sequence[str], on_revoke: OnRevoke | None = None) -> Consumer:
        """A new member of `group`, not yet started; a new group begins at the oldest message.
        `on_revoke` is awaited before partitions are given away, so that finished work is committed first."""
        ...

    def scan(self, topic: str) -> AsyncIterator[Message]:
        """All messages of a topic that exist now, outside any group; an unknown topic is empty."""
        ...

    async def ping(self) -> None:
        """Raises BusUnavailable when the log does not answer."""
        ...
