"""The console as a person uses it: signing in once, reading what happened, acting, and being safe while at it."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.router.audit.facts import heartbeats
from services.router.domain import commands
from services.router.sessions import COOKIE
from shared.db.engine import Database
from shared.policy import Policy
from shared.settings import DatabaseSettings
from tests.support.domain import ANA, LEA
from tests.support.router import RouterBench
from tests.support.router_doors import TOKEN, Doors

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TOUCH = {
    "channel": "call",
    "touched_at": "2026-11-02T12:00",
    "acknowledgement": "You lost a morning",
    "next_step": "A fixed export",
    "next_step_due": "2026-11-20",
}


@pytest.fixture
def doors(router: RouterBench) -> Doors:
    return Doors(router)


def browser(doors: Doors) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """Somebody who has no token, only what cookies they are given."""
    return doors.client(token=None)


@pytest.fixture
async def ana(doors: Doors) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(doors) as client:
        await sign_in(client, doors)
        yield client


async def sign_in(client: httpx.AsyncClient, doors: Doors, email: str = ANA) -> httpx.Response:
    code = httpx.URL(doors.sign_in_path()).params["code"]
    return await client.post("/signin", data={"code": code, "email": email})


async def page(client: httpx.AsyncClient, path: str, status: int = 200) -> str:
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


async def csrf(client: httpx.AsyncClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', await page(client, "/"))
    assert found is not None
    return found[1]


async def sends(client: httpx.AsyncClient, path: str, **fields: Any) -> httpx.Response:
    return await client.post(path, data={"csrf": await csrf(client), **fields})


async def test_without_a_session_the_console_leads_to_the_sign_in(doors: Doors) -> None:
    async with browser(doors) as client:
        assert (await client.get("/")).headers["location"] == "/signin"
        onward = await client.get("/cases/L-A?x=1")
        assert (onward.status_code, onward.headers["location"]) == (303, "/signin?next=%2Fcases%2FL-A%3Fx%3D1")
        for path in ("/sla", "/accounts", "/accounts/unmatched", "/health"):
            assert (await client.get(path)).status_code == 303
        late = await client.post("/cases/L-A/dismiss", data={"reason": "x"})
        assert (late.status_code, late.headers["location"]) == (303, "/signin?next=%2Fcases%2FL-A&unsent=true")
        assert "nothing was saved" in await page(client, late.headers["location"])


async def test_the_printed_link_signs_in_once_however_often_it_is_previewed(doors: Doors) -> None:
    link = doors.sign_in_path()
    code = httpx.URL(link).params["code"]
    async with browser(doors) as scanner:
        assert "Your e-mail" in await page(scanner, link)
        assert "Your e-mail" in await page(scanner, link)
    async with browser(doors) as client:
        answer = await client.post("/signin", data={"code": code, "email": " Ana@US.example ", "next": "/sla"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sla")
        assert ANA in await page(client, "/")
    async with browser(doors) as thief:
        answer = await thief.post("/signin", data={"code": code, "email": "x@y.example"})
        assert (answer.status_code, COOKIE in answer.headers.get("set-cookie", "")) == (401, False)
        assert "was used before" in answer.text


async def test_a_link_of_the_day_before_yesterday_is_too_old(doors: Doors, router: RouterBench) -> None:
    link = doors.sign_in_path()
    router.clock.advance(25 * HOUR)
    async with browser(doors) as client:
        answer = await client.post("/signin", data={"code": httpx.URL(link).params["code"], "email": ANA})
        assert answer.status_code == 401


async def test_the_admin_token_signs_in_and_sessions_end(doors: Doors, router: RouterBench) -> None:
    async with browser(doors) as client:
        answer = await client.post("/signin", data={"token": TOKEN, "email": LEA})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert LEA in await page(client, "/")
        await sends(client, "/signout")
        assert (await client.get("/")).status_code == 303
        await client.post("/signin", data={"token": TOKEN, "email": LEA})
        router.clock.advance(8 * DAY)
        assert (await client.get("/")).status_code == 303


async def test_behind_https_the_cookie_stays_there(router: RouterBench) -> None:
    doors = Doors(router, public_url="https://closeloop.example")
    async with browser(doors) as client:
        answer = await client.post("/signin", data={"token": TOKEN, "email": LEA})
        assert "secure" in answer.headers["set-cookie"].lower()


async def test_guessing_is_slowed_down(doors: Doors, router: RouterBench) -> None:
    async with browser(doors) as client:
        for _ in range(10):
            assert (await client.post("/signin", data={"token": "guess", "email": ANA})).status_code == 401
        assert (await client.post("/signin", data={"token": TOKEN, "email": ANA})).status_code == 429
        assert (await sign_in(client, doors)).status_code == 303, "a one-time link still works"
        client.cookies.clear()
        router.clock.advance(timedelta(minutes=6))
        assert (await client.post("/signin", data={"token": TOKEN, "email": ANA})).status_code == 303


async def test_signing_in_never_leads_to_another_site(doors: Doors) -> None:
    for onward in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        async with browser(doors) as client:
            answer = await client.post("/signin", data={"token": TOKEN, "email": ANA, "next": onward})
            assert answer.headers["location"] == "/", onward


async def test_a_forged_session_is_none(doors: Doors) -> None:
    for cookie in ("x", "WyJhbmFAdXMuZXhhbXBsZSIsImEiLDk5OTk5OTk5OTldOw.forged", ""):
        async with browser(doors) as client:
            client.cookies.set(COOKIE, cookie)
            assert (await client.get("/")).status_code == 303, cookie
            assert (await client.get("/v1/cases")).status_code == 401, cookie


async def test_a_touch_from_the_page_is_journaled_under_the_persons_name(
    doors: Doors, router: RouterBench, ana: httpx.AsyncClient
) -> None:
    case = (await router.low(comment="It fails")).case
    shown = await page(ana, f"/cases/{case.id}")
    assert "It fails" in shown
    assert "Journal verified: 1 entry" in shown
    answer = await sends(ana, f"/cases/{case.id}/touch", version=1, **TOUCH)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/cases/{case.id}")
    after = await page(ana, f"/cases/{case.id}")
    assert "Touch logged." in after
    assert "Touch logged." not in re.sub(r"<[^>]+>", "", await page(ana, "/"))
    assert "You lost a morning" in after
    journal = await router.journal(case.id)
    assert [(entry.type, entry.actor) for entry in journal] == [("opened", "system"), ("touched", ANA)]
    assert doors.woken == 1


async def test_a_typed_touch_is_never_thrown_away(router: RouterBench, ana: httpx.AsyncClient) -> None:
    case = (await router.low()).case
    answer = await sends(ana, f"/cases/{case.id}/touch", version=1, **{**TOUCH, "next_step_due": "2026-01-01"})
    assert answer.status_code == 422
    assert "You lost a morning" in answer.text
    assert "cannot be due before" in answer.text
    missing = await sends(ana, f"/cases/{case.id}/touch", **{**TOUCH, "acknowledgement": " "})
    assert (missing.status_code, "Acknowledgement is missing." in missing.text) == (422, True)

    await sends(ana, f"/cases/{case.id}/dismiss", reason="A robot")
    late = await sends(ana, f"/cases/{case.id}/touch", version=1, **TOUCH)
    assert (late.status_code, "Already dismissed" in late.text) == (409, True)


async def test_every_form_a_state_offers_works(router: RouterBench, ana: httpx.AsyncClient) -> None:
    case = (await router.low()).case
    fields: dict[str, dict[str, str]] = {
        "acknowledge": {},
        "touch": TOUCH,
        "correct_touch": {"reason": "Wrong case"},
        "snooze": {"until": "2026-11-04T08:00", "reason": "Away"},
        "reassign": {"new_owner": LEA, "reason": "Leave"},
        "note": {"note": "Called"},
        "resolve": {"outcome": "fixed", "what_was_done": "Repaired"},
        "still_open": {"reason": "Fails again"},
        "close": {"outcome": "confirmed", "what_was_done": ""},
        "reopen": {"reason": "Once more"},
        "dismiss": {"reason": "A robot"},
    }
    steps = "acknowledge touch correct_touch snooze reassign note touch resolve still_open touch close reopen dismiss"
    for number, step in enumerate(steps.split()):
        shown = await page(ana, f"/cases/{case.id}")
        assert f'action="/cases/{case.id}/{step}"' in shown, step
        typed = {name: f"{text} {number}" if name == "next_step" else text for name, text in fields[step].items()}
        answer = await sends(ana, f"/cases/{case.id}/{step}", **typed)
        assert answer.status_code == 303, (step, answer.text)
    assert (await router.case(case.id)).case.status == "dismissed"


async def test_a_case_whose_customer_has_left_is_closed_without_a_touch(
    router: RouterBench, ana: httpx.AsyncClient
) -> None:
    case = (await router.low()).case
    assert "Close: customer has left" in await page(ana, f"/cases/{case.id}")
    missing = await sends(ana, f"/cases/{case.id}/close", outcome="customer_left", what_was_done="")
    assert missing.status_code == 422
    typed = {"outcome": "customer_left", "what_was_done": "Contract ended in May"}
    assert (await sends(ana, f"/cases/{case.id}/close", **typed)).status_code == 303
    assert (await router.case(case.id)).case.status == "closed"


async def test_the_list_is_found_above_a_case_too(router: RouterBench, ana: httpx.AsyncClient) -> None:
    case = (await router.low()).case
    assert case.id in await page(ana, "/cases")


async def test_no_form_works_without_its_csrf_token(router: RouterBench, ana: httpx.AsyncClient) -> None:
    case = (await router.low()).case
    for path in (f"/cases/{case.id}/dismiss", "/cases", "/signout"):
        answer = await ana.post(path, data={"reason": "x", "csrf": "forged", "account_id": "acme", "subject": "x"})
        assert answer.status_code == 403
    assert (await ana.post(f"/v1/cases/{case.id}/dismiss", json={"reason": "x"})).status_code == 403
    assert len(await router.journal(case.id)) == 1


async def test_a_session_reads_the_api_and_writes_with_its_token(router: RouterBench, ana: httpx.AsyncClient) -> None:
    case = (await router.low()).case
    assert (await ana.get("/v1/sla/cases.csv")).status_code == 200
    headers = {"x-csrf-token": await csrf(ana)}
    body = {"note": "x", "actor": "somebody.else@us.example"}
    assert (await ana.post(f"/v1/cases/{case.id}/note", json=body, headers=headers)).status_code == 200
    assert (await router.journal(case.id))[-1].actor == ANA


ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% include 'base.html' %}",
    "</textarea><svg onload=alert(1)>",
]


@pytest.mark.parametrize("attack", ATTACKS)
async def test_g11_what_customers_write_is_text_on_every_page(
    router: RouterBench, ana: httpx.AsyncClient, attack: str
) -> None:
    await router.account(name=attack, domains=["acme.example"], tier=attack)
    view = await router.low(
        comment=attack, requester_name=attack, subject=attack, ticket_id=attack, ticket_url=f"javascript:{attack}"
    )
    await router.hears(router.answer(1, record_id="r2", requester_email=f"x@{attack[:20].replace('/', '')}.example"))
    await sends(ana, f"/cases/{view.case.id}/note", note=attack)
    paths = [
        "/",
        f"/cases/{view.case.id}",
        "/sla?group=account",
        "/sla/cases",
        "/accounts",
        "/accounts/unmatched",
        "/health",
    ]
    for path in [*paths, f"/?owner={attack}&account_id={attack}&open={attack}&cursor={attack}"]:
        answer = await ana.get(path)
        assert answer.status_code == 200
        assert attack not in answer.text, path
        assert "javascript:" not in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert not re.search(r"<script(?! src=\"/console/static/)|\sstyle=|\son\w+=\"", answer.text)


async def test_japanese_arabic_and_emoji_come_through(router: RouterBench, ana: httpx.AsyncClient) -> None:
    await router.account(name="株式会社さくら物流", domains=["acme.example"])
    view = await router.low(comment="التصدير يفشل كل صباح 😡")
    shown = await page(ana, f"/cases/{view.case.id}")
    assert '<h1 dir="auto">株式会社さくら物流</h1>' in shown
    assert '<blockquote dir="auto">التصدير يفشل كل صباح 😡</blockquote>' in shown


async def test_empty_pages_say_what_to_do_next(database_url: str) -> None:
    router = await RouterBench.create(database_url)
    doors = Doors(router)
    async with browser(doors) as client:
        await sign_in(client, doors)
        assert "closeloop accounts import" in await page(client, "/")
        assert "Show all cases" in await page(client, "/?status=closed")
        assert "closeloop accounts import" in await page(client, "/accounts")
        assert "Nothing to do here" in await page(client, "/accounts/unmatched")
        assert "Nothing was flagged" in await page(client, "/sla")
        assert "There is no case L-NONE" in await page(client, "/cases/L-NONE", 404)
        assert "No case is behind this number" in await page(client, "/sla/cases?metric=flagged")
    await router.close()


async def test_while_the_database_is_away_a_person_reads_words_and_may_send_again() -> None:
    nowhere = Database(DatabaseSettings(url="postgresql+asyncpg://nobody@127.0.0.1:1/nothing"))
    doors = Doors(RouterBench(nowhere, Policy()))
    async with browser(doors) as client:
        link = await client.post("/signin", data={"code": httpx.URL(doors.sign_in_path()).params["code"], "email": ANA})
        assert (link.status_code, "does not answer" in link.text) == (503, True)
        await client.post("/signin", data={"token": TOKEN, "email": ANA})
        for path in ("/", "/cases/L-A", "/sla", "/sla/cases", "/accounts", "/covers", "/sources", "/health"):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8"), path
            assert 0 < int(answer.headers["retry-after"]) < 60
        token = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        assert token is not None
        sent = await client.post("/cases/L-A/touch", data={"csrf": token[1], **TOUCH})
        assert (sent.status_code, "nothing is done twice" in sent.text) == (503, True)


async def test_the_numbers_above_the_list_lead_to_just_these_cases(router: RouterBench, ana: httpx.AsyncClient) -> None:
    known = (await router.low()).case
    await router.hears(router.answer(1, record_id="r2", requester_email="x@stray.example"))
    await router.hears(router.answer(1, record_id="r3", requester_email="x@other.example"))
    (other,) = [view.case for view in await router.all_cases() if "other" in str(view.responses[0].requester_email)]
    await router.does(other.id, commands.Dismiss(actor=LEA, reason="A robot"))
    router.clock.advance(25 * HOUR)
    first = await page(ana, "/")
    tiles = re.findall(r'<a href="([^"]+)"[^>]*><b>(\d+)</b> (not ended|overdue|with the fallback owner)', first)
    assert {words: number for _, number, words in tiles} == {
        "not ended": "2",
        "overdue": "2",
        "with the fallback owner": "1",
    }
    for link, number, _ in tiles:
        listed = await page(ana, html.unescape(link))
        assert listed.count('<tr class="row-') == int(number), link
        assert other.id not in listed
    assert known.id not in await page(ana, "/?unowned=true")
    assert "x@stray.example" in first, "who wrote tells one unknown account from another"


async def test_the_list_shows_what_is_late_and_leads_on(router: RouterBench, ana: httpx.AsyncClient) -> None:
    for number in range(52):
        await router.hears(router.answer(1, record_id=f"r{number}", requester_email=f"x@c{number}.example"))
    router.clock.advance(26 * HOUR)
    first = await page(ana, "/?overdue=true")
    assert "2 h overdue" in first
    assert first.count('class="row-late"') == 50
    older = re.search(r'href="([^"]+)" rel="next"', first)
    assert older is not None
    assert (await page(ana, html.unescape(older[1]))).count('class="row-late"') == 2
    assert "<b>52</b> overdue" in first


async def test_every_number_of_the_figures_leads_to_its_cases(router: RouterBench, ana: httpx.AsyncClient) -> None:
    case = (await router.low()).case
    await router.low(record_id="r2")
    router.clock.advance(26 * HOUR)
    shown = await page(ana, "/sla?group=owner&period=month")
    links = {html.unescape(link) for link in re.findall(r'href="(/sla/cases\?[^"]+)"', shown)}
    names = {httpx.URL(link).params["metric"] for link in links}
    assert names >= {"flagged", "touch_due", "overdue_now", "touched_in_time_pct"}, "0 % has its cases too"
    for link in links:
        assert case.id in await page(ana, link)
    assert 'aria-label="Touched in time, %"' in await page(ana, "/sla")
    wrong = await page(ana, "/sla?from=2026-02-01&to=2026-01-01", 422)
    assert "cannot be shown" in wrong


async def test_a_case_by_hand_from_the_page(router: RouterBench, ana: httpx.AsyncClient) -> None:
    wrong = await sends(ana, "/cases", account_id="none", subject="She phoned")
    assert (wrong.status_code, "There is no account none" in wrong.text, "She phoned" in wrong.text) == (
        422,
        True,
        True,
    )
    answer = await sends(ana, "/cases", account_id="acme", subject="She phoned")
    assert answer.status_code == 303
    shown = await page(ana, answer.headers["location"])
    assert "She phoned" in shown
    assert (await router.all_cases())[0].case.owner == ANA


async def test_health_names_what_is_broken_and_links_to_it(router: RouterBench, ana: httpx.AsyncClient) -> None:
    case = (await router.low()).case
    assert "✗" not in await page(ana, "/health")
    router.clock.advance(timedelta(minutes=6))
    shown = await page(ana, "/health")
    assert f'<a href="/cases/{case.id}">' in shown
    assert "that waits for Slack: " in shown


async def test_a_loop_that_runs_at_night_is_not_late_by_day(router: RouterBench, ana: httpx.AsyncClient) -> None:
    async with router.database.transaction() as tx:
        for name in ("preflight", "duplicate sweep", "patrol"):
            await heartbeats.beat(tx, name, router.clock.now())
    router.clock.advance(12 * HOUR)
    assert (await page(ana, "/health")).count('<td class="late">') == 1
    router.clock.advance(16 * HOUR)
    assert (await page(ana, "/health")).count('<td class="late">') == 3


async def test_static_files_are_ours_alone(doors: Doors) -> None:
    async with browser(doors) as client:
        for name in ("console.css", "console.js", "mark.svg"):
            text = await page(client, f"/console/static/{name}")
            assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


async def test_secrets_in_comments_are_masked_until_somebody_looks_and_the_journal_says_who(
    router: RouterBench, ana: httpx.AsyncClient
) -> None:
    view = await router.low(2, comment="My card 4111 1111 1111 1111 was charged twice")
    for path in ("/", f"/cases/{view.case.id}"):
        shown = await page(ana, path)
        assert "[card-1111]" in shown
        assert "4111 1111" not in shown
    looked = await sends(ana, f"/cases/{view.case.id}/reveal")
    assert "4111 1111 1111 1111" in looked.text
    entry = (await router.journal(view.case.id))[-1]
    assert (entry.type, entry.actor, entry.data["where"]) == ("revealed", ANA, "console")
    assert "4111 1111" not in await page(ana, f"/cases/{view.case.id}")
    assert (await ana.post(f"/cases/{view.case.id}/reveal", data={"csrf": "guessed"})).status_code == 403
