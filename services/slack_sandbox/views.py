"""Modals and Home tabs: trigger ids, the stack of open views, hashes and external ids."""

import itertools
from dataclasses import dataclass, field
from typing import Any

from services.slack_sandbox.config import SandboxConfig
from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.messages import with_ids

TRIGGER_SECONDS = 3
STACK_LIMIT = 3


@dataclass
class Trigger:
    """Leave to open one modal for one user, for three seconds, once."""

    user: str
    issued_at: float
    view_id: str = ""
    used: bool = False


@dataclass
class View:
    """One modal or Home tab as its user sees it now; `errors` are by block_id, `trouble` is Slack's own notice."""

    id: str
    user: str
    body: dict[str, Any]
    hash: str
    root_view_id: str
    previous_view_id: str | None = None
    errors: dict[str, str] = field(default_factory=dict)
    trouble: str = ""
    entered: dict[str, Any] = field(default_factory=dict)

    @property
    def blocks(self) -> list[dict[str, Any]]:
        return self.body["blocks"]


class ViewStore:
    """Open views by id, one modal stack and one Home tab per user."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.views: dict[str, View] = {}
        self.stacks: dict[str, list[str]] = {}
        self.homes: dict[str, str] = {}
        self._triggers: dict[str, Trigger] = {}
        self._numbers = itertools.count(1)

    # triggers

    def issue_trigger(self, user: str, view_id: str = "") -> str:
        now = self.config.clock()
        trigger_id = f"{next(self._numbers)}.{int(now)}.{self.config.team_id.lower()}"
        self._triggers[trigger_id] = Trigger(user, now, view_id)
        return trigger_id

    def exchange_trigger(self, trigger_id: str) -> Trigger:
        """Uses the trigger up; raises SlackError for unknown, used and expired ones."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self.config.clock() - trigger.issued_at > TRIGGER_SECONDS:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger

    # modals

    def open(self, trigger: Trigger, body: dict[str, Any]) -> View:
        self._check_external_id(body)
        self.clear(trigger.user)
        return self._stack(trigger.user, body, None)

    def push(self, user: str, body: dict[str, Any]) -> View:
        """Puts a view on top of the user's stack of at most three."""
        self._check_external_id(body)
        stack = self.stacks.get(user, [])
        if not stack:
            raise SlackError("not_found")
        if len(stack) >= STACK_LIMIT:
            raise SlackError("push_limit_reached")
        return self._stack(user, body, self.views[stack[-1]])

    def update(self, view: View, body: dict[str, Any], expected_hash: str = "") -> View:
        """Replaces what a view shows; raises SlackError hash_conflict when it has changed since."""
        if expected_hash and expected_hash != view.hash:
            raise SlackError("hash_conflict")
        self._check_external_id(body, view)
        view.body = self._complete(body)
        view.hash = self._new_hash()
        view.errors, view.trouble, view.entered = {}, "", {}
        return view

    def publish(self, user: str, body: dict[str, Any], expected_hash: str = "") -> View:
        """Sets the user's Home tab."""
        current = self.home(user)
        if current is not None:
            return self.update(current, body, expected_hash)
        self._check_external_id(body)
        view = self._make(user, body, None)
        self.homes[user] = view.id
        return view

    def close(self, view: View) -> None:
        """Closes one view; the one beneath shows again."""
        self.stacks[view.user] = [other for other in self.stacks.get(view.user, []) if other != view.id]
        self.views.pop(view.id, None)

    def clear(self, user: str) -> None:
        for view_id in self.stacks.pop(user, []):
            self.views.pop(view_id, None)

    def find(self, view_id: str = "", external_id: str = "") -> View:
        """Raises SlackError not_found, also for a view its user has closed."""
        for view in self.views.values():
            if view.id == view_id or (external_id and view.body.get("external_id") == external_id):
                return view
        raise SlackError("not_found")

    def of_user(self, view_id: str, user: str) -> View:
        """One of this user's own views; raises SlackError not_found."""
        view = self.find(view_id)
        if view.user != user:
            raise SlackError("not_found")
        return view

    def top(self, user: str) -> View | None:
        stack = self.stacks.get(user)
        return self.views[stack[-1]] if stack else None

    def home(self, user: str) -> View | None:
        return self.views.get(self.homes.get(user, ""))

    def as_json(self, view: View, values: dict[str, Any] | None = None) -> dict[str, Any]:
        config = self.config
        ids = {"root_view_id": view.root_view_id, "previous_view_id": view.previous_view_id}
        app = {"app_id": config.app_id, "bot_id": config.bot_id, "app_installed_team_id": config.team_id}
        defaults = {"private_metadata": "", "callback_id": "", "external_id": "", "title": None, "submit": None}
        switches = {"close": None, "clear_on_close": False, "notify_on_close": False}
        own = {"id": view.id, "team_id": config.team_id, "hash": view.hash, "state": {"values": values or {}}}
        return {**defaults, **switches, **view.body, **own, **ids, **app}

    def _stack(self, user: str, body: dict[str, Any], below: View | None) -> View:
        view = self._make(user, body, below)
        self.stacks.setdefault(user, []).append(view.id)
        return view

    def _make(self, user: str, body: dict[str, Any], below: View | None) -> View:
        view_id = f"V0{next(self._numbers):07d}"
        root = below.root_view_id if below else view_id
        view = View(view_id, user, self._complete(body), self._new_hash(), root, below.id if below else None)
        self.views[view_id] = view
        return view

    def _complete(self, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "blocks": with_ids(body["blocks"], lambda: f"v{next(self._numbers):05d}")}

    def _new_hash(self) -> str:
        return f"{int(self.config.clock())}.{next(self._numbers):08d}"

    def _check_external_id(self, body: dict[str, Any], own: View | None = None) -> None:
        external_id = body.get("external_id")
        if external_id and any(v is not own and v.body.get("external_id") == external_id for v in self.views.values()):
            raise SlackError("duplicate_external_id")
