"""Slack is down for an hour of turned clock: nothing lost or doubled, all in order, one reminder at the end (G7)."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.router.domain import commands
from tests.support.slack_bench import ANA, LEA, POLICY, SlackBench, slack_bench

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
ACCOUNTS = [f"kunde{number}" for number in range(6)]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[SlackBench]:
    policy = '[sla]\ntouch_within = "2h"\nremind_before = ["90m", "80m", "70m"]\n' + POLICY
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/closeloop.db", policy) as bench:
        for account in ACCOUNTS:
            await bench.account(account, name=account, domains=[f"{account}.example"])
        yield bench


async def answers(bench: SlackBench, number: int, account: str) -> None:
    await bench.low(2, record_id=f"r{number}", requester_email=f"customer-{number}@{account}.example")


@pytest.mark.parametrize("trouble", ["outage", "drop_after_storing", "500"])
async def test_g7_after_an_hour_without_slack_everything_is_there_once_and_in_order(
    bench: SlackBench, trouble: str
) -> None:
    async with bench.sending():
        await answers(bench, 0, ACCOUNTS[0])
        await bench.sent(2)

        bench.sandbox.inject(trouble, **({} if trouble == "outage" else {"method": "chat.postMessage", "stored": True}))
        for number in range(1, 13):
            await answers(bench, number, ACCOUNTS[number % len(ACCOUNTS)])
            await bench.turns(5 * MINUTE, step=150 * SECOND)
        bench.sandbox.faults.clear()
        await bench.turns(MINUTE, step=2 * SECOND)
        await bench.turns(2 * MINUTE, step=5 * SECOND)

    assert {row["state"] for row in await bench.notices()} <= {"sent", "dead"}
    assert set(bench.copies().values()) == {1}
    for person in (ANA, LEA):
        await assert_in_order(bench, person)
        for account in ACCOUNTS:
            roots = [message for message in bench.inbox(person) if is_root(message) and account in message["text"]]
            assert len(roots) == 1


async def assert_in_order(bench: SlackBench, person: str) -> None:
    """Alerts stand in the DM in the order in which the customers answered."""
    written = [row for row in await bench.notices() if row["recipient"] == person and row["kind"] in ("card", "joined")]
    shown = {message["metadata"]["event_payload"]["d"]: float(message["ts"]) for message in bench.inbox(person)}
    times = [shown[row["id"]] for row in sorted(written, key=lambda row: (row["created_at"], row["seq"]))]
    assert times == sorted(times)


def is_root(message: dict[str, Any]) -> bool:
    return message["thread_ts"] in ("", message["ts"])


async def test_g7_of_the_reminders_missed_in_an_outage_one_is_sent(bench: SlackBench) -> None:
    async with bench.sending():
        await answers(bench, 0, ACCOUNTS[0])
        await bench.sent(2)
        await bench.turns(25 * MINUTE, step=5 * MINUTE)
        bench.sandbox.inject("outage")
        await bench.turns(60 * MINUTE, step=2 * MINUTE)
        bench.sandbox.faults.clear()
        await bench.turns(MINUTE, step=2 * SECOND)
    reminders = [message["text"] for message in bench.inbox(ANA) if "Reminder" in message["text"]]
    assert len(reminders) == 1


async def test_a_burst_read_in_one_batch_is_sent_card_by_card_and_reply_by_reply(database_url: str) -> None:
    """All written at the same instant: what waits for its card must not keep that card from being sent."""
    async with slack_bench(database_url) as bench:
        await bench.account()
        people = [f"p{number}@acme.example" for number in range(12)]
        burst = [bench.answer(2, record_id=f"r{n}", requester_email=email) for n, email in enumerate(people)]
        await bench.hears(*burst)
        async with bench.sending():
            await bench.sent(24)
        assert set(bench.copies().values()) == {1}


async def test_people_go_on_working_while_slack_takes_no_messages(bench: SlackBench) -> None:
    async with bench.sending():
        await answers(bench, 0, ACCOUNTS[0])
        await bench.sent(2)
        (case,) = await bench.all_cases()
        bench.sandbox.inject("outage")
        await bench.does(case.case.id, commands.Acknowledge(actor=ANA))
        await bench.turns(10 * MINUTE, step=30 * SECOND)
        bench.sandbox.faults.clear()
        await bench.turns(MINUTE, step=SECOND)
        await bench.until(lambda: all("Acknowledged" in str(bench.inbox(who)[0]["blocks"]) for who in (ANA, LEA)))
