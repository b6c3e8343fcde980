"""One Web API call: its arguments, read as Slack reads them from JSON, form or query."""

import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.slack_sandbox.config import SandboxConfig
from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.state import Workspace

Answer = dict[str, Any]


class RateLimited(SlackError):
    """HTTP 429; `retry_after` in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("ratelimited")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Call:
    """The arguments of one call and the workspace it acts on."""

    workspace: Workspace
    args: dict[str, Any]

    @property
    def config(self) -> SandboxConfig:
        return self.workspace.config

    def text(self, name: str, default: str = "") -> str:
        value = self.args.get(name)
        return default if value is None else str(value)

    def flag(self, name: str) -> bool:
        return str(self.args.get(name, "")).lower() in ("1", "true")

    def number(self, name: str, default: int, highest: int) -> int:
        """Between 1 and `highest`; raises SlackError invalid_limit for what is no number."""
        try:
            value = int(self.args.get(name) or default)
        except (TypeError, ValueError):
            raise SlackError("invalid_limit") from None
        return max(1, min(value, highest))

    def json(self, name: str, error: str) -> Any:
        """A structured argument, which forms carry as a JSON string; None when absent. Raises SlackError `error`."""
        value = self.args.get(name)
        if not isinstance(value, str) or not value:
            return None if value == "" else value
        try:
            return json.loads(value)
        except ValueError:
            raise SlackError(error) from None

    def need_scope(self, *any_of: str) -> None:
        provided = self.config.scopes
        if any_of and not set(any_of) & set(provided):
            raise SlackError("missing_scope", needed=any_of[0], provided=",".join(provided))

    def page(self, items: Sequence[Any], limit: int) -> tuple[list[Any], Answer]:
        """One page of `items` by cursor, and the response_metadata that leads to the next."""
        start = self._cursor()
        following = start + limit
        cursor = base64.b64encode(f"offset:{following}".encode()).decode() if following < len(items) else ""
        return list(items[start:following]), {"response_metadata": {"next_cursor": cursor}}

    def _cursor(self) -> int:
        cursor = self.text("cursor")
        if not cursor:
            return 0
        try:
            return int(base64.b64decode(cursor, validate=True).decode().removeprefix("offset:"))
        except ValueError:
            raise SlackError("invalid_cursor") from None


@dataclass(frozen=True)
class Method:
    """How a method is called: its rate tier (0: limited by the method itself), scopes (any of), arguments.

    `json` is False for the methods that, like the original, ignore a JSON body.
    """

    run: Callable[[Call], Answer | Awaitable[Answer]]
    tier: int
    required: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    json: bool = False
    app_token: bool = False
