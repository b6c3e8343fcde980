"""Who is called by a message: only who must act, and in pilot mode nobody, also of those whom Slack has known."""

from datetime import timedelta
from pathlib import Path

from services.router.store import notices, people
from services.router.store.people import Person
from tests.support.slack_bench import ANA, CHANNEL, LEA, MAX, POLICY, SlackBench, slack_bench


async def test_in_a_direct_message_a_card_calls_nobody_and_a_reminder_whom_it_reminds(bench: SlackBench) -> None:
    async with bench.sending():
        await bench.low(2)
        await bench.sent(2)
        await bench.turns(timedelta(hours=21), step=timedelta(hours=1))
        await bench.sent(3)
    card, reminder = bench.inbox(ANA)
    assert not card["text"].startswith("<@")
    assert reminder["text"].startswith("<@U0ANA> ")
    assert not bench.inbox(LEA)[0]["text"].startswith("<@")


async def test_a_click_vouches_for_no_message_of_another_case(bench: SlackBench) -> None:
    """Its button carries both ids; only together do they prove anything."""
    await bench.account("beta", name="Beta", domains=["beta.example"])
    await bench.low(2)
    await bench.low(2, record_id="r2", requester_email="x@beta.example")
    card = next(row for row in await bench.notices() if row["kind"] == "card")
    other = next(view.case.id for view in await bench.all_cases() if view.case.id != card["case_id"])
    async with bench.database.transaction() as tx:
        assert await notices.adopt(tx, card["id"], other, "D1", "1.0", bench.clock.now()) is None
        assert await notices.adopt(tx, card["id"], card["case_id"], "D1", "1.0", bench.clock.now()) is not None


async def test_in_pilot_mode_nobody_known_is_called_by_card_reminder_or_escalation(tmp_path: Path) -> None:
    policy = f'{POLICY}pilot = "channel:{CHANNEL}"\n'
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/pilot.db", policy) as bench:
        await bench.account()
        async with bench.database.transaction() as tx:
            for email in (ANA, LEA, MAX):
                user = next(user.id for user in bench.sandbox.directory.people() if user.email == email)
                await people.remember(tx, Person(email, user, f"D{user}", "UTC", None, bench.clock.now()))
        async with bench.sending():
            await bench.low(2)
            await bench.sent(2)
            await bench.turns(timedelta(hours=25), step=timedelta(hours=1))
            await bench.sent(4)
        said = bench.sandbox.messages(channel=CHANNEL)
        assert len(said) == 4
        assert [message["mentions"] for message in said] == [[], [], [], []]
        assert [bench.inbox(email) for email in (ANA, LEA, MAX)] == [[], [], []]
