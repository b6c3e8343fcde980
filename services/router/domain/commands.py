"""What may be asked of a case: by people (with the version they saw), by the clocks, and by the directory."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.router.domain.case import Reply, Severity, TouchClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`actor` is an e-mail, or `system`; `version` the case version its author saw (None: the present one)."""

    actor: str
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge(Command):
    """I have seen it. Stops no clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTouch(Command):
    """A real contact. `channel` is one of CHANNELS or the team's own word; `touched_at` may lie in the past, after
    the flag; None is now."""

    channel: str
    touched_at: datetime | None
    acknowledgement: str
    next_step: str
    next_step_due: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectTouch(Command):
    """The last touch was wrong: it is taken back, journaled, and its clocks run again as first promised."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassign(Command):
    new_owner: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snooze(Command):
    """Silences reminders until then; never moves a due time."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve(Command):
    """`outcome` is one of OUTCOMES or the team's own word."""

    outcome: str
    what_was_done: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmClosed(Command):
    """The customer agrees. With outcome `customer_left` it ends a case in any state, and needs the reason in words.
    `promise_kept` is what the customer says of what the touch promised; None where nobody asked."""

    outcome: str = "confirmed"
    what_was_done: str = ""
    promise_kept: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StillOpen(Command):
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen(Command):
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismiss(Command):
    """Disputed, or a robot; the response stays in the denominators."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddNote(Command):
    note: str


PersonCommand = (
    Acknowledge
    | LogTouch
    | CorrectTouch
    | Reassign
    | Snooze
    | Resolve
    | ConfirmClosed
    | StillOpen
    | Reopen
    | Dismiss
    | AddNote
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Join(Command):
    """One more flagged response (or, with no response, a ticket or a call) of the same account."""

    cause: str
    response_id: str | None
    started_at: datetime
    severity: Severity
    facts: Mapping[str, Any]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinQuietly(Command):
    """An answer that only repeats the one `of` (a response id): shown on the card, no message and no clock of its own.
    `cause` is duplicate or automatic."""

    cause: str
    response_id: str
    of: str
    flagged_at: datetime
    facts: Mapping[str, Any]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRevision(Command):
    """A response of this case was revised or withdrawn: noted and shown; never closes a case by itself."""

    response_id: str
    change: str
    words: str
    alert: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteReply(Command):
    """The helpdesk told of a public reply or call by our side: evidence of the touches made since the flag."""

    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteGoodRating(Command):
    """Somebody rated well at `rated_at`; `of` are their earlier responses, whose touches this confirms."""

    response_id: str
    rated_at: datetime
    of: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOwner(Command):
    """The directory says so: the CSM changed, the owner cannot be reached, is away (`covers_for`) or is back."""

    owner: str
    reason: str
    role: str
    since: datetime | None = None
    covers_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLead(Command):
    lead: str
    reason: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveToAccount(Command):
    """An orphan's account became known."""

    account_id: str
    account_name: str
    owner: str
    owner_reason: str
    support_lead: str | None
    severity: Severity
    covers_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeInto(Command):
    """The account has an open case already."""

    into: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Absorb(Command):
    """Take in what a merged case was about; its clocks keep their promised times."""

    merged: str
    clocks: tuple[TouchClock, ...]
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire(Command):
    """A deadline fell due: `kind` is a DeadlineKind, `step` the place in an escalation."""

    kind: str
    due_at: datetime
    clock_id: str | None = None
    step: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAlert(Command):
    """A card of this case was seen by Slack; kept in the journal so that alert latency can be recomputed."""

    notice_id: str
    role: str
    sent_at: datetime
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReveal(Command):
    """Somebody looked at what a place hides: `fields` of it, `where` they asked."""

    fields: tuple[str, ...]
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordUndelivered(Command):
    """Slack did not bring an alert (`kind`) to `meant_for`; `tell` is who is told in their place (None: nobody is
    left in Slack)."""

    notice_id: str
    kind: str
    meant_for: str
    why: str
    tell: str | None


CHANNELS = ("call", "email", "meeting", "chat", "other")
OUTCOMES = ("fixed", "workaround", "explained", "refund_or_credit", "roadmap", "no_action", "other")
