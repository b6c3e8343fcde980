"""The supervisor: whatever a loop ends with, it is started again until the service is told to stop."""

import asyncio
from datetime import timedelta

import pytest

from shared import runtime
from shared.clock import SystemClock
from shared.observability import LOOP_RESTARTS
from shared.runtime import Loop, Supervisor
from tests.support.waiting import until


class Fragile:
    """A loop that ends with each of `ends` in turn, and then runs until it is stopped."""

    def __init__(self, *ends: BaseException) -> None:
        self.ends = list(ends)
        self.runs = 0

    async def run(self, stop: asyncio.Event) -> None:
        self.runs += 1
        if self.ends:
            raise self.ends.pop()
        await stop.wait()


def restarts(loop: str) -> float:
    return LOOP_RESTARTS.labels(loop)._value.get()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_RESTART_AFTER", timedelta(0))


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("end", [KeyError("a bug"), asyncio.CancelledError()], ids=lambda end: type(end).__name__)
async def test_a_loop_that_ends_by_itself_is_started_again(end: BaseException) -> None:
    supervisor, loop, before = Supervisor(SystemClock()), Fragile(end), restarts("fragile")
    supervisor.start([Loop("fragile", loop.run)])
    await until(lambda: loop.runs == 2)
    await supervisor.shut_down()
    assert (loop.runs, loop.ends, restarts("fragile") - before) == (2, [], 1)


async def test_a_loop_that_does_not_stop_in_time_is_cancelled_which_is_no_failure() -> None:
    async def deaf(stop: asyncio.Event) -> None:
        began.set()
        await asyncio.Event().wait()

    began = asyncio.Event()
    supervisor = Supervisor(SystemClock())
    supervisor.start([Loop("deaf", deaf)])
    await began.wait()
    await supervisor.shut_down(patience=timedelta(0))
    assert restarts("deaf") == 0
