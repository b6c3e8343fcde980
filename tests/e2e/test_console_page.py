"""CX operations in front of the console, in a real browser: signing in, touching a case, following a number."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.support.domain import ANA, LEA
from tests.support.router import RouterBench
from tests.support.router_doors import TOKEN, Doors
from tests.support.slack_sandbox import serving

ATTACK = '<img src=x onerror="document.title=`hit`"> & <b>bold</b>'

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@dataclass
class Desk:
    """A signed-in person at the console, five hours east of Greenwich, and the router behind it."""

    page: Page
    router: RouterBench
    url: str
    complaints: list[str]


@pytest_asyncio.fixture(loop_scope="session")
async def desk(browser: Browser, tmp_path: Path) -> AsyncIterator[Desk]:
    router = await RouterBench.create(f"sqlite+aiosqlite:///{tmp_path}/closeloop.db")
    await router.account()
    doors = Doors(router)
    async with serving(doors.app) as url:
        context = await browser.new_context(timezone_id="Asia/Karachi", locale="en-GB")
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(url + doors.sign_in_path())
        await page.get_by_label("Your e-mail").fill(ANA)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page).to_have_url(f"{url}/")
        yield Desk(page, router, url, complaints)
        await context.close()
    await router.close()
    assert complaints == []


async def test_a_touch_is_logged_in_the_readers_own_time(desk: Desk) -> None:
    case = (await desk.router.low(comment=ATTACK)).case
    desk.router.clock.advance(timedelta(hours=3))
    page = desk.page
    await page.reload()
    await page.get_by_role("link", name="Acme Ltd").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Acme Ltd")
    await expect(page.locator("article blockquote")).to_have_text(ATTACK)
    await expect(page.get_by_text("3 Nov 2026, 17:00")).not_to_have_count(0)

    await expect(page.get_by_label("When (your time)")).to_have_value("2026-11-02T20:00")
    await page.get_by_label("When (your time)").fill("2026-11-02T19:30")
    await page.get_by_label("What you acknowledged").fill("You lost a morning to the export")
    await page.get_by_label("What happens next").fill("A fixed export")
    await page.get_by_label("By when").fill("2026-11-20")
    await page.get_by_role("button", name="Log a touch").click()
    await expect(page.get_by_role("status")).to_have_text("Touch logged.")
    await expect(page.get_by_text("Journal verified: 2 entries")).to_be_visible()

    touched = (await desk.router.journal(case.id))[-1]
    assert (touched.actor, touched.data["touched_at"]) == (ANA, "2026-11-02T14:30:00Z")


async def test_what_was_typed_survives_the_end_of_the_session(desk: Desk) -> None:
    case = (await desk.router.low()).case
    page = desk.page
    await page.goto(f"{desk.url}/cases/{case.id}")
    await page.locator("summary", has_text="Add a note").click()
    await page.get_by_label("Note").fill("She called back and was angry")
    desk.router.clock.advance(timedelta(days=8))
    await page.locator(f'form[action="/cases/{case.id}/note"]').get_by_role("button").click()
    await expect(page.get_by_role("alert")).to_contain_text("nothing was saved")
    await page.get_by_label("Your e-mail").fill(ANA)
    await page.get_by_label("Admin token").fill(TOKEN)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_label("Note")).to_have_value("She called back and was angry")
    await page.locator(f'form[action="/cases/{case.id}/note"]').get_by_role("button").click()
    await expect(page.get_by_role("status")).to_have_text("Noted.")
    await expect(page.get_by_label("Note")).to_have_value("")
    noted = (await desk.router.journal(case.id))[-1]
    assert (noted.actor, noted.data["note"]) == (ANA, "She called back and was angry")


async def test_what_was_typed_survives_somebody_who_was_faster(desk: Desk) -> None:
    case = (await desk.router.low()).case
    page = desk.page
    await page.goto(f"{desk.url}/cases/{case.id}")
    form = page.locator(f'form[action="/cases/{case.id}/reassign"]')
    await page.locator("summary", has_text="Reassign").click()
    await form.get_by_label("New owner").fill(ANA)
    await form.get_by_label("Why").fill("She knows them best")
    await form.get_by_role("button").click()
    await expect(form.get_by_label("Why")).to_have_value("She knows them best")
    await expect(form.get_by_role("alert")).to_contain_text("owns this case already")
    await form.get_by_label("New owner").fill(LEA)
    await form.get_by_role("button").click()
    await expect(page.get_by_role("status")).to_contain_text(f"Reassigned to {LEA}")
    desk.complaints[:] = [text for text in desk.complaints if "422" not in text]


async def test_a_number_leads_to_its_cases_and_a_chip_filters(desk: Desk) -> None:
    await desk.router.low()
    await desk.router.low(record_id="r2", requester_email="x@stray.example")
    desk.router.clock.advance(timedelta(hours=30))
    page = desk.page
    await page.goto(f"{desk.url}/sla")
    await page.locator("td.late a").click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    await page.get_by_role("link", name="Acme Ltd").click()
    await expect(page.locator(".facts")).to_contain_text("6 h overdue")

    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Cases").click()
    await page.get_by_role("link", name="Mine").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.get_by_role("link", name="Mine remove").click()
    await expect(page.locator("tbody tr")).to_have_count(2)


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 320)])
async def test_no_page_is_wider_than_a_phone(desk: Desk, scheme: str, width: int) -> None:
    case = (await desk.router.low(comment="x" * 400)).case
    page = desk.page
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.set_viewport_size({"width": width, "height": 800})
    await desk.router.low(record_id="r2", requester_email=f"{'x' * 50}@{'stray' * 9}.example")
    await desk.router.away(ANA, LEA)
    lists = ("/accounts", "/accounts/unmatched", "/covers", "/sources", "/health")
    for path in ("/", f"/cases/{case.id}", "/sla", "/sla?group=owner", "/sla/cases", *lists):
        await page.goto(desk.url + path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
        too_wide = "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth).length"
        assert await page.evaluate(too_wide) == 0, f"a list on {path} scrolls sideways"


async def test_the_keyboard_and_a_screen_reader_reach_the_content_and_every_bar(desk: Desk) -> None:
    case = (await desk.router.low()).case
    page = desk.page
    await page.goto(f"{desk.url}/sla")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Day", exact=True)).to_be_focused()
    bar = page.get_by_role("group", name="Responses flagged").get_by_role("link", name="week of 2 Nov: Answers flagged")
    await bar.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("tbody tr")).to_contain_text(case.id)


async def test_signing_out_ends_it(desk: Desk) -> None:
    await desk.page.get_by_role("button", name="Sign out").click()
    await desk.page.goto(f"{desk.url}/sla")
    await expect(desk.page.get_by_label("Admin token")).to_be_visible()


async def test_an_absence_is_entered_seen_and_ended(desk: Desk) -> None:
    case = (await desk.router.low()).case
    page = desk.page
    await page.get_by_role("link", name="Absences").click()
    await page.locator("[name=person]").fill(ANA)
    await page.locator("[name=cover]").fill(ANA)
    await page.get_by_label("Last day away").fill("2026-11-06")
    await page.get_by_role("button", name="Enter the absence").click()
    await expect(page.get_by_role("alert")).to_have_text("Nobody can cover for themselves: name somebody else.")
    assert all("422" in complaint for complaint in desk.complaints), "a refused form is the browser's only complaint"
    desk.complaints.clear()
    await page.locator("[name=cover]").fill(LEA)
    await page.get_by_role("button", name="Enter the absence").click()
    await expect(page.get_by_role("status")).to_contain_text("1 case changed hands.")
    assert (await desk.router.case(case.id)).case.owner == LEA
    await page.get_by_role("button", name="End now").click()
    await expect(page.get_by_role("heading", name="Nobody is away")).to_be_visible()
    assert (await desk.router.case(case.id)).case.owner == ANA
