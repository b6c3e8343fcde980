"""The door `/api/<method>`: token, fault, rate limit and arguments are checked here, in Slack's order."""

import asyncio
import inspect
import json
import logging
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.faults import Fault, FaultKind
from services.slack_sandbox.state import Workspace
from services.slack_sandbox.web_api import app, chat, conversations, people, views
from services.slack_sandbox.web_api.call import Call, Method, RateLimited

METHODS: dict[str, Method] = {
    **app.METHODS,
    **chat.METHODS,
    **conversations.METHODS,
    **people.METHODS,
    **views.METHODS,
}
UNAVAILABLE = "<html><head><title>503 Service Unavailable</title></head><body>Slack is having trouble.</body></html>"
SIGN_IN = "<html><head><title>Sign in</title></head><body>A proxy answers in Slack's place.</body></html>"
AFTER = {FaultKind.DELAY_AFTER_STORING, FaultKind.DROP_AFTER_STORING}


class ConnectionDropped(Exception):
    """Leaves the app so that the server hangs up."""


class Dropped(Response):
    """Ends the connection without a byte of answer.

    ASGI has no hang-up message. A header no server can send makes uvicorn (httptools and h11) believe the response
    has begun and close the transport, whatever middleware lies between.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"no such header", b"")]})
        except Exception as refused:
            raise ConnectionDropped from refused
        raise ConnectionDropped


def quiet_drops(record: logging.LogRecord) -> bool:
    """A log filter: a connection dropped on purpose is no error of the server."""
    return not (record.exc_info and record.exc_info[0] is ConnectionDropped)


async def web_api(request: Request) -> Response:
    """Answers one Web API call."""
    workspace: Workspace = request.app.state.workspace
    name = request.path_params["method"]
    method = METHODS.get(name)
    args = await _arguments(request, method)
    token = str(args.pop("token", "") or request.headers.get("authorization", "").removeprefix("Bearer").strip())
    record: dict[str, Any] = {"at": workspace.config.clock(), "method": name, "args": args}
    workspace.calls.append(record)
    fault = workspace.faults.take(name, str(args.get("channel", "")))
    early = _before(fault)
    if early is not None:
        record["result"] = f"fault {fault.kind}" if fault else ""
        return early
    record["result"], answer = await _run(workspace, name, method, token, args)
    if fault is None:
        return answer
    record["result"] += f", fault {fault.kind}"
    return await _after(fault, answer)


def _before(fault: Fault | None) -> Response | None:
    """What a fault answers in place of doing anything."""
    if fault is None or fault.kind in AFTER or fault.stored:
        return None
    return Dropped() if fault.kind is FaultKind.DROP_BEFORE_STORING else _faulty(fault)


async def _after(fault: Fault, answer: Response) -> Response:
    """What a fault does with an answer once the call has taken effect."""
    if fault.kind is FaultKind.DROP_AFTER_STORING:
        return Dropped()
    if fault.kind is FaultKind.DELAY_AFTER_STORING:
        await asyncio.sleep(fault.seconds)
        return answer
    return _faulty(fault)


def _faulty(fault: Fault) -> Response:
    if fault.kind is FaultKind.RATE_LIMITED:
        return _rate_limited(fault.retry_after)
    if fault.kind is FaultKind.SERVER_ERROR:
        return JSONResponse({"ok": False, "error": "internal_error"}, 500)
    if fault.kind is FaultKind.OK_FALSE:
        return JSONResponse({"ok": False, "error": fault.error})
    if fault.kind is FaultKind.EMPTY_200:
        return JSONResponse({"ok": True})
    if fault.kind is FaultKind.HTML_200:
        return HTMLResponse(SIGN_IN)
    return HTMLResponse(UNAVAILABLE, 503)


def _rate_limited(retry_after: int) -> Response:
    return JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(retry_after)})


async def _run(
    workspace: Workspace, name: str, method: Method | None, token: str, args: dict[str, Any]
) -> tuple[str, Response]:
    """The error code, or `ok`, and the answer."""
    headers = {"x-oauth-scopes": ",".join(workspace.config.scopes)}
    try:
        answer = await _answer(workspace, name, method, token, args)
        return "ok", JSONResponse({"ok": True, **answer}, headers=headers)
    except RateLimited as limited:
        return limited.code, _rate_limited(limited.retry_after)
    except SlackError as error:
        return error.code, JSONResponse(error.body(), headers=headers)


async def _answer(
    workspace: Workspace, name: str, method: Method | None, token: str, args: dict[str, Any]
) -> dict[str, Any]:
    if method is None:
        raise SlackError("unknown_method", req_method=name)
    if name != "api.test":
        _check_token(workspace, token, method)
    call = Call(workspace, args)
    call.need_scope(*method.scopes)
    wait = workspace.limits.retry_after_method(name, method.tier) if method.tier else 0
    if wait:
        raise RateLimited(wait)
    missing = [argument for argument in method.required if args.get(argument) in (None, "")]
    if missing:
        raise SlackError("invalid_arguments", [f"[ERROR] missing required field: {field}" for field in missing])
    answer = method.run(call)
    return await answer if inspect.isawaitable(answer) else answer


def _check_token(workspace: Workspace, token: str, method: Method) -> None:
    config = workspace.config
    wanted, other = config.bot_token, config.app_token
    if method.app_token:
        wanted, other = other, wanted
    if not token:
        raise SlackError("not_authed")
    if secrets.compare_digest(token.encode(), other.encode()):
        raise SlackError("not_allowed_token_type")
    if not secrets.compare_digest(token.encode(), wanted.encode()):
        raise SlackError("invalid_auth")


async def _arguments(request: Request, method: Method | None) -> dict[str, Any]:
    """Query, form and, for methods that take it, JSON."""
    args: dict[str, Any] = dict(request.query_params)
    if request.method == "GET":
        return args
    if "json" not in request.headers.get("content-type", ""):
        return args | dict(await request.form())
    if method is not None and not method.json:
        return args
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        return args
    return args | body if isinstance(body, dict) else args
