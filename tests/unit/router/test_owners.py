"""Somebody always owns it, and the words say why that person (G6)."""

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain import owners
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


def test_escalation_skips_the_late_owner_and_names_each_person_once() -> None:
    chain = owners.escalation(account(manager="lead@us.example"), "ana@us.example", ROUTING, {})
    assert [choice.email for choice in chain] == ["lead@us.example", "ops@us.example"]


EMAILS = st.sampled_from(["ana@us.example", "max@us.example", "lead@us.example", "ops@us.example", "own@us.example"])


@given(
    st.builds(account, st.none() | EMAILS, st.none() | EMAILS, st.none() | EMAILS) | st.none(),
    st.dictionaries(EMAILS, st.just("gone")),
    EMAILS,
)
def test_g6_there_is_always_a_person_and_a_reason(of: AccountView | None, gone: dict[str, str], late: str) -> None:
    for choice in (owners.owner(of, "unknown", ROUTING, gone), owners.lead(of, ROUTING, gone)):
        assert "@" in choice.email
        assert choice.reason
        assert choice.email not in gone or choice.email == ROUTING.fallback_owner
    chain = owners.escalation(of, late, ROUTING, gone)
    assert chain
    assert len({choice.email for choice in chain}) == len(chain)
