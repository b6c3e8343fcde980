"""What a card says, and that no customer text can break or abuse one (G11)."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.case import Severity, Status
from services.router.domain.decision import NoticeKind
from services.router.domain.notices import Notice, compose
from services.router.domain.view import CaseView
from services.router.slack.blocks import Rendered, render
from tests.support.block_limits import CARD_CHARACTERS, everything_said, message_problems
from tests.support.case_views import ACCOUNT, entry, response, touch, view
from tests.support.domain import ANA, LEA, NOON

OURS = {ANA: "U0ANA", LEA: "U0LEA"}
URL = "https://loop.example/cases/L-TEST"
LONG = CARD_CHARACTERS + 1_000  # more than any one limit; what is longer only takes longer to mask and escape
WORST = [
    "<!channel> <!here> <@U0ANA> <!subteam^S1> <#C1>",
    "<https://phish.example|your invoice>",
    "&" * LONG,
    "<" * LONG,
    "漢" * LONG,
    "\n" * 3_000 + "end",
    "> " * 2_000,
    "```" * 500,
    "a" * LONG,
    "<!date^1^{date}|x>",
    "&lt;!channel&gt;",
    "fine \u202e!ton \u2066really",
    "",
    " \n ",
]
HOSTILE = st.text(
    alphabet=st.one_of(
        st.sampled_from([*"<>&!@#|*_~`:^{}\\\"'\n\r\t ", "\u202e", "\u0000", "\ud800", "\u2066", "😀", "漢", "ا"]),
        st.characters(),
    ),
    max_size=700,
) | st.sampled_from(WORST)
MENTION = re.compile(r"<[!@#][^>]*>")
TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def drawn(kind: NoticeKind, shown: Any, role: str = "owner", now: Any = NOON, **data: Any) -> Rendered:
    message = compose(Notice(kind, ANA if role == "owner" else LEA, role, data), shown, now, URL)
    return render(message, "n" * 36, OURS)


def abused(text: str, other: str, status: Status = Status.OPEN) -> CaseView:
    """A case in which everything that comes from outside is one of the two."""
    answer = response(
        comment=text, subject=other, requester_name=text, requester_email=other, requester_role=text, ticket_id=other,
        ticket_url=f"https://desk.example/{text}", ticket_status=other, raw_score=text, reasons=(text, other),
        raw_scale={"type": "ordinal", "values": [text, other], "maps_to": [1, 5]},
    )  # fmt: skip
    account = replace(ACCOUNT, name=other, tier=text, segment=other, currency=text)
    return view(
        status,
        responses=(answer, replace(answer, id="r2")),
        account=account,
        case_facts={"account_name": text, "owner_reason": other},
        last_entry=entry("reassigned", to=other, reason=text),
        touch=touch(next_step=text, channel=other),
    )


def drawn_at_worst(kind: NoticeKind, status: Status, text: str, other: str, **data: Any) -> Rendered:
    """With everything a notice may carry."""
    shown = abused(text, other, status)
    return drawn(kind, shown, "support_lead", words=text, why=other, response_id="r2", collapsed=3, **data)


def test_an_open_card_has_what_it_takes_to_act() -> None:
    said = everything_said(drawn(NoticeKind.CARD, view(), why="CSM of the account").blocks)
    for words in (
        "Open", "Acme Ltd", "CSAT 2 of 5 (Bad)", "The export fails every morning", "Dora Diaz (economic buyer)",
        "<https://desk.example/t/51612|#51612 Export fails>", "solved", "<@U0ANA>", "EUR 1,200,000", "gold",
        "Fri 15 Jan 2027", "Due in 1 d", "L-TEST", "why you: CSM of the account", "at or below 3", URL,
    ):  # fmt: skip
        assert words in said
    assert re.search(r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|2026-11-03 12:00 UTC>", said)


@pytest.mark.parametrize(
    ("status", "buttons"),
    [
        (Status.OPEN, ["case.acknowledge*", "case.log_touch", "case.reassign", "case.snooze"]),
        (Status.ACKNOWLEDGED, ["case.log_touch*", "case.reassign", "case.snooze"]),
        (Status.TOUCHED, ["case.resolve*", "case.log_touch", "case.reassign"]),
        (Status.RESOLVED, ["case.confirm_closed*", "case.still_open"]),
        (Status.CLOSED, ["case.reopen"]),
        (Status.DISMISSED, ["case.reopen"]),
    ],
)
def test_each_state_offers_what_it_allows(status: Status, buttons: list[str]) -> None:
    blocks = drawn(NoticeKind.CARD, view(status)).blocks
    offered = [element for block in blocks if block["type"] == "actions" for element in block["elements"]]
    assert [e["action_id"] + "*" * (e.get("style") == "primary") for e in offered] == buttons
    for element in offered:
        assert json.loads(element["value"]) == {"case": "L-TEST", "notice": "n" * 36, "version": 7}
    menus = [block["accessory"]["action_id"] for block in blocks if "accessory" in block]
    assert menus == ([] if status in (Status.CLOSED, Status.DISMISSED) else ["case.dismiss"])


@pytest.mark.parametrize("kind", set(NoticeKind) - {NoticeKind.DIGEST})
@pytest.mark.parametrize("status", Status)
def test_every_notice_in_every_state_is_within_the_limits(kind: NoticeKind, status: Status) -> None:
    card = drawn(kind, view(status, touch=touch(), last_entry=entry("touched")), role="support_lead", words="Because")
    assert not message_problems(card)
    assert "Acme Ltd" in card.text
    assert len({block["block_id"] for block in card.blocks}) == len(card.blocks)
    assert all(block["block_id"].startswith("c:L-TEST:7:") for block in card.blocks)


@given(text=HOSTILE, other=HOSTILE, kind=st.sampled_from(NoticeKind))
def test_no_customer_text_breaks_a_card_or_pings_anybody(text: str, other: str, kind: NoticeKind) -> None:
    shown = abused(text, other)
    card = drawn(kind, shown, words=text, why=other, response_id="r2")
    assert not message_problems(card)
    everything_said(card.blocks).encode()
    ours = re.compile(r"<@U0(ANA|LEA)>|<!date\^\d+\^\{date_short_pretty\} \{time\}\|[-0-9: ]+UTC>")
    for said in (card.text, *_texts(card.blocks)):
        assert not [found for found in MENTION.findall(said) if not ours.fullmatch(found)]
        assert all(url.startswith(("<https://desk.example/", f"<{URL}")) for url in re.findall(r"<https?:[^|>]*", said))
        assert not TURNS.search(said), "the rest of the card could be read backwards"
    assert all(text["verbatim"] for text in _mrkdwn(card.blocks)), "or Slack makes links and mentions of its own"


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("status", Status)
def test_the_worst_and_longest_fits_every_kind_in_every_state(kind: NoticeKind, status: Status) -> None:
    for text, other in [*pairwise([*WORST, WORST[0]]), ("&" * LONG, "&" * LONG)]:
        assert not message_problems(drawn_at_worst(kind, status, text, other))


@pytest.mark.parametrize("escalates", [{}, {"step": 1}, {"close_out": "2026-11-09T12:00:00Z"}], ids=str)
@pytest.mark.parametrize("kind", NoticeKind)
def test_a_comment_of_40_kb_fits_every_kind(kind: NoticeKind, escalates: dict[str, Any]) -> None:
    for text in ("漢" * 40_000, "&" * 40_000):
        assert not message_problems(drawn_at_worst(kind, Status.OPEN, text, text, **escalates))


@given(text=HOSTILE)
def test_a_ticket_address_that_is_none_is_no_link(text: str) -> None:
    card = drawn(NoticeKind.CARD, view(responses=(response(ticket_url=text),)))
    assert not message_problems(card)
    assert "<javascript" not in everything_said(card.blocks)


def test_a_long_comment_is_cut_with_a_way_to_the_rest() -> None:
    said = everything_said(drawn(NoticeKind.CARD, view(responses=(response(comment="x" * 40_000),))).blocks)
    assert "x" * 490 in said
    assert "x" * 501 not in said
    assert f"<{URL}|… read all>" in said


def test_a_missing_comment_is_said() -> None:
    said = everything_said(drawn(NoticeKind.CARD, view(responses=(response(comment=None),))).blocks)
    assert "No comment left." in said


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"metric": "nps", "normalised_score": 3, "raw_score": 3, "raw_scale": {"min": 0, "max": 10}}, "NPS 3 of 10"),
        ({"metric": "ces", "normalised_score": 2, "raw_score": 2, "raw_scale": {"min": 1, "max": 7}}, "CES 2 of 7"),
        (
            {"raw_score": "bad", "normalised_score": 1,
             "raw_scale": {"type": "ordinal", "values": ["bad", "good"], "maps_to": [1, 5]}},
            "CSAT bad (1 of 5; two-step scale: bad or good)",
        ),
        ({"raw_score": 0, "normalised_score": 1, "raw_scale": {"min": 0, "max": 2}}, "answered 0 on 0 to 2"),
        ({"raw_score": 0, "normalised_score": 1, "raw_scale": {"min": 0, "max": 1}}, "on the two-step scale 0 to 1"),
    ],
)  # fmt: skip
def test_a_score_is_shown_with_its_scale(facts: dict[str, Any], words: str) -> None:
    assert words in everything_said(drawn(NoticeKind.CARD, view(responses=(response(**facts),))).blocks)


def test_several_people_of_one_account_are_counted() -> None:
    crowd = tuple(response(id=f"r{n}", requester_email=f"p{n}@acme.example") for n in range(3))
    assert "now 3 people" in everything_said(drawn(NoticeKind.CARD, view(responses=crowd)).blocks)


def test_an_overdue_touch_says_by_how_much() -> None:
    late = NOON + timedelta(hours=26, minutes=5)
    assert "Overdue by 2 h 5 m" in everything_said(drawn(NoticeKind.CARD, view(), now=late).blocks)


def test_somebody_escalated_to_without_a_card_learns_why() -> None:
    late = NOON + timedelta(hours=26)
    card = drawn(NoticeKind.CARD, view(), role="support_lead", now=late, step=1, why="support lead by policy")
    assert "Escalation*: the first touch is overdue by 2 h" in everything_said(card.blocks)
    assert card.text.startswith("Escalation. ")


def test_the_push_text_alone_tells_it_all() -> None:
    text = drawn(NoticeKind.CARD, view()).text
    for words in ("CSAT 2 of 5 (Bad)", "Acme Ltd", "ana@us.example", "2026-11-03 12:00 UTC", "The export fails"):
        assert words in text


@pytest.mark.parametrize("kind", [NoticeKind.CARD, NoticeKind.JOINED])
def test_a_good_score_whose_ticket_was_reopened_is_not_called_a_low_one(kind: NoticeKind) -> None:
    clocks = tuple(replace(clock, cause="ticket_reopened") for clock in view().case.clocks)
    praised = view(responses=(response(raw_score=5, normalised_score=5),), case_facts={"clocks": clocks})
    text = drawn(kind, praised, response_id="r1").text
    assert "Ticket reopened: CSAT 5 of 5" in text
    assert "ow score" not in text


def test_a_thread_message_mentions_only_whom_it_calls() -> None:
    card = drawn(NoticeKind.REMINDER, view(case_facts={"severity": Severity.CRITICAL}))
    assert set(re.findall(r"<@\w+>", everything_said(card.blocks) + card.text)) == {"<@U0ANA>"}


def test_the_close_out_question_repeats_what_was_promised() -> None:
    card = drawn(NoticeKind.CLOSE_OUT, view(Status.TOUCHED, touch=touch()))
    said = everything_said(card.blocks)
    assert "Is it still fixed?" in said
    assert "A fixed export" in said
    assert "case.confirm_closed" in said
    assert "case.still_open" in said


def _mrkdwn(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value] if value.get("type") == "mrkdwn" else _mrkdwn(list(value.values()))
    return [text for inner in value for text in _mrkdwn(inner)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for inner in value.values() for text in _texts(inner)]
    return [text for inner in value for text in _texts(inner)] if isinstance(value, list) else []
