"""Who is reached where: people of the channel, remembered, and the place each notice goes to by policy."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from services.router.channels.base import Channel, NotSent, RateLimited, Reachable, Unreachable
from services.router.delivery.rates import Call, Rates
from services.router.domain.messages import Line, Person
from services.router.domain.view import CaseView
from services.router.store import people
from services.router.store.notices import Row
from shared.clock import Clock
from shared.policy import RoutingPolicy

log = structlog.get_logger(__name__)

TRUST_REACHABLE = timedelta(days=7)
TRUST_UNREACHABLE = timedelta(hours=1)
_TRY_AGAIN = timedelta(seconds=5)
_JUST_ASKED = timedelta(minutes=1)
_AT_ONCE = 8
_IN_GROUP = ("owner", "support_lead")


@dataclass(frozen=True, slots=True)
class Destination:
    """`shared`: others read there too, so that one card serves all. `note` says whom the message is for."""

    place: str
    shared: bool = False
    note: Line = ()
    mention: bool = True


@dataclass
class _Known:
    answer: Reachable | Unreachable
    checked_at: datetime

    def fresh(self, now: datetime) -> bool:
        trust = TRUST_REACHABLE if isinstance(self.answer, Reachable) else TRUST_UNREACHABLE
        return now - self.checked_at < trust


@dataclass
class AddressBook:
    """Looks people up once, in the background; `wake` is set when an answer is there. `news` are answers to store."""

    channel: Channel
    routing: RoutingPolicy
    clock: Clock
    rates: Rates
    wake: asyncio.Event
    news: list[people.Person] = field(default_factory=list)
    _known: dict[str, _Known] = field(default_factory=dict)
    _doubted: dict[str, datetime] = field(default_factory=dict)
    _groups: dict[tuple[str, ...], str] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _not_before: dict[str, datetime] = field(default_factory=dict)
    _at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    @property
    def is_asking(self) -> bool:
        return bool(self._tasks)

    def get(self, email: str) -> Reachable | Unreachable | None:
        """None: not known yet."""
        known = self._known.get(email)
        return known.answer if known is not None and known.fresh(self.clock.now()) else None

    def settled(self, email: str) -> bool:
        """Known, or asked for in vain just now."""
        return self.get(email) is not None or email in self._not_before

    def unknown(self, emails: Iterable[str]) -> set[str]:
        return {email for email in emails if self.get(email) is None}

    def learn(self, stored: Iterable[people.Person]) -> None:
        """What an earlier look-up, perhaps of another router, has found."""
        for person in stored:
            answer = _stored_answer(person)
            doubted_at = self._doubted.get(person.email)
            stale = doubted_at is not None and person.checked_at <= doubted_at
            if answer is not None and not stale and self.get(person.email) is None:
                self._known[person.email] = _Known(answer, person.checked_at)

    def look_up(self, emails: Iterable[str]) -> None:
        now = self.clock.now()
        for email in sorted(self.unknown(emails)):
            if email not in self._tasks and self._not_before.get(email, now) <= now:
                if self.rates.wait(Call.LOOKUP, now) > 0:
                    return
                self.rates.take(Call.LOOKUP)
                self._tasks[email] = asyncio.create_task(self._ask(email), name=f"look up {len(self._tasks)}")

    def doubt(self, email: str) -> bool:
        """Slack took no message where we know this person to be: they are asked for afresh. Whether that can help,
        because what we know is not of just now; another workspace may have been connected since."""
        now, known = self.clock.now(), self._known.pop(email, None)
        self._doubted[email] = now
        return known is not None and now - known.checked_at > _JUST_ASKED

    def mentions(self, emails: Iterable[str | None]) -> dict[str, str]:
        found = {email: self.get(email) for email in emails if email}
        return {email: person.user for email, person in found.items() if isinstance(person, Reachable)}

    def place_of(self, email: str) -> str | None:
        """Where this person's notices go as far as that is known without a case."""
        fixed = self.routing.pilot or self.routing.delivery
        if fixed.startswith("channel:"):
            return fixed.removeprefix("channel:")
        person = self.get(email)
        return person.place if isinstance(person, Reachable) and fixed == "dm" else None

    def destination(self, row: Row, view: CaseView) -> Destination | Unreachable | None:
        """None: not known yet, the look-up is under way."""
        role = row.role.replace("_", " ")
        if self.routing.pilot:
            note: Line = (f"Pilot: would have reached {row.recipient} ({role})",)
            return Destination(self.routing.pilot.removeprefix("channel:"), note=note, mention=False)
        needed = {row.recipient, view.case.owner} | ({view.case.support_lead} if view.case.support_lead else set())
        self.look_up(needed)
        person = self.get(row.recipient)
        if person is None or isinstance(person, Unreachable):
            return person
        if not all(self.settled(email) for email in needed):
            return None
        if row.data.get("stands_in"):
            # It tells of a message that could not be brought: never the same way.
            return Destination(person.place)
        if self.routing.delivery.startswith("channel:"):
            place = self.routing.delivery.removeprefix("channel:")
            return Destination(place, shared=True, note=("For ", Person(row.recipient), f" ({role})"))
        if self.routing.delivery == "group_dm" and row.role in _IN_GROUP:
            return self._group_of(row, view, person)
        return Destination(person.place)

    def _group_of(self, row: Row, view: CaseView, person: Reachable) -> Destination | None:
        both = [self.get(email) for email in (view.case.owner, view.case.support_lead) if email]
        users = tuple(sorted({one.user for one in both if isinstance(one, Reachable)} | {person.user}))
        if len(users) < 2:
            return Destination(person.place)
        place = self._groups.get(users)
        if place is None:
            self._open_group(users)
            return None
        if not place:
            return Destination(person.place)
        role = row.role.replace("_", " ")
        return Destination(place, shared=True, note=("For ", Person(row.recipient), f" ({role})"))

    async def _ask(self, email: str) -> None:
        try:
            async with self._at_once:
                answer = await self.channel.person(email)
            now = self.clock.now()
            if isinstance(answer, Reachable | Unreachable):
                self._known[email] = _Known(answer, now)
                self._not_before.pop(email, None)
                self.news.append(to_person(answer, now))
            else:
                self._later(email, answer)
        finally:
            self._tasks.pop(email, None)
            self.wake.set()

    def _open_group(self, users: tuple[str, ...]) -> None:
        key, now = ",".join(users), self.clock.now()
        if key not in self._tasks and self._not_before.get(key, now) <= now and self.rates.wait(Call.LOOKUP, now) <= 0:
            self.rates.take(Call.LOOKUP)
            self._tasks[key] = asyncio.create_task(self._open(key, users))

    async def _open(self, key: str, users: tuple[str, ...]) -> None:
        try:
            answer = await self.channel.group(users)
            if isinstance(answer, NotSent | RateLimited):
                self._later(key, answer)
            else:
                # Without a common place (one has left, a scope is missing) each is told alone.
                self._groups[users] = answer if isinstance(answer, str) else ""
        finally:
            self._tasks.pop(key, None)
            self.wake.set()

    def _later(self, key: str, answer: NotSent | RateLimited) -> None:
        now = self.clock.now()
        if isinstance(answer, RateLimited):
            self._not_before[key] = self.rates.pause(Call.LOOKUP, now, answer.seconds)
        else:
            log.warning("lookup_failed", reason=answer.reason)
            self._not_before[key] = now + _TRY_AGAIN

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _stored_answer(person: people.Person) -> Reachable | Unreachable | None:
    if person.unreachable:
        return Unreachable(person.email, person.unreachable)
    if person.slack_id and person.dm_channel:
        return Reachable(
            person.email, person.slack_id, person.dm_channel, person.timezone, person.away, person.away_until
        )
    return None


def to_person(answer: Reachable | Unreachable, now: datetime) -> people.Person:
    """An answer of the channel as it is stored."""
    if isinstance(answer, Unreachable):
        return people.Person(answer.email, None, None, None, answer.why, now)
    return people.Person(
        answer.email, answer.user, answer.place, answer.timezone, None, now, answer.away, answer.away_until
    )
