"""The doors Slack calls: signature first, then the body, then the work, then the answer."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.router.slack.clicks import Clicks
from services.router.slack.commands import Commands
from services.router.slack.homes import Homes
from services.router.slack.signatures import secrets_of, verified
from shared.clock import Clock
from shared.settings import SlackSettings
from shared.web import BodyTooLarge, problem, read_body

BODY_LIMIT = 1024 * 1024
Handler = Callable[[bytes], Awaitable[Response]]


class Malformed(Exception):
    """The body has not the form Slack sends."""


class Endpoints:
    def __init__(self, settings: SlackSettings, clock: Clock, clicks: Clicks, commands: Commands, homes: Homes) -> None:
        self._secrets = secrets_of(settings.signing_secret)
        self._clock = clock
        self._clicks = clicks
        self._commands = commands
        self._homes = homes

    def routes(self) -> list[Route]:
        doors: dict[str, Handler] = {
            "/slack/interactions": self._interaction,
            "/slack/commands": self._command,
            "/slack/events": self._event,
            "/slack/options": self._options,
        }
        return [Route(path, self._guarded(handler), methods=["POST"]) for path, handler in doors.items()]

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def door(request: Request) -> Response:
            try:
                body = await read_body(request, BODY_LIMIT)
            except BodyTooLarge:
                return problem(413, "Slack sends nothing over 1 MiB.")
            if not self._signed(request, body):
                return problem(401, "The request is not signed with this app's signing secret.")
            try:
                return await handler(body)
            except Malformed as wrong:
                return problem(400, str(wrong))

        return door

    def _signed(self, request: Request, body: bytes) -> bool:
        timestamp = request.headers.get("x-slack-request-timestamp")
        signature = request.headers.get("x-slack-signature")
        return verified(body, timestamp, signature, self._secrets, self._clock.now())

    async def _interaction(self, body: bytes) -> Response:
        answer = await self._clicks.handle(_parsed(_form(body).get("payload", "")))
        return Response(status_code=200) if answer is None else JSONResponse(answer)

    async def _command(self, body: bytes) -> Response:
        form = _form(body)
        if form.get("ssl_check"):
            return Response(status_code=200)
        return JSONResponse(await self._commands.answer(form))

    async def _event(self, body: bytes) -> Response:
        envelope = _parsed(body)
        if envelope.get("type") == "url_verification":
            return JSONResponse({"challenge": str(envelope.get("challenge", ""))})
        on_event(envelope, self._homes)
        return Response(status_code=200)

    async def _options(self, body: bytes) -> Response:
        """No select of ours asks for options yet."""
        _parsed(_form(body).get("payload", ""))
        return JSONResponse({"options": []})


def on_event(envelope: dict[str, Any], homes: Homes) -> None:
    """An Events API envelope; events we do not know are only acknowledged."""
    event = envelope.get("event")
    if not isinstance(event, dict) or event.get("type") != "app_home_opened" or event.get("tab", "home") != "home":
        return
    user = event.get("user")
    if isinstance(user, str):
        homes.opened(user)


def _form(body: bytes) -> dict[str, str]:
    try:
        fields = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise Malformed("The body is not a form.") from error
    return {name: values[0] for name, values in fields.items()}


def _parsed(text: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed("The payload is not JSON.") from error
    if not isinstance(value, dict):
        raise Malformed("The payload is not a JSON object.")
    return value
