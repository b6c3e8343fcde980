"""The messages of the workspace: stored, threaded, edited, deleted and read back as Slack shows them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from services.slack_sandbox.config import SandboxConfig
from services.slack_sandbox.errors import SlackError

MENTION = re.compile(r"<(@[UW]\w+|![a-z]+(?:\^S\w+)?|!subteam\^S\w+)(?:\|[^>]*)?>")
TEXT_LIMIT = 40_000


@dataclass
class Message:
    """One stored message; `history` holds every version with the call that made it."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[dict[str, Any]]
    metadata: dict[str, Any]
    posted_at: float
    thread_ts: str = ""
    edited_ts: str = ""
    deleted: bool = False
    ephemeral_to: str = ""
    broadcast: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)

    def record(self, at: float, method: str) -> None:
        self.history.append({"at": at, "method": method, "text": self.text, "blocks": self.blocks})


def mentions(message: Message) -> list[str]:
    """Whom the message pings: `@U…` ids and `!channel`, `!here`, `!everyone`, in text or blocks."""
    found = [hit for text in (message.text, *_mrkdwn_texts(message.blocks)) for hit in MENTION.findall(text)]
    return list(dict.fromkeys(hit for hit in found if not hit.startswith("!date")))


def _mrkdwn_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield str(value.get("text", ""))
        for inner in value.values():
            yield from _mrkdwn_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _mrkdwn_texts(inner)


def _seen(message: Message, viewer: str) -> bool:
    return not message.deleted and message.ephemeral_to in ("", viewer)


def with_ids(blocks: list[dict[str, Any]], new_id: Callable[[], str]) -> list[dict[str, Any]]:
    """As Slack does, invents missing block and action ids (a button without one can never be handled)."""
    completed = []
    for block in blocks:
        block = {**block, "block_id": block.get("block_id") or new_id()}
        for key in ("accessory", "element"):
            if isinstance(block.get(key), dict):
                block[key] = _with_action_id(block[key], new_id)
        if block["type"] == "actions":
            block["elements"] = [_with_action_id(element, new_id) for element in block["elements"]]
        completed.append(block)
    return completed


def _with_action_id(element: dict[str, Any], new_id: Callable[[], str]) -> dict[str, Any]:
    return element if element["type"] == "image" else {**element, "action_id": element.get("action_id") or new_id()}


def _micros(ts: str) -> int:
    return int(ts.replace(".", ""))


class MessageLog:
    """Every message by channel and ts; ts are unique and rise within the workspace."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self._by_channel: dict[str, dict[str, Message]] = {}
        self._threads: dict[tuple[str, str], list[Message]] = {}
        self._last_micros = 0
        self._last_id = 0

    @property
    def newest(self) -> int:
        """Rises with every message and every change of one."""
        return self._last_micros

    def restore(self, messages: list[Message]) -> None:
        """Messages of an earlier run, oldest first."""
        for message in messages:
            self._keep(message)
            self._last_micros = max(self._last_micros, *map(_micros, (message.ts, message.edited_ts or message.ts)))

    def _keep(self, message: Message) -> None:
        self._by_channel.setdefault(message.channel, {})[message.ts] = message
        if message.thread_ts:
            self._threads.setdefault((message.channel, message.thread_ts), []).append(message)

    def next_ts(self) -> str:
        self._last_micros = max(int(self.config.clock() * 1e6), self._last_micros + 1)
        return f"{self._last_micros // 1_000_000}.{self._last_micros % 1_000_000:06d}"

    def new_id(self) -> str:
        self._last_id += 1
        return f"x{self._last_id:05d}"

    def add(self, channel: str, user: str, text: str, method: str, **options: Any) -> Message:
        """Stores a message; `options` are the remaining fields of Message."""
        now = self.config.clock()
        blocks = with_ids(options.pop("blocks", None) or [], self.new_id)
        metadata = options.pop("metadata", None) or {}
        message = Message(channel, self.next_ts(), user, text[:TEXT_LIMIT], blocks, metadata, now, **options)
        message.record(now, method)
        self._keep(message)
        return message

    def change(self, message: Message, method: str, text: str, blocks: list[dict[str, Any]]) -> None:
        message.text = text[:TEXT_LIMIT]
        message.blocks = with_ids(blocks, self.new_id)
        message.edited_ts = self.next_ts()
        message.record(self.config.clock(), method)

    def delete(self, message: Message, method: str) -> None:
        message.deleted = True
        message.record(self.config.clock(), method)

    def clear(self) -> None:
        self._by_channel.clear()
        self._threads.clear()

    def find(self, channel: str, ts: str) -> Message:
        """Raises SlackError message_not_found, also for one that was deleted."""
        message = self._by_channel.get(channel, {}).get(ts)
        if message is None or message.deleted:
            raise SlackError("message_not_found")
        return message

    def exists(self, channel: str, ts: str) -> bool:
        """Whether there is, or was, such a message: a thread lives on after its parent is deleted."""
        return ts in self._by_channel.get(channel, {})

    def everywhere(self) -> list[Message]:
        every = [message for channel in self._by_channel.values() for message in channel.values()]
        return sorted(every, key=lambda message: message.ts)

    def roots(self, channel: str, viewer: str = "") -> list[Message]:
        """Top-level messages, oldest first; `viewer` adds those only he can see."""
        every = self._by_channel.get(channel, {}).values()
        return [m for m in every if _seen(m, viewer) and (m.thread_ts in ("", m.ts) or m.broadcast)]

    def replies(self, channel: str, parent_ts: str, viewer: str = "") -> list[Message]:
        thread = self._threads.get((channel, parent_ts), [])
        return [message for message in thread if message.ts != parent_ts and _seen(message, viewer)]

    def as_json(self, message: Message, include_metadata: bool = False) -> dict[str, Any]:
        """The message object of Slack's answers; without `include_metadata` only the event_type shows."""
        answer: dict[str, Any] = {
            "type": "message",
            "user": message.user,
            "ts": message.ts,
            "text": message.text,
            "team": self.config.team_id,
        }
        if message.user == self.config.bot_user_id:
            answer |= {"bot_id": self.config.bot_id, "app_id": self.config.app_id}
        if message.blocks:
            answer["blocks"] = message.blocks
        if message.metadata:
            answer["metadata"] = (
                message.metadata if include_metadata else {"event_type": message.metadata["event_type"]}
            )
        if message.edited_ts:
            answer["edited"] = {"user": message.user, "ts": message.edited_ts}
        return answer | message.extra | self._thread_json(message)

    def _thread_json(self, message: Message) -> dict[str, Any]:
        if message.thread_ts and message.thread_ts != message.ts:
            return {"thread_ts": message.thread_ts}
        replies = [] if message.ephemeral_to else self.replies(message.channel, message.ts)
        if not replies:
            return {}
        people = list(dict.fromkeys(reply.user for reply in replies))
        counts = {"reply_count": len(replies), "reply_users_count": len(people), "reply_users": people}
        return {"thread_ts": message.ts, **counts, "latest_reply": replies[-1].ts}
