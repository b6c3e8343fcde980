"""The outbox against Slack's faults: every notice is seen once, whatever is lost on the way (G7)."""

from datetime import timedelta
from typing import Any

import pytest

from services.router.domain import commands
from tests.support.slack_bench import ANA, LEA, SlackBench, slack_bench

SECOND = timedelta(seconds=1)


async def test_a_low_score_reaches_csm_and_lead(bench: SlackBench) -> None:
    async with bench.sending():
        view = await bench.low(2, comment="Export <!channel> fails")
        await bench.sent(2)
    for email in (ANA, LEA):
        (card,) = bench.inbox(email)
        assert "Acme Ltd" in str(card["blocks"])
        assert "CSAT 2 of 5 (Bad)" in str(card["blocks"])
        assert "!channel" not in str(card["mentions"])
    assert [entry.type for entry in await bench.journal(view.case.id)].count("alerted") == 2
    assert set(bench.copies().values()) == {1}


@pytest.mark.parametrize("kind", ["429", "500", "503_html", "drop_before_storing", "ok_false"])
async def test_what_slack_did_not_store_is_sent_again(bench: SlackBench, kind: str) -> None:
    options = {"retry_after": 2} if kind == "429" else {}
    bench.sandbox.inject(kind, method="chat.postMessage", count=2, **options)
    async with bench.sending():
        await bench.low(2)
        await bench.turns(timedelta(seconds=40), step=timedelta(seconds=1))
        await bench.sent(2)
    assert list(bench.copies().values()) == [1, 1]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("drop_after_storing", {}),
        ("500", {"stored": True}),
        ("503_html", {"stored": True}),
        ("delay_after_storing", {"seconds": 3.0}),
        ("ok_false", {"stored": True, "error": "fatal_error"}),
    ],
)
async def test_what_slack_stored_is_found_and_not_sent_again(
    bench: SlackBench, kind: str, options: dict[str, Any]
) -> None:
    bench.sandbox.inject(kind, method="chat.postMessage", count=2, **options)
    async with bench.sending():
        await bench.low(2)
        await bench.until(lambda: len(bench.copies()) == 2)
        await bench.turns(timedelta(seconds=60), step=timedelta(seconds=1))
        await bench.sent(2)
    assert list(bench.copies().values()) == [1, 1]
    assert "possible repeat" not in str(bench.sandbox.messages())


async def test_a_lost_message_is_looked_for_three_times_before_it_is_sent_again_marked(bench: SlackBench) -> None:
    await bench.account(support_lead=ANA)
    bench.sandbox.inject("drop_before_storing", method="chat.postMessage", count=1)
    async with bench.sending():
        start = bench.clock.now()
        await bench.low(2)
        await bench.until(lambda: bench.sandbox.calls_of("chat.postMessage"))
        await bench.turns(timedelta(seconds=45))
        await bench.sent(1)
    looks = [call["at"] - start.timestamp() for call in bench.sandbox.calls_of("conversations.history")]
    assert looks == pytest.approx([2, 10, 25], abs=0.6)
    posts = [call["at"] - start.timestamp() for call in bench.sandbox.calls_of("chat.postMessage")]
    assert posts == pytest.approx([0, 30], abs=0.6)
    (card,) = bench.inbox(ANA)
    assert "(possible repeat)" in str(card["blocks"])
    assert "(possible repeat)" in card["text"]


async def test_a_message_that_shows_up_late_is_adopted_by_a_later_look(bench: SlackBench) -> None:
    bench.sandbox.inject("drop_after_storing", method="chat.postMessage", count=1)
    bench.sandbox.inject("history_lag", seconds=6.0)
    async with bench.sending():
        await bench.low(2)
        await bench.until(lambda: len(bench.copies()) == 2)
        await bench.turns(timedelta(seconds=40))
        await bench.sent(2)
    assert set(bench.copies().values()) == {1}


async def test_a_429_is_waited_out_and_the_order_kept(bench: SlackBench) -> None:
    await bench.account(support_lead=ANA)
    async with bench.sending():
        await bench.low(2)
        await bench.sent(1)
        bench.sandbox.inject("429", method="chat.postMessage", count=1, retry_after=9)
        for number in range(3):
            await bench.low(1, record_id=f"later-{number}", ticket_id=f"T-{number}", comment=f"number {number}")
            bench.clock.advance(timedelta(milliseconds=10))
        began = bench.clock.now().timestamp()
        await bench.turns(timedelta(seconds=12))
        await bench.sent(4)
    calls = [call["at"] for call in bench.sandbox.calls_of("chat.postMessage")]
    assert [at for at in calls[2:] if at < began + 8.9] == [], "nothing before Slack's Retry-After"
    said = [str(message["blocks"]) for message in bench.inbox(ANA)[1:]]
    assert [next(n for n in range(3) if f"number {n}" in text) for text in said] == [0, 1, 2]


async def test_a_router_killed_after_slack_accepted_doubles_nothing(bench: SlackBench) -> None:
    """The named crash point: posted, but not yet written down. Another router takes over and finds the message."""
    doomed = bench.service()
    bench.sandbox.inject("delay_after_storing", method="chat.postMessage", count=2, seconds=1.5)
    async with bench.crashing(doomed):
        await bench.low(2)
        await bench.until(lambda: len(bench.copies()) == 2)
    assert await bench.states() == ["sending", "sending"]
    async with bench.sending():
        await bench.turns(timedelta(seconds=45), step=SECOND)
        await bench.sent(2)
    assert set(bench.copies().values()) == {1}
    (view,) = await bench.all_cases()
    assert [entry.type for entry in await bench.journal(view.case.id)].count("alerted") == 2


async def test_a_router_killed_before_slack_got_it_loses_nothing(bench: SlackBench) -> None:
    doomed = bench.service(api_url="http://127.0.0.1:9/api/")
    bench.sandbox.inject("drop_before_storing", method="chat.postMessage")
    async with bench.crashing(bench.service()):
        await bench.low(2)
        await bench.until(lambda: len(bench.sandbox.calls_of("chat.postMessage")) >= 2)
    await doomed.close()
    bench.sandbox.faults.clear()
    async with bench.sending():
        await bench.turns(timedelta(seconds=60), step=SECOND)
        await bench.sent(2)
    assert set(bench.copies().values()) == {1}


async def test_with_two_routers_one_sends_and_the_other_takes_over(bench: SlackBench) -> None:
    async with bench.sending(bench.service()):
        await bench.low(2)
        await bench.sent(2)
        async with bench.sending():
            await bench.low(1, record_id="second")
            await bench.sent(4)
    async with bench.sending():
        await bench.low(1, record_id="third")
        await bench.turns(timedelta(seconds=2))
        await bench.sent(6)
    assert set(bench.copies().values()) == {1}


async def test_an_hours_outage_loses_and_doubles_nothing_and_ends_with_one_reminder(bench: SlackBench) -> None:
    async with bench.sending():
        await bench.low(2)
        await bench.sent(2)
        await bench.turns(timedelta(hours=19), step=timedelta(minutes=20))
        bench.sandbox.inject("outage")
        await bench.low(1, record_id="in the outage")
        await bench.turns(timedelta(hours=3), step=timedelta(minutes=5))
        assert "sent" in await bench.states()
        waiting = [row for row in await bench.notices() if row["state"] != "sent"]
        assert {row["kind"] for row in waiting} == {"joined", "reminder"}
        bench.sandbox.faults.clear()
        await bench.turns(timedelta(minutes=2), step=3 * SECOND)
        await bench.until(lambda: len(bench.copies()) == 5)
    assert set(bench.copies().values()) == {1}
    assert sum("Reminder" in message["text"] for message in bench.inbox(ANA)) == 1


async def test_of_many_missed_reminders_one_is_left(bench: SlackBench) -> None:
    policy = '[sla]\nremind_before = ["4h", "3h", "2h", "1h"]\n'
    async with slack_bench(str(bench.database.url).replace("closeloop.db", "other.db"), policy) as other:
        await other.account()
        async with other.sending():
            await other.low(2)
            await other.sent(2)
            await other.turns(timedelta(hours=19), step=timedelta(hours=1))
            other.sandbox.inject("outage")
            await other.turns(timedelta(hours=4, minutes=30), step=timedelta(minutes=5))
            other.sandbox.faults.clear()
            await other.turns(timedelta(minutes=1), step=2 * SECOND)
            reminders = [message["text"] for message in other.inbox(ANA) if "Reminder" in message["text"]]
        assert len(reminders) == 1
        assert "3 earlier reminders" in reminders[0] or "earlier reminder" in reminders[0]


async def test_a_refused_card_goes_out_as_plain_text(bench: SlackBench) -> None:
    bench.sandbox.inject("ok_false", method="chat.postMessage", count=1, error="invalid_blocks")
    async with bench.sending():
        await bench.low(2)
        await bench.sent(2)
    cards = [bench.inbox(email)[0] for email in (ANA, LEA)]
    assert sorted(bool(card["blocks"]) for card in cards) == [False, True]
    assert all("CSAT 2 of 5 (Bad)" in card["text"] for card in cards)


async def test_slack_refusing_the_app_parks_nothing_and_goes_on_when_it_is_put_right(bench: SlackBench) -> None:
    bench.sandbox.inject("ok_false", method="chat.postMessage", error="invalid_auth")
    async with bench.sending():
        await bench.low(2)
        await bench.turns(timedelta(minutes=5), step=5 * SECOND)
        assert await bench.states() == ["pending", "pending"]
        bench.sandbox.faults.clear()
        await bench.turns(timedelta(minutes=2), step=3 * SECOND)
        await bench.sent(2)
    assert set(bench.copies().values()) == {1}


async def test_a_reply_waits_for_its_card(bench: SlackBench) -> None:
    await bench.low(2)
    await bench.low(1, record_id="second", comment="Worse")
    async with bench.sending():
        await bench.sent(4)
    for email in (ANA, LEA):
        card, reply = bench.inbox(email)
        assert reply["thread_ts"] == card["ts"]
        assert "Another low score" in reply["text"]
        assert reply["text"].endswith("“Worse”"), "a push notification shows no blocks"


async def test_nobody_is_reminded_of_what_is_done(bench: SlackBench) -> None:
    view = await bench.low(2)
    await bench.passes(timedelta(hours=21))
    touch = commands.LogTouch(
        actor=ANA, channel="call", touched_at=bench.clock.now(), acknowledgement="Sorry for that", next_step="Fix it",
        next_step_due=bench.clock.now().date(),
    )  # fmt: skip
    await bench.does(view.case.id, touch)
    async with bench.sending():
        await bench.sent(2)
        await bench.turns(timedelta(seconds=2))
    assert not [message for message in bench.inbox(ANA) if "Reminder" in message["text"]]
