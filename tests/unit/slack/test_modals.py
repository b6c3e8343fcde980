"""Modals round trip: what is asked, and what a submission becomes."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.router.domain import commands
from services.router.domain.agenda import Agenda, Part
from services.router.domain.case import Status
from services.router.domain.messages import ActionId, HomeAction
from services.router.slack.interactions import Click, Nothing, Submission, Turn, Unheard, read
from services.router.slack.modals import modal, needed
from services.router.slack.submissions import Author, FieldErrors, to_command
from services.slack_sandbox.elements import state_values
from tests.support.block_limits import everything_said, modal_problems
from tests.support.case_views import response, touch, view
from tests.support.domain import NOON

ANA = Author("ana@us.example", "Europe/Lisbon")
ASKED = {
    ActionId.LOG_TOUCH: ["channel", "touched_at", "acknowledgement", "next_step", "next_step_due"],
    ActionId.REASSIGN: ["new_owner", "reason"],
    ActionId.SNOOZE: ["until", "reason"],
    ActionId.RESOLVE: ["outcome", "what_was_done"],
    ActionId.CONFIRM_CLOSED: ["outcome", "what_was_done"],
    ActionId.STILL_OPEN: ["reason"],
    ActionId.REOPEN: ["reason"],
    ActionId.DISMISS: ["reason"],
}
TOUCH = {
    "channel": "call",
    "touched_at": int(NOON.timestamp()),
    "acknowledgement": "You lost a morning; that is on us.",
    "next_step": "A fixed export",
    "next_step_due": "2026-11-06",
}


def opened(action: ActionId, status: Status = Status.TOUCHED, **facts: Any) -> dict[str, Any]:
    return modal(action, "L-TEST", "n1", 7, view(status, **facts), NOON)


def submitted(action: ActionId, status: Status = Status.TOUCHED, **values: Any) -> Submission:
    """As Slack hands it to us, made by the sandbox from the modal itself."""
    shown = opened(action, status)
    state = {"values": state_values(shown["blocks"], values)}
    user = {"id": "U0ANA", "team_id": "T1"}
    intent = read({"type": "view_submission", "user": user, "team": {"id": "T1"}, "view": {**shown, "state": state}})
    assert isinstance(intent, Submission)
    return intent


def wrong(action: ActionId, **values: Any) -> dict[str, str]:
    with pytest.raises(FieldErrors) as raised:
        to_command(submitted(action, **values), ANA, NOON)
    return raised.value.errors


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("action", ASKED)
def test_each_modal_asks_for_its_fields(action: ActionId, status: Status) -> None:
    shown = opened(action, status)
    assert not modal_problems(shown)
    assert shown["callback_id"] == action.value
    assert [block["block_id"] for block in shown["blocks"] if block["type"] == "input"] == ASKED[action]


@given(text=st.text(max_size=3_000))
def test_no_account_name_breaks_a_modal(text: str) -> None:
    crowd = tuple(response(id=f"r{n}", requester_name=text, requester_role=text) for n in range(30))
    for action in ASKED:
        shown = opened(action, Status.OPEN, responses=crowd, case_facts={"account_name": text})
        assert not modal_problems(shown)
        assert "<!" not in everything_said(shown).replace("\\", "")


def test_a_modal_opens_even_when_the_case_cannot_be_read() -> None:
    shown = modal(ActionId.LOG_TOUCH, "L-TEST", "n1", 7, None, NOON)
    assert not modal_problems(shown)


def test_the_touch_modal_names_the_responses_it_covers() -> None:
    assert "CSAT 2 of 5 (Bad), Dora Diaz" in everything_said(opened(ActionId.LOG_TOUCH, Status.OPEN))


def test_a_touch_becomes_a_command_with_what_its_author_saw() -> None:
    assert to_command(submitted(ActionId.LOG_TOUCH, Status.OPEN, **TOUCH), ANA, NOON) == commands.LogTouch(
        actor="ana@us.example",
        version=7,
        channel="call",
        touched_at=NOON,
        acknowledgement="You lost a morning; that is on us.",
        next_step="A fixed export",
        next_step_due=date(2026, 11, 6),
    )


def test_when_the_touch_was_is_filled_in_as_now() -> None:
    values = {key: value for key, value in TOUCH.items() if key != "touched_at"}
    command = to_command(submitted(ActionId.LOG_TOUCH, Status.OPEN, **values), ANA, NOON + timedelta(seconds=50))
    assert isinstance(command, commands.LogTouch)
    assert command.touched_at == NOON


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("acknowledgement", "          ", "fill this in"),
        ("next_step", "  ", "fill this in"),
        ("next_step_due", "2026-11-01", "in the past"),
        ("next_step_due", "", "choose a date"),
        ("touched_at", int((NOON + timedelta(hours=1)).timestamp()), "in the future"),
        ("channel", "", "choose one"),
    ],
)
def test_a_touch_that_cannot_be_right_is_told_under_its_field(field: str, value: Any, words: str) -> None:
    errors = wrong(ActionId.LOG_TOUCH, **{**TOUCH, field: value})
    assert list(errors) == [field]
    assert words in errors[field]


def test_short_words_are_not_thrown_away_where_slack_let_them_through() -> None:
    command = to_command(submitted(ActionId.LOG_TOUCH, **{**TOUCH, "acknowledgement": "Sorry"}), ANA, NOON)
    assert isinstance(command, commands.LogTouch)
    assert command.acknowledgement == "Sorry"


def test_everything_wrong_is_told_at_once() -> None:
    assert set(wrong(ActionId.LOG_TOUCH)) == {"channel", "acknowledgement", "next_step", "next_step_due"}


def test_today_is_the_authors_today() -> None:
    """At 02:00 UTC it is still yesterday in Los Angeles: a step due that day is not in the past there."""
    night = datetime(2026, 11, 3, 2, 0, tzinfo=UTC)
    values = {**TOUCH, "next_step_due": "2026-11-02"}
    submission = submitted(ActionId.LOG_TOUCH, Status.OPEN, **values)
    assert to_command(submission, Author("bo@us.example", "America/Los_Angeles"), night)
    with pytest.raises(FieldErrors):
        to_command(submission, ANA, night)


@pytest.mark.parametrize(
    ("action", "values", "command"),
    [
        (ActionId.SNOOZE, {"until": int((NOON + timedelta(hours=2)).timestamp()), "reason": "Lunch"},
         commands.Snooze(actor=ANA.email, version=7, until=NOON + timedelta(hours=2), reason="Lunch")),
        (ActionId.RESOLVE, {"outcome": "fixed", "what_was_done": "Fixed"},
         commands.Resolve(actor=ANA.email, version=7, outcome="fixed", what_was_done="Fixed")),
        (ActionId.CONFIRM_CLOSED, {"what_was_done": "Fixed"},
         commands.ConfirmClosed(actor=ANA.email, version=7, outcome="confirmed", what_was_done="Fixed")),
        (ActionId.STILL_OPEN, {"reason": "Again"}, commands.StillOpen(actor=ANA.email, version=7, reason="Again")),
        (ActionId.REOPEN, {"reason": "Again"}, commands.Reopen(actor=ANA.email, version=7, reason="Again")),
        (ActionId.DISMISS, {"reason": "Robot"}, commands.Dismiss(actor=ANA.email, version=7, reason="Robot")),
    ],
)  # fmt: skip
def test_each_modal_becomes_its_command(action: ActionId, values: dict[str, Any], command: commands.Command) -> None:
    assert to_command(submitted(action, **values), ANA, NOON) == command


def test_a_reassignment_names_the_person_by_email() -> None:
    submission = submitted(ActionId.REASSIGN, new_owner="U0BO", reason="Holiday")
    assert submission.values["new_owner"] == "U0BO"
    command = to_command(submission, ANA, NOON, "bo@us.example")
    assert command == commands.Reassign(actor=ANA.email, version=7, new_owner="bo@us.example", reason="Holiday")


def test_a_reminder_cannot_be_snoozed_into_the_past() -> None:
    assert "future" in wrong(ActionId.SNOOZE, until=int(NOON.timestamp()), reason="Lunch")["until"]


def test_before_a_touch_a_case_can_only_be_closed_for_a_customer_who_left() -> None:
    said = everything_said(opened(ActionId.CONFIRM_CLOSED, Status.OPEN))
    assert "customer_left" in said
    assert "workaround" not in said


def test_closing_what_is_resolved_asks_nothing() -> None:
    assert not needed(ActionId.CONFIRM_CLOSED, view(Status.RESOLVED))
    assert needed(ActionId.CONFIRM_CLOSED, view(Status.TOUCHED))
    assert not needed(ActionId.ACKNOWLEDGE, view())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
SHAPED = st.fixed_dictionaries(
    {"type": st.sampled_from(["block_actions", "view_submission", "view_closed", "shortcut"])},
    optional={
        "user": JSON,
        "team": JSON,
        "view": JSON,
        "actions": JSON | st.lists(JSON, max_size=2),
        "container": JSON,
    },
)


@example({"type": "block_actions", "actions": [{"action_id": "case.acknowledge", "value": "[" * 100_000}]})
@given(payload=JSON | SHAPED)
def test_reading_never_raises(payload: Any) -> None:
    assert isinstance(read(payload), Nothing | Unheard | Submission)


@pytest.mark.parametrize("action", ASKED)
@pytest.mark.parametrize("status", Status)
def test_the_worst_promise_and_account_fit_every_modal(action: ActionId, status: Status) -> None:
    for text in ("&" * 40_000, "<!channel>" * 900, "漢" * 40_000, "\n" * 3_000 + "end", "\u202e\x00 "):
        facts = {"case_facts": {"account_name": text}, "touch": touch(next_step=text)}
        shown = opened(action, status, responses=(response(requester_name=text, raw_score=text),), **facts)
        assert not modal_problems(shown)
        assert "<!" not in everything_said(shown["blocks"])


def test_a_promise_is_asked_about_and_may_be_left_open() -> None:
    promised = modal(ActionId.CONFIRM_CLOSED, "L-TEST", "n1", 7, view(Status.TOUCHED, touch=touch()), NOON)
    asked = next(block for block in promised["blocks"] if block["block_id"] == "promise_kept")
    assert asked["optional"]
    assert "A fixed export by Fri 6 Nov 2026" in everything_said(promised["blocks"][0])
    for answer, kept in (("yes", True), ("no", False), (None, None)):
        values = {"outcome": "confirmed", "what_was_done": "Fixed it"} | ({"promise_kept": answer} if answer else {})
        state = {"values": state_values(promised["blocks"], values)}
        user = {"id": "U0ANA", "team_id": "T1"}
        submission = read({"type": "view_submission", "user": user, "view": {**promised, "state": state}})
        assert isinstance(submission, Submission)
        command = to_command(submission, ANA, NOON)
        assert isinstance(command, commands.ConfirmClosed)
        assert command.promise_kept is kept


# Buttons with these ids stand in people's Slack: the list only ever grows.
EVER_POSTED = (
    "case.acknowledge case.log_touch case.reassign case.snooze case.resolve case.confirm_closed case.still_open "
    "case.reopen case.dismiss case.reveal home.previous home.next"
).split()


@pytest.mark.parametrize("action_id", EVER_POSTED)
def test_every_action_id_ever_posted_is_still_understood(action_id: str) -> None:
    value = json.dumps({"case": "L-AAAAAAAAAA", "notice": "n1", "version": 3, "page": 2})
    button = {"type": "button", "action_id": action_id, "value": value}
    read_as = read({"type": "block_actions", "user": {"id": "U1"}, "actions": [button]})
    assert isinstance(read_as, Turn if action_id.startswith("home.") else Click)
    assert action_id in {*ActionId, *HomeAction}


@pytest.mark.parametrize("page", [-1, "2", None, True, 1.5, {}, 10**9])
def test_a_page_that_makes_no_sense_is_some_page(page: Any) -> None:
    button = {"type": "button", "action_id": "home.next", "value": json.dumps({"page": page})}
    turn = read({"type": "block_actions", "user": {"id": "U1"}, "actions": [button]})
    assert isinstance(turn, Turn)
    assert Agenda({Part.LATER: 45}, 0, "").nearest_page(turn.page) in (0, 2)
