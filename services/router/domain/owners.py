"""Who owns it, who is next, and why that person: always ends in a person (G6)."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.router.domain.view import AccountView
from shared.policy import RoutingPolicy

Unreachable = Mapping[str, str]
"""E-mail -> why no message can reach this person."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A person and the words that say why."""

    email: str
    role: str
    reason: str


@dataclass(frozen=True, slots=True)
class Candidate:
    role: str
    email: str | None
    words: str


def owner(account: AccountView | None, why_none: str, routing: RoutingPolicy, unreachable: Unreachable) -> Choice:
    """The account's CSM, else the CSM's manager, the support lead, the fallback owner. Somebody passed over for being
    unreachable is named in the reason; `why_none` says why there is no account."""
    if account is None:
        return Choice(routing.fallback_owner, "fallback_owner", f"fallback owner: {why_none}")
    return _first(_chain(account, routing), routing, unreachable)


def lead(account: AccountView | None, routing: RoutingPolicy, unreachable: Unreachable) -> Choice:
    """The account's support lead beats [routing] support_lead; then the fallback owner."""
    candidates = [candidate for candidate in _chain(account, routing) if candidate.role == "support_lead"]
    return _first(candidates, routing, unreachable)


def escalation(
    account: AccountView | None, current_owner: str, routing: RoutingPolicy, unreachable: Unreachable
) -> list[Choice]:
    """The people of [routing] escalate_to in order, each once, without the owner (who is late) and the unreachable.
    Never empty: the fallback owner is there even when that is the owner."""
    by_role = {candidate.role: candidate for candidate in _chain(account, routing)}
    people: list[Choice] = []
    seen = {current_owner}
    for role in routing.escalate_to:
        candidate = by_role.get(role, Candidate(role, routing.fallback_owner, "fallback owner"))
        if candidate.email and candidate.email not in seen and candidate.email not in unreachable:
            seen.add(candidate.email)
            people.append(Choice(candidate.email, role, candidate.words))
    return people or [Choice(routing.fallback_owner, "fallback_owner", "fallback owner")]


def _chain(account: AccountView | None, routing: RoutingPolicy) -> list[Candidate]:
    own_lead = account.support_lead if account else None
    lead_words = "support lead of the account" if own_lead else "support lead by policy"
    chain = [Candidate("support_lead", own_lead or routing.support_lead, lead_words)]
    if account is not None:
        chain.insert(0, Candidate("csm_manager", account.csm_manager, "the CSM's manager"))
        chain.insert(0, Candidate("csm", account.csm, "CSM of the account"))
    return chain


def _first(candidates: list[Candidate], routing: RoutingPolicy, unreachable: Unreachable) -> Choice:
    passed_over = []
    for candidate in candidates:
        if not candidate.email:
            passed_over.append(f"{candidate.words.removeprefix('the ')}: none is named")
        elif candidate.email in unreachable:
            passed_over.append(
                f"{candidate.words.removeprefix('the ')} {candidate.email}: {unreachable[candidate.email]}"
            )
        else:
            return Choice(candidate.email, candidate.role, _because(candidate.words, passed_over))
    return Choice(routing.fallback_owner, "fallback_owner", _because("fallback owner", passed_over))


def _because(words: str, passed_over: list[str]) -> str:
    return f"{words} ({'; '.join(passed_over)})" if passed_over else words
