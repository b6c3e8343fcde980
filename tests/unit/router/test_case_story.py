"""The life of a case, as CSMs and auditors would tell it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.router.domain import commands
from services.router.domain.case import Severity, Status, TouchClock
from services.router.domain.decide import decide
from services.router.domain.decision import (
    TOUCH_KINDS,
    CancelDeadlines,
    DeadlineKind,
    InvalidCommand,
    NoticeKind,
    Refused,
    StartDeadline,
    Tell,
)
from tests.support.domain import ANA, LEA, MAX, NOON, Story, context, opened, touch

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def story() -> Story:
    return Story()


def started(story: Story) -> dict[DeadlineKind, StartDeadline]:
    return {effect.kind: effect for effect in story.decision.effects if isinstance(effect, StartDeadline)}


def told(story: Story) -> list[NoticeKind]:
    return [effect.kind for effect in story.decision.effects if isinstance(effect, Tell)]


def test_opening_starts_the_touch_clock_and_tells_owner_and_lead() -> None:
    decision = opened()
    assert decision.case.touch_due_at == NOON + DAY
    due = {effect.kind: effect.due_at for effect in decision.effects if isinstance(effect, StartDeadline)}
    assert due == {DeadlineKind.TOUCH_REMINDER: NOON + 20 * HOUR, DeadlineKind.TOUCH_DUE: NOON + DAY}
    assert [effect.roles for effect in decision.effects if isinstance(effect, Tell)] == [("owner", "support_lead")]


def test_acknowledged_is_not_touched(story: Story) -> None:
    story.does(commands.Acknowledge(actor=ANA))
    assert story.case.status is Status.ACKNOWLEDGED
    cancelled = [effect.kinds for effect in story.decision.effects if isinstance(effect, CancelDeadlines)]
    assert not any(TOUCH_KINDS & kinds for kinds in cancelled)
    story.after(DAY).does(commands.Fire(actor="system", kind="touch_due", due_at=story.now, clock_id="L-TEST:1"))
    assert told(story) == [NoticeKind.ESCALATION]


def test_a_touch_stops_the_clock_and_promises_the_close_out(story: Story) -> None:
    story.after(HOUR).touches()
    assert story.case.status is Status.TOUCHED
    assert story.case.close_out_due_at == story.now + 7 * DAY
    assert started(story)[DeadlineKind.CLOSE_OUT].due_at == story.now + 7 * DAY


def test_the_close_out_counts_from_the_touch_whether_resolve_is_pressed_or_not(story: Story) -> None:
    story.touches()
    promised = story.case.close_out_due_at
    story.after(DAY).does(commands.Resolve(actor=ANA, outcome="fixed", what_was_done="New export"))
    assert story.case.close_out_due_at == promised


def test_a_second_low_score_is_never_swallowed_by_an_acknowledgement(story: Story) -> None:
    story.does(commands.Acknowledge(actor=ANA))
    story.after(HOUR).joins()
    assert story.case.status is Status.OPEN
    assert story.case.severity is Severity.HIGH
    assert story.case.reopened == 0
    assert [clock.due_at - NOON for clock in story.case.waiting_clocks] == [DAY, DAY + HOUR]
    assert told(story) == [NoticeKind.JOINED]


def test_a_touch_covers_only_what_its_author_saw(story: Story) -> None:
    seen = story.case.version
    story.after(HOUR).joins()
    story.touches(version=seen)
    assert story.case.status is Status.OPEN
    assert [clock.response_id for clock in story.case.waiting_clocks] == ["r2"]
    story.after(HOUR).touches(version=story.case.version)
    assert story.case.status is Status.TOUCHED


def test_a_further_touch_does_not_move_a_promise(story: Story) -> None:
    story.touches()
    promised = story.case.close_out_due_at
    story.after(3 * DAY).touches(acknowledgement="Called again to say the export is out.")
    assert story.case.close_out_due_at == promised


def test_a_response_that_joins_a_touched_case_asks_for_a_touch_of_its_own(story: Story) -> None:
    story.touches()
    story.after(DAY).joins()
    assert story.case.status is Status.OPEN
    assert story.case.close_out_due_at is None
    story.after(HOUR).touches()
    assert story.case.close_out_due_at == story.now + 7 * DAY


def test_day_seven_asks_the_owner_then_reminds_then_tells_the_lead(story: Story) -> None:
    story.touches()
    story.after(7 * DAY).does(commands.Fire(actor="system", kind="close_out", due_at=story.now))
    assert told(story) == [NoticeKind.CLOSE_OUT]
    assert started(story)[DeadlineKind.CLOSE_OUT_REMINDER].due_at == story.now + DAY
    assert started(story)[DeadlineKind.CLOSE_OUT_OVERDUE].due_at == story.now + 2 * DAY
    story.after(DAY).does(commands.Fire(actor="system", kind="close_out_reminder", due_at=story.now))
    assert told(story) == [NoticeKind.CLOSE_OUT_REMINDER]
    story.after(DAY).does(commands.Fire(actor="system", kind="close_out_overdue", due_at=story.now))
    assert [effect.roles for effect in story.decision.effects if isinstance(effect, Tell)] == [("support_lead",)]


def test_still_open_reopens_with_reason_and_a_new_clock(story: Story) -> None:
    story.touches()
    story.after(7 * DAY).does(commands.StillOpen(actor=ANA, reason="The export fails again"))
    assert story.case.status is Status.OPEN
    assert story.case.reopened == 1
    assert story.case.touch_due_at == story.now + DAY
    assert told(story) == [NoticeKind.REOPENED]


def test_closing_keeps_what_was_done_and_cancels_every_deadline(story: Story) -> None:
    story.touches()
    story.does(commands.ConfirmClosed(actor=ANA, what_was_done="Export fixed, customer agrees"))
    assert story.case.status is Status.CLOSED
    assert story.decision.entries[0].texts == {"what_was_done": "Export fixed, customer agrees"}
    story.after(7 * DAY).does(commands.Fire(actor="system", kind="close_out", due_at=story.now))
    assert not story.decision.entries


def test_a_customer_who_left_can_be_closed_untouched_with_the_reason(story: Story) -> None:
    with pytest.raises(Refused):
        story.does(commands.ConfirmClosed(actor=ANA))
    with pytest.raises(InvalidCommand) as wrong:
        story.does(commands.ConfirmClosed(actor=ANA, outcome="customer_left"))
    assert wrong.value.field == "what_was_done"
    story.does(commands.ConfirmClosed(actor=ANA, outcome="customer_left", what_was_done="Contract ended in May"))
    assert story.case.status is Status.CLOSED


def test_a_wrong_touch_is_taken_back_and_its_clock_runs_as_first_promised(story: Story) -> None:
    story.after(HOUR).touches()
    story.after(HOUR).does(commands.CorrectTouch(actor=LEA, reason="That was another customer"))
    assert story.case.status is Status.OPEN
    assert story.case.touch_due_at == NOON + DAY
    assert story.case.close_out_due_at is None
    assert started(story)[DeadlineKind.TOUCH_DUE].due_at == NOON + DAY
    assert story.case.reopened == 0


def test_snooze_silences_reminders_and_moves_no_due_time(story: Story) -> None:
    due = story.case.touch_due_at
    story.does(commands.Snooze(actor=ANA, until=NOON + 2 * DAY, reason="Customer is on a plane"))
    story.after(20 * HOUR).does(
        commands.Fire(actor="system", kind="touch_reminder", due_at=story.now, clock_id="L-TEST:1")
    )
    assert not told(story)
    assert story.case.touch_due_at == due
    story.after(4 * HOUR).does(commands.Fire(actor="system", kind="touch_due", due_at=story.now, clock_id="L-TEST:1"))
    assert told(story) == [NoticeKind.ESCALATION]


def test_two_breached_clocks_of_one_case_escalate_once(story: Story) -> None:
    story.after(HOUR).joins()
    story.after(DAY).does(commands.Fire(actor="system", kind="touch_due", due_at=story.now, clock_id="L-TEST:1"))
    assert told(story) == [NoticeKind.ESCALATION]
    second = story.case.waiting_clocks[1].id
    story.does(commands.Fire(actor="system", kind="touch_due", due_at=story.now, clock_id=second))
    assert [entry.type for entry in story.decision.entries] == ["touch_breached"]
    assert not told(story)


def test_a_late_click_says_who_was_first_and_changes_nothing(story: Story) -> None:
    story.does(commands.Acknowledge(actor=ANA))
    before = story.case
    with pytest.raises(Refused, match=r"Already acknowledged by ana@us\.example at 2026-11-02 12:00 UTC"):
        story.does(commands.Acknowledge(actor=LEA))
    assert story.case == before


def test_the_same_command_twice_is_done_once(story: Story) -> None:
    logged = touch(NOON)
    story.does(logged)
    once = story.case
    assert story.does(logged).repeated
    assert story.case == once


def test_a_touch_typed_while_somebody_acknowledged_is_not_thrown_away(story: Story) -> None:
    seen = story.case.version
    story.after(5 * timedelta(minutes=1)).does(commands.Acknowledge(actor=LEA))
    story.after(5 * timedelta(minutes=1)).touches(version=seen)
    assert story.case.status is Status.TOUCHED


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"channel": "x" * 61}, "channel"),
        ({"touched_at": NOON + HOUR}, "touched_at"),
        ({"touched_at": NOON - DAY}, "touched_at"),
        ({"acknowledgement": "   "}, "acknowledgement"),
        ({"next_step": ""}, "next_step"),
        ({"next_step_due": (NOON - DAY).date()}, "next_step_due"),
    ],
)
def test_a_touch_that_cannot_be_right_names_its_field(story: Story, facts: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidCommand) as wrong:
        story.touches(**facts)
    assert wrong.value.field == field


def test_a_touch_in_the_minute_of_the_answer_counts_though_slack_knows_no_seconds() -> None:
    story = Story()
    story.case = opened(NOON + timedelta(seconds=40)).case
    story.after(timedelta(minutes=2)).touches(touched_at=NOON)
    assert story.case.status is Status.TOUCHED
    assert story.case.touched_at == NOON + timedelta(seconds=40)


ALL_STATES = {
    Status.OPEN: [],
    Status.ACKNOWLEDGED: [commands.Acknowledge(actor=ANA)],
    Status.TOUCHED: [touch(NOON)],
    Status.RESOLVED: [touch(NOON), commands.Resolve(actor=ANA, outcome="fixed", what_was_done="done")],
    Status.CLOSED: [touch(NOON), commands.ConfirmClosed(actor=ANA)],
    Status.DISMISSED: [commands.Dismiss(actor=ANA, reason="robot")],
}
ALLOWED = {
    commands.LogTouch: {Status.OPEN, Status.ACKNOWLEDGED, Status.TOUCHED},
    commands.Resolve: {Status.TOUCHED},
    commands.ConfirmClosed: {Status.TOUCHED, Status.RESOLVED},
    commands.StillOpen: {Status.TOUCHED, Status.RESOLVED},
    commands.Reopen: {Status.CLOSED, Status.DISMISSED},
    commands.Dismiss: set(Status) - {Status.CLOSED},
    commands.Reassign: set(Status) - {Status.CLOSED},
    commands.Acknowledge: {Status.OPEN},
    commands.Snooze: set(Status) - {Status.CLOSED, Status.DISMISSED},
    commands.CorrectTouch: {Status.TOUCHED, Status.RESOLVED},
    commands.AddNote: set(Status),
}
ASKED = {
    commands.LogTouch: touch(NOON, actor=LEA),
    commands.Resolve: commands.Resolve(actor=LEA, outcome="fixed", what_was_done="x"),
    commands.ConfirmClosed: commands.ConfirmClosed(actor=LEA),
    commands.StillOpen: commands.StillOpen(actor=LEA, reason="no"),
    commands.Reopen: commands.Reopen(actor=LEA, reason="again"),
    commands.Dismiss: commands.Dismiss(actor=LEA, reason="no"),
    commands.Reassign: commands.Reassign(actor=LEA, new_owner="new@us.example", reason="holiday"),
    commands.Acknowledge: commands.Acknowledge(actor=LEA),
    commands.Snooze: commands.Snooze(actor=LEA, until=NOON + HOUR, reason="on a plane"),
    commands.CorrectTouch: commands.CorrectTouch(actor=LEA, reason="another customer"),
    commands.AddNote: commands.AddNote(actor=LEA, note="spoke to sales"),
}


@pytest.mark.parametrize("state", [Status.RESOLVED, Status.CLOSED, Status.DISMISSED])
def test_g8_whoever_comes_too_late_is_told_who_was_first(state: Status) -> None:
    story = Story()
    for command in ALL_STATES[state]:
        story.does(command)
    with pytest.raises(Refused, match=rf"Already {state.value} by ana@us\.example"):
        story.touches(actor=LEA)


def test_g8_who_says_so_a_second_time_is_told_who_opened_the_case_again(story: Story) -> None:
    story.touches()
    story.does(commands.StillOpen(actor=ANA, reason="The export fails again"))
    with pytest.raises(Refused, match=r"Already opened again by ana@us\.example"):
        story.does(commands.StillOpen(actor=LEA, reason="It fails"))


@pytest.mark.parametrize("state", ALL_STATES)
@pytest.mark.parametrize("kind", ALLOWED)
def test_every_command_in_every_state_is_allowed_or_refused_with_words(
    state: Status, kind: type[commands.Command]
) -> None:
    story = Story()
    for command in ALL_STATES[state]:
        story.does(command)
    assert story.case.status is state
    if state in ALLOWED[kind]:
        done = story.does(ASKED[kind])
        assert done.entries or done.repeated
    else:
        with pytest.raises(Refused) as refused:
            story.does(ASKED[kind])
        assert len(refused.value.text) > 10


def test_an_acknowledgement_that_no_touch_follows_expires_and_both_are_told(story: Story) -> None:
    story.does(commands.Acknowledge(actor=ANA))
    ends_at = started(story)[DeadlineKind.ACKNOWLEDGEMENT].due_at
    assert ends_at == NOON + 8 * HOUR
    due = story.case.touch_due_at
    story.after(8 * HOUR).does(commands.Fire(actor="system", kind="acknowledgement", due_at=story.now))
    assert (story.case.status, story.case.acknowledged_by, story.case.touch_due_at) == (Status.OPEN, None, due)
    assert [entry.type for entry in story.decision.entries] == ["acknowledgement_expired"]
    (tell,) = [effect for effect in story.decision.effects if isinstance(effect, Tell)]
    assert (tell.kind, tell.roles) == (NoticeKind.NOTE, ("owner", "support_lead"))
    assert "ana@us.example acknowledged this 8 h ago and no touch followed" in tell.data["words"]


def test_an_acknowledgement_never_outlives_the_touch_that_is_due(story: Story) -> None:
    story.after(20 * HOUR).does(commands.Acknowledge(actor=ANA))
    assert started(story)[DeadlineKind.ACKNOWLEDGEMENT].due_at == NOON + DAY


def test_a_snooze_does_not_prolong_an_acknowledgement(story: Story) -> None:
    story.does(commands.Acknowledge(actor=ANA))
    story.does(commands.Snooze(actor=ANA, until=NOON + 20 * HOUR, reason="Customer is on a plane"))
    story.after(8 * HOUR).does(commands.Fire(actor="system", kind="acknowledgement", due_at=story.now))
    assert story.case.status is Status.OPEN


def test_after_a_touch_there_is_no_acknowledgement_to_expire(story: Story) -> None:
    story.does(commands.Acknowledge(actor=ANA))
    story.after(HOUR).touches()
    cancelled = [effect.kinds for effect in story.decision.effects if isinstance(effect, CancelDeadlines)]
    assert any(DeadlineKind.ACKNOWLEDGEMENT in kinds for kinds in cancelled)
    story.after(8 * HOUR).does(commands.Fire(actor="system", kind="acknowledgement", due_at=story.now))
    assert story.case.status is Status.TOUCHED


def test_taking_a_case_over_needs_a_reason_but_not_the_absent_owners_help(story: Story) -> None:
    with pytest.raises(InvalidCommand) as wrong:
        story.does(commands.Reassign(actor=LEA, new_owner=LEA, reason=" "))
    assert wrong.value.field == "reason"
    story.does(commands.Reassign(actor=LEA, new_owner=LEA, reason="Ana is ill"))
    assert (story.case.owner, story.case.owner_pinned) == (LEA, True)
    assert story.decision.entries[0].texts == {"reason": "Ana is ill"}


ENDINGS = {
    "dismissed": commands.Dismiss(actor=ANA, reason="robot"),
    "closed": commands.ConfirmClosed(actor=ANA, outcome="customer_left", what_was_done="They told us so."),
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_what_was_promised_before_a_case_ended_is_guarded_again_when_it_reopens(
    story: Story, ending: commands.Command
) -> None:
    story.does(ending)
    story.after(HOUR).does(commands.Reopen(actor=ANA, reason="Not a robot after all"))
    starts = [effect for effect in story.decision.effects if isinstance(effect, StartDeadline)]
    due = {(effect.clock_id, effect.due_at) for effect in starts if effect.kind is DeadlineKind.TOUCH_DUE}
    assert due == {(clock.id, clock.due_at) for clock in story.case.waiting_clocks}
    assert len(due) == 2


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_reopened_case_is_escalated_also_when_it_ended_with_an_overdue_touch(
    story: Story, ending: commands.Command
) -> None:
    story.does(ending)
    story.after(2 * DAY).does(commands.Reopen(actor=ANA, reason="They are back"))
    newest = story.case.clocks[-1]
    story.after(DAY).does(commands.Fire(actor="system", kind="touch_due", due_at=story.now, clock_id=newest.id))
    assert told(story) == [NoticeKind.ESCALATION]


def test_a_case_that_takes_in_an_overdue_one_goes_on_escalating_it(story: Story) -> None:
    late = opened().case.clocks
    story.touches()
    story.after(2 * DAY).does(commands.Absorb(actor="system", merged="L-OTHER", clocks=late, severity=Severity.HIGH))
    assert started(story)[DeadlineKind.ESCALATION].due_at == story.now + 4 * HOUR


def merged_with_a_waiting_case(story: Story) -> None:
    waiting = TouchClock("L-ORPHAN:1", "response", story.now, story.now + DAY, 1, "r9")
    story.does(commands.Absorb(actor="system", merged="L-ORPHAN", clocks=(waiting,), severity=Severity.LOW))


@pytest.mark.parametrize(
    "comes",
    [Story.joins, merged_with_a_waiting_case, lambda story: story.does(commands.StillOpen(actor=ANA, reason="no"))],
)
def test_what_asks_for_a_touch_again_undoes_what_followed_the_last_one(
    comes: Callable[[Story], object], story: Story
) -> None:
    story.touches()
    story.does(commands.Resolve(actor=ANA, outcome="fixed", what_was_done="New export"))
    comes(story)
    case = story.case
    assert (case.status, case.resolved_at, case.resolved_by, case.close_out_due_at) == (Status.OPEN, None, None, None)
    cancelled = [effect.kinds for effect in story.decision.effects if isinstance(effect, CancelDeadlines)]
    assert any(DeadlineKind.CLOSE_OUT in kinds for kinds in cancelled)


def test_who_is_given_a_case_whose_close_out_question_waits_is_asked_it(story: Story) -> None:
    story.touches()
    story.after(7 * DAY).does(commands.Fire(actor="system", kind="close_out", due_at=story.now))
    story.does(commands.Reassign(actor=LEA, new_owner=MAX, reason="Ana has left"))
    assert told(story) == [NoticeKind.CARD, NoticeKind.CLOSE_OUT]


def test_a_snooze_ends_with_the_case(story: Story) -> None:
    story.does(commands.Snooze(actor=ANA, until=NOON + 20 * DAY, reason="Their office is closed"))
    story.does(commands.Dismiss(actor=ANA, reason="A robot"))
    story.after(DAY).does(commands.Reopen(actor=LEA, reason="No robot"))
    reminder = started(story)[DeadlineKind.TOUCH_REMINDER]
    story.after(20 * HOUR).does(
        commands.Fire(actor="system", kind="touch_reminder", due_at=story.now, clock_id=reminder.clock_id)
    )
    assert told(story) == [NoticeKind.REMINDER]


@pytest.mark.parametrize(("people", "again"), [(3, 4 * HOUR), (2, 4 * HOUR), (1, DAY)])
def test_where_nobody_is_next_the_last_one_is_told_again_daily(story: Story, people: int, again: timedelta) -> None:
    some = context(story.after(DAY).now)
    some = replace(some, chain=dict(list(some.chain.items())[:people]))
    breach = commands.Fire(actor="system", kind="touch_due", due_at=story.now, clock_id="L-TEST:1")
    story.decision = decide(story.case, breach, some)
    assert started(story)[DeadlineKind.ESCALATION].due_at == story.now + again


def test_where_the_next_step_is_due_today_it_may_be_yesterday_in_utc(story: Story) -> None:
    five_in_los_angeles = datetime(2026, 11, 3, 1, tzinfo=UTC)
    story.now = five_in_los_angeles
    story.touches(next_step_due=date(2026, 11, 2))
    assert story.case.status is Status.TOUCHED
