"""Waits for a condition with a deadline, instead of sleeping and hoping."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], within: float = 20.0) -> None:
    """Return when `condition` holds; AssertionError after `within` seconds."""
    deadline = asyncio.get_running_loop().time() + within
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"not so within {within:g} s"
        await asyncio.sleep(0.005)
