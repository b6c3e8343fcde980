"""Somebody always owns it, and the words say why that person (G6)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain import owners
from services.router.domain.absence import Absences, Cover, absences
from services.router.domain.view import AccountView
from shared.policy import RoutingPolicy

ROUTING = RoutingPolicy(support_lead="lead@us.example", fallback_owner="ops@us.example")


def account(
    csm: str | None = "ana@us.example", manager: str | None = "max@us.example", lead: str | None = None
) -> AccountView:
    return AccountView("acme", "Acme", None, None, None, None, None, csm, manager, lead)


def test_the_csm_owns_it() -> None:
    choice = owners.owner(account(), "", ROUTING, {})
    assert (choice.email, choice.role, choice.reason) == ("ana@us.example", "csm", "CSM of the account")


def test_who_cannot_be_reached_is_passed_over_and_named() -> None:
    gone = {"ana@us.example": "no Slack user", "max@us.example": "deactivated in Slack"}
    choice = owners.owner(account(), "", ROUTING, gone)
    assert choice.email == "lead@us.example"
    assert choice.reason == (
        "support lead by policy (CSM of the account ana@us.example: no Slack user;"
        " CSM's manager max@us.example: deactivated in Slack)"
    )


def test_an_account_without_a_csm_says_so() -> None:
    choice = owners.owner(account(csm=None), "", ROUTING, {})
    assert (choice.email, choice.reason) == ("max@us.example", "the CSM's manager (CSM of the account: none is named)")


def test_no_account_goes_to_the_fallback_with_the_reason() -> None:
    choice = owners.owner(None, "no account claims the domain x.example", ROUTING, {})
    assert choice.reason == "fallback owner: no account claims the domain x.example"


def test_the_accounts_own_lead_beats_the_policys() -> None:
    assert owners.lead(account(lead="own@us.example"), ROUTING, {}).email == "own@us.example"
    assert owners.lead(account(), ROUTING, {}).email == "lead@us.example"


def test_escalation_names_each_person_once_at_their_place_without_the_late_owner() -> None:
    chain = owners.escalation(account(manager="lead@us.example"), "ana@us.example", ROUTING, {})
    assert {place: choice.email for place, choice in chain.items()} == {0: "lead@us.example", 2: "ops@us.example"}
    chain = owners.escalation(account(), "max@us.example", ROUTING, {})
    assert {place: choice.email for place, choice in chain.items()} == {1: "lead@us.example", 2: "ops@us.example"}


def away(person: str, cover: str | None) -> Cover:
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    return Cover(f"{person} {cover}", person, cover, noon, noon + timedelta(days=3), noon)


def absent(*covers: Cover) -> Absences:
    return absences(covers, datetime(2026, 11, 24, tzinfo=UTC))


def test_the_cover_of_an_absent_csm_owns_it_even_of_one_slack_cannot_reach() -> None:
    choice = owners.owner(
        account(), "", ROUTING, {"ana@us.example": "no Slack user"}, absent(away("ana@us.example", "eva@us.example"))
    )
    assert (choice.email, choice.role, choice.covers_for) == ("eva@us.example", "cover", "ana@us.example")
    assert choice.reason == "covers for ana@us.example until Thu 26 Nov, CSM of the account"


def test_who_was_passed_over_for_an_absence_gets_it_back() -> None:
    choice = owners.owner(account(), "", ROUTING, {}, absent(away("ana@us.example", None)))
    assert (choice.email, choice.covers_for) == ("max@us.example", "ana@us.example")
    assert "ana@us.example is away until Thu 26 Nov and nobody is named to cover" in choice.reason


def test_a_case_is_its_holders_when_they_are_there_by_role_or_by_hand() -> None:
    assert owners.instead_of("ana@us.example", account(), ROUTING, {}).reason == "CSM of the account"
    assert owners.instead_of("tom@us.example", account(), ROUTING, {}).reason == "chosen by hand"
    assert owners.instead_of("ops@us.example", None, ROUTING, {}).reason == "fallback owner"


def test_escalation_goes_to_the_cover_unless_that_is_the_late_owner() -> None:
    both = absent(away("max@us.example", "eva@us.example"), away("lead@us.example", "ana@us.example"))
    chain = owners.escalation(account(), "ana@us.example", ROUTING, {}, both)
    assert [(choice.email, choice.role) for choice in chain.values()] == [
        ("eva@us.example", "csm_manager"),
        ("ops@us.example", "fallback_owner"),
    ]


def test_nobody_away_or_unreachable_is_given_a_case_by_hand() -> None:
    reach = owners.Reach({"tom@us.example": "is a guest in Slack"}, absent(away("ana@us.example", "eva@us.example")))
    assert owners.unfit("eva@us.example", reach) == {}
    assert owners.unfit("tom@us.example", reach) == {"tom@us.example": "tom@us.example is a guest in Slack"}
    assert "eva@us.example covers for ana@us.example until" in owners.unfit("ana@us.example", reach)["ana@us.example"]


EMAILS = st.sampled_from(["ana@us.example", "max@us.example", "lead@us.example", "ops@us.example", "own@us.example"])
ABSENCES = st.lists(st.builds(away, EMAILS, st.none() | EMAILS), max_size=5).map(
    lambda covers: absent(*(cover for cover in covers if cover.cover != cover.person))
)


@given(
    st.builds(account, st.none() | EMAILS, st.none() | EMAILS, st.none() | EMAILS) | st.none(),
    st.dictionaries(EMAILS, st.just("gone")),
    EMAILS,
    ABSENCES,
)
def test_g6_there_is_always_a_person_and_a_reason(
    of: AccountView | None, gone: dict[str, str], late: str, who: Absences
) -> None:
    choices = (
        owners.owner(of, "unknown", ROUTING, gone, who),
        owners.lead(of, ROUTING, gone, who),
        owners.instead_of(late, of, ROUTING, gone, who),
    )
    for choice in choices:
        assert "@" in choice.email
        assert choice.reason
        last_resort = choice.email == ROUTING.fallback_owner
        assert last_resort or (choice.email not in gone and who.of(choice.email) is None)
        assert choice.covers_for is None or who.of(choice.covers_for) is not None
    chain = owners.escalation(of, late, ROUTING, gone, who)
    assert chain
    assert len({choice.email for choice in chain.values()}) == len(chain)
    again = owners.instead_of(late, of, ROUTING, gone, who)
    assert owners.instead_of(again.covers_for or late, of, ROUTING, gone, who).email == again.email
