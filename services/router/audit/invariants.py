"""What must always hold, checked on a timer and on demand: INVARIANTS is the list.

To add one: a function that answers with what breaks it, and one line in INVARIANTS."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.router.audit.facts import breaches
from services.router.audit.facts.connection import Connection
from shared.policy import Policy

_RECENT = timedelta(days=2)
_MAIL_PATIENCE = timedelta(minutes=1)
_SWEEP_PATIENCE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Question:
    """`everything` looks at all of history; otherwise recent rows are enough where that is a choice."""

    now: datetime
    policy: Policy
    everything: bool = False


@dataclass(frozen=True)
class Invariant:
    """`broken_by` answers with the ids (of a `kind`) that break it, at most a hundred."""

    name: str
    kind: str
    words: str
    broken_by: Callable[[Connection, Question], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant and what breaks it now; it holds when that is nothing."""

    name: str
    kind: str
    words: str
    broken_by: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.broken_by


async def flag_has_case(connection: Connection, question: Question) -> list[str]:
    since = None if question.everything else question.now - _RECENT
    return await breaches.flagged_without_case(connection, since)


async def case_has_owner(connection: Connection, question: Question) -> list[str]:
    return await breaches.cases_without_owner(connection)


async def account_has_one_case(connection: Connection, question: Question) -> list[str]:
    return await breaches.accounts_with_two_cases(connection)


async def waiting_is_guarded(connection: Connection, question: Question) -> list[str]:
    return await breaches.waiting_without_deadline(connection, question.now)


async def touched_is_asked(connection: Connection, question: Question) -> list[str]:
    return await breaches.touched_without_close_out(connection)


async def deadline_fires(connection: Connection, question: Question) -> list[str]:
    return await breaches.unfired_deadlines(connection, question.now - _SWEEP_PATIENCE)


async def alert_is_sent(connection: Connection, question: Question) -> list[str]:
    return await breaches.unsent_alerts(connection, question.now - question.policy.sla.alert_within)


async def silence_is_broken(connection: Connection, question: Question) -> list[str]:
    return await breaches.undelivered(connection, question.now - _MAIL_PATIENCE)


INVARIANTS: tuple[Invariant, ...] = (
    Invariant("flag_has_case", "response", "Every flagged response, unless late or held, has a case.", flag_has_case),
    Invariant("case_has_owner", "case", "Every case that is not ended has an owner, a person.", case_has_owner),
    Invariant("account_has_one_case", "account", "An account has at most one open case.", account_has_one_case),
    Invariant("waiting_is_guarded", "case", "Every promised touch still waiting has a deadline.", waiting_is_guarded),
    Invariant("touched_is_asked", "case", "Every touched case will be asked about its close-out.", touched_is_asked),
    Invariant("deadline_fires", "case", "No deadline is more than a minute late.", deadline_fires),
    Invariant("alert_is_sent", "case", "No alert waits longer than [sla] alert_within.", alert_is_sent),
    Invariant(
        "silence_is_broken", "case", "An alert that Slack does not bring has gone out by e-mail.", silence_is_broken
    ),
)


async def check(connection: Connection, question: Question) -> list[Finding]:
    """Every invariant with what breaks it now."""
    return [
        Finding(item.name, item.kind, item.words, tuple(await item.broken_by(connection, question)))
        for item in INVARIANTS
    ]
