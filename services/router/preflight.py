"""Nightly: does everybody to whom a case may come resolve to a live, reachable person? CX operations hears of changes.

One router at a time checks. What it finds is stored with the people, and in a heartbeat that every router reads.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from prometheus_client import Gauge

from services.router.audit.facts import heartbeats
from services.router.channels.base import Channel, Post, RateLimited, Reachable, Sent, Unreachable
from services.router.delivery.addressing import to_person
from services.router.domain.messages import Field, Line, Message, Strong
from services.router.store import duties, leases, people
from services.router.store.duties import Duties
from shared import ids
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import TransientError
from shared.policy import Policy
from shared.runtime import sleep_or_stop

log = structlog.get_logger(__name__)

HEARTBEAT = "preflight"
UNREACHABLE = Gauge(
    "closeloop_unreachable_people", "People a case may come to whom no Slack message reaches, by the last preflight"
)
KNOWN_FOR = timedelta(hours=36)
"""What was found out longer ago than this counts as unknown; the nightly check keeps it fresh."""
_LOOK_EVERY = timedelta(minutes=1)
_AFTER_START = timedelta(minutes=30)
_NIGHT = range(2, 6)  # hours UTC
_AT_LEAST, _AT_MOST = timedelta(hours=6), timedelta(hours=26)
_LEASE_FOR = timedelta(minutes=10)
_AT_A_TIME = 20
_TRIES = 3
_TRY_AGAIN = timedelta(seconds=5)
# users.lookupByEmail and conversations.open allow about 50 calls a minute; delivery needs some of them.
PACE = timedelta(seconds=2)
_SHOWN, _ACCOUNTS_SHOWN = 8, 3
_ROLE_WORDS = {
    "csm": "CSM",
    "csm_manager": "CSM's manager",
    "support_lead": "support lead",
    "fallback_owner": "fallback owner",
    "cover": "cover",
    "owner": "owner of open cases",
}


@dataclass(frozen=True, slots=True)
class Unreached:
    """Somebody who is needed and cannot be reached; `duty` is what for."""

    duty: Duties
    why: str

    @property
    def for_what(self) -> str:
        roles = ", ".join(_ROLE_WORDS[role] for role in _ROLE_WORDS if role in self.duty.roles)
        count = len(self.duty.accounts)
        return f"{roles} of {count} account{'s' if count > 1 else ''}" if count else roles


@dataclass(frozen=True, slots=True)
class Report:
    """`unchecked` could not be asked about just now: neither good nor bad."""

    checked: int
    unreached: tuple[Unreached, ...]
    unchecked: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """The same as long as the same people cannot be reached for the same reasons."""
        lines = sorted(f"{item.duty.email} {item.why}" for item in self.unreached)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] if lines else ""


class Preflight:
    def __init__(
        self, database: Database, channel: Channel, policy: Policy, clock: Clock, pace: timedelta = PACE
    ) -> None:
        self._database = database
        self._channel = channel
        self._routing = policy.routing
        self._clock = clock
        self._pace = pace
        self._started_at = clock.now()
        self._name = ids.new_id()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.check_when_due(stop)
            except TransientError as error:
                log.warning("preflight_postponed", why=str(error))
            await sleep_or_stop(self._clock, _LOOK_EVERY, stop)

    async def check_when_due(self, stop: asyncio.Event | None = None) -> Report | None:
        """What `check` answers when it is time for it, else None."""
        return await self.check(stop) if await self._due() else None

    async def check(self, stop: asyncio.Event | None = None) -> Report | None:
        """Ask about everybody, tell of what changed, leave a heartbeat. None when another router is at it, or when
        `stop` was set meanwhile."""
        async with self._database.transaction() as tx:
            if not await leases.hold(tx, HEARTBEAT, self._name, self._clock.now(), _LEASE_FOR):
                return None
            before = await heartbeats.last(tx, HEARTBEAT)
            needed = await duties.duties(tx, self._routing, self._clock.now())
        told = json.loads(before.note).get("told", "") if before is not None and before.note else ""
        answers = await self._ask_everybody(sorted(needed), stop)
        if answers is None:
            return None
        report = report_of(needed, answers)
        UNREACHABLE.set(len(report.unreached))
        log.info("preflight", checked=report.checked, unreachable=len(report.unreached))
        if report.mark != told and await self._tell(report):
            told = report.mark
        note = json.dumps({"unreachable": len(report.unreached), "checked": report.checked, "told": told})
        async with self._database.transaction() as tx:
            await heartbeats.beat(tx, HEARTBEAT, self._clock.now(), note)
            await leases.release(tx, HEARTBEAT, self._name, self._clock.now())
        return report

    async def _due(self) -> bool:
        """Once a night; after the first half hour, in which accounts may still be on their way."""
        now = self._clock.now()
        async with self._database.read() as connection:
            last = await heartbeats.last(connection, HEARTBEAT)
        if last is not None and last.note:
            UNREACHABLE.set(json.loads(last.note).get("unreachable", 0))
        if now - self._started_at < _AFTER_START:
            return False
        if last is None:
            return True
        since = now - last.at
        return since >= _AT_MOST or (since >= _AT_LEAST and now.hour in _NIGHT)

    async def _ask_everybody(
        self, emails: Sequence[str], stop: asyncio.Event | None
    ) -> dict[str, Reachable | Unreachable | None] | None:
        answers: dict[str, Reachable | Unreachable | None] = {}
        for start in range(0, len(emails), _AT_A_TIME):
            batch = emails[start : start + _AT_A_TIME]
            for email in batch:
                if stop is not None and stop.is_set():
                    return None
                answers[email] = await self._ask(email)
                if self._pace:
                    await self._clock.sleep(self._pace)
            await self._remember([answer for email in batch if (answer := answers[email]) is not None])
        return answers

    async def _ask(self, email: str) -> Reachable | Unreachable | None:
        for _ in range(_TRIES):
            answer = await self._channel.person(email)
            if isinstance(answer, Reachable | Unreachable):
                return answer
            pause = timedelta(seconds=answer.seconds) if isinstance(answer, RateLimited) else _TRY_AGAIN
            await self._clock.sleep(pause)
        return None

    async def _remember(self, answers: Iterable[Reachable | Unreachable]) -> None:
        now = self._clock.now()
        async with self._database.transaction() as tx:
            await leases.hold(tx, HEARTBEAT, self._name, now, _LEASE_FOR)
            for answer in answers:
                await people.remember(tx, to_person(answer, now))

    async def _tell(self, report: Report) -> bool:
        """One message to CX operations; where they cannot be reached, to the support lead."""
        place = await self._place()
        if place is None:
            log.error("preflight_reaches_nobody", unreachable=len(report.unreached))
            return False
        notice_id = ids.derive(HEARTBEAT, report.mark, self._clock.now().date().isoformat())
        asked_at = self._clock.now()
        outcome = await self._channel.send(Post(notice_id, place, message_of(report), {}))
        if not isinstance(outcome, Sent):
            # The answer may be lost and the message there.
            found = await self._channel.look(notice_id, place, None, asked_at)
            return isinstance(found, Sent)
        return True

    async def _place(self) -> str | None:
        if self._routing.pilot:
            return self._routing.pilot.removeprefix("channel:")
        for email in (self._routing.fallback_owner, self._routing.support_lead):
            person = await self._ask(email)
            if isinstance(person, Reachable):
                return person.place
        return None


def report_of(needed: dict[str, Duties], answers: dict[str, Reachable | Unreachable | None]) -> Report:
    """Those with the most accounts first."""
    unreached = [Unreached(needed[email], got.why) for email, got in answers.items() if isinstance(got, Unreachable)]
    unreached.sort(key=lambda item: (-len(item.duty.accounts), item.duty.email))
    unchecked = sorted(email for email, got in answers.items() if got is None)
    return Report(len(answers) - len(unchecked), tuple(unreached), tuple(unchecked))


def stored_report(needed: dict[str, Duties], known: dict[str, people.Person], since: datetime) -> Report:
    """What is known without asking; people looked at before `since` are unchecked."""
    answers: dict[str, Reachable | Unreachable | None] = dict.fromkeys(needed)
    for email, person in known.items():
        if person.checked_at < since or email not in needed:
            continue
        reached = Reachable(email, person.slack_id or "", person.dm_channel or "", person.timezone)
        answers[email] = Unreachable(email, person.unreachable) if person.unreachable else reached
    return report_of(needed, answers)


def message_of(report: Report) -> Message:
    count = len(report.unreached)
    if not count:
        words = f"Everybody is reachable in Slack again: all {report.checked} people a case may come to."
        return Message(case_id=HEARTBEAT, rev=0, headline=("✅ ", Strong("Everybody is reachable again")), text=words)
    words = f"{count} {'person' if count == 1 else 'people'} a case may come to cannot be reached in Slack"
    fields = tuple(Field(item.for_what, _value(item)) for item in report.unreached[:_SHOWN])
    more: Line = (f"and {count - _SHOWN} more: run `closeloop doctor`, or see /v1/people/unreachable",)
    return Message(
        case_id=HEARTBEAT,
        rev=0,
        headline=("⚠️ ", Strong(words)),
        text=f"{words}: {', '.join(item.duty.email for item in report.unreached[:_SHOWN])}.",
        lines=(
            ("Their cases go to the next role until this is put right: name somebody else, or a cover.",),
            *((more,) if count > _SHOWN else ()),
        ),
        fields=fields,
    )


def _value(item: Unreached) -> Line:
    names = ", ".join(item.duty.accounts[:_ACCOUNTS_SHOWN])
    rest = len(item.duty.accounts) - _ACCOUNTS_SHOWN
    accounts = f" ({names}{f' and {rest} more' if rest > 0 else ''})" if names else ""
    return (f"{item.duty.email} {item.why}{accounts}",)
