"""The sender's rows on SQLite and PostgreSQL: claims, arrivals, doubts, take-over, updates and clicks."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from sqlalchemy import select

from services.router import tables
from services.router.delivery.silence import Silence
from services.router.delivery.undelivered import Undelivered
from services.router.slack.errors import WORKSPACE
from tests.support.slack_bench import ANA, LEA, MAX, SlackBench, slack_bench

SECOND = timedelta(seconds=1)


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[SlackBench]:
    async with slack_bench(database_url) as made:
        await made.account()
        yield made


async def test_what_is_lost_on_the_way_is_found_or_sent_again(bench: SlackBench) -> None:
    bench.sandbox.inject("drop_after_storing", method="chat.postMessage", count=1)
    bench.sandbox.inject("drop_before_storing", method="chat.postMessage", count=1)
    async with bench.sending():
        view = await bench.low(2)
        await bench.turns(timedelta(seconds=40), step=SECOND)
        await bench.sent(2)
        await bench.low(1, record_id="second")
        await bench.sent(4)
    assert set(bench.copies().values()) == {1}
    assert [entry.type for entry in await bench.journal(view.case.id)].count("alerted") == 4


async def test_a_killed_router_is_succeeded(bench: SlackBench) -> None:
    bench.sandbox.inject("delay_after_storing", method="chat.postMessage", count=2, seconds=1.5)
    async with bench.crashing(bench.service()):
        await bench.low(2)
        await bench.until(lambda: len(bench.copies()) == 2)
    async with bench.sending():
        # The lease of the dead lapses after 10 s, what it left is looked for until 25 s after that.
        await bench.turns(timedelta(seconds=45), step=SECOND)
        await bench.sent(2)
    assert set(bench.copies().values()) == {1}


async def test_of_two_routers_one_sends(bench: SlackBench) -> None:
    async with bench.sending(bench.service()), bench.sending():
        for number in range(4):
            await bench.low(2, record_id=f"r{number}")
        await bench.sent(8)
    assert set(bench.copies().values()) == {1}


@pytest.mark.postgres
async def test_a_case_that_is_being_written_keeps_no_others_alert_waiting(emptied_postgres_url: str) -> None:
    async with slack_bench(emptied_postgres_url) as bench, AsyncExitStack() as until_the_end:
        await bench.account()
        await bench.account("other", domains=["other.example"], csm=MAX)
        busy = await bench.low(2)
        await bench.low(2, record_id="other", requester_email="p@other.example")
        async with bench.database.transaction() as tx:
            theirs = select(tables.notices.c.id).where(tables.notices.c.case_id == busy.case.id)
            assert len((await tx.execute(theirs.with_for_update())).all()) == 2
            await until_the_end.enter_async_context(bench.sending())
            await bench.until(lambda: bench.inbox(MAX))
            assert bench.inbox(ANA) == []
        await bench.turns(2 * SECOND)
        await bench.sent(4)
        assert set(bench.copies().values()) == {1}


async def test_alerts_that_wait_too_long_are_found_and_mailed_once(bench: SlackBench) -> None:
    undelivered = Undelivered(bench.cases, bench.policy, bench.runtime.settings.smtp)
    silence = Silence(bench.database, undelivered, bench.clock, timedelta(minutes=5), WORKSPACE)
    view = await bench.low(2)
    assert await silence.break_it() == 0
    bench.clock.advance(timedelta(minutes=5))
    assert await silence.break_it() == 2
    assert await silence.break_it() == 0
    told = [entry.data["meant_for"] for entry in await bench.journal(view.case.id) if entry.type == "alert_undelivered"]
    assert sorted(told) == [ANA, LEA]


async def test_a_click_adopts_and_cards_follow(bench: SlackBench) -> None:
    bench.sandbox.inject("drop_after_storing", method="chat.postMessage", count=2)
    bench.sandbox.inject("500", method="conversations.history")
    async with bench.sending():
        await bench.low(2)
        await bench.until(lambda: len(bench.copies()) == 2)
        await bench.idle()
        await bench.clicks(ANA, "case.acknowledge")
        bench.sandbox.faults.clear()
        await bench.until(lambda: "Acknowledged by" in str(bench.inbox(ANA)[0]["blocks"]))
        await bench.turns(timedelta(seconds=30), step=SECOND)
        await bench.until(lambda: "Acknowledged by" in str(bench.inbox(LEA)[0]["blocks"]))
    assert set(bench.copies().values()) == {1}


async def test_missed_reminders_are_one_and_parked_notices_come_back(bench: SlackBench) -> None:
    async with bench.sending():
        await bench.low(2)
        await bench.sent(2)
        bench.sandbox.inject("ok_false", method="chat.postMessage", error="invalid_auth")
        await bench.turns(timedelta(hours=25), step=timedelta(minutes=30))
        bench.sandbox.faults.clear()
        await bench.turns(timedelta(minutes=1), step=2 * SECOND)
        await bench.until(lambda: len(bench.inbox(ANA)) == 2)
    assert set(bench.copies().values()) == {1}
