"""Submitting and closing modals, and what the app's response_action does to them."""

from typing import Any

from services.slack_sandbox import payloads
from services.slack_sandbox.config import SandboxConfig
from services.slack_sandbox.delivery import Delivery, Reply
from services.slack_sandbox.directory import Directory
from services.slack_sandbox.elements import input_errors, state_values
from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.validation import view_problems
from services.slack_sandbox.views import View, ViewStore

TROUBLE = "We had some trouble connecting. Try again?"


class Modals:
    """A person's side of the modals."""

    def __init__(self, config: SandboxConfig, directory: Directory, views: ViewStore, delivery: Delivery) -> None:
        self.config = config
        self.directory = directory
        self.views = views
        self.delivery = delivery

    async def submit(self, view_id: str, user: str, values: dict[str, Any]) -> dict[str, Any]:
        """Submits a modal; `errors` ({block_id: words}) are Slack's own or the app's."""
        who = self.directory.person(user)
        view = self.views.of_user(view_id, who.id)
        view.entered, view.errors, view.trouble = values, {}, ""
        state = state_values(view.blocks, values)
        view.errors = input_errors(view.blocks, state)
        if view.errors:
            return {"ok": False, "status": 0, "error": "input_required", "errors": view.errors}
        payload = payloads.interaction(self.config, "view_submission", who, response_urls=[])
        trigger_id = self.views.issue_trigger(who.id, view_id)
        shown = self.views.as_json(view, state)
        reply = await self.delivery.interactive({**payload, "trigger_id": trigger_id, "view": shown})
        problem = reply.error or self._apply_response_action(view, reply.body)
        if problem:
            view.trouble = TROUBLE
        answer = Reply(reply.status, reply.body, problem).outcome(errors=view.errors)
        return {**answer, "ok": answer["ok"] and not view.errors}

    def _apply_response_action(self, view: View, body: Any) -> str:
        """Does what the answer to a submission says; returns an error word when it makes no sense."""
        if body in (None, "", {}):
            self.views.close(view)
            return ""
        verb = body.get("response_action") if isinstance(body, dict) else None
        if verb == "clear":
            self.views.clear(view.user)
        elif verb == "errors":
            return self._show_errors(view, body.get("errors"))
        elif verb in ("update", "push"):
            return self._show_view(view, verb, body.get("view"))
        else:
            return "invalid_response_action"
        return ""

    def _show_errors(self, view: View, errors: Any) -> str:
        inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
        if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
            return "invalid_response_action"
        view.errors = {str(block_id): str(words) for block_id, words in errors.items()}
        return ""

    def _show_view(self, view: View, verb: str, body: Any) -> str:
        if view_problems(body) or body["type"] != "modal":
            return "invalid_response_action"
        try:
            if verb == "update":
                self.views.update(view, body)
            else:
                self.views.push(view.user, body)
        except SlackError as error:
            return error.code
        return ""

    async def close_view(self, view_id: str, user: str, clear: bool = False) -> dict[str, Any]:
        """Closes a modal, or with `clear` the whole stack; the app hears of it when it asked to."""
        who = self.directory.person(user)
        view = self.views.of_user(view_id, who.id)
        shown = self.views.as_json(view, state_values(view.blocks, view.entered))
        if clear or view.body.get("clear_on_close"):
            self.views.clear(who.id)
        else:
            self.views.close(view)
        if not view.body.get("notify_on_close"):
            return Reply(200).outcome()
        payload = payloads.interaction(self.config, "view_closed", who, view=shown, is_cleared=clear)
        return (await self.delivery.interactive(payload)).outcome()
