"""One workspace: everything the sandbox knows, and the plain Python doors to it for tests in the same process."""

from collections import deque
from typing import Any

from services.slack_sandbox.config import SandboxChannel, SandboxConfig, SandboxUser
from services.slack_sandbox.delivery import Delivery
from services.slack_sandbox.directory import Directory
from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.events import Events
from services.slack_sandbox.faults import Fault, FaultBox
from services.slack_sandbox.interactions import Interactions
from services.slack_sandbox.limits import RateLimits
from services.slack_sandbox.messages import Message, MessageLog, mentions
from services.slack_sandbox.modals import Modals
from services.slack_sandbox.response_urls import ResponseUrls
from services.slack_sandbox.socket_mode import SocketMode
from services.slack_sandbox.views import View, ViewStore

KEPT_CALLS = 20_000


class Workspace:
    """Composes the rooms of the sandbox.

    A person's deeds are offered here under one name each: click, submit, close_view, command, home, event.
    """

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self.config = config or SandboxConfig()
        self.directory = Directory(self.config)
        self.log = MessageLog(self.config)
        self.views = ViewStore(self.config)
        self.faults = FaultBox()
        self.limits = RateLimits(self.config.clock, self.config.message_burst, self.config.rate_limits)
        self.sockets = SocketMode(self.config.socket_host, self.config.app_id)
        self.delivery = Delivery(self.config, self.sockets)
        self.responses = ResponseUrls(self.config, self.log)
        self.interactions = Interactions(
            self.config, self.directory, self.log, self.views, self.responses, self.delivery
        )
        self.modals = Modals(self.config, self.directory, self.views, self.delivery)
        self.events = Events(self.config, self.directory, self.log, self.views, self.delivery)
        self.calls: deque[dict[str, Any]] = deque(maxlen=KEPT_CALLS)
        self.click = self.interactions.click
        self.submit = self.modals.submit
        self.close_view = self.modals.close_view
        self.command = self.interactions.command
        self.home = self.events.open_home
        self.event = self.events.event

    # looking

    def messages(self, channel: str = "", email: str = "", include_deleted: bool = False) -> list[dict[str, Any]]:
        """Every message, oldest first; `email` narrows it to that person's DM with the bot."""
        if email:
            alone = [self.directory.person(email).id]
            channel = next((c.id for c in self.directory.channels.values() if c.is_im and c.members == alone), "-")
        return [
            self._dump(message)
            for message in self.log.everywhere()
            if channel in ("", message.channel) and (include_deleted or not message.deleted)
        ]

    def _dump(self, message: Message) -> dict[str, Any]:
        fields = {key: value for key, value in vars(message).items() if key != "extra"}
        return {**fields, **message.extra, "mentions": mentions(message)}

    def open_view(self, user: str) -> dict[str, Any] | None:
        """The modal a person has before him (by id or e-mail), with its errors, or None."""
        view = self.views.top(self.directory.person(user).id)
        return self.view_dump(view) if view else None

    def home_view(self, user: str) -> dict[str, Any] | None:
        view = self.views.home(self.directory.person(user).id)
        return self.view_dump(view) if view else None

    def view_dump(self, view: View) -> dict[str, Any]:
        return {**self.views.as_json(view), "user": view.user, "errors": view.errors, "trouble": view.trouble}

    def calls_of(self, method: str = "") -> list[dict[str, Any]]:
        return [call for call in self.calls if method in ("", call["method"])]

    # arranging

    def add_user(self, **fields: Any) -> SandboxUser:
        return self.directory.add_user(SandboxUser(**fields))

    def update_user(self, user_id: str, **changes: Any) -> SandboxUser:
        return self.directory.update_user(user_id, **changes)

    def add_channel(self, **fields: Any) -> SandboxChannel:
        return self.directory.add_channel(SandboxChannel(**fields))

    def update_channel(self, channel_id: str, **changes: Any) -> SandboxChannel:
        return self.directory.update_channel(channel_id, **changes)

    def inject(self, kind: str, **options: Any) -> Fault:
        return self.faults.inject(kind, **options)

    def delete_message(self, channel: str, ts: str) -> None:
        """A person deletes a message in Slack."""
        self.log.delete(self.log.find(channel, ts), "deleted by a person")

    def say(self, user: str, channel: str, text: str, thread_ts: str = "") -> Message:
        """A person writes a message."""
        who = self.directory.person(user)
        where = self.directory.channel(channel)
        if who.id not in self.directory.members(where):
            raise SlackError("not_in_channel")
        return self.log.add(where.id, who.id, text, "typed", thread_ts=thread_ts)

    def clear_messages(self) -> None:
        """Forgets messages, calls, notices and rate buckets; people and channels stay."""
        self.log.clear()
        self.calls.clear()
        self.delivery.sent.clear()
        self.interactions.notices.clear()
        self.limits.reset()

    async def close(self) -> None:
        """Ends background retries, sockets and connections."""
        await self.events.close()
        await self.delivery.close()
