"""What a touch rests on, from the helpdesk's events and the customer's answers to card, API and figures."""

from datetime import timedelta

from services.router.audit.facts.promises import read_promises
from services.router.audit.figures import measure
from services.router.audit.periods import Window
from services.router.audit.verification import verify_cases
from services.router.domain import commands
from services.router.domain.case import Status
from services.router.domain.decision import NoticeKind
from services.router.domain.notices import Notice, compose
from services.router.domain.view import CaseView
from services.router.store import directory
from tests.support.domain import ANA, touch
from tests.support.router import NOON, RouterBench

HOUR = timedelta(hours=1)


async def touched(router: RouterBench) -> CaseView:
    view = await router.low(2)
    await router.passes(HOUR)
    await router.does(view.case.id, touch(router.clock.now()))
    return await router.case(view.case.id)


async def replies(router: RouterBench) -> None:
    await router.ticket("none", ticket_status=None, replied_at=router.clock.now(), replied_by="ana@us.example")


async def figures(router: RouterBench) -> dict[str, float | None]:
    window = Window(NOON - 24 * HOUR, NOON + 999 * HOUR)
    async with router.database.read() as connection:
        return measure([promise async for promise in read_promises(connection, window)], router.clock.now())


async def proof_of(router: RouterBench, case_id: str) -> str:
    view = await router.case(case_id)
    async with router.database.read() as connection:
        assert await verify_cases(connection, [case_id]) == [], "journal and rows say the same"
    assert view.touch is not None
    return view.touch.proof


async def test_a_reply_after_the_touch_makes_it_evidenced_on_card_and_in_figures(router: RouterBench) -> None:
    case_id = (await touched(router)).case.id
    assert await proof_of(router, case_id) == "claimed"
    assert (await figures(router))["touch_claimed_pct"] == 100
    await router.passes(HOUR)
    await replies(router)
    assert await proof_of(router, case_id) == "evidenced"
    card = compose(Notice(NoticeKind.CARD, ANA, "owner", {}), await router.case(case_id), router.clock.now())
    assert "call (evidenced)" in str(card.context)
    assert "Promised" in str(card.lines)
    measured = await figures(router)
    assert (measured["touch_claimed_pct"], measured["touch_evidenced_pct"]) == (0, 100)


async def test_a_reply_before_the_touch_is_logged_is_remembered(router: RouterBench) -> None:
    view = await router.low(2)
    await router.passes(HOUR)
    await replies(router)
    await router.passes(HOUR)
    await router.does(view.case.id, touch(router.clock.now()))
    assert await proof_of(router, view.case.id) == "evidenced"


async def test_our_own_reply_to_a_solved_ticket_reopens_nothing(router: RouterBench) -> None:
    await router.ticket("solved")
    await router.passes(HOUR)
    await router.hears(router.answer(5, ticket_status="solved"))
    await router.passes(HOUR)
    await replies(router)
    assert not await router.all_cases()


async def test_a_good_rating_of_the_same_person_confirms_the_touch(router: RouterBench) -> None:
    case_id = (await touched(router)).case.id
    await router.passes(HOUR)
    await router.hears(router.answer(5, record_id="other", ticket_id="T-2", requester_email="somebody@acme.example"))
    assert await proof_of(router, case_id) == "claimed"
    await router.hears(router.answer(5, record_id="later", ticket_id="T-3", requester_email="dora@acme.example"))
    assert await proof_of(router, case_id) == "confirmed"
    assert (await router.case(case_id)).case.status is Status.TOUCHED, "a rating closes nothing"


async def test_the_same_answer_turned_good_confirms_too(router: RouterBench) -> None:
    case_id = (await touched(router)).case.id
    await router.passes(HOUR)
    await router.hears(router.answer(5))
    assert await proof_of(router, case_id) == "confirmed"


async def test_the_close_out_asks_about_the_promise_and_counts_the_answer(router: RouterBench) -> None:
    case_id = (await touched(router)).case.id
    await router.passes(timedelta(days=8), step=HOUR)
    question = compose(Notice(NoticeKind.CLOSE_OUT, ANA, "owner", {}), await router.case(case_id), router.clock.now())
    assert "You promised: A fixed export for you by Tue 1 Jun 2027." in question.text
    await router.does(case_id, commands.ConfirmClosed(actor=ANA, promise_kept=True))
    assert await proof_of(router, case_id) == "confirmed"
    measured = await figures(router)
    assert (measured["promise_kept_pct"], measured["touch_confirmed_pct"]) == (100, 100)


async def test_a_reply_told_before_the_status_it_came_with_hides_no_status(router: RouterBench) -> None:
    now = router.clock.now()
    later = now + timedelta(seconds=1)
    await router.ticket(
        "none", ticket_status=None, occurred_at=later, replied_at=later, ticket_id="T-9", record_id="T-9"
    )
    await router.ticket("solved", occurred_at=now, ticket_id="T-9", record_id="T-9")
    async with router.database.read() as connection:
        row = await directory.ticket_of(connection, "zendesk", "T-9")
    assert row is not None
    assert (row["status"], row["replied_at"]) == ("solved", later)


async def test_a_touch_that_was_taken_back_promises_nothing_on_the_card(router: RouterBench) -> None:
    case_id = (await touched(router)).case.id
    await router.does(case_id, commands.CorrectTouch(actor=ANA, reason="That was another customer"))
    card = compose(Notice(NoticeKind.CARD, ANA, "owner", {}), await router.case(case_id), router.clock.now())
    assert "A fixed export for you" not in repr(card)
    await router.does(case_id, touch(router.clock.now(), next_step="A call tomorrow"))
    card = compose(Notice(NoticeKind.CARD, ANA, "owner", {}), await router.case(case_id), router.clock.now())
    assert "A call tomorrow" in repr(card)


async def test_a_good_answer_without_a_ticket_confirms_nothing_of_long_ago(router: RouterBench) -> None:
    await router.hears(router.answer(2, ticket_id=None, metric="nps"))
    case_id = (await router.all_cases())[0].case.id
    await router.does(case_id, touch(router.clock.now()))
    await router.passes(100 * 24 * HOUR, 24 * HOUR)
    await router.hears(
        router.answer(10, ticket_id=None, metric="nps", record_id="r2", requester_email="dora@acme.example")
    )
    assert await proof_of(router, case_id) == "claimed"
