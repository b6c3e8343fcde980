"""Repeats are shown once; what is over the budget comes with the morning digest; nights are quiet; nothing is lost."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from services.router import tables
from services.router.audit.facts import breaches
from services.router.audit.facts.standing import standing
from services.router.audit.recompute import JournalEntry, recompute
from services.router.domain import cards, commands
from services.router.domain.case import Severity, Status
from services.router.store import notices as outbox
from services.router.store import people
from tests.support.domain import ANA, LEA, NOON
from tests.support.router import RouterBench

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DORA = "dora@acme.example"
SMALL = {"arr": 1_000.0, "renewal_date": None}
BERLIN_MORNING = datetime(2026, 11, 3, 7, 30, tzinfo=UTC)


async def bench(url: str, policy: str) -> RouterBench:
    shown_once = '[noise]\nduplicate_within = "10m"\nrobot_burst = 5\n'
    policy = policy.replace("[noise]\n", shown_once) if "[noise]\n" in policy else policy + "\n" + shown_once
    router = await RouterBench.create(url, policy)
    async with router.database.transaction() as tx:
        for email, zone in ((ANA, "Europe/Berlin"), (LEA, "America/New_York")):
            await people.remember(tx, people.Person(email, f"U{email[:3]}", "D1", zone, None, NOON))
    return router


@pytest.fixture
async def router(database_url: str) -> AsyncIterator[RouterBench]:
    made = await bench(database_url, "")
    await made.account()
    yield made
    await made.close()


@pytest.fixture
async def busy(database_url: str) -> AsyncIterator[RouterBench]:
    """Ana may have two alerts a week."""
    made = await bench(database_url, "[noise]\nweekly_budget = 2\n")
    for name in "abcdef":
        await made.account(name, name=f"Company {name}", domains=[f"{name}.example"], **SMALL)
    yield made
    await made.close()


@pytest.fixture
async def quiet(database_url: str) -> AsyncIterator[RouterBench]:
    made = await bench(database_url, '[noise.quiet]\nfrom = "20:00"\nuntil = "07:00"\n')
    await made.account(**SMALL)
    yield made
    await made.close()


@pytest.fixture
async def as_shipped(database_url: str) -> AsyncIterator[RouterBench]:
    """No word about noise in the policy."""
    made = await RouterBench.create(database_url, "")
    await made.account()
    yield made
    await made.close()


async def waits(router: RouterBench) -> dict[tuple[str, str], datetime | None]:
    """Until when each notice waits, by kind and recipient; the last of its kind counts."""
    return {(row["kind"], row["recipient"]): row["not_before"] for row in await router.notices()}


async def held_cards(router: RouterBench, email: str) -> list[datetime]:
    cards = [row for row in await router.notices() if (row["kind"], row["recipient"]) == ("card", email)]
    return [row["not_before"] for row in cards if row["not_before"] is not None]


async def test_a_duplicate_is_recorded_and_shown_once_with_one_clock(router: RouterBench) -> None:
    first = await router.low(3, record_id="r1")
    await router.does(first.case.id, commands.Acknowledge(actor=ANA))
    router.clock.advance(5 * MINUTE)
    second = await router.low(1, record_id="r2", requester_email=DORA, comment="Still broken")
    assert await router.told() == [("card", ANA), ("card", LEA)]
    assert len(second.case.clocks) == 1
    assert second.case.status is Status.ACKNOWLEDGED, "nothing new happened"
    assert second.case.version > first.case.version, "its words are on the card"
    assert {item.id for item in second.responses if item.comment == "Still broken"}
    entry = (await router.journal(first.case.id))[-1]
    assert (entry.type, entry.data["cause"], entry.data["of"]) == (
        "response_joined",
        "duplicate",
        first.responses[0].id,
    )
    entries = [
        JournalEntry(first.case.id, entry.seq, entry.at, entry.actor, entry.type, entry.data)
        for entry in await router.journal(first.case.id)
    ]
    assert [(promise.status, promise.response_id) for promise in recompute(entries)] == [
        ("acknowledged", first.responses[0].id)
    ]


async def test_as_shipped_a_literal_repeat_pings_nobody_and_the_card_counts_it(as_shipped: RouterBench) -> None:
    first = await as_shipped.low(2, record_id="r1", comment="The export fails")
    for number, comment in enumerate((None, "The  export fails", None)):
        as_shipped.clock.advance(MINUTE)
        await as_shipped.low(2, record_id=f"again{number}", requester_email=DORA, comment=comment)
    assert await as_shipped.told() == [("card", ANA), ("card", LEA)]
    (view,) = await as_shipped.all_cases()
    assert len(view.responses) == 4, "never hidden"
    assert len(view.case.clocks) == 1
    assert view.case.version > first.case.version
    assert "Given 4 times, shown once." in str(cards.card(view, "", as_shipped.clock.now()).lines)
    joined = [
        entry.data["cause"] for entry in await as_shipped.journal(view.case.id) if entry.type == "response_joined"
    ]
    assert joined == ["duplicate"] * 3


@pytest.mark.parametrize(
    "facts",
    [
        {"score": 1},
        {"comment": "And now the import fails too"},
        {"ticket_id": "T-2"},
        {"requester_email": "erik@acme.example"},
        {"after": 6 * MINUTE},
    ],
    ids=lambda facts: next(iter(facts)),
)
async def test_as_shipped_whatever_says_anything_new_is_an_alert_of_its_own(
    as_shipped: RouterBench, facts: dict[str, Any]
) -> None:
    await as_shipped.low(2, record_id="r1", comment="The export fails")
    given = {"score": 2, "record_id": "r2", "requester_email": DORA, "after": MINUTE, **facts}
    as_shipped.clock.advance(given.pop("after"))
    (view,) = [await as_shipped.low(**given)]
    assert [kind for kind, _ in await as_shipped.told()] == ["card", "card", "joined", "joined"]
    assert len(view.case.clocks) == 2


async def test_once_touched_the_same_person_answering_again_is_news(router: RouterBench) -> None:
    first = await router.low(2, record_id="r1")
    touch = commands.LogTouch(
        actor=ANA, channel="call", touched_at=NOON, acknowledgement="We know", next_step="x", next_step_due=NOON.date()
    )
    await router.does(first.case.id, touch)
    router.clock.advance(5 * MINUTE)
    second = await router.low(1, record_id="r2", requester_email=DORA)
    assert second.case.status is Status.OPEN
    assert ("joined", ANA) in await router.told()


async def test_a_robot_answering_many_tickets_is_shown_once_and_said_to_be_one(router: RouterBench) -> None:
    burst = [router.answer(1, record_id=f"r{n}", ticket_id=f"T-{n}", requester_email=DORA) for n in range(9)]
    await router.hears(*burst)
    (view,) = await router.all_cases()
    assert len(view.responses) == 9, "never hidden"
    assert len(view.case.clocks) == 4, "so many may be a person in a hurry"
    assert [kind for kind, _ in await router.told()].count("joined") == 6
    assert any("Looks automatic" in reason for item in view.responses for reason in item.reasons)


async def test_over_the_budget_small_alerts_come_with_the_morning_digest_of_both(busy: RouterBench) -> None:
    for name in "ab":
        await busy.low(2, record_id=name, requester_email=f"x@{name}.example")
    assert set((await waits(busy)).values()) == {None}
    for name in "cd":
        await busy.low(2, record_id=name, requester_email=f"x@{name}.example")
    held = await waits(busy)
    assert held["card", ANA] == held["digest", ANA] == BERLIN_MORNING
    assert held["digest", LEA] == datetime(2026, 11, 2, 13, 30, tzinfo=UTC), "morning is later in New York"
    digests = [row for row in await busy.notices() if (row["kind"], row["recipient"]) == ("digest", ANA)]
    assert [[case["name"] for case in row["data"]["cases"]] for row in digests] == [["Company c", "Company d"]]
    views = await busy.all_cases()
    assert len(views) == 4
    assert {view.case.touch_due_at for view in views} == {NOON + DAY}, "the clocks run as always"


async def test_critical_alerts_and_those_before_a_renewal_always_pass(busy: RouterBench) -> None:
    await busy.account("big", domains=["big.example"], arr=5_000_000.0)
    await busy.account("due", domains=["due.example"], arr=1_000.0, renewal_date=NOON.date() + 30 * DAY)
    for name in ("a", "b", "c", "big", "due"):
        await busy.low(2, record_id=name, requester_email=f"x@{name}.example")
    passed = {row["case_id"] for row in await busy.notices() if row["kind"] == "card" and row["not_before"] is None}
    shown = {view.case.account_id for view in await busy.all_cases() if view.case.id in passed}
    assert shown == {"a", "b", "big", "due"}


async def test_a_folded_alert_comes_out_with_its_reminder(database_url: str) -> None:
    router = await bench(database_url, '[sla]\ntouch_within = "8h"\n[noise]\nweekly_budget = 1\n')
    for name in "ab":
        await router.account(name, domains=[f"{name}.example"], **SMALL)
        await router.low(2, record_id=name, requester_email=f"x@{name}.example")
    assert await held_cards(router, ANA) == [NOON + 8 * HOUR], "not after it is due, though the digest is later"
    assert ("digest", ANA) not in await waits(router)
    await router.passes(5 * HOUR, MINUTE * 30)
    (until,) = await held_cards(router, ANA)
    assert until <= router.clock.now()
    await router.close()


@pytest.mark.parametrize(("days", "at_once"), [(6, False), (8, True)])
async def test_the_budget_is_that_of_the_last_seven_days(busy: RouterBench, days: int, at_once: bool) -> None:
    for name in "ab":
        await busy.low(2, record_id=name, requester_email=f"x@{name}.example")
    busy.clock.advance(days * DAY)
    await busy.low(2, record_id="c", requester_email="x@c.example")
    assert (await held_cards(busy, ANA) == []) is at_once


async def test_a_raised_severity_lets_the_held_card_out(busy: RouterBench) -> None:
    for name in "abc":
        await busy.low(2, record_id=name, requester_email=f"x@{name}.example")
    await busy.account("c", name="Company c", domains=["c.example"], arr=5_000_000.0, changed_at=NOON + HOUR)
    busy.clock.advance(HOUR)
    await busy.low(1, record_id="c2", requester_email="boss@c.example")
    (view,) = [view for view in await busy.all_cases() if view.case.account_id == "c"]
    assert view.case.severity is Severity.CRITICAL
    rows = [row for row in await busy.notices(view.case.id) if row["kind"] in ("card", "joined")]
    assert all(row["not_before"] is None or row["not_before"] <= busy.clock.now() for row in rows)


async def test_a_night_is_quiet_for_each_in_their_own_zone(quiet: RouterBench) -> None:
    quiet.clock.advance(10 * HOUR)
    await quiet.low(2)
    held = await waits(quiet)
    assert held["card", ANA] == datetime(2026, 11, 3, 6, 0, tzinfo=UTC)
    assert held["card", LEA] is None, "it is afternoon in New York"


async def test_critical_alerts_and_their_escalations_wake_people(quiet: RouterBench) -> None:
    await quiet.account("big", domains=["big.example"], arr=5_000_000.0)
    quiet.clock.advance(10 * HOUR)
    await quiet.low(1, requester_email="x@big.example")
    await quiet.passes(DAY + 2 * HOUR, HOUR)
    kinds = {row["kind"] for row in await quiet.notices()}
    assert {"card", "reminder"} <= kinds
    assert {row["not_before"] for row in await quiet.notices()} == {None}


async def test_what_is_held_is_neither_late_nor_lost(quiet: RouterBench) -> None:
    quiet.clock.advance(10 * HOUR)
    await quiet.low(2)
    quiet.clock.advance(HOUR)
    async with quiet.database.transaction() as tx:
        await tx.execute(tables.notices.update().where(tables.notices.c.recipient == LEA).values(state="sent"))
    async with quiet.database.read() as connection:
        assert await breaches.unsent_alerts(connection, quiet.clock.now() - 5 * MINUTE) == []
        assert await outbox.waiting(connection, quiet.clock.now(), 10, ()) == []
        assert (await standing(connection, quiet.clock.now())).oldest_notice_at is None, "nothing waits for Slack"
    quiet.clock.advance(8 * HOUR)
    async with quiet.database.read() as connection:
        assert [row.recipient for row in await outbox.waiting(connection, quiet.clock.now(), 10, ())] == [ANA]
        assert len(await breaches.unsent_alerts(connection, quiet.clock.now() - 5 * MINUTE)) == 1
        assert (await standing(connection, quiet.clock.now())).oldest_notice_at == NOON + 18 * HOUR
        assert (await connection.execute(select(tables.notices.c.id))).all()
