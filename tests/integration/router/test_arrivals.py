"""What arrives from the log becomes rows, once, in the vendor's order, with an owner: on SQLite and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from services.router import tables
from services.router.domain import commands
from services.router.domain.case import Severity, Status
from services.router.domain.decision import Refused
from services.router.domain.journal import Sealed, broken_at
from services.router.domain.view import CaseView
from services.router.store import people
from services.router.store.cases import Overtaken
from services.router.store.people import Person
from shared.errors import PoisonError, TransientError
from shared.events.envelope import Message
from tests.support.domain import touch
from tests.support.router import NOON, RouterBench

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ANA, LEA, MAX, OPS = "ana@us.example", "lea@us.example", "max@us.example", "cx-ops@example.com"
LEAD = "lead@example.com"
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


async def count(router: RouterBench, table: str) -> int:
    async with router.database.read() as connection:
        statement = select(func.count()).select_from(tables.metadata.tables[table])
        return (await connection.execute(statement)).scalar_one()


async def test_g4_one_transaction_writes_response_case_journal_deadlines_and_notices(router: RouterBench) -> None:
    view = await router.low(2, comment="The export keeps failing")
    assert view.case.status is Status.OPEN
    assert view.responses[0].comment == "The export keeps failing"
    assert [entry.type for entry in await router.journal(view.case.id)] == ["opened"]
    assert await router.told() == [("card", ANA), ("card", LEA)]
    assert await count(router, "deadlines") == 2
    assert router.woken


async def test_a_touch_is_due_from_when_the_answer_was_received_however_late_we_come_to_it(router: RouterBench) -> None:
    message = router.answer(2)
    router.clock.advance(3 * HOUR)
    await router.hears(message)
    (view,) = await router.all_cases()
    assert (view.case.opened_at, view.case.touch_due_at) == (NOON, NOON + DAY)
    assert {row["since"] for row in await router.notices()} == {NOON}


async def test_g2_the_same_delivery_twice_is_one_response_one_case_one_card(router: RouterBench) -> None:
    message = router.answer(2)
    await router.hears(message, message)
    await router.hears(message)
    assert await count(router, "responses") == 1
    assert await router.told() == [("card", ANA), ("card", LEA)]


async def test_g2_a_revision_updates_the_response_in_the_vendors_order_not_in_arrival_order(
    router: RouterBench,
) -> None:
    newer = router.answer(5, occurred_at=NOON + HOUR, unique_id="d2")
    older = router.answer(1, occurred_at=NOON, unique_id="d1")
    await router.hears(newer)
    await router.hears(older)
    assert await router.all_cases() == []
    assert await count(router, "responses") == 1


async def test_a_rating_changed_to_bad_is_flagged_and_says_so(router: RouterBench) -> None:
    await router.hears(router.answer(5))
    assert await router.all_cases() == []
    router.clock.advance(HOUR)
    view = await router.low(1)
    assert view.case.status is Status.OPEN
    assert view.case.touch_due_at == router.clock.now() + DAY
    assert view.responses[0].revision == 2


async def test_a_rating_revised_upwards_is_noted_and_never_closes_the_case(router: RouterBench) -> None:
    view = await router.low(1)
    router.clock.advance(HOUR)
    await router.hears(router.answer(5))
    after = await router.case(view.case.id)
    assert after.case.status is Status.OPEN
    assert after.responses[0].normalised_score == 5
    entry = (await router.journal(view.case.id))[-1]
    assert (entry.type, entry.data["words"]) == ("response_revised", "The rating changed from 1 to 5.")


async def test_a_comment_that_comes_later_is_shown_on_the_card(router: RouterBench) -> None:
    view = await router.low(2)
    router.clock.advance(MINUTE)
    await router.hears(router.answer(2, comment="It lost my data"))
    after = await router.case(view.case.id)
    assert after.responses[0].comment == "It lost my data"
    assert after.case.version > view.case.version
    assert {row["desired_rev"] for row in await router.notices() if row["kind"] == "card"} == {after.case.version}


@pytest.mark.parametrize("metric", ["csat", "none"])
async def test_a_withdrawn_rating_is_withdrawn_and_never_becomes_zero(router: RouterBench, metric: str) -> None:
    view = await router.low(2)
    router.clock.advance(MINUTE)
    await router.hears(router.answer(None, withdrawn=True, metric=metric))
    after = await router.case(view.case.id)
    assert after.responses[0].withdrawn
    assert (after.responses[0].metric, after.responses[0].normalised_score) == ("csat", 2)
    assert after.case.status is Status.OPEN


async def test_a_response_too_old_is_recorded_as_late_and_not_alerted(router: RouterBench) -> None:
    await router.hears(router.answer(1, late=True))
    assert await router.all_cases() == []
    assert await count(router, "responses") == 1


async def test_within_the_grace_a_corrected_misclick_alerts_nobody(create: Create) -> None:
    router = await create('[flag]\ngrace = "2m"')
    await router.account()
    await router.hears(router.answer(1))
    router.clock.advance(MINUTE)
    await router.hears(router.answer(5))
    await router.passes(HOUR)
    assert await router.told() == []


async def test_after_the_grace_what_is_still_bad_is_alerted_and_its_clock_started_at_receipt(create: Create) -> None:
    router = await create('[flag]\ngrace = "2m"')
    await router.account()
    await router.hears(router.answer(1))
    assert await router.told() == []
    await router.passes(2 * MINUTE)
    case = (await router.all_cases())[0].case
    assert await router.told() == [("card", ANA), ("card", LEA)]
    assert case.touch_due_at == NOON + DAY


async def test_what_turns_bad_later_has_its_clock_from_then_also_after_a_grace(create: Create) -> None:
    router = await create('[flag]\ngrace = "2m"')
    await router.account()
    await router.hears(router.answer(5))
    router.clock.advance(3 * DAY)
    await router.hears(router.answer(1))
    await router.passes(2 * MINUTE)
    assert (await router.all_cases())[0].case.touch_due_at == NOON + 4 * DAY


async def test_what_came_late_is_alerted_when_the_customer_says_it_again_in_time(router: RouterBench) -> None:
    await router.hears(router.answer(2, late=True))
    router.clock.advance(HOUR)
    view = await router.low(1)
    assert (view.case.status, view.case.touch_due_at) == (Status.OPEN, router.clock.now() + DAY)


async def test_a_withdrawn_rating_is_none_to_reopen_a_ticket_after(router: RouterBench) -> None:
    await router.ticket("solved")
    await router.hears(router.answer(5))
    router.clock.advance(MINUTE)
    await router.hears(router.answer(None, withdrawn=True))
    router.clock.advance(HOUR)
    await router.ticket("open")
    assert await router.all_cases() == []


async def test_a_ticket_reopened_after_its_rating_needs_a_person(router: RouterBench) -> None:
    await router.ticket("solved")
    await router.hears(router.answer(5))
    router.clock.advance(HOUR)
    await router.ticket("open")
    case = (await router.all_cases())[0]
    assert case.responses[0].reasons == ("The ticket was reopened after the customer rated it.",)
    assert case.case.owner == ANA


async def test_a_ticket_that_only_its_rating_told_was_solved_can_be_reopened_too(router: RouterBench) -> None:
    await router.hears(router.answer(5, ticket_status="solved"))
    await router.ticket("open", occurred_at=NOON - HOUR)
    assert await router.all_cases() == [], "that was before the rating"
    router.clock.advance(HOUR)
    await router.ticket("open")
    case = (await router.all_cases())[0]
    assert case.responses[0].reasons == ("The ticket was reopened after the customer rated it.",)
    assert case.responses[0].ticket_status == "open"


async def test_a_ticket_reopened_while_its_case_is_open_is_told_in_the_case(router: RouterBench) -> None:
    await router.ticket("solved")
    view = await router.low(2)
    router.clock.advance(HOUR)
    await router.ticket("open")
    assert len(await router.all_cases()) == 1
    assert (await router.journal(view.case.id))[-1].data["change"] == "ticket_reopened"
    assert ("note", ANA) in await router.told()


async def test_a_second_low_score_joins_the_open_case_raises_it_and_has_its_own_clock(router: RouterBench) -> None:
    first = await router.low(2, record_id="r1")
    await router.does(first.case.id, commands.Acknowledge(actor=ANA))
    router.clock.advance(HOUR)
    second = await router.low(1, record_id="r2", requester_email="erik@acme.example")
    assert second.case.id == first.case.id
    assert second.case.status is Status.OPEN
    assert second.case.severity.rank > first.case.severity.rank
    assert len(second.case.waiting_clocks) == 2
    assert len(second.responses) == 2
    assert await router.told() == [("card", ANA), ("card", LEA), ("joined", ANA), ("joined", LEA)]


async def test_after_a_close_the_next_low_score_opens_a_new_case(router: RouterBench) -> None:
    first = await router.low(2)
    await router.does(first.case.id, touch(NOON))
    await router.does(first.case.id, commands.ConfirmClosed(actor=ANA))
    router.clock.advance(DAY)
    second = await router.low(1, record_id="r2")
    assert second.case.id != first.case.id
    assert second.case.severity is Severity.CRITICAL, "ARR 250,000 and a repeat"


async def test_reopening_beside_an_open_case_is_refused_and_says_where_to_act(router: RouterBench) -> None:
    first = await router.low(2)
    await router.does(first.case.id, touch(NOON))
    await router.does(first.case.id, commands.ConfirmClosed(actor=ANA))
    second = await router.low(1, record_id="r2")
    with pytest.raises(Refused, match=second.case.id):
        await router.does(first.case.id, commands.Reopen(actor=ANA, reason="not fixed"))


async def test_reopening_an_orphan_beside_an_open_one_of_the_same_company_is_refused_too(router: RouterBench) -> None:
    first = await router.low(2, requester_email="kim@nowhere.example")
    await router.does(first.case.id, commands.Dismiss(actor=OPS, reason="robot"))
    second = await router.low(2, record_id="r2", requester_email="jo@nowhere.example")
    with pytest.raises(Refused, match=second.case.id):
        await router.does(first.case.id, commands.Reopen(actor=OPS, reason="no robot"))


async def test_g6_an_unknown_customer_goes_to_the_fallback_owner_with_the_reason(router: RouterBench) -> None:
    view = await router.low(2, requester_email="kim@nowhere.example")
    assert view.case.owner == OPS
    assert "fallback" in view.case.owner_reason
    assert "nowhere.example" in view.case.owner_reason


async def test_a_free_mail_domain_never_finds_an_account(router: RouterBench) -> None:
    await router.account("mail", name="Mail Inc", domains=["gmail.com"])
    view = await router.low(2, requester_email="somebody@gmail.com")
    assert view.case.account_id is None
    assert "free-mail" in view.case.owner_reason


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"account_hint": {"organization_id": "org-9"}, "requester_email": "x@acme.example"}, "beta"),
        ({"requester_email": "vip@gmail.com"}, "beta"),
        ({"requester_email": "x@acme.example"}, "acme"),
        ({"account_hint": {"vendor_account_id": "org-9"}, "requester_email": "x@acme.example"}, "acme"),
        ({"account_hint": {"external_id": "beta"}, "requester_email": None}, "beta"),
    ],
    ids=["vendor organisation first", "then contact e-mail", "then domain", "never OUR helpdesk's id", "our own id"],
)
async def test_an_account_is_found_by_organisation_then_contact_then_domain(
    router: RouterBench, facts: dict[str, object], found: str
) -> None:
    contact = {"email": "vip@gmail.com", "name": None, "role": "champion"}
    await router.account(
        "beta", name="Beta", domains=["beta.example"], aliases={"zendesk": ["org-9"]}, contacts=[contact]
    )
    assert (await router.low(2, **facts)).case.account_id == found


async def test_the_same_id_of_two_vendors_means_two_accounts(router: RouterBench) -> None:
    await router.account("beta", domains=[], aliases={"intercom": ["77"]})
    await router.account("gamma", domains=[], aliases={"zendesk": ["77"]})
    facts = {"account_hint": {"organization_id": "77"}, "requester_email": None}
    assert (await router.low(2, source="intercom", record_id="a", **facts)).case.account_id == "beta"
    await router.low(2, source="zendesk", record_id="a", **facts)
    assert {view.case.account_id for view in await router.all_cases()} == {"beta", "gamma"}


async def test_a_domain_claimed_by_two_accounts_is_not_guessed(router: RouterBench) -> None:
    await router.account("twin", name="Twin", domains=["acme.example"])
    view = await router.low(2)
    assert view.case.account_id is None
    assert "claimed by the accounts acme, twin" in view.case.owner_reason


async def test_an_orphan_moves_when_its_account_becomes_known(router: RouterBench) -> None:
    orphan = await router.low(2, requester_email="kim@late.example")
    promised = orphan.case.touch_due_at
    router.clock.advance(HOUR)
    await router.account("late", name="Late Ltd", domains=["late.example"], csm="eva@us.example")
    moved = await router.case(orphan.case.id)
    assert (moved.case.account_id, moved.case.owner) == ("late", "eva@us.example")
    assert moved.case.touch_due_at == promised
    assert ("card", "eva@us.example") in await router.told(orphan.case.id)


async def test_an_orphan_is_merged_into_the_accounts_open_case_with_its_clock(router: RouterBench) -> None:
    orphan = await router.low(2, record_id="r1", requester_email="kim@late.example")
    router.clock.advance(HOUR)
    acme = await router.low(2, record_id="r2")
    router.clock.advance(HOUR)
    await router.account(domains=["acme.example", "late.example"])
    ended, target = await router.case(orphan.case.id), await router.case(acme.case.id)
    assert (ended.case.status, ended.case.merged_into) == (Status.CLOSED, acme.case.id)
    assert len(target.responses) == 2
    assert [clock.due_at for clock in target.case.waiting_clocks] == [NOON + DAY, NOON + HOUR + DAY]
    await router.passes(DAY, HOUR)
    breaches = [entry for entry in await router.journal(acme.case.id) if entry.type == "touch_breached"]
    assert len(breaches) == 2


async def test_two_orphans_of_one_unknown_company_share_a_case(router: RouterBench) -> None:
    await router.low(2, record_id="r1", requester_email="kim@late.example")
    await router.low(1, record_id="r2", requester_email="jo@late.example")
    assert len(await router.all_cases()) == 1


async def test_when_the_csm_changes_open_cases_move_unless_reassigned_by_hand(router: RouterBench) -> None:
    await router.account("beta", domains=["beta.example"])
    moving = await router.low(2, record_id="r1")
    await router.low(2, record_id="r2", requester_email="x@beta.example")
    pinned = next(view for view in await router.all_cases() if view.case.account_id == "beta")
    await router.does(pinned.case.id, commands.Reassign(actor=LEA, new_owner="tom@us.example", reason="knows them"))
    router.clock.advance(HOUR)
    await router.account(csm="eva@us.example")
    await router.account("beta", domains=["beta.example"], csm="eva@us.example")
    assert (await router.case(moving.case.id)).case.owner == "eva@us.example"
    assert (await router.case(pinned.case.id)).case.owner == "tom@us.example"


async def test_an_older_account_record_does_not_overwrite_a_newer_one(router: RouterBench) -> None:
    await router.account(csm="eva@us.example", changed_at=NOON + HOUR)
    await router.account(csm="old@us.example", changed_at=NOON - HOUR)
    assert (await router.low(2)).case.owner == "eva@us.example"


async def test_one_person_in_two_roles_gets_one_card(router: RouterBench) -> None:
    await router.account(csm=LEA, changed_at=NOON + HOUR)
    await router.low(2)
    assert await router.told() == [("card", LEA)]


async def test_an_owner_without_slack_is_passed_over_at_once_and_the_card_says_why(router: RouterBench) -> None:
    view = await router.low(2)
    card = next(row for row in await router.notices() if row["recipient"] == ANA)
    async with router.database.transaction() as tx:
        await router.cases.recipient_unreachable(tx, card["id"], "no Slack user has this e-mail", router.clock.now())
    after = await router.case(view.case.id)
    assert after.case.owner == MAX
    assert "ana@us.example: no Slack user has this e-mail" in after.case.owner_reason
    rows = {row["recipient"]: row for row in await router.notices()}
    assert rows[ANA]["state"] == "dead"
    assert rows[MAX]["state"] == "pending"
    assert rows[MAX]["since"] == NOON


async def test_an_unreachable_fallback_owner_is_told_to_the_lead(router: RouterBench) -> None:
    await router.low(2, requester_email="kim@nowhere.example")
    await lose(router, OPS)
    assert await states(router) == {("card", LEAD): "pending", ("card", OPS): "dead", ("escalation", LEAD): "pending"}


async def test_with_nobody_reachable_the_notice_is_parked_not_lost(router: RouterBench) -> None:
    await router.low(2, requester_email="kim@nowhere.example")
    await lose(router, LEAD)
    await lose(router, OPS)
    assert (await states(router))["card", OPS] == "parked"


async def lose(router: RouterBench, email: str) -> None:
    """Slack does not know this person; delivery found out while sending the card."""
    card = next(row for row in await router.notices() if row["recipient"] == email)
    now = router.clock.now()
    async with router.database.transaction() as tx:
        await people.remember(tx, Person(email, None, None, None, "no Slack user", now))
        await router.cases.recipient_unreachable(tx, card["id"], "no Slack user", now)


async def states(router: RouterBench) -> dict[tuple[str, str], str]:
    return {(row["kind"], row["recipient"]): row["state"] for row in await router.notices()}


async def test_the_touch_breach_climbs_the_chain_one_person_at_a_time(router: RouterBench) -> None:
    view = await router.low(2)
    await router.passes(DAY + 9 * HOUR, HOUR)
    assert await router.told(view.case.id) == [
        ("card", ANA),
        ("card", LEA),
        ("reminder", ANA),
        ("card", MAX),
        ("escalation", LEA),
        ("card", OPS),
    ]


async def test_g5_a_deadline_fires_once_however_many_routers_sweep(router: RouterBench) -> None:
    await router.low(2)
    router.clock.advance(DAY)
    await asyncio.gather(*(router.sweeper.sweep() for _ in range(4)))
    kinds = [kind for kind, _ in await router.told()]
    assert kinds.count("reminder") == 1
    assert [entry.type for entry in await router.journal((await router.all_cases())[0].case.id)].count(
        "touch_breached"
    ) == 1


async def test_g10_the_journal_is_a_chain_and_a_changed_entry_breaks_it(router: RouterBench) -> None:
    view = await router.low(2)
    await router.does(view.case.id, touch(NOON))
    async with router.database.read() as connection:
        rows = (await connection.execute(select(tables.journal).order_by(tables.journal.c.seq))).mappings().all()
    names = ("case_id", "seq", "at", "actor", "type", "data", "prev_hash", "hash")
    chain = [Sealed(**{name: row[name] for name in names}) for row in rows]
    assert broken_at(chain) is None
    assert chain[-1].hash == (await router.case(view.case.id)).case.head_hash
    forged = Sealed(*(b"{}" if name == "data" else rows[1][name] for name in names))
    assert broken_at([chain[0], forged]) == 2


async def test_g8_two_people_acting_at_the_same_moment_do_not_overwrite_each_other(router: RouterBench) -> None:
    view = await router.low(2)
    notes = [commands.AddNote(actor=f"p{number}@us.example", note=f"note {number}") for number in range(5)]
    await asyncio.gather(*(router.does(view.case.id, note) for note in notes))
    entries = await router.journal(view.case.id)
    assert [entry.seq for entry in entries] == list(range(1, 7))
    assert {entry.data["note"] for entry in entries[1:]} == {f"note {number}" for number in range(5)}


async def test_flagged_responses_of_one_account_in_many_routers_open_one_case(router: RouterBench) -> None:
    messages = [
        router.answer(2, record_id=f"r{n}", unique_id=f"d{n}", requester_email=f"p{n}@acme.example") for n in range(8)
    ]
    await asyncio.gather(*(_until_done(router, message) for message in messages))
    views = await router.all_cases()
    assert len(views) == 1
    assert len(views[0].responses) == 8
    assert len(views[0].case.clocks) == 8


async def _until_done(router: RouterBench, message: Message) -> None:
    """As the consumer loop does: try again what was overtaken; anything else would be poison."""
    for _ in range(20):
        with suppress(TransientError):
            return await router.hears(message)
    raise AssertionError("never got through")


async def test_g12_what_is_no_scored_response_is_poison_with_a_reason_and_changes_nothing(router: RouterBench) -> None:
    good = router.answer(2)
    broken = Message(good.topic, 0, 1, good.key, b'{"response": 7}', good.headers, good.time)
    with pytest.raises(PoisonError, match="response"):
        await router.hears(good, broken)
    assert await router.all_cases() == []


async def test_customer_text_is_kept_as_it_was(router: RouterBench) -> None:
    text = "<!channel> 日本語 مرحبا 👩‍🚀 *bold* <https://evil.example|click> " + "x" * 100_000
    view = await router.low(2, comment=text)
    assert view.responses[0].comment == text


async def test_the_customer_phoned_opens_a_case_by_hand(router: RouterBench) -> None:
    async with router.database.transaction() as tx:
        case = await router.cases.open_by_hand(
            tx, account_id="acme", actor=LEA, subject="Their CTO called, furious", now=router.clock.now()
        )
    view: CaseView = await router.case(case.id)
    assert (view.case.owner, view.case.touch_due_at) == (ANA, NOON + DAY)
    assert (await router.journal(case.id))[0].data["words"] == "Their CTO called, furious"


@pytest.mark.postgres
async def test_a_low_score_that_comes_while_the_case_is_being_closed_opens_a_new_one(
    emptied_postgres_url: str,
) -> None:
    router = await RouterBench.create(emptied_postgres_url)
    await router.account()
    closed = (await router.low(2)).case
    await router.does(closed.id, touch(NOON))
    close = commands.ConfirmClosed(actor=ANA)
    async with router.database.transaction() as tx:
        await router.cases.apply(tx, closed.id, close, router.clock.now())
        coming = asyncio.create_task(router.hears(answer := router.answer(1, record_id="r2")))
        await a_lock_is_waited_for(router)
    with suppress(Overtaken):
        await coming
    await router.hears(answer)
    assert {view.case.status for view in await router.all_cases() if view.case.id == closed.id} == {Status.CLOSED}
    assert [view.case.status for view in await router.all_cases()].count(Status.OPEN) == 1
    await router.close()


async def a_lock_is_waited_for(router: RouterBench) -> None:
    async with asyncio.timeout(20), router.database.read() as connection:
        while not (await connection.execute(text("SELECT 1 FROM pg_locks WHERE NOT granted"))).first():
            await asyncio.sleep(0.005)


async def test_the_close_out_question_that_is_on_its_way_outlives_resolve(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    await router.does(case_id, touch(NOON))
    await router.passes(7 * DAY)
    await router.does(case_id, commands.Resolve(actor=ANA, outcome="fixed", what_was_done="New export"))
    assert [row["state"] for row in await router.notices(case_id) if row["kind"] == "close_out"] == ["pending"]
    await router.does(case_id, commands.ConfirmClosed(actor=ANA))
    assert [row["state"] for row in await router.notices(case_id) if row["kind"] == "close_out"] == ["dead"]


async def test_what_came_from_a_domain_that_two_accounts_claim_counts_for_neither(router: RouterBench) -> None:
    await router.account(domains=["acme.example", "shared.example"])
    await router.account("beta", domains=["shared.example"])
    await router.hears(router.answer(1, record_id="r8", requester_email="x@shared.example", ticket_id="T-8"))
    await router.account(domains=["acme.example", "shared.example"], changed_at=NOON + MINUTE)
    router.clock.advance(HOUR)
    await router.hears(router.answer(2))
    assert {view.case.account_id: view.earlier_low for view in await router.all_cases()} == {None: 0, "acme": 0}
