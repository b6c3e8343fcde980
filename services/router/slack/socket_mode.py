"""Socket Mode: the same clicks, commands and events over a connection we open, for installations behind a firewall."""

import asyncio
from contextlib import suppress
from typing import Any

import structlog
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from services.router.slack.clicks import Clicks
from services.router.slack.client import SlackClient
from services.router.slack.commands import Commands
from services.router.slack.endpoints import on_event
from services.router.slack.homes import Homes

log = structlog.get_logger(__name__)


class SocketMode:
    """Authentication is the connection itself: Slack signs nothing here."""

    def __init__(self, app_token: str, client: SlackClient, clicks: Clicks, commands: Commands, homes: Homes) -> None:
        self._app_token = app_token
        self._client = client
        self._clicks = clicks
        self._commands = commands
        self._homes = homes

    async def run(self, stop: asyncio.Event) -> None:
        """Stays connected until `stop` is set; the SDK connects again by itself."""
        socket = SocketModeClient(self._app_token, web_client=self._client.web)
        socket.proxy = self._client.web.proxy
        socket.socket_mode_request_listeners.append(self._receive)
        connecting = asyncio.create_task(socket.connect())
        try:
            await stop.wait()
        finally:
            connecting.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await connecting
            with suppress(Exception):
                await socket.close()

    async def _receive(self, socket: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        answer = await self._answer(request.type, request.payload)
        await socket.send_socket_mode_response(SocketModeResponse(request.envelope_id, answer))

    async def _answer(self, kind: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        match kind:
            case "interactive":
                return await self._clicks.handle(payload)
            case "slash_commands":
                return await self._commands.answer(payload)
            case "events_api":
                on_event(payload, self._homes)
        return None
