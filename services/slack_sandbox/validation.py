"""Block Kit's rules over plain dictionaries: what Slack would refuse, said in its words. Pure.

Numbers: https://docs.slack.dev/reference/block-kit (blocks, block elements, composition objects, views).
`SHAPES` in `block_shapes.py` holds the table; here are the rules that look at more than one field.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from services.slack_sandbox.block_shapes import BLOCKS, VIEWS, Problem, check_tagged

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
VIEW_BYTES = 250_000
UPDATE_TEXT_BYTES = 4_000
BLOCK_TEXT_TOTAL = 13_200  # measured by others; Slack publishes no number


def block_problems(blocks: Any, surface: str = "message", pointer: str = "/blocks") -> list[str]:
    """What is wrong with the blocks of a `message`, `modal` or `home`; empty when Slack would take them."""
    if not isinstance(blocks, list):
        return [_say(("must be an array", pointer))]
    limit = MESSAGE_BLOCKS if surface == "message" else VIEW_BLOCKS
    found: list[Problem] = []
    if len(blocks) > limit:
        found.append((f"no more than {limit} items allowed", pointer))
    for number, block in enumerate(blocks):
        where = f"{pointer}/{number}"
        own = list(check_tagged(BLOCKS, block, where))
        found += own
        if not own:
            found += _cross_checks(block, surface, where)
    found += _duplicate_block_ids(blocks, pointer)
    return [_say(problem) for problem in found]


def view_problems(view: Any) -> list[str]:
    """What is wrong with a modal or home view, its blocks included."""
    if not isinstance(view, dict):
        return [_say(("must be an object", "/view"))]
    found = [_say(problem) for problem in check_tagged(VIEWS, view, "/view")]
    if found:
        return found
    if view["type"] == "modal" and "submit" not in view and _has_input(view["blocks"]):
        found.append(_say(("must define `submit` to use an `input` block in modals", "/view/submit")))
    return found + block_problems(view["blocks"], view["type"], "/view/blocks")


def view_too_large(view: dict[str, Any]) -> bool:
    return len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES


def metadata_problem(metadata: Any) -> str | None:
    """Slack's error code for message metadata, or None."""
    if metadata == {}:
        return None
    if not isinstance(metadata, dict) or set(metadata) != {"event_type", "event_payload"}:
        return "invalid_metadata_format"
    right = isinstance(metadata["event_type"], str) and metadata["event_type"]
    return None if right and isinstance(metadata["event_payload"], dict) else "invalid_metadata_format"


def text_total(value: Any) -> int:
    """Characters of all text in the blocks."""
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(text_total(inner) for inner in value.values())
    return sum(text_total(inner) for inner in value) if isinstance(value, list) else 0


def _cross_checks(block: dict[str, Any], surface: str, where: str) -> Iterator[Problem]:
    kind = block["type"]
    if kind == "section" and not block.get("text") and not block.get("fields"):
        yield ("missing required field: text", where)
    if kind == "image" and ("image_url" in block) == ("slack_file" in block):
        yield ("exactly one of `image_url` and `slack_file` is required", where)
    if kind == "actions":
        ids = Counter(element["action_id"] for element in block["elements"] if "action_id" in element)
        for action_id, times in ids.items():
            if times > 1:
                yield (f"`action_id` {action_id} already exists", f"{where}/elements")
    if kind == "markdown" and surface != "message":
        yield ("unsupported type: markdown", f"{where}/type")
    yield from _option_checks(block, where)


def _option_checks(value: Any, where: str) -> Iterator[Problem]:
    """A static select has options or groups, never both; an initial option must be one of them."""
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _option_checks(inner, f"{where}/{number}")
    if not isinstance(value, dict):
        return
    if value.get("type") in ("static_select", "multi_static_select") and ("options" in value) == (
        "option_groups" in value
    ):
        yield ("exactly one of `options` and `option_groups` is required", where)
    grouped = [option for group in value.get("option_groups", []) for option in group["options"]]
    options = value.get("options", []) + grouped
    chosen = [value["initial_option"]] if "initial_option" in value else value.get("initial_options", [])
    if options and any(option not in options for option in chosen):
        yield ("initial option must match one of the options", where)
    for key, inner in value.items():
        yield from _option_checks(inner, f"{where}/{key}")


def _duplicate_block_ids(blocks: list[Any], pointer: str) -> Iterator[Problem]:
    given = [block.get("block_id") for block in blocks if isinstance(block, dict)]
    ids = Counter(block_id for block_id in given if isinstance(block_id, str))
    for block_id, times in ids.items():
        if times > 1:
            yield (f"`block_id` {block_id} already exists", pointer)


def _has_input(blocks: list[Any]) -> bool:
    return any(isinstance(block, dict) and block.get("type") == "input" for block in blocks)


def _say(problem: Problem) -> str:
    text, pointer = problem
    return f"[ERROR] {text} [json-pointer:{pointer}]"
