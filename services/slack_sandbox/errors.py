"""The one exception a Web API method raises: Slack's error code, with the words that explain it."""

from collections.abc import Sequence
from typing import Any


class SlackError(Exception):
    """An `ok: false` answer; `messages` go to `response_metadata.messages`."""

    def __init__(self, code: str, messages: Sequence[str] = (), **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.messages = list(messages)
        self.extra = extra

    def body(self) -> dict[str, Any]:
        answer: dict[str, Any] = {"ok": False, "error": self.code, **self.extra}
        if self.messages:
            answer["response_metadata"] = {"messages": self.messages}
            if self.code == "invalid_blocks":
                answer["errors"] = [message.removeprefix("[ERROR] ") for message in self.messages]
        return answer
