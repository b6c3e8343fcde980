"""The modals behind the buttons. Inside one, block_id and action_id are the field's name (DESIGN 4). Pure."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from services.router.domain import cards, history, scores
from services.router.domain.actions import CUSTOMER_LEFT
from services.router.domain.case import Status
from services.router.domain.commands import CHANNELS, OUTCOMES
from services.router.domain.messages import ActionId
from services.router.domain.view import CaseView
from services.router.slack import mrkdwn
from services.router.slack.blocks import mrkdwn_text, plain_text

SHORTEST_ACKNOWLEDGEMENT = 10
LONGEST = 3_000
_CONFIRMED = "confirmed"
KEPT, BROKEN = "yes", "no"
_LABELS = {
    "call": "Phone call",
    "email": "E-mail",
    "meeting": "Meeting",
    "chat": "Chat",
    "other": "Other",
    "fixed": "Fixed",
    "workaround": "Workaround",
    "explained": "Explained",
    "refund_or_credit": "Refund or credit",
    "roadmap": "On the roadmap",
    "no_action": "No action needed",
    CUSTOMER_LEFT: "The customer has left",
    KEPT: "Yes, the customer got what was promised",
    BROKEN: "No, or too late",
    _CONFIRMED: "The customer agrees it is resolved",
}
_TITLES = {
    ActionId.LOG_TOUCH: ("Log a touch", "Log touch"),
    ActionId.REASSIGN: ("Reassign the case", "Reassign"),
    ActionId.SNOOZE: ("Snooze reminders", "Snooze"),
    ActionId.RESOLVE: ("Resolve the case", "Resolve"),
    ActionId.CONFIRM_CLOSED: ("Close the case", "Close"),
    ActionId.STILL_OPEN: ("Still open", "Reopen"),
    ActionId.REOPEN: ("Reopen the case", "Reopen"),
    ActionId.DISMISS: ("Dismiss the case", "Dismiss"),
}
_HINTS = {
    ActionId.SNOOZE: "Silences reminders only: the first touch stays due when it is due.",
    ActionId.RESOLVE: "The close-out question to the customer follows; the case closes when they agree.",
    ActionId.DISMISS: "For robots, spam and disputed scores. The response stays in the figures.",
    ActionId.STILL_OPEN: "The case opens again with a new touch clock.",
    ActionId.REOPEN: "The case opens again with a new touch clock.",
}

Input = dict[str, Any]


def needed(action: ActionId, view: CaseView | None) -> bool:
    """Whether the action asks something. Closing a resolved case does not: what was done is known."""
    if action is ActionId.CONFIRM_CLOSED:
        return view is None or view.case.status is not Status.RESOLVED
    return action in _TITLES


def modal(
    action: ActionId, case_id: str, notice_id: str, version: int | None, view: CaseView | None, now: datetime
) -> dict[str, Any]:
    """The view for views.open. `view` None: the case could not be read just now, what is typed is still taken."""
    title, submit = _TITLES[action]
    metadata = {"case": case_id, "notice": notice_id, "version": version}
    return {
        "type": "modal",
        "callback_id": action.value,
        "title": plain_text(title),
        "submit": plain_text(submit),
        "close": plain_text("Cancel"),
        "private_metadata": json.dumps(metadata, separators=(",", ":")),
        "blocks": [_about(action, case_id, view), *_INPUTS[action](view, now)],
    }


def told(words: str) -> dict[str, Any]:
    """A window that only says something."""
    said = {"type": "section", "text": mrkdwn_text(mrkdwn.cut(mrkdwn.escape(words), LONGEST) or "–")}
    return {"type": "modal", "title": plain_text("Closeloop"), "close": plain_text("Close"), "blocks": [said]}


def _about(action: ActionId, case_id: str, view: CaseView | None) -> dict[str, Any]:
    """Which case this is, and which responses a touch will cover."""
    lines = [
        f"*{case_id}*" if view is None else f"*{mrkdwn.cut(mrkdwn.escape(view.case.account_name), 200)}* · {case_id}"
    ]
    if view is not None and action is ActionId.LOG_TOUCH:
        waiting = {clock.response_id for clock in view.case.waiting_clocks}
        covered = [response for response in view.responses if response.id in waiting]
        lines += [
            f"• {mrkdwn.cut(mrkdwn.escape(f'{scores.in_words(r)}, {cards.contact(r)}'), 200)}" for r in covered[:8]
        ]
    if view is not None and action is ActionId.CONFIRM_CLOSED and history.promise(view.touch):
        lines.append(f"*Promised:* {mrkdwn.cut(mrkdwn.escape(history.promise(view.touch)), 300)}")
    hint = _HINTS.get(action)
    lines += [f"_{hint}_"] if hint else []
    return {"type": "context", "block_id": "about", "elements": [mrkdwn_text("\n".join(lines))]}


def _input(field: str, label: str, element: dict[str, Any], optional: bool = False) -> Input:
    block = {
        "type": "input",
        "block_id": field,
        "label": plain_text(label),
        "element": {**element, "action_id": field},
    }
    return {**block, "optional": True} if optional else block


def _text(field: str, label: str, least: int = 1, placeholder: str = "") -> Input:
    element: dict[str, Any] = {
        "type": "plain_text_input",
        "multiline": True,
        "min_length": least,
        "max_length": LONGEST,
    }
    if placeholder:
        element["placeholder"] = plain_text(placeholder)
    return _input(field, label, element)


def _select(field: str, label: str, values: Sequence[str], initial: str | None = None) -> Input:
    options = [{"text": plain_text(_LABELS[value]), "value": value} for value in values]
    element: dict[str, Any] = {"type": "static_select", "options": options}
    if initial is not None:
        element["initial_option"] = options[list(values).index(initial)]
    return _input(field, label, element)


def _when(field: str, label: str, at: datetime) -> Input:
    # Slack's picker knows minutes; the present one, so that it never lies in the future.
    return _input(field, label, {"type": "datetimepicker", "initial_date_time": int(at.timestamp()) // 60 * 60})


def _log_touch(view: CaseView | None, now: datetime) -> list[Input]:
    return [
        _select("channel", "How did you reach the customer?", CHANNELS),
        _when("touched_at", "When", now),
        _text(
            "acknowledgement",
            "What did you acknowledge to the customer?",
            SHORTEST_ACKNOWLEDGEMENT,
            "What you told them you have understood",
        ),
        _text("next_step", "Next step", 1, "What happens now, and who does it"),
        _input("next_step_due", "Next step due", {"type": "datepicker"}),
    ]


def _reassign(view: CaseView | None, now: datetime) -> list[Input]:
    return [
        _input("new_owner", "New owner", {"type": "users_select"}),
        _text("reason", "Reason", placeholder="Why they are the better owner"),
    ]


def _snooze(view: CaseView | None, now: datetime) -> list[Input]:
    return [_when("until", "Until", now + timedelta(hours=4)), _text("reason", "Reason")]


def _resolve(view: CaseView | None, now: datetime) -> list[Input]:
    return [_select("outcome", "Outcome", OUTCOMES), _text("what_was_done", "What was done")]


def _confirm(view: CaseView | None, now: datetime) -> list[Input]:
    if view is not None and view.case.status in (Status.OPEN, Status.ACKNOWLEDGED):
        return [
            _select("outcome", "Outcome", (CUSTOMER_LEFT,), CUSTOMER_LEFT),
            _text("what_was_done", "What is known about the customer's leaving?"),
        ]
    return [
        _select("outcome", "Outcome", (_CONFIRMED, *OUTCOMES, CUSTOMER_LEFT), _CONFIRMED),
        _text("what_was_done", "What was done"),
        *_promise_kept(view),
    ]


def _promise_kept(view: CaseView | None) -> list[Input]:
    if view is not None and not history.promise(view.touch):
        return []
    choice = _select("promise_kept", "Was the promise kept?", (KEPT, BROKEN))
    return [{**choice, "optional": True}]


def _reason(view: CaseView | None, now: datetime) -> list[Input]:
    return [_text("reason", "Reason")]


_INPUTS: dict[ActionId, Callable[[CaseView | None, datetime], list[Input]]] = {
    ActionId.LOG_TOUCH: _log_touch,
    ActionId.REASSIGN: _reassign,
    ActionId.SNOOZE: _snooze,
    ActionId.RESOLVE: _resolve,
    ActionId.CONFIRM_CLOSED: _confirm,
    ActionId.STILL_OPEN: _reason,
    ActionId.REOPEN: _reason,
    ActionId.DISMISS: _reason,
}
