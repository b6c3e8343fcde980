"""The outbox against Slack's faults: every notice is seen once, whatever is lost on the way (G7)."""

from datetime import timedelta
from typing import Any

import pytest

from services.router.domain import commands
from services.router.domain.messages import Message
from services.router.slack import blocks
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


@pytest.mark.parametrize("retry_after", [0, -3, 10**9, 10**400, "soon", "inf", "nan"], ids=lambda v: str(v)[:11])
async def test_a_retry_after_that_makes_no_sense_holds_nothing_up_for_ever(bench: SlackBench, retry_after: Any) -> None:
    bench.sandbox.inject("429", method="chat.postMessage", count=1, retry_after=retry_after)
    async with bench.sending():
        await bench.low(2)
        await bench.turns(timedelta(minutes=6), step=timedelta(seconds=15))
        await bench.sent(2)
    assert set(bench.copies().values()) == {1}
    assert len(bench.sandbox.calls_of("chat.postMessage")) == 3


@pytest.mark.parametrize("answer", ["200_html", "200_empty"])
async def test_an_answer_that_says_nothing_is_a_lost_one(bench: SlackBench, answer: str) -> None:
    """The page of a proxy, or a body without the message's ts: it may have been posted, so it is looked for."""
    bench.sandbox.inject(answer, method="chat.postMessage", count=2, stored=True)
    async with bench.sending():
        await bench.low(2)
        await bench.until(lambda: len(bench.copies()) == 2)
        await bench.turns(timedelta(seconds=60), step=SECOND)
        await bench.sent(2)
    assert list(bench.copies().values()) == [1, 1]
    shown = {(message["channel"], message["ts"]) for message in bench.sandbox.messages()}
    assert {(row["channel"], row["ts"]) for row in await bench.notices()} == shown


async def test_a_reply_to_a_thread_that_is_closed_or_gone_stands_alone(bench: SlackBench) -> None:
    view = await bench.low(2)
    async with bench.sending():
        await bench.sent(2)
        bench.sandbox.inject("ok_false", method="chat.postMessage", count=2, error="thread_not_found")
        await bench.low(1, record_id="second", comment="Worse")
        await bench.sent(4)
    for email in (ANA, LEA):
        _, reply = bench.inbox(email)
        assert not reply["thread_ts"]
    assert (await bench.case(view.case.id)).case.owner == ANA, "the thread is at fault, not the person"


async def test_in_another_workspace_everybody_is_found_afresh(bench: SlackBench) -> None:
    """A trial workspace was exchanged for the real one: no DM that was known there exists here."""
    async with bench.sending(bench.service()):
        view = await bench.low(2)
        await bench.sent(2)
    bench.clock.advance(timedelta(hours=1))
    bench.sandbox.clear_messages()
    for channel in [one for one in bench.sandbox.directory.channels.values() if one.is_im]:
        del bench.sandbox.directory.channels[channel.id]
    async with bench.sending():
        await bench.low(1, record_id="second", comment="Worse")
        await bench.turns(timedelta(seconds=20), step=SECOND)
        await bench.until(lambda: bench.inbox(ANA) and bench.inbox(LEA))
    assert (await bench.case(view.case.id)).case.owner == ANA


async def test_a_history_that_cannot_be_read_holds_its_place_up_for_ten_minutes_at_most(
    bench: SlackBench,
) -> None:
    await bench.account(support_lead=ANA)
    bench.sandbox.inject("500", method="conversations.history")
    bench.sandbox.inject("drop_before_storing", method="chat.postMessage", count=1)
    async with bench.sending():
        await bench.low(2)
        await bench.turns(SECOND)
        await bench.low(1, record_id="second", comment="Worse")
        await bench.turns(timedelta(minutes=4), step=5 * SECOND)
        assert bench.inbox(ANA) == [], "it may yet turn out to be there"
        await bench.turns(timedelta(minutes=7), step=5 * SECOND)
    card, reply = bench.inbox(ANA)
    assert "(possible repeat)" in card["text"]
    assert "Worse" in reply["text"]
    assert set(bench.copies().values()) == {1}


async def test_a_message_lost_in_a_long_history_is_not_taken_for_missing(bench: SlackBench) -> None:
    """More was written there since than a look goes through: the look cannot tell, and says so."""
    await bench.account(support_lead=ANA)
    bench.sandbox.inject("drop_after_storing", method="chat.postMessage", count=1)
    async with bench.sending():
        await bench.low(2)
        await bench.until(lambda: len(bench.copies()) == 1)
        (card,) = bench.inbox(ANA)
        for _ in range(2_100):
            bench.sandbox.say(ANA, card["channel"], "and another thing")
        await bench.turns(timedelta(minutes=2), step=5 * SECOND)
    assert set(bench.copies().values()) == {1}


async def test_a_message_slack_will_not_have_holds_its_place_up_for_some_minutes_at_most(bench: SlackBench) -> None:
    """A refusal of no known meaning may pass, so it is tried again; then others are told, and the rest goes on."""
    await bench.account(support_lead=ANA)
    async with bench.sending():
        await bench.low(2)
        await bench.sent(1)
        bench.sandbox.inject("ok_false", method="chat.postMessage", count=8, error="something_new")
        await bench.low(1, record_id="second", comment="number 1")
        await bench.turns(SECOND)
        await bench.low(1, record_id="third", comment="number 2")
        await bench.turns(timedelta(minutes=6), step=5 * SECOND)
        said = [str(message["blocks"]) for message in bench.inbox(ANA)]
        assert any("number 2" in text for text in said)
        await bench.turns(timedelta(minutes=7), step=5 * SECOND)
        said = [str(message["blocks"]) for message in bench.inbox(ANA)]
        assert any("number 1" in text for text in said), "put right meanwhile, it comes too"
    assert set(bench.copies().values()) == {1}


@pytest.mark.parametrize("takes_over", [False, True], ids=["same router", "another router"])
async def test_what_comes_later_in_a_place_does_not_overtake_what_was_put_off(
    bench: SlackBench, takes_over: bool
) -> None:
    await bench.account(support_lead=ANA)
    first, second = bench.service(), bench.service()
    async with bench.sending(first):
        await bench.low(2)
        await bench.sent(1)
        bench.sandbox.inject("ok_false", method="chat.postMessage", count=3, error="something_new")
        bench.slack = first
        for number in range(3):
            await bench.low(1, record_id=f"later-{number}", ticket_id=f"T-{number}", comment=f"number {number}")
            bench.clock.advance(timedelta(milliseconds=10))
        await bench.turns(3 * SECOND, step=SECOND)
        if not takes_over:
            await bench.turns(timedelta(minutes=1))
    bench.slack = second
    async with bench.sending(second):
        await bench.turns(timedelta(minutes=1))
        await bench.sent(4)
    said = [str(message["blocks"]) for message in bench.inbox(ANA)[1:]]
    assert [next(n for n in range(3) if f"number {n}" in text) for text in said] == [0, 1, 2]


async def test_a_new_alert_goes_before_a_reminder_that_waits_for_longer(bench: SlackBench) -> None:
    await bench.account("other", domains=["other.example"], support_lead=ANA)
    await bench.account(support_lead=ANA)
    async with bench.sending():
        await bench.low(2)
        await bench.sent(1)
    await bench.passes(timedelta(hours=20, minutes=30))
    await bench.low(2, record_id="r2", ticket_id="T-2", requester_email="eve@other.example")
    async with bench.sending():
        await bench.sent(3)
    said = [message["text"] for message in bench.inbox(ANA)[1:]]
    assert [text.startswith("Low score") for text in said] == [True, False], said
    assert "Reminder" in said[1]


async def test_a_message_that_cannot_be_drawn_is_told_of_otherwise_and_holds_nothing_up(
    bench: SlackBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of ours, of one message: its place is free for the next."""
    await bench.account(support_lead=ANA)
    draw = blocks.render

    def render(message: Message, *more: Any) -> blocks.Rendered:
        if "number 1" in message.text:
            raise ValueError("cannot be drawn")
        return draw(message, *more)

    monkeypatch.setattr(blocks, "render", render)
    async with bench.sending():
        await bench.low(2)
        await bench.sent(1)
        await bench.low(1, record_id="second", comment="number 1")
        await bench.turns(SECOND)
        await bench.low(1, record_id="third", comment="number 2")
        await bench.turns(timedelta(seconds=20), step=SECOND)
        assert any("number 2" in str(message["blocks"]) for message in bench.inbox(ANA))
    (view,) = await bench.all_cases()
    assert "alert_undelivered" in [entry.type for entry in await bench.journal(view.case.id)]
    assert (await bench.case(view.case.id)).case.owner == ANA


@pytest.mark.parametrize("when", range(3), ids=["before the rows are read", "meanwhile", "while the cases are read"])
async def test_a_place_in_doubt_at_any_moment_of_choosing_is_left_alone(bench: SlackBench, when: int) -> None:
    await bench.low(2)
    sender = bench.slack.delivery._sender
    async with bench.database.read() as connection:
        await sender.choose(connection)
        await bench.until(lambda: not sender.book.is_asking)
        place = sender.book.place_of(ANA)
        moments = iter([{place} if moment == when else set() for moment in range(3)])
        sender.doubted = lambda: next(moments)
        assert [pick.row.recipient for pick in await sender.choose(connection)] == [LEA]
