"""What a failed call to Slack means for the message: certainly not sent, or unknown. Pure.

Codes: https://docs.slack.dev/reference/methods/chat.postMessage (errors); the classes of transport errors were
measured with slack_sdk 3.47 (reference/slack.md, section 2).
"""

import math

import aiohttp
from slack_sdk.errors import SlackApiError

from services.router.channels.base import BadMessage, Gone, NotSent, Outcome, Parked, RateLimited, Unknown

DEFAULT_RETRY_AFTER = 30.0
# Whatever stands in Retry-After: neither at once, again and again, nor so late that one bad header stops all alerts.
SHORTEST_RETRY_AFTER, LONGEST_RETRY_AFTER = 1.0, 300.0
_RATE_LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
WORKSPACE = frozenset(
    "invalid_auth not_authed token_revoked token_expired account_inactive missing_scope no_permission "
    "not_allowed_token_type org_login_required ekm_access_denied team_access_not_granted access_denied "
    "messages_tab_disabled method_deprecated deprecated_endpoint app_missing_action_url".split()
)
_PLACE = frozenset(
    "not_in_channel channel_not_found is_archived restricted_action_read_only_channel restricted_action_non_threadable_"
    "channel restricted_action_thread_only_channel restricted_action_thread_locked user_not_found user_disabled "
    "user_not_visible cannot_dm_bot users_not_found thread_not_found cannot_reply_to_message team_not_found".split()
)
# Only the thread is closed or gone: a message of its own can still be posted there.
THREAD = frozenset(
    "thread_not_found cannot_reply_to_message restricted_action_thread_locked "
    "restricted_action_non_threadable_channel".split()
)
_BAD = frozenset(
    "invalid_blocks invalid_blocks_format msg_too_long msg_blocks_too_long no_text too_many_attachments "
    "metadata_too_large invalid_metadata_format invalid_metadata_schema invalid_arguments invalid_attachments "
    "markdown_text_conflict block_mismatch".split()
)
# Slack says itself that some of the work may have been done.
_UNKNOWABLE = frozenset({"fatal_error", "internal_error", "service_unavailable", "team_added_to_org"})
_UNCHANGEABLE = frozenset({"cant_update_message", "edit_window_closed", "is_inactive", "cant_broadcast_message"})


def classify(error: BaseException) -> Outcome:
    """Only what is certain is called "not sent"; everything else is unknown and will be looked for."""
    if isinstance(error, SlackApiError):
        return _api(error)
    # A refused or unresolved connection is a ClientOSError too, but nothing was ever written to it.
    if isinstance(error, aiohttp.ClientConnectorError):
        return NotSent("Slack cannot be reached")
    return Unknown(type(error).__name__)


def code_of(error: SlackApiError) -> str:
    """Slack's error code, or an empty string where the answer carries none (HTML of a proxy, an empty body)."""
    data = getattr(error.response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    return code if isinstance(code, str) else ""


def _api(error: SlackApiError) -> Outcome:
    status = _status(error)
    code = code_of(error)
    if status == 429 or code in _RATE_LIMITED:
        return RateLimited(_retry_after(error))
    if status >= 500 or not code or code in _UNKNOWABLE:
        return Unknown(code or f"HTTP {status}")
    if code == "message_not_found":
        return Gone(code, removed=True)
    if code in _UNCHANGEABLE:
        return Gone(code, removed=False)
    if code in WORKSPACE:
        return Parked(code, everywhere=True)
    if code in _PLACE or code.startswith("restricted_action"):
        return Parked(code)
    if code in _BAD or code.startswith(("invalid_blocks", "invalid_metadata", "metadata_")):
        return BadMessage(code)
    return NotSent(code)


def _status(error: SlackApiError) -> int:
    found = getattr(error.response, "status_code", None)
    if found is None:
        found = getattr(error.response, "status", 0)  # the SDK passes aiohttp's own answer when the body is no JSON
    return int(found or 0)


def _retry_after(error: SlackApiError) -> float:
    headers = getattr(error.response, "headers", None) or {}
    value = next((value for name, value in dict(headers).items() if name.lower() == "retry-after"), "")
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    return DEFAULT_RETRY_AFTER if math.isnan(seconds) else min(max(seconds, SHORTEST_RETRY_AFTER), LONGEST_RETRY_AFTER)
