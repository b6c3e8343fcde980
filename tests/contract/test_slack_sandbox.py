"""The sandbox, seen as Slack's own client sees it: over real HTTP, with slack_sdk and its signature verifier."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import httpx
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from services.slack_sandbox.app import SandboxConfig, SandboxUser, Workspace, create_app
from tests.support.slack_sandbox import serving

ANA = "U0ANA"
PREFIX = "/sandbox"


@dataclass
class TurnableClock:
    """Starts at a fixed instant and stands still until it is turned."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """A sandbox mounted under a prefix in another app, and a client that talks to it."""

    workspace: Workspace
    client: AsyncWebClient
    url: str
    clock: TurnableClock


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = TurnableClock()
    users = (
        SandboxUser(id=ANA, name="Ana Alves", email="ana@example.com"),
        SandboxUser(id="U0LEE", name="Lee", email="lee@example.com"),
        SandboxUser(id="U0GONE", name="Gone", email="gone@example.com", deleted=True),
    )
    sandbox = create_app(SandboxConfig(users=users, clock=clock))
    host = Starlette(routes=[Mount(PREFIX, app=sandbox)])
    workspace: Workspace = sandbox.state.workspace
    patience = aiohttp.ClientTimeout(total=2)  # slack_sdk's own `timeout` does not apply to a session it is given
    async with serving(host) as base, aiohttp.ClientSession(timeout=patience) as session:
        api = f"{base}{PREFIX}/api/"
        client = AsyncWebClient(token="xoxb-sandbox", base_url=api, session=session, retry_handlers=[])
        yield World(workspace, client, base + PREFIX, clock)
        await workspace.close()


def button_card(*action_ids: str) -> list[dict[str, Any]]:
    def button(action_id: str) -> dict[str, Any]:
        text = {"type": "plain_text", "text": "Log touch"}
        return {"type": "button", "action_id": action_id, "text": text, "value": "L-1"}

    section = {"type": "section", "text": {"type": "mrkdwn", "text": "*Acme* scored 2 of 5"}}
    return [section, {"type": "actions", "elements": [button(action_id) for action_id in action_ids]}]


def error_of(raised: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(raised.value.response["error"])


async def test_an_alert_is_posted_found_again_by_its_metadata_and_updated(world: World) -> None:
    person = await world.client.users_lookupByEmail(email="ANA@example.com")
    dm = (await world.client.conversations_open(users=person["user"]["id"]))["channel"]["id"]
    metadata = {"event_type": "loop_delivery", "event_payload": {"d": "42"}}
    posted = await world.client.chat_postMessage(
        channel=dm, text="Low score", blocks=button_card("a"), metadata=metadata
    )
    thread = await world.client.chat_postMessage(channel=dm, text="reminder", thread_ts=posted["ts"])

    found = await world.client.conversations_history(channel=dm, include_all_metadata=True, oldest="0")
    assert [message["metadata"] for message in found["messages"]] == [metadata]
    assert found["messages"][0]["reply_count"] == 1
    bare = await world.client.conversations_history(channel=dm)
    assert bare["messages"][0]["metadata"] == {"event_type": "loop_delivery"}
    replies = await world.client.conversations_replies(channel=dm, ts=posted["ts"])
    assert [message["ts"] for message in replies["messages"]] == [posted["ts"], thread["ts"]]

    await world.client.chat_update(channel=dm, ts=posted["ts"], text="Acknowledged")
    (root, _) = world.workspace.messages(email="ana@example.com")
    assert root["text"] == "Acknowledged"
    assert root["blocks"] == []  # text alone removes the blocks
    assert root["metadata"] == metadata  # omitted metadata is retained
    assert [version["method"] for version in root["history"]] == ["chat.postMessage", "chat.update"]


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.postMessage", {"channel": "C0NOPE", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": ANA}, "no_text"),
        ("chat.postMessage", {"text": "x"}, "invalid_arguments"),
        ("chat.postMessage", {"channel": "U0BOT", "text": "x"}, "cannot_dm_bot"),
        ("chat.postMessage", {"channel": "C0SECRET", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "C0OLD", "text": "x"}, "is_archived"),
        ("chat.postMessage", {"channel": ANA, "text": "x", "metadata": {"d": 1}}, "invalid_metadata_format"),
        ("chat.postMessage", {"channel": ANA, "blocks": button_card("a", "a")}, "invalid_blocks"),
        ("chat.update", {"channel": ANA, "ts": "1.1", "text": "x"}, "channel_not_found"),
        ("chat.update", {"channel": "C0FEEDBACK", "ts": "1.1", "text": "x"}, "message_not_found"),
        ("conversations.open", {"users": "U0GONE"}, "user_disabled"),
        ("conversations.open", {"users": "U0NOBODY"}, "user_not_found"),
        ("conversations.open", {}, "users_list_not_supplied"),
        ("conversations.history", {"channel": "C0PUBLIC"}, "not_in_channel"),
        ("views.open", {"trigger_id": "1", "view": {"type": "modal", "blocks": []}}, "invalid_arguments"),
        ("views.publish", {"user_id": ANA, "view": {"type": "home", "blocks": []}, "hash": "0"}, "hash_conflict"),
        ("chat.scheduleMessage", {}, "unknown_method"),
        ("apps.connections.open", {}, "not_allowed_token_type"),
    ],
)
async def test_what_is_wrong_is_named_as_slack_names_it(
    world: World, method: str, arguments: dict[str, Any], error: str
) -> None:
    world.workspace.add_channel(id="C0SECRET", name="secret", is_private=True, bot_is_member=False)
    world.workspace.add_channel(id="C0OLD", name="old", is_archived=True)
    world.workspace.add_channel(id="C0PUBLIC", name="public", bot_is_member=False)
    await world.client.views_publish(user_id=ANA, view={"type": "home", "blocks": []})
    with pytest.raises(SlackApiError) as raised:
        await world.client.api_call(method, json=arguments)
    assert error_of(raised) == error
    assert world.workspace.messages() == []


@pytest.mark.parametrize("email", ["nobody@example.com", "gone@example.com"])
async def test_unknown_and_deactivated_people_are_not_found(world: World, email: str) -> None:
    with pytest.raises(SlackApiError) as raised:
        await world.client.users_lookupByEmail(email=email)
    assert error_of(raised) == "users_not_found"


async def test_invalid_blocks_say_where_they_are_wrong(world: World) -> None:
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]
    with pytest.raises(SlackApiError) as raised:
        await world.client.chat_postMessage(channel=ANA, text="x", blocks=blocks)
    messages = raised.value.response["response_metadata"]["messages"]
    assert messages == ["[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]"]


@pytest.mark.parametrize(("token", "error"), [("", "not_authed"), ("xoxb-other", "invalid_auth")])
async def test_a_call_without_the_right_token_is_refused(world: World, token: str, error: str) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{world.url}/api/auth.test", headers={"Authorization": f"Bearer {token}".strip()})
    assert answer.json() == {"ok": False, "error": error}


async def test_forms_and_json_are_both_understood_but_reading_methods_ignore_json(world: World) -> None:
    form = {"token": "xoxb-sandbox", "channel": ANA, "text": "x", "blocks": json.dumps(button_card("a"))}
    async with httpx.AsyncClient() as http:
        posted = (await http.post(f"{world.url}/api/chat.postMessage", data=form)).json()
        looked_up = await http.post(
            f"{world.url}/api/users.lookupByEmail",
            json={"email": "ana@example.com"},
            headers={"Authorization": "Bearer xoxb-sandbox"},
        )
    assert posted["ok"]
    assert posted["message"]["blocks"][1]["elements"][0]["action_id"] == "a"
    assert looked_up.json()["error"] == "invalid_arguments"


async def test_one_message_a_second_and_channel_after_a_short_burst(world: World) -> None:
    for number in range(3):
        await world.client.chat_postMessage(channel=ANA, text=str(number))
    with pytest.raises(SlackApiError) as raised:
        await world.client.chat_postMessage(channel=ANA, text="too fast")
    assert raised.value.response.status_code == 429
    assert raised.value.response.headers["Retry-After"] == "1"
    await world.client.chat_postMessage(channel="C0FEEDBACK", text="another channel is free")
    world.clock.now += 1
    await world.client.chat_postMessage(channel=ANA, text="a second later")
    assert len(world.workspace.messages(email="ana@example.com")) == 4


async def test_methods_have_their_tier_per_minute_and_the_limits_can_be_lifted(world: World) -> None:
    for _ in range(50):
        await world.client.users_lookupByEmail(email="ana@example.com")
    with pytest.raises(SlackApiError) as raised:
        await world.client.users_lookupByEmail(email="ana@example.com")
    assert raised.value.response.status_code == 429
    await world.client.users_info(user=ANA)
    async with httpx.AsyncClient() as http:
        await http.post(f"{world.url}/_sandbox/config", json={"rate_limits": False})
    await world.client.users_lookupByEmail(email="ana@example.com")


async def inject(world: World, **fault: Any) -> None:
    async with httpx.AsyncClient() as http:
        assert (await http.post(f"{world.url}/_sandbox/faults", json=fault)).status_code == 200


async def post(world: World) -> Any:
    return await world.client.chat_postMessage(channel=ANA, text="alert")


@pytest.mark.parametrize(("kind", "stored"), [("drop_after_storing", 1), ("drop_before_storing", 0)])
async def test_a_dropped_connection_leaves_the_client_in_the_dark(world: World, kind: str, stored: int) -> None:
    await inject(world, kind=kind, method="chat.postMessage", count=1)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await post(world)
    assert len(world.workspace.messages()) == stored
    await post(world)
    assert len(world.workspace.messages()) == stored + 1


async def test_a_slow_answer_comes_after_the_message_was_stored(world: World) -> None:
    await inject(world, kind="delay_after_storing", method="chat.postMessage", seconds=30, count=1)
    with pytest.raises(TimeoutError):
        await post(world)
    assert len(world.workspace.messages()) == 1


@pytest.mark.parametrize(
    ("fault", "status", "error", "stored"),
    [
        ({"kind": "429", "retry_after": 7}, 429, "ratelimited", 0),
        ({"kind": "500"}, 500, "internal_error", 0),
        ({"kind": "500", "stored": True}, 500, "internal_error", 1),
        ({"kind": "503_html"}, 503, None, 0),
        ({"kind": "200_html", "stored": True}, 200, None, 1),
        ({"kind": "ok_false", "error": "fatal_error", "stored": True}, 200, "fatal_error", 1),
        ({"kind": "outage"}, 503, None, 0),
    ],
)
async def test_injected_faults_answer_as_slack_does_in_trouble(
    world: World, fault: dict[str, Any], status: int, error: str | None, stored: int
) -> None:
    await inject(world, **fault)
    with pytest.raises(SlackApiError) as raised:
        await post(world)
    response = raised.value.response
    found = response.data.get("error") if isinstance(response.data, dict) else None
    assert (response.status_code, found) == (status, error)
    if status == 429:
        assert response.headers["Retry-After"] == "7"
    assert len(world.workspace.messages()) == stored
    async with httpx.AsyncClient() as http:
        await http.delete(f"{world.url}/_sandbox/faults")
    await post(world)


async def test_a_message_may_show_late_in_the_history(world: World) -> None:
    await inject(world, kind="history_lag", seconds=10)
    dm = (await post(world))["channel"]
    assert (await world.client.conversations_history(channel=dm))["messages"] == []
    world.clock.now += 10
    assert len((await world.client.conversations_history(channel=dm))["messages"]) == 1


# ---- the way back: signed callbacks to an app


FIELDS = {
    "acknowledgement": {"type": "plain_text_input"},
    "touched_at": {"type": "datetimepicker"},
    "next_step_due": {"type": "datepicker"},
    "new_owner": {"type": "users_select"},
    "channel": {
        "type": "radio_buttons",
        "options": [{"text": {"type": "plain_text", "text": "Call"}, "value": "call"}],
    },
}


def touch_modal(title: str = "Log touch") -> dict[str, Any]:
    blocks = [
        {
            "type": "input",
            "block_id": name,
            "optional": name != "acknowledgement",
            "label": {"type": "plain_text", "text": name},
            "element": {**element, "action_id": name},
        }
        for name, element in FIELDS.items()
    ]
    text = {"type": "plain_text", "text": title}
    submit = {"type": "plain_text", "text": "Save"}
    modal = {"type": "modal", "callback_id": "case.log_touch", "title": text, "submit": submit}
    return {**modal, "notify_on_close": True, "private_metadata": "L-1", "blocks": blocks}


Handler = Callable[[dict[str, Any]], Any]


@dataclass
class TinyApp:
    """Verifies every request with Slack's own verifier and remembers what it got."""

    secret: str
    clock: Callable[[], float]
    got: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    on: dict[str, Handler] = field(default_factory=dict)

    async def endpoint(self, request: Request) -> Response:
        body = await request.body()
        signature = request.headers["x-slack-signature"]
        timestamp = request.headers["x-slack-request-timestamp"]
        verifier = SignatureVerifier(self.secret)
        verifier.clock.now = self.clock  # type: ignore[method-assign]
        if not verifier.is_valid(body=body, timestamp=timestamp, signature=signature):
            return Response(status_code=401)
        payload = self._payload(request, body)
        self.got.append(payload)
        self.headers.append(dict(request.headers))
        handler = self.on.get(payload.get("type", "command"))
        answer = handler(payload) if handler else None
        if asyncio.iscoroutine(answer):
            answer = await answer
        return answer if isinstance(answer, Response) else Response() if answer is None else JSONResponse(answer)

    @staticmethod
    def _payload(request: Request, body: bytes) -> dict[str, Any]:
        if request.headers["content-type"].startswith("application/json"):
            return dict(json.loads(body))
        form = {key: values[0] for key, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        return dict(json.loads(form["payload"])) if "payload" in form else form


@pytest.fixture
async def tiny(world: World) -> AsyncIterator[TinyApp]:
    tiny = TinyApp(world.workspace.config.signing_secret, world.clock)
    paths = ("interactions", "commands", "events", "options")
    async with serving(Starlette(routes=[Route(f"/slack/{p}", tiny.endpoint, methods=["POST"]) for p in paths])) as url:
        async with httpx.AsyncClient() as http:
            addresses = {"interactivity_url": "interactions", "commands_url": "commands", "events_url": "events"}
            await http.post(
                f"{world.url}/_sandbox/config",
                json={name: f"{url}/slack/{path}" for name, path in addresses.items()}
                | {"options_url": f"{url}/slack/options"},
            )
        yield tiny


async def door(world: World, name: str, **body: Any) -> dict[str, Any]:
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{world.url}/_sandbox/{name}", json=body, timeout=10)
    return dict(answer.json())


async def click_card(world: World, action_id: str = "case.log_touch") -> dict[str, Any]:
    posted = await world.client.chat_postMessage(channel=ANA, text="Low score", blocks=button_card(action_id))
    return await door(world, "click", channel=posted["channel"], ts=posted["ts"], action_id=action_id, user=ANA)


def opens_modal(world: World, modal: dict[str, Any] | None = None) -> Handler:
    async def handler(payload: dict[str, Any]) -> None:
        await world.client.views_open(trigger_id=payload["trigger_id"], view=modal or touch_modal())

    return handler


async def test_a_click_is_signed_and_shaped_like_slacks(world: World, tiny: TinyApp) -> None:
    assert (await click_card(world))["ok"]
    (payload,) = tiny.got
    assert payload["type"] == "block_actions"
    assert payload["user"]["id"] == ANA
    assert payload["container"]["type"] == "message"
    assert payload["container"]["message_ts"] == payload["message"]["ts"]
    assert payload["channel"]["id"] == payload["container"]["channel_id"]
    (action,) = payload["actions"]
    assert (action["type"], action["action_id"], action["value"]) == ("button", "case.log_touch", "L-1")
    assert payload["response_url"].startswith(f"{world.url}/response/")


async def test_a_button_drawn_before_the_card_was_replaced_still_reaches_the_app(world: World, tiny: TinyApp) -> None:
    blocks = button_card("case.acknowledge", "case.log_touch")
    blocks[1]["block_id"] = "first"
    posted = await world.client.chat_postMessage(channel=ANA, text="Low score", blocks=blocks)
    blocks = button_card("case.log_touch", "case.snooze")
    blocks[1]["block_id"] = "second"
    await world.client.chat_update(channel=posted["channel"], ts=posted["ts"], text="Acknowledged", blocks=blocks)
    click = {"channel": posted["channel"], "ts": posted["ts"], "block_id": "first", "user": ANA}
    assert (await door(world, "click", action_id="case.log_touch", **click))["ok"]
    assert [action["block_id"] for action in tiny.got[-1]["actions"]] == ["second"]
    assert (await door(world, "click", action_id="case.acknowledge", **click))["error"] == "action_not_found"


async def test_a_modal_makes_the_whole_round(world: World, tiny: TinyApp) -> None:
    tiny.on["block_actions"] = opens_modal(world)
    await click_card(world)
    view = world.workspace.open_view(ANA)
    assert view
    values = {
        "acknowledgement": "We are sorry",
        "touched_at": {"touched_at": "2026-11-21T10:00:00+00:00"},
        "next_step_due": "2026-11-30",
        "new_owner": "U0LEE",
        "channel": "call",
    }

    tiny.on["view_submission"] = lambda _: {"response_action": "errors", "errors": {"acknowledgement": "Too short"}}
    refused = await door(world, "submit", view_id=view["id"], user=ANA, values=values)
    assert refused["errors"] == {"acknowledgement": "Too short"}
    assert world.workspace.open_view(ANA)

    tiny.on["view_submission"] = lambda _: {"response_action": "clear"}
    assert (await door(world, "submit", view_id=view["id"], user=ANA, values=values))["ok"]
    assert world.workspace.open_view(ANA) is None
    submitted = tiny.got[-1]["view"]
    assert (submitted["callback_id"], submitted["private_metadata"]) == ("case.log_touch", "L-1")
    state = submitted["state"]["values"]
    assert state["acknowledgement"]["acknowledgement"] == {"type": "plain_text_input", "value": "We are sorry"}
    assert state["touched_at"]["touched_at"]["selected_date_time"] == 1795255200
    assert state["next_step_due"]["next_step_due"]["selected_date"] == "2026-11-30"
    assert state["new_owner"]["new_owner"]["selected_user"] == "U0LEE"
    assert state["channel"]["channel"]["selected_option"]["value"] == "call"


async def test_slack_itself_refuses_an_empty_required_field(world: World, tiny: TinyApp) -> None:
    tiny.on["block_actions"] = opens_modal(world)
    await click_card(world)
    view = world.workspace.open_view(ANA)
    assert view
    refused = await door(world, "submit", view_id=view["id"], user=ANA, values={})
    assert set(refused["errors"]) == {"acknowledgement"}
    assert [payload["type"] for payload in tiny.got] == ["block_actions"]


async def test_views_are_updated_pushed_and_closed(world: World, tiny: TinyApp) -> None:
    tiny.on["block_actions"] = opens_modal(world)
    await click_card(world)
    first = world.workspace.open_view(ANA)
    assert first
    tiny.on["view_submission"] = lambda _: {"response_action": "push", "view": touch_modal("Second")}
    await door(world, "submit", view_id=first["id"], user=ANA, values={"acknowledgement": "x"})
    second = world.workspace.open_view(ANA)
    assert second
    assert (second["previous_view_id"], second["title"]["text"]) == (first["id"], "Second")
    await world.client.views_update(view_id=second["id"], hash=second["hash"], view=touch_modal("Updated"))
    with pytest.raises(SlackApiError) as raised:
        await world.client.views_update(view_id=second["id"], hash=second["hash"], view=touch_modal("Stale"))
    assert error_of(raised) == "hash_conflict"
    await door(world, "close_view", view_id=second["id"], user=ANA)
    assert tiny.got[-1]["type"] == "view_closed"
    beneath = world.workspace.open_view(ANA)
    assert beneath
    assert beneath["id"] == first["id"]


async def test_a_trigger_lives_three_seconds_and_once(world: World, tiny: TinyApp) -> None:
    used = (await click_card(world))["trigger_id"]
    late = (await click_card(world))["trigger_id"]
    await world.client.views_open(trigger_id=used, view=touch_modal())
    with pytest.raises(SlackApiError) as raised:
        await world.client.views_open(trigger_id=used, view=touch_modal())
    assert error_of(raised) == "exchanged_trigger_id"
    world.clock.now += 3.1
    with pytest.raises(SlackApiError) as raised:
        await world.client.views_open(trigger_id=late, view=touch_modal())
    assert error_of(raised) == "expired_trigger_id"


async def test_a_person_is_told_when_the_app_answers_too_late(world: World, tiny: TinyApp) -> None:
    world.workspace.config.callback_timeout = 0.2
    tiny.on["block_actions"] = lambda _: asyncio.sleep(1)
    assert (await click_card(world))["error"] == "operation_timeout"
    (notice,) = world.workspace.interactions.notices[ANA]
    assert "operation_timeout" in notice["text"]


async def test_a_refused_signature_reaches_the_person_as_trouble(world: World, tiny: TinyApp) -> None:
    tiny.secret = "rotated"
    answer = await click_card(world)
    assert (answer["ok"], answer["status"]) == (False, 401)
    assert tiny.got == []


async def test_a_response_url_takes_five_posts_within_half_an_hour(world: World, tiny: TinyApp) -> None:
    await click_card(world)
    address = tiny.got[0]["response_url"]
    async with httpx.AsyncClient() as http:
        for _ in range(5):
            assert (await http.post(address, json={"text": "only you see this"})).text == "ok"
        assert (await http.post(address, json={"text": "once more"})).json()["error"] == "used_url"
        await click_card(world)
        world.clock.now += 31 * 60
        late = await http.post(tiny.got[-1]["response_url"], json={"text": "late"})
    assert (late.status_code, late.json()["error"]) == (404, "expired_url")
    whispered = [message for message in world.workspace.messages() if message["ephemeral_to"]]
    assert {message["ephemeral_to"] for message in whispered} == {ANA}
    dm = whispered[0]["channel"]
    history = await world.client.conversations_history(channel=dm)
    assert all(message["text"] != "only you see this" for message in history["messages"])


async def test_a_slash_command_is_answered_for_its_sender_alone(world: World, tiny: TinyApp) -> None:
    tiny.on["command"] = lambda form: {"text": f"loops of {form['user_id']}: {form['text']}"}
    assert (await door(world, "command", command="/loops", text="mine", user="ana@example.com"))["ok"]
    (message,) = world.workspace.messages()
    assert (message["text"], message["ephemeral_to"]) == (f"loops of {ANA}: mine", ANA)


async def test_a_failed_event_is_repeated_with_the_same_id(world: World, tiny: TinyApp) -> None:
    world.workspace.config.event_retry_delays = (0.0, 0.0, 0.0)
    answers = iter([Response(status_code=500), Response(status_code=500), None])
    tiny.on["event_callback"] = lambda _: next(answers)
    assert not (await door(world, "home", user=ANA))["ok"]
    async with asyncio.timeout(5):
        while len(tiny.got) < 3:
            await asyncio.sleep(0.01)
    assert {payload["event_id"] for payload in tiny.got} == {tiny.got[0]["event_id"]}
    assert tiny.got[0]["event"]["type"] == "app_home_opened"
    assert [headers.get("x-slack-retry-num") for headers in tiny.headers] == [None, "1", "2"]


async def test_the_events_address_is_verified_by_a_challenge(world: World, tiny: TinyApp) -> None:
    tiny.on["url_verification"] = lambda payload: {"challenge": payload["challenge"]}
    assert (await door(world, "verify_events_url"))["ok"]
    tiny.on["url_verification"] = lambda _: {"challenge": "something else"}
    assert (await door(world, "verify_events_url"))["error"] == "challenge_failed"


async def test_an_external_menu_asks_the_app_for_its_options(world: World, tiny: TinyApp) -> None:
    option = {"text": {"type": "plain_text", "text": "Lee"}, "value": "U0LEE"}
    tiny.on["block_suggestion"] = lambda payload: {"options": [option] if payload["value"] == "le" else []}
    menu = {"type": "external_select", "action_id": "new_owner", "min_query_length": 1}
    blocks = [{"type": "actions", "elements": [menu]}]
    posted = await world.client.chat_postMessage(channel=ANA, text="x", blocks=blocks)
    place = {"channel": posted["channel"], "ts": posted["ts"], "user": ANA, "action_id": "new_owner"}
    assert (await door(world, "options", **place, value="le"))["options"] == [option]
    await door(world, "click", **place, value=option)
    assert tiny.got[-1]["actions"][0]["selected_option"] == option


async def test_home_is_published_and_its_buttons_work(world: World, tiny: TinyApp) -> None:
    async def publish(payload: dict[str, Any]) -> None:
        home = {"type": "home", "blocks": button_card("case.acknowledge")}
        await world.client.views_publish(user_id=payload["event"]["user"], view=home)

    tiny.on["event_callback"] = publish
    assert (await door(world, "home", user=ANA))["ok"]
    home = world.workspace.home_view(ANA)
    assert home
    await door(world, "click", view_id=home["id"], action_id="case.acknowledge", user=ANA)
    assert tiny.got[-1]["container"] == {"type": "view", "view_id": home["id"]}
    assert "response_url" not in tiny.got[-1]


async def test_people_leave_and_channels_close_while_the_app_runs(world: World) -> None:
    dm = (await post(world))["channel"]
    await door(world, "users/deactivate", user="ana@example.com")
    await door(world, "channels/archive", channel="C0FEEDBACK")
    for method, arguments, error in [
        ("conversations.open", {"users": ANA}, "user_disabled"),
        ("chat.postMessage", {"channel": dm, "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "C0FEEDBACK", "text": "x"}, "is_archived"),
    ]:
        with pytest.raises(SlackApiError) as raised:
            await world.client.api_call(method, json=arguments)
        assert error_of(raised) == error
    await door(world, "users", id=ANA, deleted=False)
    assert (await world.client.users_lookupByEmail(email="ana@example.com"))["user"]["id"] == ANA


async def test_a_group_dm_reaches_both_and_says_whom_it_pings(world: World) -> None:
    group = (await world.client.conversations_open(users=[ANA, "U0LEE"]))["channel"]["id"]
    again = await world.client.conversations_open(users=["U0LEE", ANA])
    assert (again["channel"]["id"], again["already_open"]) == (group, True)
    text = "<@U0LEE> please look; the customer wrote &lt;!channel&gt;"
    await world.client.chat_postMessage(channel=group, text=text)
    (message,) = world.workspace.messages(group)
    assert message["mentions"] == ["@U0LEE"]


async def test_long_histories_come_in_pages(world: World) -> None:
    world.workspace.limits.enabled = False
    posted = [(await world.client.chat_postMessage(channel=ANA, text=str(number)))["ts"] for number in range(5)]
    found: list[str] = []
    cursor = ""
    while True:
        page = await world.client.conversations_history(
            channel=world.workspace.messages()[0]["channel"], limit=2, cursor=cursor, oldest=posted[0], inclusive=True
        )
        found += [message["ts"] for message in page["messages"]]
        if not page["has_more"]:
            break
        cursor = page["response_metadata"]["next_cursor"]
    assert found == posted[::-1]


async def test_a_method_without_its_scope_says_what_is_needed(world: World) -> None:
    await door(world, "config", scopes=["chat:write"])
    with pytest.raises(SlackApiError) as raised:
        await world.client.users_lookupByEmail(email="ana@example.com")
    assert (error_of(raised), raised.value.response["needed"]) == ("missing_scope", "users:read.email")
    assert (await world.client.auth_test()).headers["x-oauth-scopes"] == "chat:write"


async def test_socket_mode_carries_clicks_and_their_answers(world: World) -> None:
    opened: list[str] = []

    async def listener(client: SocketModeClient, request: SocketModeRequest) -> None:
        opened.append(request.payload["type"])
        payload = {"response_action": "errors", "errors": {"acknowledgement": "by socket"}}
        if request.payload["type"] == "block_actions":
            await world.client.views_open(trigger_id=request.payload["trigger_id"], view=touch_modal())
            payload = {}
        await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload or None))

    app_client = AsyncWebClient(base_url=f"{world.url}/api/")
    socket = SocketModeClient(app_token="xapp-sandbox", web_client=app_client)
    socket.socket_mode_request_listeners.append(listener)
    await socket.connect()
    try:
        async with asyncio.timeout(5):
            while not world.workspace.sockets.connected:
                await asyncio.sleep(0.01)
        assert (await click_card(world))["ok"]
        view = world.workspace.open_view(ANA)
        assert view
        refused = await door(world, "submit", view_id=view["id"], user=ANA, values={"acknowledgement": "x"})
        assert refused["errors"] == {"acknowledgement": "by socket"}
        assert opened == ["block_actions", "view_submission"]
    finally:
        await socket.close()


async def test_the_doors_refuse_other_sites_and_nonsense(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.url) as http:
        foreign = await http.post("/_sandbox/faults", json={"kind": "500"}, headers={"Origin": "https://evil.example"})
        form = await http.post("/_sandbox/faults", data={"kind": "500"})
        unknown = await http.post("/_sandbox/faults", json={"kind": "meteor"})
        missing = await http.post("/_sandbox/submit", json={})
    assert [answer.status_code for answer in (foreign, form, unknown, missing)] == [403, 415, 400, 400]
    assert world.workspace.faults.active == []
