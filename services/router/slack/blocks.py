"""A message as Block Kit: short enough for every limit whatever the customer wrote, with plain `text` beside it. Pure.

Limits: https://docs.slack.dev/reference/block-kit and chat.update (text at most 4,000 bytes).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.router.domain.messages import Action, ActionId, Field, Message, Quote
from services.router.slack import mrkdwn
from services.router.slack.mrkdwn import Mentions

TEXT_BYTES = 3_790
HEADLINE, QUOTE, LINE, VALUE, CONTEXT = 480, 1_400, 360, 190, 340
QUOTE_LINES = 12
MOST_LINES, MOST_FIELDS, MOST_CONTEXT = 4, 8, 4
OVERFLOW_ACTION = ActionId.DISMISS

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What chat.postMessage and chat.update are given."""

    text: str
    blocks: list[Block]

    @property
    def plain(self) -> "Rendered":
        """Without blocks: what is sent when Slack refuses the card."""
        return Rendered(self.text, [])


def render(message: Message, notice_id: str, mentions: Mentions | None = None) -> Rendered:
    """`mentions` maps e-mails to Slack user ids; who is not in it is shown by e-mail."""
    who = mentions or {}
    bodies = [
        _headline(message, notice_id, who),
        *_quote(message.quote),
        *_lines(message, who),
        *_fields(message.fields, who),
        *_context(message, who),
        *_buttons(message, notice_id),
    ]
    blocks = [{**body, "block_id": f"c:{message.case_id}:{message.rev}:{number}"} for number, body in enumerate(bodies)]
    return Rendered(_text(message, who), blocks)


def button_value(message: Message, notice_id: str) -> dict[str, Any]:
    """What a button tells us back: what the card was about, never who may do what."""
    return {"case": message.case_id, "notice": notice_id, "version": message.rev}


def mrkdwn_text(text: str) -> dict[str, Any]:
    # verbatim: Slack makes no links, channels or mentions of its own out of what stands there.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain_text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": True}


def section(text: str) -> Block:
    return {"type": "section", "text": mrkdwn_text(text)}


def _headline(message: Message, notice_id: str, who: Mentions) -> Block:
    block = section(mrkdwn.line(message.headline, who, HEADLINE) or message.case_id)
    if message.overflow:
        value = button_value(message, notice_id)
        options = [
            {"text": plain_text(action.label), "value": compact({"do": action.id.value, **value})}
            for action in message.overflow
        ]
        block["accessory"] = {"type": "overflow", "action_id": OVERFLOW_ACTION.value, "options": options}
    return block


def _quote(quote: Quote | None) -> list[Block]:
    if quote is None:
        return []
    text = mrkdwn.quoted(quote.text, QUOTE, QUOTE_LINES) if quote.text.strip() else ""
    if not text.strip(">\n "):
        return [section("_No comment left._")]
    if quote.cut:
        address = mrkdwn.safe_url(quote.more)
        text += f"\n<{address}|… read all>" if address else "\n_… the rest is in Closeloop_"
    return [section(text)]


def _lines(message: Message, who: Mentions) -> list[Block]:
    drawn = [mrkdwn.line(parts, who, LINE) for parts in message.lines[:MOST_LINES]]
    text = "\n".join(line for line in drawn if line.strip())
    return [section(text)] if text else []


def _fields(fields: tuple[Field, ...], who: Mentions) -> list[Block]:
    drawn = []
    for field in fields[:MOST_FIELDS]:
        value = mrkdwn.line(field.value, who, VALUE + mrkdwn.URL_LIMIT * (field.label == "Ticket"))
        drawn.append(mrkdwn_text(f"*{mrkdwn.escape(field.label)}*\n{value or '–'}"))
    return [{"type": "section", "fields": drawn}] if drawn else []


def _context(message: Message, who: Mentions) -> list[Block]:
    drawn = [mrkdwn.line(parts, who, CONTEXT) for parts in message.context[:MOST_CONTEXT]]
    elements = [mrkdwn_text(line) for line in drawn if line.strip()]
    return [{"type": "context", "elements": elements}] if elements else []


def _buttons(message: Message, notice_id: str) -> list[Block]:
    if not message.buttons:
        return []
    value = compact(button_value(message, notice_id))
    return [{"type": "actions", "elements": [button(action, value) for action in message.buttons]}]


def button(action: Action, value: str) -> dict[str, Any]:
    button: dict[str, Any] = {
        "type": "button",
        "action_id": action.id.value,
        "text": plain_text(action.label),
        "value": value,
    }
    if action.primary:
        button["style"] = "primary"
    if action.confirm:
        button["confirm"] = {
            "title": plain_text(action.label),
            "text": plain_text(action.confirm),
            "confirm": plain_text("Yes"),
            "deny": plain_text("No"),
        }
    return button


def _text(message: Message, who: Mentions) -> str:
    called = "".join(f"<@{who[email]}> " for email in message.mention if email in who)
    words = mrkdwn.escape(" ".join(message.text.split())) or message.case_id
    room = TEXT_BYTES - len(called.encode())
    while len(words.encode()) > room:
        words = mrkdwn.cut(words, len(words) - max(1, (len(words.encode()) - room) // 4))
    return called + words


def compact(value: Mapping[str, Any]) -> str:
    """As JSON: what `value` and `private_metadata` carry."""
    return json.dumps(value, separators=(",", ":"))
