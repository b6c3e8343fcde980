"""`python -m tests.support.pictures`: photographs card, modals and Home on the sandbox's page, for docs/slack.md."""

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

from playwright.async_api import Locator, Page, async_playwright

from services.router.domain import commands
from tests.support.slack_bench import ANA, SlackBench, slack_bench

CHROMIUM = Path("/usr/bin/chromium")
HOME = Path(__file__).parents[2] / "docs" / "pictures"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-sync", "--disable-background-networking"]
COMMENT = "The export fails every morning since Monday, and nobody answers. We are looking at other vendors."


async def take_all() -> None:
    """Raises what the browser raises; overwrites the pictures."""
    HOME.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        async with (
            slack_bench(f"sqlite+aiosqlite:///{scratch}/closeloop.db") as bench,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = await browser.new_page(viewport={"width": 1180, "height": 900}, timezone_id="Europe/Lisbon")
            await bench.account()
            async with bench.sending():
                await _story(bench, page)
            await browser.close()


async def _story(bench: SlackBench, page: Page) -> None:
    base = str(bench.runtime.settings.slack.api_url).removesuffix("api/")
    view = await bench.low(2, comment=COMMENT)
    await bench.sent(2)
    await page.goto(f"{base}?user=U0ANA")
    card = page.locator("article[data-ts]").first
    await _take(card, "card-open")
    await _modal(bench, page, "case.log_touch", "modal-log-touch")

    bench.clock.advance(timedelta(hours=1))
    touch = commands.LogTouch(
        actor=ANA,
        channel="call",
        touched_at=bench.clock.now(),
        acknowledgement="You lost four mornings to the export; that is on us.",
        next_step="A fixed export, and a call with engineering",
        next_step_due=bench.clock.now().date() + timedelta(days=4),
    )
    await bench.does(view.case.id, touch)
    await bench.until(lambda: "Promised" in str(bench.inbox(ANA)[0]["blocks"]))
    await page.reload()
    await _take(card, "card-touched")

    await bench.passes(timedelta(days=7, hours=1), step=timedelta(hours=6))
    await bench.until(lambda: any("still fixed" in message["text"] for message in bench.inbox(ANA)))
    await page.reload()
    await _take(page.locator("article[data-ts]").last, "close-out-question")
    await _modal(bench, page, "case.confirm_closed", "modal-close", newest=True)

    await _home(bench, page, base)


async def _home(bench: SlackBench, page: Page, base: str) -> None:
    """A morning with something in every part."""
    await _low(bench, "globex", "Globex", 1, "Third outage this month. I have to explain it to our board.")
    await bench.passes(timedelta(hours=6), step=timedelta(hours=2))
    await _low(bench, "initech", "Initech", 2, "Support closed my ticket without an answer.")
    await bench.passes(timedelta(hours=19), step=timedelta(hours=1))
    await _low(bench, "umbra", "Umbra Logistics", 3, None)
    await bench.sent(8)
    await page.set_viewport_size({"width": 1180, "height": 1070})
    await page.goto(f"{base}?user=U0ANA&tab=home")
    await bench.until(lambda: bench.sandbox.home_view(ANA))
    await page.locator(".home").wait_for()
    await _take(page.locator("main"), "home")
    await page.goto(f"{base}?user=U0ANA")
    await bench.sandbox.command("/loops", ANA, "mine")
    await page.reload()
    await _take(page.locator("article.ephemeral").last, "loops")


async def _low(bench: SlackBench, id_: str, name: str, score: int, comment: str | None) -> None:
    domain = f"{id_}.example"
    await bench.account(id_, name=name, domains=[domain], arr=180_000.0, changed_at=bench.clock.now())
    facts = {"record_id": id_, "requester_email": f"sam@{domain}", "requester_name": "Sam Rivers", "ticket_id": "T-9"}
    await bench.low(score, comment=comment, **facts)


async def _modal(bench: SlackBench, page: Page, action: str, name: str, newest: bool = False) -> None:
    await bench.clicks(ANA, action, bench.inbox(ANA)[-1 if newest else 0])
    await page.reload()
    await _take(page.locator("dialog[open], [role=dialog]").first, name)
    opened = bench.sandbox.open_view(ANA)
    if opened is not None:
        await bench.sandbox.close_view(opened["id"], ANA)
    await page.reload()


async def _take(what: Locator, name: str) -> None:
    await what.wait_for()
    await what.screenshot(path=HOME / f"{name}.png")


if __name__ == "__main__":
    asyncio.run(take_all())
