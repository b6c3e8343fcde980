"""How bad it is, whose it is, and what a later event means."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.case import Severity
from services.router.domain.journal import GENESIS, broken_at, canonical, seal
from services.router.domain.matching import Clues, Found, clues_of, domain_of, match, orphan_key
from services.router.domain.revision import Change, revise
from services.router.domain.severity import Stakes, assess
from shared.events.catalog import FeedbackScored, SurveyResponded
from shared.policy import SeverityPolicy

TODAY = date(2026, 11, 2)
SOON = TODAY + timedelta(days=30)


@pytest.mark.parametrize(
    ("stakes", "severity"),
    [
        (Stakes(), Severity.MEDIUM),
        (Stakes(arr=1_000_000), Severity.CRITICAL),
        (Stakes(arr=100_000), Severity.HIGH),
        (Stakes(arr=100_000, renewal_date=SOON), Severity.CRITICAL),
        (Stakes(arr=5_000, renewal_date=SOON), Severity.HIGH),
        (Stakes(arr=5_000, renewal_date=SOON, role="economic_buyer"), Severity.CRITICAL),
        (Stakes(arr=5_000, renewal_date=TODAY - timedelta(days=1)), Severity.MEDIUM),
        (Stakes(role="champion"), Severity.HIGH),
        (Stakes(arr=5_000, role="end_user"), Severity.LOW),
        (Stakes(role="end_user"), Severity.MEDIUM),
        (Stakes(arr=5_000, role="end_user", earlier_low=2), Severity.MEDIUM),
        (Stakes(arr=1_000_000, earlier_low=5), Severity.CRITICAL),
    ],
)
def test_severity_follows_revenue_role_renewal_and_repetition(stakes: Stakes, severity: Severity) -> None:
    assert assess(stakes, SeverityPolicy(), TODAY).severity is severity


def test_severity_says_why() -> None:
    verdict = assess(Stakes(250_000, SOON, "champion", 1), SeverityPolicy(), TODAY)
    assert verdict.words == ("ARR 250,000; renews on 2026-12-02; from the champion; 1 earlier low score(s) in 90 days")


def test_the_helpdesks_own_ids_are_no_clue() -> None:
    hint = {"vendor_account_id": "1", "brand_id": "2", "survey_id": "3", "contact_id": "4", "organization_name": "Acme"}
    clues = clues_of("zendesk", hint, None)
    assert clues == Clues("zendesk")
    assert match(clues, Found()).words == "the event names no organisation and no e-mail"


@pytest.mark.parametrize("email", [None, "", "nobody", "x@", "@", "a@b@C.example. "])
def test_an_e_mails_domain_is_found_or_not_never_an_error(email: str | None) -> None:
    assert domain_of(email) in (None, "c.example")


@given(
    st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())), st.text()
)
def test_hostile_hints_find_nobody_and_break_nothing(hint: dict[str, Any], email: str) -> None:
    clues = clues_of("zendesk", hint, email)
    assert match(clues, Found()).account_id is None
    assert 0 < len(orphan_key(clues, "record")) <= 400


NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def scored(score: float | None, flagged: bool, at: datetime = NOON, **facts: Any) -> FeedbackScored:
    response = SurveyResponded(
        source="s", unique_id="u", record_id="r", received_at=at, occurred_at=at, normalised_score=score, **facts
    )
    return FeedbackScored(response=response, flagged=flagged, late=False, reasons=[], policy_version="v", scored_at=at)


def stored(score: float | None, flagged: bool, **facts: Any) -> Any:
    data = {"normalised_score": score, "flagged": flagged, "withdrawn": False, "occurred_at": NOON, "comment_id": None}
    return SimpleNamespace(**{**data, "late": False, **facts})


@pytest.mark.parametrize(
    ("known", "event", "change"),
    [
        (stored(5, False), scored(1, True), Change.WORSE),
        (stored(1, True), scored(5, False), Change.BETTER),
        (stored(2, True), scored(1, True), Change.LOWER),
        (stored(1, True), scored(2, True), Change.HIGHER),
        (stored(1, True), scored(1, True, comment="why"), Change.COMMENT),
        (stored(1, True, comment_id="c"), scored(1, True, comment="why"), Change.DETAILS),
        (stored(1, True), scored(None, False, withdrawn=True), Change.WITHDRAWN),
        (stored(1, True, withdrawn=True), scored(1, True), Change.WORSE),
        (stored(2, True, late=True), scored(1, True), Change.WORSE),
        (stored(1, True), scored(5, False, NOON - timedelta(seconds=1)), Change.NONE),
    ],
)
def test_what_a_later_event_about_a_response_means(known: Any, event: FeedbackScored, change: Change) -> None:
    assert revise(known, event).change is change


WORDS = st.text(max_size=8)
FACTS = st.dictionaries(
    WORDS,
    st.recursive(
        st.none() | st.booleans() | st.integers() | WORDS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@given(st.lists(st.tuples(WORDS, FACTS), min_size=1, max_size=6), st.data())
def test_g10_any_change_to_a_chain_is_found(items: list[tuple[str, dict[str, Any]]], data: st.DataObject) -> None:
    chain, head = [], GENESIS
    for seq, (kind, facts) in enumerate(items, start=1):
        chain.append(seal(head, "L-1", seq, NOON, "ana", kind, facts))
        head = chain[-1].hash
    assert broken_at(chain) is None
    place = data.draw(st.integers(0, len(chain) - 1))
    entry = chain[place]
    forged = type(entry)(
        entry.case_id, entry.seq, entry.at, "mallory", entry.type, entry.data, entry.prev_hash, entry.hash
    )
    assert broken_at([*chain[:place], forged, *chain[place + 1 :]]) == place + 1
    if place < len(chain) - 1:
        assert broken_at(chain[:place] + chain[place + 1 :]) == place + 1


@given(FACTS)
def test_the_same_data_gives_the_same_bytes_whatever_its_order(data: dict[str, Any]) -> None:
    assert canonical(data) == canonical(dict(reversed(list(data.items()))))
