"""What a person does in Slack (click, submit, close, command, open Home) and what the app's answer changes."""

import asyncio
import itertools
from typing import Any

from services.slack_sandbox import payloads
from services.slack_sandbox.config import SandboxConfig, SandboxUser
from services.slack_sandbox.delivery import Delivery, Reply
from services.slack_sandbox.directory import Directory
from services.slack_sandbox.elements import action, input_errors, interactive_elements, state_values
from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.messages import MessageLog
from services.slack_sandbox.response_urls import ResponseUrls
from services.slack_sandbox.validation import view_problems
from services.slack_sandbox.views import View, ViewStore

TROUBLE = "We had some trouble connecting. Try again?"


def outcome(reply: Reply, **extra: Any) -> dict[str, Any]:
    """What a door answers: whether the app took it, and Slack's error word when it did not."""
    return {"ok": not reply.error, "status": reply.status, "error": reply.error or None, **extra}


class Interactions:
    """Turns a person's deeds into signed payloads and applies the replies."""

    def __init__(
        self,
        config: SandboxConfig,
        directory: Directory,
        log: MessageLog,
        views: ViewStore,
        responses: ResponseUrls,
        delivery: Delivery,
    ) -> None:
        self.config = config
        self.directory = directory
        self.log = log
        self.views = views
        self.responses = responses
        self.delivery = delivery
        self.notices: dict[str, list[dict[str, Any]]] = {}
        self._retries: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)

    def person(self, reference: str) -> SandboxUser:
        """By id or e-mail; raises SlackError user_not_found, or user_disabled for one who has left."""
        known = reference in self.directory.users
        user = self.directory.user(reference) if known else self._by_email(reference)
        if user.deleted:
            raise SlackError("user_disabled")
        return user

    def _by_email(self, email: str) -> SandboxUser:
        for user in self.directory.people():
            if user.email and user.email.casefold() == email.casefold():
                return user
        raise SlackError("user_not_found")

    # acting on blocks

    async def click(
        self,
        action_id: str,
        user: str,
        channel: str = "",
        ts: str = "",
        view_id: str = "",
        block_id: str = "",
        value: Any = None,
        values: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Presses a button or makes a choice in a message (`channel`, `ts`) or a view (`view_id`).

        `value` is the choice made in a select or overflow menu, `values` what stands in the view's other fields.
        """
        who = self.person(user)
        place, blocks = self._place(who, channel, ts, view_id, values or {})
        block, element = _pick(blocks, action_id, block_id)
        made = action(block, element, value, self.log.next_ts())
        state = {"values": state_values(blocks, {**(values or {}), block["block_id"]: {action_id: value}})}
        trigger_id = self.views.issue_trigger(who.id, view_id)
        payload = payloads.interaction(self.config, "block_actions", who, **place)
        reply = await self.delivery.interactive(
            {**payload, "trigger_id": trigger_id, "state": state, "actions": [made]}
        )
        if reply.error:
            self.notify(who.id, f"{self.config.bot_name} did not answer: {reply.error}", ts or view_id)
        return outcome(reply, trigger_id=trigger_id, url=element.get("url"))

    def _place(
        self, who: SandboxUser, channel: str, ts: str, view_id: str, values: dict[str, Any]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        if view_id:
            view = self._own_view(view_id, who.id)
            view.entered = {**view.entered, **values}
            return payloads.view_place(self._shown(view, values)), view.blocks
        where = self.directory.channel(channel)
        message = self.log.find(where.id, ts)
        if message.ephemeral_to not in ("", who.id) or who.id not in self.directory.members(where):
            raise SlackError("message_not_found")
        shown = self.log.as_json(message, include_metadata=True)
        place = payloads.message_place(where, shown, bool(message.ephemeral_to))
        return {**place, "response_url": self.responses.issue(where.id, who.id, message)}, message.blocks

    def _own_view(self, view_id: str, user_id: str) -> View:
        view = self.views.find(view_id)
        if view.user != user_id:
            raise SlackError("not_found")
        return view

    def _shown(self, view: View, values: dict[str, Any]) -> dict[str, Any]:
        return self.views.as_json(view, state_values(view.blocks, values))

    async def suggest(
        self, action_id: str, user: str, value: str = "", view_id: str = "", channel: str = "", ts: str = ""
    ) -> dict[str, Any]:
        """Asks the app for the options of an external_select."""
        who = self.person(user)
        place, blocks = self._place(who, channel, ts, view_id, {})
        block, element = _pick(blocks, action_id, "")
        asked = {"action_id": element["action_id"], "block_id": block["block_id"], "value": value}
        reply = await self.delivery.interactive(
            payloads.interaction(self.config, "block_suggestion", who, **place, **asked)
        )
        answer = reply.body if isinstance(reply.body, dict) else {}
        grouped = [option for group in answer.get("option_groups", []) for option in group["options"]]
        return outcome(reply, options=answer.get("options", []) + grouped)

    # modals

    async def submit(self, view_id: str, user: str, values: dict[str, Any]) -> dict[str, Any]:
        """Submits a modal; `errors` ({block_id: words}) are Slack's own or the app's."""
        who = self.person(user)
        view = self._own_view(view_id, who.id)
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
        answer = outcome(Reply(reply.status, reply.body, problem), errors=view.errors)
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
        who = self.person(user)
        view = self._own_view(view_id, who.id)
        shown = self._shown(view, view.entered)
        if clear or view.body.get("clear_on_close"):
            self.views.clear(who.id)
        else:
            self.views.close(view)
        if not view.body.get("notify_on_close"):
            return outcome(Reply(200))
        payload = payloads.interaction(self.config, "view_closed", who, view=shown, is_cleared=clear)
        return outcome(await self.delivery.interactive(payload))

    # commands and events

    async def command(self, command: str, user: str, text: str = "", channel: str = "") -> dict[str, Any]:
        """Types a slash command; without `channel` in the DM with the bot."""
        who = self.person(user)
        where = self.directory.channel(channel) if channel else self.directory.open_dm([who.id])[0]
        if command not in self.config.commands:
            self.notify(who.id, f"{command} is not a valid command.", where.id)
            return outcome(Reply(error="unknown_command"))
        fields = payloads.slash_command(self.config, command, text, who, where)
        fields["trigger_id"] = self.views.issue_trigger(who.id)
        fields["response_url"] = self.responses.issue(where.id, who.id)
        reply = await self.delivery.command(fields)
        problem = reply.error or self._show_answer(where.id, who.id, reply.body)
        if problem:
            problem = problem if problem == "operation_timeout" else "dispatch_failed"
            self.notify(who.id, f'{command} failed with the error "{problem}"', where.id)
        return outcome(Reply(reply.status, reply.body, problem), answer=reply.body)

    def _show_answer(self, channel: str, user: str, body: Any) -> str:
        if body in (None, "", {}):
            return ""
        try:
            self.responses.answer(channel, user, body if isinstance(body, dict) else {"text": str(body)})
        except SlackError as error:
            return error.code
        return ""

    async def open_home(self, user: str, tab: str = "home") -> dict[str, Any]:
        """Opens the app's Home tab: the app gets app_home_opened and may publish a view."""
        who = self.person(user)
        event: dict[str, Any] = {
            "type": "app_home_opened",
            "user": who.id,
            "channel": self.directory.open_dm([who.id])[0].id,
            "tab": tab,
            "event_ts": self.log.next_ts(),
        }
        home = self.views.home(who.id)
        if home is not None and tab == "home":
            event["view"] = self.views.as_json(home)
        return await self.event(event)

    async def event(self, event: dict[str, Any]) -> dict[str, Any]:
        """Sends any event; a failed delivery is repeated three times with the same event_id."""
        event_id = f"Ev{next(self._numbers):08d}"
        payload = payloads.event_callback(self.config, event, event_id, self.config.clock())
        reply = await self.delivery.event(payload)
        if reply.error and reply.error != "no_url_configured":
            task = asyncio.create_task(self._retry_event(payload, reply))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)
        return outcome(reply, event_id=event_id)

    async def _retry_event(self, payload: dict[str, Any], last: Reply) -> None:
        for number, delay in enumerate(self.config.event_retry_delays, start=1):
            await asyncio.sleep(delay)
            reason = "http_timeout" if last.error == "operation_timeout" else last.error
            last = await self.delivery.event(payload, number, reason)
            if not last.error:
                return

    async def verify_events_url(self) -> dict[str, Any]:
        """The url_verification handshake Slack does when an admin saves the events address."""
        challenge = f"challenge-{next(self._numbers)}"
        reply = await self.delivery.event({"token": "", "challenge": challenge, "type": "url_verification"})
        echoed = reply.body.get("challenge") if isinstance(reply.body, dict) else reply.body
        if not reply.error and echoed != challenge:
            reply = Reply(reply.status, reply.body, "challenge_failed")
        return outcome(reply)

    def notify(self, user_id: str, text: str, place: str = "") -> None:
        """Something Slack itself tells one person."""
        self.notices.setdefault(user_id, []).append({"at": self.config.clock(), "text": text, "place": place})
        self.log.revision += 1

    async def close(self) -> None:
        for task in list(self._retries):
            task.cancel()
        await asyncio.gather(*self._retries, return_exceptions=True)


def _pick(blocks: list[dict[str, Any]], action_id: str, block_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    for block, element in interactive_elements(blocks):
        if element["action_id"] == action_id and block_id in ("", block["block_id"]):
            return block, element
    raise SlackError("action_not_found", [f"no element with action_id {action_id}"])
