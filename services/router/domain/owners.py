"""Who owns it, who covers, who is next, and why that person: always ends in a person (G6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.router.domain.absence import NOBODY_AWAY, Absences
from services.router.domain.view import AccountView
from shared.policy import RoutingPolicy

COVER = "cover"
FALLBACK = "fallback owner"
"""In the reason of everybody who has a case only because nobody better is known."""
BY_HAND = "chosen by hand"
Unreachable = Mapping[str, str]
"""E-mail -> why no message can reach this person."""


class Reach(NamedTuple):
    """Who cannot take a case now: people no message can reach, and people who are away."""

    unreachable: Unreachable
    absences: Absences = NOBODY_AWAY


@dataclass(frozen=True, slots=True)
class Choice:
    """A person and the words that say why; `covers_for` is the absent person whose it really is."""

    email: str
    role: str
    reason: str
    covers_for: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    role: str
    email: str | None
    words: str


def owner(
    account: AccountView | None,
    why_none: str,
    routing: RoutingPolicy,
    unreachable: Unreachable,
    absences: Absences = NOBODY_AWAY,
) -> Choice:
    """The account's CSM, else the CSM's manager, the support lead, the fallback owner; for one who is away the cover.
    Somebody passed over is named in the reason; `why_none` says why there is no account."""
    if account is None:
        fallback = Candidate("fallback_owner", routing.fallback_owner, f"fallback owner: {why_none}")
        return _last(fallback, [], absences, unreachable, None)
    return _first(_chain(account, routing), routing, unreachable, absences)


def instead_of(
    holder: str,
    account: AccountView | None,
    routing: RoutingPolicy,
    unreachable: Unreachable,
    absences: Absences = NOBODY_AWAY,
) -> Choice:
    """Who has the case of `holder`, whose it is by role or by hand: themselves when they are there, else the cover,
    else the next role."""
    chain = [*_chain(account, routing), Candidate("fallback_owner", routing.fallback_owner, "fallback owner")]
    own = next((candidate for candidate in chain if candidate.email == holder), Candidate("owner", holder, BY_HAND))
    others = [candidate for candidate in chain[:-1] if candidate.email != holder]
    return _first([own, *others], routing, unreachable, absences)


def lead(
    account: AccountView | None,
    routing: RoutingPolicy,
    unreachable: Unreachable,
    absences: Absences = NOBODY_AWAY,
) -> Choice:
    """The account's support lead beats [routing] support_lead; then the fallback owner; for one away the cover."""
    candidates = [candidate for candidate in _chain(account, routing) if candidate.role == "support_lead"]
    return _first(candidates, routing, unreachable, absences)


def escalation(
    account: AccountView | None,
    current_owner: str,
    routing: RoutingPolicy,
    unreachable: Unreachable,
    absences: Absences = NOBODY_AWAY,
) -> dict[int, Choice]:
    """The people of [routing] escalate_to by their place in it, each once, without the owner (who is late) and the
    unreachable; for one who is away the cover. Never empty: the fallback owner is there even when that is the owner."""
    by_role = {candidate.role: candidate for candidate in _chain(account, routing)}
    people: dict[int, Choice] = {}
    seen = {current_owner}
    for place, role in enumerate(routing.escalate_to):
        candidate = by_role.get(role, Candidate(role, routing.fallback_owner, "fallback owner"))
        choice = _present(candidate, absences)
        if choice is not None and choice.email not in seen and choice.email not in unreachable:
            seen.add(choice.email)
            people[place] = choice
    return people or {0: Choice(routing.fallback_owner, "fallback_owner", "fallback owner")}


def unfit(person: str, reach: Reach) -> dict[str, str]:
    """Why a case cannot be given to this person by hand now, in words; empty when it can."""
    away = reach.absences.of(person)
    if away is not None:
        cover = f"{away.email} {away.words}" if away.email else away.words
        return {person: cover}
    why = reach.unreachable.get(person)
    return {person: f"{person} {why}"} if why else {}


def _chain(account: AccountView | None, routing: RoutingPolicy) -> list[Candidate]:
    own_lead = account.support_lead if account else None
    lead_words = "support lead of the account" if own_lead else "support lead by policy"
    chain = [Candidate("support_lead", own_lead or routing.support_lead, lead_words)]
    if account is not None:
        chain.insert(0, Candidate("csm_manager", account.csm_manager, "the CSM's manager"))
        chain.insert(0, Candidate("csm", account.csm, "CSM of the account"))
    return chain


def _present(candidate: Candidate, absences: Absences) -> Choice | None:
    """The candidate, or who stands in, in the candidate's role; None when nobody does."""
    if not candidate.email:
        return None
    away = absences.of(candidate.email)
    if away is None:
        return Choice(candidate.email, candidate.role, candidate.words)
    if away.email is None:
        return None
    return Choice(away.email, candidate.role, f"{away.words} ({candidate.words})", candidate.email)


def _first(
    candidates: Sequence[Candidate], routing: RoutingPolicy, unreachable: Unreachable, absences: Absences
) -> Choice:
    """`covers_for` is the first who would have had it but for an absence, also when a next role has it."""
    passed_over: list[str] = []
    absent: str | None = None
    for candidate in candidates:
        name = candidate.words.removeprefix("the ")
        if not candidate.email:
            passed_over.append(f"{name}: none is named")
            continue
        away = absences.of(candidate.email)
        if away is None and candidate.email not in unreachable:
            return Choice(candidate.email, candidate.role, _because(candidate.words, passed_over), absent)
        if away is None:
            passed_over.append(f"{name} {candidate.email}: {unreachable[candidate.email]}")
            continue
        absent = absent or candidate.email
        if away.email is not None and away.email not in unreachable:
            return Choice(away.email, COVER, _because(f"{away.words}, {candidate.words}", passed_over), absent)
        cover = f", but {away.email} {unreachable[away.email]}" if away.email else ""
        passed_over.append(f"{name}: {away.words}{cover}")
    fallback = Candidate("fallback_owner", routing.fallback_owner, "fallback owner")
    return _last(fallback, passed_over, absences, unreachable, absent)


def _last(
    fallback: Candidate, passed_over: list[str], absences: Absences, unreachable: Unreachable, absent: str | None
) -> Choice:
    """The fallback owner, or who covers for them; with neither there it is theirs all the same."""
    assert fallback.email is not None
    away = absences.of(fallback.email)
    if away is not None and away.email is not None and away.email not in unreachable:
        words = _because(f"{away.words}, {fallback.words}", passed_over)
        return Choice(away.email, COVER, words, absent or fallback.email)
    return Choice(fallback.email, fallback.role, _because(fallback.words, passed_over), absent)


def _because(words: str, passed_over: list[str]) -> str:
    return f"{words} ({'; '.join(passed_over)})" if passed_over else words
