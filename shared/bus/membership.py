"""Consumer groups inside one process: who reads which partition of the embedded log, and the hand-over between them."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from shared.bus.base import Partition


class Member(Protocol):
    @property
    def topics(self) -> Sequence[str]: ...

    async def give_up(self) -> None:
        """Let finished work be committed, then read nothing more."""
        ...

    def take(self, positions: Mapping[Partition, int]) -> None:
        """Read these partitions from now on, each from its position."""
        ...


def assign(members: Sequence[Member], partitions: Iterable[Partition]) -> list[list[Partition]]:
    """For each member its share: every partition goes to exactly one member that asked for its topic, evenly."""
    shares: list[list[Partition]] = [[] for _ in members]
    turns: defaultdict[tuple[int, ...], int] = defaultdict(int)
    for partition in sorted(partitions):
        readers = tuple(i for i, member in enumerate(members) if partition.topic in member.topics)
        if readers:
            shares[readers[turns[readers] % len(readers)]].append(partition)
            turns[readers] += 1
    return shares


class Group:
    """The members of one consumer group. As Kafka does by default, a change takes everything from everybody first."""

    def __init__(
        self, partitions: Callable[[], Iterable[Partition]], committed: Callable[[], Awaitable[Mapping[Partition, int]]]
    ) -> None:
        self._partitions = partitions
        self._committed = committed
        self._members: list[Member] = []
        self._turn = asyncio.Lock()

    async def join(self, member: Member) -> None:
        async with self._turn:
            await self._take_back()
            self._members.append(member)
            await self._share_out()

    async def leave(self, member: Member) -> None:
        """Without asking the leaver: what it has not committed is read again by the others."""
        async with self._turn:
            if member in self._members:
                self._members.remove(member)
                await self._take_back()
                await self._share_out()

    async def refresh(self) -> None:
        """Share out anew, because there are new partitions."""
        async with self._turn:
            await self._take_back()
            await self._share_out()

    async def _take_back(self) -> None:
        for member in self._members:
            await member.give_up()

    async def _share_out(self) -> None:
        if not self._members:
            return
        committed = await self._committed()
        for member, share in zip(self._members, assign(self._members, self._partitions()), strict=True):
            member.take({partition: committed.get(partition, 0) for partition in share})
