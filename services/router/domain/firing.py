"""What a deadline does when it falls due: remind, record the breach, escalate, ask for the close-out."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from services.router.domain import commands
from services.router.domain.arrivals import BOTH, SYSTEM
from services.router.domain.case import Case, Status
from services.router.domain.clocks import opened_again_at
from services.router.domain.decision import (
    Context,
    DeadlineKind,
    Decision,
    Entry,
    NoticeKind,
    Priority,
    StartDeadline,
    Tell,
)
from services.router.domain.spans import in_words
from services.router.domain.words import iso

_AWAITING_CLOSE_OUT = (Status.TOUCHED, Status.RESOLVED)
_NAG_EVERY = timedelta(hours=24)


def fire(case: Case, command: commands.Fire, ctx: Context) -> Decision:
    """A deadline whose cause is gone does nothing; one that fires late does what it promised, once."""
    if case.ended:
        return Decision(case)
    return _FIRING[DeadlineKind(command.kind)](case, command, ctx)


def _remind(case: Case, command: commands.Fire, ctx: Context) -> Decision:
    snoozed = case.snoozed_until is not None and case.snoozed_until > ctx.now
    if snoozed or command.clock_id not in {clock.id for clock in case.waiting_clocks}:
        return Decision(case)
    return _reminder(case, command, NoticeKind.REMINDER)


def _snooze_over(case: Case, command: commands.Fire, ctx: Context) -> Decision:
    return _reminder(case, command, NoticeKind.REMINDER) if case.waiting_clocks else Decision(case)


def _reminder(case: Case, command: commands.Fire, kind: NoticeKind) -> Decision:
    entry = Entry("reminded", SYSTEM, {"kind": command.kind, "to": case.owner})
    return Decision(case, (entry,), (Tell(kind, Priority.REMINDER, data={"due_at": iso(case.touch_due_at)}),))


def _acknowledgement_over(case: Case, command: commands.Fire, ctx: Context) -> Decision:
    """Nobody may park a case by a click: it is open again, and both who must know are told. Ends no clock."""
    if case.status is not Status.ACKNOWLEDGED or case.acknowledged_at is None:
        return Decision(case)
    changed = replace(case, status=Status.OPEN, acknowledged_at=None, acknowledged_by=None)
    by, at = case.acknowledged_by, case.acknowledged_at
    entry = Entry("acknowledgement_expired", SYSTEM, {"acknowledged_by": by, "acknowledged_at": iso(at)})
    words = f"{by} acknowledged this {in_words(ctx.now - at)} ago and no touch followed: it is open again"
    told = Tell(NoticeKind.NOTE, Priority.REMINDER, BOTH, data={"words": words})
    return Decision(changed, (entry,), (told,))


def _breach(case: Case, command: commands.Fire, ctx: Context) -> Decision:
    broken = next((clock for clock in case.waiting_clocks if clock.id == command.clock_id), None)
    if broken is None:
        return Decision(case)
    entry = Entry("touch_breached", SYSTEM, {"clock_id": broken.id, "due_at": iso(broken.due_at)})
    # What was overdue before the case ended is escalated no more: ending it ended that.
    opened_at = opened_again_at(case) or case.opened_at
    already_escalating = any(
        (clock.due_at, clock.id) < (broken.due_at, broken.id) and opened_at <= clock.due_at <= ctx.now
        for clock in case.waiting_clocks
    )
    if already_escalating:
        return Decision(case, (entry,))
    escalated = _escalate(case, replace(command, step=0), ctx)
    return replace(escalated, entries=(entry, *escalated.entries))


def _escalate(case: Case, command: commands.Fire, ctx: Context) -> Decision:
    """The next person of [routing] escalate_to; after the last, that one is told again, at most daily."""
    overdue = [clock for clock in case.waiting_clocks if clock.due_at <= ctx.now]
    if not overdue:
        return Decision(case)
    last = max(ctx.chain)
    # By places, so that nobody is passed over when one of the chain has become the owner meanwhile.
    place = min((place for place in ctx.chain if place >= command.step), default=last)
    next_person, step = ctx.chain[place], max(place, command.step)
    data = {"step": step, "due_at": iso(overdue[0].due_at)}
    told = Tell(NoticeKind.ESCALATION, Priority.ESCALATION, (), next_person, data)
    every = case.terms.escalate_every
    if place == last:
        every = max(every, _NAG_EVERY)
    again = StartDeadline(DeadlineKind.ESCALATION, ctx.now + every, step=step + 1)
    return Decision(
        case,
        (Entry("escalated", SYSTEM, {"step": step, "to": next_person.email, "role": next_person.role}),),
        (told, again),
    )


def _ask(case: Case, command: commands.Fire, ctx: Context) -> Decision:
    if case.status not in _AWAITING_CLOSE_OUT:
        return Decision(case)
    within = case.terms.close_out_within
    changed = replace(case, close_out_asked_at=ctx.now)
    effects = (
        Tell(NoticeKind.CLOSE_OUT, Priority.REMINDER),
        StartDeadline(DeadlineKind.CLOSE_OUT_REMINDER, ctx.now + within / 2),
        StartDeadline(DeadlineKind.CLOSE_OUT_OVERDUE, ctx.now + within),
    )
    return Decision(changed, (Entry("close_out_asked", SYSTEM, {"of": case.owner}),), effects)


def _ask_again(case: Case, command: commands.Fire, ctx: Context) -> Decision:
    if case.status not in _AWAITING_CLOSE_OUT:
        return Decision(case)
    return _reminder(case, command, NoticeKind.CLOSE_OUT_REMINDER)


def _unanswered(case: Case, command: commands.Fire, ctx: Context) -> Decision:
    if case.status not in _AWAITING_CLOSE_OUT:
        return Decision(case)
    told = Tell(
        NoticeKind.ESCALATION, Priority.ESCALATION, ("support_lead",), data={"close_out": iso(case.close_out_due_at)}
    )
    return Decision(case, (Entry("close_out_overdue", SYSTEM, {"due_at": iso(case.close_out_due_at)}),), (told,))


_FIRING: dict[DeadlineKind, Callable[[Case, commands.Fire, Context], Decision]] = {
    DeadlineKind.TOUCH_REMINDER: _remind,
    DeadlineKind.SNOOZE_END: _snooze_over,
    DeadlineKind.ACKNOWLEDGEMENT: _acknowledgement_over,
    DeadlineKind.TOUCH_DUE: _breach,
    DeadlineKind.ESCALATION: _escalate,
    DeadlineKind.CLOSE_OUT: _ask,
    DeadlineKind.CLOSE_OUT_REMINDER: _ask_again,
    DeadlineKind.CLOSE_OUT_OVERDUE: _unanswered,
}
