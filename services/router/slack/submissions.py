"""A submitted modal as a command, or what is wrong with which field. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.router.domain import commands
from services.router.domain.messages import ActionId
from services.router.slack.interactions import Submission
from services.router.slack.modals import KEPT

_SKEW = timedelta(minutes=5)
_REQUIRED = "Please fill this in."


@dataclass(frozen=True, slots=True)
class Author:
    """Who submitted it: e-mail, and time zone as far as Slack knows it."""

    email: str
    timezone: str | None = None

    def today(self, now: datetime) -> date:
        try:
            return now.astimezone(ZoneInfo(self.timezone or "UTC")).date()
        except (ZoneInfoNotFoundError, ValueError):
            return now.astimezone(UTC).date()


class FieldErrors(Exception):
    """`errors` by field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(errors))
        self.errors = dict(errors)


def to_command(
    submission: Submission, author: Author, now: datetime, new_owner: str | None = None
) -> commands.PersonCommand:
    """Raises FieldErrors. `new_owner` is the e-mail of the person chosen in a reassignment."""
    form = _Form(submission.values, author, now, {})
    command = _READERS[submission.action](form, {"actor": author.email, "version": submission.version}, new_owner)
    if form.errors:
        raise FieldErrors(form.errors)
    return command


@dataclass(frozen=True, slots=True)
class _Form:
    """Reads fields; notes what is wrong and goes on, so that a person sees everything at once."""

    values: Mapping[str, Any]
    author: Author
    now: datetime
    errors: dict[str, str]

    def text(self, field: str) -> str:
        value = self.values.get(field)
        text = value.strip() if isinstance(value, str) else ""
        if not text:
            self.errors[field] = _REQUIRED
        return text

    def choice(self, field: str) -> str:
        value = self.values.get(field)
        if not isinstance(value, str) or not value:
            self.errors[field] = "Please choose one."
            return ""
        return value

    def yes_or_no(self, field: str) -> bool | None:
        """None where it was left open."""
        value = self.values.get(field)
        return None if not value else value == KEPT

    def instant(self, field: str) -> datetime:
        value = self.values.get(field)
        try:
            return datetime.fromtimestamp(int(value), UTC)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError, OSError):
            self.errors[field] = "Please choose date and time."
            return self.now

    def day(self, field: str) -> date:
        value = self.values.get(field)
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.errors[field] = "Please choose a date."
            return self.now.date()


def _log_touch(form: _Form, base: dict[str, Any], _: str | None) -> commands.PersonCommand:
    touched_at, due = form.instant("touched_at"), form.day("next_step_due")
    if touched_at > form.now + _SKEW:
        form.errors.setdefault("touched_at", "A touch cannot lie in the future.")
    if due < form.author.today(form.now):
        form.errors.setdefault("next_step_due", "The next step cannot be due in the past.")
    return commands.LogTouch(
        **base,
        channel=form.choice("channel"),
        touched_at=touched_at,
        acknowledgement=form.text("acknowledgement"),
        next_step=form.text("next_step"),
        next_step_due=due,
    )


def _acknowledge(form: _Form, base: dict[str, Any], _: str | None) -> commands.PersonCommand:
    return commands.Acknowledge(**base)


def _reassign(form: _Form, base: dict[str, Any], new_owner: str | None) -> commands.PersonCommand:
    if not new_owner:
        form.errors["new_owner"] = "Please choose a person."
    return commands.Reassign(**base, new_owner=new_owner or "", reason=form.text("reason"))


def _snooze(form: _Form, base: dict[str, Any], _: str | None) -> commands.PersonCommand:
    until = form.instant("until")
    if until <= form.now:
        form.errors.setdefault("until", "Please choose a time in the future.")
    return commands.Snooze(**base, until=until, reason=form.text("reason"))


def _resolve(form: _Form, base: dict[str, Any], _: str | None) -> commands.PersonCommand:
    return commands.Resolve(**base, outcome=form.choice("outcome"), what_was_done=form.text("what_was_done"))


def _confirm(form: _Form, base: dict[str, Any], _: str | None) -> commands.PersonCommand:
    return commands.ConfirmClosed(
        **base,
        outcome=form.choice("outcome"),
        what_was_done=form.text("what_was_done"),
        promise_kept=form.yes_or_no("promise_kept"),
    )


def _still_open(form: _Form, base: dict[str, Any], _: str | None) -> commands.PersonCommand:
    return commands.StillOpen(**base, reason=form.text("reason"))


def _reopen(form: _Form, base: dict[str, Any], _: str | None) -> commands.PersonCommand:
    return commands.Reopen(**base, reason=form.text("reason"))


def _dismiss(form: _Form, base: dict[str, Any], _: str | None) -> commands.PersonCommand:
    return commands.Dismiss(**base, reason=form.text("reason"))


_READERS: dict[ActionId, Callable[[_Form, dict[str, Any], str | None], commands.PersonCommand]] = {
    ActionId.ACKNOWLEDGE: _acknowledge,
    ActionId.LOG_TOUCH: _log_touch,
    ActionId.REASSIGN: _reassign,
    ActionId.SNOOZE: _snooze,
    ActionId.RESOLVE: _resolve,
    ActionId.CONFIRM_CLOSED: _confirm,
    ActionId.STILL_OPEN: _still_open,
    ActionId.REOPEN: _reopen,
    ActionId.DISMISS: _dismiss,
}
