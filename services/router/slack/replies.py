"""Answers that only the person who clicked sees; sent beside the work, never in its way."""

import asyncio
from dataclasses import dataclass, field

import structlog

from services.router.slack import mrkdwn
from services.router.slack.client import SlackClient

log = structlog.get_logger(__name__)


@dataclass
class Replies:
    client: SlackClient
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def tell(self, response_url: str, text: str) -> None:
        """Say `text` to whoever clicked. Without a response_url (a modal) there is nowhere to say it."""
        if response_url:
            task = asyncio.create_task(self._send(response_url, mrkdwn.escape(text)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, response_url: str, text: str) -> None:
        try:
            await self.client.answer(response_url, text)
        except Exception as error:
            log.warning("reply_not_sent", error=type(error).__name__)

    async def close(self) -> None:
        """Wait for the answers under way, a moment at most."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=2)
