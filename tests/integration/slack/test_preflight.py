"""Before a customer needs them: everybody a case may come to is looked up, and CX operations hears of what changed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.doctor.diagnosis import Diagnosis, Level, Patient
from services.doctor.reachability import ask_reachability
from services.router.channels.base import Reachable, Unreachable
from services.router.channels.slack import SlackChannel
from services.router.preflight import UNREACHABLE, Preflight
from tests.support.router_doors import Doors
from tests.support.slack_bench import ANA, LEA, MAX, OPS, POLICY, SlackBench, slack_bench

HOUR = timedelta(hours=1)


def preflight(bench: SlackBench) -> Preflight:
    channel = SlackChannel(bench.slack.client, bench.policy.routing.slack_users)
    return Preflight(bench.database, channel, bench.policy, bench.clock, pace=timedelta(0))


def changes(bench: SlackBench, email: str, **traits: Any) -> None:
    user = next(user for user in bench.sandbox.directory.users.values() if user.email == email)
    bench.sandbox.directory.update_user(user.id, **traits)


def told(bench: SlackBench, email: str = OPS) -> list[str]:
    return [f"{message['text']} {message['blocks']}" for message in bench.inbox(email)]


async def test_all_is_well_and_nobody_is_bothered(bench: SlackBench) -> None:
    report = await preflight(bench).check()
    assert report is not None
    assert (report.checked, report.unreached) == (4, ())
    assert told(bench) == []
    assert UNREACHABLE._value.get() == 0


async def test_who_has_left_is_told_once_to_cx_operations_with_the_accounts_concerned(bench: SlackBench) -> None:
    await bench.account("beta", domains=["beta.example"], name="Beta")
    changes(bench, ANA, deleted=True)
    changes(bench, MAX, is_ultra_restricted=True)
    report = await preflight(bench).check()
    assert report is not None
    assert [(item.duty.email, item.why) for item in report.unreached] == [
        (ANA, "has no active Slack account"),
        (MAX, "is a guest in Slack"),
    ]
    (message,) = told(bench)
    assert "2 people a case may come to cannot be reached" in message
    assert "CSM of 2 accounts" in message
    assert "ana@us.example has no active Slack account (acme, beta)" in message
    assert UNREACHABLE._value.get() == 2

    bench.clock.advance(24 * HOUR)
    await preflight(bench).check()
    assert len(told(bench)) == 1, "nothing changed: nothing is said"

    changes(bench, ANA, deleted=False)
    changes(bench, MAX, is_ultra_restricted=False)
    bench.clock.advance(24 * HOUR)
    await preflight(bench).check()
    assert "Everybody is reachable in Slack again" in told(bench)[-1]


async def test_with_cx_operations_unreachable_the_support_lead_is_told(bench: SlackBench) -> None:
    changes(bench, OPS, deleted=True)
    await preflight(bench).check()
    (message,) = told(bench, LEA)
    assert "fallback owner" in message
    assert OPS in message


async def test_what_is_found_is_known_before_a_card_is_sent(bench: SlackBench) -> None:
    changes(bench, ANA, deleted=True)
    await preflight(bench).check()
    case = (await bench.low(2)).case
    assert case.owner == MAX
    assert "ana@us.example: has no active Slack account" in case.owner_reason


async def test_the_cover_of_somebody_counts_as_needed(bench: SlackBench) -> None:
    await bench.away(ANA, "nobody@us.example")
    report = await preflight(bench).check()
    assert report is not None
    assert [(item.duty.email, item.for_what) for item in report.unreached] == [("nobody@us.example", "cover")]


async def test_a_slack_that_is_down_makes_nobody_unreachable(bench: SlackBench) -> None:
    bench.sandbox.inject("outage")
    running = asyncio.create_task(preflight(bench).check())
    while not running.done():
        await asyncio.sleep(0.005)
        bench.clock.advance(timedelta(seconds=5))
    report = running.result()
    assert report is not None
    assert (report.checked, report.unreached, len(report.unchecked)) == (0, (), 4)


async def test_two_routers_check_once(bench: SlackBench) -> None:
    first, second = await asyncio.gather(preflight(bench).check(), preflight(bench).check())
    assert (first is None) != (second is None)


async def test_it_is_due_soon_after_the_first_start_and_then_once_a_night(bench: SlackBench) -> None:
    checking = preflight(bench)
    checked = []
    for _ in range(96):
        if await checking.check_when_due() is not None:
            checked.append(bench.clock.now())
        bench.clock.advance(HOUR / 2)
    # The clock starts at noon: half an hour for accounts to arrive, then the night, UTC.
    assert [f"{at:%d %H:%M}" for at in checked] == ["02 12:30", "03 02:00", "04 02:00"]


async def test_who_is_unreachable_is_listed_by_the_api(bench: SlackBench) -> None:
    changes(bench, ANA, is_bot=True)
    await preflight(bench).check()
    async with Doors(bench).client() as http:
        (item,) = (await http.get("/v1/people/unreachable")).json()["items"]
    assert (item["email"], item["why"], item["roles"]) == (ANA, "is a bot in Slack", ["csm"])
    assert (item["accounts"], item["account_ids"]) == (1, ["acme"])


async def examined(bench: SlackBench, channel: SlackChannel | None) -> list[Diagnosis]:
    patient = Patient(bench.runtime, bench.database, channel)
    return [found async for found in ask_reachability(patient)]


async def test_the_doctor_asks_about_everybody_and_names_the_accounts(bench: SlackBench) -> None:
    channel = SlackChannel(bench.slack.client)
    assert [found.level for found in await examined(bench, None)] == [Level.WARNING]
    assert [found.words for found in await examined(bench, channel)] == [
        "all 4 people a case may come to are reachable"
    ]
    changes(bench, ANA, deleted=True)
    (found,) = await examined(bench, channel)
    assert found.level is Level.BAD
    assert found.words == "ana@us.example has no active Slack account: CSM of 1 account (acme)"
    assert found.todo


@pytest.fixture
async def mapped(tmp_path: Path) -> AsyncIterator[SlackBench]:
    policy = f'{POLICY}[routing.slack_users]\n"Annie@us.example" = "U0ANA"\n"gone@us.example" = "U0NOBODY"\n'
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/closeloop.db", policy) as made:
        await made.account(csm="annie@us.example")
        yield made


async def test_somebody_mapped_is_found_by_the_slack_id_and_acts_under_the_mapped_address(mapped: SlackBench) -> None:
    view = await mapped.low(2)
    async with mapped.sending():
        await mapped.sent(2)
        assert len(mapped.inbox(ANA)) == 1
        await mapped.clicks(ANA, "case.acknowledge")
        case = (await mapped.case(view.case.id)).case
        assert (case.owner, case.acknowledged_by) == ("annie@us.example", "annie@us.example")


async def test_a_mapping_to_nobody_or_to_another_company_is_refused_with_words(mapped: SlackBench) -> None:
    channel = SlackChannel(mapped.slack.client, mapped.policy.routing.slack_users)
    assert isinstance(await channel.person("annie@us.example"), Reachable)
    assert await channel.person("gone@us.example") == Unreachable("gone@us.example", "has no active Slack account")
    mapped.sandbox.config.team_id = "T0OTHER"
    assert isinstance(await channel.person("annie@us.example"), Unreachable)
    await mapped.slack.client.close()


async def test_a_status_that_looks_like_an_absence_is_shown_on_the_card_and_silences_nothing(bench: SlackBench) -> None:
    until = int((bench.clock.now() + 72 * HOUR).timestamp())
    changes(bench, ANA, status_emoji=":palm_tree:", status_text="Lisbon", status_expiration=until)
    view = await bench.low(2)
    async with bench.sending():
        await bench.sent(2)
        await bench.until(lambda: "Owner looks away" in str(bench.inbox(LEA)))
        assert bench.inbox(ANA), "the owner is alerted all the same"
        assert (await bench.case(view.case.id)).case.owner == ANA
