"""Socket Mode: a websocket server of its own, started on the first apps.connections.open.

It has its own port because the ASGI server in use may have no websocket support.
"""

import asyncio
import json
import secrets
from typing import Any

from aiohttp import WSMsgType, web

CONNECTION_LIMIT = 10


class SocketMode:
    """Hands envelopes to one of the connected apps and waits for its acknowledgement."""

    def __init__(self, host: str, app_id: str) -> None:
        self.host = host
        self.app_id = app_id
        self._tickets: set[str] = set()
        self._sockets: list[web.WebSocketResponse] = []
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._turn = 0

    @property
    def connected(self) -> bool:
        return bool(self._sockets)

    async def new_url(self) -> str:
        """A single-use address to connect to."""
        if self._runner is None:
            await self._start()
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return f"ws://{self.host}:{self._port}/link/?ticket={ticket}&app_id={self.app_id}"

    async def deliver(self, kind: str, payload: dict[str, Any], timeout: float) -> tuple[bool, Any]:
        """Whether it was acknowledged within `timeout` seconds, and the payload of the acknowledgement."""
        envelope_id = secrets.token_hex(16)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = answer
        self._turn += 1
        socket = self._sockets[self._turn % len(self._sockets)]
        envelope = {"envelope_id": envelope_id, "type": kind, "accepts_response_payload": kind != "events_api"}
        try:
            await socket.send_str(json.dumps({**envelope, "payload": payload}))
            return True, await asyncio.wait_for(answer, timeout)
        except (TimeoutError, ConnectionError):
            return False, None
        finally:
            self._waiting.pop(envelope_id, None)

    async def close(self) -> None:
        for socket in list(self._sockets):
            await socket.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/link/", self._connect)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, 0)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets or len(self._sockets) >= CONNECTION_LIMIT:
            return web.Response(status=403)
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        hello = {"type": "hello", "num_connections": len(self._sockets), "connection_info": {"app_id": self.app_id}}
        await socket.send_str(json.dumps(hello))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._acknowledged(message.data)
        finally:
            self._sockets.remove(socket)
        return socket

    def _acknowledged(self, text: str) -> None:
        try:
            ack = json.loads(text)
        except ValueError:
            return
        answer = self._waiting.get(ack.get("envelope_id", "")) if isinstance(ack, dict) else None
        if answer is not None and not answer.done():
            answer.set_result(ack.get("payload"))
