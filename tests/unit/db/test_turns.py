"""Turns: one at a time, in order, the urgent first, and nothing lost when somebody gives up waiting."""

import asyncio
import random

from shared.db.turns import Turns


async def take(turns: Turns, name: str, urgent: bool, seen: list[str]) -> None:
    async with turns.turn(urgent):
        seen.append(name)
        await asyncio.sleep(0)


async def test_the_urgent_go_before_those_who_wait_longer() -> None:
    turns, seen = Turns(), list[str]()
    async with turns.turn():
        waiting = [asyncio.create_task(take(turns, name, name.isupper(), seen)) for name in "abCdE"]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert seen == ["C", "E", "a", "b", "d"]


async def test_whoever_gives_up_holds_nobody_up() -> None:
    turns, inside = Turns(), 0
    dice = random.Random(7)

    async def work() -> None:
        nonlocal inside
        async with turns.turn(urgent=dice.random() < 0.3):
            inside += 1
            try:
                assert inside == 1, "two at a time"
                for _ in range(dice.randrange(3)):
                    await asyncio.sleep(0)
            finally:
                inside -= 1

    tasks = [asyncio.create_task(work()) for _ in range(300)]
    for task in dice.sample(tasks, 150):
        await asyncio.sleep(0)
        task.cancel()
    ends = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert {type(end) for end in ends} == {type(None), asyncio.CancelledError}
    async with asyncio.timeout(1), turns.turn():
        pass
