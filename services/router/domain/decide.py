"""The state machine: what each command does to a case, and when it is refused. Pure."""

import hashlib
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from services.router.domain import actions, arrivals, commands, firing, proof
from services.router.domain.case import Case
from services.router.domain.decision import Context, Decision, InvalidCommand

REPEATED_WITHIN = timedelta(minutes=15)
_MAX_TEXT = 20_000

_DECIDERS: dict[type[commands.Command], Callable[[Case, Any, Context], Decision]] = {
    commands.Acknowledge: actions.acknowledge,
    commands.LogTouch: actions.log_touch,
    commands.CorrectTouch: actions.correct_touch,
    commands.Reassign: actions.reassign,
    commands.Snooze: actions.snooze,
    commands.Resolve: actions.resolve,
    commands.ConfirmClosed: actions.confirm_closed,
    commands.StillOpen: actions.still_open,
    commands.Reopen: actions.reopen,
    commands.Dismiss: actions.dismiss,
    commands.AddNote: actions.add_note,
    commands.Join: arrivals.join,
    commands.JoinQuietly: arrivals.join_quietly,
    commands.NoteRevision: arrivals.note_revision,
    commands.NoteReply: proof.note_reply,
    commands.NoteGoodRating: proof.note_good_rating,
    commands.ChangeOwner: arrivals.change_owner,
    commands.ChangeLead: arrivals.change_lead,
    commands.MoveToAccount: arrivals.move,
    commands.MergeInto: arrivals.merge,
    commands.Absorb: arrivals.absorb,
    commands.RecordAlert: arrivals.record_alert,
    commands.RecordReveal: arrivals.record_reveal,
    commands.RecordUndelivered: arrivals.record_undelivered,
    commands.Fire: firing.fire,
}

# Entries that change nothing a person would act on: they neither make a new version nor redraw cards.
_QUIET = frozenset({"alerted", "alert_undelivered", "reminded", "revealed"})


def decide(case: Case, command: commands.Command, ctx: Context) -> Decision:
    """Raises Refused (the state forbids it; says who was first) or InvalidCommand (a field cannot be right).
    A person's command that is the very last one again, within 15 minutes, is a repeat and changes nothing (G8)."""
    mark = fingerprint(command)
    if isinstance(command, commands.PersonCommand):
        _check_texts(command)
        if case.last_command == mark and _recent(case.last_command_at, ctx.now):
            return Decision(case, repeated=True, text="Already done.")
    decision = _DECIDERS[type(command)](case, command, ctx)
    if decision.repeated or not decision.entries:
        return decision
    if all(entry.type in _QUIET for entry in decision.entries):
        return decision
    by_person = isinstance(command, commands.PersonCommand)
    changed = replace(
        decision.case,
        version=case.version + 1,
        last_command=mark if by_person else None,
        last_command_at=ctx.now if by_person else None,
    )
    return replace(decision, case=changed)


def fingerprint(command: commands.Command) -> str:
    """The same for the same words of the same person, whatever version they saw."""
    parts = [type(command).__name__]
    parts += [f"{item.name}={getattr(command, item.name)}" for item in fields(command) if item.name != "version"]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _recent(at: datetime | None, now: datetime) -> bool:
    return at is not None and now - at <= REPEATED_WITHIN


_TEXT_FIELDS = {"acknowledgement", "next_step", "reason", "what_was_done", "note"}


def _check_texts(command: commands.Command) -> None:
    for item in fields(command):
        if item.name not in _TEXT_FIELDS:
            continue
        value = getattr(command, item.name)
        if not value.strip() and not (item.name == "what_was_done" and isinstance(command, commands.ConfirmClosed)):
            raise InvalidCommand(item.name, "Please write what you mean; it cannot be empty.")
        if len(value) > _MAX_TEXT:
            raise InvalidCommand(item.name, f"Please shorten this to {_MAX_TEXT} characters.")
