"""What a person does to messages and with commands, told to the app, and what the app's answer changes."""

from typing import Any

from services.slack_sandbox import payloads
from services.slack_sandbox.config import SandboxConfig, SandboxUser
from services.slack_sandbox.delivery import Delivery, Reply
from services.slack_sandbox.directory import Directory
from services.slack_sandbox.elements import action, interactive_elements, state_values
from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.messages import MessageLog
from services.slack_sandbox.response_urls import ResponseUrls
from services.slack_sandbox.views import ViewStore


class Interactions:
    """Clicks, choices and slash commands."""

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
        who = self.directory.person(user)
        place, blocks = self._place(who, channel, ts, view_id, values or {})
        block, element = _pick(blocks, action_id, block_id, replaced=not view_id)
        made = action(block, element, value, self.log.next_ts())
        state = {"values": state_values(blocks, {**(values or {}), block["block_id"]: {action_id: value}})}
        trigger_id = self.views.issue_trigger(who.id, view_id)
        payload = payloads.interaction(self.config, "block_actions", who, **place)
        reply = await self.delivery.interactive(
            {**payload, "trigger_id": trigger_id, "state": state, "actions": [made]}
        )
        if reply.error:
            self.notify(who.id, f"{self.config.bot_name} did not answer: {reply.error}", ts or view_id)
        return reply.outcome(trigger_id=trigger_id, url=element.get("url"))

    def _place(
        self, who: SandboxUser, channel: str, ts: str, view_id: str, values: dict[str, Any]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        if view_id:
            view = self.views.of_user(view_id, who.id)
            view.entered = {**view.entered, **values}
            return payloads.view_place(self.views.as_json(view, state_values(view.blocks, values))), view.blocks
        where = self.directory.channel(channel)
        message = self.log.find(where.id, ts)
        if message.ephemeral_to not in ("", who.id) or who.id not in self.directory.members(where):
            raise SlackError("message_not_found")
        shown = self.log.as_json(message, include_metadata=True)
        place = payloads.message_place(where, shown, bool(message.ephemeral_to))
        return {**place, "response_url": self.responses.issue(where.id, who.id, message)}, message.blocks

    async def suggest(
        self, action_id: str, user: str, value: str = "", view_id: str = "", channel: str = "", ts: str = ""
    ) -> dict[str, Any]:
        """Asks the app for the options of an external_select."""
        who = self.directory.person(user)
        place, blocks = self._place(who, channel, ts, view_id, {})
        block, element = _pick(blocks, action_id, "")
        asked = {"action_id": element["action_id"], "block_id": block["block_id"], "value": value}
        reply = await self.delivery.interactive(
            payloads.interaction(self.config, "block_suggestion", who, **place, **asked)
        )
        answer = reply.body if isinstance(reply.body, dict) else {}
        grouped = [option for group in answer.get("option_groups", []) for option in group["options"]]
        return reply.outcome(options=answer.get("options", []) + grouped)

    # commands

    async def command(self, command: str, user: str, text: str = "", channel: str = "") -> dict[str, Any]:
        """Types a slash command; without `channel` in the DM with the bot."""
        who = self.directory.person(user)
        where = self.directory.channel(channel) if channel else self.directory.open_dm([who.id])[0]
        if command not in self.config.commands:
            self.notify(who.id, f"{command} is not a valid command.", where.id)
            return Reply(error="unknown_command").outcome()
        fields = payloads.slash_command(self.config, command, text, who, where)
        fields["trigger_id"] = self.views.issue_trigger(who.id)
        fields["response_url"] = self.responses.issue(where.id, who.id)
        reply = await self.delivery.command(fields)
        problem = reply.error or self._show_answer(where.id, who.id, reply.body)
        if problem:
            problem = problem if problem == "operation_timeout" else "dispatch_failed"
            self.notify(who.id, f'{command} failed with the error "{problem}"', where.id)
        return Reply(reply.status, reply.body, problem).outcome(answer=reply.body)

    def _show_answer(self, channel: str, user: str, body: Any) -> str:
        if body in (None, "", {}):
            return ""
        try:
            self.responses.answer(channel, user, body if isinstance(body, dict) else {"text": str(body)})
        except SlackError as error:
            return error.code
        return ""

    def notify(self, user_id: str, text: str, place: str = "") -> None:
        """Something Slack itself tells one person."""
        self.notices.setdefault(user_id, []).append({"at": self.config.clock(), "text": text, "place": place})


def _pick(
    blocks: list[dict[str, Any]], action_id: str, block_id: str, replaced: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """`replaced`: the app may have given its blocks other ids since they were seen; then the button alone counts."""
    found = [pair for pair in interactive_elements(blocks) if pair[1]["action_id"] == action_id]
    exact = [pair for pair in found if block_id in ("", pair[0]["block_id"])]
    if exact:
        return exact[0]
    if replaced and len(found) == 1:
        return found[0]
    raise SlackError("action_not_found", [f"no element with action_id {action_id}"])
