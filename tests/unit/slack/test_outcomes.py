"""What a failed call means: "not sent" only where that is certain; everything else is looked for."""

from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from services.router.channels.base import BadMessage, Gone, NotSent, Outcome, Parked, RateLimited, Unknown
from services.router.slack.errors import classify


def api_error(status: int, data: Any = None, headers: dict[str, str] | None = None) -> SlackApiError:
    response = AsyncSlackResponse(
        client=None, http_verb="POST", api_url="", req_args={}, data=data if data is not None else {},
        headers=headers or {}, status_code=status,
    )  # fmt: skip
    return SlackApiError("failed", response)


def refused() -> Exception:
    return aiohttp.ClientConnectorError(
        aiohttp.client_reqrep.ConnectionKey("h", 1, False, True, None, None, None), OSError()
    )


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (refused(), NotSent("Slack cannot be reached")),
        (aiohttp.ServerDisconnectedError(), Unknown("ServerDisconnectedError")),
        (aiohttp.ClientOSError(104, "reset"), Unknown("ClientOSError")),
        (aiohttp.ClientPayloadError(), Unknown("ClientPayloadError")),
        (TimeoutError(), Unknown("TimeoutError")),
        (api_error(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "7"}), RateLimited(7)),
        (api_error(429, headers={"retry-after": "3"}), RateLimited(3)),
        (api_error(429, headers={"retry-after": "soon"}), RateLimited(30)),
        (api_error(429, headers={"retry-after": "0"}), RateLimited(1)),
        (api_error(429, headers={"retry-after": "-5"}), RateLimited(1)),
        (api_error(429, headers={"retry-after": "nan"}), RateLimited(30)),
        (api_error(429, headers={"retry-after": "inf"}), RateLimited(300)),
        (api_error(429, headers={"retry-after": "1000000000"}), RateLimited(300)),
        (api_error(429, headers={"retry-after": "1e400"}), RateLimited(300)),
        (api_error(200, {"ok": False, "error": "rate_limited"}), RateLimited(30)),
        (api_error(500, {"ok": False, "error": "internal_error"}), Unknown("internal_error")),
        (api_error(503), Unknown("HTTP 503")),
        (api_error(200), Unknown("HTTP 200")),
        (api_error(200, "<html>login</html>"), Unknown("HTTP 200")),
        (api_error(200, {"ok": False, "error": "fatal_error"}), Unknown("fatal_error")),
        (api_error(200, {"ok": False, "error": "not_in_channel"}), Parked("not_in_channel")),
        (api_error(200, {"ok": False, "error": "is_archived"}), Parked("is_archived")),
        (api_error(200, {"ok": False, "error": "invalid_auth"}), Parked("invalid_auth", everywhere=True)),
        (api_error(200, {"ok": False, "error": "missing_scope"}), Parked("missing_scope", everywhere=True)),
        (api_error(200, {"ok": False, "error": "invalid_blocks"}), BadMessage("invalid_blocks")),
        (api_error(200, {"ok": False, "error": "msg_too_long"}), BadMessage("msg_too_long")),
        (api_error(200, {"ok": False, "error": "message_not_found"}), Gone("message_not_found", removed=True)),
        (api_error(200, {"ok": False, "error": "edit_window_closed"}), Gone("edit_window_closed", removed=False)),
        (api_error(200, {"ok": False, "error": "something_new"}), NotSent("something_new")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_every_failure_has_its_meaning(error: Exception, outcome: Outcome) -> None:
    assert classify(error) == outcome
