"""chat.*: posting, updating and deleting messages."""

from typing import Any

from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.messages import TEXT_LIMIT, Message
from services.slack_sandbox.validation import (
    BLOCK_TEXT_TOTAL,
    UPDATE_TEXT_BYTES,
    block_problems,
    metadata_problem,
    text_total,
)
from services.slack_sandbox.web_api.call import Answer, Call, Method, RateLimited

ATTACHMENTS = 100


def post_message(call: Call) -> Answer:
    channel = call.workspace.directory.posting_channel(call.text("channel"))
    content = _content(call)
    thread_ts = _thread(call, channel.id)
    wait = call.workspace.limits.retry_after_message(channel.id)
    if wait:
        raise RateLimited(wait)
    log = call.workspace.log
    broadcast = call.flag("reply_broadcast")
    bot = call.config.bot_user_id
    message = log.add(channel.id, bot, method="chat.postMessage", thread_ts=thread_ts, broadcast=broadcast, **content)
    answer = {"channel": channel.id, "ts": message.ts, "message": log.as_json(message, include_metadata=True)}
    if len(call.text("text")) > TEXT_LIMIT:
        answer["response_metadata"] = {"warnings": ["message_truncated"]}
    return answer


def post_ephemeral(call: Call) -> Answer:
    directory = call.workspace.directory
    channel = directory.readable_channel(call.text("channel"))
    if channel.is_archived:
        raise SlackError("is_archived")
    if call.text("user") not in directory.members(channel):
        raise SlackError("user_not_in_channel")
    content = _content(call)
    message = call.workspace.log.add(
        channel.id,
        call.config.bot_user_id,
        method="chat.postEphemeral",
        thread_ts=_thread(call, channel.id),
        ephemeral_to=call.text("user"),
        **content,
    )
    return {"message_ts": message.ts}


def update(call: Call) -> Answer:
    """Omitted metadata is retained, an empty object removes it; text without blocks removes the blocks."""
    message = _own_message(call, "cant_update_message")
    if len(call.text("text").encode()) > UPDATE_TEXT_BYTES:
        raise SlackError("msg_too_long")
    content = _content(call)
    if call.args.get("metadata") is not None:
        message.metadata = content["metadata"]
    text = content["text"] if call.args.get("text") is not None else message.text
    log = call.workspace.log
    log.change(message, "chat.update", text, content["blocks"])
    shown = log.as_json(message, include_metadata=True)
    return {"channel": message.channel, "ts": message.ts, "text": message.text, "message": shown}


def delete(call: Call) -> Answer:
    message = _own_message(call, "cant_delete_message")
    call.workspace.log.delete(message, "chat.delete")
    return {"channel": message.channel, "ts": message.ts}


def get_permalink(call: Call) -> Answer:
    channel = call.workspace.directory.visible_channel(call.text("channel"))
    message = call.workspace.log.find(channel.id, call.text("message_ts"))
    address = f"{call.config.public_url}/?channel={channel.id}#p{message.ts.replace('.', '')}"
    return {"channel": channel.id, "permalink": address}


def _content(call: Call) -> dict[str, Any]:
    """Text, blocks and metadata, checked as Slack checks them."""
    blocks = call.json("blocks", "invalid_blocks_format") or []
    attachments = call.json("attachments", "invalid_attachments") or []
    if not call.text("text") and not blocks and not attachments:
        raise SlackError("no_text")
    problems = block_problems(blocks)
    if problems:
        raise SlackError("invalid_blocks", problems)
    if text_total(blocks) > BLOCK_TEXT_TOTAL:
        raise SlackError("msg_blocks_too_long")
    if len(attachments) > ATTACHMENTS:
        raise SlackError("too_many_attachments")
    metadata = call.json("metadata", "invalid_metadata_format") or {}
    wrong = metadata_problem(metadata)
    if wrong:
        raise SlackError(wrong)
    extra = {"attachments": attachments} if attachments else {}
    return {"text": call.text("text"), "blocks": blocks, "metadata": metadata, "extra": extra}


def _thread(call: Call, channel_id: str) -> str:
    thread_ts = call.text("thread_ts")
    if thread_ts and not call.workspace.log.exists(channel_id, thread_ts):
        raise SlackError("thread_not_found")
    return thread_ts


def _own_message(call: Call, foreign: str) -> Message:
    """The bot's own message; ephemeral ones cannot be found again."""
    channel = call.workspace.directory.visible_channel(call.text("channel"))
    message = call.workspace.log.find(channel.id, call.text("ts"))
    if message.ephemeral_to:
        raise SlackError("message_not_found")
    if message.user != call.config.bot_user_id:
        raise SlackError(foreign)
    return message


WRITE = ("chat:write",)
METHODS = {
    "chat.postMessage": Method(post_message, 0, ("channel",), WRITE, json=True),
    "chat.postEphemeral": Method(post_ephemeral, 4, ("channel", "user"), WRITE, json=True),
    "chat.update": Method(update, 3, ("channel", "ts"), WRITE, json=True),
    "chat.delete": Method(delete, 3, ("channel", "ts"), WRITE, json=True),
    "chat.getPermalink": Method(get_permalink, 5, ("channel", "message_ts")),
}
