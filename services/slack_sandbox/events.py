"""The Events API: app_home_opened and any other event, delivered with Slack's retries."""

import asyncio
import itertools
from typing import Any

from services.slack_sandbox import payloads
from services.slack_sandbox.config import SandboxConfig
from services.slack_sandbox.delivery import Delivery, Reply
from services.slack_sandbox.directory import Directory
from services.slack_sandbox.messages import MessageLog
from services.slack_sandbox.views import ViewStore


class Events:
    """Sends events to the app; only these are ever repeated."""

    def __init__(
        self, config: SandboxConfig, directory: Directory, log: MessageLog, views: ViewStore, delivery: Delivery
    ) -> None:
        self.config = config
        self.directory = directory
        self.log = log
        self.views = views
        self.delivery = delivery
        self._retries: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)

    async def open_home(self, user: str, tab: str = "home") -> dict[str, Any]:
        """Opens the app's Home tab: the app gets app_home_opened and may publish a view."""
        who = self.directory.person(user)
        event: dict[str, Any] = {
            "type": "app_home_opened",
            "user": who.id,
            "channel": self.directory.open_dm([who.id])[0].id,
            "tab": tab,
            "event_ts": self.log.next_ts(),
        }
        home = self.views.home(who.id)
        if home is not None and tab == "home":
            event["view"] = self.views.as_json(home)
        return await self.event(event)

    async def event(self, event: dict[str, Any]) -> dict[str, Any]:
        """Sends any event; a failed delivery is repeated three times with the same event_id."""
        event_id = f"Ev{next(self._numbers):08d}"
        payload = payloads.event_callback(self.config, event, event_id, self.config.clock())
        reply = await self.delivery.event(payload)
        if reply.error and reply.error != "no_url_configured":
            task = asyncio.create_task(self._retry_event(payload, reply))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)
        return reply.outcome(event_id=event_id)

    async def _retry_event(self, payload: dict[str, Any], last: Reply) -> None:
        for number, delay in enumerate(self.config.event_retry_delays, start=1):
            await asyncio.sleep(delay)
            reason = "http_timeout" if last.error == "operation_timeout" else last.error
            last = await self.delivery.event(payload, number, reason)
            if not last.error:
                return

    async def verify_events_url(self) -> dict[str, Any]:
        """The url_verification handshake Slack does when an admin saves the events address."""
        challenge = f"challenge-{next(self._numbers)}"
        reply = await self.delivery.event({"token": "", "challenge": challenge, "type": "url_verification"})
        echoed = reply.body.get("challenge") if isinstance(reply.body, dict) else reply.body
        if not reply.error and echoed != challenge:
            reply = Reply(reply.status, reply.body, "challenge_failed")
        return reply.outcome()

    async def close(self) -> None:
        for task in list(self._retries):
            task.cancel()
        await asyncio.gather(*self._retries, return_exceptions=True)
