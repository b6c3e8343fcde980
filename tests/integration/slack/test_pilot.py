"""Before real CSMs are pinged: in pilot mode nobody is, also not those whom Slack has known for long."""

from datetime import timedelta
from pathlib import Path

from services.router.store import people
from services.router.store.people import Person
from tests.support.slack_bench import ANA, CHANNEL, LEA, MAX, POLICY, slack_bench


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
