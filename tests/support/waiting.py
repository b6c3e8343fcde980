"""Waits for a condition with a deadline, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def until(condition: Callable[[], object], within: float = 20.0) -> None:
    """Return when `condition` holds; AssertionError after `within` seconds."""
    deadline = asyncio.get_running_loop().time() + within
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"not so within {within:g} s"
        await asyncio.sleep(0.005)


def eventually(probe: Callable[[], T], within: float = 20.0, what: str = "", every: float = 0.02) -> T:
    """The first true answer of `probe`, asked `every` so many seconds; what it asserts may fail meanwhile.

    AssertionError after `within` seconds, with `what` and the last failure.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            found = probe()
            if found:
                return found
            why = f"the last answer was {found!r}"
        except AssertionError as failure:
            why = str(failure)
        assert time.monotonic() < deadline, f"{what or 'not so'} within {within:g} s: {why}"
        time.sleep(every)
