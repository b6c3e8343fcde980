"""Carries payloads to the app under test as Slack does: signed HTTP, or Socket Mode when a socket is connected."""

import asyncio
import hashlib
import hmac
import json
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from services.slack_sandbox.config import SandboxConfig
from services.slack_sandbox.socket_mode import SocketMode

KEPT_CALLBACKS = 1_000


@dataclass(frozen=True)
class Reply:
    """What the app answered; `error` is Slack's word for what went wrong, empty when nothing did."""

    status: int = 0
    body: Any = None
    error: str = ""

    def outcome(self, **extra: Any) -> dict[str, Any]:
        """What a door answers: whether the app took it, and Slack's error word when it did not."""
        return {"ok": not self.error, "status": self.status, "error": self.error or None, **extra}


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Slack's v0 request signature (https://docs.slack.dev/authentication/verifying-requests-from-slack)."""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


class Delivery:
    """Sends one payload and waits at most `callback_timeout` seconds for the answer."""

    def __init__(self, config: SandboxConfig, sockets: SocketMode) -> None:
        self.config = config
        self.sockets = sockets
        self.sent: deque[dict[str, Any]] = deque(maxlen=KEPT_CALLBACKS)
        self._client: httpx.AsyncClient | None = None

    async def interactive(self, payload: dict[str, Any]) -> Reply:
        form = urlencode({"payload": json.dumps(payload)}).encode()
        url = self.config.interactivity_url
        if payload["type"] == "block_suggestion":
            url = self.config.options_url or url
        return await self._deliver("interactive", url, payload, form)

    async def command(self, fields: dict[str, str]) -> Reply:
        return await self._deliver("slash_commands", self.config.commands_url, fields, urlencode(fields).encode())

    async def event(self, payload: dict[str, Any], retry_num: int = 0, retry_reason: str = "") -> Reply:
        headers = {"Content-Type": "application/json"}
        if retry_num:
            headers |= {"X-Slack-Retry-Num": str(retry_num), "X-Slack-Retry-Reason": retry_reason}
        return await self._deliver(
            "events_api", self.config.events_url, payload, json.dumps(payload).encode(), headers=headers
        )

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None
        await self.sockets.close()

    async def _deliver(
        self, kind: str, url: str, payload: dict[str, Any], body: bytes, headers: dict[str, str] | None = None
    ) -> Reply:
        record: dict[str, Any] = {"at": self.config.clock(), "kind": kind, "url": url, "payload": payload}
        self.sent.append(record)
        if self.sockets.connected:
            record["url"] = "socket"
            answered, ack = await self.sockets.deliver(kind, payload, self.config.callback_timeout)
            reply = Reply(200, ack) if answered else Reply(error="operation_timeout")
        elif url:
            reply = await self._post(url, body, headers or {})
        else:
            reply = Reply(error="no_url_configured")
        record |= {"status": reply.status, "error": reply.error, "answer": reply.body}
        return reply

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> Reply:
        timestamp = str(int(self.config.clock()))
        signed = {
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            **headers,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(self.config.signing_secret, timestamp, body),
        }
        try:
            async with asyncio.timeout(self.config.callback_timeout):
                response = await self._http().post(url, content=body, headers=signed)
        except (TimeoutError, httpx.TimeoutException):
            return Reply(error="operation_timeout")
        except httpx.HTTPError:
            return Reply(error="connection_failed")
        if response.status_code != 200:
            return Reply(response.status_code, response.text, "http_error")
        return Reply(200, _parsed(response))

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=None, transport=self.config.transport, trust_env=False)  # noqa: S113
        return self._client


def _parsed(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        return response.text
