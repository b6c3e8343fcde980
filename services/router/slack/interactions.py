"""What Slack sends when somebody clicks or submits, read into what the person wants. Pure; never raises.

Shapes: https://docs.slack.dev/reference/interaction-payloads
"""

import json
from dataclasses import dataclass
from typing import Any

from services.router.domain.messages import ActionId, HomeAction

_VALUES = ("value", "selected_user", "selected_date", "selected_date_time")


@dataclass(frozen=True, slots=True)
class SlackUser:
    """`foreign`: not of the workspace the app is installed in."""

    id: str
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody wants to see that page of their Home tab, counted from 0; `hash` is that of what they saw."""

    user: SlackUser
    page: int
    hash: str


@dataclass(frozen=True, slots=True)
class Click:
    """`version` is what the card showed; `place` and `ts` are where it stands, `home` is set on the Home tab."""

    user: SlackUser
    action: ActionId
    case_id: str
    notice_id: str
    version: int | None
    trigger_id: str
    response_url: str
    place: str
    ts: str
    home: Turn | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """`values` by field; `fields` are the inputs in their order on the modal."""

    user: SlackUser
    action: ActionId
    case_id: str
    notice_id: str
    version: int | None
    values: dict[str, Any]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unheard:
    """Something we no longer know, or never did: the person is told."""

    user: SlackUser
    response_url: str
    trigger_id: str = ""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing to do but to acknowledge: a link button, a closed modal."""


Intent = Click | Turn | Submission | Unheard | Nothing


def read(payload: Any) -> Intent:
    body = _dict(payload)
    match body.get("type"):
        case "block_actions":
            return _click(body)
        case "view_submission":
            return _submission(body)
        case _:
            return Nothing()


def _click(body: dict[str, Any]) -> Intent:
    actions = body.get("actions")
    action = _dict(actions[0]) if isinstance(actions, list) and actions else {}
    chosen = _dict(action.get("selected_option"))
    if "url" in action or "url" in chosen or "value" not in {**action, **chosen}:
        return Nothing()
    value = _json(chosen.get("value") or action.get("value"))
    if action.get("action_id") in list(HomeAction):
        return _turn(body, value.get("page"))
    wanted = _action(value.get("do") or action.get("action_id"))
    user, response_url = _user(body), _text(body.get("response_url"))
    case_id = _text(value.get("case"))
    if wanted is None or not case_id:
        return Unheard(user, response_url, _text(body.get("trigger_id")))
    container = _dict(body.get("container"))
    return Click(
        user=user,
        action=wanted,
        case_id=case_id,
        notice_id=_text(value.get("notice")),
        version=_version(value),
        trigger_id=_text(body.get("trigger_id")),
        response_url=response_url,
        place=_text(_dict(body.get("channel")).get("id")) or _text(container.get("channel_id")),
        ts="" if container.get("is_ephemeral") else _text(container.get("message_ts")),
        home=_home(body),
    )


def _home(body: dict[str, Any]) -> Turn | None:
    """The page of the Home tab that was clicked on."""
    view = _dict(body.get("view"))
    if view.get("type") != "home":
        return None
    return _turn(body, _json(view.get("private_metadata")).get("page"))


def _turn(body: dict[str, Any], page: Any) -> Turn:
    number = page if isinstance(page, int) and not isinstance(page, bool) and page >= 0 else 0
    return Turn(_user(body), number, _text(_dict(body.get("view")).get("hash")))


def _submission(body: dict[str, Any]) -> Intent:
    view = _dict(body.get("view"))
    user = _user(body)
    meta = _json(view.get("private_metadata"))
    wanted, case_id = _action(view.get("callback_id")), _text(meta.get("case"))
    if wanted is None or not case_id:
        return Unheard(user, "")
    blocks = view.get("blocks")
    inputs = [_dict(block) for block in blocks] if isinstance(blocks, list) else []
    return Submission(
        user=user,
        action=wanted,
        case_id=case_id,
        notice_id=_text(meta.get("notice")),
        version=_version(meta),
        values=_values(_dict(_dict(view.get("state")).get("values"))),
        fields=tuple(_text(block.get("block_id")) for block in inputs if block.get("type") == "input"),
    )


def _values(state: dict[str, Any]) -> dict[str, Any]:
    return {field: _value(_dict(_dict(entry).get(field))) for field, entry in state.items()}


def _value(entry: dict[str, Any]) -> Any:
    if "selected_option" in entry:
        return _dict(entry["selected_option"]).get("value")
    return next((entry[key] for key in _VALUES if entry.get(key) is not None), None)


def _user(body: dict[str, Any]) -> SlackUser:
    user, team = _dict(body.get("user")), _dict(body.get("team")).get("id")
    own = user.get("team_id")
    return SlackUser(_text(user.get("id")), foreign=bool(team and own and team != own))


def _action(value: Any) -> ActionId | None:
    try:
        return ActionId(value)
    except ValueError:
        return None


def _version(value: dict[str, Any]) -> int | None:
    version = value.get("version")
    return version if isinstance(version, int) and not isinstance(version, bool) else None


def _json(text: Any) -> dict[str, Any]:
    try:
        return _dict(json.loads(text)) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        return {}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
