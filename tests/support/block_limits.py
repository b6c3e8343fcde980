"""Everything Slack would refuse or cut in a message or view: the sandbox's rules, our own margins, the SDK's models."""

import json
from typing import Any

from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from services.router.slack.blocks import Rendered
from services.slack_sandbox.validation import block_problems, text_total, view_problems, view_too_large

CARD_CHARACTERS = 6_000
TEXT_BYTES = 3_800


def message_problems(card: Rendered) -> list[str]:
    problems = block_problems(card.blocks)
    if text_total(card.blocks) >= CARD_CHARACTERS:
        problems.append(f"{text_total(card.blocks)} characters on one card")
    if not card.text.strip() or len(card.text.encode()) >= TEXT_BYTES:
        problems.append(f"text of {len(card.text.encode())} bytes")
    for block in Block.parse_all(card.blocks):
        block.to_dict()  # the SDK's models raise on what they know to be wrong
    return problems


def modal_problems(view: dict[str, Any]) -> list[str]:
    View(**view).to_dict()
    problems = view_problems(view)
    for block in view["blocks"]:
        if block["type"] == "input" and block["block_id"] != block["element"]["action_id"]:
            problems.append(f"{block['block_id']} holds {block['element']['action_id']}")
    return problems


def everything_said(value: Any) -> str:
    """All of it as one text, as Slack would get it."""
    return json.dumps(value, ensure_ascii=False)


def home_problems(view: dict[str, Any]) -> list[str]:
    problems = view_problems(view)
    if view_too_large(view):
        problems.append("over 250 KB")
    View(**view).to_dict()
    return problems
