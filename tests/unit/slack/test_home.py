"""What a Home tab shows, and that neither a thousand cases nor hostile names take it over Slack's limits."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.domain.agenda import PAGE, Agenda, Part, day_ends
from services.router.domain.case import Status
from services.router.domain.view import CaseView
from services.router.slack.home import home, refused
from tests.support.block_limits import everything_said, home_problems
from tests.support.case_views import response, touch, view
from tests.support.domain import ANA, NOON
from tests.unit.slack.test_cards import MENTION, WORST, abused

OURS = {ANA: "U0ANA"}
BASE = "https://loop.example"
STATES = {
    Part.OVERDUE: Status.OPEN,
    Part.TODAY: Status.ACKNOWLEDGED,
    Part.LATER: Status.OPEN,
    Part.CLOSE_OUT: Status.TOUCHED,
}


def numbered(shown: CaseView, number: int) -> CaseView:
    return replace(shown, case=replace(shown.case, id=f"L-{number:010d}"))


def drawn(
    items: Sequence[tuple[Part, CaseView]], total: int | None = None, page: int = 0, **more: Any
) -> dict[str, Any]:
    counts = {part: sum(1 for one, _ in items if one is part) for part in Part}
    if total is not None:
        counts[Part.LATER] += total - len(items)
    return home(Agenda(counts, more.pop("covered", 0), ""), items, page, NOON, OURS, BASE, **more)


def buttons(shown: dict[str, Any]) -> list[dict[str, Any]]:
    return [element for block in shown["blocks"] if block["type"] == "actions" for element in block["elements"]]


def test_the_header_counts_and_each_case_says_what_is_due_and_offers_what_is_next() -> None:
    late = view(case_facts={"clocks": tuple(replace(c, due_at=NOON - timedelta(hours=2)) for c in view().case.clocks)})
    promised = numbered(view(Status.TOUCHED, touch=touch()), 2)
    shown = drawn([(Part.OVERDUE, late), (Part.CLOSE_OUT, promised)])
    assert not home_problems(shown)
    said = everything_said(shown["blocks"])
    for words in (
        "Your open cases: 2", "*1* overdue", "*0* due today", "*1* awaiting close-out", "Overdue by 2 h", "Acme Ltd",
        "CSAT 2 of 5 (Bad)", "The export fails every morning", "Dora Diaz (economic buyer)", f"<{BASE}/cases/L-TEST|",
        "Promised:* A fixed export by Fri 6 Nov 2026", "Close-out in 7 d", "As of <!date^",
    ):  # fmt: skip
        assert words in said
    offered = [(button["action_id"], json.loads(button["value"])["case"]) for button in buttons(shown)]
    assert offered == [
        ("case.acknowledge", "L-TEST"),
        ("case.log_touch", "L-TEST"),
        ("case.resolve", "L-0000000002"),
        ("case.log_touch", "L-0000000002"),
    ]


@pytest.mark.parametrize(
    ("page", "offered"),
    [(0, [("home.next", 1)]), (1, [("home.previous", 0), ("home.next", 2)]), (49, [("home.previous", 48)])],
)
def test_a_thousand_cases_have_pages_with_buttons_of_ids_that_stay(page: int, offered: list[tuple[str, int]]) -> None:
    items = [(Part.LATER, numbered(view(), number)) for number in range(PAGE)]
    shown = drawn(items, total=1_000, page=page)
    assert not home_problems(shown)
    turns = [button for button in buttons(shown) if button["action_id"].startswith("home.")]
    assert [(turn["action_id"], json.loads(turn["value"])["page"]) for turn in turns] == offered
    assert f"Page {page + 1} of 50" in everything_said(shown["blocks"])
    assert json.loads(shown["private_metadata"]) == {"page": page}


@pytest.mark.parametrize("text", WORST)
def test_a_full_page_of_the_worst_fits(text: str) -> None:
    hostile = {part: abused(text, "&" * 4_000, STATES[part]) for part in Part}
    items = [
        (part, numbered(hostile[part], number)) for number, part in enumerate(sorted([*Part] * 5, key=list(Part).index))
    ]
    shown = drawn(items, total=1_000, page=3, covered=7)
    assert len(items) == PAGE
    assert not home_problems(shown)
    assert all(found in ("<@U0ANA>",) or found.startswith("<!date^") for found in pings(shown))


@settings(deadline=None)
@given(text=st.text(max_size=300), other=st.text(max_size=300), part=st.sampled_from(Part))
def test_no_customer_text_breaks_it_or_pings_anybody(text: str, other: str, part: Part) -> None:
    shown = drawn([(part, abused(text, other, STATES[part]))])
    assert not home_problems(shown)
    assert not [found for found in pings(shown) if not re.fullmatch(r"<@U0ANA>|<!date\^\d+\^[^<>]*>", found)]


def test_what_a_person_is_not_shown_in_their_messages_is_not_here_either() -> None:
    said = everything_said(drawn([(Part.TODAY, view())], hidden=("comment", "respondent"))["blocks"])
    assert "export fails" not in said
    assert "Dora" not in said


def test_secrets_in_a_comment_are_masked() -> None:
    said = everything_said(drawn([(Part.TODAY, view(responses=(response(comment="password: Winter2024"),)))])["blocks"])
    assert "Winter2024" not in said


def test_nothing_open_and_somebody_who_may_not_look_are_said_in_words() -> None:
    assert "Nothing is open with you" in everything_said(drawn([])["blocks"])
    assert not home_problems(refused("<!channel> " * 900))


@pytest.mark.parametrize(
    ("timezone", "ends"),
    [("Europe/Berlin", "2026-11-02 23:00"), ("America/New_York", "2026-11-03 05:00"), (None, "2026-11-03 00:00")],
)
def test_a_day_ends_where_its_person_lives(timezone: str | None, ends: str) -> None:
    assert day_ends(NOON, timezone) == datetime.fromisoformat(ends).replace(tzinfo=UTC)


def pings(shown: dict[str, Any]) -> list[str]:
    return MENTION.findall(everything_said(shown["blocks"]))
