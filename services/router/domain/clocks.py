"""Starting and covering touch clocks, and the deadlines that guard them."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.router.domain.case import Case, Proof, Status, TouchClock
from services.router.domain.decision import (
    CLOSE_OUT_KINDS,
    TOUCH_KINDS,
    CancelDeadlines,
    Context,
    DeadlineKind,
    Effect,
    StartDeadline,
)
from services.router.domain.sla import Terms, due, reminders

REOPENED = "reopened"
"""The cause of a clock that starts because the case is open again."""


def guard(clock: TouchClock, terms: Terms, now: datetime) -> list[Effect]:
    """The deadlines of a waiting clock: reminders still ahead, and the breach."""
    ahead = [at for at in reminders(clock.started_at, clock.due_at, terms.remind_before) if at > now]
    return [
        *(StartDeadline(DeadlineKind.TOUCH_REMINDER, at, clock.id) for at in ahead),
        StartDeadline(DeadlineKind.TOUCH_DUE, clock.due_at, clock.id),
    ]


def new_clock(case: Case, cause: str, ctx: Context, started_at: datetime, response_id: str | None = None) -> TouchClock:
    """A clock under the terms of `ctx`. It is named after the journal entry that starts it, and shows from the next
    version on."""
    due_at = due(started_at, ctx.terms.touch_within, ctx.terms.calendar, ctx.calendars)
    return TouchClock(f"{case.id}:{case.seq + 1}", cause, started_at, due_at, case.version + 1, response_id)


def own_start(case: Case, started_at: datetime) -> datetime:
    """An alert belongs to the clock that started when it says: of answers received at one moment, each later one starts
    a microsecond after the one before."""
    taken = {clock.started_at for clock in case.clocks}
    while started_at in taken:
        started_at += timedelta(microseconds=1)
    return started_at


def covered_by(case: Case, touched_at: datetime, seen_version: int | None) -> list[TouchClock]:
    """The waiting clocks a touch covers: those its author saw, started no later than the touch.
    Slack's picker knows minutes only, so a touch counts from the minute of the start."""
    seen = case.version if seen_version is None else seen_version
    return [
        clock
        for clock in case.waiting_clocks
        if clock.joined_version <= seen and _minute(clock.started_at) <= touched_at
    ]


def cover(case: Case, covered: list[TouchClock], touched_at: datetime, seq: int) -> tuple[TouchClock, ...]:
    ids = {clock.id for clock in covered}
    return tuple(
        replace(clock, touched_at=max(touched_at, clock.started_at), touched_seq=seq, proof=Proof.CLAIMED)
        if clock.id in ids
        else clock
        for clock in case.clocks
    )


def awaiting_touch(case: Case) -> Case:
    """Open, whatever was acknowledged, resolved or to be asked after an earlier touch. Its CLOSE_OUT_KINDS must go."""
    return replace(
        case,
        status=Status.OPEN,
        acknowledged_at=None,
        acknowledged_by=None,
        resolved_at=None,
        resolved_by=None,
        close_out_due_at=None,
        close_out_asked_at=None,
    )


def opened_again_at(case: Case) -> datetime | None:
    """When the case was opened again, the last time."""
    return max((clock.started_at for clock in case.clocks if clock.cause == REOPENED), default=None)


def stop_guarding(covered: list[TouchClock], everything: bool) -> list[Effect]:
    """Cancel the deadlines of covered clocks; when none is left waiting, the escalation too."""
    effects: list[Effect] = [CancelDeadlines(TOUCH_KINDS, frozenset(clock.id for clock in covered))]
    if everything:
        effects.append(
            CancelDeadlines(frozenset({DeadlineKind.ESCALATION, DeadlineKind.SNOOZE_END, DeadlineKind.ACKNOWLEDGEMENT}))
        )
    return effects


def expect_touch(case: Case, ctx: Context) -> list[Effect]:
    """The end of an acknowledgement that no touch follows: never later than a touch that is due still, and for the
    newest acknowledgement only."""
    effects: list[Effect] = [CancelDeadlines(frozenset({DeadlineKind.ACKNOWLEDGEMENT}))]
    span = ctx.terms.acknowledge_expires_after
    if span > timedelta(0):
        ends_at = due(ctx.now, span, ctx.terms.calendar, ctx.calendars)
        ahead = [clock.due_at for clock in case.waiting_clocks if clock.due_at > ctx.now]
        effects.append(StartDeadline(DeadlineKind.ACKNOWLEDGEMENT, min([ends_at, *ahead])))
    return effects


def ask_later(close_out_at: datetime) -> list[Effect]:
    """The close-out clock, in place of any before it."""
    return [CancelDeadlines(CLOSE_OUT_KINDS), StartDeadline(DeadlineKind.CLOSE_OUT, close_out_at)]


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
