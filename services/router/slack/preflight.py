"""What an administrator asks before real people are alerted: does Slack take our messages, and does a test arrive."""

from collections.abc import Mapping

from slack_sdk.errors import SlackApiError

from services.router.channels.base import Post, Reachable, Sent, Unreachable
from services.router.channels.slack import SHARED_MARKS, SlackChannel
from services.router.domain.messages import Instant, Message, Strong
from services.router.slack.client import SlackClient, data_of
from services.router.slack.errors import code_of
from services.router.slack.signatures import secrets_of
from shared import ids
from shared.errors import CloseloopError
from shared.runtime import Runtime

_ALWAYS = {
    "chat:write": "post and update cards",
    "im:write": "open direct messages",
    "im:history": "find a message whose answer was lost",
    "users:read": "know who clicked",
    "users:read.email": "find people by e-mail",
    "commands": "answer /loops",
}
_IN_CHANNELS = {
    "channels:history": "find a message whose answer was lost in a public channel",
    "groups:history": "the same in a private channel",
    "channels:read": "check the channel",
    "groups:read": "check a private channel",
}
_NOT_INSTALLED = "CLOSELOOP_SLACK__BOT_TOKEN is not set: install the app and paste its xoxb- token"
_IN_GROUPS = {"mpim:write": "open group messages", "mpim:history": "find a message whose answer was lost there"}


async def slack_problems(runtime: Runtime) -> list[str]:
    """Everything that keeps alerts from arriving, each with what to do; empty when all is well."""
    settings = runtime.settings.slack
    if settings.bot_token is None:
        return [_NOT_INSTALLED]
    problems = []
    if not secrets_of(settings.signing_secret) and settings.app_token is None:
        problems.append("no button will work: set CLOSELOOP_SLACK__SIGNING_SECRET, or APP_TOKEN for Socket Mode")
    client = SlackClient(settings)
    try:
        return problems + await _workspace_problems(runtime, client)
    finally:
        await client.close()


async def send_test_alert(runtime: Runtime, to_email: str) -> str:
    """Post a harmless card to one person; returns a sentence. Raises CloseloopError saying why it did not arrive."""
    if runtime.settings.slack.bot_token is None:
        raise CloseloopError(_NOT_INSTALLED)
    client = SlackClient(runtime.settings.slack)
    try:
        channel = SlackChannel(client, runtime.policy.routing.slack_users)
        person = await channel.person(to_email.strip().lower())
        if isinstance(person, Unreachable):
            raise CloseloopError(f"{to_email} {person.why}: check the e-mail address in their Slack profile.")
        if not isinstance(person, Reachable):
            raise CloseloopError(f"Slack did not say who {to_email} is: {person}. See `closeloop doctor`.")
        notice_id = ids.new_id()
        outcome = await channel.send(Post(notice_id, person.place, _test_message(runtime), {}))
        if isinstance(outcome, Sent):
            return f"A test alert is in the direct messages of {to_email} (message {outcome.ts})."
        raise CloseloopError(f"Slack did not take the test alert: {outcome}. See `closeloop doctor`.")
    finally:
        await client.close()


def _test_message(runtime: Runtime) -> Message:
    return Message(
        case_id="test",
        rev=0,
        headline=("🔔 ", Strong("Test alert"), " from Closeloop"),
        text="Test alert from Closeloop: alerts reach you here.",
        lines=(("This is where low scores of your customers will reach you. Nothing is to be done.",),),
        context=(("Sent ", Instant(runtime.clock.now())),),
    )


async def _workspace_problems(runtime: Runtime, client: SlackClient) -> list[str]:
    try:
        answer = await client.web.auth_test()
    except SlackApiError as error:
        return [f"Slack refuses the bot token ({code_of(error) or 'no reason given'}): install the app again"]
    except Exception as error:
        return [f"{runtime.settings.slack.api_url} does not answer ({type(error).__name__}): check network and API_URL"]
    return [*_missing_scopes(runtime, answer.headers), *await _channel_problems(runtime, client)]


def _missing_scopes(runtime: Runtime, headers: Mapping[str, str]) -> list[str]:
    told = next((value for name, value in headers.items() if name.lower() == "x-oauth-scopes"), None)
    if told is None:
        return []
    granted = {scope.strip() for scope in str(told).split(",")}
    routing = runtime.policy.routing
    needed = dict(_ALWAYS)
    if _channel_of(runtime):
        needed |= _IN_CHANNELS
    elif routing.delivery == "group_dm":
        needed |= _IN_GROUPS
    return [
        f"the app lacks the scope {scope} (to {why}): add it to the app and install it again"
        for scope, why in needed.items()
        if scope not in granted
    ]


def _channel_of(runtime: Runtime) -> str | None:
    fixed = runtime.policy.routing.pilot or runtime.policy.routing.delivery
    return fixed.removeprefix("channel:") if fixed.startswith("channel:") else None


async def _channel_problems(runtime: Runtime, client: SlackClient) -> list[str]:
    channel_id = _channel_of(runtime)
    if channel_id is None:
        return []
    try:
        channel = data_of(await client.web.conversations_info(channel=channel_id)).get("channel") or {}
    except SlackApiError as error:
        return [f"channel {channel_id}: {code_of(error)}: in that channel type /invite and the name of the app"]
    except Exception as error:
        return [f"channel {channel_id} could not be checked ({type(error).__name__})"]
    problems = []
    if channel.get("is_archived"):
        problems.append(f"channel {channel_id} is archived: choose another in [routing]")
    if any(channel.get(mark) for mark in SHARED_MARKS):
        problems.append(f"channel {channel_id} is shared with another company: customers could read alerts there")
    if not channel.get("is_member", True):
        problems.append(f"the app is not in channel {channel_id}: type /invite and its name there")
    return problems
