"""Cards on display follow their case, and messages reach the right person in the right place."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.router.domain import commands
from services.router.store import notices
from tests.support.slack_bench import ANA, CHANNEL, LEA, MAX, OPS, POLICY, SlackBench, slack_bench

SECOND = timedelta(seconds=1)


def shows(bench: SlackBench, email: str, *words: str) -> Callable[[], bool]:
    return lambda: any(all(word in str(message["blocks"]) for word in words) for message in bench.inbox(email))


async def test_every_card_shows_what_was_done(bench: SlackBench) -> None:
    async with bench.sending():
        view = await bench.low(2)
        await bench.sent(2)
        await bench.does(view.case.id, commands.Acknowledge(actor=ANA))
        bench.news.set()
        await bench.until(shows(bench, LEA, "Acknowledged by ", "ana"))
        await bench.until(shows(bench, ANA, "Acknowledged by "))
    assert {len(bench.inbox(email)) for email in (ANA, LEA)} == {1}


async def test_many_changes_end_in_the_newest_state(bench: SlackBench) -> None:
    async with bench.sending():
        view = await bench.low(2)
        await bench.sent(2)
        for number in range(20):
            await bench.does(view.case.id, commands.AddNote(actor=ANA, note=f"note {number}"))
            bench.news.set()
        await bench.until(shows(bench, LEA, "note 19"))
        await bench.idle()
    updates = [call for call in bench.sandbox.calls_of("chat.update") if call["args"]["channel"]]
    assert len(updates) < 40
    assert shows(bench, ANA, "note 19")()


async def test_a_deleted_card_comes_again_while_the_case_goes_on(bench: SlackBench) -> None:
    async with bench.sending():
        view = await bench.low(2)
        await bench.sent(2)
        (card,) = bench.inbox(ANA)
        bench.sandbox.delete_message(card["channel"], card["ts"])
        await bench.does(view.case.id, commands.Acknowledge(actor=LEA))
        bench.news.set()
        await bench.until(shows(bench, ANA, "Acknowledged by "))
        await bench.does(view.case.id, commands.Dismiss(actor=LEA, reason="A robot"))
        (card,) = bench.inbox(ANA)
        bench.sandbox.delete_message(card["channel"], card["ts"])
        bench.news.set()
        await bench.until(shows(bench, LEA, "Dismissed"))
        await bench.turns(SECOND)
    assert bench.inbox(ANA) == []
    alerted = [entry for entry in await bench.journal(view.case.id) if entry.type == "alerted"]
    assert len(alerted) == 2, "a card that comes again is no new alert"


async def test_what_a_person_just_did_is_shown_before_cards_that_changed_by_themselves(bench: SlackBench) -> None:
    for number in range(4):
        domain = f"co{number}.example"
        await bench.account(f"co{number}", domains=[domain], changed_at=bench.clock.now())
        await bench.low(2, record_id=f"co{number}", requester_email=f"x@{domain}")
    async with bench.sending():
        await bench.sent(8)
    chosen = (await bench.all_cases())[2].case.id
    for number in range(4):
        await bench.account(f"co{number}", csm=MAX, changed_at=bench.clock.now() + SECOND)
    await bench.does(chosen, commands.Acknowledge(actor=LEA))
    async with bench.database.read() as connection:
        first, second, *others = await notices.stale_cards(connection, 200)
    assert {first.case_id, second.case_id} == {chosen}
    assert chosen not in {row.case_id for row in others}


async def test_an_update_slack_fails_is_tried_again(bench: SlackBench) -> None:
    async with bench.sending():
        view = await bench.low(2)
        await bench.sent(2)
        bench.sandbox.inject("500", method="chat.update", count=2)
        await bench.does(view.case.id, commands.Acknowledge(actor=ANA))
        bench.news.set()
        await bench.turns(timedelta(seconds=12), step=SECOND)
        await bench.until(shows(bench, ANA, "Acknowledged by "))
        await bench.until(shows(bench, LEA, "Acknowledged by "))


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"deleted": True}, "no active Slack account"),
        ({"is_restricted": True}, "is a guest"),
        ({"is_bot": True}, "is a bot"),
    ],
)
async def test_a_csm_slack_cannot_reach_is_passed_over_and_the_card_says_why(
    bench: SlackBench, trouble: dict[str, Any], words: str
) -> None:
    bench.sandbox.update_user("U0ANA", **trouble)
    async with bench.sending():
        view = await bench.low(2)
        await bench.until(lambda: len(bench.inbox(MAX)) == 1 and len(bench.inbox(LEA)) == 1)
        await bench.idle()
    said = str(bench.inbox(MAX)[0]["blocks"])
    assert "ana@us.example" in said
    assert words in said
    case = (await bench.case(view.case.id)).case
    assert case.owner == MAX
    assert words in case.owner_reason


async def test_when_nobody_can_be_reached_the_notice_is_parked_not_lost(bench: SlackBench) -> None:
    for user in ("U0ANA", "U0LEA", "U0MAX", "U0CXOPS"):
        bench.sandbox.update_user(user, deleted=True)
    async with bench.sending():
        await bench.low(2)
        await bench.turns(timedelta(seconds=5), step=SECOND)
        assert "parked" in await bench.states()
        assert not bench.copies()
        bench.sandbox.update_user("U0CXOPS", deleted=False)
        await bench.turns(timedelta(hours=1, minutes=10), step=timedelta(minutes=1))
    assert bench.inbox(OPS), "once somebody is there again, the alert comes"


async def test_in_pilot_mode_everything_goes_to_the_channel_and_nobody_is_pinged(tmp_path: Path) -> None:
    policy = f'{POLICY}pilot = "channel:{CHANNEL}"\n'
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/pilot.db", policy) as bench:
        await bench.account()
        async with bench.sending():
            await bench.low(2)
            await bench.sent(2)
        cards = bench.sandbox.messages(channel=CHANNEL)
        said = [str(card["blocks"]) for card in cards]
        assert sorted("ana@us.example (owner)" in text for text in said) == [False, True]
        assert all("would have reached" in text for text in said)
        assert [card["mentions"] for card in cards] == [[], []]
        assert bench.inbox(ANA) == bench.inbox(LEA) == []


async def test_in_a_channel_one_card_calls_both(tmp_path: Path) -> None:
    policy = f'{POLICY}delivery = "channel:{CHANNEL}"\n'
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/channel.db", policy) as bench:
        await bench.account()
        async with bench.sending():
            view = await bench.low(2)
            await bench.sent(2)
            (card,) = bench.sandbox.messages(channel=CHANNEL)
            assert set(card["mentions"]) == {"@U0ANA", "@U0LEA"}
            await bench.does(view.case.id, commands.Acknowledge(actor=ANA))
            bench.news.set()
            await bench.until(lambda: "Acknowledged by" in str(bench.sandbox.messages(channel=CHANNEL)))
        assert len(bench.sandbox.messages(channel=CHANNEL)) == 1


async def test_a_channel_the_app_was_not_invited_to_parks_until_it_is(tmp_path: Path) -> None:
    policy = f'{POLICY}delivery = "channel:{CHANNEL}"\n'
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/channel.db", policy) as bench:
        await bench.account()
        bench.sandbox.update_channel(CHANNEL, is_private=True, bot_is_member=False)
        async with bench.sending():
            await bench.low(2)
            await bench.until(lambda: bench.sandbox.calls_of("chat.postMessage"))
            await bench.turns(timedelta(seconds=10), step=SECOND)
            assert [row["state"] for row in await bench.notices() if row["kind"] == "card"] == ["parked", "parked"]
            assert "did not reach" in bench.inbox(LEA)[0]["text"], "the lead is told where the channel cannot tell"
            bench.sandbox.update_channel(CHANNEL, bot_is_member=True)
            await bench.turns(timedelta(minutes=7), step=timedelta(seconds=10))
            await bench.sent(len(await bench.notices()))
        assert len(bench.sandbox.messages(channel=CHANNEL)) == 1


async def test_a_channel_may_be_renamed_and_the_app_removed_and_invited_again(tmp_path: Path) -> None:
    policy = f'{POLICY}delivery = "channel:{CHANNEL}"\n'
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/channel.db", policy) as bench:
        await bench.account()
        async with bench.sending():
            view = await bench.low(2)
            await bench.sent(2)
            bench.sandbox.update_channel(CHANNEL, name="another-name", is_private=True, bot_is_member=False)
            await bench.low(1, record_id="second", comment="Worse")
            await bench.turns(timedelta(seconds=10), step=SECOND)
            assert "did not reach" in bench.inbox(LEA)[0]["text"]
            assert (await bench.case(view.case.id)).case.owner == ANA
            bench.sandbox.update_channel(CHANNEL, bot_is_member=True)
            await bench.turns(timedelta(minutes=7), step=timedelta(seconds=10))
            await bench.sent(len(await bench.notices()))
            card, *replies = bench.sandbox.messages(channel=CHANNEL)
            assert {reply["thread_ts"] for reply in replies} == {card["ts"]}
            assert all("Worse" in str(reply["blocks"]) for reply in replies)
            await bench.does(view.case.id, commands.Acknowledge(actor=ANA))
            bench.news.set()
            await bench.until(lambda: "Acknowledged by" in str(bench.sandbox.messages(channel=CHANNEL)[0]["blocks"]))


async def test_in_a_group_message_owner_and_lead_read_one_card(tmp_path: Path) -> None:
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/group.db", f'{POLICY}delivery = "group_dm"\n') as bench:
        await bench.account()
        async with bench.sending():
            await bench.low(2)
            await bench.sent(2)
        (card,) = bench.sandbox.messages()
        channel = bench.sandbox.directory.channel(card["channel"])
        assert sorted(channel.members) == ["U0ANA", "U0LEA"]
        assert set(card["mentions"]) == {"@U0ANA", "@U0LEA"}


async def test_a_group_that_could_not_be_opened_at_once_is_opened_a_moment_later(tmp_path: Path) -> None:
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/group.db", f'{POLICY}delivery = "group_dm"\n') as bench:
        await bench.account()
        async with bench.sending(bench.service()):
            await bench.low(2)
            await bench.sent(2)
        bench.sandbox.inject("500", method="conversations.open", count=1)
        async with bench.sending():
            await bench.low(1, record_id="second", comment="Worse")
            await bench.turns(timedelta(seconds=8), step=SECOND)
            await bench.sent(4)
        assert len({message["channel"] for message in bench.sandbox.messages()}) == 1


async def test_slacks_rates_are_kept_when_many_cases_come_at_once(tmp_path: Path) -> None:
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/rates.db", rate_limits=True) as bench:
        bench.sandbox.limits.enabled = True
        for number in range(8):
            await bench.account(f"a{number}", domains=[f"a{number}.example"], name=f"Account {number}")
        async with bench.sending():
            for number in range(8):
                message = bench.answer(2, record_id=f"r{number}", requester_email=f"p@a{number}.example")
                await bench.hears(message)
            await bench.turns(timedelta(seconds=15))
            await bench.sent(16)
        refused = [call for call in bench.sandbox.calls if call["result"] == "ratelimited"]
        assert refused == []
        times = sorted(message["posted_at"] for message in bench.inbox(LEA))
        assert times[-1] - times[0] >= 5, "one message a second to the lead, who gets all eight"


async def test_the_fallback_owner_is_named_as_such(bench: SlackBench) -> None:
    async with bench.sending():
        await bench.hears(bench.answer(1, requester_email="x@unknown.example"))
        await bench.until(lambda: bench.inbox(OPS))
    assert "fallback" in str(bench.inbox(OPS)[0]["blocks"])
