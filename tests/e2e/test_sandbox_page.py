"""A person in front of the sandbox's page, in a real browser: cards, dialogs, modals, Home, commands and faults."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from services.router.domain.case import Status
from services.slack_sandbox.app import SandboxConfig, Workspace, create_app
from tests.support.slack_bench import SlackBench, slack_bench
from tests.support.slack_sandbox import serving

ANA = "U0ANA"
ATTACK = "&lt;img src=x onerror=alert(1)&gt; &lt;!channel&gt; it *broke*"

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def field_block(name: str, label: str, element: dict[str, Any], optional: bool = False) -> dict[str, Any]:
    block = {"type": "input", "block_id": name, "label": plain(label), "optional": optional}
    return {**block, "element": {**element, "action_id": name}}


CALL, MAIL = ({"text": plain(text), "value": text.lower()} for text in ("Call", "Mail"))
MODAL = {
    "type": "modal",
    "callback_id": "case.log_touch",
    "title": plain("Log touch"),
    "submit": plain("Save"),
    "blocks": [
        field_block("channel", "How", {"type": "radio_buttons", "options": [CALL, MAIL]}),
        field_block("touched_at", "When", {"type": "datetimepicker", "initial_date_time": 1_795_255_200}),
        field_block("acknowledgement", "What did you tell them?", {"type": "plain_text_input", "multiline": True}),
        field_block("next_step_due", "Next step by", {"type": "datepicker"}),
        field_block("new_owner", "Who", {"type": "users_select"}, optional=True),
    ],
}


def card(state: str) -> list[dict[str, Any]]:
    sure = {"title": plain("Dismiss this?"), "text": plain("It counts."), "confirm": plain("Yes"), "deny": plain("No")}
    touch = {"type": "button", "action_id": "case.log_touch", "text": plain("Log touch"), "style": "primary"}
    dismiss = {"type": "button", "action_id": "case.dismiss", "text": plain("Dismiss"), "confirm": sure}
    more = {"type": "overflow", "action_id": "more", "options": [{"text": plain("History"), "value": "history"}]}
    head = {"type": "mrkdwn", "text": f"*{state}* · <https://acme.example|Acme> · CSAT *2 of 5*"}
    return [
        {"type": "section", "text": head, "accessory": more},
        {"type": "section", "text": {"type": "mrkdwn", "text": ATTACK}},
        {"type": "actions", "elements": [touch, dismiss]},
    ]


@dataclass
class CardApp:
    """Opens a modal on click, refuses short answers, updates its card, publishes Home, answers /loops."""

    client: AsyncWebClient
    clicks: list[str] = field(default_factory=list)
    submitted: dict[str, Any] = field(default_factory=dict)
    card: tuple[str, str] = ("", "")

    async def post(self) -> None:
        posted = await self.client.chat_postMessage(channel=ANA, text="Low score", blocks=card("Open"))
        self.card = (posted["channel"], posted["ts"])
        await self.client.chat_postMessage(channel=self.card[0], text="Due in *1 h*", thread_ts=self.card[1])

    async def interactions(self, request: Request) -> Response:
        payload = json.loads(parse_qs((await request.body()).decode())["payload"][0])
        if payload["type"] == "view_submission":
            return await self.submission(payload["view"]["state"]["values"])
        action = payload["actions"][0]
        self.clicks.append(action.get("selected_option", {}).get("value") or action["action_id"])
        if action["action_id"] == "case.log_touch":
            await self.client.views_open(trigger_id=payload["trigger_id"], view=MODAL)
        return Response()

    async def submission(self, values: dict[str, Any]) -> Response:
        if len(values["acknowledgement"]["acknowledgement"]["value"]) < 10:
            errors = {"acknowledgement": "Say a little more"}
            return JSONResponse({"response_action": "errors", "errors": errors})
        self.submitted = values
        channel, ts = self.card
        await self.client.chat_update(channel=channel, ts=ts, text="Touched", blocks=card("Touched"))
        return Response()

    async def commands(self, request: Request) -> Response:
        form = await request.form()
        return JSONResponse({"text": f"You have no open loops ({form['text']})"})

    async def events(self, request: Request) -> Response:
        home = [{"type": "header", "text": plain("2 overdue, 1 due today")}]
        await self.client.views_publish(user_id=ANA, view={"type": "home", "blocks": home})
        return Response()


@dataclass
class Stage:
    """The page of one person, the app behind it and the workspace between them."""

    page: Page
    app: CardApp
    workspace: Workspace
    url: str


@pytest_asyncio.fixture(loop_scope="session")
async def stage(browser: Browser) -> AsyncIterator[Stage]:
    sandbox = create_app(SandboxConfig())
    workspace: Workspace = sandbox.state.workspace
    async with serving(Starlette(routes=[Mount("/sandbox", app=sandbox)])) as base:
        app = CardApp(AsyncWebClient(token="xoxb-sandbox", base_url=f"{base}/sandbox/api/", retry_handlers=[]))
        doors = {name: getattr(app, name) for name in ("interactions", "commands", "events")}
        routes = [Route(f"/{name}", endpoint, methods=["POST"]) for name, endpoint in doors.items()]
        async with serving(Starlette(routes=routes)) as app_url:
            workspace.config.interactivity_url = f"{app_url}/interactions"
            workspace.config.commands_url = f"{app_url}/commands"
            workspace.config.events_url = f"{app_url}/events"
            page = await browser.new_page(viewport={"width": 1280, "height": 800}, timezone_id="Europe/Lisbon")
            failures: list[str] = []
            page.on("pageerror", lambda error: failures.append(str(error)))
            page.on("dialog", lambda dialog: failures.append(dialog.message))
            await app.post()
            await page.goto(f"{base}/sandbox/?user={ANA}")
            yield Stage(page, app, workspace, f"{base}/sandbox/")
            assert failures == []
            await page.close()
            await workspace.close()


def the_card(stage: Stage) -> Any:
    return stage.page.locator(f"article[data-ts='{stage.app.card[1]}']").first


async def test_customer_text_on_a_card_is_text(stage: Stage) -> None:
    await expect(the_card(stage)).to_contain_text("<img src=x onerror=alert(1)> <!channel> it broke")
    await expect(the_card(stage).locator("img, .mention")).to_have_count(0)
    await expect(the_card(stage).get_by_role("link", name="Acme")).to_have_attribute("href", "https://acme.example")
    await expect(the_card(stage).locator(".thread")).to_contain_text("Due in 1 h")


async def test_a_touch_is_logged_through_the_modal_and_the_card_follows(stage: Stage) -> None:
    page = stage.page
    await the_card(stage).get_by_role("button", name="Log touch").click()
    modal = page.get_by_role("dialog", name="Log touch")
    await expect(modal).to_be_visible()

    await modal.get_by_role("button", name="Save").click()
    await expect(modal.get_by_role("alert").first).to_have_text("Please complete this required field.")

    await modal.get_by_label("Call").check()
    await modal.get_by_label("What did you tell them?").fill("Sorry")
    await modal.get_by_label("Next step by").fill("2026-11-30")
    await modal.get_by_label("Who").select_option("U0LEAD")
    await modal.get_by_role("button", name="Save").click()
    await expect(modal.locator("[data-error-for=acknowledgement]")).to_have_text("Say a little more")
    await expect(modal.get_by_label("What did you tell them?")).to_have_value("Sorry")
    await expect(modal.get_by_label("Call")).to_be_checked()

    await modal.get_by_label("What did you tell them?").fill("We are sorry and will fix it")
    await modal.get_by_role("button", name="Save").click()
    await expect(modal).to_be_hidden()
    await expect(the_card(stage)).to_contain_text("Touched")
    values = {name: next(iter(answer.values())) for name, answer in stage.app.submitted.items()}
    assert values["channel"]["selected_option"]["value"] == "call"
    assert values["touched_at"]["selected_date_time"] == 1_795_255_200
    assert values["next_step_due"]["selected_date"] == "2026-11-30"
    assert values["new_owner"]["selected_user"] == "U0LEAD"


async def test_a_dangerous_button_asks_first_and_a_menu_opens(stage: Stage) -> None:
    page = stage.page
    await the_card(stage).locator("[data-action-id='case.dismiss']").click()
    await page.get_by_role("dialog", name="Dismiss this?").get_by_role("button", name="No").click()
    await the_card(stage).get_by_label("More actions").click()
    await the_card(stage).get_by_role("button", name="History").click()
    await the_card(stage).locator("[data-action-id='case.dismiss']").click()
    await page.get_by_role("dialog", name="Dismiss this?").get_by_role("button", name="Yes").click()
    async with asyncio.timeout(10):
        while len(stage.app.clicks) < 2:
            await asyncio.sleep(0.02)
    assert stage.app.clicks == ["history", "case.dismiss"]


async def test_home_a_command_and_a_fault(stage: Stage) -> None:
    page = stage.page
    await page.locator("nav [data-tab=home]").click()
    await expect(page.locator(".home h3")).to_have_text("2 overdue, 1 due today")

    await page.locator("nav [data-channel]").first.click()
    await page.get_by_label("Message, or a slash command").fill("/loops mine")
    await page.keyboard.press("Enter")
    whispered = page.locator("article.ephemeral")
    await expect(whispered).to_contain_text("You have no open loops (mine)")
    await expect(whispered).to_contain_text("Only visible to you")

    await page.get_by_label("Fault", exact=True).select_option("outage")
    await page.get_by_role("button", name="Inject").click()
    await expect(page.locator("#backstage")).to_contain_text(re.compile("outage on"))
    assert stage.workspace.faults.outage
    await page.get_by_role("button", name="Clear all").click()
    await expect(page.locator("#backstage")).to_contain_text("No fault is active.")


async def test_a_new_message_appears_by_itself_and_only_in_the_right_dm(stage: Stage) -> None:
    page = stage.page
    await stage.app.client.chat_postMessage(channel=stage.app.card[0], text="A second case joined")
    await expect(page.locator("main")).to_contain_text("A second case joined")
    await page.get_by_label("You are").select_option("U0LEAD")
    await expect(page.locator("main")).to_contain_text("Nothing here yet.")


@dataclass
class Desk:
    """Ana in front of the page, with the real router behind it."""

    page: Page
    bench: SlackBench
    url: str

    @property
    def card(self) -> Any:
        return self.page.locator("article[data-ts]").first


@pytest_asyncio.fixture(loop_scope="session")
async def desk(browser: Browser, tmp_path: Path) -> AsyncIterator[Desk]:
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/closeloop.db") as bench:
        await bench.account()
        page = await browser.new_page(viewport={"width": 1280, "height": 900}, timezone_id="Europe/Lisbon")
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        url = str(bench.runtime.settings.slack.api_url).removesuffix("api/")
        async with bench.sending():
            yield Desk(page, bench, f"{url}?user={ANA}")
        assert failures == []
        await page.close()


async def test_from_the_alert_to_the_logged_touch_by_hand(desk: Desk) -> None:
    """Nobody calls a door: a person reads, clicks, is corrected and submits."""
    view = await desk.bench.low(2, comment="<b>Broken</b> <!channel>")
    await desk.bench.sent(2)
    await desk.page.goto(desk.url)
    await expect(desk.card).to_contain_text("<b>Broken</b> <!channel>")
    await expect(desk.card).to_contain_text("CSAT 2 of 5")
    await desk.card.get_by_role("button", name="Acknowledge").click()
    await expect(desk.card).to_contain_text("Acknowledged by ana")

    await desk.card.get_by_role("button", name="Log touch").click()
    modal = desk.page.get_by_role("dialog", name="Log a touch")
    await modal.get_by_label("How did you reach").select_option("call")
    words = modal.get_by_label("What did you acknowledge")
    await words.fill("You lost a morning; that is on us.")
    await modal.get_by_label("Next step", exact=True).fill("A fixed export")
    await modal.get_by_label("Next step due").fill("2026-11-01")
    await modal.get_by_role("button", name="Log touch").click()
    await expect(modal.locator("[data-error-for=next_step_due]")).to_be_visible()
    await expect(words).to_have_value("You lost a morning; that is on us.")
    await modal.get_by_label("Next step due").fill("2026-11-06")
    await modal.get_by_role("button", name="Log touch").click()
    await expect(modal).to_be_hidden()
    await expect(desk.card).to_contain_text("Promised: A fixed export by Fri 6 Nov 2026")
    await expect(desk.card.get_by_role("button", name="Resolve")).to_be_visible()
    assert (await desk.bench.case(view.case.id)).case.status is Status.TOUCHED


async def test_home_is_paged_and_acted_upon_by_hand(desk: Desk) -> None:
    for number in range(23):
        domain = f"co{number}.example"
        await desk.bench.account(f"co{number}", name=f"Company {number}", domains=[domain])
        await desk.bench.low(2, record_id=f"co{number}", requester_email=f"x@{domain}")
    await desk.page.goto(f"{desk.url}&tab=home")
    home = desk.page.locator(".home")
    await expect(home.locator("h3")).to_have_text("Your open cases: 23")
    await expect(home.get_by_role("button", name="Acknowledge")).to_have_count(20)
    await home.get_by_role("button", name="Next page").click()
    await expect(home).to_contain_text("Page 2 of 2")
    await expect(home.get_by_role("button", name="Acknowledge")).to_have_count(3)
    await home.get_by_role("button", name="Acknowledge").first.click()
    await expect(home.get_by_role("button", name="Acknowledge")).to_have_count(2)
    await expect(home).to_contain_text("Page 2 of 2")
    await home.get_by_role("button", name="Previous page").click()
    await expect(home).to_contain_text("Page 1 of 2")

    await home.get_by_role("button", name="Log touch").first.click()
    modal = desk.page.get_by_role("dialog", name="Log a touch")
    await expect(modal).to_be_visible()
    await modal.get_by_role("button", name="Cancel").click()
    await expect(modal).to_be_hidden()


async def test_loops_lists_shows_one_and_helps_by_hand(desk: Desk) -> None:
    view = await desk.bench.low(2)
    await desk.bench.sent(2)
    await desk.page.goto(desk.url)
    whispered = desk.page.locator("article.ephemeral")
    for number, (command, words) in enumerate(
        [
            ("/loops", "Your open cases"),
            ("/loops team", "Open cases"),
            (f"/loops {view.case.id}", "you asked for it"),
            ("/loops help", "/loops away until Friday cover @ana"),
            ("/loops away until Friday cover lea@us.example", "Noted: you are away until Fri 6 Nov"),
        ]
    ):
        await desk.page.get_by_label("Message, or a slash command").fill(command)
        await desk.page.keyboard.press("Enter")
        await expect(whispered).to_have_count(number + 1)
        await expect(whispered.last).to_contain_text(words)
    await whispered.nth(2).get_by_role("button", name="Acknowledge").click()
    await expect(desk.card).to_contain_text("Acknowledged by ana")
