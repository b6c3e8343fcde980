"""What holds whatever people, customers and clocks do to a case, in any order."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.domain import commands
from services.router.domain.case import Status
from services.router.domain.decision import DeadlineKind, InvalidCommand, Refused, StartDeadline, Tell
from tests.support.domain import ANA, LEA, Story, touch
from tests.support.examples import examples

WHO = st.sampled_from([ANA, LEA])
STEPS = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 60 * 24 * 3)),
    st.tuples(st.just("join"), st.integers(0, 5)),
    st.tuples(st.just("touch"), st.integers(-2, 0)),
    st.tuples(st.sampled_from(["ack", "resolve", "close", "still", "reopen", "dismiss", "correct", "note"]), WHO),
    st.tuples(st.just("fire"), st.sampled_from([kind for kind in DeadlineKind if kind is not DeadlineKind.GRACE])),
)


def command_of(story: Story, step: str, fact: object) -> commands.Command:
    match step, fact:
        case "touch", int(behind):
            return touch(story.now, version=max(1, story.case.version + behind))
        case "fire", DeadlineKind() as kind:
            clock = story.case.waiting_clocks[0].id if story.case.waiting_clocks else None
            return commands.Fire(actor="system", kind=kind.value, due_at=story.now, clock_id=clock)
        case _, str(who):
            return {
                "ack": commands.Acknowledge(actor=who),
                "resolve": commands.Resolve(actor=who, outcome="fixed", what_was_done="done"),
                "close": commands.ConfirmClosed(actor=who),
                "still": commands.StillOpen(actor=who, reason="not fixed"),
                "reopen": commands.Reopen(actor=who, reason="again"),
                "dismiss": commands.Dismiss(actor=who, reason="robot"),
                "correct": commands.CorrectTouch(actor=who, reason="wrong customer"),
                "note": commands.AddNote(actor=who, note="spoke to sales"),
            }[step]
    raise AssertionError(step)


@settings(max_examples=examples(200))
@given(st.lists(STEPS, max_size=25))
def test_a_case_keeps_its_promises(steps: list[tuple[str, object]]) -> None:
    story = Story()
    promised = {clock.id: clock.due_at for clock in story.case.clocks}
    joined = 1
    for step, fact in steps:
        before = story.case
        if step == "wait":
            story.after(timedelta(minutes=int(str(fact))))
            continue
        try:
            if step == "join":
                joined += 1
                if before.ended:
                    continue
                story.joins(f"r{joined}")
            else:
                story.does(command_of(story, step, fact))
        except (Refused, InvalidCommand):
            assert story.case == before
            continue
        after = story.case
        for clock in after.clocks:
            assert promised.setdefault(clock.id, clock.due_at) == clock.due_at, "a promised clock moved"
        assert after.owner
        assert after.version >= before.version
        assert (after.seq > before.seq) or after == before
        assert after.reopened - before.reopened in (0, 1)
        if after.status in (Status.OPEN, Status.ACKNOWLEDGED):
            assert after.waiting_clocks, "an open case must wait for a touch"
        if after.status in (Status.TOUCHED, Status.RESOLVED):
            assert not after.waiting_clocks
            assert after.close_out_due_at is not None
        if after.status is Status.CLOSED:
            assert after.closed_at is not None
        started = [effect for effect in story.decision.effects if isinstance(effect, StartDeadline)]
        assert all(item.due_at >= story.now or item.kind is DeadlineKind.TOUCH_DUE for item in started)
        if step == "join" and after.status is Status.OPEN:
            assert any(isinstance(effect, Tell) for effect in story.decision.effects), "news must be told"
