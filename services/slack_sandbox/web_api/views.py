"""views.*: opening, pushing and updating modals, publishing Home tabs."""

from typing import Any

from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.validation import view_problems, view_too_large
from services.slack_sandbox.views import View
from services.slack_sandbox.web_api.call import Answer, Call, Method


def open_view(call: Call) -> Answer:
    body = _view(call, "modal")
    views = call.workspace.views
    return _shown(call, views.open(views.exchange_trigger(call.text("trigger_id")), body))


def push(call: Call) -> Answer:
    body = _view(call, "modal")
    views = call.workspace.views
    return _shown(call, views.push(views.exchange_trigger(call.text("trigger_id")).user, body))


def update(call: Call) -> Answer:
    if not call.text("view_id") and not call.text("external_id"):
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: view_id"])
    views = call.workspace.views
    view = views.find(call.text("view_id"), call.text("external_id"))
    body = _view(call, view.body["type"])
    return _shown(call, views.update(view, body, call.text("hash")))


def publish(call: Call) -> Answer:
    user = call.workspace.directory.users.get(call.text("user_id"))
    if user is None or user.is_bot or user.deleted:
        raise SlackError("invalid_arguments", ["[ERROR] invalid user_id"])
    body = _view(call, "home")
    return _shown(call, call.workspace.views.publish(user.id, body, call.text("hash")))


def _view(call: Call, kind: str) -> dict[str, Any]:
    body = call.json("view", "invalid_arguments")
    if isinstance(body, dict) and view_too_large(body):
        raise SlackError("view_too_large")
    problems = view_problems(body)
    if not problems and body["type"] != kind:
        problems = [f"[ERROR] view type must be {kind} [json-pointer:/view/type]"]
    if problems:
        raise SlackError("invalid_arguments", problems)
    return dict(body)


def _shown(call: Call, view: View) -> Answer:
    return {"view": call.workspace.views.as_json(view)}


METHODS = {
    "views.open": Method(open_view, 4, ("trigger_id", "view"), json=True),
    "views.push": Method(push, 4, ("trigger_id", "view"), json=True),
    "views.update": Method(update, 4, ("view",), json=True),
    "views.publish": Method(publish, 4, ("user_id", "view"), json=True),
}
