"""Thousands of notices over 500 channels while everything fails: each is seen once, in order, in its newest state.

CLOSELOOP_STRESS_NOTICES says how many (400 without it; `make bench` takes 10,000), always 20 to a channel. Here
routers are cancelled at random moments and leave their lease and their claims behind; the real `kill -9`, over a fifth
as many notices, is in test_kill9.py.
"""

import os
import random
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.router.domain import commands
from services.router.slack.service import SlackService
from services.router.store import people
from services.slack_sandbox.limits import RateLimits
from tests.support.slack_bench import SlackBench, slack_bench

NOTICES = int(os.environ.get("CLOSELOOP_STRESS_NOTICES", "400"))
ANSWERS = 20
ACCOUNTS = max(1, NOTICES // ANSWERS // 2)
CHANNELS = 2 * ACCOUNTS
STEP, SHARE = timedelta(seconds=2), 0.02
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("429", {"probability": SHARE, "retry_after": 2}),
    ("500", {"probability": SHARE}),
    ("500", {"probability": SHARE, "stored": True}),
    ("drop_after_storing", {"probability": SHARE}),
    ("drop_before_storing", {"probability": SHARE}),
    ("delay_after_storing", {"probability": SHARE / 4, "seconds": 1.2, "count": 10}),
]


def person(number: int) -> str:
    return f"p{number}@us.example"


async def arrange(bench: SlackBench) -> None:
    """Every account has a CSM and a lead of its own; where they are reached is known already."""
    bench.sandbox.limits = RateLimits(bench.sandbox.config.clock, message_burst=3, enabled=True)
    now = bench.clock.now()
    async with bench.database.transaction() as tx:
        for number in range(CHANNELS):
            user = bench.sandbox.add_user(id=f"U1P{number}", name=f"p{number}", email=person(number))
            dm, _ = bench.sandbox.directory.open_dm([user.id])
            await people.remember(tx, people.Person(person(number), user.id, dm.id, None, None, now))
    for number in range(ACCOUNTS):
        facts = {"csm": person(2 * number), "support_lead": person(2 * number + 1)}
        await bench.account(f"a{number}", name=f"Account {number}", domains=[f"a{number}.example"], **facts)
    for turn in range(ANSWERS):
        answers = [
            bench.answer(2, record_id=f"{number}-{turn}", requester_email=f"c@a{number}.example", comment=f"no {turn}")
            for number in range(ACCOUNTS)
        ]
        await bench.hears(*answers)
        bench.clock.advance(timedelta(milliseconds=20))


async def turn(bench: SlackBench, steps: int, step: timedelta = STEP) -> None:
    for _ in range(steps):
        bench.clock.advance(step)
        await bench.until(lambda: bench.slack.delivery.at_rest, within=30)


def next_router(bench: SlackBench) -> SlackService:
    bench.slack = bench.service(rate_limits=True, timeout_seconds=0.8)
    return bench.slack


async def acknowledge(bench: SlackBench, chance: random.Random) -> None:
    views = await bench.all_cases()
    for view in chance.sample(views, min(25, len(views))):
        await bench.does(view.case.id, commands.Acknowledge(actor=view.case.owner))


@pytest.mark.timeout(600)
async def test_g7_everything_fails_and_every_notice_is_seen_once(
    tmp_path: Path, record_testsuite_property: Any
) -> None:
    seed = random.randrange(1_000_000)
    chance = random.Random(seed)
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/closeloop.db") as bench:
        await arrange(bench)
        for number, (kind, options) in enumerate(FAULTS):
            bench.sandbox.inject(kind, method="chat.postMessage", seed=seed + number, **options)
        kills = 4
        for _ in range(kills):
            async with bench.crashing(next_router(bench)):
                await turn(bench, chance.randrange(5, 25))
                bench.clock.advance(STEP)
                await bench.until(lambda: True)  # it dies in the middle of what that began
        async with bench.sending(next_router(bench)):
            await turn(bench, 10)
            await acknowledge(bench, chance)
            bench.sandbox.inject("outage")
            await turn(bench, 120, step=timedelta(seconds=30))
            bench.sandbox.faults.clear("outage")
            await turn_until_shown(bench)
            bench.sandbox.faults.clear()
            await turn_until_shown(bench)

        rows = await bench.notices()
        repeats = sum(row["repeat"] for row in rows)
        told = f"{len(rows)} notices, {repeats} sent again and marked, {kills} kills, seed {seed}"
        record_testsuite_property("ten thousand", told)
        assert {row["state"] for row in rows} == {"sent"}, told
        assert len(rows) == ANSWERS * CHANNELS, told
        copies = bench.copies()
        assert set(copies) == {row["id"] for row in rows}, told
        assert set(copies.values()) == {1}, told
        messages = bench.sandbox.messages()
        assert_in_order(rows, messages, told)
        assert_within_the_rate(bench, messages, told)
        await assert_newest(bench, rows, messages, told)


async def turn_until_shown(bench: SlackBench) -> None:
    """Until nothing waits, and no card is stale."""
    for _ in range(40 + NOTICES // 10):
        await turn(bench, 10)
        rows = await bench.notices()
        fresh = all(row["published_rev"] >= row["desired_rev"] for row in rows if is_card(row))
        if fresh and all(row["state"] == "sent" for row in rows):
            return
    raise AssertionError("something waits for ever")


def is_card(row: Any) -> bool:
    return bool(row["kind"] == "card")


def assert_in_order(rows: Any, messages: list[dict[str, Any]], told: str) -> None:
    shown = {message["metadata"]["event_payload"]["d"]: float(message["ts"]) for message in messages}
    channels: dict[str, list[float]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["created_at"], row["seq"])):
        channels[row["channel"]].append(shown[row["id"]])
    wrong = [channel for channel, times in channels.items() if times != sorted(times)]
    assert not wrong, f"{len(wrong)} channels out of order: {told}"
    assert len(channels) == CHANNELS, told


def assert_within_the_rate(bench: SlackBench, messages: list[dict[str, Any]], told: str) -> None:
    """Slack itself never had to refuse, and nowhere came more than a message a second, but for a small burst."""
    limited = [call for call in bench.sandbox.calls_of("chat.postMessage") if call.get("result") == "ratelimited"]
    assert not limited, told
    times: dict[str, list[float]] = defaultdict(list)
    for message in messages:
        times[message["channel"]].append(message["posted_at"])
    for posted in times.values():
        posted.sort()
        assert not [at for at, later in zip(posted, posted[12:], strict=False) if later - at < 9.9], told


async def assert_newest(bench: SlackBench, rows: Any, messages: list[dict[str, Any]], told: str) -> None:
    versions = {view.case.id: view.case.version for view in await bench.all_cases()}
    cards = {row["id"]: row["case_id"] for row in rows if is_card(row)}
    for message in messages:
        case_id = cards.get(message["metadata"]["event_payload"]["d"])
        if case_id is not None:
            assert message["blocks"][0]["block_id"].startswith(f"c:{case_id}:{versions[case_id]}:"), told
