"""At night what stands twice is made one again: earlier copy, live card, and nothing posted anew."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from services.router import tables
from services.router.delivery.duplicates import REMOVED, DuplicateSweep, Progress
from tests.support.slack_bench import ANA, LEA, MAX, POLICY, SlackBench, slack_bench

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[SlackBench]:
    async with slack_bench(database_url) as made:
        await made.account()
        yield made


async def sweep(bench: SlackBench, service: Any = None) -> Progress | None:
    """One sweep to its end, time passing while it waits."""
    chosen: DuplicateSweep = (service or bench.slack).duplicates
    running = asyncio.create_task(chosen.sweep_when_due())
    while not running.done():
        await asyncio.sleep(0.002)
        bench.clock.advance(SECOND)
    return running.result()


async def tonight(bench: SlackBench) -> None:
    """The clock stands still at noon until then: nothing else falls due in between."""
    now = bench.clock.now()
    bench.clock.advance((now.replace(hour=2, minute=30) + timedelta(days=1)) - now)


async def copied(bench: SlackBench, message: dict[str, Any]) -> dict[str, Any]:
    """The same message stands there once more, as after a repeat that was not needed."""
    settings = bench.runtime.settings.slack
    assert settings.bot_token is not None
    client = AsyncWebClient(settings.bot_token.get_secret_value(), base_url=str(settings.api_url), retry_handlers=[])
    thread = {"thread_ts": message["thread_ts"]} if message["thread_ts"] else {}
    posted = await client.chat_postMessage(
        channel=message["channel"],
        text=message["text"],
        blocks=message["blocks"],
        metadata=message["metadata"],
        **thread,
    )
    return dict(posted.data)  # type: ignore[arg-type]


async def alerted(bench: SlackBench, count: int = 2) -> str:
    async with bench.sending(bench.service()):
        view = await bench.low(2)
        await bench.sent(count)
    return view.case.id


async def test_g7_a_repeat_that_slack_hid_for_too_long_is_taken_away_and_the_first_card_lives_on(
    bench: SlackBench,
) -> None:
    bench.sandbox.inject("history_lag", seconds=120)
    bench.sandbox.inject("drop_after_storing", method="chat.postMessage", count=1)
    async with bench.sending():
        await bench.low(2)
        await bench.turns(40 * SECOND, step=SECOND)
        await bench.sent(2)
        assert sorted(bench.copies().values()) == [1, 2], "posted again after three looks in vain"
        bench.sandbox.faults.clear()
        await tonight(bench)
        removed = REMOVED._value.get()
        done = await sweep(bench)
        assert done is not None
        assert (done.removed, done.unread) == (1, 0)
        assert REMOVED._value.get() == removed + 1
        assert set(bench.copies().values()) == {1}
        await bench.clicks(ANA, "case.acknowledge")
        await bench.until(lambda: all("Acknowledged by" in str(bench.inbox(who)[0]["blocks"]) for who in (ANA, LEA)))
        await bench.turns(5 * SECOND, step=SECOND)
    assert set(bench.copies().values()) == {1}, "and nothing was posted anew"
    assert not [text for who in (ANA, LEA) for text in [str(bench.inbox(who)[0])] if "possible repeat" in text]


async def test_a_copy_in_a_thread_goes_too(bench: SlackBench) -> None:
    await alerted(bench)
    async with bench.sending(bench.service()):
        await bench.low(1, record_id="second")
        await bench.sent(4)
    reply = next(message for message in bench.inbox(ANA) if message["thread_ts"])
    later = await copied(bench, reply)
    await tonight(bench)
    done = await sweep(bench)
    assert done is not None
    assert done.removed == 1
    assert set(bench.copies().values()) == {1}
    assert later["ts"] not in {message["ts"] for message in bench.inbox(ANA)}


async def test_the_copy_with_a_conversation_beneath_it_stays(bench: SlackBench) -> None:
    await alerted(bench)
    first = bench.inbox(ANA)[0]
    later = await copied(bench, first)
    bench.sandbox.say(ANA, first["channel"], "Calling them now", thread_ts=later["ts"])
    await tonight(bench)
    await sweep(bench)
    cards = [message for message in bench.inbox(ANA) if message["metadata"]]
    assert [card["ts"] for card in cards] == [later["ts"]]
    rows = {row["recipient"]: row["ts"] for row in await bench.notices() if row["kind"] == "card"}
    assert rows[ANA] == later["ts"], "and it is the one kept alive"


async def test_what_is_not_ours_is_left_alone(bench: SlackBench) -> None:
    await alerted(bench)
    card = bench.inbox(ANA)[0]
    bench.sandbox.log.add(card["channel"], "U0ANA", "copied", "typed", metadata=card["metadata"])
    await tonight(bench)
    done = await sweep(bench)
    assert done is not None
    assert (done.removed, done.unread) == (0, 0)
    assert len(bench.inbox(ANA)) == 2


async def test_it_runs_at_night_once_and_reads_only_what_was_written_to_since(bench: SlackBench) -> None:
    await alerted(bench)
    assert await sweep(bench) is None, "it is noon"
    await tonight(bench)
    assert await sweep(bench) is not None
    assert await sweep(bench) is None, "once a night"
    read = len(bench.sandbox.calls_of("conversations.history"))
    assert read == 2
    await tonight(bench)
    done = await sweep(bench)
    assert done is not None
    assert len(bench.sandbox.calls_of("conversations.history")) == read, "nothing was written since"


async def test_of_two_routers_one_sweeps(bench: SlackBench) -> None:
    await alerted(bench)
    await copied(bench, bench.inbox(ANA)[0])
    await tonight(bench)
    other = bench.service()
    first, second = await asyncio.gather(sweep(bench), sweep(bench, other))
    assert (first is None) != (second is None)
    assert len(bench.sandbox.calls_of("chat.delete")) == 1
    await other.close()


async def test_a_router_that_dies_half_way_is_succeeded_from_where_it_was(bench: SlackBench) -> None:
    await bench.account("beta", name="Beta", domains=["beta.example"], csm=MAX)
    async with bench.sending(bench.service()):
        await bench.low(2)
        await bench.low(2, record_id="b", requester_email="x@beta.example")
        await bench.sent(4)
    places = sorted({message["channel"] for message in bench.sandbox.messages() if message["metadata"]})
    assert len(places) == 3
    last = next(message for message in bench.sandbox.messages(channel=places[-1]) if message["metadata"])
    await copied(bench, last)
    await tonight(bench)
    dying = bench.service()
    bench.sandbox.inject("delay_after_storing", method="conversations.history", channel=places[-1], count=1, seconds=1)
    running = asyncio.create_task(dying.duplicates.sweep_when_due())
    await bench.until(lambda: len(bench.sandbox.calls_of("conversations.history")) == 3)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await sweep(bench) is None, "its lease still holds"
    bench.clock.advance(timedelta(minutes=11))
    done = await sweep(bench)
    assert done is not None
    assert done.removed == 1
    assert [call["args"]["channel"] for call in bench.sandbox.calls_of("conversations.history")] == [
        *places,
        places[-1],
    ]
    await dying.close()


@pytest.mark.parametrize("method", ["conversations.history", "chat.delete"])
@pytest.mark.parametrize(
    "fault",
    [{"kind": "429", "retry_after": 9}, {"kind": "500"}, {"kind": "drop_after_storing"}],
    ids=lambda f: f["kind"],
)
async def test_a_call_that_fails_is_made_again(bench: SlackBench, method: str, fault: dict[str, Any]) -> None:
    await alerted(bench)
    await copied(bench, bench.inbox(ANA)[0])
    await tonight(bench)
    bench.sandbox.inject(method=method, count=1, **fault)
    done = await sweep(bench)
    assert done is not None
    assert done.unread == 0
    assert set(bench.copies().values()) == {1}


async def test_a_place_that_cannot_be_read_tonight_is_read_tomorrow(bench: SlackBench) -> None:
    await alerted(bench)
    await copied(bench, bench.inbox(ANA)[0])
    await tonight(bench)
    bench.sandbox.inject("500", method="conversations.history", channel=bench.inbox(ANA)[0]["channel"])
    done = await sweep(bench)
    assert done is not None
    assert (done.removed, done.unread) == (0, 1)
    bench.sandbox.faults.clear()
    await tonight(bench)
    done = await sweep(bench)
    assert done is not None
    assert (done.removed, done.unread) == (1, 0)


async def test_a_channel_that_is_closed_to_us_holds_up_no_later_sweep(tmp_path: Path) -> None:
    policy = f'{POLICY}delivery = "channel:C0TEAM"\n'
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/channel.db", policy) as bench:
        await bench.account()
        await alerted(bench)
        await tonight(bench)
        bench.sandbox.inject("ok_false", method="conversations.history", error="not_in_channel")
        done = await sweep(bench)
        assert done is not None
        assert (done.unread, done.done) == (0, True)


async def test_a_message_that_is_still_looked_for_is_not_touched(bench: SlackBench) -> None:
    await alerted(bench)
    card = bench.inbox(ANA)[0]
    await copied(bench, card)
    async with bench.database.transaction() as tx:
        of = tables.notices.c.id == card["metadata"]["event_payload"]["d"]
        await tx.execute(tables.notices.update().where(of).values(state="uncertain"))
    await tonight(bench)
    done = await sweep(bench)
    assert done is not None
    assert done.removed == 0
