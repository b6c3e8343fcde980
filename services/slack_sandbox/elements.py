"""What a person enters into each input element, as Slack hands it to an app. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

# element type -> (key in state.values and actions, key of its initial value)
VALUE_KEYS = {
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "users_select": ("selected_user", "initial_user"),
    "multi_users_select": ("selected_users", "initial_users"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "multi_static_select": ("selected_options", "initial_options"),
    "checkboxes": ("selected_options", "initial_options"),
    "overflow": ("selected_option", ""),
}
REQUIRED = "Please complete this required field."


def options_of(element: dict[str, Any]) -> list[dict[str, Any]]:
    grouped = [option for group in element.get("option_groups", []) for option in group["options"]]
    return list(element.get("options", [])) + grouped


def interactive_elements(blocks: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each (block, element) a person can act on."""
    for block in blocks:
        for element in (*block.get("elements", []), block.get("accessory"), block.get("element")):
            if isinstance(element, dict) and "action_id" in element:
                yield block, element


def entry(element: dict[str, Any], given: Any = None) -> dict[str, Any]:
    """The element's part of state.values: `given` as typed or chosen, else its initial value.

    Options are given by their value, date-times as Unix seconds or ISO 8601 with an offset. Raises ValueError.
    """
    kind = element["type"]
    key, initial = VALUE_KEYS[kind]
    many = key.endswith("s")
    if given is None:
        return {"type": kind, key: element.get(initial, [] if many else None)}
    if many:
        chosen = given if isinstance(given, list) else [given]
        return {"type": kind, key: [_convert(element, key, value) for value in chosen if value != ""]}
    return {"type": kind, key: None if given == "" else _convert(element, key, given)}


def _convert(element: dict[str, Any], key: str, given: Any) -> Any:
    if key.startswith("selected_option"):
        return _option(element, given)
    if key == "selected_date_time":
        text = str(given)
        return int(text) if text.isdigit() else int(datetime.fromisoformat(text).timestamp())
    if key == "selected_date":
        return datetime.strptime(str(given), "%Y-%m-%d").date().isoformat()  # noqa: DTZ007 - a date has no zone
    return str(given)


def _option(element: dict[str, Any], given: Any) -> dict[str, Any]:
    if element["type"] == "external_select" and isinstance(given, dict):
        return given
    value = given.get("value") if isinstance(given, dict) else given
    for option in options_of(element):
        if option["value"] == value:
            return dict(option)
    raise ValueError(f"{element['action_id']} has no option {value!r}")


def state_values(blocks: list[dict[str, Any]], given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """state.values of a view or message; `given` is {block_id: value} or {block_id: {action_id: value}}."""
    values: dict[str, dict[str, Any]] = {}
    for block, element in interactive_elements(blocks):
        if element["type"] in ("button", "overflow"):
            continue
        answer = given.get(block["block_id"])
        if isinstance(answer, dict) and (element["action_id"] in answer or "value" not in answer):
            answer = answer.get(element["action_id"])
        values.setdefault(block["block_id"], {})[element["action_id"]] = entry(element, answer)
    return values


def input_errors(blocks: list[dict[str, Any]], values: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What Slack's own client refuses before the app hears of it: {block_id: words}."""
    errors = {}
    for block in blocks:
        if block["type"] != "input":
            continue
        element = block["element"]
        value = values[block["block_id"]][element["action_id"]][VALUE_KEYS[element["type"]][0]]
        problem = _input_error(element, value, bool(block.get("optional")))
        if problem:
            errors[block["block_id"]] = problem
    return errors


def _input_error(element: dict[str, Any], value: Any, optional: bool) -> str | None:
    if value in (None, "", []) or (isinstance(value, str) and not value.strip()):
        return None if optional else REQUIRED
    if element["type"] == "plain_text_input":
        if len(value) < element.get("min_length", 0):
            return f"Please enter at least {element['min_length']} characters."
        if len(value) > element.get("max_length", 3_000):
            return f"Please enter no more than {element.get('max_length', 3_000)} characters."
    if element["type"] == "number_input" and not value.lstrip("-").replace(".", "", 1).isdigit():
        return "Please enter a number."
    return None


def action(block: dict[str, Any], element: dict[str, Any], given: Any, action_ts: str) -> dict[str, Any]:
    """One entry of `actions` in a block_actions payload."""
    shared = {"action_id": element["action_id"], "block_id": block["block_id"], "action_ts": action_ts}
    if element["type"] != "button":
        return {**shared, **entry(element, given)}
    answer = {**shared, "type": "button", "text": element["text"]}
    return answer | {key: element[key] for key in ("value", "style", "url") if key in element}
