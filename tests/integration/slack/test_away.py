"""`/loops away` and `/loops back`: what the person is told, and where the cases go."""

from datetime import timedelta

import pytest

from tests.support.slack_bench import ANA, LEA, MAX, SlackBench

DAY = timedelta(days=1)


async def says(bench: SlackBench, who: str, text: str) -> str:
    return str((await bench.sandbox.command("/loops", who, text))["answer"]["text"])


def mention(bench: SlackBench, email: str) -> str:
    user = next(user for user in bench.sandbox.directory.people() if user.email == email)
    return f"<@{user.id}|{user.name}>"


async def test_away_hands_the_cases_to_the_cover_and_back_returns_them(bench: SlackBench) -> None:
    view = await bench.low(2)
    async with bench.sending():
        answer = await says(bench, ANA, f"away until Friday cover {mention(bench, MAX)}")
        assert "you are away until Fri 6 Nov, which is the last day" in answer
        assert "max@us.example covers for ana@us.example" in answer
        await bench.covering.sweep()
        case = (await bench.case(view.case.id)).case
        assert (case.owner, case.covers_for) == (MAX, ANA)
        await bench.until(lambda: any("covers for ana" in str(message) for message in bench.inbox(MAX)))
        await bench.until(lambda: any("you watch it while" in str(message) for message in bench.inbox(ANA)))
        assert "Welcome back" in await says(bench, ANA, "back")
        await bench.covering.sweep()
        assert (await bench.case(view.case.id)).case.owner == ANA
        assert "You were not away" in await says(bench, ANA, "back")


async def test_the_last_day_ends_at_midnight_where_the_person_lives(bench: SlackBench) -> None:
    async with bench.sending():
        user = next(user for user in bench.sandbox.directory.people() if user.email == ANA)
        user.tz = "America/New_York"
        await says(bench, ANA, f"away until tomorrow cover {mention(bench, MAX)}")
    view = await bench.low(2)
    assert view.case.owner == MAX
    assert "until Tue 3 Nov" in view.case.owner_reason


@pytest.mark.parametrize(
    ("trait", "words"),
    [({"is_restricted": True}, "guest"), ({"deleted": True}, "deactivated"), ({"is_bot": True}, "bot")],
)
async def test_who_cannot_act_in_slack_cannot_cover(bench: SlackBench, trait: dict[str, bool], words: str) -> None:
    async with bench.sending():
        place = mention(bench, MAX)
        user = next(user for user in bench.sandbox.directory.people() if user.email == MAX)
        bench.sandbox.directory.update_user(user.id, **trait)
        assert words in await says(bench, ANA, f"away until Friday cover {place}")
    assert (await bench.low(2)).case.owner == ANA


async def test_people_are_never_matched_by_name_and_nobody_covers_for_themselves(bench: SlackBench) -> None:
    async with bench.sending():
        assert "choose the person from the list" in await says(bench, ANA, "away until Friday cover @max")
        assert "cover for themselves" in await says(bench, ANA, f"away until Friday cover {mention(bench, ANA)}")
        unknown = await says(bench, ANA, "away until Friday cover nobody@us.example")
        assert "has no active Slack account" in unknown
        assert "Write for example" in await says(bench, LEA, "away on a boat")


async def test_an_absence_to_come_is_taken_back_only_when_that_is_said(bench: SlackBench) -> None:
    async with bench.sending():
        await says(bench, ANA, f"away from Thursday until Friday cover {mention(bench, MAX)}")
        assert "from Thu 5 Nov" in await says(bench, ANA, "back")
        assert await says(bench, ANA, "back all") == (
            "Welcome back. Your cases that are still open come back to you in a moment."
        )
        assert await says(bench, ANA, "back all") == "You were not away."
