"""What one turn of the loop writes to a connection leaves as one."""

import asyncio
from typing import cast

from services.hosting.one_write import OneWrite


class Wire:
    """A transport that remembers what was done to it."""

    def __init__(self) -> None:
        self.done: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.done


async def test_head_and_body_leave_together_and_the_next_turn_apart() -> None:
    wire = Wire()
    transport = OneWrite(cast(asyncio.Transport, wire), asyncio.get_running_loop())
    transport.write(b"head ")
    transport.write(b"body")
    await asyncio.sleep(0)
    transport.write(b"next")
    await asyncio.sleep(0)
    assert wire.done == [b"head body", b"next"]


async def test_what_was_written_leaves_before_the_connection_closes() -> None:
    wire = Wire()
    transport = OneWrite(cast(asyncio.Transport, wire), asyncio.get_running_loop())
    transport.write(b"the last words")
    transport.close()
    await asyncio.sleep(0)
    assert wire.done == [b"the last words", "closed"]
    assert transport.is_closing()
