"""What a case promised holds: counted from when things happened, by the policy of then, whatever people press later."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.router.domain import commands
from services.router.domain.case import Status
from services.router.domain.decide import decide
from services.router.domain.decision import ALL_KINDS, CancelDeadlines, DeadlineKind, Refused, StartDeadline
from services.router.domain.sla import Terms
from tests.support.domain import ANA, LEA, NOON, Story, context

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def story() -> Story:
    return Story()


def starts(story: Story, kind: DeadlineKind) -> list[StartDeadline]:
    return [effect for effect in story.decision.effects if isinstance(effect, StartDeadline) and effect.kind is kind]


def test_the_close_out_counts_from_the_touch_not_from_when_it_was_logged(story: Story) -> None:
    story.after(5 * HOUR).touches(touched_at=NOON + 2 * HOUR)
    assert story.case.touched_at == NOON + 2 * HOUR
    assert story.case.close_out_due_at == NOON + 2 * HOUR + 7 * DAY


def test_a_touch_by_a_clock_a_little_ahead_of_ours_counts_as_now(story: Story) -> None:
    story.touches(touched_at=NOON + 4 * MINUTE)
    assert story.case.touched_at == NOON
    assert [clock.touched_at for clock in story.case.clocks] == [NOON]


def test_a_later_policy_changes_nothing_of_what_a_case_has_promised(story: Story) -> None:
    promised = story.case.clocks
    story.terms = Terms(touch_within=HOUR, close_out_after=DAY, close_out_within=HOUR)
    assert story.case.clocks == promised
    story.after(HOUR).touches()
    assert story.case.close_out_due_at == story.now + 7 * DAY
    story.after(7 * DAY)
    story.does(commands.Fire(actor="system", kind="close_out", due_at=story.now))
    (overdue,) = starts(story, DeadlineKind.CLOSE_OUT_OVERDUE)
    assert overdue.due_at == story.now + 2 * DAY


def test_a_wrong_touch_taken_back_under_a_new_policy_is_guarded_as_it_was_promised(story: Story) -> None:
    story.touches()
    story.terms = Terms(touch_within=HOUR, remind_before=(MINUTE,))
    story.after(HOUR).does(commands.CorrectTouch(actor=ANA, reason="Another customer"))
    assert [item.due_at for item in starts(story, DeadlineKind.TOUCH_REMINDER)] == [NOON + 20 * HOUR]
    assert [item.due_at for item in starts(story, DeadlineKind.TOUCH_DUE)] == [NOON + DAY]


def test_what_a_new_policy_promises_holds_for_clocks_that_start_under_it(story: Story) -> None:
    story.terms = Terms(touch_within=4 * HOUR)
    story.after(HOUR).joins()
    assert [clock.due_at for clock in story.case.clocks] == [NOON + DAY, NOON + 5 * HOUR]


@pytest.mark.parametrize(("step", "again"), [(0, 4 * HOUR), (1, 4 * HOUR), (2, DAY), (7, DAY)])
def test_the_last_of_the_chain_is_told_again_daily_not_every_few_hours(
    story: Story, step: int, again: timedelta
) -> None:
    now = NOON + DAY
    fire = commands.Fire(actor="system", kind="escalation", due_at=now, step=step)
    story.decision = decide(story.case, fire, context(now))
    (following,) = starts(story, DeadlineKind.ESCALATION)
    assert (following.due_at, following.step) == (now + again, step + 1)


@pytest.mark.parametrize(
    ("owner", "step", "next_", "following"), [(0, 1, LEA, 2), (1, 1, "cx-ops@us.example", 3), (2, 2, LEA, 3)]
)
def test_nobody_of_the_chain_is_passed_over_when_one_of_them_has_become_the_owner(
    story: Story, owner: int, step: int, next_: str, following: int
) -> None:
    now = NOON + DAY
    usual = context(now)
    others = {place: choice for place, choice in usual.chain.items() if place != owner}
    fire = commands.Fire(actor="system", kind="escalation", due_at=now, step=step)
    story.decision = decide(story.case, fire, replace(usual, chain=others))
    assert [tell.to and tell.to.email for tell in story.decision.tells] == [next_]
    (deadline,) = starts(story, DeadlineKind.ESCALATION)
    assert deadline.step == following


ENDINGS = {
    "closed": commands.ConfirmClosed(actor=ANA, promise_kept=True),
    "dismissed": commands.Dismiss(actor=ANA, reason="robot"),
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_with_a_case_everything_that_would_fall_due_ends(story: Story, ending: commands.Command) -> None:
    story.touches()
    assert CancelDeadlines(ALL_KINDS) in story.does(ending).effects


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_reopening_counts_and_asks_anew_whether_the_promise_was_kept(story: Story, ending: commands.Command) -> None:
    story.touches()
    story.does(ending)
    story.after(HOUR).does(commands.Reopen(actor=LEA, reason="It broke again"))
    assert (story.case.status, story.case.reopened) == (Status.OPEN, 1)
    assert (story.case.promise_kept, story.case.closed_at, story.case.ended_by) == (None, None, None)


def test_a_case_that_went_into_another_is_not_reopened_beside_it(story: Story) -> None:
    story.does(commands.MergeInto(actor="system", into="L-OTHER"))
    for command in (
        commands.Reopen(actor=ANA, reason="It broke again"),
        commands.Snooze(actor=ANA, until=NOON + HOUR, reason="Away"),
        commands.ConfirmClosed(actor=ANA),
    ):
        with pytest.raises(Refused, match="went into L-OTHER: act there"):
            story.does(command)
