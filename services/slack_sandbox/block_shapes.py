"""The table of Block Kit: which fields a block, element, object or view has, and how long each may be. Pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Problem = tuple[str, str]  # what is wrong, JSON pointer
Rule = Callable[[Any, str], Iterator[Problem]]


@dataclass(frozen=True)
class Shape:
    """The fields of one kind of object."""

    required: dict[str, Rule] = field(default_factory=dict)
    optional: dict[str, Rule] = field(default_factory=dict)

    def __call__(self, value: Any, where: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield ("must be an object", where)
            return
        for name in self.required.keys() - value.keys():
            yield (f"missing required field: {name}", where)
        for name, inner in value.items():
            rule = self.required.get(name) or self.optional.get(name)
            if rule is not None:
                yield from rule(inner, f"{where}/{name}")
            elif name != "type":
                yield (f"invalid additional property: {name}", where)


def check_tagged(shapes: dict[str, Shape], value: Any, where: str) -> Iterator[Problem]:
    """Checks an object whose `type` chooses among `shapes`."""
    if not isinstance(value, dict):
        yield ("must be an object", where)
        return
    kind = value.get("type")
    shape = shapes.get(kind) if isinstance(kind, str) else None
    if shape is None:
        yield (f"unsupported type: {kind}", f"{where}/type")
        return
    yield from shape(value, where)


def tagged(shapes: dict[str, Shape], *kinds: str) -> Rule:
    chosen = {kind: shapes[kind] for kind in kinds} if kinds else shapes
    return lambda value, where: check_tagged(chosen, value, where)


def string(longest: int, shortest: int = 1) -> Rule:
    def rule(value: Any, where: str) -> Iterator[Problem]:
        if not isinstance(value, str):
            yield ("must be a string", where)
        elif len(value) > longest:
            yield (f"must be less than {longest + 1} characters", where)
        elif len(value) < shortest:
            yield (f"must be more than {shortest - 1} characters", where)

    return rule


def number(lowest: int, highest: int) -> Rule:
    def rule(value: Any, where: str) -> Iterator[Problem]:
        if isinstance(value, bool) or not isinstance(value, int):
            yield ("must be an integer", where)
        elif not lowest <= value <= highest:
            yield (f"must be between {lowest} and {highest}", where)

    return rule


def boolean(value: Any, where: str) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield ("must be a boolean", where)


def anything(value: Any, where: str) -> Iterator[Problem]:
    yield from ()


def one_of(*values: str) -> Rule:
    def rule(value: Any, where: str) -> Iterator[Problem]:
        if value not in values:
            yield (f"must be one of {', '.join(values)}", where)

    return rule


def pattern(regex: str, example: str) -> Rule:
    def rule(value: Any, where: str) -> Iterator[Problem]:
        if not isinstance(value, str) or not re.fullmatch(regex, value):
            yield (f"must have the form {example}", where)

    return rule


def array(item: Rule, lowest: int, highest: int) -> Rule:
    def rule(value: Any, where: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield ("must be an array", where)
            return
        if len(value) > highest:
            yield (f"no more than {highest} items allowed", where)
        if len(value) < lowest:
            yield (f"must have at least {lowest} items", where)
        for position, inner in enumerate(value):
            yield from item(inner, f"{where}/{position}")

    return rule


def text(longest: int, *kinds: str) -> Rule:
    """A text object; without `kinds` both plain_text and mrkdwn are allowed."""
    size = string(longest)
    plain = Shape({"text": size}, {"emoji": boolean})
    marked = Shape({"text": size}, {"verbatim": boolean})
    return tagged({"plain_text": plain, "mrkdwn": marked}, *(kinds or ("plain_text", "mrkdwn")))


def plain(longest: int) -> Rule:
    return text(longest, "plain_text")


URL = string(3_000)
DATE = pattern(r"\d{4}-\d\d-\d\d", "YYYY-MM-DD")
ID = string(255)
CONFIRM = Shape({"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)}, {
    "style": one_of("primary", "danger"),
})  # fmt: skip
OPTION = Shape({"text": text(75), "value": string(150)}, {"description": text(75), "url": URL})
OPTIONS = array(OPTION, 1, 100)
GROUP = Shape({"label": plain(75), "options": OPTIONS})
COMMON: dict[str, Rule] = {"action_id": ID, "confirm": CONFIRM, "focus_on_load": boolean}
TYPED: dict[str, Rule] = {"placeholder": plain(150), **COMMON}
DISPATCH = Shape({}, {"trigger_actions_on": array(one_of("on_enter_pressed", "on_character_entered"), 1, 2)})
WRITTEN: dict[str, Rule] = {**TYPED, "dispatch_action_config": DISPATCH}
MANY: dict[str, Rule] = {**TYPED, "max_selected_items": number(1, 100)}
FILTER = Shape({}, {
    "include": array(one_of("im", "mpim", "private", "public"), 1, 4),
    "exclude_external_shared_channels": boolean,
    "exclude_bot_users": boolean,
})  # fmt: skip
IMAGE = Shape({"alt_text": string(2_000)}, {"image_url": URL, "slack_file": anything})
BUTTON = Shape({"text": plain(75)}, {
    **COMMON, "url": URL, "value": string(2_000, 0), "style": one_of("primary", "danger"),
    "accessibility_label": string(75),
})  # fmt: skip
STATIC: dict[str, Rule] = {"options": OPTIONS, "option_groups": array(GROUP, 1, 100)}
CHOSEN = array(OPTION, 1, 100)

ELEMENTS: dict[str, Shape] = {
    "button": BUTTON,
    "image": IMAGE,
    "overflow": Shape({"options": array(OPTION, 1, 5)}, {"action_id": ID, "confirm": CONFIRM}),
    "static_select": Shape({}, {**TYPED, **STATIC, "initial_option": OPTION}),
    "multi_static_select": Shape({}, {**MANY, **STATIC, "initial_options": CHOSEN}),
    "external_select": Shape({}, {**TYPED, "initial_option": OPTION, "min_query_length": number(0, 100)}),
    "users_select": Shape({}, {**TYPED, "initial_user": ID}),
    "multi_users_select": Shape({}, {**MANY, "initial_users": array(ID, 1, 100)}),
    "conversations_select": Shape({}, {
        **TYPED, "initial_conversation": ID, "default_to_current_conversation": boolean, "filter": FILTER,
        "response_url_enabled": boolean,
    }),
    "channels_select": Shape({}, {**TYPED, "initial_channel": ID, "response_url_enabled": boolean}),
    "datepicker": Shape({}, {**TYPED, "initial_date": DATE}),
    "timepicker": Shape({}, {**TYPED, "initial_time": pattern(r"\d\d:\d\d", "HH:mm"), "timezone": ID}),
    "datetimepicker": Shape({}, {**COMMON, "initial_date_time": number(1_000_000_000, 9_999_999_999)}),
    "radio_buttons": Shape({"options": array(OPTION, 1, 10)}, {**COMMON, "initial_option": OPTION}),
    "checkboxes": Shape({"options": array(OPTION, 1, 10)}, {**COMMON, "initial_options": array(OPTION, 1, 10)}),
    "plain_text_input": Shape({}, {
        **WRITTEN, "initial_value": string(3_000, 0), "multiline": boolean, "min_length": number(0, 3_000),
        "max_length": number(1, 3_000),
    }),
    "email_text_input": Shape({}, {**WRITTEN, "initial_value": string(3_000, 0)}),
    "url_text_input": Shape({}, {**WRITTEN, "initial_value": string(3_000, 0)}),
    "number_input": Shape({"is_decimal_allowed": boolean}, {
        **WRITTEN, "initial_value": string(40), "min_value": string(40), "max_value": string(40),
    }),
}  # fmt: skip

NOT_INPUT = {"button", "image", "overflow"}
NOT_IN_ACTIONS = {"image", "plain_text_input", "email_text_input", "url_text_input", "number_input"} | {
    kind for kind in ELEMENTS if kind.startswith("multi_")
}
NOT_ACCESSORY = {"plain_text_input", "email_text_input", "url_text_input", "number_input", "datetimepicker"}


def _elements(*excluded: str) -> Rule:
    return tagged({kind: shape for kind, shape in ELEMENTS.items() if kind not in excluded})


CONTEXT = {"image": IMAGE, "mrkdwn": Shape({"text": string(3_000)}, {"verbatim": boolean}), "plain_text": Shape(
    {"text": string(3_000)}, {"emoji": boolean},
)}  # fmt: skip
BLOCK_ID: dict[str, Rule] = {"block_id": ID}

BLOCKS: dict[str, Shape] = {
    "section": Shape({}, {
        **BLOCK_ID, "text": text(3_000), "fields": array(text(2_000), 1, 10), "accessory": _elements(*NOT_ACCESSORY),
        "expand": boolean,
    }),
    "header": Shape({"text": plain(150)}, BLOCK_ID),
    "divider": Shape({}, BLOCK_ID),
    "context": Shape({"elements": array(tagged(CONTEXT), 1, 10)}, BLOCK_ID),
    "actions": Shape({"elements": array(_elements(*NOT_IN_ACTIONS), 1, 25)}, BLOCK_ID),
    "input": Shape({"label": plain(2_000), "element": _elements(*NOT_INPUT)}, {
        **BLOCK_ID, "hint": plain(2_000), "optional": boolean, "dispatch_action": boolean,
    }),
    "image": Shape({"alt_text": string(2_000)}, {
        **BLOCK_ID, "image_url": URL, "slack_file": anything, "title": plain(2_000),
    }),
    "markdown": Shape({"text": string(12_000)}, BLOCK_ID),
    "rich_text": Shape({"elements": array(anything, 0, 1_000)}, BLOCK_ID),
}  # fmt: skip

SHARED_VIEW: dict[str, Rule] = {"private_metadata": string(3_000, 0), "callback_id": string(255, 0), "external_id": ID}
VIEWS: dict[str, Shape] = {
    "modal": Shape({"title": plain(24), "blocks": anything}, {
        **SHARED_VIEW, "submit": plain(24), "close": plain(24), "clear_on_close": boolean, "notify_on_close": boolean,
        "submit_disabled": boolean,
    }),
    "home": Shape({"blocks": anything}, SHARED_VIEW),
}  # fmt: skip
