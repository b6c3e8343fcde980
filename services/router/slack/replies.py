"""Answers that only the person who clicked sees; sent beside the work, never in its way."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import structlog

from services.router.slack import modals, mrkdwn
from services.router.slack.client import SlackClient

log = structlog.get_logger(__name__)


@dataclass
class Replies:
    client: SlackClient
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def tell(self, response_url: str, text: str, trigger_id: str = "") -> None:
        """Say `text` to whoever clicked. The Home tab has no response_url: there a small window says it."""
        if response_url:
            self._start(self._send(response_url, mrkdwn.escape(text)))
        elif trigger_id:
            self._start(self._show(trigger_id, text))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _show(self, trigger_id: str, text: str) -> None:
        try:
            await self.client.web.views_open(trigger_id=trigger_id, view=modals.told(text))
        except Exception as error:
            log.warning("reply_not_shown", error=type(error).__name__)

    async def _send(self, response_url: str, text: str) -> None:
        try:
            await self.client.answer(response_url, text)
        except Exception as error:
            log.warning("reply_not_sent", error=type(error).__name__)

    async def close(self) -> None:
        """Wait for the answers under way, a moment at most."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=2)
