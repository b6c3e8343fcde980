"""When the support lead of an account changes, open cases follow with a card each; ended ones stay as they were."""

from datetime import timedelta

from services.router.domain import commands
from tests.support.domain import ANA, LEA
from tests.support.router import RouterBench

EVA = "eva@us.example"


async def test_open_cases_follow_the_accounts_lead_who_gets_a_card(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    router.clock.advance(timedelta(hours=1))
    await router.account(support_lead=EVA)
    case = (await router.case(case_id)).case
    assert (case.owner, case.support_lead) == (ANA, EVA)
    assert (await router.told(case_id))[-1] == ("card", EVA)
    assert (await router.journal(case_id))[-1].data["from"] == LEA


async def test_an_ended_case_keeps_the_lead_it_had(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    await router.does(case_id, commands.Dismiss(actor=ANA, reason="A robot"))
    router.clock.advance(timedelta(hours=1))
    await router.account(support_lead=EVA)
    assert (await router.case(case_id)).case.support_lead == LEA
    assert EVA not in {recipient for _, recipient in await router.told(case_id)}
