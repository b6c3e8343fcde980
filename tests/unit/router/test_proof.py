"""A touch is claimed until the helpdesk or the customer says more; what the customer denied is never confirmed."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.router.domain import commands
from services.router.domain.case import Proof, Reply, Status
from services.router.domain.decide import decide
from services.router.domain.proof import is_good
from tests.support.domain import ANA, NOON, Story, context, touch

HOUR = timedelta(hours=1)


def replied(at: datetime) -> commands.NoteReply:
    return commands.NoteReply(actor="system", reply=Reply(at, "helpscout", "ana@us.example"))


def rated(at: datetime, *of: str) -> commands.NoteGoodRating:
    return commands.NoteGoodRating(actor="system", response_id="later", rated_at=at, of=frozenset(of))


def touched() -> Story:
    story = Story().after(HOUR)
    story.touches()
    return story


def test_a_touch_is_its_authors_word_until_the_helpdesk_tells_of_a_reply() -> None:
    story = touched()
    assert story.case.proof is Proof.CLAIMED
    decision = story.after(HOUR).does(replied(story.now))
    assert story.case.proof is Proof.EVIDENCED
    (entry,) = decision.entries
    assert (entry.type, entry.data["source"], entry.data["clocks"]) == ("touch_evidenced", "helpscout", ["L-TEST:1"])


def test_a_reply_of_before_the_flag_or_said_again_is_no_evidence() -> None:
    story = touched()
    assert not story.does(replied(NOON - HOUR)).entries
    assert story.does(replied(NOON + HOUR)).entries
    assert not story.does(replied(NOON + HOUR)).entries


def test_a_reply_seen_before_the_touch_is_logged_proves_it_at_once() -> None:
    story = Story().after(HOUR)
    known = replace(context(story.now), reply=Reply(NOON + HOUR / 2, "chatwoot"))
    decision = decide(story.case, touch(story.now), known)
    assert [entry.type for entry in decision.entries] == ["touched", "touch_evidenced"]
    assert decision.case.proof is Proof.EVIDENCED


def test_the_customers_agreement_confirms_the_touch_and_says_whether_the_promise_was_kept() -> None:
    story = touched()
    decision = story.does(commands.ConfirmClosed(actor=ANA, promise_kept=False))
    assert [entry.type for entry in decision.entries] == ["closed", "touch_confirmed"]
    assert decision.entries[0].data["promise_kept"] is False
    assert (story.case.proof, story.case.promise_kept) == (Proof.CONFIRMED, False)


def test_a_customer_who_left_confirms_nothing() -> None:
    story = touched()
    story.does(commands.ConfirmClosed(actor=ANA, outcome="customer_left", what_was_done="They moved to another vendor"))
    assert (story.case.status, story.case.proof, story.case.promise_kept) == (Status.CLOSED, Proof.CLAIMED, None)


def test_what_the_customer_denied_stays_claimed_when_the_next_touch_is_confirmed() -> None:
    story = touched()
    story.after(HOUR).does(commands.StillOpen(actor=ANA, reason="Still broken"))
    story.after(HOUR).touches()
    story.does(commands.ConfirmClosed(actor=ANA))
    assert [clock.proof for clock in story.case.clocks] == [Proof.CLAIMED, Proof.CONFIRMED]
    assert story.case.proof is Proof.CONFIRMED


def test_a_later_good_rating_of_the_same_person_confirms() -> None:
    story = touched()
    assert not story.does(rated(NOON, "r1")).entries, "given before the touch"
    assert not story.does(rated(NOON + 2 * HOUR, "somebody-else")).entries
    story.does(rated(NOON + 2 * HOUR, "r1"))
    assert story.case.proof is Proof.CONFIRMED
    assert not story.does(replied(NOON + 3 * HOUR)).entries, "the customer's word stands above the helpdesk's"


def test_a_touch_taken_back_proves_nothing() -> None:
    story = touched()
    story.does(replied(story.now))
    story.does(commands.CorrectTouch(actor=ANA, reason="Wrong customer"))
    assert story.case.proof is None


@pytest.mark.parametrize(
    ("metric", "score", "good"),
    [
        ("csat", 4, True),
        ("csat", 3, False),
        ("nps", 9, True),
        ("nps", 8, False),
        ("ces", 5, True),
        ("none", None, False),
    ],
)
def test_good_is_what_a_happy_customer_says(metric: str, score: float | None, good: bool) -> None:
    assert is_good(metric, score) is good
