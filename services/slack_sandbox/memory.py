"""What an embedded sandbox remembers over a restart: people, conversations and the newest messages, in one JSON file.

The router knows whom it wrote to and where: a sandbox that had forgotten that would look like a Slack everybody left.
"""

import asyncio
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from services.slack_sandbox.config import SandboxChannel, SandboxUser
from services.slack_sandbox.messages import Message
from services.slack_sandbox.state import Workspace

log = structlog.get_logger(__name__)

MOST_MESSAGES = 500
_EVERY_SECONDS = 1.0


@dataclass
class Memory:
    """`keep` writes what has changed, once a second and at the end."""

    workspace: Workspace
    path: Path
    _kept: tuple[Any, ...] = field(default=())

    def recall(self) -> None:
        """Take up where the last run ended; a file that cannot be read is passed over."""
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            users = [SandboxUser(**user) for user in kept["users"]]
            channels = [SandboxChannel(**channel) for channel in kept["channels"]]
            messages = [Message(**message) for message in kept["messages"]]
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError) as wrong:
            log.warning("sandbox_forgot", path=str(self.path), error=type(wrong).__name__)
            return
        self.workspace.directory.restore(users, channels)
        self.workspace.log.restore(messages)

    async def keep(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _EVERY_SECONDS)
            self.save()

    def save(self) -> None:
        directory, newest = self.workspace.directory, self.workspace.log.newest
        now = (newest, len(directory.users), len(directory.channels))
        if now == self._kept:
            return
        messages = self.workspace.log.everywhere()[-MOST_MESSAGES:]
        kept = {
            "users": [vars(user) for user in directory.people()],
            "channels": [vars(channel) for channel in directory.channels.values()],
            "messages": [{**vars(message), "history": message.history[-1:]} for message in messages],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            json.dump(kept, out)
        fresh.replace(self.path)
        self._kept = now
