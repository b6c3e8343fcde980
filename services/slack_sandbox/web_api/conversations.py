"""conversations.*: opening, listing and reading channels and DMs."""

import re

from services.slack_sandbox.config import SandboxChannel
from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.messages import Message
from services.slack_sandbox.web_api.call import Answer, Call, Method

TS = re.compile(r"\d+(\.\d{1,6})?")
GROUP_DM_PEOPLE = 8
HISTORY_PAGE = 999
KINDS = {"public_channel", "private_channel", "im", "mpim"}


def open_dm(call: Call) -> Answer:
    directory = call.workspace.directory
    if call.text("channel"):
        channel, was_open = directory.visible_channel(call.text("channel")), True
        if not (channel.is_im or channel.is_mpim):
            raise SlackError("method_not_supported_for_channel_type")
    else:
        users = [user.strip() for user in call.text("users").split(",") if user.strip()]
        if not users:
            raise SlackError("users_list_not_supplied")
        if len(users) > GROUP_DM_PEOPLE:
            raise SlackError("too_many_users")
        call.need_scope("im:write" if len(users) == 1 else "mpim:write")
        channel, was_open = directory.open_dm(users)
    shown = directory.channel_json(channel) if call.flag("return_im") else {"id": channel.id}
    known = {"no_op": True, "already_open": True} if was_open else {}
    return {**known, "channel": shown}


def info(call: Call) -> Answer:
    channel = _channel(call, "read")
    return {"channel": call.workspace.directory.channel_json(channel)}


def listing(call: Call) -> Answer:
    kinds = {kind.strip() for kind in call.text("types", "public_channel").split(",")}
    if not kinds <= KINDS:
        raise SlackError("invalid_types")
    directory = call.workspace.directory
    without_archived = call.flag("exclude_archived")
    wanted = [
        channel
        for channel in directory.channels.values()
        if _kind(channel) in kinds
        and (not channel.is_private or channel.bot_is_member)
        and not (without_archived and channel.is_archived)
    ]
    page, metadata = call.page(wanted, call.number("limit", 100, 1000))
    return {"channels": [directory.channel_json(channel) for channel in page], **metadata}


def members(call: Call) -> Answer:
    channel = _channel(call, "read")
    page, metadata = call.page(call.workspace.directory.members(channel), call.number("limit", 100, 1000))
    return {"members": page, **metadata}


def join(call: Call) -> Answer:
    directory = call.workspace.directory
    channel = directory.visible_channel(call.text("channel"))
    if channel.is_im or channel.is_mpim or channel.is_private:
        raise SlackError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise SlackError("is_archived")
    channel.bot_is_member = True
    return {"channel": directory.channel_json(channel)}


def history(call: Call) -> Answer:
    """Top-level messages, newest first; those younger than an injected history lag do not show yet."""
    channel = _channel(call, "history")
    messages = _in_range(call, call.workspace.log.roots(channel.id))
    return _messages_page(call, messages[::-1])


def replies(call: Call) -> Answer:
    """The parent and its thread, oldest first."""
    channel = _channel(call, "history")
    log = call.workspace.log
    parent_ts = call.text("ts")
    if not log.exists(channel.id, parent_ts):
        raise SlackError("thread_not_found")
    parent = [message for message in log.roots(channel.id) if message.ts == parent_ts]
    return _messages_page(call, parent + _in_range(call, log.replies(channel.id, parent_ts)))


def _kind(channel: SandboxChannel) -> str:
    if channel.is_im:
        return "im"
    if channel.is_mpim:
        return "mpim"
    return "private_channel" if channel.is_private else "public_channel"


def _channel(call: Call, right: str) -> SandboxChannel:
    directory = call.workspace.directory
    channel = directory.visible_channel(call.text("channel"))
    if right == "history":
        channel = directory.readable_channel(channel.id)
    prefix = {"im": "im", "mpim": "mpim", "private_channel": "groups", "public_channel": "channels"}[_kind(channel)]
    call.need_scope(f"{prefix}:{right}")
    return channel


def _in_range(call: Call, messages: list[Message]) -> list[Message]:
    oldest, latest = _instant(call, "oldest"), _instant(call, "latest")
    visible_until = call.config.clock() - call.workspace.faults.history_lag
    inclusive = call.flag("inclusive")
    found = []
    for message in messages:
        ts = _micros(message.ts)
        late = message.posted_at > visible_until
        outside = (oldest is not None and ts < oldest) or (latest is not None and ts > latest)
        if late or outside or (not inclusive and ts in (oldest, latest)):
            continue
        found.append(message)
    return found


def _instant(call: Call, name: str) -> int | None:
    value = call.text(name)
    if not value:
        return None
    if not TS.fullmatch(value):
        raise SlackError(f"invalid_ts_{name}")
    return _micros(value) or None


def _micros(ts: str) -> int:
    """Exact: a float would lose the last digits of a ts."""
    seconds, _, fraction = ts.partition(".")
    return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0") or 0)


def _messages_page(call: Call, messages: list[Message]) -> Answer:
    page, metadata = call.page(messages, call.number("limit", 100, HISTORY_PAGE))
    more = bool(metadata["response_metadata"]["next_cursor"])
    include = call.flag("include_all_metadata")
    shown = [call.workspace.log.as_json(message, include) for message in page]
    return {"messages": shown, "has_more": more, **(metadata if more else {})}


METHODS = {
    "conversations.open": Method(open_dm, 3, json=True),
    "conversations.info": Method(info, 3, ("channel",)),
    "conversations.list": Method(listing, 2),
    "conversations.members": Method(members, 4, ("channel",)),
    "conversations.join": Method(join, 3, ("channel",), ("channels:join",), json=True),
    "conversations.history": Method(history, 3, ("channel",), json=True),
    "conversations.replies": Method(replies, 3, ("channel", "ts")),
}
