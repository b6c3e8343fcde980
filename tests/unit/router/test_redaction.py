"""A channel shows no more of a case than its profile allows; whom the case concerns may ask for the rest."""

import pytest

from services.router.domain.decision import NoticeKind
from services.router.domain.messages import ActionId, Message
from services.router.domain.notices import Notice, compose
from services.router.domain.redaction import EVERYTHING, hidden_in, in_words, may_reveal, redact, with_reveal
from services.router.domain.view import CaseView
from shared.policy import parse_policy
from tests.support.case_views import entry, response, view
from tests.support.domain import ANA, NOON

POLICY = parse_policy(
    '[routing]\ndelivery = "channel:C1"\n[privacy]\ndm = ["arr"]\ndefault_channel = ["respondent"]\n'
    'may_reveal = ["Eve@us.example"]\n[[privacy.profile]]\nchannel = "C0123"\nhide = ["comment", "arr"]\n'
)
SECRETS = ("The export fails", "Export fails", "Dora", "dora@acme.example", "1,200,000")


def seen() -> CaseView:
    two = (response(), response(id="r2", requester_email="erik@acme.example", requester_name="Erik"))
    return view(responses=two, last_entry=entry("response_joined", words="The export fails, they said"))


def shown(hidden: frozenset[str], kind: NoticeKind = NoticeKind.CARD) -> Message:
    notice = Notice(kind, ANA, "owner", {"response_id": "r1", "why": "you own it"})
    return with_reveal(compose(notice, redact(seen(), hidden), NOON), hidden)


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_what_is_hidden_stands_nowhere_in_any_message(kind: NoticeKind) -> None:
    message = str(shown(EVERYTHING, kind))
    assert not [secret for secret in SECRETS if secret in message]


def test_without_a_profile_everything_is_shown_and_nothing_needs_revealing() -> None:
    message = shown(frozenset())
    assert all(secret in str(message) for secret in ("The export fails", "Dora", "1,200,000"))
    assert ActionId.REVEAL not in {button.id for button in message.buttons}


def test_two_hidden_people_are_still_two() -> None:
    assert "now 2 people" in str(shown(frozenset({"respondent"})).headline)


def test_only_messages_that_hide_an_answer_offer_to_reveal_it() -> None:
    assert ActionId.REVEAL in {button.id for button in shown(EVERYTHING).buttons}
    assert ActionId.REVEAL not in {button.id for button in shown(EVERYTHING, NoticeKind.REMINDER).buttons}


@pytest.mark.parametrize(
    ("place", "hidden"),
    [("C0123", {"comment", "arr"}), ("C9", {"respondent"}), ("G9", {"respondent"}), ("D1", {"arr"})],
)
def test_each_place_has_its_profile(place: str, hidden: set[str]) -> None:
    assert hidden_in(place, POLICY.privacy, POLICY.routing) == hidden


def test_a_group_message_counts_as_direct() -> None:
    routing = POLICY.routing.model_copy(update={"delivery": "group_dm", "pilot": "channel:C7"})
    assert hidden_in("G9", POLICY.privacy, routing) == {"arr"}
    assert hidden_in("C7", POLICY.privacy, routing) == {"respondent"}


@pytest.mark.parametrize(
    ("person", "may"),
    [
        (ANA, True),
        ("max@us.example", True),
        ("eve@us.example", True),
        ("lead@example.com", True),
        ("x@us.example", False),
    ],
)
def test_those_whom_a_case_concerns_may_look(person: str, may: bool) -> None:
    case = seen()
    assert may_reveal(person, case.case, case.account, POLICY.privacy, POLICY.routing) is may


def test_what_is_revealed_is_all_that_was_hidden_and_still_masked() -> None:
    case = view(responses=(response(comment="my card 4111 1111 1111 1111"),))
    words = in_words(case, EVERYTHING)
    assert "Dora Diaz (economic buyer) <dora@acme.example>: “my card [card-1111]”" in words
    assert "ARR: EUR 1,200,000" in words
    assert "Dora" not in in_words(case, {"comment"})
