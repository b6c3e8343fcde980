"""The morning digest as its reader gets it: one message that lists what was folded, then the cards."""

from datetime import timedelta
from pathlib import Path

from services.router.slack.blocks import Rendered
from services.router.store import people
from services.router.store.people import Person
from tests.support.block_limits import message_problems
from tests.support.domain import NOON
from tests.support.slack_bench import ANA, LEA, POLICY, slack_bench


async def test_in_the_morning_one_message_lists_what_was_folded_and_the_cards_follow(tmp_path: Path) -> None:
    policy = f'[sla]\nremind_before = ["1h"]\n{POLICY}[noise]\nweekly_budget = 1\n'
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/closeloop.db", policy) as bench:
        async with bench.database.transaction() as tx:
            for email in (ANA, LEA):
                await people.remember(tx, Person(email, None, None, "UTC", None, NOON - timedelta(days=30)))
        for name in ("Alpha", "Beta", "Gamma"):
            await bench.account(name, name=f"{name} <Ltd>", domains=[f"{name.lower()}.example"], arr=1.0)
        async with bench.sending():
            for name in ("alpha", "beta", "gamma"):
                await bench.low(2, record_id=name, requester_email=f"x@{name}.example")
            await bench.sent(2)
            await bench.idle()
            assert len(bench.inbox(ANA)) == 1, "within the budget at once, the others not yet"
            bench.clock.advance(timedelta(hours=20, minutes=29))
            await bench.idle()
            assert len(bench.inbox(ANA)) == 1
            await bench.turns(timedelta(minutes=1, seconds=10), step=timedelta(seconds=5))
            await bench.sent(8)
        digest, *cards = bench.inbox(ANA)[1:]
        assert "2 low scores beyond this week's budget" in digest["text"]
        assert "Beta &lt;Ltd&gt;" in str(digest["blocks"])
        assert "http://closeloop.test/cases/L-" in str(digest["blocks"])
        assert message_problems(Rendered(digest["text"], digest["blocks"])) == []
        assert ["Beta" in str(card["blocks"]) for card in cards] == [True, False]
        assert set(bench.copies().values()) == {1}
