"""Who of a workspace may be alerted and act, and whose status looks like an absence."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.router.domain import cards
from services.router.domain.case import Status
from services.router.domain.view import AwayView
from services.router.slack.members import Home, away_hint, unfit
from tests.support.case_views import view
from tests.support.domain import LEA, NOON

HOME = Home("T1", "E1")


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ({"deleted": True}, "is deactivated in Slack"),
        ({"is_bot": True}, "is a bot in Slack"),
        ({"is_workflow_bot": True}, "is a bot in Slack"),
        ({"is_restricted": True}, "is a guest in Slack"),
        ({"is_ultra_restricted": True}, "is a guest in Slack"),
        ({"is_stranger": True}, "belongs to another company"),
        ({"team_id": "T2"}, "belongs to another company"),
        ({"team_id": "T2", "enterprise_user": {"enterprise_id": "E2"}}, "belongs to another company"),
        ({"team_id": "T2", "enterprise_user": {"enterprise_id": "E1"}}, None),
        ({"team_id": "T1"}, None),
        ({}, None),
    ],
)
def test_only_full_active_members_of_our_own_company_may_act(user: dict[str, Any], why: str | None) -> None:
    assert unfit(user, HOME) == why


@pytest.mark.parametrize(
    ("emoji", "text", "words"),
    [
        (":palm_tree:", "", "palm tree"),
        (":palm_tree:", "Lisbon!", "Lisbon!"),
        ("", "On vacation until Friday", "On vacation until Friday"),
        (":speech_balloon:", "OOO", "OOO"),
        ("", "Out of office", "Out of office"),
        ("", "Urlaub", "Urlaub"),
        (":spiral_calendar_pad:", "In a meeting", None),
        ("", "Working on the illustration", None),
        ("", "", None),
    ],
)
def test_a_status_that_looks_like_an_absence_is_recognised(emoji: str, text: str, words: str | None) -> None:
    hint = away_hint({"profile": {"status_emoji": emoji, "status_text": text, "status_expiration": 0}})
    assert (hint.words if hint else None) == words


def test_the_end_of_a_status_is_kept_and_junk_is_not() -> None:
    profile = {"status_emoji": ":palm_tree:", "status_expiration": 1_796_083_200}
    hint = away_hint({"profile": profile})
    assert hint is not None
    assert hint.until == datetime.fromtimestamp(1_796_083_200, UTC)
    junk = away_hint({"profile": {**profile, "status_expiration": "soon"}})
    assert junk is not None
    assert junk.until is None
    assert away_hint({"profile": None}) is None


def test_the_card_says_that_the_owner_looks_away_and_calls_the_lead() -> None:
    hint = AwayView("On vacation", NOON + timedelta(days=3), NOON)
    card = cards.card(view(owner_away=hint), "you own this account", NOON)
    assert any("Owner looks away" in str(line) and "On vacation" in str(line) for line in card.context)
    assert card.mention == (LEA,)
    assert card.buttons == cards.card(view(), "you own this account", NOON).buttons, "nothing is suppressed"


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (Status.OPEN, AwayView("On vacation", NOON - timedelta(minutes=1), NOON - timedelta(hours=1))),
        (Status.OPEN, AwayView("On vacation", None, NOON - timedelta(days=3))),
        (Status.TOUCHED, AwayView("On vacation", None, NOON)),
    ],
)
def test_a_hint_that_is_old_over_or_beside_the_point_is_not_shown(status: Status, hint: AwayView) -> None:
    card = cards.card(view(status, owner_away=hint), "you own this account", NOON)
    assert card.mention == ()
    assert not any("looks away" in str(line) for line in card.context)
