"""The outbox against Slack's faults: every notice is seen once, whatever is lost on the way (G7)."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.slack_bench import ANA, LEA, SlackBench, slack_bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[SlackBench]:
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/closeloop.db") as made:
        await made.account()
        yield made


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
async def test_what_slack_stored_is_found_and_not_sent_again(bench: SlackBench, kind: str, options: dict) -> None:
    bench.sandbox.inject(kind, method="chat.postMessage", count=2, **options)
    async with bench.sending():
        await bench.low(2)
        await bench.until(lambda: len(bench.copies()) == 2)
        await bench.turns(timedelta(seconds=60), step=timedelta(seconds=1))
        await bench.sent(2)
    assert list(bench.copies().values()) == [1, 1]
    assert "possible repeat" not in str(bench.sandbox.messages())
