"""What the command doors take: the fields of the Slack modals, turned into commands."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field

from services.router.api.fields import Actor, Email, Instant, Key, Text, Version, Word, Words
from services.router.domain import commands


class Body(BaseModel):
    """`actor` is who does it, best by e-mail (not needed with a console session); `version` the case version they
    saw."""

    model_config = ConfigDict(extra="ignore")

    actor: Actor | None = None
    version: Version | None = None


class TouchBody(Body):
    """A real contact with the customer. `touched_at` may lie in the past; now, when it is left out."""

    channel: Word = Field(examples=list(commands.CHANNELS))
    touched_at: Instant | None = None
    acknowledgement: Words
    next_step: Words
    next_step_due: date


class ReasonBody(Body):
    reason: Words


class ReassignBody(ReasonBody):
    new_owner: Email


class SnoozeBody(ReasonBody):
    until: Instant


class ResolveBody(Body):
    outcome: Word = Field(examples=list(commands.OUTCOMES))
    what_was_done: Words


class CloseBody(Body):
    """The customer agrees. With outcome `customer_left` it ends a case in any state and needs `what_was_done`."""

    outcome: Key = "confirmed"
    what_was_done: Text = ""
    promise_kept: bool | None = Field(default=None, description="Does the customer say that the promise was kept?")


class NoteBody(Body):
    note: Words


class OpenBody(BaseModel):
    """ "The customer phoned": a case by hand."""

    account_id: Key
    subject: Words
    actor: Actor | None = Field(default=None, description="Who opens it; not needed with a console session.")


_REPEATS = "A request with the same key and body is a repeat, for 100 days. Without a key: one within 15 minutes."
IdempotencyKey = Annotated[Key | None, Header(description=_REPEATS)]
Build = Callable[[Any, str, datetime], commands.Command]


@dataclass(frozen=True)
class Door:
    """One command door: its last path segment, its body, and how the body becomes a command."""

    name: str
    body: type[Body]
    words: str
    build: Build


def _touch(body: TouchBody, actor: str, now: datetime) -> commands.Command:
    return commands.LogTouch(
        actor=actor,
        version=body.version,
        channel=body.channel,
        touched_at=body.touched_at,
        acknowledgement=body.acknowledgement,
        next_step=body.next_step,
        next_step_due=body.next_step_due,
    )


def _plain(kind: type[commands.Command]) -> Build:
    """For commands whose fields have the names of the body's."""

    def build(body: Body, actor: str, now: datetime) -> commands.Command:
        return kind(**body.model_dump(exclude={"actor"}), actor=actor)

    return build


DOORS: tuple[Door, ...] = (
    Door("acknowledge", Body, "I have seen it. Stops no clock.", _plain(commands.Acknowledge)),
    Door("touch", TouchBody, "Log a real contact with the customer.", _touch),
    Door("correct_touch", ReasonBody, "Take the last touch back; its clocks run again.", _plain(commands.CorrectTouch)),
    Door("reassign", ReassignBody, "Give the case to another person.", _plain(commands.Reassign)),
    Door("snooze", SnoozeBody, "Silence reminders; due times stay.", _plain(commands.Snooze)),
    Door("resolve", ResolveBody, "The problem is repaired.", _plain(commands.Resolve)),
    Door("close", CloseBody, "The customer agrees that it is resolved.", _plain(commands.ConfirmClosed)),
    Door("still_open", ReasonBody, "The customer does not agree: open again.", _plain(commands.StillOpen)),
    Door("reopen", ReasonBody, "Open an ended case again.", _plain(commands.Reopen)),
    Door("dismiss", ReasonBody, "Disputed, or a robot; stays in the figures.", _plain(commands.Dismiss)),
    Door("note", NoteBody, "Add a note; no touch.", _plain(commands.AddNote)),
)
