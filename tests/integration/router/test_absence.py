"""An owner who is away: the cover has the cases, old and new, and what is open still comes back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from services.router.cases import InvalidCommand, NotFound
from services.router.domain import commands
from services.router.domain.case import Case, Status
from services.router.store import people
from services.router.store.people import Person
from shared.clock import ManualClock
from tests.support.domain import touch
from tests.support.router import NOON, RouterBench

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ANA, LEA, MAX, OPS = "ana@us.example", "lea@us.example", "max@us.example", "cx-ops@example.com"
EVA, TOM = "eva@us.example", "tom@us.example"
Create = Callable[..., Awaitable[RouterBench]]


@pytest.fixture
async def create(database_url: str) -> AsyncIterator[Create]:
    benches: list[RouterBench] = []

    async def create(policy: str = "") -> RouterBench:
        benches.append(await RouterBench.create(database_url, policy))
        return benches[-1]

    yield create
    for bench in benches:
        await bench.close()


@pytest.fixture
async def router(create: Create) -> RouterBench:
    bench = await create()
    await bench.account()
    return bench


async def case_of(router: RouterBench, case_id: str) -> Case:
    return (await router.case(case_id)).case


async def changes(router: RouterBench, case_id: str) -> list[tuple[str, str]]:
    """(to, role) of every change of owner in the journal."""
    entries = await router.journal(case_id)
    return [(entry.data["to"], entry.data["role"]) for entry in entries if entry.type == "owner_changed"]


async def test_a_new_case_goes_to_the_cover_and_the_card_says_for_whom_and_how_long(router: RouterBench) -> None:
    await router.away(ANA, EVA)
    case = (await router.low(2)).case
    assert (case.owner, case.covers_for) == (EVA, ANA)
    assert case.owner_reason == "covers for ana@us.example until Sat 7 Nov, CSM of the account"
    card = next(row for row in await router.notices() if row["recipient"] == EVA)
    assert "covers for ana@us.example until Sat 7 Nov" in card["data"]["why"]
    assert await router.told() == [("card", EVA), ("card", LEA)]


async def test_open_cases_move_when_the_absence_starts_and_come_back_when_it_ends(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    due = (await case_of(router, case_id)).touch_due_at
    await router.away(ANA, EVA, starts_in=HOUR, days=0.5)
    assert (await case_of(router, case_id)).owner == ANA
    await router.passes(HOUR)
    moved = await case_of(router, case_id)
    assert (moved.owner, moved.covers_for, moved.touch_due_at) == (EVA, ANA, due)
    await router.passes(DAY / 2)
    back = await case_of(router, case_id)
    assert (back.owner, back.covers_for) == (ANA, None)
    assert back.owner_reason == "back from absence, CSM of the account"
    assert await changes(router, case_id) == [(EVA, "cover"), (ANA, "csm")]


async def test_the_absent_owner_keeps_a_living_card_and_is_not_called(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    await router.away(ANA, EVA)
    await router.low(1, record_id="r2", ticket_id="T-2")
    await router.passes(2 * DAY, HOUR)
    to_ana = [row for row in await router.notices(case_id) if row["recipient"] == ANA]
    assert [row["kind"] for row in to_ana] == ["card"]
    assert to_ana[0]["desired_rev"] == (await case_of(router, case_id)).version
    called = {recipient for kind, recipient in await router.told(case_id) if kind in ("joined", "reminder")}
    assert called == {EVA, LEA}


async def test_what_was_closed_meanwhile_stays_closed_and_only_the_rest_comes_back(router: RouterBench) -> None:
    await router.account("beta", domains=["beta.example"])
    first = (await router.low(2, record_id="r1")).case.id
    await router.low(2, record_id="r2", requester_email="x@beta.example")
    second = next(view.case.id for view in await router.all_cases() if view.case.account_id == "beta")
    await router.away(ANA, EVA, days=1)
    await router.does(first, touch(router.clock.now(), actor=EVA))
    await router.does(first, commands.ConfirmClosed(actor=EVA))
    await router.passes(DAY)
    assert (await case_of(router, first)).owner == EVA
    assert (await case_of(router, second)).owner == ANA


async def test_a_case_given_by_hand_moves_too_and_comes_back_as_given_by_hand(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    await router.does(case_id, commands.Reassign(actor=LEA, new_owner=TOM, reason="knows them"))
    await router.away(TOM, EVA, days=1)
    covered = await case_of(router, case_id)
    assert (covered.owner, covered.covers_for, covered.owner_pinned) == (EVA, TOM, True)
    await router.account(csm=MAX, changed_at=NOON + HOUR)
    assert (await case_of(router, case_id)).owner == EVA, "a new CSM does not take what was given by hand"
    await router.passes(DAY)
    back = await case_of(router, case_id)
    assert (back.owner, back.covers_for, back.owner_pinned) == (TOM, None, True)


async def test_what_the_cover_hands_on_by_hand_does_not_come_back(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    await router.away(ANA, EVA, days=1)
    await router.does(case_id, commands.Reassign(actor=EVA, new_owner=TOM, reason="speaks Dutch"))
    await router.passes(2 * DAY, HOUR)
    assert (await case_of(router, case_id)).owner == TOM


async def test_along_a_chain_each_return_gives_the_cases_to_whom_they_belong_then(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    await router.away(ANA, EVA, days=10)
    await router.away(EVA, TOM, starts_in=DAY, days=2)
    await router.passes(DAY)
    assert (await case_of(router, case_id)).owner == TOM
    assert "by way of eva@us.example" in (await case_of(router, case_id)).owner_reason
    await router.passes(2 * DAY)
    assert ((await case_of(router, case_id)).owner, (await case_of(router, case_id)).covers_for) == (EVA, ANA)
    await router.passes(7 * DAY)
    assert (await case_of(router, case_id)).owner == ANA


async def test_a_circle_of_covers_falls_to_the_next_role_and_says_why(router: RouterBench) -> None:
    """One that no new absence closed: what was entered earlier holds again when a later one is taken back."""
    case_id = (await router.low(2)).case.id
    await router.away(ANA, EVA, days=1)
    router.clock.advance(MINUTE)
    later = await router.away(ANA, TOM, days=1)
    await router.away(EVA, ANA, days=1)
    await router.covering.end(later.record.cover.id, LEA)
    case = await case_of(router, case_id)
    assert (case.owner, case.covers_for) == (MAX, ANA)
    assert "the covers go round in a circle" in case.owner_reason
    await router.passes(DAY)
    assert (await case_of(router, case_id)).owner == ANA


@pytest.mark.parametrize("first", ["the longer", "the shorter"])
async def test_an_absence_that_would_close_a_circle_is_refused_whichever_comes_first(
    router: RouterBench, first: str
) -> None:
    longer: dict[str, Any] = {"person": ANA, "cover": EVA, "days": 10}
    shorter: dict[str, Any] = {"person": EVA, "cover": ANA, "starts_in": 2 * DAY, "days": 3}
    one, other = (longer, shorter) if first == "the longer" else (shorter, longer)
    await router.away(**one)
    with pytest.raises(InvalidCommand, match=r"in a circle: .*@us.example -> .*@us.example -> ") as refused:
        await router.away(**other)
    assert refused.value.field == "cover"
    await router.away(**{**other, "cover": TOM})


async def test_who_covers_before_and_after_but_not_meanwhile_closes_no_circle(router: RouterBench) -> None:
    await router.away(ANA, EVA, days=2)
    await router.away(EVA, ANA, starts_in=2 * DAY, days=2)


async def test_a_cover_whom_slack_cannot_reach_any_more_is_passed_over_and_named(router: RouterBench) -> None:
    await router.away(ANA, EVA)
    async with router.database.transaction() as tx:
        await people.remember(tx, Person(EVA, None, None, None, "is deactivated in Slack", NOON))
    case = (await router.low(2)).case
    assert case.owner == MAX
    assert "but eva@us.example is deactivated in Slack" in case.owner_reason
    with pytest.raises(InvalidCommand, match=r"eva@us\.example is deactivated in Slack: name somebody else"):
        await router.away(LEA, EVA)


async def test_an_absent_lead_is_covered_too_and_escalation_goes_to_the_cover(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    await router.away(LEA, EVA, days=3)
    await router.away(MAX, TOM, days=3)
    assert (await case_of(router, case_id)).support_lead == EVA
    await router.passes(DAY + 5 * HOUR, HOUR)
    escalated = [entry.data["to"] for entry in await router.journal(case_id) if entry.type == "escalated"]
    assert escalated == [TOM, EVA]
    await router.passes(2 * DAY, HOUR)
    assert (await case_of(router, case_id)).support_lead == LEA


async def test_a_cover_taken_back_gives_the_cases_back_at_once(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    entered = await router.away(ANA, EVA)
    assert entered.moved == 1
    assert await router.covering.end(entered.record.cover.id, LEA) == 1
    assert (await case_of(router, case_id)).owner == ANA
    assert await router.covering.end(entered.record.cover.id, LEA) == 0
    with pytest.raises(NotFound):
        await router.covering.end("no-such-cover", LEA)


async def test_back_before_the_end_of_an_open_absence(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    await router.away(ANA, EVA, days=None)
    assert (await case_of(router, case_id)).owner_reason.startswith("covers for ana@us.example until they are back")
    assert await router.covering.back(ANA, ANA) == (1, 1)
    assert (await case_of(router, case_id)).owner == ANA
    assert await router.covering.back(ANA, ANA) == (0, 0)


async def test_the_same_absence_entered_twice_is_one(router: RouterBench) -> None:
    first, second = await router.away(ANA, EVA), await router.away(ANA, EVA)
    assert (first.fresh, second.fresh) == (True, False)
    assert second.record.cover.id == first.record.cover.id


async def test_an_absence_that_cannot_be_right_names_its_field(router: RouterBench) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"cover": ANA}, "cover"),
        ({"cover": "Eva from sales"}, "cover"),
        ({"cover": EVA, "days": -1}, "ends_at"),
        ({"cover": EVA, "starts_in": -9 * DAY, "days": 2}, "ends_at"),
        ({"cover": EVA, "timezone": "Mars/Olympus"}, "timezone"),
    ]
    for facts, field in wrong:
        with pytest.raises(InvalidCommand) as refused:
            await router.away(ANA, **facts)
        assert refused.value.field == field, facts


async def test_a_case_cannot_be_given_to_somebody_who_is_away_but_taken_over_by_them(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    await router.away(TOM, EVA)
    with pytest.raises(InvalidCommand, match=r"eva@us\.example covers for tom@us\.example until"):
        await router.does(case_id, commands.Reassign(actor=LEA, new_owner=TOM, reason="knows them"))
    await router.does(case_id, commands.Reassign(actor=TOM, new_owner=TOM, reason="I am at my desk"))
    assert (await case_of(router, case_id)).owner == TOM


async def test_anybody_can_take_over_the_case_of_somebody_who_is_away(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    await router.away(ANA, None)
    assert (await case_of(router, case_id)).owner == MAX
    await router.does(case_id, commands.Reassign(actor=LEA, new_owner=LEA, reason="Max is in meetings all day"))
    taken = await case_of(router, case_id)
    assert (taken.owner, taken.owner_pinned, taken.covers_for) == (LEA, True, None)


async def test_a_close_out_question_that_waits_is_asked_of_the_cover(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    await router.does(case_id, touch(NOON))
    await router.passes(7 * DAY)
    await router.away(ANA, EVA)
    assert [kind for kind, to in await router.told(case_id) if to == EVA] == ["card", "close_out"]


async def test_more_cases_than_fit_one_transaction_all_move_and_all_come_back(router: RouterBench) -> None:
    for number in range(60):
        await router.account(f"a{number}", domains=[f"a{number}.example"])
        await router.hears(router.answer(2, record_id=f"r{number}", requester_email=f"x@a{number}.example"))
    assert (await router.away(ANA, EVA)).moved == 60
    assert {view.case.owner for view in await router.all_cases()} == {EVA}
    assert await router.covering.back(ANA, ANA) == (1, 60)
    assert {view.case.owner for view in await router.all_cases()} == {ANA}


async def test_g5_many_routers_follow_an_absence_once(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    await router.away(ANA, EVA, starts_in=HOUR)
    router.clock.advance(HOUR)
    await asyncio.gather(*(router.covering.sweep() for _ in range(4)))
    assert await changes(router, case_id) == [(EVA, "cover")]


async def test_a_case_that_slipped_in_while_the_absence_started_is_found_a_moment_later(router: RouterBench) -> None:
    """The transaction that opened it began before the start and committed after the sweep."""
    await router.away(ANA, EVA, starts_in=HOUR)
    slow = ManualClock(router.clock.now() + HOUR - timedelta(milliseconds=1))
    message = router.answer(2)
    await router.passes(HOUR)
    await router.intake_at(slow).handle([message])
    case_id = (await router.all_cases())[0].case.id
    assert (await case_of(router, case_id)).owner == ANA
    await router.passes(2 * MINUTE)
    assert (await case_of(router, case_id)).owner == EVA


async def test_an_acknowledgement_without_a_touch_expires_and_the_thread_says_so(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    await router.does(case_id, commands.Acknowledge(actor=ANA))
    await router.passes(8 * HOUR, HOUR)
    assert (await case_of(router, case_id)).status is Status.OPEN
    assert [entry.type for entry in await router.journal(case_id)][-1] == "acknowledgement_expired"
    assert [to for kind, to in await router.told(case_id) if kind == "note"] == [ANA, LEA]


async def test_policy_can_keep_acknowledgements_for_ever(create: Create) -> None:
    router = await create('[sla]\nacknowledge_expires_after = "0s"')
    await router.account()
    case_id = (await router.low(2)).case.id
    await router.does(case_id, commands.Acknowledge(actor=ANA))
    await router.passes(DAY / 2, HOUR)
    assert (await case_of(router, case_id)).status is Status.ACKNOWLEDGED
