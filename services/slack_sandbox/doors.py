"""The automation doors under `/_sandbox/`: what a person or an admin could do, as JSON over HTTP."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.state import Workspace

Door = Callable[[Workspace, dict[str, Any]], Awaitable[Any]]
CHANGEABLE = {"interactivity_url", "commands_url", "events_url", "options_url", "public_url", "scopes", "commands"}
CHANGEABLE |= {"callback_timeout", "signing_secret", "bot_token", "rate_limits"}


async def messages(workspace: Workspace, q: dict[str, Any]) -> Any:
    found = workspace.messages(q.get("channel", ""), q.get("email", ""), bool(q.get("deleted")))
    return {"messages": found}


async def clear_messages(workspace: Workspace, _: dict[str, Any]) -> Any:
    workspace.clear_messages()
    return {"ok": True}


async def delete_message(workspace: Workspace, body: dict[str, Any]) -> Any:
    workspace.delete_message(body["channel"], body["ts"])
    return {"ok": True}


async def calls(workspace: Workspace, q: dict[str, Any]) -> Any:
    return {"calls": workspace.calls_of(q.get("method", "")), "callbacks": list(workspace.delivery.sent)}


async def views(workspace: Workspace, q: dict[str, Any]) -> Any:
    user = q["user"]
    notices = workspace.interactions.notices.get(workspace.directory.person(user).id, [])
    return {"view": workspace.open_view(user), "home": workspace.home_view(user), "notices": notices}


async def click(workspace: Workspace, body: dict[str, Any]) -> Any:
    return await workspace.click(**body)


async def submit(workspace: Workspace, body: dict[str, Any]) -> Any:
    return await workspace.submit(body["view_id"], body["user"], body.get("values") or {})


async def close_view(workspace: Workspace, body: dict[str, Any]) -> Any:
    return await workspace.close_view(**body)


async def command(workspace: Workspace, body: dict[str, Any]) -> Any:
    return await workspace.command(**body)


async def home(workspace: Workspace, body: dict[str, Any]) -> Any:
    return await workspace.home(**body)


async def options(workspace: Workspace, body: dict[str, Any]) -> Any:
    return await workspace.interactions.suggest(**body)


async def event(workspace: Workspace, body: dict[str, Any]) -> Any:
    return await workspace.event(body)


async def verify_events_url(workspace: Workspace, _: dict[str, Any]) -> Any:
    return await workspace.events.verify_events_url()


async def say(workspace: Workspace, body: dict[str, Any]) -> Any:
    return {"ok": True, "ts": workspace.say(**body).ts}


async def list_users(workspace: Workspace, _: dict[str, Any]) -> Any:
    return {"users": [asdict(user) for user in workspace.directory.users.values()]}


async def save_user(workspace: Workspace, body: dict[str, Any]) -> Any:
    """Creates a user, or changes the one whose `id` is known."""
    if body.get("id") in workspace.directory.users:
        return asdict(workspace.update_user(body.pop("id"), **body))
    return asdict(workspace.add_user(**body))


async def deactivate_user(workspace: Workspace, body: dict[str, Any]) -> Any:
    return asdict(workspace.update_user(workspace.directory.person(body["user"]).id, deleted=True))


async def list_channels(workspace: Workspace, _: dict[str, Any]) -> Any:
    return {"channels": [asdict(channel) for channel in workspace.directory.channels.values()]}


async def save_channel(workspace: Workspace, body: dict[str, Any]) -> Any:
    """Creates a channel, or changes the one whose `id` is known."""
    if body.get("id") in workspace.directory.channels:
        return asdict(workspace.update_channel(body.pop("id"), **body))
    return asdict(workspace.add_channel(**body))


async def archive_channel(workspace: Workspace, body: dict[str, Any]) -> Any:
    return asdict(workspace.update_channel(body["channel"], is_archived=True))


async def list_faults(workspace: Workspace, _: dict[str, Any]) -> Any:
    return {"faults": [fault.as_dict() for fault in workspace.faults.active]}


async def inject_fault(workspace: Workspace, body: dict[str, Any]) -> Any:
    return workspace.inject(**body).as_dict()


async def clear_faults(workspace: Workspace, q: dict[str, Any]) -> Any:
    workspace.faults.clear(q.get("kind"))
    return {"ok": True}


async def configure(workspace: Workspace, body: dict[str, Any]) -> Any:
    """Changes where the app listens, its scopes, commands or the rate limits while the sandbox runs."""
    unknown = set(body) - CHANGEABLE
    if unknown:
        raise ValueError(f"cannot change {', '.join(sorted(unknown))}")
    for name, value in body.items():
        setattr(workspace.config, name, value)
    workspace.limits.enabled = workspace.config.rate_limits
    shown = {f.name for f in fields(workspace.config)} & CHANGEABLE - {"signing_secret", "bot_token"}
    return {name: getattr(workspace.config, name) for name in sorted(shown)}


DOORS: dict[tuple[str, str], Door] = {
    ("GET", "messages"): messages,
    ("DELETE", "messages"): clear_messages,
    ("POST", "delete_message"): delete_message,
    ("GET", "calls"): calls,
    ("GET", "views"): views,
    ("POST", "click"): click,
    ("POST", "submit"): submit,
    ("POST", "close_view"): close_view,
    ("POST", "command"): command,
    ("POST", "home"): home,
    ("POST", "options"): options,
    ("POST", "event"): event,
    ("POST", "verify_events_url"): verify_events_url,
    ("POST", "say"): say,
    ("GET", "users"): list_users,
    ("POST", "users"): save_user,
    ("POST", "users/deactivate"): deactivate_user,
    ("GET", "channels"): list_channels,
    ("POST", "channels"): save_channel,
    ("POST", "channels/archive"): archive_channel,
    ("GET", "faults"): list_faults,
    ("POST", "faults"): inject_fault,
    ("DELETE", "faults"): clear_faults,
    ("POST", "config"): configure,
}


def _foreign(request: Request) -> bool:
    """Whether another site's page sent this: such requests carry an Origin or Sec-Fetch-Site that says so."""
    origin = request.headers.get("origin")
    if origin and origin.split("://")[-1] != request.headers.get("host"):
        return True
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


async def _body(request: Request) -> dict[str, Any]:
    if request.method != "POST":
        return dict(request.query_params)
    body = json.loads(await request.body() or b"{}")
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body


async def serve_door(request: Request) -> JSONResponse:
    """Answers one door; refusals carry `error` in Slack's words or plain ones."""
    door = DOORS.get((request.method, request.path_params["door"]))
    if door is None:
        return JSONResponse({"ok": False, "error": "no such door"}, 404)
    if _foreign(request):
        return JSONResponse({"ok": False, "error": "requests of other sites are refused"}, 403)
    if request.method == "POST" and "json" not in request.headers.get("content-type", ""):
        return JSONResponse({"ok": False, "error": "send application/json"}, 415)
    try:
        return JSONResponse(await door(request.app.state.workspace, await _body(request)))
    except SlackError as error:
        return JSONResponse(error.body(), 400)
    except KeyError as error:
        return JSONResponse({"ok": False, "error": f"missing field: {error}"}, 400)
    except (TypeError, ValueError) as error:
        return JSONResponse({"ok": False, "error": str(error)}, 400)


ROUTES = [Route("/_sandbox/{door:path}", serve_door, methods=["GET", "POST", "DELETE"])]
