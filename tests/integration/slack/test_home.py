"""The Home tab in front of the sandbox: counts, pages, buttons, and how it follows what happens to the cases."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from services.router import tables
from services.router.domain import commands
from services.router.domain.case import Status
from services.router.slack.homes import THROTTLE
from services.router.slack.interactions import SlackUser, Turn
from shared.errors import DatabaseUnavailable
from tests.support.block_limits import everything_said
from tests.support.domain import touch
from tests.support.slack_bench import ANA, LEA, MAX, SlackBench, slack_bench

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[SlackBench]:
    async with slack_bench(database_url) as made:
        await made.account()
        yield made


async def cases(bench: SlackBench, count: int, name: str = "co") -> None:
    for number in range(count):
        domain = f"{name}{number}.example"
        await bench.account(f"{name}{number}", name=f"Company {number}", domains=[domain], changed_at=bench.clock.now())
        await bench.low(2, record_id=f"{name}{number}", requester_email=f"x@{domain}")


def shown(bench: SlackBench, email: str = ANA) -> str:
    found = bench.sandbox.home_view(email)
    return everything_said(found["blocks"]) if found else ""


def calls(bench: SlackBench) -> int:
    return len(bench.sandbox.calls_of("views.publish"))


async def opens(bench: SlackBench, email: str = ANA) -> str:
    before = calls(bench)
    assert (await bench.sandbox.home(email))["ok"]
    await bench.until(lambda: calls(bench) > before and shown(bench, email))
    await quiet(bench)
    return shown(bench, email)


async def quiet(bench: SlackBench) -> None:
    """Return when nothing is being published."""
    await bench.until(lambda: not bench.slack.homes._tasks)


async def press(bench: SlackBench, action: str, email: str = ANA, **more: Any) -> None:
    view = bench.sandbox.home_view(email)
    assert view is not None
    assert (await bench.sandbox.click(action, email, view_id=view["id"], **more))["ok"]
    await quiet(bench)


async def test_it_counts_what_is_overdue_due_today_later_and_awaiting_close_out(bench: SlackBench) -> None:
    await cases(bench, 2)
    first, second = await bench.all_cases()
    await bench.does(first.case.id, touch(bench.clock.now()))
    assert "*0* overdue   🟠 *0* due today   🟡 *1* due later   🔵 *1* awaiting close-out" in await opens(bench)
    await bench.passes(13 * HOUR, HOUR)
    assert "*0* overdue   🟠 *1* due today" in await opens(bench)
    await bench.passes(12 * HOUR, HOUR)
    text = await opens(bench)
    assert "*1* overdue" in text
    assert text.index(second.case.id) < text.index(first.case.id), "the most urgent first"


async def test_pages_are_turned_there_and_back_and_each_shows_its_own_cases(bench: SlackBench) -> None:
    await cases(bench, 45)
    everybody = {view.case.id for view in await bench.all_cases()}
    pages = [await opens(bench)]
    for _ in range(2):
        await press(bench, "home.next")
        pages.append(shown(bench))
    assert "Page 3 of 3" in pages[2]
    assert "home.next" not in pages[2]
    found = [{case_id for case_id in everybody if case_id in page} for page in pages]
    assert [len(one) for one in found] == [20, 20, 5]
    assert set.union(*found) == everybody
    await press(bench, "home.previous")
    assert "Page 2 of 3" in shown(bench)


async def test_a_thousand_cases_are_fifty_pages_and_each_is_there_at_once(bench: SlackBench) -> None:
    await bench.low(2)
    table = tables.cases
    async with bench.database.transaction() as tx:
        row = dict((await tx.execute(select(table))).mappings().one())
        names = itertools.product("<!channel> & Söhne", range(56))
        copies = [
            {**row, "id": f"L-{n:010d}", "account_key": f"copy{n}", "account_name": letter * 300}
            for n, (letter, _) in enumerate(names)
        ]
        await tx.execute(insert(table), copies[:999])
    began = time.monotonic()
    assert "Your open cases: 1000" in await opens(bench)
    assert "Page 1 of 50" in shown(bench)
    bench.slack.homes.turned(Turn(SlackUser("U0ANA"), 49, ""))
    await quiet(bench)
    assert time.monotonic() - began < 5
    assert "Page 50 of 50" in shown(bench)
    assert len((bench.sandbox.home_view(ANA) or {})["blocks"]) <= 100


async def test_a_page_that_is_no_more_is_the_last_one(bench: SlackBench) -> None:
    await cases(bench, 21)
    await opens(bench)
    stale = bench.sandbox.home_view(ANA)
    assert stale is not None
    for view in (await bench.all_cases())[:5]:
        await bench.does(view.case.id, commands.Dismiss(actor=ANA, reason="A robot"))
    await press(bench, "home.next")
    assert "Your open cases: 16" in shown(bench)
    assert "home.next" not in shown(bench)


async def test_a_button_there_acts_and_the_tab_follows_at_once(bench: SlackBench) -> None:
    view = await bench.low(2)
    await opens(bench)
    await press(bench, "case.acknowledge")
    assert (await bench.case(view.case.id)).case.status is Status.ACKNOWLEDGED
    assert "Acknowledged" in shown(bench)
    last = bench.sandbox.calls_of("views.publish")[-1]
    assert last["args"]["hash"], "what the person acted on is what is replaced"


async def test_a_form_opened_there_is_submitted_as_everywhere(bench: SlackBench) -> None:
    view = await bench.low(2)
    await opens(bench)
    await press(bench, "case.log_touch")
    values = {"channel": "call", "acknowledgement": "That is on us.", "next_step": "x", "next_step_due": "2026-11-06"}
    assert (await bench.submits(ANA, **values))["ok"]
    assert (await bench.case(view.case.id)).case.status is Status.TOUCHED
    await refreshed(bench, THROTTLE)
    assert "*1* awaiting close-out" in shown(bench)


async def test_what_cannot_be_done_there_is_said_in_a_window(bench: SlackBench) -> None:
    """A view has no response_url: without a window nobody would learn that Lea was first."""
    view = await bench.low(2)
    await opens(bench)
    await bench.does(view.case.id, commands.Dismiss(actor=LEA, reason="A robot"))
    await press(bench, "case.acknowledge")
    window = await bench.until(lambda: bench.sandbox.open_view(ANA))
    assert "Already dismissed by lea@us.example." in everything_said(window["blocks"])


async def test_a_database_that_is_away_is_said_in_a_window_too(
    bench: SlackBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.low(2)
    await opens(bench)
    monkeypatch.setattr(bench.cases, "apply", _no_database)
    await press(bench, "case.acknowledge")
    window = await bench.until(lambda: bench.sandbox.open_view(ANA))
    assert "nothing was changed" in everything_said(window["blocks"])


async def _no_database(*_: Any) -> None:
    raise DatabaseUnavailable("the database does not answer")


async def refreshed(bench: SlackBench, span: timedelta = timedelta(0)) -> None:
    bench.clock.advance(span)
    await bench.slack.homes.refresh()


async def test_a_tab_that_is_open_follows_its_cases_once_in_five_seconds_at_most(bench: SlackBench) -> None:
    view = await bench.low(2)
    await opens(bench)
    before = calls(bench)
    for number in range(10):
        await bench.low(1, record_id=f"more{number}", requester_email=f"p{number}@acme.example")
        await refreshed(bench, SECOND)
    assert 1 <= calls(bench) - before <= 3
    await refreshed(bench, THROTTLE)
    assert "now 11 people" in shown(bench)
    settled = calls(bench)
    for _ in range(10):
        await refreshed(bench, THROTTLE)
    assert calls(bench) == settled, "nothing changed: nothing is published"
    await bench.does(view.case.id, commands.Reassign(actor=ANA, new_owner=MAX, reason="Holiday"))
    await refreshed(bench, THROTTLE)
    assert "Nothing is open with you" in shown(bench)


async def test_what_falls_due_moves_by_itself(bench: SlackBench) -> None:
    await bench.low(2)
    await bench.passes(6 * HOUR, HOUR)
    assert "*1* due later" in await opens(bench)
    await refreshed(bench, 7 * HOUR)
    assert "*1* due today" in shown(bench)


async def test_a_page_somebody_turned_elsewhere_is_not_turned_back(bench: SlackBench) -> None:
    """Another router published since: the hash tells, and this one lets go of the tab."""
    await cases(bench, 25)
    other = bench.service()
    await opens(bench)
    first = bench.sandbox.home_view(ANA)
    assert first is not None
    other.homes.opened("U0ANA")
    await bench.until(lambda: (bench.sandbox.home_view(ANA) or {}).get("hash") != first["hash"])
    await bench.low(1, record_id="news", requester_email="boss@co1.example")
    before = calls(bench)
    await refreshed(bench, THROTTLE)
    await refreshed(bench, THROTTLE)
    assert calls(bench) - before == 1, "refused once, and never tried again"
    await other.homes.refresh()
    assert "now 2 people" in shown(bench)
    await other.close()


@pytest.mark.parametrize(
    "fault", [{"kind": "429", "retry_after": 30}, {"kind": "500"}, {"kind": "drop_before_storing"}]
)
async def test_a_publish_that_fails_is_made_up_for(bench: SlackBench, fault: dict[str, Any]) -> None:
    view = await bench.low(2)
    bench.sandbox.inject(method="views.publish", count=1, **fault)
    await bench.sandbox.home(ANA)
    await bench.until(lambda: calls(bench) == 1)
    await quiet(bench)
    assert shown(bench) == ""
    await refreshed(bench, timedelta(seconds=31))
    assert view.case.id in shown(bench)


async def test_a_database_that_does_not_answer_keeps_no_other_tab_waiting(
    bench: SlackBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = await bench.low(2)
    await opens(bench)
    monkeypatch.setattr("services.router.slack.homes._READ_SECONDS", 0.05)
    with monkeypatch.context() as broken:
        broken.setattr(bench.database, "read", _silent)
        await bench.sandbox.home(MAX)
        await quiet(bench)
        await refreshed(bench, THROTTLE)
    await bench.does(view.case.id, commands.Acknowledge(actor=ANA))
    await refreshed(bench, THROTTLE)
    assert "Acknowledged" in shown(bench)
    assert "Nothing is open" in shown(bench, MAX)


@asynccontextmanager
async def _silent() -> AsyncIterator[None]:
    await asyncio.Event().wait()
    yield


async def test_opening_it_many_times_at_once_publishes_what_is(bench: SlackBench) -> None:
    view = await bench.low(2)
    await asyncio.gather(*(bench.sandbox.home(ANA) for _ in range(5)))
    await quiet(bench)
    assert view.case.id in shown(bench)


async def test_a_guest_reads_no_case(bench: SlackBench) -> None:
    await bench.low(2)
    bench.sandbox.update_user("U0ANA", is_restricted=True)
    text = await opens(bench)
    assert "guest" in text
    assert "Acme" not in text


async def test_while_away_it_says_how_many_the_cover_has(bench: SlackBench) -> None:
    await bench.low(2)
    await bench.away(ANA, MAX)
    assert "your cover has 1 of your cases" in await opens(bench)
    assert "covers for ana" in await opens(bench, MAX)


async def test_a_support_lead_is_told_how_many_cases_of_others_they_lead(bench: SlackBench) -> None:
    await bench.low(2)
    text = await opens(bench, LEA)
    assert "Nothing is open with you" in text
    assert "You are the support lead of 1 more" in text
    assert "support lead" not in await opens(bench)


async def test_a_tab_nobody_opened_for_half_a_day_is_left_alone(bench: SlackBench) -> None:
    await bench.low(2)
    await opens(bench)
    before = calls(bench)
    await refreshed(bench, timedelta(hours=12))
    await bench.low(1, record_id="later", requester_email="p@acme.example")
    await refreshed(bench, THROTTLE)
    assert calls(bench) == before
