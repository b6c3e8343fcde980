"""What people do to a case from Slack, the console and the API."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.router.domain import clocks, commands, proof
from services.router.domain.arrivals import ask_new_owner
from services.router.domain.case import Case, Status
from services.router.domain.decision import (
    ALL_KINDS,
    CLOSE_OUT_KINDS,
    TOUCH_KINDS,
    CancelDeadlines,
    Context,
    DeadlineKind,
    Decision,
    Effect,
    Entry,
    InvalidCommand,
    NoticeKind,
    Priority,
    Refused,
    StartDeadline,
    Tell,
)
from services.router.domain.words import already, clock_time, iso

CUSTOMER_LEFT = "customer_left"
_SKEW = timedelta(minutes=5)
_LONGEST_WORD = 60
_LONGEST_SNOOZE = timedelta(days=30)
_BEFORE_TOUCH = (Status.OPEN, Status.ACKNOWLEDGED)
_AFTER_TOUCH = (Status.TOUCHED, Status.RESOLVED)


def acknowledge(case: Case, command: commands.Acknowledge, ctx: Context) -> Decision:
    if case.status is Status.ACKNOWLEDGED and case.acknowledged_by == command.actor:
        return Decision(case, repeated=True, text="You acknowledged this already.")
    if case.status is not Status.OPEN:
        raise Refused(already(case))
    changed = replace(case, status=Status.ACKNOWLEDGED, acknowledged_at=ctx.now, acknowledged_by=command.actor)
    effects = clocks.expect_touch(case, ctx)
    entry = Entry("acknowledged", command.actor)
    return Decision(changed, (entry,), tuple(effects), text="Acknowledged. The touch clock runs on.")


def log_touch(case: Case, command: commands.LogTouch, ctx: Context) -> Decision:
    if case.status not in (*_BEFORE_TOUCH, Status.TOUCHED):
        raise Refused(already(case))
    _check_word("channel", command.channel, commands.CHANNELS)
    told_at = command.touched_at or ctx.now
    if told_at > ctx.now + _SKEW:
        raise InvalidCommand("touched_at", "A touch cannot lie in the future.")
    # It may still be the day before where its author is.
    if command.next_step_due < (told_at - timedelta(hours=12)).date():
        raise InvalidCommand("next_step_due", "The next step cannot be due before the touch.")
    touched_at = min(told_at, ctx.now)
    covered = clocks.covered_by(case, touched_at, command.version)
    if not covered and (missed := clocks.covered_by(case, ctx.now, command.version)):
        raise InvalidCommand("touched_at", f"The customer answered only at {clock_time(missed[0].started_at)}.")
    changed = replace(case, clocks=clocks.cover(case, covered, touched_at, case.seq + 1))
    effects: list[Effect] = clocks.stop_guarding(covered, everything=not changed.waiting_clocks)
    if covered:
        touched_at = max(touched_at, min(clock.started_at for clock in covered))
        changed = replace(changed, touched_at=touched_at, touched_by=command.actor)
    if covered and not changed.waiting_clocks:
        close_out_at = touched_at + case.terms.close_out_after
        changed = replace(changed, status=Status.TOUCHED, close_out_due_at=close_out_at, close_out_asked_at=None)
        effects += clocks.ask_later(close_out_at)
    entry = Entry(
        "touched",
        command.actor,
        {
            "channel": command.channel,
            "touched_at": iso(touched_at),
            "next_step_due": command.next_step_due.isoformat(),
            "covers": [clock.id for clock in covered],
            "seen_version": command.version or case.version,
            "close_out_due_at": iso(changed.close_out_due_at),
        },
        {"acknowledgement": command.acknowledgement, "next_step": command.next_step},
    )
    changed, evidence = proof.evidenced(changed, ctx.reply)
    left = len(changed.waiting_clocks)
    text = "Touch logged." if not left else f"Touch logged; {left} newer response(s) still need a touch."
    return Decision(changed, (entry, *evidence), tuple(effects), text=text)


def correct_touch(case: Case, command: commands.CorrectTouch, ctx: Context) -> Decision:
    seqs = [clock.touched_seq for clock in case.clocks if clock.touched_seq is not None]
    if case.status not in (*_BEFORE_TOUCH, *_AFTER_TOUCH) or not seqs:
        raise Refused("There is no touch to correct." if not case.ended else already(case))
    wrong = max(seqs)
    reset = [replace(c, touched_at=None, touched_seq=None, proof=None) for c in case.clocks if c.touched_seq == wrong]
    ids = {clock.id for clock in reset}
    kept = tuple(clock for clock in case.clocks if clock.id not in ids)
    changed = replace(
        clocks.awaiting_touch(case),
        clocks=(*kept, *reset),
        touched_at=max((c.touched_at for c in kept if c.touched_at), default=None),
        touched_by=None,
    )
    effects: list[Effect] = [CancelDeadlines(CLOSE_OUT_KINDS)]
    for clock in reset:
        effects += clocks.guard(clock, case.terms, ctx.now)
    data = {"corrected_seq": wrong, "clocks": sorted(ids)}
    entry = Entry("touch_corrected", command.actor, data, {"reason": command.reason})
    return Decision(
        changed, (entry,), tuple(effects), text="The touch was taken back; its clock runs as first promised."
    )


def reassign(case: Case, command: commands.Reassign, ctx: Context) -> Decision:
    if case.status is Status.CLOSED:
        raise Refused(already(case))
    new_owner = command.new_owner.strip().lower()
    if "@" not in new_owner:
        raise InvalidCommand("new_owner", "Name a person by e-mail.")
    if new_owner == case.owner:
        raise InvalidCommand("new_owner", f"{new_owner} owns this case already.")
    if new_owner != command.actor and new_owner in ctx.unfit:
        raise InvalidCommand("new_owner", f"Choose somebody else: {ctx.unfit[new_owner]}.")
    reason = f"reassigned by {command.actor}"
    changed = replace(case, owner=new_owner, owner_reason=reason, owner_pinned=True, covers_for=None)
    entry = Entry("reassigned", command.actor, {"from": case.owner, "to": new_owner}, {"reason": command.reason})
    card = Tell(NoticeKind.CARD, Priority.ALERT, data={"why": f"{reason}: {command.reason}"})
    return Decision(changed, (entry,), (card, *ask_new_owner(changed)), text=f"Reassigned to {new_owner}.")


def snooze(case: Case, command: commands.Snooze, ctx: Context) -> Decision:
    if case.ended:
        raise Refused(already(case))
    if not ctx.now < command.until <= ctx.now + _LONGEST_SNOOZE:
        raise InvalidCommand("until", "Choose a time in the next 30 days.")
    changed = replace(case, snoozed_until=command.until)
    entry = Entry("snoozed", command.actor, {"until": iso(command.until)}, {"reason": command.reason})
    effects = (
        CancelDeadlines(frozenset({DeadlineKind.SNOOZE_END})),
        StartDeadline(DeadlineKind.SNOOZE_END, command.until),
    )
    return Decision(changed, (entry,), effects, text="Reminders are silenced until then; due times stay.")


def resolve(case: Case, command: commands.Resolve, ctx: Context) -> Decision:
    if case.status in _BEFORE_TOUCH:
        raise Refused("Log the touch first: a case is resolved after the customer was contacted.")
    if case.status is not Status.TOUCHED:
        raise Refused(already(case))
    _check_word("outcome", command.outcome, commands.OUTCOMES)
    changed = replace(case, status=Status.RESOLVED, resolved_at=ctx.now, resolved_by=command.actor)
    entry = Entry("resolved", command.actor, {"outcome": command.outcome}, {"what_was_done": command.what_was_done})
    return Decision(changed, (entry,), text="Resolved. The close-out question follows.")


def confirm_closed(case: Case, command: commands.ConfirmClosed, ctx: Context) -> Decision:
    left = command.outcome == CUSTOMER_LEFT
    if case.ended:
        raise Refused(already(case))
    if case.status in _BEFORE_TOUCH and not left:
        raise Refused("Log the touch first: a case is closed when the customer agrees it is resolved.")
    if left and not command.what_was_done.strip():
        raise InvalidCommand("what_was_done", "Say what is known about the customer's leaving.")
    agreed, confirmation = (case, ()) if left else proof.agreed(case)
    kept = command.promise_kept
    changed = replace(agreed, status=Status.CLOSED, closed_at=ctx.now, ended_by=command.actor, promise_kept=kept)
    texts = {"what_was_done": command.what_was_done} if command.what_was_done.strip() else {}
    data: dict[str, Any] = {"outcome": command.outcome, "close_out_due_at": iso(case.close_out_due_at)}
    data |= {} if kept is None else {"promise_kept": kept}
    closed = Entry("closed", command.actor, data, texts)
    return Decision(changed, (closed, *confirmation), (CancelDeadlines(ALL_KINDS),), text="Closed.")


def still_open(case: Case, command: commands.StillOpen, ctx: Context) -> Decision:
    if case.status not in _AFTER_TOUCH:
        raise Refused(already(case))
    return _open_again(case, command.actor, command.reason, "still_open", ctx)


def reopen(case: Case, command: commands.Reopen, ctx: Context) -> Decision:
    if case.merged_into:
        raise Refused(f"This case went into {case.merged_into}: act there.")
    if not case.ended:
        raise Refused(already(case))
    return _open_again(case, command.actor, command.reason, "reopen", ctx)


def dismiss(case: Case, command: commands.Dismiss, ctx: Context) -> Decision:
    if case.status is Status.CLOSED:
        raise Refused(already(case))
    if case.status is Status.DISMISSED:
        return Decision(case, repeated=True, text=already(case))
    changed = replace(case, status=Status.DISMISSED, closed_at=None, ended_by=command.actor)
    entry = Entry("dismissed", command.actor, {}, {"reason": command.reason})
    return Decision(changed, (entry,), (CancelDeadlines(ALL_KINDS),), text="Dismissed; it stays in the figures.")


def add_note(case: Case, command: commands.AddNote, ctx: Context) -> Decision:
    return Decision(case, (Entry("noted", command.actor, {}, {"note": command.note}),), text="Noted.")


def _open_again(case: Case, actor: str, reason: str, by: str, ctx: Context) -> Decision:
    clock = clocks.new_clock(case, clocks.REOPENED, ctx, ctx.now)
    changed = replace(
        clocks.awaiting_touch(case),
        clocks=(*case.clocks, clock),
        reopened=case.reopened + 1,
        reopened_by=actor,
        closed_at=None,
        ended_by=None,
        promise_kept=None,
        snoozed_until=None,
        terms=ctx.terms,
        policy_version=ctx.policy_version,
    )
    entry = Entry(
        "reopened", actor, {"by": by, "clock_id": clock.id, "touch_due_at": iso(clock.due_at)}, {"reason": reason}
    )
    told = Tell(NoticeKind.REOPENED, Priority.ALERT, ("owner", "support_lead"), data={"words": reason})
    # What was promised before the case ended and is still to come is guarded again; it ended without a touch.
    running = [waiting for waiting in case.waiting_clocks if waiting.due_at > ctx.now]
    guards = [guard for each in (*running, clock) for guard in clocks.guard(each, ctx.terms, ctx.now)]
    effects = (CancelDeadlines(ALL_KINDS - TOUCH_KINDS), *guards, told)
    return Decision(changed, (entry,), effects, text="Open again, with a new touch clock.")


def _check_word(field: str, word: str, offered: tuple[str, ...]) -> None:
    """A team's own word is as good as those we offer, as long as figures can be grouped by it."""
    if not word.strip() or len(word) > _LONGEST_WORD:
        raise InvalidCommand(field, f"One short word, such as {', '.join(offered)}.")
