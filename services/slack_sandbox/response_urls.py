"""The response_url of actions and commands: five posts within thirty minutes, ephemeral unless asked otherwise."""

import secrets
from dataclasses import dataclass
from typing import Any

from services.slack_sandbox.config import SandboxConfig
from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.messages import Message, MessageLog
from services.slack_sandbox.validation import block_problems

LIFETIME_SECONDS = 30 * 60
USES = 5


@dataclass
class Grant:
    """Leave to answer one interaction."""

    channel: str
    user: str
    source: Message | None
    issued_at: float
    uses: int = 0


class ResponseUrls:
    """Issues the addresses and applies what is posted to them."""

    def __init__(self, config: SandboxConfig, log: MessageLog) -> None:
        self.config = config
        self.log = log
        self._grants: dict[str, Grant] = {}

    def issue(self, channel: str, user: str, source: Message | None = None) -> str:
        secret = secrets.token_hex(12)
        self._grants[secret] = Grant(channel, user, source, self.config.clock())
        return f"{self.config.public_url}/response/{self.config.team_id}/{secret}"

    def use(self, secret: str, body: dict[str, Any]) -> None:
        """Applies one post; raises SlackError used_url, expired_url, no_text, invalid_blocks."""
        grant = self._grants.get(secret)
        if grant is None or grant.uses >= USES:
            raise SlackError("used_url")
        if self.config.clock() - grant.issued_at > LIFETIME_SECONDS:
            raise SlackError("expired_url")
        grant.uses += 1
        self.answer(grant.channel, grant.user, body, grant.source)

    def answer(self, channel: str, user: str, body: dict[str, Any], source: Message | None = None) -> None:
        """Shows `body` as the answer of a command or a response_url post."""
        if body.get("delete_original") and source is not None:
            self.log.delete(source, "response_url")
            return
        text, blocks = str(body.get("text") or ""), body.get("blocks") or []
        if not text and not blocks:
            raise SlackError("no_text")
        problems = block_problems(blocks)
        if problems:
            raise SlackError("invalid_blocks", problems)
        if body.get("replace_original") and source is not None:
            self.log.change(source, "response_url", text, blocks)
            return
        in_channel = body.get("response_type") == "in_channel"
        thread = str(body.get("thread_ts") or (source.thread_ts if source else ""))
        hidden_to = "" if in_channel else user
        bot = self.config.bot_user_id
        self.log.add(channel, bot, text, "response_url", blocks=blocks, ephemeral_to=hidden_to, thread_ts=thread)
